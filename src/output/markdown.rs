//! Blocks → Markdown (`CommonMark` 0.31, tables as in GFM 0.29).

mod images;
mod inline;
mod table;

use crate::content::{Block, BlockKind, Edge, Figure, Inline, ListItem, PageContent, Table};
use crate::task::{FigureForm, TableForm, TaskOptions};

use self::inline::{Emphasis, escape_block};

/// What stands for a figure without a file.
const PLACEHOLDER: &str = "<!-- image -->";
/// The folder of figures, as links to them name it: relative to where the Markdown is.
pub const IMAGES: &str = "images";

/// In which form tables and figures stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Forms {
    /// That of tables.
    pub tables: TableForm,
    /// That of figures.
    pub figures: FigureForm,
}

impl Forms {
    /// What is said without any figure, as a model is given it.
    pub const SAID: Self = Self { tables: TableForm::Auto, figures: FigureForm::None };
}

impl From<&TaskOptions> for Forms {
    fn from(options: &TaskOptions) -> Self {
        Self { tables: options.tables.unwrap_or_default(), figures: options.images.unwrap_or_default() }
    }
}

/// A page as Markdown, without a separator and without a line end behind it; empty when it says nothing.
#[must_use]
pub fn page(content: &PageContent) -> String {
    page_with(content, Forms::default())
}

/// The same with tables and figures in some form. Markdown that a model wrote stays as it is, but for links to pictures, unless
/// it has tables of another form.
#[must_use]
pub fn page_with(content: &PageContent, forms: Forms) -> String {
    let has_tables = || content.blocks.iter().any(|block| matches!(block.kind, BlockKind::Table(_)));
    if let Some(markdown) = &content.markdown
        && (forms.tables == TableForm::Auto || !has_tables())
    {
        return images::without_links(markdown.trim(), forms.figures).into_owned();
    }
    let mut writer = Writer { forms, ..Writer::default() };
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
    forms: Forms,
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
            BlockKind::Figure(figure) => self.figure(figure, indent),
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

    /// A link to its file whose text is its caption, or a placeholder with the caption below it.
    fn figure(&mut self, Figure { image, caption }: &Figure, indent: usize) {
        let file = image.as_ref().filter(|_| self.forms.figures == FigureForm::Extract);
        if let Some(name) = file {
            self.begin(Written::Other, indent);
            self.out.extend(["![", &inline::alt(&caption.text()), "](", IMAGES, "/", name.as_str(), ")"]);
            return;
        }
        if self.forms.figures != FigureForm::None {
            self.begin(Written::Other, indent);
            self.out.push_str(PLACEHOLDER);
        }
        if !caption.is_empty() {
            self.begin(Written::Other, indent);
            self.lines(caption, indent);
        }
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
        let as_html = match self.forms.tables {
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
            let forms = Forms { tables, ..Forms::default() };
            assert_eq!(page_with(&from_markdown(markdown), forms), expected, "{tables:?} {markdown}");
        }
        let forms = Forms { tables: TableForm::Html, ..Forms::default() };
        let written = page_with(&from_markdown(pipes), forms);
        assert!(written.starts_with("- a\n\n<table>\n<thead>\n<tr><th>a</th><th>b</th></tr>"), "{written}");
    }
}
