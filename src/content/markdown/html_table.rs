//! Tables in HTML, which models write where cells span others, and other HTML as the text that it shows.

use html5gum::{StartTag, Token, Tokenizer};

use super::html_text::{Text, name};
use crate::content::{Block, BlockKind, Cell, Inline, Table};

/// A part of some Markdown.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'t> {
    /// Markdown.
    Text(&'t str),
    /// From `<table` to `</table>`.
    Table(&'t str),
}

/// Parts the tables from the rest. A block of HTML in Markdown ends at an empty line (`CommonMark` 0.31, 4.6), but a table
/// does not.
pub(super) fn split(markdown: &str) -> Vec<Part<'_>> {
    let (mut parts, mut rest, mut at, mut fence) = (Vec::new(), 0, 0, None::<&str>);
    for line in markdown.split_inclusive('\n') {
        let begin = at;
        at += line.len();
        let trimmed = line.trim();
        if let Some(open) = fence {
            if trimmed.starts_with(open) && trimmed.bytes().all(|byte| open.as_bytes().contains(&byte)) {
                fence = None;
            }
            continue;
        }
        fence = ["```", "~~~"].into_iter().find(|fence| trimmed.starts_with(fence));
        // What a table has taken already, or no HTML.
        if begin < rest || !trimmed.starts_with('<') {
            continue;
        }
        let Some(open) = find(line, "<table") else { continue };
        let Some(length) = table_length(&markdown[begin + open..]) else { continue };
        let (from, to) = (begin + open, begin + open + length);
        parts.extend([Part::Text(&markdown[rest..from]), Part::Table(&markdown[from..to])]);
        rest = to;
    }
    parts.push(Part::Text(&markdown[rest..]));
    parts.retain(|part| !matches!(part, Part::Text(text) if text.trim().is_empty()));
    parts
}

/// Parts the tables of a document in HTML from the rest of it.
pub(super) fn tables(html: &str) -> Vec<Part<'_>> {
    let (mut parts, mut rest) = (Vec::new(), html);
    while let Some(open) = find(rest, "<table") {
        let Some(length) = table_length(&rest[open..]) else { break };
        parts.extend([Part::Text(&rest[..open]), Part::Table(&rest[open..open + length])]);
        rest = &rest[open + length..];
    }
    parts.push(Part::Text(rest));
    parts
}

/// Where `tag` stands in `text`, in any case.
fn find(text: &str, tag: &str) -> Option<usize> {
    text.as_bytes().windows(tag.len()).position(|window| window.eq_ignore_ascii_case(tag.as_bytes()))
}

