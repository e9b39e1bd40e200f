//! What a page reads like comes from nothing but what its hash covers.
//!
//! Every entry, element and stream of files that use everything a reader consults is changed, one at a time and in every
//! way that its kind allows, and entries are added that are not there, a part of all that could be. Pages that have one hash, in whatever files, must
//! read alike: the same Markdown, the same facts, the same picture. So whatever a reader consults in these files and the
//! hash leaves out fails here, without a list of it to be kept.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use bindery::content::PageContent;
use bindery::document::{ContentHash, Document, DocumentLimits, ImageOptions, PageFacts};
use lopdf::{Dictionary, Object, ObjectId};

use crate::support::corpus::{corpus, manifest};
use crate::support::featured::featured;
use crate::support::{mix, with};

/// From an object to a value in it.
#[derive(Clone)]
enum Step {
    Key(Vec<u8>),
    At(usize),
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key(key) => write!(f, "/{}", String::from_utf8_lossy(key)),
            Self::At(at) => write!(f, "[{at}]"),
        }
    }
}

#[derive(Clone, Debug)]
enum Change {
    Remove,
    Set(Object),
    /// Of an entry: it has another key.
    Rename(Vec<u8>),
    /// Of a dictionary: it has this, too.
    Add(Vec<u8>, Object),
    /// Of a stream.
    Data(Vec<u8>),
}

#[derive(Clone, Debug)]
struct Mutation {
    object: ObjectId,
    path: Vec<Step>,
    change: Change,
}

/// Names that mean something to one reader or another.
const NAMES: [&str; 16] = [
    "Off",
    "OFF",
    "OCG",
    "OCMD",
    "AllOff",
    "Page",
    "Catalog",
    "Image",
    "Form",
    "Btn",
    "Tx",
    "Widget",
    "Link",
    "Type3",
    "DeviceRGB",
    "Pagination",
];
/// Of so many entries that a dictionary could have, too, one is tried; no divisor of how many keys there are.
const ADDED: usize = 7;
/// Keys that are left out somewhere, or once were.
const KEYS: [&str; 6] = ["Zz", "DL", "Length", "Metadata", "Parent", "StructParents"];

impl Mutation {
    fn apply(&self, pdf: &mut lopdf::Document) {
        let Some(mut value) = pdf.objects.get_mut(&self.object) else { return };
        let (last, above) = self.path.split_last().map_or((None, &[][..]), |(last, above)| (Some(last), above));
        for step in above {
            value = match (step, value) {
                (Step::Key(key), Object::Dictionary(dict)) => dict.get_mut(key).unwrap(),
                (Step::Key(key), Object::Stream(stream)) => stream.dict.get_mut(key).unwrap(),
                (Step::At(at), Object::Array(items)) => &mut items[*at],
                (step, value) => panic!("{step:?} of {value:?}"),
            };
        }
        match (last, value, &self.change) {
            (Some(Step::At(at)), Object::Array(items), Change::Remove) => drop(items.remove(*at)),
            (Some(Step::At(at)), Object::Array(items), Change::Set(other)) => items[*at] = other.clone(),
            (Some(Step::At(at)), Object::Array(items), Change::Add(key, other)) => {
                items[*at].as_dict_mut().unwrap().set(key.clone(), other.clone());
            }
            (Some(Step::Key(key)), value, change) => {
                let dict = dict_of(value);
                match change {
                    Change::Remove => drop(dict.remove(key)),
                    Change::Set(other) => dict.set(key.clone(), other.clone()),
                    Change::Rename(name) => {
                        let entry = dict.remove(key).unwrap();
                        dict.set(name.clone(), entry);
                    }
                    Change::Add(name, other) => {
                        dict_of(dict.get_mut(key).unwrap()).set(name.clone(), other.clone());
                    }
                    Change::Data(_) => unreachable!("streams are objects"),
                }
            }
            (None, Object::Stream(stream), Change::Data(data)) => stream.set_content(data.clone()),
            (None, value, Change::Add(key, other)) => dict_of(value).set(key.clone(), other.clone()),
            (None, value, Change::Set(other)) => *value = other.clone(),
            (step, value, change) => panic!("{change:?} at {step:?} of {value:?}"),
        }
    }
}

fn dict_of(value: &mut Object) -> &mut Dictionary {
    match value {
        Object::Dictionary(dict) => dict,
        Object::Stream(stream) => &mut stream.dict,
        other => panic!("no dictionary: {other:?}"),
    }
}

/// Every change of a document.
struct Changes {
    ids: Vec<ObjectId>,
    /// Every key of the document with a value that it has somewhere.
    known: BTreeMap<Vec<u8>, Object>,
    all: Vec<Mutation>,
    /// How many entries could have been added so far.
    adds: usize,
}

