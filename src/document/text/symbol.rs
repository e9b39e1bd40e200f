//! Signs that fonts name by their codes in the private use area, from U+F000 on, as symbolic TrueType fonts do.

/// What the codes of a font stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Symbols {
    /// Letters, by ASCII.
    Letters,
    /// Greek letters, as in the font Symbol.
    Greek,
    /// Signs of mathematics, as in the fonts Mathematical Pi.
    Signs,
    /// The pictures of Wingdings, with which word processors write boxes, arrows and signs of lists.
    Wingdings,
    /// The pictures of Wingdings 2, with which forms are ticked.
    Wingdings2,
    /// Signs of lists and other pictures, of Wingdings 3 and Webdings.
    Dingbats,
    /// Pictures.
    Pictures,
    /// The signs of lists and quotation marks of `WordPerfect`, which claim to be letters.
    WordPerfect,
}

impl Symbols {
    /// Those of a font of this name.
    pub(super) fn of(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
        if has(&["mathematicalpi", "mathpi"]) {
            Self::Signs
        } else if has(&["wingdings2", "wingdings-2", "wingdings 2"]) {
            Self::Wingdings2
        } else if has(&["wingdings3", "wingdings-3", "wingdings 3", "webdings"]) {
            Self::Dingbats
        } else if has(&["wingdings"]) {
            Self::Wingdings
        } else if has(&["dings", "icon", "awesome", "glyphicon", "marlett", "sign"]) {
            Self::Pictures
        } else if has(&["typographicsymbols"]) {
            Self::WordPerfect
        } else if has(&["symbol"]) {
            Self::Greek
        } else {
            Self::Letters
        }
    }
}

/// Boxes and buttons of forms that web browsers print, layer over layer, from the font Marlett: the letters of their layers.
const LAYERED: [(&str, char); 4] = [("gfedc", '☐'), ("gfedcb", '☑'), ("nmlkj", '☐'), ("nmlkji", '☑')];

/// The box that the letters of its layers stand for, as a word.
pub(super) fn layered_box(word: &str) -> Option<char> {
    LAYERED.iter().find_map(|(layers, sign)| (*layers == word).then_some(*sign))
}

/// The letters of the font Symbol, A to Z and a to z.
const UPPER: &str = "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ";
const LOWER: &str = "αβχδεφγηιϕκλμνοπθρστυϖωξψζ";

/// The sign that a font of signs has for a code that has the place of a letter or a figure; `None` where that is not known.
pub(super) fn sign(code: u32) -> Option<char> {
    Some(match char::from_u32(code)? {
        ' ' => ' ',
        '1' => '+',
        '2' => '−',
        '3' => '×',
        '4' => '÷',
        '5' => '=',
        '6' => '±',
        '7' => '∓',
        '8' => '°',
        'V' => 'Ω',
        _ => return None,
    })
}

/// The sign that `WordPerfect`'s font of typographic symbols has where its encoding says `!`: that of an item.
pub(super) fn word_perfect(code: u32) -> Option<char> {
    (code == u32::from('!')).then_some('•')
}

/// The signs of Wingdings in rows, each with the code of its first one (Unicode L2/12-368).
const WINGDINGS: [(u32, &str); 13] = [
    (0x28, "☎✆✉"),
    (0x45, "☜☞☝☟"),
    (0x4a, "☺😐☹"),
    (0x6c, "●❍■□"),
    (0x71, "❑❒⬧⧫◆❖⬥"),
    (0x80, "⓪①②③④⑤⑥⑦⑧⑨⑩⓿❶❷❸❹❺❻❼❽❾❿"),
    (0x9e, "·•▪○"),
    (0xa7, "▪☐"),
    (0xaa, "✦★✶✴✹✵"),
    (0xd8, "➢"),
    (0xdf, "←→↑↓↖↗↙↘"),
    (0xe8, "➔"),
    (0xfb, "✗✓☒☑"),
];

/// The signs of Wingdings 2 that are written into boxes (Unicode L2/12-368).
const TICKS: [(char, char); 6] = [('O', '✗'), ('P', '✓'), ('R', '☑'), ('S', '☒'), ('T', '☒'), ('£', '☐')];