/// How long the table is that `html` begins with, tables in it included; `None` if it does not end.
fn table_length(html: &str) -> Option<usize> {
    const CLOSE: &str = "</table>";
    let (mut at, mut depth) = (0, 0_u32);
    loop {
        let open = find(&html[at..], "<table");
        let close = find(&html[at..], CLOSE)?;
        match open {
            Some(open) if open < close => {
                depth += 1;
                at += open + 1;
            }
            _ => {
                depth -= 1;
                at += close + CLOSE.len();
            }
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

/// A table in HTML as blocks: its caption and itself.
pub(super) fn blocks(html: &str) -> Vec<Block> {
    let mut reader = Reader::default();
    for Ok(token) in Tokenizer::new(html) {
        reader.token(token);
    }
    reader.finish()
}

/// Elements that models write for looks. Whatever else stands between `<` and `>` is taken for what a page says, such as
/// `<file>` in a manual; so is a script, which nothing shows.
const MARKUP: [&str; 60] = [
    "a",
    "b",
    "big",
    "blockquote",
    "body",
    "br",
    "caption",
    "center",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "del",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "font",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hr",
    "html",
    "i",
    "img",
    "ins",
    "li",
    "mark",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "section",
    "small",
    "span",
    "strike",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "title",
    "tr",
    "tt",
    "u",
    "ul",
];

/// Whether an element is for looks alone.
pub(super) fn is_markup(name: &str) -> bool {
    MARKUP.contains(&name)
}

/// The name of the element that a tag begins or ends; empty for a comment.
pub(super) fn element(tag: &str) -> String {
    let tag = tag.trim_start_matches('<').trim_start_matches('/');
    if tag.starts_with('!') {
        return "span".to_owned();
    }
    tag.chars().take_while(|c| !c.is_whitespace() && !matches!(c, '>' | '/')).collect::<String>().to_ascii_lowercase()
}

/// What some HTML says of the first picture in it; `None` where there is none.
pub(crate) fn image_alt(html: &str) -> Option<String> {
    Tokenizer::new(html).flatten().find_map(|token| match token {
        Token::StartTag(tag) if name(&tag.name) == "img" => {
            let alt = tag.attributes.get(&b"alt"[..]);
            Some(alt.map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default())
        }
        _ => None,
    })
}

/// The text that some HTML shows; HTML that is not for looks alone is text itself.
pub(super) fn text(html: &str) -> Inline {
    let tags = html.match_indices('<').map(|(at, _)| &html[at..]);
    let mut tags = tags.filter(|tag| tag[1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '/'));
    if tags.any(|tag| !is_markup(&element(tag))) {
        return Inline::plain(html.trim());
    }
    let mut text = Text::default();
    for Ok(token) in Tokenizer::new(html) {
        match token {
            Token::StartTag(tag) => text.begin(&name(&tag.name)),
            Token::EndTag(tag) => text.end(&name(&tag.name)),
            Token::String(said) => text.push(&String::from_utf8_lossy(&said)),
            _ => {}
        }
    }
    text.finish()
}

#[derive(Default)]
struct Reader {
    table: Table,
    caption: Text,
    /// What stands between cells; HTML shows it before the table (13.2.6.1).
    stray: Text,
    cell: Option<(Cell, Text)>,
    in_caption: bool,
    in_head: bool,
    /// Whether all cells of the row so far are heads.
    heads: bool,
    /// How many tables stand open.
    depth: u32,
}

impl Reader {
    fn token(&mut self, token: Token) {
        match token {
            Token::StartTag(tag) => self.begin(&tag),
            Token::EndTag(tag) => self.end(&name(&tag.name)),
            Token::String(said) => {
                let said = String::from_utf8_lossy(&said).into_owned();
                self.text().push(&said);
            }
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }

    /// Where text goes now.
    fn text(&mut self) -> &mut Text {
        match &mut self.cell {
            _ if self.in_caption => &mut self.caption,
            Some((_, text)) => text,
            None => &mut self.stray,
        }
    }

    fn begin(&mut self, tag: &StartTag<()>) {
        let name = name(&tag.name);
        // A table in a cell is part of what the cell says.
        if self.depth > 1 && name != "table" {
            return self.text().begin(&name);
        }
        match name.as_str() {
            "table" => self.depth += 1,
            "caption" => self.in_caption = true,
            "thead" => self.in_head = true,
            "tr" => {
                self.end_row();
                self.table.rows.push(Vec::new());
                self.heads = true;
            }
            "td" | "th" => {
                self.end_cell();
                self.heads &= name == "th";
                let span = |what: &[u8]| {
                    let value = tag.attributes.get(what)?;
                    // As HTML limits them (4.9.11).
                    String::from_utf8_lossy(value).trim().parse::<u32>().ok().map(|span| span.clamp(1, 1_000))
                };
                let cell = Cell {
                    colspan: span(b"colspan").unwrap_or(1),
                    rowspan: span(b"rowspan").unwrap_or(1),
                    ..Cell::of(Inline::default())
                };
                self.cell = Some((cell, Text::default()));
            }
            other if is_markup(other) => self.text().begin(other),
            other => self.text().push(&format!("<{other}>")),
        }
    }

    fn end(&mut self, name: &str) {
        match name {
            "table" => self.depth = self.depth.saturating_sub(1),
            _ if self.depth > 1 => self.text().end(name),
            "caption" => self.in_caption = false,
            "thead" => {
                self.end_row();
                self.in_head = false;
            }
            "tr" => self.end_row(),
            "td" | "th" => self.end_cell(),
            other if is_markup(other) => self.text().end(other),
            other => self.text().push(&format!("</{other}>")),
        }
    }

    fn end_cell(&mut self) {
        let Some((cell, text)) = self.cell.take() else { return };
        if self.table.rows.is_empty() {
            self.table.rows.push(Vec::new());
        }
        if let Some(row) = self.table.rows.last_mut() {
            row.push(Cell { text: text.finish(), ..cell });
        }
    }

    fn end_row(&mut self) {
        self.end_cell();
        let rows = u32::try_from(self.table.rows.len()).unwrap_or(u32::MAX);
        let has_cells = self.table.rows.last().is_some_and(|row| !row.is_empty());
        if has_cells && (self.in_head || self.heads) && self.table.header_rows + 1 == rows {
            self.table.header_rows = rows;
        }
    }

    fn finish(mut self) -> Vec<Block> {
        self.end_row();
        self.table.rows.retain(|row| !row.is_empty());
        let before = [self.stray, self.caption].map(Text::finish).into_iter().filter(|text| !text.is_empty());
        let table = (!self.table.rows.is_empty()).then_some(BlockKind::Table(self.table));
        before.map(|text| BlockKind::Paragraph { text }).chain(table).map(|kind| Block::new(kind, None)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a cell says, and its spans.
    type Read = (String, u32, u32);

    fn rows(html: &str) -> (Vec<Vec<Read>>, u32) {
        let blocks = blocks(html);
        let BlockKind::Table(table) = &blocks.last().unwrap().kind else { panic!("{blocks:?}") };
        let cells = |row: &Vec<Cell>| row.iter().map(|cell| (cell.text.text(), cell.colspan, cell.rowspan)).collect();
        (table.rows.iter().map(cells).collect(), table.header_rows)
    }

    #[test]
    fn cells_spans_and_heads_are_read() {
        let cell = |text: &str| (text.to_owned(), 1, 1);
        let (read, heads) = rows(
            "<table border=1>\n<thead><tr><th colspan=\"2\">Head &amp; more</th><th rowspan='2'>R</th></tr>\n\
             <tr><th>a</th><th>b</th></tr></thead>\n<tbody><tr><td>1<br>2</td><td> 3\n 4 </td><td><b>5</b></td></tr>\n\
             <tr><td>unclosed<td>next</table>",
        );
        assert_eq!(heads, 2);
        assert_eq!(read[0], [("Head & more".to_owned(), 2, 1), ("R".to_owned(), 1, 2)]);
        assert_eq!(read[1], [cell("a"), cell("b")]);
        assert_eq!(read[2], [cell("1\n2"), cell("3 4"), cell("5")]);
        assert_eq!(read[3], [cell("unclosed"), cell("next")]);
        let (read, heads) = rows("<TABLE><tr><th>a</th><td>1</td></tr><tr><td colspan=99999999>x</td></tr></TABLE>");
        assert_eq!((read[1][0].1, heads), (1_000, 0));
    }

    #[test]
    fn a_table_in_a_cell_is_its_text_and_a_caption_stands_before() {
        let html = "<table><caption>Table 1. <i>Loads</i></caption><tr><td>a <table><tr><td>b</td><td>c</td></tr></table></td></tr></table>";
        let blocks = blocks(html);
        assert_eq!(blocks.iter().map(Block::text).collect::<Vec<_>>(), ["Table 1. Loads", "a b c"]);
    }

    #[test]
    fn tables_are_parted_from_the_rest() {
        let table = "<table><tr><td>a</td></tr>\n\n<tr><td>b</td></tr></table>";
        let text = format!("before\n\n<div>{table}</div>\nafter");
        assert_eq!(split(&text), [Part::Text("before\n\n<div>"), Part::Table(table), Part::Text("</div>\nafter")]);
        for text in ["```\n<table></table>\n```", "in `<table>` words", "<table> without an end"] {
            assert_eq!(split(text), [Part::Text(text)]);
        }
        assert_eq!(split(&format!("{table}{table}")).len(), 2);
        assert_eq!(text_of("<p>a<br/>b</p><!-- c -->"), "a\nb");
        assert_eq!(text_of("<script>act()</script>\n"), "<script>act()</script>");
        assert_eq!(rows("<table><tr><td>cp <file> <b>x</b></td></tr></table>").0[0][0].0, "cp <file> x");
    }

    fn text_of(html: &str) -> String {
        text(html).text()
    }
}
