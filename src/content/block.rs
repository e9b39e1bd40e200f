//! Blocks and their JSON.

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use super::{Figure, Inline};
use crate::task::ImageName;

/// A part of a page that stands by itself.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "FlatBlock")]
#[non_exhaustive]
pub struct Block {
    /// What it is, and what it says.
    pub kind: BlockKind,
    /// Where it stands, when that is known.
    pub bbox: Option<BoundingBox>,
}

/// What a block is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum BlockKind {
    /// A title.
    Heading {
        /// From 1, the highest, to 6.
        level: u8,
        /// What it says.
        text: Inline,
    },
    /// Running text.
    Paragraph {
        /// What it says.
        text: Inline,
    },
    /// Items with signs or with numbers.
    List {
        /// At least one.
        items: Vec<ListItem>,
    },
    /// Rows of cells.
    Table(Table),
    /// Lines that keep their ends and their spaces.
    Code {
        /// The lines, parted by `\n`.
        text: String,
    },
    /// A formula that stands by itself.
    Formula {
        /// In LaTeX, without delimiters.
        latex: String,
    },
    /// A picture with its caption.
    Figure(Figure),
    /// A note below the text.
    Footnote {
        /// What it says, with its mark.
        text: Inline,
    },
    /// What stands apart at an edge of the page: perhaps a header, a footer, a page number, numbers of lines.
    Margin {
        /// Whether other pages of its document say the same, so that it is no part of the text.
        repeated: bool,
        /// At which edge of the page.
        edge: Edge,
        /// The level of the heading that it would be by its looks.
        level: Option<u8>,
        /// What it says.
        text: Inline,
    },
}

/// Which margin of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edge {
    /// The upper one.
    Top,
    /// The lower one.
    Bottom,
    /// Beside the text, as numbers of its lines are; never part of Markdown.
    Side,
}

/// An item of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ListItem {
    /// Its number as it is written, with its point or parenthesis: `3.`; none of an item with a sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// What it says beside its sign.
    pub text: Inline,
    /// Where its own text stands, when that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bbox: Option<BoundingBox>,
    /// What belongs to it below its text: paragraphs, lists in the list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<Block>,
}

/// Cells in rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Table {
    /// Cells by row, from left to right. A place that a cell from the left or from above spans has no cell of its own.
    pub rows: Vec<Vec<Cell>>,
    /// How many of the first rows are its head.
    #[serde(default)]
    pub header_rows: u32,
}

/// One cell of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Cell {
    /// What it says; empty when it is.
    pub text: Inline,
    /// How many columns it takes, at least 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub colspan: u32,
    /// How many rows it takes, at least 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub rowspan: u32,
}

impl Cell {
    /// A cell of one column and one row.
    #[must_use]
    pub const fn of(text: Inline) -> Self {
        Self { text, colspan: 1, rowspan: 1 }
    }
}

const fn one() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_one(span: &u32) -> bool {
    *span == 1
}

/// A rectangle on the page as it is shown, upright: points (1/72 inch) from its left upper corner; as JSON
/// `[left, top, right, bottom]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f32; 4]", into = "[f32; 4]")]
pub struct BoundingBox {
    /// Its left side.
    pub left: f32,
    /// Its upper side.
    pub top: f32,
    /// Its right side.
    pub right: f32,
    /// Its lower side.
    pub bottom: f32,
}

impl From<[f32; 4]> for BoundingBox {
    fn from([left, top, right, bottom]: [f32; 4]) -> Self {
        Self { left, top, right, bottom }
    }
}

impl From<BoundingBox> for [f32; 4] {
    fn from(BoundingBox { left, top, right, bottom }: BoundingBox) -> Self {
        // Short to write, and finer than can be seen, in points as in fractions of a page.
        #[allow(clippy::cast_possible_truncation, reason = "it is about as large as it was")]
        [left, top, right, bottom].map(|length| ((f64::from(length) * 1e4).round() / 1e4) as f32)
    }
}

impl BoundingBox {
    /// The least box around both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    /// As fractions of a page that is so wide and high.
    #[must_use]
    pub fn divided_by(self, width: f32, height: f32) -> Self {
        let part = |length: f32, whole: f32| if whole > 0.0 { length / whole } else { 0.0 };
        Self {
            left: part(self.left, width),
            top: part(self.top, height),
            right: part(self.right, width),
            bottom: part(self.bottom, height),
        }
    }
}

impl Block {
    /// A block at a place that may be unknown.
    #[must_use]
    pub const fn new(kind: BlockKind, bbox: Option<BoundingBox>) -> Self {
        Self { kind, bbox }
    }