/// Whether a map names a letter for the picture of a font, as those of some word processors do.
pub(super) fn is_misnamed(letter: char, symbols: Symbols) -> bool {
    let is_letter = ('!'..='\u{ff}').contains(&letter) && !letter.is_whitespace();
    match symbols {
        Symbols::Wingdings | Symbols::Wingdings2 => is_letter,
        Symbols::Dingbats => is_letter && letter.is_alphanumeric(),
        _ => false,
    }
}

/// The picture that a map names a letter for; `None` when that cannot be known.
pub(super) fn picture(letter: char, symbols: Symbols) -> Option<char> {
    public(char::from_u32(0xf000 + u32::from(letter))?, symbols)
}

/// What a sign of private use stands for in a font; `None` when that cannot be known.
pub(super) fn public(sign: char, symbols: Symbols) -> Option<char> {
    if symbols == Symbols::Wingdings {
        let code = u32::from(sign).checked_sub(0xf000)?;
        let row = WINGDINGS.iter().rev().find(|(first, _)| *first <= code)?;
        return row.1.chars().nth((code - row.0) as usize);
    }
    if symbols == Symbols::Wingdings2 {
        let code = u32::from(sign).checked_sub(0xf000)?;
        return TICKS.iter().find(|(of, _)| u32::from(*of) == code).map(|(_, sign)| *sign);
    }
    let code = u32::from(sign).checked_sub(0xf000).filter(|code| (0x20..0x7f).contains(code))?;
    let ascii = char::from_u32(code)?;
    let of = |letters: &str, first: char| letters.chars().nth((code - u32::from(first)) as usize);
    match symbols {
        Symbols::Letters => Some(ascii),
        Symbols::Greek if ascii.is_ascii_uppercase() => of(UPPER, 'A'),
        Symbols::Greek if ascii.is_ascii_lowercase() => of(LOWER, 'a'),
        Symbols::Greek if ascii.is_ascii_digit() || matches!(ascii, ' ' | '+' | '=' | '<' | '>' | '.' | ',') => {
            Some(ascii)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_of_lists_of_word_perfect_are_no_exclamation_marks() {
        assert_eq!(Symbols::of("ELCKGH+WPTypographicSymbols"), Symbols::WordPerfect);
        assert_eq!([0x21, 0x41].map(word_perfect), [Some('•'), None]);
    }

    #[test]
    fn signs_are_read_by_their_font() {
        for (sign, font, expected) in [
            ('\u{f041}', "ABCDEF+Calibri", Some('A')),
            ('\u{f061}', "SymbolMT", Some('α')),
            ('\u{f057}', "Symbol", Some('Ω')),
            ('\u{f032}', "Symbol", Some('2')),
            ('\u{f040}', "Symbol", None),
            ('\u{f041}', "Wingdings", None),
            ('\u{f0a8}', "ABCDEF+Wingdings-Regular", Some('☐')),
            ('\u{f0fe}', "Wingdings", Some('☑')),
            ('\u{f08b}', "Wingdings", Some('⓿')),
            ('\u{f0e3}', "Wingdings", Some('↖')),
            ('\u{f0ff}', "Wingdings", None),
            ('\u{f0a8}', "Wingdings2", None),
            ('\u{f052}', "Wingdings2", Some('☑')),
            ('\u{f052}', "Wingdings3", None),
            ('\u{f0b7}', "Calibri", None),
            ('\u{e041}', "Calibri", None),
        ] {
            assert_eq!(public(sign, Symbols::of(font)), expected, "{sign:?} {font}");
        }
    }

    #[test]
    fn letters_that_a_map_names_for_pictures_are_none() {
        for (letter, font, expected) in [
            ('l', "Wingdings-Regular", Some('●')),
            ('Ø', "ABCDEF+Wingdings", Some('➢')),
            ('P', "ABCDEF+Wingdings2", Some('✓')),
            ('a', "Wingdings2", None),
            // An arrow or a sign of a list: which one is not known, and no letter.
            ('h', "EWVNYY+Wingdings3", None),
        ] {
            let symbols = Symbols::of(font);
            assert!(is_misnamed(letter, symbols), "{letter:?} {font}");
            assert_eq!(picture(letter, symbols), expected, "{letter:?} {font}");
        }
        for (letter, font) in [(' ', "Wingdings"), ('✓', "Wingdings"), ('h', "Calibri"), ('h', "DesignSans")] {
            assert!(!is_misnamed(letter, Symbols::of(font)), "{letter:?} {font}");
        }
    }
}
