//! Files that are attached to a document or to a page (PDF 32000-1, 7.11.4 and 12.5.6.15): their names.

use hayro_syntax::Pdf;
use hayro_syntax::object::dict::keys;
use hayro_syntax::object::{Array, Dict, Name, Object, String as PdfString};
use hayro_syntax::page::Page;

use super::outline::text_string;

/// The most names that are kept; the others are counted by the caller's list being this long.
pub(crate) const MOST_FILES: usize = 100;
/// The most characters of a name.
const MOST_CHARS: usize = 120;
/// A tree of names is at most so deep, and has so many nodes.
const MOST_DEPTH: u32 = 16;
const MOST_NODES: u32 = 2_000;

/// The names of the files that are attached to the document as a whole.
pub(super) fn to_document(pdf: &Pdf) -> Vec<String> {
    let xref = pdf.xref();
    let Some(catalog) = xref.get::<Dict<'_>>(xref.root_id()) else { return Vec::new() };
    let mut files = Files::default();
    let tree = catalog.get::<Dict<'_>>("Names").and_then(|names| names.get::<Dict<'_>>("EmbeddedFiles"));
    if let Some(tree) = tree {
        files.below(&tree, 0);
    }
    files.associated(&catalog);
    files.names
}

/// The names of the files that are attached to a page, or to a place on it.
pub(super) fn to_page(page: &Page<'_>) -> Vec<String> {
    let mut files = Files::default();
    let annotations = page.raw().get::<Array<'_>>(keys::ANNOTS);
    for annotation in annotations.iter().flat_map(Array::iter::<Dict<'_>>) {
        let is_file = annotation.get::<Name<'_>>(keys::SUBTYPE).as_deref() == Some(b"FileAttachment");
        if let Some(file) = annotation.get::<Dict<'_>>("FS").filter(|_| is_file) {
            files.add(&file, None);
        }
    }
    files.associated(page.raw());
    files.names
}

#[derive(Default)]
struct Files {
    names: Vec<String>,
    nodes: u32,
}

impl Files {
    /// Those of a node of a tree of names.
    fn below(&mut self, node: &Dict<'_>, depth: u32) {
        self.nodes += 1;
        if depth > MOST_DEPTH || self.nodes > MOST_NODES {
            return;
        }
        if let Some(entries) = node.get::<Array<'_>>("Names") {
            let mut key = None;
            for entry in entries.iter::<Object<'_>>() {
                match entry {
                    Object::String(name) => key = Some(said(&name)),
                    Object::Dict(file) => self.add(&file, key.take()),
                    _ => {}
                }
            }
        }
        for kid in node.get::<Array<'_>>("Kids").iter().flat_map(Array::iter::<Dict<'_>>) {
            self.below(&kid, depth + 1);
        }
    }

    /// Associated files (PDF 32000-2, 14.13).
    fn associated(&mut self, of: &Dict<'_>) {
        for file in of.get::<Array<'_>>("AF").iter().flat_map(Array::iter::<Dict<'_>>) {
            self.add(&file, None);
        }
    }

    /// A file specification. One without a stream only names a file elsewhere.
    fn add(&mut self, file: &Dict<'_>, key: Option<String>) {
        if file.get::<Dict<'_>>("EF").is_none() {
            return;
        }
        let own = ["UF", "F"].into_iter().filter_map(|key| file.get::<PdfString<'_>>(key)).map(|name| said(&name));
        let name = own.chain(key).find(|name| !name.is_empty()).unwrap_or_else(|| "a file without a name".to_owned());
        if self.names.len() < MOST_FILES && !self.names.contains(&name) {
            self.names.push(name);
        }
    }
}

fn said(name: &PdfString<'_>) -> String {
    let name: String = text_string(name.as_bytes()).chars().filter(|c| !c.is_control()).take(MOST_CHARS).collect();
    name.trim().to_owned()
}
