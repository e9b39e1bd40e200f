//! Page-range PDFs, for endpoints and people that want PDFs.
//!
//! The file is parsed once; each part then costs time in proportion to its own objects. A part is the closure of its
//! pages: references are followed from each page but never into another page, the page tree, the catalog or the
//! structure tree, which would drag in the whole document.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use lopdf::{Dictionary, LoadOptions, Object, ObjectId, StringFormat};

use super::Document;
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
    /// `pdf_encrypted` or `pdf_damaged` when the file cannot be parsed for writing, or when the two parsers disagree
    /// about how many pages there are, so that page N could be another page.
    pub fn open(path: &Path, password: Option<&str>, document: &Document) -> Result<Self, Failure> {
        let damaged =
            || Failure::permanent(code::PDF_DAMAGED, "the PDF is too damaged to be split: its page tree is ambiguous");
        let options = password.map_or_else(LoadOptions::default, LoadOptions::with_password);
        let source = lopdf::Document::load_with_options(path, options).map_err(|_| damaged())?;
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
            Failure::passing(code::STORAGE_FAILED, format!("the part cannot be written: {}", error.kind()))
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
}

impl<'a> Part<'a> {
    fn new(source: &'a lopdf::Document) -> Self {
        let mut target = lopdf::Document::new();
        target.version.clone_from(&source.version);
        Self { source, target, renumbered: HashMap::new(), waiting: Vec::new() }
    }

    fn add_pages(&mut self, pages: &[ObjectId]) {
        let tree = self.target.new_object_id();
        for &page in pages {
            let id = self.target.new_object_id();
            self.renumbered.insert(page, id);
        }
        let mut widgets = Vec::new();
        for page in pages {
            let mut dict = self.page_dict(*page);
            widgets.extend(self.widgets(&dict));
            self.renumber_dict(&mut dict);
            dict.set("Parent", Object::Reference(tree));
            self.target.objects.insert(self.renumbered[page], Object::Dictionary(dict));
        }
        let catalog = self.catalog(tree, &widgets);
        self.copy_waiting();
        let kids: Vec<Object> = pages.iter().map(|page| Object::Reference(self.renumbered[page])).collect();
        let mut root = Dictionary::new();
        root.set("Type", Object::Name(b"Pages".to_vec()));
        root.set("Count", Object::Integer(i64::try_from(kids.len()).unwrap_or(i64::MAX)));
        root.set("Kids", Object::Array(kids));
        self.target.objects.insert(tree, Object::Dictionary(root));
        let catalog = self.target.add_object(catalog);
        self.target.trailer.set("Root", Object::Reference(catalog));
    }

    /// A page's own dictionary with what it inherits, without what leads out of it.
    fn page_dict(&self, page: ObjectId) -> Dictionary {
        let mut dict = self.source.get_dictionary(page).cloned().unwrap_or_default();
        let mut ancestor = dict.get(b"Parent").and_then(Object::as_reference).ok();
        for _ in 0..MAX_TREE_DEPTH {
            let Some(node) = ancestor.and_then(|id| self.source.get_dictionary(id).ok()) else { break };
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
        dict
    }

    /// The form fields on a page: a viewer shows a field only when the form lists it.
    fn widgets(&self, page: &Dictionary) -> Vec<ObjectId> {
        let annotations = page.get(b"Annots").ok().and_then(|object| self.source.dereference(object).ok());
        let Some((_, Object::Array(list))) = annotations else { return Vec::new() };
        let ids = list.iter().filter_map(|annotation| annotation.as_reference().ok());
        let is_widget = |id: &ObjectId| {
            let subtype = self.source.get_dictionary(*id).and_then(|dict| dict.get(b"Subtype"));
            subtype.and_then(Object::as_name).is_ok_and(|name| name == b"Widget")
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
            let fields = widgets.iter().map(|id| Object::Reference(*id)).collect();
            form.set("Fields", Object::Array(fields));
            self.renumber_dict(&mut form);
            catalog.set("AcroForm", Object::Dictionary(form));
        }
        catalog
    }

    fn copy_waiting(&mut self) {
        while let Some(id) = self.waiting.pop() {
            let mut object = self.source.get_object(id).cloned().unwrap_or(Object::Null);
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
