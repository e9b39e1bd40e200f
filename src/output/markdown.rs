//! Blocks → Markdown (`CommonMark` 0.31, tables as in GFM 0.29).

mod inline;
mod table;

use crate::content::{Block, BlockKind, Edge, Inline, ListItem, PageContent, Table};
use crate::task::TableForm;

use self::inline::{Emphasis, escape_block};

/// A page as Markdown, without a separator and without a line end behind it; empty when it says nothing.
#[must_use]
pub fn page(content: &PageContent) -> String {
    page_with(content, TableForm::Auto)
}

/// The same with all tables in one form. Markdown that a model wrote stays as it is unless it has tables of another.
#[must_use]
pub fn page_with(content: &PageContent, tables: TableForm) -> String {
    let has_tables = || content.blocks.iter().any(|block| matches!(block.kind, BlockKind::Table(_)));
    if let Some(markdown) = &content.markdown
        && (tables == TableForm::Auto || !has_tables())
    {
        return markdown.trim().to_owned();
    }
    let mut writer = Writer { tables, ..Writer::default() };
    content.blocks.iter().for_each(|block| writer.block(block, 0));
    writer.out
}

/// Some text as Markdown within a line.
#[must_use]
pub fn inline(text: &Inline) -> String {
    inline::markdown(text, Emphasis::Shown)
}

#[derive(Default)]
struct Writer {
    out: String,
    tables: TableForm,
    /// What was written last, and how many columns it was set in.
    last: Option<(Written, usize)>,
}

/// What decides whether an empty line is needed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    Bullet,
    Number,
    Other,
}

impl Writer {
    /// Begins a block, `indent` columns in.
    fn begin(&mut self, what: Written, indent: usize) {
        // There is no empty line between items of a list, nor before one in an item of another. A list of numbers that does
        // not begin with 1 needs the line (`CommonMark` 0.31, 5.3).
        let follows = match (self.last, what) {
            (Some((Written::Bullet | Written::Number, _)), Written::Bullet) => true,
            (Some((Written::Number, before)), Written::Number) => before >= indent,
            _ => false,
        };
        if self.last.is_some() {
            self.out.push_str(if follows { "\n" } else { "\n\n" });
        }
        self.last = Some((what, indent));
        self.out.extend(std::iter::repeat_n(' ', indent));
    }

    fn block(&mut self, block: &Block, indent: usize) {
        match &block.kind {
            BlockKind::Margin { edge: Edge::Side, .. } | BlockKind::Margin { repeated: true, .. } => {}
            BlockKind::Heading { level, text }
            | BlockKind::Margin { edge: Edge::Top, level: Some(level), text, .. } => {
                self.begin(Written::Other, 0);
                self.heading(*level, text);
            }
            BlockKind::Paragraph { text } | BlockKind::Footnote { text } | BlockKind::Margin { text, .. } => {
                self.begin(Written::Other, indent);
                self.lines(text, indent);
            }
            BlockKind::List { items } => items.iter().for_each(|item| self.item(item, indent)),
            BlockKind::Table(table) => {
                self.begin(Written::Other, 0);
                self.table(table);
            }
            BlockKind::Formula { latex } => {
                self.begin(Written::Other, indent);
                self.out.extend(["$$", latex, "$$"]);
            }
            BlockKind::Code { text } => {
                self.begin(Written::Other, indent);
                self.code(text, indent);
            }
        }
    }

    /// Text whose line ends are kept, each by two spaces (`CommonMark` 0.31, 6.7).
    fn lines(&mut self, text: &Inline, indent: usize) {
        for (at, line) in inline::markdown(text, Emphasis::Shown).split('\n').enumerate() {
            if at > 0 {
                self.out.push_str("  \n");
                self.out.extend(std::iter::repeat_n(' ', indent));
            }
            self.out.push_str(&escape_block(line.to_owned()));
        }
    }

    fn heading(&mut self, level: u8, text: &Inline) {
        self.out.extend(std::iter::repeat_n('#', usize::from(level)));
        self.out.push(' ');
        self.out.push_str(&inline::markdown(text, Emphasis::Left));
    }

    fn item(&mut self, item: &ListItem, indent: usize) {
        let (what, sign) = item.number.as_deref().map_or((Written::Bullet, "-"), |number| (Written::Number, number));
        self.begin(what, indent);
        let text = escape_block(inline::markdown(&item.text, Emphasis::Shown));
        self.out.extend([sign, if text.is_empty() { "" } else { " " }, &text]);
        let inner = indent + sign.len() + 1;
        item.blocks.iter().for_each(|block| self.block(block, inner));
    }

    fn code(&mut self, text: &str, indent: usize) {
        let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
        let fence = "`".repeat((longest + 1).max(3));
        let indent = " ".repeat(indent);
        self.out.push_str(&fence);
        for line in text.split('\n') {
            let indent = if line.is_empty() { "" } else { indent.as_str() };
            self.out.extend(["\n", indent, line]);
        }
        self.out.extend(["\n", &indent, &fence]);
    }

    fn table(&mut self, table: &Table) {
        let as_html = match self.tables {
            TableForm::Auto => table::has_spans(table),
            TableForm::Html => true,
            TableForm::Markdown => false,
        };
        self.out.push_str(&if as_html { table::html(table) } else { table::pipes(table) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::from_markdown;

    #[test]
    fn tables_come_in_the_form_that_is_asked_for() {
        let (pipes, html) = ("*  a\n\n| a | b |\n|---|---|\n| 1 | 2 |", "<table><tr><td colspan=2>a</td></tr></table>");
        for (tables, markdown, expected) in [
            (TableForm::Auto, pipes, pipes),
            (TableForm::Auto, html, html),
            (TableForm::Markdown, pipes, "- a\n\n| a | b |\n| --- | --- |\n| 1 | 2 |"),
            (TableForm::Markdown, html, "| a |  |\n| --- | --- |"),
            (TableForm::Html, "*  a", "*  a"),
        ] {
            assert_eq!(page_with(&from_markdown(markdown), tables), expected, "{tables:?} {markdown}");
        }
        let written = page_with(&from_markdown(pipes), TableForm::Html);
        assert!(written.starts_with("- a\n\n<table>\n<thead>\n<tr><th>a</th><th>b</th></tr>"), "{written}");
    }
}
