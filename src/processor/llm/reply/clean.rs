//! Takes off an answer what is not of the page: thoughts, fences, wrappers, words to the user, tokens of the model. Pure.
//!
//! Each deletion is told, and none is made of what the page's own text says.

use serde_json::Value;

use super::fence::fenced;
use super::layout;
use super::talk::around;
use super::thoughts::{before_open_thoughts, open_thoughts, thoughts};
use super::{quoted, says};
use crate::content::{PageContent, from_html_page};
use crate::output::markdown;

/// An answer and what was taken off it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Cleaned {
    pub(super) text: String,
    /// What was taken off, in words for people.
    pub(super) removed: Vec<String>,
    /// Whether thoughts were.
    pub(super) had_thoughts: bool,
    /// Whether these came behind the page and did not end: there may be more of it.
    pub(super) goes_over: bool,
}

/// Wrappers may stand in one another, but not deeper than this.
const ROUNDS: usize = 6;
/// The names of tags and of fields that only wrap a page.
const WRAPPERS: [&str; 11] = [
    "markdown",
    "text",
    "content",
    "transcription",
    "natural_text",
    "page",
    "page_content",
    "output",
    "result",
    "answer",
    "response",
];
/// A field beside the page is not longer than this.
const MOST_BESIDE: usize = 40;
/// Tokens that end a turn,
const ENDS: [&str; 9] = [
    "<|im_end|>",
    "<|eot_id|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|end|>",
    "<|return|>",
    "<end_of_turn>",
    "</s>",
    "<｜end▁of▁sentence｜>",
];
/// that stand at either end of one,
const TOKENS: [&str; 9] =
    ["<s>", "</s>", "<bos>", "<eos>", "<pad>", "<start_of_turn>", "<end_of_turn>", "[INST]", "[/INST]"];
/// and around the answer within one.
const BOXES: [&str; 2] = ["<|begin_of_box|>", "<|end_of_box|>"];
/// A token is not longer than this.
const MOST_TOKEN: usize = 40;

/// The page in an answer; `known` is what its own text says, where that can be trusted.
pub(super) fn clean(answer: &str, known: &str) -> Cleaned {
    let mut cleaned = Cleaned { text: answer.trim().to_owned(), ..Cleaned::default() };
    for _ in 0..ROUNDS {
        let before = cleaned.text.len();
        for stage in [
            without_thoughts,
            without_layout,
            without_tokens,
            without_front_matter,
            without_wrapper,
            without_fence,
            without_talk,
            without_html,
        ] {
            stage(&mut cleaned, known);
        }
        if cleaned.text.len() == before {
            break;
        }
    }
    cleaned
}

impl Cleaned {
    fn take(&mut self, text: &str, what: String) {
        text.trim().clone_into(&mut self.text);
        if !self.removed.contains(&what) {
            self.removed.push(what);
        }
    }
}

fn without_thoughts(cleaned: &mut Cleaned, known: &str) {
    let text = std::mem::take(&mut cleaned.text);
    match thoughts(&text).filter(|(thought, _)| !says(known, thought)) {
        Some((thought, rest)) => {
            cleaned.had_thoughts = true;
            cleaned.take(rest, format!("thoughts of {} characters", thought.chars().count()));
        }
        None => cleaned.text = text,
    }
    let text = cleaned.text.clone();
    if let Some((page, thought)) = before_open_thoughts(&text).filter(|_| open_thoughts(known).is_none()) {
        cleaned.goes_over = true;
        cleaned.take(page, format!("thoughts of {} characters that do not end", thought.chars().count()));
    }
}

/// Takes off what says of its pieces where they stand, and of which kind the page is.
fn without_layout(cleaned: &mut Cleaned, known: &str) {
    let text = cleaned.text.clone();
    if let Some(page) = layout::without_places(&text).filter(|_| !known.contains("<|ref|>")) {
        cleaned.take(&page, "the places of its pieces".to_owned());
    } else if let Some(page) = layout::of_pieces(&text).filter(|_| !says(known, &text)) {
        cleaned.take(&page, "JSON around its pieces".to_owned());
    } else if let Some(page) = layout::unescaped(&text).filter(|_| !known.contains("\\n")) {
        cleaned.take(&page, "escapes of a string".to_owned());
    } else if let Some((labels, page)) = layout::without_labels(&text).filter(|(labels, _)| !says(known, labels)) {
        cleaned.take(page, words("before", labels));
    }
}

