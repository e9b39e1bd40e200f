//! What a `DoclingDocument` consists of, as it is written.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::task::{ImageKind, ImageName, PageImageView};

/// The version of the schema that is written.
const VERSION: &str = "1.10.0";

/// A whole document.
#[derive(Serialize)]
pub struct DoclingDocument {
    schema_name: &'static str,
    version: &'static str,
    pub(super) name: String,
    furniture: Root,
    pub(super) body: Root,
    pub(super) groups: Vec<Group>,
    pub(super) texts: Vec<Text>,
    pub(super) pictures: Vec<Picture>,
    pub(super) tables: Vec<Table>,
    key_value_items: [(); 0],
    form_items: [(); 0],
    pages: BTreeMap<String, Page>,
}

impl Default for DoclingDocument {
    fn default() -> Self {
        let root = |self_ref, content_layer| Root {
            self_ref,
            children: Vec::new(),
            content_layer,
            name: "_root_",
            label: "unspecified",
        };
        Self {
            schema_name: "DoclingDocument",
            version: VERSION,
            name: String::new(),
            furniture: root("#/furniture", Layer::Furniture),
            body: root("#/body", Layer::Body),
            groups: Vec::new(),
            texts: Vec::new(),
            pictures: Vec::new(),
            tables: Vec::new(),
            key_value_items: [],
            form_items: [],
            pages: BTreeMap::new(),
        }
    }
}

impl DoclingDocument {
    pub(super) fn add_page(&mut self, page_no: u32, size: Size) {
        self.pages.insert(page_no.to_string(), Page { page_no, size });
    }

    /// The files of its pictures, which stand in it by their names.
    pub fn image_names(&self) -> impl Iterator<Item = &ImageName> {
        self.pictures.iter().filter_map(|picture| picture.image.as_ref()).map(|image| &image.name)
    }

    /// Has `place` say where the file of each picture is, as an address or as its bytes; without it the picture has none.
    pub fn place_images(&mut self, place: impl Fn(&ImageName) -> Option<String>) {
        for picture in &mut self.pictures {
            picture.image = picture.image.take().and_then(|image| Some(ImageRef { uri: place(&image.name)?, ..image }));
        }
    }
}

/// What stands at the top of a layer.
#[derive(Serialize)]
pub(super) struct Root {
    self_ref: &'static str,
    pub(super) children: Vec<Reference>,
    content_layer: Layer,
    name: &'static str,
    label: &'static str,
}

/// The layers of a document: its text, and what stands around it.
#[derive(Clone, Copy, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Layer {
    #[default]
    Body,
    Furniture,
}

/// Names an item: `{"$ref": "#/texts/3"}`.
#[derive(Clone, Copy, Default)]
pub(super) enum Reference {
    #[default]
    Body,
    Text(usize),
    Picture(usize),
    Table(usize),
    Group(usize),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body => f.write_str("#/body"),
            Self::Text(at) => write!(f, "#/texts/{at}"),
            Self::Picture(at) => write!(f, "#/pictures/{at}"),
            Self::Table(at) => write!(f, "#/tables/{at}"),
            Self::Group(at) => write!(f, "#/groups/{at}"),
        }
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Named {
            #[serde(rename = "$ref", serialize_with = "path")]
            reference: Reference,
        }
        Named { reference: *self }.serialize(serializer)
    }
}

/// Written as it is made: each item names several.
fn path<S: Serializer>(reference: &Reference, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(reference)
}

/// What all items have.
#[derive(Default, Serialize)]
pub(super) struct Item {
    #[serde(serialize_with = "path")]
    pub(super) self_ref: Reference,
    pub(super) parent: Reference,
    pub(super) children: Vec<Reference>,
    pub(super) content_layer: Layer,
}

#[derive(Clone, Copy, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Label {
    #[default]
    Text,
    Title,
    SectionHeader,
    Footnote,
    PageHeader,
    PageFooter,
    Code,
    Formula,
    Caption,
    ListItem,
}

/// A text of any kind.
#[derive(Default, Serialize)]
#[allow(clippy::struct_field_names, reason = "as the schema has it")]
pub(super) struct Text {
    #[serde(flatten)]
    pub(super) item: Item,
    pub(super) label: Label,
    pub(super) prov: [Provenance; 1],
    #[serde(flatten)]
    pub(super) said: Said,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) formatting: Option<Formatting>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hyperlink: Option<String>,
    /// Of a section header, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) level: Option<u8>,
    /// Of an item of a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) enumerated: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) marker: Option<Cow<'static, str>>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<CodeParts>,
}

/// What a text says.
#[derive(Default)]
pub(super) struct Said(pub(super) String);

