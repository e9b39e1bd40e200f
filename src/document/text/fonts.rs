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
    /// Of composite fonts without `ToUnicode`, when all of the page have the same collection: code → CID, CID → text.
    collection: Option<(Option<CMap>, CMap)>,
    composite: bool,
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
        let mute: Vec<_> = fonts.iter().filter(|font| !font.contains_key(keys::TO_UNICODE)).collect();
        let mut collections = mute.iter().filter_map(|font| Some((collection(font)?, *font)));
        let collection = collections.next().and_then(|(family, font)| {
            let ordered = family.ucs2_cmap().and_then(|name| load(name, settings))?;
            let encoding = font.get::<Name<'_>>(keys::ENCODING);
            let encoding = encoding.filter(|name| !name.as_ref().starts_with(b"Identity"));
            let codes = encoding.and_then(|name| load(CMapName::from_bytes(name.as_ref()), settings));
            collections.all(|(other, _)| other == family).then_some((codes, ordered))
        });
        Self { collection, composite: !mute.is_empty() }
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
        if let Some((codes, ordered)) = &self.collection {
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
    let composite = |font: &Dict<'_>| font.get::<Name<'_>>(keys::SUBTYPE).as_deref() == Some(b"Type0");
    found.extend(fonts.keys().filter_map(|name| fonts.get::<Dict<'a>>(name.as_ref())).filter(composite));
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
