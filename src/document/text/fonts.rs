//! Fonts: what a code of a string stands for, how wide it is, and how it looks.
//!
//! The parser of fonts knows `ToUnicode` maps, glyph names and the predefined encodings. What is left are fonts that
//! name their glyphs as they like, and composite fonts that are embedded without a `ToUnicode` map, whose character
//! collection says it all the same.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use hayro_font::{Font, FontCache, FontGlyph, StandardFont};
use hayro_interpret::InterpreterSettings;
use hayro_interpret::hayro_cmap::{BfString, CMap, CMapName, CidFamily};
use hayro_syntax::object::dict::keys;
use hayro_syntax::object::{Array, Dict, Name, Object, ObjectIdentifier, Rect as PdfRect, Stream, String as PdfString};
use hayro_syntax::page::Resources;
use unicode_normalization::char::decompose_compatible;

use super::letters::{self, GlyphLetters};
use super::line::Style;
use super::looks::{self, name, style};
use super::open_line::Text;
use super::symbol::{self, Symbols};
use super::trust::Traits;

/// The fonts of some pages of a document; they are parsed once.
pub(in crate::document) struct Fonts<'a> {
    cache: FontCache<'a>,
    settings: InterpreterSettings,
    known: RefCell<HashMap<ObjectIdentifier, Option<Rc<PageFont<'a>>>>>,
    usual: OnceCell<Option<Rc<PageFont<'a>>>>,
    /// How many have been made.
    made: Cell<u32>,
}

impl<'a> Fonts<'a> {
    pub(in crate::document) fn new(settings: &InterpreterSettings) -> Self {
        let (known, usual) = (RefCell::default(), OnceCell::new());
        Self { cache: FontCache::new(), settings: settings.clone(), known, usual, made: Cell::new(0) }
    }

    /// The font that `resources` have under `name`; viewers take Helvetica when there is none.
    pub(super) fn named(&self, resources: &Resources<'a>, name: &Name<'_>) -> Option<Rc<PageFont<'a>>> {
        let id = resources.fonts.get_ref(name.as_ref()).map(ObjectIdentifier::from);
        if let Some(known) = id.and_then(|id| self.known.borrow().get(&id).cloned()) {
            return known;
        }
        let font = match resources.get_font(name) {
            Some(dict) => self.of(&dict),
            None => self.usual(),
        };
        if let Some(id) = id {
            self.known.borrow_mut().insert(id, font.clone());
        }
        font
    }

    /// The font that a dictionary describes; `None` when it makes no sense.
    pub(super) fn of(&self, dict: &Dict<'a>) -> Option<Rc<PageFont<'a>>> {
        let font = self.cache.font(dict, &self.settings.font_resolver, &self.settings.cmap_resolver)?;
        Some(self.make(font, dict))
    }

    fn make(&self, font: Font<'a>, dict: &Dict<'a>) -> Rc<PageFont<'a>> {
        self.made.set(self.made.get() + 1);
        Rc::new(PageFont::new(font, dict, &self.settings, self.made.get()))
    }

    /// The font of text for which none was chosen.
    pub(super) fn usual(&self) -> Option<Rc<PageFont<'a>>> {
        let make = || {
            let font = self.cache.standard_font(StandardFont::Helvetica, &self.settings.font_resolver)?;
            Some(self.make(font, &Dict::empty()))
        };
        self.usual.get_or_init(make).clone()
    }
}

/// So many of a font's first codes are looked at, and so many lead to nothing in a map that was made up.
const FIRST_CODES: u32 = 64;
const FEWEST_VOID: usize = 4;
/// So many codes of a composite font are looked at for one with ink.
const MOST_CODES: u32 = 4_096;

/// 256 things that are learnt one by one.
type Lazy<T> = Box<[OnceCell<T>]>;

/// What is known of a code.
pub(super) struct Known {
    /// What it stands for, which may be nothing; `None` when that cannot be known.
    pub(super) text: Option<Text>,
    /// How far it moves the pen along the line, in thousandths of the font's size.
    pub(super) advance: f64,
}

