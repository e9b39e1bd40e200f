//! Pages → a `DoclingDocument`, the JSON that docling and the programs around it exchange (docling-core, schema 1.10).
//!
//! Blocks become items in reading order: titles and section headers, texts, lists as groups, tables with their cells,
//! code, formulas, footnotes, pictures with their captions; headers and footers that pages repeat are furniture. Each item
//! says on which page it stands, and where: a block without a box is said to fill its page, because the schema wants a box.

use serde_json::{Map, Value, json};

use super::plain;
use crate::content::{Block, BlockKind, BoundingBox, Edge, Inline, ListItem, RunStyle, Table};
use crate::task::PageView;

/// The version of the schema that is written.
const VERSION: &str = "1.10.0";
/// The item below which the text stands.
const BODY: &str = "#/body";
/// The layers of a document: its text, and what stands around it.
const LAYERS: [&str; 2] = ["body", "furniture"];

/// Collects a document page by page, in ascending order.
#[derive(Default)]
pub struct DoclingWriter {
    texts: Vec<Value>,
    tables: Vec<Value>,
    pictures: Vec<Value>,
    groups: Vec<Value>,
    body: Vec<Value>,
    pages: Map<String, Value>,
}

/// Where an item stands: its page, the size of that, its box as fractions of it, and the item that it belongs to.
#[derive(Clone, Copy)]
struct Place<'a> {
    page: u32,
    size: [f32; 2],
    bbox: Option<BoundingBox>,
    parent: &'a str,
}

impl DoclingWriter {
    /// Adds a page. One that was not read has its number and size alone.
    pub fn page(&mut self, view: &PageView) {
        let size = view.size.unwrap_or_default();
        let [width, height] = size;
        let page = json!({ "page_no": view.page, "size": { "width": width, "height": height } });
        self.pages.insert(view.page.to_string(), page);
        if view.absence().is_some() {
            return;
        }
        for block in view.blocks.iter().flatten() {
            let place = Place { page: view.page, size, bbox: block.bbox, parent: BODY };
            let children = self.block(block, place);
            self.body.extend(children);
        }
    }

    /// The whole document under its name.
    #[must_use]
    pub fn finish(self, file_name: &str) -> Value {
        let name = file_name.rsplit_once('.').map_or(file_name, |(stem, _)| stem);
        let root = |layer: &str, children: Vec<Value>| {
            json!({ "self_ref": format!("#/{layer}"), "children": children, "content_layer": layer,
                    "name": "_root_", "label": "unspecified" })
        };
        json!({
            "schema_name": "DoclingDocument",
            "version": VERSION,
            "name": name,
            "furniture": root("furniture", Vec::new()),
            "body": root("body", self.body),
            "groups": self.groups,
            "texts": self.texts,
            "pictures": self.pictures,
            "tables": self.tables,
            "key_value_items": [],
            "form_items": [],
            "pages": self.pages,
        })
    }

    /// Adds what a block says; references to its items.
    fn block(&mut self, block: &Block, place: Place<'_>) -> Vec<Value> {
        let added = match &block.kind {
            BlockKind::Heading { level, text }
            | BlockKind::Margin { level: Some(level), repeated: false, text, .. } => {
                // The title is above the first level of section headers.
                match level.checked_sub(1).filter(|level| *level > 0) {
                    None => self.text("title", text, place, &[]),
                    Some(level) => self.text("section_header", text, place, &[("level", level.into())]),
                }
            }
            BlockKind::Paragraph { text }
            | BlockKind::Margin { repeated: false, edge: Edge::Top | Edge::Bottom, text, .. } => {
                self.text("text", text, place, &[])
            }
            BlockKind::Footnote { text } => self.text("footnote", text, place, &[]),
            BlockKind::Margin { edge: Edge::Side, .. } => return Vec::new(),
            BlockKind::Margin { edge, text, .. } => {
                let label = if *edge == Edge::Top { "page_header" } else { "page_footer" };
                self.text(label, text, place, &[("content_layer", LAYERS[1].into())])
            }
            BlockKind::Code { text } => {
                let nothing = || Value::Array(Vec::new());
                let more = [
                    ("captions", nothing()),
                    ("references", nothing()),
                    ("footnotes", nothing()),
                    ("code_language", "unknown".into()),
                ];
                self.text("code", &Inline::plain(text), place, &more)
            }
            BlockKind::Formula { latex } => self.text("formula", &Inline::plain(latex), place, &[]),
            BlockKind::Figure(figure) => self.picture(&figure.caption, place),
            BlockKind::Table(table) => self.table(table, place),
            BlockKind::List { items } => self.list(items, place),
        };
        vec![added]
    }

