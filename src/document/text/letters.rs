//! What codes of a font mean where its map does not say: by the letters that the embedded font has for its glyphs, by the names
//! of its glyphs, or because the codes are Unicode.

use std::collections::HashMap;

use hayro_syntax::object::dict::keys;
use hayro_syntax::object::{Array, Dict, Name, Object, Stream};
use skrifa::FontRef;
use skrifa::charmap::Charmap;

use super::symbol::{self, Symbols};

/// The letters that an embedded font has for its glyphs, by the numbers of these.
#[derive(Default)]
pub(super) struct GlyphLetters(HashMap<u32, char>);

impl GlyphLetters {
    /// Those of a TrueType or OpenType font; none of another, or of one that names no letters.
    pub(super) fn of(font: &[u8], symbols: Symbols) -> Self {
        let Ok(font) = FontRef::from_index(font, 0) else { return Self::default() };
        let mut letters: HashMap<u32, char> = HashMap::new();
        for (letter, glyph) in Charmap::new(&font).mappings().take(MOST) {
            let letter = char::from_u32(letter).and_then(|letter| match letter {
                '\u{e000}'..='\u{f8ff}' => symbol::public(letter, symbols),
                letter if letter.is_control() => None,
                letter => Some(letter),
            });
            if let Some(letter) = letter.filter(|_| glyph.to_u32() != 0) {
                // Of several letters of one glyph the first is the plain one: A and not Alpha, a blank and not a hard one.
                letters.entry(glyph.to_u32()).and_modify(|known| *known = (*known).min(letter)).or_insert(letter);
            }
        }
        Self(letters)
    }

    /// The letter of a glyph.
    pub(super) fn get(&self, glyph: u32) -> Option<char> {
        self.0.get(&glyph).copied()
    }
}

/// Fonts have at most 65,535 glyphs; with more letters one is made to cost time.
const MOST: usize = 200_000;

/// Whether a composite font's codes are Unicode: its map is none but says so, or it is encoded by a map of Unicode codes.
pub(super) fn codes_are_unicode(font: &Dict<'_>) -> bool {
    let is_identity = |name: &Name<'_>| name.as_ref().starts_with(b"Identity");
    if font.get::<Name<'_>>(keys::TO_UNICODE).as_ref().is_some_and(is_identity) {
        return true;
    }
    let map = font.get::<Stream<'_>>(keys::ENCODING);
    let name = map.and_then(|map| map.dict().get::<Name<'_>>("CMapName").map(|name| name.as_ref().to_vec()));
    name.is_some_and(|name| {
        let has = |part: &[u8]| name.windows(part.len()).any(|window| window == part);
        name.starts_with(b"Uni") && (has(b"UCS2") || has(b"UTF16"))
    })
}

/// The codes of a simple font whose glyphs are named by numbers that are those of the codes, as `a192` or `G41`: names that
/// say no more than the code does, so that it is one of Windows' Latin letters; or of TeX's, which are known by their
/// ligatures.
pub(super) fn numbered(font: &Dict<'_>) -> HashMap<u32, char> {
    let mut codes: Vec<u32> = Vec::new();
    differences(font, |code, name| {
        if is_number(name, code) {
            codes.push(code);
        }
    });
    let is_tex = codes.iter().any(|code| (0x0b..=0x0f).contains(code));
    let letter = |code: u32| if is_tex { tex(code) } else { None }.or_else(|| windows(code));
    codes.into_iter().filter_map(|code| Some((code, letter(code)?))).collect()
}

/// The codes of a simple font that its encoding names as ligatures of Latin letters: `fi`, `f_i`, `T_h`.
pub(super) fn ligatures(font: &Dict<'_>) -> HashMap<u32, String> {
    let mut letters = HashMap::new();
    differences(font, |code, name| {
        let known = matches!(name, b"ff" | b"fi" | b"fl" | b"ffi" | b"ffl");
        let parts: Vec<&[u8]> = name.split(|byte| *byte == b'_').collect();
        let is_letter = |part: &&[u8]| matches!(part, [letter] if letter.is_ascii_alphabetic());
        if known || parts.len() > 1 && parts.iter().all(is_letter) {
            letters.insert(code, name.iter().filter(|byte| **byte != b'_').map(|byte| char::from(*byte)).collect());
        }
    });
    letters
}