impl Changes {
    fn of(pdf: &lopdf::Document) -> Vec<Mutation> {
        let mut changes =
            Self { ids: pdf.objects.keys().copied().collect(), known: BTreeMap::new(), all: Vec::new(), adds: 0 };
        pdf.objects.values().for_each(|object| changes.learn(object));
        for (id, object) in &pdf.objects {
            changes.value(*id, &mut Vec::new(), object);
            if let Object::Stream(stream) = object {
                let data = &stream.content;
                let cut = &data[..data.len().saturating_sub(1)];
                let mut other = data.clone();
                if let Some(byte) = other.get_mut(data.len() / 2) {
                    *byte ^= 1;
                }
                for data in [cut.to_vec(), other, [b" ", &data[..]].concat()] {
                    changes.all.push(Mutation { object: *id, path: Vec::new(), change: Change::Data(data) });
                }
            }
        }
        changes.all
    }

    fn learn(&mut self, value: &Object) {
        match value {
            Object::Array(items) => items.iter().for_each(|item| self.learn(item)),
            Object::Dictionary(dict) => self.learn_dict(dict),
            Object::Stream(stream) => self.learn_dict(&stream.dict),
            _ => {}
        }
    }

    fn learn_dict(&mut self, dict: &Dictionary) {
        for (key, value) in dict {
            self.known.entry(key.clone()).or_insert_with(|| value.clone());
            self.learn(value);
        }
    }

    fn add(&mut self, object: ObjectId, path: &[Step], change: Change) {
        self.all.push(Mutation { object, path: path.to_vec(), change });
    }

    fn value(&mut self, id: ObjectId, path: &mut Vec<Step>, value: &Object) {
        let dict = match value {
            Object::Dictionary(dict) => Some(dict),
            Object::Stream(stream) => Some(&stream.dict),
            _ => None,
        };
        if let Object::Array(items) = value {
            for (at, item) in items.iter().enumerate() {
                path.push(Step::At(at));
                self.entry(id, path, item);
                path.pop();
            }
        }
        let Some(dict) = dict else { return };
        for (key, other) in self.known.clone().into_iter().filter(|(key, _)| !dict.has(key)) {
            self.adds += 1;
            if self.adds.is_multiple_of(ADDED) {
                self.add(id, path, Change::Add(key, other));
            }
        }
        for (key, value) in dict {
            path.push(Step::Key(key.clone()));
            for name in KEYS.iter().filter(|name| name.as_bytes() != key) {
                self.add(id, path, Change::Rename(name.as_bytes().to_vec()));
            }
            self.entry(id, path, value);
            path.pop();
        }
    }

    fn entry(&mut self, id: ObjectId, path: &mut Vec<Step>, value: &Object) {
        self.add(id, path, Change::Remove);
        let name = |name: &[u8]| Object::Name(name.to_vec());
        let mut others = vec![Object::Null, Object::Reference((9_999, 0))];
        match value {
            Object::Integer(n) => others.extend([n + 1, n - 1, 0, 2, n * 2].map(Object::Integer)),
            Object::Real(x) => others.extend([x + 1.0, x / 2.0, 0.0].map(Object::Real)),
            Object::Boolean(is) => others.push(Object::Boolean(!is)),
            Object::Name(old) => {
                others.push(name(&[&old[..], b"X"].concat()));
                others.extend(NAMES.map(|other| name(other.as_bytes())));
            }
            Object::String(old, _) => {
                others.extend(
                    [[&old[..], b"x"].concat(), b"https://x.org".to_vec(), Vec::new()].map(Object::string_literal),
                );
            }
            Object::Array(items) => {
                others.push(Object::Array(items.iter().rev().cloned().collect()));
                others.push(Object::Array(Vec::new()));
                others.push(Object::Array([&items[..], &items[..]].concat()));
            }
            Object::Dictionary(_) => others.push(Object::Dictionary(Dictionary::new())),
            Object::Reference(old) => {
                let at = self.ids.iter().position(|id| id == old).unwrap_or(0);
                others.extend([1, 2, 5].map(|by| Object::Reference(self.ids[(at + by) % self.ids.len()])));
            }
            _ => {}
        }
        for other in others.into_iter().filter(|other| other != value) {
            self.add(id, path, Change::Set(other));
        }
        self.value(id, path, value);
    }
}

/// What a page reads like.
#[derive(Clone, Debug, PartialEq)]
struct Reading {
    text: Result<PageContent, String>,
    facts: Result<PageFacts, String>,
    picture: Result<Vec<u8>, String>,
}

/// One document whose changes are made one at a time.
struct Trial<'a> {
    name: String,
    original: lopdf::Document,
    mutations: Vec<Mutation>,
    dir: &'a Path,
    /// Which change was the first to have a page of this hash, and which page that was; `None` for no change at all.
    first: HashMap<ContentHash, (Option<usize>, u32)>,
    /// What that page reads like, once another one has the same hash.
    read: HashMap<ContentHash, Reading>,
    compared: usize,
}

impl<'a> Trial<'a> {
    fn new(name: &str, original: lopdf::Document, dir: &'a Path) -> Self {
        let mutations = Changes::of(&original);
        let (first, read) = (HashMap::new(), HashMap::new());
        Self { name: name.to_owned(), original, mutations, dir, first, read, compared: 0 }
    }

