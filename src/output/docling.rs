//! Pages → a `DoclingDocument`, the JSON that docling and the programs around it exchange (docling-core, schema 1.10).
//!
//! Blocks become items in reading order: titles and section headers, texts, lists as groups, tables with their cells,
//! code, formulas, footnotes, pictures with their captions; headers and footers that pages repeat are furniture. Each item
//! says on which page it stands, and where: a block without a box is said to fill its page, because the schema wants a box.
//! Items are structs of their own, `document`: as values of JSON they cost more than all else of an answer.

mod document;

use std::borrow::Cow;

pub use self::document::DoclingDocument;
use self::document::{
    Cell, CodeParts, Floating, Formatting, Group, ImageRef, Item, Label, Layer, Picture, Provenance, Reference, Said,
    Size, Table, TableData, Text,
};
use super::plain;
use crate::content::{self, Block, BlockKind, BoundingBox, Edge, Figure, Inline, ListItem, RunStyle};
use crate::task::{PageImageView, PageView};

/// Collects a document page by page, in ascending order.
#[derive(Default)]
pub struct DoclingWriter {
    document: DoclingDocument,
}

/// Where an item stands: its page, the size of that, its box as fractions of it, and the item that it belongs to.
#[derive(Clone, Copy)]
struct Place {
    page: u32,
    size: [f32; 2],
    bbox: Option<BoundingBox>,
    parent: Reference,
}

impl DoclingWriter {
    /// Adds a page. One that was not read has its number and size alone.
    pub fn page(&mut self, view: &PageView) {
        let size = view.size.unwrap_or_default();
        let [width, height] = size;
        self.document.add_page(view.page, Size { width, height });
        if view.absence().is_some() {
            return;
        }
        for block in view.blocks.iter().flatten() {
            let place = Place { page: view.page, size, bbox: block.bbox, parent: Reference::Body };
            let child = self.block(block, place, &view.images);
            self.document.body.children.extend(child);
        }
    }

    /// The whole document under its name.
    #[must_use]
    pub fn finish(mut self, file_name: &str) -> DoclingDocument {
        let name = file_name.rsplit_once('.').map_or(file_name, |(stem, _)| stem);
        name.clone_into(&mut self.document.name);
        self.document
    }

    /// Adds what a block says; the reference to its item.
    fn block(&mut self, block: &Block, place: Place, files: &[PageImageView]) -> Option<Reference> {
        Some(match &block.kind {
            BlockKind::Heading { level, text }
            | BlockKind::Margin { level: Some(level), repeated: false, text, .. } => {
                // The title is above the first level of section headers.
                match level.checked_sub(1).filter(|level| *level > 0) {
                    None => self.text(Label::Title, text, place),
                    Some(level) => {
                        let heading = Text { level: Some(level), ..Text::default() };
                        self.text_with(Label::SectionHeader, text, place, heading)
                    }
                }
            }
            BlockKind::Paragraph { text }
            | BlockKind::Margin { repeated: false, edge: Edge::Top | Edge::Bottom, text, .. } => {
                self.text(Label::Text, text, place)
            }
            BlockKind::Footnote { text } => self.text(Label::Footnote, text, place),
            BlockKind::Margin { edge: Edge::Side, .. } => return None,
            BlockKind::Margin { edge, text, .. } => {
                let label = if *edge == Edge::Top { Label::PageHeader } else { Label::PageFooter };
                let around =
                    Text { item: Item { content_layer: Layer::Furniture, ..Item::default() }, ..Text::default() };
                self.text_with(label, text, place, around)
            }
            BlockKind::Code { text } => {
                let code = Text { code: Some(CodeParts::default()), ..Text::default() };
                self.text_with(Label::Code, &Inline::plain(text), place, code)
            }
            BlockKind::Formula { latex } => self.text(Label::Formula, &Inline::plain(latex), place),
            BlockKind::Figure(figure) => self.picture(figure, place, files),
            BlockKind::Table(table) => self.table(table, place),
            BlockKind::List { items } => self.list(items, place, files),
        })
    }

    fn text(&mut self, label: Label, text: &Inline, place: Place) -> Reference {
        self.text_with(label, text, place, Text::default())
    }