/// A font and what was learnt of it.
#[allow(clippy::struct_excessive_bools, reason = "each says something else of it")]
pub(super) struct PageFont<'a> {
    font: Font<'a>,
    traits: Traits,
    style: Style,
    scale: f64,
    horizontal: bool,
    composite: bool,
    drawn: bool,
    symbols: Symbols,
    name: String,
    embedded: bool,
    /// Whether its codes are Unicode, and what else is known of them from the names of its glyphs.
    unicode: bool,
    numbered: HashMap<u32, char>,
    /// The letters of ligatures, by what its encoding names them.
    ligatures: HashMap<u32, String>,
    /// Whether it has no map to Unicode.
    nameless: bool,
    /// The letters of its glyphs, once one has been asked for.
    letters: OnceCell<GlyphLetters>,
    void: OnceCell<bool>,
    /// Whether its glyphs can be drawn: one of them has ink.
    inked: OnceCell<bool>,
    /// Code → CID, CID → text, when a composite font has no `ToUnicode`.
    collection: Option<(Option<CMap>, CMap)>,
    /// What is known of codes of at most two bytes, which nearly all are, by their first byte and their second.
    known: Lazy<Lazy<Known>>,
}

impl<'a> PageFont<'a> {
    fn new(font: Font<'a>, dict: &Dict<'a>, settings: &InterpreterSettings, id: u32) -> Self {
        let kind = dict.get::<Name<'_>>(keys::SUBTYPE);
        let composite = kind.as_deref() == Some(b"Type0");
        let mute =
            composite && dict.get::<Object<'_>>(keys::TO_UNICODE).is_none_or(|map| matches!(map, Object::Null(_)));
        let horizontal = font.is_horizontal();
        let drawn = kind.as_deref() == Some(b"Type3");
        let scale = if drawn { drawn_scale(dict) } else { 1.0 };
        let guessed = is_guessed(dict) && !names_its_glyphs(&font, kind.as_deref());
        let mut made = Self {
            font,
            traits: Traits { id, guessed },
            style: style(dict),
            scale,
            horizontal,
            composite,
            drawn,
            symbols: Symbols::of(&name(dict)),
            name: name(dict),
            embedded: is_embedded(dict),
            unicode: composite && letters::codes_are_unicode(dict),
            ligatures: if composite { HashMap::new() } else { letters::ligatures(dict) },
            nameless: !has(dict, keys::TO_UNICODE),
            numbered: if composite { HashMap::new() } else { letters::numbered(dict) },
            letters: OnceCell::new(),
            void: OnceCell::new(),
            inked: OnceCell::new(),
            collection: if mute { collection(dict, settings) } else { None },
            known: empty(),
        };
        let letter = |code| made.glyph(code, |known| if let Some(Text::One(c)) = known.text { Some(c) } else { None });
        made.style.mono |= !composite && looks::is_even(dict, letter);
        if made.embedded {
            let first = if composite { 1 } else { u32::from(b'A') };
            if let FontGlyph::Outline(glyph) = made.font.glyph(made.font.map_code(first), first)
                && let Some(font) = glyph.font_data()
            {
                looks::add_own(&mut made.style, (*font.data).as_ref());
            }
        }
        made
    }

    pub(super) const fn traits(&self) -> Traits {
        self.traits
    }

    pub(super) const fn style(&self) -> Style {
        self.style
    }

    /// What to multiply the font's nominal size with to get the size of its letters.
    pub(super) const fn scale(&self) -> f64 {
        self.scale
    }

    /// Whether its glyphs are drawings (Type 3), which may have colours of their own.
    pub(super) const fn is_drawn(&self) -> bool {
        self.drawn
    }

    /// Whether its lines run across the page; else they run down.
    pub(super) const fn is_horizontal(&self) -> bool {
        self.horizontal
    }

    /// The next code of a string, and of how many bytes it is.
    pub(super) fn read_code(&self, bytes: &[u8], at: usize) -> (u32, usize) {
        self.font.read_code(bytes, at)
    }

    /// Whether a composite font's map leads to control characters, so that none of it can be believed.
    fn map_is_void(&self) -> bool {
        let leads_to_none = |code: &u32| match self.font.glyph(self.font.map_code(*code), *code) {
            FontGlyph::Outline(glyph) => {
                let control = matches!(glyph.as_unicode(), Some(BfString::Char(c)) if c.is_control());
                control && glyph.glyph_id().to_u32() != 0 && self.letter(&FontGlyph::Outline(glyph)).is_some()
            }
            FontGlyph::Type3(_) => false,
        };
        let is_void = || (1..=FIRST_CODES).filter(leads_to_none).count() >= FEWEST_VOID;
        self.composite && self.embedded && *self.void.get_or_init(is_void)
    }