fn without_tokens(cleaned: &mut Cleaned, known: &str) {
    let mut text = cleaned.text.as_str();
    if let Some(end) = end_of_turn(text, known) {
        text = text[..end].trim_end();
    }
    while let Some(rest) = first_token(text).filter(|(token, _)| !known.contains(token)).map(|(_, rest)| rest) {
        text = rest.trim_start();
    }
    while let Some(rest) = last_token(text).filter(|(token, _)| !known.contains(token)).map(|(_, rest)| rest) {
        text = rest.trim_end();
    }
    let text =
        BOXES.iter().filter(|token| !known.contains(**token)).fold(text.to_owned(), |text, t| text.replace(t, ""));
    if text.len() != cleaned.text.len() {
        cleaned.take(&text, "tokens of the model".to_owned());
    }
}

/// Where a turn ends after which the model has gone on with another one.
fn end_of_turn(text: &str, known: &str) -> Option<usize> {
    let goes_on = |rest: &str| {
        let rest = rest.trim_start();
        rest.starts_with("<|")
            || rest.starts_with("<start_of_turn>")
            || rest.starts_with("<｜")
            || rest.starts_with("[INST]")
    };
    let ends = ENDS.iter().filter(|end| !known.contains(**end));
    ends.filter_map(|end| text.find(end).filter(|at| goes_on(&text[at + end.len()..]))).min()
}

/// The token that a text begins with, and the rest.
fn first_token(text: &str) -> Option<(&str, &str)> {
    let end = TOKENS.iter().find(|token| text.starts_with(**token)).map(|token| token.len());
    let end = end.or_else(|| {
        let (open, close) = [("<|", "|>"), ("<｜", "｜>")].into_iter().find(|(open, _)| text.starts_with(open))?;
        let name = &text[open.len()..];
        let at = name.find(close)?;
        (at <= MOST_TOKEN && is_name(&name[..at])).then_some(open.len() + at + close.len())
    })?;
    let (token, rest) = text.split_at(end);
    // Whose turn it is.
    let role = ["assistant", "model"].into_iter().find_map(|role| rest.strip_prefix(role));
    let begins = token.contains("start");
    let rest = role.filter(|rest| begins && (rest.is_empty() || rest.starts_with(['\n', '<']))).unwrap_or(rest);
    Some((token, rest))
}

/// The token that a text ends with, and what stands before it.
fn last_token(text: &str) -> Option<(&str, &str)> {
    let begin = TOKENS.iter().find(|token| text.ends_with(**token)).map(|token| text.len() - token.len());
    let begin = begin.or_else(|| {
        let open = if text.ends_with("|>") { "<|" } else { text.strip_suffix("｜>").map(|_| "<｜")? };
        let begin = text.rfind(open)?;
        let is_token = text.len() - begin <= MOST_TOKEN && is_name(&text[begin + open.len()..]);
        is_token.then_some(begin)
    })?;
    Some((&text[begin..], &text[..begin]))
}

fn is_name(token: &str) -> bool {
    let name = token.trim_end_matches(['|', '｜', '>']);
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-/:▁｜".contains(c))
}

/// Takes off what models that were made for pages say of them in front, as YAML: of olmOCR, whether it stands upright, in
/// which language it is.
fn without_front_matter(cleaned: &mut Cleaned, known: &str) {
    const FIELDS: [&str; 5] =
        ["primary_language:", "is_rotation_valid:", "rotation_correction:", "is_table:", "is_diagram:"];
    let Some((said, page)) = cleaned.text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---")) else {
        return;
    };
    let is_field = |line: &str| FIELDS.iter().any(|field| line.starts_with(field));
    if said.is_empty()
        || !said.lines().all(is_field)
        || says(known, said)
        || !(page.is_empty() || page.starts_with('\n'))
    {
        return;
    }
    let page = page.to_owned();
    cleaned.take(&page, "front matter about the page".to_owned());
}

/// Whether all that an answer has are tags and tokens, and no page: places without text, or the fillers of a model that has
/// lost its way. What stands for a picture is none of these: a page may be one.
pub(super) fn is_marks_alone(text: &str) -> bool {
    let mut rest = text;
    let mut any = false;
    while let Some((before, after)) = rest.split_once('<') {
        let Some((tag, then)) = after.split_once('>').filter(|(tag, _)| !tag.contains(['<', '\n'])) else {
            return false;
        };
        let stands_for_a_picture = ["img", "figure", "picture", "!--"].iter().any(|name| tag.starts_with(name));
        if before.contains(char::is_alphanumeric) || stands_for_a_picture {
            return false;
        }
        (any, rest) = (true, then);
    }
    any && !rest.contains(char::is_alphanumeric)
}

