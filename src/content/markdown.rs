//! Markdown that a reader wrote → blocks (`CommonMark` 0.31, tables and check boxes as in GFM 0.29, formulas in dollars or in
//! LaTeX's `\(…\)` and `\[…\]`, tables in HTML).
//!
//! Models answer in Markdown of many habits. The page keeps it as it was written ([`PageContent::markdown`]); the blocks
//! that it is parsed into serve every other output. Whatever is not one of the forms above becomes a paragraph of what it
//! says, so that no words are missing from any output.

mod html_page;
mod html_table;
mod html_text;
mod latex;

use std::iter::Peekable;
use std::ops::Range;

use pulldown_cmark::{Event, HeadingLevel, OffsetIter, Options, Parser, Tag, TagEnd};

pub(crate) use self::html_page::from_html_page;
pub(crate) use self::html_table::image_alt;
use self::latex::dollars;
use super::figure::is_generic;
use super::{Block, BlockKind, Cell, Figure, Inline, ListItem, PageContent, RunStyle, Script, Table};

/// The blocks of a page that was written as Markdown, which it keeps.
#[must_use]
pub fn from_markdown(markdown: impl Into<String>) -> PageContent {
    let markdown = markdown.into();
    let mut blocks = Vec::new();
    for part in html_table::split(&markdown) {
        match part {
            html_table::Part::Table(html) => blocks.extend(html_table::blocks(html)),
            html_table::Part::Text(text) => {
                let text = dollars(text);
                Reader::new(&text).blocks(None, &mut blocks);
            }
        }
    }
    PageContent { markdown: Some(markdown), ..PageContent::new(blocks) }
}

