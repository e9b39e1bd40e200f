//! Pages → chunks for retrieval: pieces of text of a size that models embed well, each with the headings above it and the
//! places that it comes from.
//!
//! A chunk is made of whole blocks of one page while they fit, so a page that is unchanged has the chunks, and the ids, that
//! it had. A block that is larger is divided: a table between rows (its head is repeated), text between sentences. Headings
//! stand in `headings` of what follows them; one that nothing follows is a chunk of its own.

use std::collections::HashMap;
use std::fmt::Write;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{html, markdown};
use crate::content::{Block, BlockKind, BoundingBox, Edge, Inline, PageContent, Table};
use crate::task::{FindingCode, PageStatus, PageView};

/// One line of the output.
#[derive(Debug, Serialize)]
struct Chunk<'a> {
    id: String,
    text: &'a str,
    /// What is to be embedded: the headings and the text.
    embed: String,
    headings: Vec<&'a str>,
    pages: [u32; 1],
    labels: Vec<&'static str>,
    parts: &'a [Part],
    /// About how many tokens `text` has.
    tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    header_rows: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<FindingCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
}

/// Where a piece of a chunk stands.
#[derive(Clone, Debug, Serialize)]
struct Part {
    page: u32,
    /// As fractions of the page.
    #[serde(skip_serializing_if = "Option::is_none")]
    bbox: Option<BoundingBox>,
    kind: &'static str,
}

/// What stands together in a chunk.
#[derive(Default)]
struct Group {
    text: String,
    parts: Vec<Part>,
    table: Option<(String, u32)>,
}

/// Cuts pages, in ascending order, into chunks.
pub(super) struct Chunker {
    /// About how many tokens a chunk has at most.
    most: u64,
    /// The headings that stand above what comes, by their level.
    above: Vec<(u8, String)>,
    /// Those of them that nothing has followed yet.
    bare: Vec<(u8, Part)>,
    /// How often a text has been a chunk: equal ones have ids of their own.
    seen: HashMap<[u8; 8], u32>,
    out: String,
}

/// About how many tokens a text has.
const fn tokens(text: &str) -> u64 {
    (text.len() as u64).div_ceil(4)
}

impl Chunker {
    pub(super) fn new(most: u32) -> Self {
        Self { most: most.into(), above: Vec::new(), bare: Vec::new(), seen: HashMap::new(), out: String::new() }
    }

    /// The chunks of a page, a line of JSON each.
    pub(super) fn page(&mut self, view: &PageView) -> String {
        if let Some(why) = view.absence() {
            let part = Part { page: view.page, bbox: None, kind: "missing" };
            let text = format!("Page {}: {why}", view.page);
            self.write(view, &Group { text, parts: vec![part], table: None });
        }
        let mut group = Group::default();
        for block in view.blocks.iter().flatten() {
            match &block.kind {
                BlockKind::Margin { edge: Edge::Side, .. } | BlockKind::Margin { repeated: true, .. } => {}
                BlockKind::Heading { level, text } | BlockKind::Margin { level: Some(level), text, .. } => {
                    self.flush(view, &mut group);
                    self.heading(view, *level, text, block.bbox);
                }
                BlockKind::Table(table) => {
                    self.flush(view, &mut group);
                    self.table(view, table, block.bbox);
                }
                _ => self.block(view, &mut group, block),
            }
        }
        self.flush(view, &mut group);
        std::mem::take(&mut self.out)
    }

    /// What is left at the end: headings that nothing followed.
    pub(super) fn finish(&mut self) -> String {
        self.write_bare(0);
        std::mem::take(&mut self.out)
    }

    fn heading(&mut self, view: &PageView, level: u8, text: &Inline, bbox: Option<BoundingBox>) {
        self.write_bare(level);
        self.above.retain(|(above, _)| *above < level);
        self.above.push((level, text.text()));
        self.bare.push((level, Part { page: view.page, bbox, kind: "heading" }));
    }

    /// Writes the headings at `level` and below it that nothing followed.
    fn write_bare(&mut self, level: u8) {
        for (bare, part) in std::mem::take(&mut self.bare) {
            if bare < level {
                self.bare.push((bare, part));
                continue;
            }
            let Some(at) = self.above.iter().position(|(above, _)| *above == bare) else { continue };
            let deeper = self.above.split_off(at);
            let text = deeper[0].1.clone();
            let of_page = PageView::unfinished(part.page, PageStatus::Done);
            self.write(&of_page, &Group { text, parts: vec![part], table: None });
            self.above.extend(deeper);
        }
    }

    fn block(&mut self, view: &PageView, group: &mut Group, block: &Block) {
        let text = super::text::blocks(std::slice::from_ref(block));
        if text.is_empty() {
            return;
        }
        let part = Part { page: view.page, bbox: block.bbox, kind: kind(block) };
        for piece in pieces(&text, self.most) {
            if !group.text.is_empty() && tokens(&group.text) + tokens(piece) > self.most {
                self.flush(view, group);
            }
            if !group.text.is_empty() {
                group.text.push_str("\n\n");
            }
            group.text.push_str(piece);
            group.parts.push(part.clone());
        }
    }