impl Serialize for Said {
    /// As it stood, and as it is read: both the same here.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Said", 2)?;
        fields.serialize_field("orig", &self.0)?;
        fields.serialize_field("text", &self.0)?;
        fields.end()
    }
}

/// What code has besides.
#[derive(Serialize)]
pub(super) struct CodeParts {
    captions: [(); 0],
    references: [(); 0],
    footnotes: [(); 0],
    code_language: &'static str,
}

impl Default for CodeParts {
    fn default() -> Self {
        Self { captions: [], references: [], footnotes: [], code_language: "unknown" }
    }
}

#[derive(Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "as the schema has it")]
pub(super) struct Formatting {
    pub(super) bold: bool,
    pub(super) italic: bool,
    pub(super) underline: bool,
    pub(super) strikethrough: bool,
    pub(super) script: &'static str,
}

impl Default for Formatting {
    fn default() -> Self {
        Self { bold: false, italic: false, underline: false, strikethrough: false, script: "baseline" }
    }
}

/// Where an item stands.
#[derive(Default, Serialize)]
pub(super) struct Provenance {
    page_no: u32,
    bbox: Bbox,
    charspan: [usize; 2],
}

impl Provenance {
    /// On a page, in points from its left and top edge, with a text of so many characters.
    pub(super) const fn new(page_no: u32, [l, t, r, b]: [f32; 4], length: usize) -> Self {
        Self { page_no, bbox: Bbox { l, t, r, b, coord_origin: "TOPLEFT" }, charspan: [0, length] }
    }
}

#[derive(Default, Serialize)]
struct Bbox {
    l: f32,
    t: f32,
    r: f32,
    b: f32,
    coord_origin: &'static str,
}

/// What pictures and tables have.
#[derive(Serialize)]
pub(super) struct Floating {
    #[serde(flatten)]
    pub(super) item: Item,
    label: &'static str,
    prov: [Provenance; 1],
    pub(super) captions: Vec<Reference>,
    references: [(); 0],
    footnotes: [(); 0],
}

impl Floating {
    pub(super) const fn new(label: &'static str, item: Item, prov: Provenance) -> Self {
        Self { item, label, prov: [prov], captions: Vec::new(), references: [], footnotes: [] }
    }
}

#[derive(Serialize)]
pub(super) struct Picture {
    #[serde(flatten)]
    pub(super) floating: Floating,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<ImageRef>,
    annotations: [(); 0],
}

impl Picture {
    pub(super) const fn new(floating: Floating, image: Option<ImageRef>) -> Self {
        Self { floating, image, annotations: [] }
    }
}

/// The file of a picture.
#[derive(Serialize)]
pub(super) struct ImageRef {
    mimetype: &'static str,
    dpi: u32,
    size: Size,
    uri: String,
    #[serde(skip)]
    name: ImageName,
}

impl ImageRef {
    pub(super) fn of(file: &PageImageView) -> Self {
        #[allow(clippy::cast_precision_loss, reason = "pixels of a side")]
        let size = Size { width: file.width as f32, height: file.height as f32 };
        let mimetype = if file.name.kind() == ImageKind::Png { "image/png" } else { "image/jpeg" };
        Self { mimetype, dpi: 72, size, uri: file.name.as_str().to_owned(), name: file.name.clone() }
    }
}

#[derive(Serialize)]
pub(super) struct Table {
    #[serde(flatten)]
    pub(super) floating: Floating,
    pub(super) data: TableData,
}

#[derive(Default, Serialize)]
pub(super) struct TableData {
    pub(super) table_cells: Vec<Cell>,
    pub(super) num_rows: usize,
    pub(super) num_cols: usize,
}

#[derive(Default, Serialize)]
pub(super) struct Cell {
    pub(super) row_span: u32,
    pub(super) col_span: u32,
    pub(super) start_row_offset_idx: u32,
    pub(super) end_row_offset_idx: u32,
    pub(super) start_col_offset_idx: usize,
    pub(super) end_col_offset_idx: usize,
    pub(super) text: String,
    pub(super) column_header: bool,
    pub(super) row_header: bool,
    pub(super) row_section: bool,
}

/// A list.
#[derive(Serialize)]
pub(super) struct Group {
    #[serde(flatten)]
    pub(super) item: Item,
    pub(super) name: &'static str,
    pub(super) label: &'static str,
}

impl Default for Group {
    fn default() -> Self {
        Self { item: Item::default(), name: "list", label: "list" }
    }
}

#[derive(Serialize)]
struct Page {
    page_no: u32,
    size: Size,
}

#[derive(Serialize)]
pub(super) struct Size {
    pub(super) width: f32,
    pub(super) height: f32,
}