struct Reader<'t> {
    text: &'t str,
    events: Peekable<OffsetIter<'t>>,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Self {
        let options = Options::ENABLE_TABLES
            | Options::ENABLE_FOOTNOTES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_TASKLISTS
            | Options::ENABLE_MATH;
        Self { text, events: Parser::new_ext(text, options).into_offset_iter().peekable() }
    }

    /// Reads blocks up to the end of `parent`, or of the text.
    fn blocks(&mut self, parent: Option<TagEnd>, blocks: &mut Vec<Block>) {
        while let Some((event, range)) = self.events.next() {
            match event {
                Event::End(end) if Some(end) == parent => return,
                Event::Start(tag) => self.block(tag, &range, blocks),
                // Items of a tight list have their text without a paragraph around it.
                event if is_inline(&event) => {
                    let mut text = InlineReader::new(self.text);
                    text.event(event, &range);
                    while let Some((event, range)) = self.events.next_if(|(event, _)| is_inline(event)) {
                        text.event(event, &range);
                    }
                    blocks.push(Block::new(BlockKind::Paragraph { text: text.finish() }, None));
                }
                _ => {}
            }
        }
    }

    fn block(&mut self, tag: Tag<'t>, range: &Range<usize>, blocks: &mut Vec<Block>) {
        let end = tag.to_end();
        let kind = match tag {
            Tag::Heading { level, .. } => BlockKind::Heading { level: number(level), text: self.inline(end) },
            Tag::CodeBlock(_) => BlockKind::Code { text: self.plain(end).trim_end_matches('\n').to_owned() },
            Tag::List(_) => BlockKind::List { items: self.items(end) },
            Tag::Table(_) => BlockKind::Table(self.table(end)),
            Tag::FootnoteDefinition(name) => {
                let mut inner = Vec::new();
                self.blocks(Some(end), &mut inner);
                let said = inner.iter().map(Block::text).collect::<Vec<_>>().join("\n");
                BlockKind::Footnote { text: Inline::plain(format!("{name} {said}")) }
            }
            Tag::HtmlBlock => {
                let html = self.plain(end);
                let text = html_table::text(&html);
                match html_table::image_alt(&html) {
                    Some(alt) if text.is_empty() => figure(Inline::plain(alt)),
                    _ if text.is_empty() => return,
                    _ => BlockKind::Paragraph { text },
                }
            }
            Tag::Paragraph => self.paragraph(end),
            Tag::BlockQuote(_) => return self.blocks(Some(end), blocks),
            // An inline element outside a paragraph: in the item of a tight list.
            tag => {
                let mut text = InlineReader::new(self.text);
                text.event(Event::Start(tag), range);
                while let Some((event, range)) = self.events.next_if(|(event, _)| is_inline(event)) {
                    text.event(event, &range);
                }
                BlockKind::Paragraph { text: text.finish() }
            }
        };
        blocks.push(Block::new(kind, None));
    }

    /// A paragraph that is nothing but a formula is one that stands by itself, and one that is nothing but a picture is that.
    fn paragraph(&mut self, end: TagEnd) -> BlockKind {
        let read = self.read_inline(end);
        let is_picture = read.images > 0 && !read.beside_images;
        let text = read.finish();
        match &text.runs[..] {
            [run] if run.style.math => BlockKind::Formula { latex: run.text.clone() },
            _ if is_picture => figure(text),
            _ => BlockKind::Paragraph { text },
        }
    }

    fn inline(&mut self, end: TagEnd) -> Inline {
        self.read_inline(end).finish()
    }

    fn read_inline(&mut self, end: TagEnd) -> InlineReader<'t> {
        let mut text = InlineReader::new(self.text);
        for (event, range) in self.events.by_ref() {
            if event == Event::End(end) {
                break;
            }
            text.event(event, &range);
        }
        text
    }

    fn plain(&mut self, end: TagEnd) -> String {
        let mut plain = String::new();
        for (event, _) in self.events.by_ref() {
            match event {
                Event::End(of) if of == end => break,
                Event::Text(text) | Event::Html(text) => plain.push_str(&text),
                _ => {}
            }
        }
        plain
    }

    fn items(&mut self, end: TagEnd) -> Vec<ListItem> {
        let mut items = Vec::new();
        while let Some((event, range)) = self.events.next() {
            match event {
                Event::End(of) if of == end => break,
                Event::Start(Tag::Item) => {
                    let mut blocks = Vec::new();
                    self.blocks(Some(TagEnd::Item), &mut blocks);
                    let first = blocks.first().map(|block| &block.kind);
                    let text = match first {
                        Some(BlockKind::Paragraph { text }) => {
                            let text = text.clone();
                            blocks.remove(0);
                            text
                        }
                        _ => Inline::default(),
                    };
                    items.push(ListItem { number: self.item_number(&range), text, bbox: None, blocks });
                }
                _ => {}
            }
        }
        items
    }

    /// The number of an item with its sign, as it is written.
    fn item_number(&self, range: &Range<usize>) -> Option<String> {
        let item = self.text[range.clone()].trim_start();
        let digits = item.bytes().take_while(u8::is_ascii_digit).count();
        (digits > 0).then(|| item[..(digits + 1).min(item.len())].to_owned())
    }

    fn table(&mut self, end: TagEnd) -> Table {
        let mut table = Table::default();
        while let Some((event, _)) = self.events.next() {
            match event {
                Event::End(of) if of == end => break,
                Event::Start(Tag::TableHead) => {
                    table.header_rows = 1;
                    table.rows.push(Vec::new());
                }
                Event::Start(Tag::TableRow) => table.rows.push(Vec::new()),
                Event::Start(Tag::TableCell) => {
                    let cell = Cell::of(self.inline(TagEnd::TableCell));
                    if let Some(row) = table.rows.last_mut() {
                        row.push(cell);
                    }
                }
                _ => {}
            }
        }
        table
    }
}

/// A picture of which a model says this much. Where its link leads no file is.
fn figure(alt: Inline) -> BlockKind {
    let caption = if is_generic(&alt.text()) { Inline::default() } else { alt };
    BlockKind::Figure(Figure { image: None, caption })
}

const fn is_inline(event: &Event<'_>) -> bool {
    matches!(
        event,
        Event::Text(_)
            | Event::Code(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::InlineHtml(_)
            | Event::FootnoteReference(_)
            | Event::SoftBreak
            | Event::HardBreak
            | Event::TaskListMarker(_)
            | Event::Start(Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::Link { .. } | Tag::Image { .. })
            | Event::End(TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link | TagEnd::Image)
    )
}

const fn number(level: HeadingLevel) -> u8 {
    level as u8
}

/// Text within a block, as its events come.
struct InlineReader<'t> {
    text: &'t str,
    read: Inline,
    bold: u32,
    italic: u32,
    strike: u32,
    script: Option<Script>,
    link: Option<String>,
    /// How many pictures there are, how many of them are open, and whether something stands beside them.
    images: u32,
    open_images: u32,
    beside_images: bool,
}

