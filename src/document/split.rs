//! Page-range PDFs, for endpoints and people that want PDFs.
//!
//! The file is parsed once; each part then costs time in proportion to its own objects. A part is the closure of its
//! pages: references are followed from each page but never into another page, the page tree, the catalog or the
//! structure tree, which would drag in the whole document.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use lopdf::{Dictionary, LoadOptions, Object, ObjectId, StringFormat};

#[cfg(feature = "render")]
use super::picture::PictureKind;
#[cfg(not(feature = "render"))]
use super::undrawn::PictureKind;
use super::{Document, lock, repair};
use crate::task::{Failure, code};

/// A parsed PDF that parts can be cut from. It holds the whole file in memory; encrypted files come out decrypted.
pub struct Splitter {
    source: lopdf::Document,
    pages: BTreeMap<u32, ObjectId>,
}

impl Splitter {
    /// Parses the file at `path`. `document` is the same file as the reading parser sees it; it owns the page numbers.
    ///
    /// # Errors
    /// `not_a_pdf` for a picture; `pdf_encrypted` or `pdf_damaged` when the file cannot be parsed for writing, or when the two parsers disagree
    /// about how many pages there are, so that page N could be another page.
    pub fn open(path: &Path, password: Option<&str>, document: &Document) -> Result<Self, Failure> {
        let damaged =
            || Failure::permanent(code::PDF_DAMAGED, "the PDF is too damaged to be split: its page tree is ambiguous");
        let options = password.map_or_else(LoadOptions::default, LoadOptions::with_password);
        let file = std::fs::read(path).map_err(|error| {
            Failure::transient(code::STORAGE_FAILED, format!("the PDF cannot be read: {}", error.kind()))
        })?;
        if PictureKind::of(&file).is_some() {
            let message = "a picture has no parts that would be PDFs: convert it as it is";
            return Err(Failure::permanent(code::NOT_A_PDF, message));
        }
        let file = repair::mended(&file).unwrap_or(file);
        let source =
            lopdf::Document::load_mem_with_options(&lock::with_own_lock(&file), options).map_err(|_| damaged())?;
        if source.is_encrypted() {
            return Err(Failure::permanent(code::PDF_ENCRYPTED, "the password does not open this PDF for splitting"));
        }
        let pages = source.get_pages();
        if pages.len() != document.page_count() as usize {
            return Err(damaged());
        }
        Ok(Self { source, pages })
    }

    /// A PDF of `pages` (numbers from 1, in the order given).
    ///
    /// # Errors
    /// `bad_page_range` when a page is not there; `storage_failed` when the part cannot be written.
    pub fn part(&self, pages: impl IntoIterator<Item = u32>) -> Result<Vec<u8>, Failure> {
        let mut part = Part::new(&self.source);
        let mut chosen = Vec::new();
        for number in pages {
            let page = self.pages.get(&number).ok_or_else(|| {
                let message = format!("the PDF has no page {number}: it has {}", self.pages.len());
                Failure::permanent(code::BAD_PAGE_RANGE, message)
            })?;
            chosen.push(*page);
        }
        part.add_pages(&chosen);
        part.finish().map_err(|error| {
            Failure::transient(code::STORAGE_FAILED, format!("the part cannot be written: {}", error.kind()))
        })
    }
}

/// Attributes that a page inherits from its ancestors (PDF 32000-1, table 30).
const INHERITED: [&[u8]; 4] = [b"Resources", b"MediaBox", b"CropBox", b"Rotate"];
/// Entries of a page that only mean something inside the whole document.
const DOCUMENT_ONLY: [&[u8]; 4] = [b"Parent", b"StructParents", b"B", b"Tabs"];
/// Deeper page trees are damaged ones.
const MAX_TREE_DEPTH: usize = 256;