    fn text(&mut self, label: &str, text: &Inline, place: Place<'_>, more: &[(&str, Value)]) -> Value {
        let said = plain::inline(text);
        let reference = format!("#/texts/{}", self.texts.len());
        let mut item = json!({
            "self_ref": reference, "parent": to(place.parent), "children": [], "content_layer": LAYERS[0],
            "label": label, "prov": place.provenance(said.chars().count()), "orig": said, "text": said,
        });
        // What holds for all of it: docling has no place for a part, and titles are heavy anyway.
        let is_title = ["title", "section_header"].contains(&label);
        if let ([run], false) = (&*text.runs, is_title) {
            if let Some(formatting) = formatting(run.style) {
                item["formatting"] = formatting;
            }
            if let Some(link) = &run.link {
                item["hyperlink"] = link.as_str().into();
            }
        }
        more.iter().for_each(|(name, value)| item[*name] = value.clone());
        self.texts.push(item);
        to(&reference)
    }

    /// A picture, with its caption as a text below it.
    fn picture(&mut self, caption: &Inline, place: Place<'_>) -> Value {
        let reference = format!("#/pictures/{}", self.pictures.len());
        let mut picture = json!({
            "self_ref": reference, "parent": to(place.parent), "children": [], "content_layer": LAYERS[0],
            "label": "picture", "prov": place.provenance(0), "captions": [], "references": [], "footnotes": [],
            "annotations": [],
        });
        if !caption.is_empty() {
            let caption = self.text("caption", caption, Place { parent: &reference, ..place }, &[]);
            picture["captions"] = json!([caption]);
            picture["children"] = json!([caption]);
        }
        self.pictures.push(picture);
        to(&reference)
    }

    fn list(&mut self, items: &[ListItem], place: Place<'_>) -> Value {
        let at = self.groups.len();
        let reference = format!("#/groups/{at}");
        self.groups.push(json!({
            "self_ref": reference, "parent": to(place.parent), "children": [], "content_layer": LAYERS[0],
            "name": "list", "label": "list",
        }));
        let mut children = Vec::new();
        for item in items {
            let own = Place { bbox: item.bbox.or(place.bbox), parent: &reference, ..place };
            let marker = item.number.as_deref().unwrap_or("-");
            let more = [("enumerated", item.number.is_some().into()), ("marker", marker.into())];
            let (text, added) = (self.texts.len(), self.text("list_item", &item.text, own, &more));
            let parent = format!("#/texts/{text}");
            let inner = |block: &Block| Place { bbox: block.bbox.or(own.bbox), parent: &parent, ..place };
            let below: Vec<Value> = item.blocks.iter().flat_map(|block| self.block(block, inner(block))).collect();
            self.texts[text]["children"] = below.into();
            children.push(added);
        }
        self.groups[at]["children"] = children.into();
        to(&reference)
    }

    fn table(&mut self, table: &Table, place: Place<'_>) -> Value {
        let reference = format!("#/tables/{}", self.tables.len());
        let mut cells = Vec::new();
        // Columns that cells from above still take, with how many rows more.
        let mut taken: Vec<u32> = Vec::new();
        let mut columns = 0;
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
                cells.push(json!({
                    "row_span": high, "col_span": wide,
                    "start_row_offset_idx": first, "end_row_offset_idx": first + high,
                    "start_col_offset_idx": column, "end_col_offset_idx": end,
                    "text": plain::inline(&cell.text), "column_header": first < table.header_rows,
                    "row_header": false, "row_section": false,
                }));
                column = end;
            }
            columns = columns.max(taken.len());
            taken.iter_mut().for_each(|rows| *rows = rows.saturating_sub(1));
        }
        self.tables.push(json!({
            "self_ref": reference, "parent": to(place.parent), "children": [], "content_layer": LAYERS[0],
            "label": "table", "prov": place.provenance(0), "captions": [], "references": [], "footnotes": [],
            "data": { "table_cells": cells, "num_rows": table.rows.len(), "num_cols": columns },
        }));
        to(&reference)
    }
}

impl Place<'_> {
    fn provenance(&self, length: usize) -> Value {
        let [width, height] = self.size;
        let whole = BoundingBox { left: 0.0, top: 0.0, right: 1.0, bottom: 1.0 };
        let BoundingBox { left, top, right, bottom } = self.bbox.unwrap_or(whole);
        json!([{
            "page_no": self.page,
            "bbox": { "l": left * width, "t": top * height, "r": right * width, "b": bottom * height, "coord_origin": "TOPLEFT" },
            "charspan": [0, length],
        }])
    }
}

fn to(reference: &str) -> Value {
    json!({ "$ref": reference })
}

fn formatting(style: RunStyle) -> Option<Value> {
    (style.bold || style.italic || style.strike).then(|| {
        json!({ "bold": style.bold, "italic": style.italic, "underline": false, "strikethrough": style.strike,
                "script": "baseline" })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::from_markdown;
    use crate::task::{Failure, PageFailure, PageStatus};

    fn written(markdown: &str) -> Value {
        let blocks = Some(from_markdown(markdown).blocks);
        let mut writer = DoclingWriter::default();
        writer.page(&PageView { blocks, size: Some([600.0, 800.0]), ..PageView::unfinished(3, PageStatus::Done) });
        writer.finish("a.b.pdf")
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
        let document = writer.finish("a");
        assert_eq!((&document["texts"], &document["pages"]["1"]["page_no"]), (&json!([]), &1.into()));
    }
}