impl<'t> InlineReader<'t> {
    fn new(text: &'t str) -> Self {
        let (read, link) = (Inline::default(), None);
        let (images, open_images, beside_images) = (0, 0, false);
        Self { text, read, bold: 0, italic: 0, strike: 0, script: None, link, images, open_images, beside_images }
    }

    fn style(&self) -> RunStyle {
        RunStyle {
            bold: self.bold > 0,
            italic: self.italic > 0,
            strike: self.strike > 0,
            script: self.script,
            ..RunStyle::default()
        }
    }

    fn push(&mut self, text: &str, style: RunStyle) {
        self.beside_images |= self.open_images == 0 && !text.trim().is_empty();
        self.read.push(text, style, self.link.as_deref());
    }

    fn event(&mut self, event: Event<'_>, range: &Range<usize>) {
        match event {
            Event::Text(text) => self.push(&text, self.style()),
            Event::Code(text) => self.push(&text, RunStyle { code: true, ..RunStyle::default() }),
            Event::InlineMath(latex) | Event::DisplayMath(latex) => {
                // `$5-$10` is two prices.
                let is_price = self.text[range.end..].starts_with(|c: char| c.is_ascii_digit());
                if is_price {
                    self.push(&self.text[range.clone()], self.style());
                } else {
                    self.push(latex.trim(), RunStyle { math: true, ..RunStyle::default() });
                }
            }
            Event::FootnoteReference(name) => {
                self.push(&name, RunStyle { script: Some(Script::Super), ..RunStyle::default() });
            }
            Event::SoftBreak => self.push(" ", self.style()),
            Event::HardBreak => self.push("\n", self.style()),
            Event::TaskListMarker(ticked) => self.push(if ticked { "☑ " } else { "☐ " }, RunStyle::default()),
            Event::InlineHtml(tag) => self.tag(&tag),
            Event::Start(Tag::Strong) => self.bold += 1,
            Event::End(TagEnd::Strong) => self.bold = self.bold.saturating_sub(1),
            Event::Start(Tag::Emphasis) => self.italic += 1,
            Event::End(TagEnd::Emphasis) => self.italic = self.italic.saturating_sub(1),
            Event::Start(Tag::Strikethrough) => self.strike += 1,
            Event::End(TagEnd::Strikethrough) => self.strike = self.strike.saturating_sub(1),
            Event::Start(Tag::Link { dest_url, .. }) => self.link = safe_link(&dest_url),
            Event::End(TagEnd::Link) => self.link = None,
            Event::Start(Tag::Image { .. }) => {
                (self.images, self.open_images) = (self.images + 1, self.open_images + 1);
            }
            Event::End(TagEnd::Image) => self.open_images = self.open_images.saturating_sub(1),
            _ => {}
        }
    }

    /// A tag within text: what has no sign in Markdown, and what models like to write.
    fn tag(&mut self, tag: &str) {
        let name = html_table::element(tag);
        let ends = tag.starts_with("</");
        let count = |level: u32| if ends { level.saturating_sub(1) } else { level + 1 };
        match name.as_str() {
            "br" => self.push("\n", self.style()),
            "img" => {
                self.images += 1;
                let alt = html_table::image_alt(tag).filter(|alt| !is_generic(alt)).unwrap_or_default();
                self.open_images += 1;
                self.push(&alt, self.style());
                self.open_images -= 1;
            }
            "sup" => self.script = (!ends).then_some(Script::Super),
            "sub" => self.script = (!ends).then_some(Script::Sub),
            "b" | "strong" => self.bold = count(self.bold),
            "i" | "em" => self.italic = count(self.italic),
            "s" | "strike" | "del" => self.strike = count(self.strike),
            name if html_table::is_markup(name) => {}
            // `<file>` is what the page says.
            _ => self.push(tag, self.style()),
        }
    }

    fn finish(self) -> Inline {
        self.read
    }
}

/// A link's target that is safe to follow.
fn safe_link(target: &str) -> Option<String> {
    let lower = target.to_ascii_lowercase();
    ["http://", "https://", "mailto:"].iter().any(|scheme| lower.starts_with(scheme)).then(|| target.to_owned())
}

#[cfg(test)]
mod tests;