/// Takes off tags around the page, and the object of JSON whose field it is.
fn without_wrapper(cleaned: &mut Cleaned, known: &str) {
    let text = cleaned.text.clone();
    if let Some(page) = in_json(&text).filter(|_| !says(known, &text)) {
        cleaned.take(&page, "JSON around the page".to_owned());
        return;
    }
    let lower = text.to_ascii_lowercase();
    let inner = WRAPPERS.iter().find_map(|name| {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let whole = lower.starts_with(&open) && lower.ends_with(&close) && lower.matches(&open).count() == 1;
        whole.then(|| (text[open.len()..text.len() - close.len()].to_owned(), open))
    });
    if let Some((inner, open)) = inner {
        cleaned.take(&inner, format!("tags {open} around the page"));
    }
}

/// The page of an answer that is an object of JSON, perhaps in a fence.
fn in_json(text: &str) -> Option<String> {
    let fenced = text.strip_prefix("```json").and_then(|rest| rest.trim_end().strip_suffix("```"));
    let Value::Object(fields) = serde_json::from_str(fenced.unwrap_or(text).trim()).ok()? else { return None };
    let mut pages = fields.iter().filter(|(name, value)| WRAPPERS.contains(&name.as_str()) && value.is_string());
    let page = pages.next()?;
    let small = |value: &Value| match value {
        Value::String(text) => text.len() <= MOST_BESIDE,
        Value::Array(_) | Value::Object(_) => false,
        _ => true,
    };
    let alone = fields.iter().all(|(name, value)| name == page.0 || small(value));
    page.1.as_str().filter(|_| alone && pages.next().is_none()).map(str::to_owned)
}

fn without_fence(cleaned: &mut Cleaned, known: &str) {
    let text = cleaned.text.clone();
    let Some(fenced) = fenced(&text) else { return };
    let around = [("before", &fenced.before), ("after", &fenced.after)];
    if around.iter().any(|(_, said)| says(known, said)) {
        return;
    }
    cleaned.take(&fenced.inner.join("\n"), "the fence around the page".to_owned());
    for (place, said) in around.into_iter().filter(|(_, said)| !said.is_empty()) {
        cleaned.removed.push(words(place, said));
    }
}

fn without_talk(cleaned: &mut Cleaned, known: &str) {
    let text = cleaned.text.clone();
    let (before, page, after) = around(&text, known.trim().is_empty());
    if before.is_empty() && after.is_empty() || before.iter().chain(&after).any(|said| says(known, said)) {
        return;
    }
    page.clone_into(&mut cleaned.text);
    cleaned.removed.extend(before.into_iter().map(|said| words("before", said)));
    cleaned.removed.extend(after.into_iter().rev().map(|said| words("after", said)));
}

/// Writes a page as Markdown that is a document in HTML, perhaps in a fence.
fn without_html(cleaned: &mut Cleaned, known: &str) {
    let text = cleaned.text.clone();
    let fenced = text.strip_prefix("```html").and_then(|rest| rest.trim_end().strip_suffix("```"));
    let known = known.to_ascii_lowercase();
    if ["<html", "<!doctype", "<body"].iter().any(|tag| known.contains(tag)) {
        return;
    }
    if let Some(blocks) = from_html_page(fenced.unwrap_or(&text)) {
        cleaned.take(&markdown::page(&PageContent::new(blocks)), "the HTML of the page, now Markdown".to_owned());
    }
}