/// Does something with each code that a font's encoding names a glyph for (PDF 32000-1, table 114).
fn differences(font: &Dict<'_>, mut each: impl FnMut(u32, &[u8])) {
    let list = font.get::<Dict<'_>>(keys::ENCODING).and_then(|of| of.get::<Array<'_>>("Differences"));
    let mut code = 0_u32;
    for part in list.iter().flat_map(Array::iter::<Object<'_>>) {
        match part {
            Object::Number(number) => code = u32::try_from(number.as_i64()).unwrap_or(u32::MAX),
            Object::Name(name) => {
                each(code, name.as_ref());
                code = code.saturating_add(1);
            }
            _ => {}
        }
    }
}

/// The letter of a code in TeX's encoding of text (OT1), where it is not that of ASCII.
fn tex(code: u32) -> Option<char> {
    Some(match code {
        0x0b => 'ﬀ',
        0x0c => 'ﬁ',
        0x0d => 'ﬂ',
        0x0e => 'ﬃ',
        0x0f => 'ﬄ',
        0x10 => 'ı',
        0x19 => 'ß',
        0x1a => 'æ',
        0x1b => 'œ',
        0x1c => 'ø',
        0x22 => '”',
        0x5c => '“',
        0x7b => '–',
        0x7c => '—',
        _ => return None,
    })
}

/// Whether a name is one or a few letters and the number of the code, decimal or hexadecimal.
fn is_number(name: &[u8], code: u32) -> bool {
    let letters = name.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let of = |from: usize, radix| {
        let number = std::str::from_utf8(name.get(from..)?).ok()?;
        u32::from_str_radix(number, radix).ok()
    };
    (1..=3).contains(&letters) && of(letters, 10) == Some(code) || of(1, 16) == Some(code) && name.len() == 3
}

/// The letter of a code in Windows' Latin code page.
fn windows(code: u32) -> Option<char> {
    const UPPER: &str = "€\u{0}‚ƒ„…†‡ˆ‰Š‹Œ\u{0}Ž\u{0}\u{0}‘’“”•–—˜™š›œ\u{0}žŸ";
    match code {
        0x80..=0x9f => UPPER.chars().nth((code - 0x80) as usize).filter(|letter| *letter != '\0'),
        0x20..=0x7e | 0xa0..=0xff => char::from_u32(code),
        _ => None,
    }
}

/// Fonts of Windows in which the glyphs of ASCII come in its order, from the third one on.
const CORE: [&str; 7] = ["arial", "timesnewroman", "couriernew", "verdana", "tahoma", "georgia", "trebuchet"];

/// The letter of a glyph's number in a font that is not embedded, by its name.
pub(super) fn of_core_font(name: &str, glyph: u32) -> Option<char> {
    let name: String = name.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_ascii_lowercase();
    let known = CORE.iter().any(|core| name.starts_with(core)) && (3..=97).contains(&glyph);
    known.then(|| char::from_u32(glyph + 29)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_numbers_are_codes() {
        for (name, code, expected) in [
            ("a192", 192, true),
            ("C65", 65, true),
            ("G41", 0x41, true),
            ("cid128", 128, true),
            ("a192", 193, false),
            ("Adieresis", 196, false),
            ("x", 0, false),
            ("", 0, false),
            ("é1", 1, false),
        ] {
            assert_eq!(is_number(name.as_bytes(), code), expected, "{name}");
        }
        assert_eq!(
            [0x41, 0xc0, 0x80, 0x92, 0x81, 0x07, 0x100].map(windows).map(Option::unwrap_or_default),
            ['A', 'À', '€', '’', '\0', '\0', '\0']
        );
    }

    #[test]
    fn glyphs_of_core_fonts_are_known_by_their_numbers() {
        assert_eq!(of_core_font("Arial,Bold", 36), Some('A'));
        assert_eq!(of_core_font("Times New Roman", 3), Some(' '));
        assert_eq!(of_core_font("Arial", 98), None);
        assert_eq!(of_core_font("Cambria", 36), None);
    }
}