    /// A table by itself, or in parts with the head of the whole.
    fn table(&mut self, view: &PageView, table: &Table, bbox: Option<BoundingBox>) {
        let heads = (table.header_rows as usize).min(table.rows.len());
        let (head, body) = table.rows.split_at(heads);
        let written = |rows: &[_]| {
            let rows: Vec<_> = head.iter().chain(rows).cloned().collect();
            let part = Table { rows, header_rows: table.header_rows };
            let block = Block::new(BlockKind::Table(part), None);
            let of_block = PageContent::new(vec![block.clone()]);
            (markdown::page(&of_block), html::blocks(&of_block.blocks))
        };
        let mut from = 0;
        loop {
            let mut to = body.len();
            // Half as many rows until they fit; a row is never divided.
            while to > from + 1 && tokens(&written(&body[from..to]).0) > self.most {
                to = from + (to - from).div_ceil(2);
            }
            let (text, html) = written(&body[from..to]);
            let parts = vec![Part { page: view.page, bbox, kind: "table" }];
            self.write(view, &Group { text, parts, table: Some((html, table.header_rows)) });
            from = to;
            if from >= body.len() {
                return;
            }
        }
    }

    fn flush(&mut self, view: &PageView, group: &mut Group) {
        let group = std::mem::take(group);
        if !group.text.is_empty() {
            self.write(view, &group);
        }
    }

    fn write(&mut self, view: &PageView, group: &Group) {
        if !matches!(group.parts.first(), Some(Part { kind: "heading", .. })) {
            self.bare.clear();
        }
        let headings: Vec<&str> = self.above.iter().map(|(_, text)| text.as_str()).collect();
        let mut labels: Vec<&str> = group.parts.iter().map(|part| part.kind).collect();
        labels.dedup();
        let mut embed = headings.join("\n");
        embed.push_str(if headings.is_empty() { "" } else { "\n" });
        embed.push_str(&group.text);
        let chunk = Chunk {
            id: id(&mut self.seen, &group.text),
            text: &group.text,
            embed,
            headings,
            pages: [view.page],
            labels,
            parts: &group.parts,
            tokens: tokens(&group.text),
            html: group.table.as_ref().map(|(html, _)| html.as_str()),
            header_rows: group.table.as_ref().map(|(_, rows)| *rows),
            findings: view.findings.iter().map(|finding| finding.code).collect(),
            model: view.model.as_deref(),
        };
        self.out.push_str(&serde_json::to_string(&chunk).unwrap_or_default());
        self.out.push('\n');
    }
}

const fn kind(block: &Block) -> &'static str {
    match block.kind {
        BlockKind::Heading { .. } => "heading",
        BlockKind::Paragraph { .. } => "paragraph",
        BlockKind::List { .. } => "list",
        BlockKind::Table(_) => "table",
        BlockKind::Code { .. } => "code",
        BlockKind::Formula { .. } => "formula",
        BlockKind::Figure(_) => "figure",
        BlockKind::Footnote { .. } => "footnote",
        BlockKind::Margin { .. } => "margin",
    }
}

/// The same for the same text, but for those that a document has several times.
fn id(seen: &mut HashMap<[u8; 8], u32>, text: &str) -> String {
    let digest = Sha256::digest(text);
    let mut key = [0; 8];
    key.copy_from_slice(&digest[..8]);
    let count = seen.entry(key).or_default();
    *count += 1;
    let mut id = digest[..8].iter().fold(String::new(), |mut id, byte| {
        let _ = write!(id, "{byte:02x}");
        id
    });
    if *count > 1 {
        let _ = write!(id, "-{count}");
    }
    id
}

