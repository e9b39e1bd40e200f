//! What a page shows, as a hash: the ledger's key.
//!
//! The hash is over the page's own closure: its decoded content, box, rotation, annotations with the values of their
//! fields, and those resources that its content names, followed to their ends; and over which of the layers in it are
//! hidden. It does not depend on how the file writes that: object numbers, positions,
//! object streams, compression, encryption and other pages do not count, so a page keeps its hash when its file is
//! saved again, linearized, decrypted, reordered, or edited on another page. A resource that is there and not named does
//! not count either, since programs that edit PDFs drop or share such entries as they like.
//!
//! **Rule.** Two pages with one hash read alike: as text, as facts, as a picture. What the readers of this module come to
//! consult must be in the hash, in the same commit. `tests/it/page_inputs.rs` changes every entry of files that use all
//! of it, one at a time, and compares what pages of equal hashes read like.
//!
//! Compound objects go in by their own hash, whether they are direct or behind a reference, so shared ones (fonts) are
//! hashed once a file.

use std::collections::{HashMap, HashSet};

use hayro_syntax::object::dict::keys;
use hayro_syntax::object::{Array, Dict, MaybeRef, Name, Object, ObjectIdentifier, Stream};
use hayro_syntax::page::{Page, Resources};
use hayro_syntax::xref::XRef;
use sha2::{Digest, Sha256};

use super::facts::Shell;
use super::text::{Field, Layers};

/// What a page shows.
pub type ContentHash = [u8; 32];

/// Raise it when the same page would hash differently.
const VERSION: u8 = 2;
/// Nesting beyond this is no page; it also bounds the stack.
const MAX_DEPTH: usize = 200;
/// Objects looked at for one page before it is given up: graphs can be made in which every path is another one.
const MAX_OBJECTS: usize = 500_000;
/// Entries of a stream that say how it is stored, or what only programs ask for. Of streams alone: elsewhere a key may be
/// the name of a glyph, a state, a layer or a resource, and those have any names.
const UNSHOWN_OF_STREAMS: [&[u8]; 7] =
    [b"Length", b"DL", b"StructParent", b"StructParents", b"Metadata", b"PieceInfo", b"LastModified"];
/// Entries that are part of a stream only as long as it is not decoded.
const FILTERS: [&[u8]; 2] = [b"Filter", b"DecodeParms"];
/// Entries of an annotation that decide what it looks like; its field and its target come to them.
const SHOWN_OF_ANNOTATIONS: [&[u8]; 6] = [b"Subtype", b"Rect", b"F", b"AP", b"AS", b"OC"];
/// Entries of an action that decide where a link leads.
const SHOWN_OF_ACTIONS: [&[u8]; 2] = [b"S", b"URI"];
/// Entries that count even if they hold nothing: the renderer looks only for whether they are there.
const BY_PRESENCE: [&[u8]; 7] = [b"SMask", b"Mask", b"SMaskInData", b"FontFile", b"FontFile3", b"CS", b"TR2"];
/// The colour spaces that are known by their names; others are looked up.
const DEVICES: [&[u8]; 7] = [b"DeviceGray", b"DeviceRGB", b"DeviceCMYK", b"G", b"RGB", b"CMYK", b"Pattern"];

/// Hashes of the shared objects of one file.
#[derive(Default)]
pub(super) struct SharedHashes {
    objects: HashMap<ObjectIdentifier, Hashed>,
    /// Which layers are hidden, once it is known.
    layers: Option<Layers>,
}

/// A compound object, hashed.
#[derive(Clone, Copy)]
struct Hashed {
    hash: ContentHash,
    /// Whether it takes resources from the page that uses it, as forms without their own do (PDF 32000-1, 7.8.3).
    borrows: bool,
}

/// There is no hash: the page is too deep or too tangled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooComplex;