    /// Changes its boxes, and those of what is in it.
    pub fn map_boxes(&mut self, map: &impl Fn(BoundingBox) -> Option<BoundingBox>) {
        self.bbox = self.bbox.and_then(map);
        if let BlockKind::List { items } = &mut self.kind {
            for item in items {
                item.bbox = item.bbox.and_then(map);
                item.blocks.iter_mut().for_each(|block| block.map_boxes(map));
            }
        }
    }

    /// Shows `see` the figure that it is, and those that are in it.
    pub(super) fn each_figure(&mut self, see: &mut impl FnMut(&mut Figure, Option<BoundingBox>)) {
        match &mut self.kind {
            BlockKind::Figure(figure) => see(figure, self.bbox),
            BlockKind::List { items } => {
                items.iter_mut().flat_map(|item| &mut item.blocks).for_each(|block| block.each_figure(see));
            }
            _ => {}
        }
    }

    /// Shows `see` each text in it.
    pub(crate) fn each_text(&mut self, see: &mut impl FnMut(&mut Inline)) {
        match &mut self.kind {
            BlockKind::Heading { text, .. }
            | BlockKind::Paragraph { text }
            | BlockKind::Footnote { text }
            | BlockKind::Margin { text, .. } => see(text),
            BlockKind::Figure(figure) => see(&mut figure.caption),
            BlockKind::Table(table) => table.rows.iter_mut().flatten().for_each(|cell| see(&mut cell.text)),
            BlockKind::List { items } => {
                for item in items {
                    see(&mut item.text);
                    item.blocks.iter_mut().for_each(|block| block.each_text(see));
                }
            }
            BlockKind::Code { .. } | BlockKind::Formula { .. } => {}
        }
    }

    /// What it says, without looks: lines and items parted by line ends, cells by tabs.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.kind {
            BlockKind::Heading { text, .. }
            | BlockKind::Paragraph { text }
            | BlockKind::Footnote { text }
            | BlockKind::Margin { text, .. } => text.text(),
            BlockKind::Code { text } | BlockKind::Formula { latex: text } => text.clone(),
            BlockKind::Figure(figure) => figure.caption.text(),
            BlockKind::List { items } => items.iter().map(ListItem::said).collect::<Vec<_>>().join("\n"),
            BlockKind::Table(table) => {
                let row = |row: &Vec<Cell>| row.iter().map(|cell| cell.text.text()).collect::<Vec<_>>().join("\t");
                table.rows.iter().map(row).collect::<Vec<_>>().join("\n")
            }
        }
    }
}

impl ListItem {
    fn said(&self) -> String {
        let inner = self.blocks.iter().map(Block::text);
        std::iter::once(self.text.text()).chain(inner).collect::<Vec<_>>().join("\n")
    }
}

impl Serialize for Block {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match &self.kind {
            BlockKind::Heading { level, text } => {
                map.serialize_entry("kind", "heading")?;
                map.serialize_entry("level", level)?;
                map.serialize_entry("text", text)?;
            }
            BlockKind::Paragraph { text } => {
                map.serialize_entry("kind", "paragraph")?;
                map.serialize_entry("text", text)?;
            }
            BlockKind::List { items } => {
                map.serialize_entry("kind", "list")?;
                map.serialize_entry("items", items)?;
            }
            BlockKind::Table(Table { rows, header_rows }) => {
                map.serialize_entry("kind", "table")?;
                map.serialize_entry("header_rows", header_rows)?;
                map.serialize_entry("rows", rows)?;
            }
            BlockKind::Code { text } => {
                map.serialize_entry("kind", "code")?;
                map.serialize_entry("text", text)?;
            }
            BlockKind::Formula { latex } => {
                map.serialize_entry("kind", "formula")?;
                map.serialize_entry("text", latex)?;
            }
            BlockKind::Figure(Figure { image, caption }) => {
                map.serialize_entry("kind", "figure")?;
                if let Some(image) = image {
                    map.serialize_entry("image", image)?;
                }
                if !caption.runs.is_empty() {
                    map.serialize_entry("caption", caption)?;
                }
            }
            BlockKind::Footnote { text } => {
                map.serialize_entry("kind", "footnote")?;
                map.serialize_entry("text", text)?;
            }
            BlockKind::Margin { edge, level, text, repeated } => {
                map.serialize_entry("kind", "margin")?;
                map.serialize_entry("edge", edge)?;
                if *repeated {
                    map.serialize_entry("repeated", &true)?;
                }
                if let Some(level) = level {
                    map.serialize_entry("level", level)?;
                }
                map.serialize_entry("text", text)?;
            }
        }
        if let Some(bbox) = &self.bbox {
            map.serialize_entry("bbox", bbox)?;
        }
        map.end()
    }
}