    /// Whether a glyph of an embedded font has no ink; not when none of its glyphs has, as then it is the font that cannot be
    /// read.
    fn is_blank(&self, glyph: &FontGlyph<'_>) -> bool {
        let has_ink = |glyph: &FontGlyph<'_>| matches!(glyph, FontGlyph::Outline(of) if !of.outline().is_empty());
        let is_inked = || {
            let codes = if self.composite { MOST_CODES } else { 256 };
            (0..codes).any(|code| has_ink(&self.font.glyph(self.font.map_code(code), code)))
        };
        self.embedded && !self.drawn && !has_ink(glyph) && *self.inked.get_or_init(is_inked)
    }

    /// Does something with what is known of a code.
    pub(super) fn glyph<T>(&self, code: u32, with: impl FnOnce(&Known) -> T) -> T {
        let (first, second) = ((code >> 8) as usize, (code & 0xff) as usize);
        match self.known.get(first) {
            Some(page) => with(page.get_or_init(empty)[second].get_or_init(|| self.learn(code))),
            None => with(&self.learn(code)),
        }
    }

    fn learn(&self, code: u32) -> Known {
        let glyph = self.font.glyph(self.font.map_code(code), code);
        let said = match &glyph {
            FontGlyph::Outline(glyph) => glyph.as_unicode(),
            FontGlyph::Type3(glyph) => glyph.as_unicode(),
        };
        // Where the file says nothing of the codes, the font's own letters come before names that were taken for granted.
        let own = if self.traits.guessed || self.map_is_void() { self.letter(&glyph) } else { None };
        let text = match said {
            _ if self.nameless && self.symbols == Symbols::Signs => symbol::sign(code).map(Text::One),
            _ if self.symbols == Symbols::WordPerfect && symbol::word_perfect(code).is_some() => {
                symbol::word_perfect(code).map(Text::One)
            }
            _ if self.is_cut(code, said.as_ref()) => {
                self.ligatures.get(&code).map(|letters| Text::More(letters.clone()))
            }
            _ if own.is_some() => own.map(Text::One),
            Some(said) if says_nothing(&said, &glyph, self.embedded) => self.letter(&glyph).map(Text::One),
            Some(BfString::Char(c)) if symbol::is_misnamed(c, self.symbols) => {
                symbol::picture(c, self.symbols).map(Text::One)
            }
            Some(BfString::Char(c)) if is_plain(c) => Some(Text::One(c)),
            Some(BfString::Char(c)) => self.understood(plain_text(c.encode_utf8(&mut [0; 4]))),
            Some(BfString::String(text)) => self.understood(plain_text(&text)),
            None => match self.letter(&glyph).or_else(|| self.guess(code)) {
                Some(c) if !is_plain(c) => self.understood(plain_text(c.encode_utf8(&mut [0; 4]))),
                known => known.map(Text::One),
            },
        };
        // What no map knows and cannot be seen, such as the blank of a font that names its glyphs as it likes.
        let text = text.or_else(|| self.is_blank(&glyph).then_some(Text::One(' ')));
        let advance = self.font.code_advance(code);
        Known { text, advance: if self.horizontal { advance.x } else { advance.y } }
    }

    /// Whether a map says of a ligature only one of its letters, or what no one can read.
    fn is_cut(&self, code: u32, said: Option<&BfString>) -> bool {
        let Some(letters) = self.ligatures.get(&code) else { return false };
        let is_part = |c: char| letters.contains(c);
        let means_nothing = |c: char| c.is_control() || matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{fffd}'..='\u{ffff}');
        match said {
            None => true,
            Some(BfString::Char(c)) => is_part(*c) || means_nothing(*c),
            Some(BfString::String(text)) => text.is_empty(),
        }
    }