struct Part<'a> {
    source: &'a lopdf::Document,
    target: lopdf::Document,
    renumbered: HashMap<ObjectId, ObjectId>,
    waiting: Vec<ObjectId>,
    /// Of each form field with parts, those that are on the pages.
    field_parts: HashMap<ObjectId, Vec<ObjectId>>,
}

impl<'a> Part<'a> {
    fn new(source: &'a lopdf::Document) -> Self {
        let mut target = lopdf::Document::new();
        target.version.clone_from(&source.version);
        Self { source, target, renumbered: HashMap::new(), waiting: Vec::new(), field_parts: HashMap::new() }
    }

    fn add_pages(&mut self, pages: &[ObjectId]) {
        let tree = self.target.new_object_id();
        let ids: Vec<ObjectId> = pages.iter().map(|_| self.target.new_object_id()).collect();
        for (page, id) in pages.iter().zip(&ids) {
            self.renumbered.entry(*page).or_insert(*id);
        }
        let mut widgets = Vec::new();
        for (page, id) in pages.iter().zip(&ids) {
            let mut dict = self.page_dict(*page);
            widgets.extend(self.widgets(&dict));
            self.renumber_dict(&mut dict);
            dict.set("Parent", Object::Reference(tree));
            self.target.objects.insert(*id, Object::Dictionary(dict));
        }
        let catalog = self.catalog(tree, &widgets);
        self.copy_waiting();
        let count = i64::try_from(ids.len()).unwrap_or(i64::MAX);
        let mut root = Dictionary::new();
        root.set("Type", Object::Name(b"Pages".to_vec()));
        root.set("Count", Object::Integer(count));
        root.set("Kids", references(&ids));
        self.target.objects.insert(tree, Object::Dictionary(root));
        let catalog = self.target.add_object(catalog);
        self.target.trailer.set("Root", Object::Reference(catalog));
    }

    /// A page's own dictionary with what it inherits, without what leads out of it.
    fn page_dict(&self, page: ObjectId) -> Dictionary {
        let mut dict = self.dict(page).cloned().unwrap_or_default();
        let mut ancestor = dict.get(b"Parent").and_then(Object::as_reference).ok();
        for _ in 0..MAX_TREE_DEPTH {
            let Some(node) = ancestor.and_then(|id| self.dict(id)) else { break };
            for key in INHERITED {
                if let (false, Ok(value)) = (dict.has(key), node.get(key)) {
                    dict.set(key.to_vec(), value.clone());
                }
            }
            ancestor = node.get(b"Parent").and_then(Object::as_reference).ok();
        }
        for key in DOCUMENT_ONLY {
            dict.remove(key);
        }
        // It is one, whatever it says it is.
        dict.set("Type", Object::Name(b"Page".to_vec()));
        dict
    }