    /// Adds a text that has what `more` has besides.
    fn text_with(&mut self, label: Label, text: &Inline, place: Place, more: Text) -> Reference {
        let said = plain::inline(text);
        let reference = Reference::Text(self.document.texts.len());
        // What holds for all of it: docling has no place for a part, and titles are heavy anyway.
        let whole = match &*text.runs {
            [run] if !matches!(label, Label::Title | Label::SectionHeader) => Some(run),
            _ => None,
        };
        self.document.texts.push(Text {
            item: Item { self_ref: reference, parent: place.parent, ..more.item },
            label,
            prov: [place.provenance(said.chars().count())],
            formatting: whole.and_then(|run| formatting(run.style)),
            hyperlink: whole.and_then(|run| run.link.as_ref().map(|link| link.as_str().to_owned())),
            said: Said(said),
            ..more
        });
        reference
    }

    /// A picture, with its caption as a text below it.
    fn picture(&mut self, figure: &Figure, place: Place, files: &[PageImageView]) -> Reference {
        let at = self.document.pictures.len();
        let reference = Reference::Picture(at);
        let file = figure.image.as_ref().and_then(|name| files.iter().find(|file| file.name == *name));
        let item = Item { self_ref: reference, parent: place.parent, ..Item::default() };
        let floating = Floating::new("picture", item, place.provenance(0));
        self.document.pictures.push(Picture::new(floating, file.map(ImageRef::of)));
        if !figure.caption.is_empty() {
            let caption = self.text(Label::Caption, &figure.caption, Place { parent: reference, ..place });
            let picture = &mut self.document.pictures[at].floating;
            picture.captions.push(caption);
            picture.item.children.push(caption);
        }
        reference
    }

    fn list(&mut self, items: &[ListItem], place: Place, files: &[PageImageView]) -> Reference {
        let at = self.document.groups.len();
        let reference = Reference::Group(at);
        self.document.groups.push(Group {
            item: Item { self_ref: reference, parent: place.parent, ..Item::default() },
            ..Group::default()
        });
        for item in items {
            let own = Place { bbox: item.bbox.or(place.bbox), parent: reference, ..place };
            let marker = item.number.as_deref().map_or(Cow::Borrowed("-"), |number| number.to_owned().into());
            let entry = Text { enumerated: Some(item.number.is_some()), marker: Some(marker), ..Text::default() };
            let text = self.document.texts.len();
            let added = self.text_with(Label::ListItem, &item.text, own, entry);
            let inner = |block: &Block| Place { bbox: block.bbox.or(own.bbox), parent: added, ..place };
            let below = item.blocks.iter().filter_map(|block| self.block(block, inner(block), files));
            let below: Vec<Reference> = below.collect();
            self.document.texts[text].item.children = below;
            self.document.groups[at].item.children.push(added);
        }
        reference
    }

    fn table(&mut self, table: &content::Table, place: Place) -> Reference {
        let reference = Reference::Table(self.document.tables.len());
        let item = Item { self_ref: reference, parent: place.parent, ..Item::default() };
        let mut data = TableData::default();
        // Columns that cells from above still take, with how many rows more.
        let mut taken: Vec<u32> = Vec::new();
        for (row, line) in table.rows.iter().enumerate() {
            let (first, mut column) = (u32::try_from(row).unwrap_or(u32::MAX), 0);
            for cell in line {
                while taken.get(column).is_some_and(|rows| *rows > 0) {
                    column += 1;
                }
                let (wide, high) = (cell.colspan.max(1), cell.rowspan.max(1));
                let end = column + wide as usize;
                taken.resize(taken.len().max(end), 0);
                taken[column..end].fill(high);
                data.table_cells.push(Cell {
                    row_span: high,
                    col_span: wide,
                    start_row_offset_idx: first,
                    end_row_offset_idx: first + high,
                    start_col_offset_idx: column,
                    end_col_offset_idx: end,
                    text: plain::inline(&cell.text),
                    column_header: first < table.header_rows,
                    ..Cell::default()
                });
                column = end;
            }
            taken.iter_mut().for_each(|rows| *rows = rows.saturating_sub(1));
        }
        (data.num_rows, data.num_cols) = (table.rows.len(), taken.len());
        self.document.tables.push(Table { floating: Floating::new("table", item, place.provenance(0)), data });
        reference
    }
}

impl Place {
    fn provenance(&self, length: usize) -> Provenance {
        let [width, height] = self.size;
        let whole = BoundingBox { left: 0.0, top: 0.0, right: 1.0, bottom: 1.0 };
        let BoundingBox { left, top, right, bottom } = self.bbox.unwrap_or(whole);
        Provenance::new(self.page, [left * width, top * height, right * width, bottom * height], length)
    }
}