    /// Text without signs of private use, which mean something in their font only: those of symbolic fonts are as their codes,
    /// for others there is none.
    fn understood(&self, text: String) -> Option<Text> {
        let is_private = |c: char| matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..);
        if !text.contains(is_private) {
            return Some(Text::More(text));
        }
        let public = text.chars().map(|c| if is_private(c) { symbol::public(c, self.symbols) } else { Some(c) });
        public.collect::<Option<String>>().map(Text::More)
    }

    /// The letter that the embedded font has for a glyph.
    fn letter(&self, glyph: &FontGlyph<'_>) -> Option<char> {
        let FontGlyph::Outline(glyph) = glyph else { return None };
        let make = || match glyph.font_data().filter(|_| self.embedded) {
            Some(font) => GlyphLetters::of((*font.data).as_ref(), self.symbols),
            None => GlyphLetters::default(),
        };
        self.letters.get_or_init(make).get(glyph.glyph_id().to_u32())
    }

    fn guess(&self, code: u32) -> Option<char> {
        if let Some((codes, ordered)) = &self.collection {
            let cid = match codes {
                Some(codes) => [2, 1, 3, 4].into_iter().find_map(|length| codes.lookup_cid_code(code, length)),
                None => Some(code),
            };
            return match ordered.lookup_bf_string(cid?)? {
                BfString::Char(c) => Some(c),
                BfString::String(_) => None,
            };
        }
        if self.unicode {
            return char::from_u32(code).filter(|c| !c.is_control());
        }
        if self.composite {
            // Else a code is only a number.
            return letters::of_core_font(&self.name, code).filter(|_| !self.embedded);
        }
        // Fonts with names of their own, such as those that TeX makes, mostly keep the places of ASCII.
        let is_ascii = (0x21..0x7f).contains(&code);
        self.numbered.get(&code).copied().or_else(|| char::from_u32(code).filter(|_| is_ascii))
    }
}

/// Whether what a map says of a glyph cannot be so: no letter, or a blank although there is something to see.
fn says_nothing(said: &BfString, glyph: &FontGlyph<'_>, embedded: bool) -> bool {
    let is_none = |c: char| matches!(c, '\u{fffd}' | '\u{fffe}' | '\u{ffff}');
    let is_blank = |c: char| c.is_whitespace() || c.is_control() || is_format(c);
    let all = |is: &dyn Fn(char) -> bool| match said {
        BfString::Char(c) => is(*c),
        // Nothing at all is said of parts of what stands for several letters.
        BfString::String(text) => !text.is_empty() && text.chars().all(is),
    };
    // Of a font that is not embedded the glyph is that of another one, which may have other numbers.
    let has_ink = || match glyph {
        FontGlyph::Outline(glyph) => embedded && !glyph.outline().is_empty(),
        FontGlyph::Type3(_) => false,
    };
    all(&is_none) || all(&is_blank) && has_ink()
}

fn empty<T>() -> Lazy<T> {
    std::iter::repeat_with(OnceCell::new).take(256).collect()
}

fn collection(font: &Dict<'_>, settings: &InterpreterSettings) -> Option<(Option<CMap>, CMap)> {
    let descendants = font.get::<Array<'_>>(keys::DESCENDANT_FONTS)?;
    let system = descendants.iter::<Dict<'_>>().next()?.get::<Dict<'_>>(keys::CIDSYSTEMINFO)?;
    let text = |key: &[u8]| system.get::<PdfString<'_>>(key).map(|text| text.as_bytes().to_vec());
    let family = CidFamily::from_registry_ordering(&text(b"Registry")?, &text(b"Ordering")?);
    let ordered = load(family.ucs2_cmap()?, settings)?;
    let encoding = font.get::<Name<'_>>(keys::ENCODING)?;
    if encoding.as_ref().starts_with(b"Identity") {
        return Some((None, ordered));
    }
    Some((Some(load(CMapName::from_bytes(encoding.as_ref()), settings)?), ordered))
}

fn load(name: CMapName<'_>, settings: &InterpreterSettings) -> Option<CMap> {
    let resolver = settings.cmap_resolver.clone();
    CMap::parse((settings.cmap_resolver)(name)?, move |name| resolver(name))
}

fn has(font: &Dict<'_>, key: &[u8]) -> bool {
    font.get::<Object<'_>>(key).is_some_and(|of| !matches!(of, Object::Null(_)))
}

/// Whether nothing says what an embedded font's codes mean: it has no map, and no encoding that names its glyphs.
fn is_guessed(font: &Dict<'_>) -> bool {
    is_embedded(font) && !has(font, keys::TO_UNICODE) && !has(font, keys::ENCODING)
}

/// Whether a Type 1 font of this kind names nearly all glyphs of its own encoding as everyone does (Adobe Glyph List), so that
/// its codes need no guess. Names that are but numbers, as `G01`, say nothing.
fn names_its_glyphs(font: &Font<'_>, kind: Option<&[u8]>) -> bool {
    if !matches!(kind, Some(b"Type1" | b"MMType1")) {
        return false;
    }
    let (mut all, mut named) = (0_usize, 0_usize);
    for code in 0..=0xff {
        let FontGlyph::Outline(glyph) = font.glyph(font.map_code(code), code) else { continue };
        if glyph.glyph_id().to_u32() != 0 {
            all += 1;
            named += usize::from(glyph.as_unicode().is_some());
        }
    }
    all > 0 && named * 10 >= all * 9
}