    /// The document with one change, or with none, in a file of its own; `None` when it is a document no more.
    fn document(&self, change: Option<usize>, file: &Path) -> Option<Document> {
        let mut pdf = self.original.clone();
        if let Some(at) = change {
            self.mutations[at].apply(&mut pdf);
        }
        // An open document is mapped: its file stays as it is.
        let _ = std::fs::remove_file(file);
        pdf.save(file).unwrap();
        Document::open(file, None, &DocumentLimits::default()).ok()
    }

    /// Makes a change, or none, and compares its pages with those that were seen before.
    fn make(&mut self, change: Option<usize>, wrong: &mut Vec<String>) {
        let Some(document) = self.document(change, &self.dir.join("now.pdf")) else { return };
        for page in 1..=document.page_count().min(3) {
            let Ok(hash) = document.reader().content_hash(page) else { continue };
            let Some(&(before, page_before)) = self.first.get(&hash) else {
                self.first.insert(hash, (change, page));
                continue;
            };
            if !self.read.contains_key(&hash) {
                let document = self.document(before, &self.dir.join("before.pdf")).unwrap();
                self.read.insert(hash, reading(&document, page_before));
            }
            self.compared += 1;
            let now = reading(&document, page);
            let then = &self.read[&hash];
            if now != *then {
                let told = |change: Option<usize>| change.map(|at| &self.mutations[at]);
                let parts = (now.text != then.text, now.facts != then.facts, now.picture != then.picture);
                wrong.push(format!("{}: {:?} and {:?} differ in {parts:?}", self.name, told(before), told(change)));
            }
        }
    }
}

fn reading(document: &Document, page: u32) -> Reading {
    let mut reader = document.reader();
    let code = |why: bindery::task::Failure| why.code.to_string();
    let options = with(ImageOptions::default(), |image| image.dpi = 12.0);
    // A label and titles belong to the page's number, and are no part of what is kept for it.
    let plain = |facts: PageFacts| with(facts, |facts| (facts.page, facts.label, facts.titles) = (0, None, Vec::new()));
    Reading {
        text: reader.text(page).map_err(code),
        facts: reader.facts(page).map(plain).map_err(code),
        picture: reader.image(page, &options).map(|image| image.bytes).map_err(code),
    }
}

/// Makes every change of one document.
fn every_change(name: &str) {
    let dir = tempfile::tempdir().unwrap();
    let pdf = lopdf::Document::load_mem(&featured(name)).unwrap();
    let mut trial = Trial::new(name, pdf, dir.path());
    let mut wrong = Vec::new();
    trial.make(None, &mut wrong);
    (0..trial.mutations.len()).for_each(|at| trial.make(Some(at), &mut wrong));
    let (all, hashes) = (trial.mutations.len(), trial.first.len());
    println!("{name}: {all} changes, {hashes} hashes, {} compared, {} wrong", trial.compared, wrong.len());
    let some = wrong.iter().take(40).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} pages of one hash read otherwise:\n{some}", wrong.len());
    assert!(hashes > all / 10, "hardly a change made a difference");
}

#[test]
fn pages_of_one_hash_read_alike_whatever_was_changed_of_their_fonts() {
    every_change("fonts");
}

#[test]
fn pages_of_one_hash_read_alike_whatever_was_changed_of_their_forms_and_images() {
    every_change("forms");
}

#[test]
fn pages_of_one_hash_read_alike_whatever_was_changed_of_their_layers() {
    every_change("layers");
}

#[test]
fn pages_of_one_hash_read_alike_whatever_was_changed_of_their_fields_and_links() {
    every_change("fields");
}

#[test]
fn pages_of_one_hash_read_alike_whatever_was_changed_of_what_they_inherit() {
    every_change("inherited");
}

/// Some changes of each file; the documents of the other tests have them all. `BINDERY_CHANGES` names how many.
#[test]
fn pages_of_public_files_of_one_hash_read_alike() {
    const LARGEST: u64 = 60_000;
    let changes = std::env::var("BINDERY_CHANGES").map_or(12, |changes| changes.parse().unwrap());
    let Some(corpus) = corpus() else {
        println!("the corpus is skipped: BINDERY_CORPUS names its folder");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let (mut wrong, mut files, mut compared) = (Vec::new(), 0, 0);
    for (name, listed) in manifest(&corpus) {
        let path = corpus.join(&name);
        let small = path.metadata().is_ok_and(|file| file.len() < LARGEST);
        if !small || name.contains("evil_") || !listed.password.is_empty() {
            continue;
        }
        let Ok(original) = lopdf::Document::load(&path) else { continue };
        let mut trial = Trial::new(&name, original, dir.path());
        trial.make(None, &mut wrong);
        let mut chance = 20_261_126;
        for _ in 0..changes.min(trial.mutations.len()) {
            chance = mix(chance);
            let at = usize::try_from(chance % u64::try_from(trial.mutations.len()).unwrap()).unwrap();
            trial.make(Some(at), &mut wrong);
        }
        files += 1;
        compared += trial.compared;
    }
    println!("{files} files, {compared} compared");
    assert!(wrong.is_empty(), "{} pages of one hash read otherwise:\n{}", wrong.len(), wrong.join("\n"));
}
