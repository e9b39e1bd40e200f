//! What models that were made for pages put around its text: where each piece stands, of which kind it is. Pure.

use serde_json::Value;

/// The tokens around what a piece is, and around where it stands.
const PIECE: (&str, &str) = ("<|ref|>", "<|/ref|>");
const PLACE: (&str, &str) = ("<|det|>", "<|/det|>");
/// What pieces are; anything else is what they say.
const KINDS: [&str; 22] = [
    "title",
    "sub_title",
    "text",
    "list",
    "table",
    "table_caption",
    "table_footnote",
    "image",
    "image_caption",
    "figure",
    "figure_caption",
    "equation",
    "formula",
    "code",
    "header",
    "footer",
    "page_number",
    "footnote",
    "page_footnote",
    "reference",
    "aside_text",
    "seal",
];
/// The fields that hold where a piece stands, and what it says.
const BOXES: [&str; 3] = ["bbox", "bbox_2d", "box"];
const TEXTS: [&str; 4] = ["text", "text_content", "content", "markdown"];
/// The names of tags that say in front of a page what it is.
const LABELS: [&str; 9] = [
    "page_type",
    "page-type",
    "document_type",
    "language",
    "languages",
    "columns",
    "orientation",
    "rotation",
    "is_blank",
];
/// Such a tag holds no more characters than this.
const MOST_LABEL: usize = 40;

/// The page without the places of its pieces, as `DeepSeek-OCR` writes them.
pub(super) fn without_places(text: &str) -> Option<String> {
    let (mut rest, mut page) = (text, String::new());
    let mut any = false;
    while let Some((before, after)) = rest.split_once(PIECE.0) {
        let (piece, then) = after.split_once(PIECE.1)?;
        let (place, then) = then.trim_start().strip_prefix(PLACE.0)?.split_once(PLACE.1)?;
        if !place.chars().all(|c| c.is_ascii_digit() || " [],.-".contains(c)) {
            return None;
        }
        page.push_str(before);
        if !KINDS.contains(&piece.trim()) {
            page.push_str(piece);
        }
        (rest, any) = (then, true);
    }
    page.push_str(rest);
    any.then_some(page)
}

/// The page of an answer that lists its pieces as objects of JSON with their boxes, as dots.ocr and Qwen do.
pub(super) fn of_pieces(text: &str) -> Option<String> {
    let fenced = text.strip_prefix("```json").and_then(|rest| rest.trim_end().strip_suffix("```"));
    let Value::Array(pieces) = serde_json::from_str(fenced.unwrap_or(text).trim()).ok()? else { return None };
    let said = |piece: &Value| {
        let has_box = BOXES.iter().any(|name| piece[*name].is_array());
        let text = TEXTS.iter().find_map(|name| piece[*name].as_str());
        has_box.then(|| text.unwrap_or_default().trim().to_owned())
    };
    let said: Vec<String> = pieces.iter().map(said).collect::<Option<_>>()?;
    let said: Vec<String> = said.into_iter().filter(|said| !said.is_empty()).collect();
    (!said.is_empty()).then(|| said.join("\n\n"))
}

/// The page of an answer whose line breaks are written as in a string of JSON.
pub(super) fn unescaped(text: &str) -> Option<String> {
    // An object of JSON is for others to open.
    if text.contains('\n') || text.starts_with('{') || !text.contains("\\n\\n") {
        return None;
    }
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    // Quotes may have been left as they were.
    let quoted = format!("\"{}\"", inner.replace("\\\"", "\"").replace('"', "\\\""));
    serde_json::from_str(&quoted).ok()
}

/// The page without tags in front that say of which kind it is, and these.
pub(super) fn without_labels(text: &str) -> Option<(&str, &str)> {
    let mut rest = text;
    while let Some(after) = label(rest) {
        rest = after.trim_start();
    }
    let labels = &text[..text.len() - rest.len()];
    (!labels.is_empty()).then_some((labels, rest))
}

/// What comes after the tag that a text begins with.
fn label(text: &str) -> Option<&str> {
    let (name, rest) = text.strip_prefix('<')?.split_once('>')?;
    let (said, after) = rest.split_once(&format!("</{name}>"))?;
    (LABELS.contains(&name) && said.len() <= MOST_LABEL && !said.contains(['<', '\n'])).then_some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_pieces_are_no_text() {
        let answer = "<|ref|>title<|/ref|><|det|>[[10, 20, 300, 60]]<|/det|>\n# Lease\n\n<|ref|>image<|/ref|><|det|>[[1, 2, 3, 4]]\
            <|/det|>\n\n<|ref|>text<|/ref|><|det|>[[10, 80, 500, 300]]<|/det|>\nThe shed is let.";
        assert_eq!(without_places(answer).unwrap().trim(), "# Lease\n\n\n\n\nThe shed is let.");
        let lines =
            "<|ref|>Lease<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>\n<|ref|>Total 7<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>";
        assert_eq!(without_places(lines).unwrap(), "Lease\nTotal 7");
        for text in ["Lease", "<|ref|>title", "<|ref|>title<|/ref|> of it", "<|ref|>a<|/ref|><|det|>b<|/det|>"] {
            assert_eq!(without_places(text), None, "{text}");
        }
    }

    #[test]
    fn pieces_in_json_are_a_page() {
        let page = r##"[{"bbox":[1,2,3,4],"category":"Title","text":"# Lease"},{"bbox":[1,2,3,4],"category":"Picture"},
            {"bbox":[1,2,3,4],"category":"Text","text":"The shed is let.\n"}]"##;
        for answer in [page.to_owned(), format!("```json\n{page}\n```")] {
            assert_eq!(of_pieces(&answer).unwrap(), "# Lease\n\nThe shed is let.");
        }
        assert_eq!(of_pieces(r#"[{"bbox_2d":[1,2],"text_content":"A"}]"#).unwrap(), "A");
        // A page may be such a list itself.
        for text in [r#"[{"text":"a"}]"#, "[1, 2]", "[]", r#"[{"bbox":[1],"category":"Picture"}]"#, "[a](b)"] {
            assert_eq!(of_pieces(text), None, "{text}");
        }
    }

    #[test]
    fn line_breaks_of_a_string_are_line_breaks() {
        for (answer, page) in [
            (r"# Lease\n\nThe shed\tis let.", "# Lease\n\nThe shed\tis let."),
            (r#""A \"b\"\n\nc""#, "A \"b\"\n\nc"),
            (r#"A "b"\n\nc"#, "A \"b\"\n\nc"),
            (r"a\n\n$\\nabla$", "a\n\n$\\nabla$"),
        ] {
            assert_eq!(unescaped(answer).as_deref(), Some(page), "{answer}");
        }
        for text in ["a\n\nb \\n\\n", r"$\nabla \nu$", r"a\n\n$\alpha$", r#"{"a": "b\n\nc"}"#, "a"] {
            assert_eq!(unescaped(text), None, "{text}");
        }
    }

    #[test]
    fn labels_in_front_are_no_text() {
        let answer = "<page_type>text</page_type>\n<language>English</language>\n<columns>1</columns>\n# Lease";
        assert_eq!(without_labels(answer).unwrap().1, "# Lease");
        for text in
            ["# Lease\n<language>English</language>", "<b>text</b>\nLease", "<language>\nen</language>", "<page_type>"]
        {
            assert_eq!(without_labels(text), None, "{text}");
        }
    }
}