/// The hash of what `page` shows.
pub(super) fn content_hash(
    page: &Page<'_>,
    xref: &XRef,
    shell: Option<Shell>,
    attached: &[String],
    shared: &mut SharedHashes,
) -> Result<ContentHash, TooComplex> {
    let mut walk = Walk { xref, shared, path: Vec::new(), budget: MAX_OBJECTS };
    let mut hash = Sha256::new();
    hash.update([VERSION]);
    let crop = page.intersected_crop_box();
    for length in [crop.x0, crop.y0, crop.x1, crop.y1] {
        number(&mut hash, length);
    }
    let (width, height) = page.render_dimensions();
    // The box without its rotation, and the box with it: which of four it is.
    hash.update([page.rotation() as u8, u8::from(width > height)]);
    number(&mut hash, page.raw().get::<f32>("UserUnit").map_or(1.0, f64::from));
    if let Some(shell) = shell {
        // What the first page says of the document.
        hash.update([b'd', shell as u8]);
    }
    for name in attached {
        bytes(&mut hash, b'f', name.as_bytes());
    }
    let content = page.page_stream().unwrap_or_default();
    bytes(&mut hash, b'c', content);

    let named = names_in(content);
    let resources = page.resources();
    let mut entries = Sha256::new();
    let mut borrows = walk.resources(resources, &mut entries, |name| named.contains(name))?.borrows;
    if let Some(annotations) = page.raw().get::<Array<'_>>(keys::ANNOTS) {
        for annotation in annotations.iter::<Dict<'_>>() {
            borrows |= walk.annotation(&annotation, &mut hash)?.borrows;
        }
    }
    if borrows {
        // Which of them a borrower uses is not known.
        walk.resources(resources, &mut entries, |_| true)?;
    }
    bytes(&mut hash, b'r', &entries.finalize());
    Ok(hash.finalize().into())
}

struct Walk<'a, 'h> {
    xref: &'a XRef,
    shared: &'h mut SharedHashes,
    /// The objects that contain the one at hand.
    path: Vec<Option<ObjectIdentifier>>,
    budget: usize,
}

/// What was learnt on the way.
#[derive(Clone, Copy)]
struct Seen {
    borrows: bool,
    /// The outermost object on the path that was met again below. What is part of a circle has a hash that depends on
    /// where one entered, so it is not remembered; what leads to one is.
    circle: usize,
}

impl Seen {
    const NOTHING: Self = Self { borrows: false, circle: usize::MAX };

    fn and(self, other: Self) -> Self {
        Self { borrows: self.borrows || other.borrows, circle: self.circle.min(other.circle) }
    }
}