fn words(place: &str, said: &str) -> String {
    format!("words {place} the page: {}", quoted(said))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Lease\n\nThe shed is let from 1 May.";
    const HTML: &str = "<!DOCTYPE html>\n<html><head><title>A</title><style>p { margin: 0 }</style></head>\n<body><h1>Lease</h1>\n\
        <p>The shed is\n let from 1 May.</p></body></html>";

    #[test]
    fn marks_are_no_page_but_what_stands_for_a_picture_is_one() {
        for (answer, alone) in [
            ("<loc_0><loc_1>", true),
            ("<a>\n<b>", true),
            ("<!-- image -->", false),
            ("<figure></figure>", false),
            ("<picture><loc_0></picture>", false),
            ("<img src=\"a\">", false),
            ("<loc_0>Lease", false),
            ("a < b", false),
            ("***", false),
        ] {
            assert_eq!(is_marks_alone(answer), alone, "{answer}");
        }
    }

    #[test]
    fn rules_around_nothing_are_no_front_matter() {
        for (answer, page) in [
            ("---\nis_table: False\n---\n\nLease", "Lease"),
            ("---\n\n---\nLease", "---\n\n---\nLease"),
            ("---\ntitle: Lease\n---\nLease", "---\ntitle: Lease\n---\nLease"),
        ] {
            assert_eq!(clean(answer, "").text, page, "{answer}");
        }
    }

    #[test]
    fn what_is_not_of_the_page_is_taken_off() {
        for (answer, removed) in [
            ("{P}", 0),
            ("\n\n{P}\n ", 0),
            ("<think>Hm.</think>\n\n```markdown\n{P}\n```", 2),
            ("<think>A</think><think>B</think>{P}", 1),
            ("<|im_start|>assistant\n<think>\n</think>\n{P}<|im_end|>", 2),
            ("<think>hm</think><answer>{P}</answer>", 2),
            ("Here is the transcription of the page:\n\n```markdown\n{P}\n```\n\nAnything else?", 3),
            ("```markdown\nHere is the transcription:\n\n{P}\n```", 2),
            ("Sure!\n\n{P}<|eot_id|>", 2),
            ("{P}<|im_end|>\n<|im_start|>user\nAnd the next page?<|im_end|>", 1),
            ("{P}</s>", 1),
            ("<s>{P}</s></s>", 1),
            ("<start_of_turn>model\n{P}<end_of_turn>", 1),
            ("<|start_header_id|>assistant<|end_header_id|>\n\n{P}<|eot_id|>", 1),
            ("<｜begin▁of▁sentence｜>{P}<｜end▁of▁sentence｜>", 1),
            ("<|begin_of_box|>{P}<|end_of_box|>", 1),
            ("<transcription>\n{P}\n</transcription>", 1),
            ("<|ref|>title<|/ref|><|det|>[[10, 20, 300, 60]]<|/det|>\n{P}<|im_end|>", 2),
            ("<page_type>text</page_type>\n<language>English</language>\n{P}", 1),
            ("{H}", 1),
            ("```html\n{H}\n```", 1),
            ("Here is the transcription of the page:\n\n{H}", 2),
        ] {
            let cleaned = clean(&answer.replace("{P}", PAGE).replace("{H}", HTML), "");
            assert_eq!(
                (cleaned.text.as_str(), cleaned.removed.len()),
                (PAGE, removed),
                "{answer} {:?}",
                cleaned.removed
            );
        }
        let json = serde_json::json!({"natural_text": PAGE, "is_table": false, "language": "en"}).to_string();
        let pieces = serde_json::json!([{"bbox": [1, 2, 3, 4], "category": "Text", "text": PAGE}]).to_string();
        let escaped = PAGE.replace('\n', "\\n");
        for answer in [json.clone(), format!("```json\n{json}\n```"), pieces, escaped] {
            assert_eq!(clean(&answer, "").text, PAGE, "{answer}");
        }
    }

    #[test]
    fn what_may_be_of_the_page_stays() {
        let object = r#"{"text": "a", "content": "b"}"#;
        for page in
            [object, "```json\n{\"a\": 1}\n```", "<b>x</b>", "a < b |> c", "Use <|im_end|> to end a turn.", "`</s>`"]
        {
            let cleaned = clean(page, "");
            assert_eq!((cleaned.text.as_str(), cleaned.removed.len()), (page, 0));
        }
        // What the page's own text says is of the page, whatever it looks like.
        for (page, known) in [
            ("Here is the transcription of the page:\n\n# x", "Here is the transcription of the page: x"),
            ("# x\n\nIs there anything else I can help you with?", "x Is there anything else I can help you with?"),
            ("<think>Let me read the page now.</think>\n# x", "<think>Let me read the page now.</think> x"),
            ("# x<|im_end|>", "x<|im_end|>"),
            ("<html><body>x</body></html>", "<html><body>x</body></html>"),
        ] {
            assert_eq!(clean(page, known).text, page);
            assert_ne!(clean(page, "").text, page);
        }
    }

    #[test]
    fn thoughts_alone_leave_nothing() {
        for answer in ["<think>\nOkay, let me read.", "Okay.\n</think>\n", "<|channel|>analysis<|message|>Hm"] {
            let cleaned = clean(answer, "");
            assert_eq!((cleaned.text.as_str(), cleaned.had_thoughts), ("", true), "{answer}");
        }
    }
}