/// A block as its JSON has it. Derived forms for tagged enums buffer each block before they know what it is.
#[derive(Deserialize)]
struct FlatBlock {
    kind: Kind,
    #[serde(default)]
    level: Option<u8>,
    #[serde(default)]
    text: Option<Inline>,
    #[serde(default)]
    items: Option<Vec<ListItem>>,
    #[serde(default)]
    rows: Option<Vec<Vec<Cell>>>,
    #[serde(default)]
    header_rows: u32,
    #[serde(default)]
    edge: Option<Edge>,
    #[serde(default)]
    repeated: bool,
    #[serde(default)]
    image: Option<ImageName>,
    #[serde(default)]
    caption: Inline,
    #[serde(default)]
    bbox: Option<BoundingBox>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Heading,
    Paragraph,
    List,
    Table,
    Code,
    Formula,
    Figure,
    Footnote,
    Margin,
}

impl TryFrom<FlatBlock> for Block {
    type Error = &'static str;

    fn try_from(flat: FlatBlock) -> Result<Self, &'static str> {
        let FlatBlock { kind, level, text, items, rows, header_rows, edge, repeated, image, caption, bbox } = flat;
        let text = text.ok_or("a block without text");
        let kind = match kind {
            Kind::Heading => BlockKind::Heading { level: level.ok_or("a heading without a level")?, text: text? },
            Kind::Paragraph => BlockKind::Paragraph { text: text? },
            Kind::List => BlockKind::List { items: items.ok_or("a list without items")? },
            Kind::Table => BlockKind::Table(Table { rows: rows.ok_or("a table without rows")?, header_rows }),
            Kind::Code => BlockKind::Code { text: text?.text() },
            Kind::Formula => BlockKind::Formula { latex: text?.text() },
            Kind::Figure => BlockKind::Figure(Figure { image, caption }),
            Kind::Footnote => BlockKind::Footnote { text: text? },
            Kind::Margin => {
                let edge = edge.ok_or("a margin without an edge")?;
                BlockKind::Margin { edge, level, text: text?, repeated }
            }
        };
        Ok(Self { kind, bbox })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{PageContent, RunStyle};
    use crate::task::ImageKind;

    #[test]
    fn every_kind_comes_back_from_its_json() {
        let text = || Inline::plain("text");
        let mut looks = Inline::plain("a ");
        looks.push("b", RunStyle { italic: true, ..RunStyle::default() }, None);
        let spans = Cell { colspan: 2, ..Cell::of(looks) };
        let inner = Block::new(BlockKind::Paragraph { text: text() }, None);
        let item = |number: Option<&str>| ListItem {
            number: number.map(str::to_owned),
            text: text(),
            bbox: None,
            blocks: vec![inner.clone()],
        };
        let kinds = [
            BlockKind::Heading { level: 2, text: text() },
            BlockKind::Paragraph { text: text() },
            BlockKind::List { items: vec![item(None), item(Some("3."))] },
            BlockKind::Table(Table { rows: vec![vec![spans], vec![Cell::of(text()); 2]], header_rows: 1 }),
            BlockKind::Code { text: "a\n  b".into() },
            BlockKind::Formula { latex: "x^2".into() },
            BlockKind::Figure(Figure::default()),
            BlockKind::Figure(Figure { image: Some(ImageName::of(b"x", ImageKind::Png)), caption: text() }),
            BlockKind::Footnote { text: text() },
            BlockKind::Margin { edge: Edge::Top, level: Some(1), text: text(), repeated: false },
            BlockKind::Margin { edge: Edge::Bottom, level: None, text: text(), repeated: true },
        ];
        let bbox = BoundingBox { left: 72.0, top: 100.5, right: 200.1, bottom: 120.0 };
        let blocks = kinds.into_iter().map(|kind| Block::new(kind, Some(bbox))).collect();
        let content = PageContent::new(blocks);
        let json = serde_json::to_string(&content).unwrap();
        assert_eq!(serde_json::from_str::<PageContent>(&json).unwrap(), content, "{json}");
        let first =
            r#"{"version":1,"blocks":[{"kind":"heading","level":2,"text":"text","bbox":[72.0,100.5,200.1,120.0]}"#;
        assert!(json.starts_with(first), "{json}");
    }

    #[test]
    fn a_block_that_lacks_what_its_kind_needs_is_refused() {
        for json in [
            r#"{"kind":"heading","text":"a"}"#,
            r#"{"kind":"margin","text":"a"}"#,
            r#"{"kind":"table"}"#,
            r#"{"kind":"figure","image":"../x.png"}"#,
        ] {
            assert!(serde_json::from_str::<Block>(json).is_err(), "{json}");
        }
    }
}