impl<'a> Walk<'a, '_> {
    /// Adds an object: a simple one by itself, a compound one by its hash.
    fn object(&mut self, object: &Object<'a>, hash: &mut Sha256) -> Result<Seen, TooComplex> {
        match object {
            Object::Null(_) => bytes(hash, b'0', b""),
            Object::Boolean(value) => bytes(hash, b'b', &[u8::from(*value)]),
            Object::Number(value) => number(hash, value.as_f64()),
            Object::String(text) => bytes(hash, b's', text.as_bytes()),
            Object::Name(name) => bytes(hash, b'n', name),
            Object::Array(_) | Object::Dict(_) | Object::Stream(_) => return self.compound(None, object, hash),
        }
        Ok(Seen::NOTHING)
    }

    /// An entry whose value is null is as good as none (PDF 32000-1, 7.3.7). A hidden layer is one even if it is not there.
    fn is_null(&mut self, object: &MaybeRef<Object<'a>>) -> bool {
        match object {
            MaybeRef::NotRef(object) => matches!(object, Object::Null(_)),
            MaybeRef::Ref(reference) => {
                let id = ObjectIdentifier::from(*reference);
                !self.hides(id)
                    && !self.shared.objects.contains_key(&id)
                    && self.xref.get::<Object<'_>>(id).is_none_or(|object| matches!(object, Object::Null(_)))
            }
        }
    }

    fn either(&mut self, object: MaybeRef<Object<'a>>, hash: &mut Sha256) -> Result<Seen, TooComplex> {
        match object {
            MaybeRef::Ref(reference) => self.reference(reference.into(), hash),
            MaybeRef::NotRef(object) => self.object(&object, hash),
        }
    }

    fn reference(&mut self, id: ObjectIdentifier, hash: &mut Sha256) -> Result<Seen, TooComplex> {
        // Whatever is hidden is said where it is referred to: by that it is known, and not by what it holds.
        if self.hides(id) {
            bytes(hash, b'h', b"");
        }
        if let Some(known) = self.shared.objects.get(&id) {
            bytes(hash, b'x', &known.hash);
            return Ok(Seen { borrows: known.borrows, ..Seen::NOTHING });
        }
        if let Some(at) = self.path.iter().position(|above| *above == Some(id)) {
            bytes(hash, b'o', &(self.path.len() - at).to_le_bytes());
            return Ok(Seen { borrows: false, circle: at });
        }
        match self.xref.get::<Object<'a>>(id) {
            Some(object @ (Object::Array(_) | Object::Dict(_) | Object::Stream(_))) => {
                self.compound(Some(id), &object, hash)
            }
            Some(simple) => self.object(&simple, hash),
            // In a list it may count as one more, where a null does not.
            None => {
                bytes(hash, b'0', b"lost");
                Ok(Seen::NOTHING)
            }
        }
    }

    fn compound(
        &mut self,
        id: Option<ObjectIdentifier>,
        object: &Object<'a>,
        hash: &mut Sha256,
    ) -> Result<Seen, TooComplex> {
        self.budget = self.budget.checked_sub(1).ok_or(TooComplex)?;
        if self.path.len() >= MAX_DEPTH {
            return Err(TooComplex);
        }
        let depth = self.path.len();
        self.path.push(id);
        let mut own = Sha256::new();
        let seen = match object {
            Object::Array(items) => self.array(items, &mut own),
            Object::Dict(dict) => self.dict(dict, &mut own),
            Object::Stream(stream) => self.stream(stream, &mut own),
            simple => self.object(simple, &mut own),
        };
        self.path.pop();
        let seen = seen?;
        let own: ContentHash = own.finalize().into();
        bytes(hash, b'x', &own);
        if let Some(id) = id
            && seen.circle > depth
        {
            self.shared.objects.insert(id, Hashed { hash: own, borrows: seen.borrows });
        }
        // A circle that closes here is of no concern above: it ends deeper than whatever is there.
        Ok(seen)
    }

    fn array(&mut self, items: &Array<'a>, hash: &mut Sha256) -> Result<Seen, TooComplex> {
        hash.update(b"[");
        let mut seen = Seen::NOTHING;
        for item in items.raw_iter() {
            seen = seen.and(self.either(item, hash)?);
        }
        Ok(seen)
    }

    fn dict(&mut self, dict: &Dict<'a>, hash: &mut Sha256) -> Result<Seen, TooComplex> {
        hash.update(b"<");
        let mut seen = self.entries(dict, hash, |_| true)?;
        let subtype = dict.get::<Name<'_>>(keys::SUBTYPE);
        seen.borrows |= subtype.as_deref() == Some(b"Type3") && dict.get::<Dict<'_>>(keys::RESOURCES).is_none();
        Ok(seen)
    }

    /// What an annotation looks like, what its field says, and where it leads.
    fn annotation(&mut self, annotation: &Dict<'a>, hash: &mut Sha256) -> Result<Seen, TooComplex> {
        hash.update(b"a");
        let seen = self.entries(annotation, hash, |name| SHOWN_OF_ANNOTATIONS.contains(&name))?;
        match annotation.get::<Name<'_>>(keys::SUBTYPE).as_deref() {
            Some(b"Widget") => {
                let Field { is_button, is_push_button, value } = Field::of(annotation);
                bytes(hash, b'w', &[u8::from(is_button), u8::from(is_push_button), u8::from(value.is_some())]);
                bytes(hash, b's', value.unwrap_or_default().as_bytes());
                Ok(seen)
            }
            Some(b"Link") => {
                let Some(action) = annotation.get::<Dict<'a>>(keys::A) else { return Ok(seen) };
                hash.update(b"l");
                Ok(seen.and(self.entries(&action, hash, |name| SHOWN_OF_ACTIONS.contains(&name))?))
            }
            _ => Ok(seen),
        }
    }

    /// Whether a layer is off, by the document's default (PDF 32000-1, 8.11.4.3).
    fn hides(&mut self, layer: ObjectIdentifier) -> bool {
        let xref = self.xref;
        self.shared.layers.get_or_insert_with(|| Layers::of(xref)).hides(layer)
    }

    /// Those resources that are `wanted` by their names.
    fn resources(
        &mut self,
        resources: &Resources<'a>,
        hash: &mut Sha256,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Result<Seen, TooComplex> {
        let categories = [
            &resources.ext_g_states,
            &resources.fonts,
            &resources.properties,
            &resources.color_spaces,
            &resources.x_objects,
            &resources.patterns,
            &resources.shadings,
        ];
        let mut seen = Seen::NOTHING;
        for (category, tag) in categories.into_iter().zip(0..) {
            hash.update([b'c', tag]);
            seen = seen.and(self.entries(category, hash, &wanted)?);
        }
        let objects = &resources.x_objects;
        let drawn = objects.keys().filter(|name| wanted(name)).filter_map(|name| objects.get::<Stream<'_>>(name));
        seen.borrows |= drawn.into_iter().any(|object| borrows(&object));
        Ok(seen)
    }

    fn entries(
        &mut self,
        dict: &Dict<'a>,
        hash: &mut Sha256,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Result<Seen, TooComplex> {
        let mut seen = Seen::NOTHING;
        for (name, value) in dict.entries() {
            if !wanted(&name) || self.is_null(&value) && !BY_PRESENCE.contains(&&*name) {
                continue;
            }
            bytes(hash, b'k', &name);
            seen = seen.and(self.either(value, hash)?);
        }
        Ok(seen)
    }

    fn stream(&mut self, stream: &Stream<'a>, hash: &mut Sha256) -> Result<Seen, TooComplex> {
        let dict = stream.dict();
        hash.update(b"{");
        let decoded = stream.decoded_data();
        // What an image filter decodes is the image's business; so is what cannot be decoded.
        let raw = decoded.is_err();
        let data = decoded.unwrap_or_else(|_| stream.raw_data());
        bytes(hash, b'd', &data);
        let subtype = dict.get::<Name<'_>>(keys::SUBTYPE);
        // Appearances do not always say that they are forms; what has a box is drawn like one.
        let is_form = subtype.as_deref() == Some(b"Form") || dict.contains_key("BBox");
        let own = dict.get::<Dict<'a>>(keys::RESOURCES).filter(|_| is_form);
        let wanted = |name: &[u8]| {
            let stored = UNSHOWN_OF_STREAMS.contains(&name) || !raw && FILTERS.contains(&name);
            !(stored || own.is_some() && name == keys::RESOURCES)
        };
        let mut seen = self.entries(dict, hash, wanted)?;
        if let Some(resources) = own.map(Resources::new) {
            let named = names_in(&data);
            seen = seen.and(self.resources(&resources, hash, |name| named.contains(name))?);
            if seen.borrows {
                // From here, and no further.
                seen = seen.and(self.resources(&resources, hash, |_| true)?);
                seen.borrows = false;
            }
        } else {
            seen.borrows |= is_form;
        }
        Ok(seen)
    }
}

/// Whether what draws an object has to lend it resources although it does not say that it is a form: what is no image is
/// read like a form, and an image may name its colour space.
fn borrows(object: &Stream<'_>) -> bool {
    let dict = object.dict();
    if dict.get::<Name<'_>>(keys::SUBTYPE).as_deref() != Some(b"Image") {
        return dict.get::<Dict<'_>>(keys::RESOURCES).is_none();
    }
    let spaces = ["CS", "ColorSpace"].into_iter().filter_map(|key| dict.get::<Name<'_>>(key));
    spaces.into_iter().any(|name| !DEVICES.contains(&&*name))
}

/// A tag, the length, the bytes: no two sequences of these are the same bytes.
fn bytes(hash: &mut Sha256, tag: u8, content: &[u8]) {
    hash.update([tag]);
    hash.update((content.len() as u64).to_le_bytes());
    hash.update(content);
}

fn number(hash: &mut Sha256, value: f64) {
    // Both zeros are the same number.
    bytes(hash, b'f', &(value + 0.0).to_bits().to_le_bytes());
}

/// Every name that a content stream may mention: what looks like one. That there may be too many (in strings, in inline
/// images) does no harm, as it depends on the content alone.
fn names_in(content: &[u8]) -> HashSet<Vec<u8>> {
    let mut names = HashSet::new();
    let mut rest = content;
    while let Some(at) = memchr::memchr(b'/', rest) {
        rest = &rest[at + 1..];
        let end = rest.iter().position(|byte| is_delimiter(*byte)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        // Most come again and again.
        if name.contains(&b'#') || !names.contains(name) {
            names.insert(unescaped(name));
        }
        rest = after;
    }
    names
}

/// White space and delimiters (PDF 32000-1, 7.2.2).
const fn is_delimiter(byte: u8) -> bool {
    matches!(byte, 0 | 9 | 10 | 12 | 13 | 32 | b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%')
}

/// A name with its `#xx` resolved (PDF 32000-1, 7.3.5).
fn unescaped(name: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(name.len());
    let mut rest = name;
    while let [byte, after @ ..] = rest {
        let digits = after.get(..2).and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok());
        let (byte, after) = match digits.filter(|_| *byte == b'#') {
            Some(byte) => (byte, &after[2..]),
            None => (*byte, after),
        };
        plain.push(byte);
        rest = after;
    }
    plain
}

#[cfg(test)]
#[path = "content_tests.rs"]
mod tests;