fn formatting(style: RunStyle) -> Option<Formatting> {
    let RunStyle { bold, italic, strike, .. } = style;
    (bold || italic || strike).then_some(Formatting { bold, italic, strikethrough: strike, ..Formatting::default() })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::content::from_markdown;
    use crate::task::{Failure, PageFailure, PageStatus};

    fn written(markdown: &str) -> Value {
        let blocks = Some(from_markdown(markdown).blocks);
        let mut writer = DoclingWriter::default();
        writer.page(&PageView { blocks, size: Some([600.0, 800.0]), ..PageView::unfinished(3, PageStatus::Done) });
        serde_json::to_value(writer.finish("a.b.pdf")).unwrap()
    }

    fn to(reference: &str) -> Value {
        json!({ "$ref": reference })
    }

    #[test]
    fn items_stand_in_reading_order_below_what_they_belong_to() {
        let document = written("# One\n\n### Two\n\n**all** bold\n\n1. a\n   - b\n2. c\n\n$$x^2$$");
        assert_eq!(document["name"], "a.b");
        let body: Vec<&str> = document["body"]["children"]
            .as_array()
            .unwrap()
            .iter()
            .map(|child| child["$ref"].as_str().unwrap())
            .collect();
        assert_eq!(body, ["#/texts/0", "#/texts/1", "#/texts/2", "#/groups/0", "#/texts/6"]);
        let labels: Vec<_> =
            document["texts"].as_array().unwrap().iter().map(|text| text["label"].as_str().unwrap()).collect();
        assert_eq!(labels, ["title", "section_header", "text", "list_item", "list_item", "list_item", "formula"]);
        assert_eq!((&document["texts"][1]["level"], &document["texts"][3]["marker"]), (&2.into(), &"1.".into()));
        assert_eq!(document["texts"][3]["children"], json!([to("#/groups/1")]));
        assert_eq!(document["groups"][1]["parent"], to("#/texts/3"));
        assert_eq!(document["texts"][4]["parent"], to("#/groups/1"));
        let prov = &document["texts"][0]["prov"][0];
        assert_eq!((&prov["page_no"], &prov["bbox"]["r"]), (&3.into(), &600.0.into()), "no box is the whole page");
    }

    #[test]
    fn pictures_have_their_captions_below_them() {
        let document = written("![Figure 1: A lock](x.png)\n\n![](y.png)");
        assert_eq!(document["body"]["children"], json!([to("#/pictures/0"), to("#/pictures/1")]));
        let picture = &document["pictures"][0];
        assert_eq!((&picture["label"], &picture["captions"]), (&"picture".into(), &json!([to("#/texts/0")])));
        let caption = &document["texts"][0];
        assert_eq!((&caption["label"], &caption["text"]), (&"caption".into(), &"Figure 1: A lock".into()));
        assert_eq!((&caption["parent"], &document["pictures"][1]["captions"]), (&to("#/pictures/0"), &json!([])));
    }

    #[test]
    fn cells_know_their_places_beside_what_spans() {
        let table =
            "<table><tr><td rowspan=\"2\">a</td><td colspan=\"2\">b</td></tr><tr><td>c</td><td>d</td></tr></table>";
        let data = &written(table)["tables"][0]["data"];
        assert_eq!((&data["num_rows"], &data["num_cols"]), (&2.into(), &3.into()));
        let places: Vec<(&str, u64, u64, u64)> = data["table_cells"]
            .as_array()
            .unwrap()
            .iter()
            .map(|cell| {
                let number = |name: &str| cell[name].as_u64().unwrap();
                let (row, column) = (number("start_row_offset_idx"), number("start_col_offset_idx"));
                (cell["text"].as_str().unwrap(), row, column, number("end_col_offset_idx"))
            })
            .collect();
        assert_eq!(places, [("a", 0, 0, 1), ("b", 0, 1, 3), ("c", 1, 1, 2), ("d", 1, 2, 3)]);
    }

    #[test]
    fn a_page_that_was_not_read_is_there_without_items() {
        let mut writer = DoclingWriter::default();
        let failure = PageFailure { failure: Failure::permanent("timeout", "x"), attempts: 1 };
        writer.page(&PageView::failed(1, failure));
        let document = serde_json::to_value(writer.finish("a")).unwrap();
        assert_eq!((&document["texts"], &document["pages"]["1"]["page_no"]), (&json!([]), &1.into()));
    }
}