fn is_embedded(font: &Dict<'_>) -> bool {
    let descendant = font.get::<Array<'_>>(keys::DESCENDANT_FONTS).and_then(|list| list.iter::<Dict<'_>>().next());
    let descriptor = descendant.as_ref().unwrap_or(font).get::<Dict<'_>>("FontDescriptor").unwrap_or_default();
    ["FontFile", "FontFile2", "FontFile3"].iter().any(|key| descriptor.get::<Stream<'_>>(*key).is_some())
}

/// A drawn font (Type 3) may be made in any size and say so only by its box and its widths: programs that draw fonts as
/// bitmaps set them in size 1. A font's box is about 1.2 times its size, its letters are half as wide; the widths are right
/// where the two do not agree.
fn drawn_scale(font: &Dict<'_>) -> f64 {
    const BOX: f64 = 1.2;
    const WIDTH: f64 = 0.5;
    const USUAL: std::ops::Range<f64> = 0.4..2.5;
    let height = font.get::<PdfRect>("FontBBox").map_or(0.0, |area| area.height());
    let matrix = font.get::<[f64; 6]>("FontMatrix").unwrap_or([0.001, 0.0, 0.0, 0.001, 0.0, 0.0]);
    let by_box = height * matrix[3].abs().max(matrix[0].abs()) / BOX;
    let widths = font.get::<Array<'_>>("Widths");
    let widths: Vec<f64> = widths.iter().flat_map(Array::iter::<f64>).filter(|width| *width > 0.0).collect();
    let count = f64::from(u32::try_from(widths.len()).unwrap_or(u32::MAX));
    let by_width = widths.iter().sum::<f64>() / count.max(1.0) * matrix[0].abs() / WIDTH;
    let is_size = |size: f64| size.is_finite() && size > 0.0;
    let size = if is_size(by_width) && !(is_size(by_box) && (0.25..4.0).contains(&(by_box / by_width))) {
        by_width
    } else {
        by_box
    };
    if is_size(size) && !USUAL.contains(&size) { size } else { 1.0 }
}

/// Whether a character stays as it is.
fn is_plain(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{a0}' | '\u{e000}'..='\u{f8ff}' | '\u{fb00}'..='\u{fefc}') && !is_format(c)
}

/// Whether a character only steers how others are shown. In text that is taken out of its page it can hide what that says,
/// or turn it round.
const fn is_format(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Text without what no one reads: control characters but for line ends, signs that steer others, and ligatures as their letters.
pub(super) fn plain_text(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control() && !is_format(*c) || matches!(c, '\n' | '\r' | '\t'))
        .fold(String::new(), plain)
}

/// Adds a character; ligatures and the shapes of Arabic letters as the letters that they stand for.
fn plain(mut text: String, c: char) -> String {
    match c {
        '\u{fb00}'..='\u{fb06}' | '\u{fb13}'..='\u{fb17}' | '\u{fb50}'..='\u{fdfb}' | '\u{fe70}'..='\u{fefc}' => {
            decompose_compatible(c, |part| text.push(part));
        }
        '\u{a0}' => text.push(' '),
        // Signs of Symbol and Wingdings, which word processors name by their codes in the private use area.
        '\u{f0b7}' | '\u{f09f}' => text.push('•'),
        '\u{f0a7}' => text.push('▪'),
        '\u{f06e}' => text.push('■'),
        '\u{f06c}' => text.push('●'),
        '\u{f0a1}' => text.push('○'),
        '\u{f0a8}' | '\u{f06f}' => text.push('□'),
        '\u{f0d8}' => text.push('➢'),
        '\u{f076}' => text.push('❖'),
        '\u{f0fc}' => text.push('✓'),
        '\u{f0e0}' | '\u{f0ae}' => text.push('→'),
        c => text.push(c),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_become_letters() {
        for (shape, letters) in [('ﬁ', "fi"), ('ﻻ', "لا"), ('ﷲ', "الله"), ('é', "é"), ('½', "½")] {
            assert_eq!(plain(String::new(), shape), letters);
        }
    }
}
