//! What a glyph means when its font does not say.
//!
//! The interpreter knows `ToUnicode` maps, glyph names and the predefined encodings. What is left are fonts that name
//! their glyphs as they like, and composite fonts that are embedded without a `ToUnicode` map, whose character collection
//! says it all the same.

use hayro_interpret::InterpreterSettings;
use hayro_interpret::font::Glyph;
use hayro_interpret::hayro_cmap::{BfString, CMap, CMapName, CidFamily};
use hayro_syntax::object::dict::keys;
use hayro_syntax::object::{Array, Dict, Name, Stream, String as PdfString};
use hayro_syntax::page::Page;
use unicode_normalization::char::decompose_compatible;

use super::line::Text;

/// The fonts of one page, as far as they matter here.
pub(super) struct PageFonts {
    /// Code → CID, CID → text, when all composite fonts of the page have no `ToUnicode` and the same collection and
    /// encoding: a glyph does not say which of them it is of.
    collection: Option<(Option<CMap>, CMap)>,
    /// Whether there are composite fonts without `ToUnicode`.
    composite: bool,
    /// Whether there are simple fonts without.
    simple: bool,
}

impl PageFonts {
    pub(super) fn of(page: &Page<'_>, settings: &InterpreterSettings) -> Self {
        let mut fonts = Vec::new();
        fonts_in(&page.resources().fonts, &mut fonts);
        let forms = &page.resources().x_objects;
        for name in forms.keys() {
            let form = forms.get::<Stream<'_>>(name.as_ref());
            let resources = form.and_then(|form| form.dict().get::<Dict<'_>>(keys::RESOURCES));
            if let Some(inner) = resources.and_then(|resources| resources.get::<Dict<'_>>(keys::FONT)) {
                fonts_in(&inner, &mut fonts);
            }
        }
        let is_composite = |font: &&Dict<'_>| font.get::<Name<'_>>(keys::SUBTYPE).as_deref() == Some(b"Type0");
        let is_mute = |font: &Dict<'_>| !font.contains_key(keys::TO_UNICODE);
        let composite: Vec<&Dict<'_>> = fonts.iter().filter(is_composite).collect();
        let encoding = |font: &Dict<'_>| font.get::<Name<'_>>(keys::ENCODING).map(|name| name.as_ref().to_vec());
        let shared = composite.first().and_then(|font| Some((collection(font)?, encoding(font)?)));
        let same = |font: &&Dict<'_>| {
            is_mute(font) && Some((collection(font), encoding(font))) == shared.clone().map(|(f, e)| (Some(f), Some(e)))
        };
        let collection = shared.clone().filter(|_| composite.iter().all(same)).and_then(|(family, encoding)| {
            let ordered = family.ucs2_cmap().and_then(|name| load(name, settings))?;
            if encoding.starts_with(b"Identity") {
                return Some((None, ordered));
            }
            Some((Some(load(CMapName::from_bytes(&encoding), settings)?), ordered))
        });
        let simple = fonts.iter().any(|font| !is_composite(&font) && is_mute(font));
        Self { collection, composite: composite.iter().any(|font| is_mute(font)), simple }
    }

    /// The text of a glyph, which may be empty; `None` when nobody can know.
    pub(super) fn text(&self, glyph: &Glyph<'_>) -> Option<Text> {
        let plain = |text: &str| text.chars().filter(|c| !c.is_control()).fold(String::new(), plain);
        match glyph.as_unicode() {
            Some(BfString::Char(c)) if is_plain(c) => Some(Text::One(c)),
            Some(BfString::Char(c)) => Some(Text::More(plain(c.encode_utf8(&mut [0; 4])))),
            Some(BfString::String(text)) => Some(Text::More(plain(&text))),
            None => self.guess(glyph.char_code()).map(Text::One),
        }
    }

    fn guess(&self, code: u32) -> Option<char> {
        // A simple font has codes of one byte.
        if let Some((codes, ordered)) = self.collection.as_ref().filter(|_| code > 0xff || !self.simple) {
            let cid = match codes {
                Some(codes) => [2, 1, 3, 4].into_iter().find_map(|length| codes.lookup_cid_code(code, length)),
                None => Some(code),
            };
            if let Some(BfString::Char(c)) = cid.and_then(|cid| ordered.lookup_bf_string(cid)) {
                return Some(c);
            }
        }
        // Fonts with names of their own, such as those that TeX makes, mostly keep the places of ASCII. In composite
        // fonts a code is only a number.
        let is_ascii = (0x21..0x7f).contains(&code) && !self.composite;
        char::from_u32(code).filter(|_| is_ascii)
    }
}

fn fonts_in<'a>(fonts: &Dict<'a>, found: &mut Vec<Dict<'a>>) {
    found.extend(fonts.keys().filter_map(|name| fonts.get::<Dict<'a>>(name.as_ref())));
}

fn collection(font: &Dict<'_>) -> Option<CidFamily> {
    let descendants = font.get::<Array<'_>>(keys::DESCENDANT_FONTS)?;
    let system = descendants.iter::<Dict<'_>>().next()?.get::<Dict<'_>>(keys::CIDSYSTEMINFO)?;
    let text = |key: &[u8]| system.get::<PdfString<'_>>(key).map(|text| text.as_bytes().to_vec());
    let family = CidFamily::from_registry_ordering(&text(b"Registry")?, &text(b"Ordering")?);
    family.ucs2_cmap().is_some().then_some(family)
}

fn load(name: CMapName<'_>, settings: &InterpreterSettings) -> Option<CMap> {
    let resolver = settings.cmap_resolver.clone();
    CMap::parse((settings.cmap_resolver)(name)?, move |name| resolver(name))
}

/// Whether a character stays as it is.
fn is_plain(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{a0}' | '\u{ad}' | '\u{fb00}'..='\u{fefc}')
}

/// Adds a character; ligatures and the shapes of Arabic letters as the letters that they stand for.
fn plain(mut text: String, c: char) -> String {
    match c {
        '\u{fb00}'..='\u{fb06}' | '\u{fb13}'..='\u{fb17}' | '\u{fb50}'..='\u{fdfb}' | '\u{fe70}'..='\u{fefc}' => {
            decompose_compatible(c, |part| text.push(part));
        }
        // A soft hyphen that is shown is a hyphen.
        '\u{ad}' => text.push('-'),
        '\u{a0}' => text.push(' '),
        c => text.push(c),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_become_letters() {
        for (shape, letters) in [('ﬁ', "fi"), ('ﻻ', "لا"), ('ﷲ', "الله"), ('é', "é"), ('½', "½"), ('\u{ad}', "-")]
        {
            assert_eq!(plain(String::new(), shape), letters);
        }
    }
}