/// Divides a text so that each piece has at most about `most` tokens: at line ends, else behind sentences, else between words,
/// else between characters.
fn pieces(text: &str, most: u64) -> Vec<&str> {
    let (mut rest, mut pieces) = (text, Vec::new());
    let bytes = usize::try_from(most.max(1) * 4).unwrap_or(usize::MAX);
    while rest.len() > bytes {
        let window = &rest[..rest.floor_char_boundary(bytes).max(rest.chars().next().map_or(1, char::len_utf8))];
        let behind = |signs: &[&str]| {
            let ends = signs.iter().filter_map(|sign| Some(window.rfind(sign)? + sign.len()));
            // A piece that is much smaller than it may be is worse than a sentence that is divided.
            ends.max().filter(|end| *end > window.len() / 2)
        };
        let end = behind(&["\n"]).or_else(|| behind(&[". ", "? ", "! ", "。"])).or_else(|| behind(&[" "]));
        let (piece, after) = rest.split_at(end.unwrap_or(window.len()));
        pieces.push(piece.trim_end());
        rest = after.trim_start();
    }
    pieces.push(rest);
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::content::from_markdown;
    use crate::task::Finding;

    fn page(number: u32, markdown: &str) -> PageView {
        PageView { blocks: Some(from_markdown(markdown).blocks), ..PageView::unfinished(number, PageStatus::Done) }
    }

    fn chunks(most: u32, pages: &[PageView]) -> Vec<Value> {
        let mut chunker = Chunker::new(most);
        let mut lines: String = pages.iter().map(|view| chunker.page(view)).collect();
        lines.push_str(&chunker.finish());
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn texts(chunks: &[Value]) -> Vec<&str> {
        chunks.iter().map(|chunk| chunk["text"].as_str().unwrap()).collect()
    }

    #[test]
    fn text_stands_below_its_headings_and_by_its_page() {
        let read = chunks(512, &[page(1, "# A\n\n## B\n\none\n\n- two"), page(2, "three\n\n# C\n\nfour")]);
        assert_eq!(texts(&read), ["one\n\n- two", "three", "four"]);
        let headings: Vec<&Value> = read.iter().map(|chunk| &chunk["headings"]).collect();
        assert_eq!(
            headings,
            [&serde_json::json!(["A", "B"]), &serde_json::json!(["A", "B"]), &serde_json::json!(["C"])]
        );
        assert_eq!(
            (&read[0]["embed"], &read[0]["labels"]),
            (&"A\nB\none\n\n- two".into(), &serde_json::json!(["paragraph", "list"]))
        );
        assert_eq!((&read[1]["pages"], &read[1]["parts"][0]["page"]), (&serde_json::json!([2]), &2.into()));
    }

    #[test]
    fn a_heading_that_nothing_follows_is_not_lost() {
        let read = chunks(512, &[page(1, "# A\n\n# B\n\ntext\n\n## C"), page(2, "## D"), page(3, "# E")]);
        assert_eq!(texts(&read), ["A", "text", "C", "D", "E"]);
        assert_eq!(read[2]["headings"], serde_json::json!(["B"]));
        assert_eq!((&read[2]["pages"], &read[4]["pages"]), (&serde_json::json!([1]), &serde_json::json!([3])));
    }

    #[test]
    fn an_unchanged_page_keeps_its_ids_and_equal_texts_have_their_own() {
        let before = chunks(512, &[page(1, "same"), page(2, "x"), page(3, "same")]);
        let after = chunks(512, &[page(1, "new"), page(2, "same"), page(3, "x"), page(4, "same")]);
        let ids = |of: &[Value]| of.iter().map(|chunk| chunk["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(ids(&before), ids(&after)[1..]);
        assert_ne!(ids(&before)[0], ids(&before)[2]);
    }

    #[test]
    fn what_is_too_large_is_divided_and_nothing_is_lost() {
        let sentences: String = (0..60).map(|n| ["Sentence number ", &n.to_string(), ". "].concat()).collect();
        let read = chunks(20, &[page(1, &sentences)]);
        assert!(read.len() > 10 && read.iter().all(|chunk| chunk["tokens"].as_u64().unwrap() <= 20), "{read:?}");
        assert_eq!(texts(&read).join(" "), sentences.trim_end());
        assert!(texts(&read).iter().all(|text| text.ends_with('.')));
        let rows: String = (0..40).map(|n| ["| row ", &n.to_string(), " | 1 |\n"].concat()).collect();
        let read = chunks(40, &[page(1, &format!("| Name | Count |\n|---|---|\n{rows}"))]);
        assert!(read.len() > 2);
        for chunk in &read {
            assert!(chunk["text"].as_str().unwrap().starts_with("| Name | Count |"), "{chunk}");
            assert!(chunk["html"].as_str().unwrap().contains("<th>Name</th>") && chunk["header_rows"] == 1);
        }
        let all = texts(&read).join("\n");
        assert!((0..40).all(|n| all.matches(&format!("| row {n} |")).count() == 1), "{all}");
    }

    #[test]
    fn a_page_that_was_not_read_says_so() {
        let unread = PageView { findings: vec![Finding::no_text_layer()], ..page(2, "") };
        let read = chunks(512, &[page(1, "text"), unread]);
        assert_eq!(texts(&read)[1], "Page 2: not read: no text layer; needs OCR or a model");
        assert_eq!((&read[1]["labels"][0], &read[1]["findings"][0]), (&"missing".into(), &"no_text_layer".into()));
    }

    proptest::proptest! {
        #[test]
        fn pieces_are_the_text(text in "[a-zé。.\n ]{0,200}", most in 1_u64..20) {
            let bare = |text: &str| text.split_whitespace().collect::<String>();
            let pieces = pieces(&text, most);
            proptest::prop_assert_eq!(bare(&pieces.concat()), bare(&text));
            proptest::prop_assert!(pieces.iter().all(|piece| piece.len() as u64 <= most * 4));
        }
    }
}