    /// An object that is a dictionary, or has one: some writers make a stream of what should be none.
    fn dict(&self, id: ObjectId) -> Option<&'a Dictionary> {
        match self.source.get_object(id).ok()? {
            Object::Dictionary(dict) => Some(dict),
            Object::Stream(stream) => Some(&stream.dict),
            _ => None,
        }
    }

    /// The form fields on a page: a viewer shows a field only when the form lists it.
    fn widgets(&self, page: &Dictionary) -> Vec<ObjectId> {
        let annotations = page.get(b"Annots").ok().and_then(|object| self.source.dereference(object).ok());
        let Some((_, Object::Array(list))) = annotations else { return Vec::new() };
        let ids = list.iter().filter_map(|annotation| annotation.as_reference().ok());
        let is_widget = |id: &ObjectId| {
            let subtype = self.dict(*id).and_then(|dict| dict.get(b"Subtype").ok());
            subtype.and_then(|name| name.as_name().ok()).is_some_and(|name| name == b"Widget")
        };
        ids.filter(is_widget).collect()
    }

    fn catalog(&mut self, tree: ObjectId, widgets: &[ObjectId]) -> Dictionary {
        let mut catalog = Dictionary::new();
        catalog.set("Type", Object::Name(b"Catalog".to_vec()));
        catalog.set("Pages", Object::Reference(tree));
        let Ok(original) = self.source.catalog() else { return catalog };
        if let Ok(layers) = original.get(b"OCProperties") {
            let mut layers = layers.clone();
            self.renumber(&mut layers);
            catalog.set("OCProperties", layers);
        }
        let form = original.get(b"AcroForm").ok().and_then(|form| self.source.dereference(form).ok());
        if let (false, Some((_, Object::Dictionary(form)))) = (widgets.is_empty(), form) {
            let mut form = form.clone();
            form.remove(b"XFA");
            form.set("Fields", references(&self.fields(widgets)));
            self.renumber_dict(&mut form);
            catalog.set("AcroForm", Object::Dictionary(form));
        }
        catalog
    }

    /// The fields that widgets belong to. A field may have parts on other pages, which stay there.
    fn fields(&mut self, widgets: &[ObjectId]) -> Vec<ObjectId> {
        let (mut fields, mut seen) = (Vec::new(), HashSet::new());
        for widget in widgets {
            let mut top = *widget;
            for _ in 0..MAX_TREE_DEPTH {
                let parent = self.dict(top).and_then(|dict| dict.get(b"Parent").ok()?.as_reference().ok());
                let Some(parent) = parent.filter(|parent| self.dict(*parent).is_some()) else { break };
                if seen.insert((parent, top)) {
                    self.field_parts.entry(parent).or_default().push(top);
                }
                top = parent;
            }
            if seen.insert((top, top)) {
                fields.push(top);
            }
        }
        fields
    }

    fn copy_waiting(&mut self) {
        while let Some(id) = self.waiting.pop() {
            let mut object = self.source.get_object(id).cloned().unwrap_or(Object::Null);
            if let (Some(parts), Ok(field)) = (self.field_parts.get(&id), object.as_dict_mut()) {
                field.set("Kids", references(parts));
            }
            self.renumber(&mut object);
            self.target.objects.insert(self.renumbered[&id], object);
        }
    }

    /// Points every reference in `object` at its copy, and queues what is not copied yet. Nesting of direct objects is
    /// bounded by the parser that made them.
    fn renumber(&mut self, object: &mut Object) {
        match object {
            Object::Reference(id) => match self.copy_of(*id) {
                Some(copy) => *id = copy,
                None => *object = Object::Null,
            },
            Object::Array(items) => items.iter_mut().for_each(|item| self.renumber(item)),
            Object::Dictionary(dict) => self.renumber_dict(dict),
            Object::Stream(stream) => self.renumber_dict(&mut stream.dict),
            // The writer escapes literal strings in quadratic time.
            Object::String(_, format) => *format = StringFormat::Hexadecimal,
            _ => {}
        }
    }

    fn renumber_dict(&mut self, dict: &mut Dictionary) {
        dict.iter_mut().for_each(|(_, value)| self.renumber(value));
    }

    fn copy_of(&mut self, id: ObjectId) -> Option<ObjectId> {
        if let Some(copy) = self.renumbered.get(&id) {
            return Some(*copy);
        }
        if self.leads_out(id) {
            return None;
        }
        let copy = self.target.new_object_id();
        self.renumbered.insert(id, copy);
        self.waiting.push(id);
        Some(copy)
    }

    fn leads_out(&self, id: ObjectId) -> bool {
        let Ok(object) = self.source.get_object(id) else { return true };
        let kind = object.as_dict().and_then(|dict| dict.get(b"Type")).and_then(Object::as_name);
        kind.is_ok_and(|name| matches!(name, b"Page" | b"Pages" | b"Catalog" | b"StructTreeRoot" | b"StructElem"))
    }

    fn finish(mut self) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.target.save_to(&mut bytes)?;
        Ok(bytes)
    }
}

fn references(ids: &[ObjectId]) -> Object {
    Object::Array(ids.iter().map(|id| Object::Reference(*id)).collect())
}
