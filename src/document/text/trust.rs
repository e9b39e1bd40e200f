//! Whether what the fonts say their glyphs mean can be so: codes that lead to no letter, alphabets that are shifted, codes of
//! a subset's own that are taken for ASCII, letters of one script that are taken for those of another. Pure.

use std::collections::HashSet;

use super::open_line::{OpenLine, REPLACEMENT, Text, TextRun};
use super::shifted::{FEWEST, is_shifted};

/// What is known of a font that a page uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traits {
    /// Which of the document's fonts it is.
    pub(super) id: u32,
    /// Whether neither the file nor the font says what its codes mean: they are taken for ASCII.
    pub(super) guessed: bool,
}

/// The fonts that a page uses.
#[derive(Default)]
pub(super) struct FontsUsed(Vec<Traits>);

impl FontsUsed {
    /// The number of a font on this page.
    pub(super) fn number(&mut self, font: Traits) -> u16 {
        let at = self.0.iter().rposition(|known| known.id == font.id).unwrap_or_else(|| {
            self.0.push(font);
            self.0.len() - 1
        });
        u16::try_from(at).unwrap_or(u16::MAX)
    }
}

/// What a page shows in one font.
#[derive(Default)]
struct Use {
    /// Its text, a blank between words; not more than [`SAMPLE`].
    text: String,
    letters: u32,
    unknown: u32,
    unknown_codes: HashSet<u32>,
}

/// So many characters of a font are looked at.
const SAMPLE: usize = 8_000;
/// Pieces farther apart than this are of two words, in sizes.
const GAP: f64 = 0.2;
/// Unknown glyphs are a word when so many different ones stand side by side: signs stand alone, hatches repeat.
const WORD: usize = 3;
/// A font of letters and unknown glyphs is unreadable when it has so many different ones of these,
const UNKNOWN_CODES: usize = 6;
/// which are at least one of so many of its glyphs, and at most so many of ten.
const UNKNOWN_SHARE: (u32, u32) = (7, 8);

/// What of a page's text cannot be read for what it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Unreadable {
    /// How many glyphs are of words and fonts of which nothing is known, or what cannot be so.
    pub(super) glyphs: u32,
    /// How many without a meaning stand within words of known letters.
    pub(super) lost: u32,
}

/// What cannot be read of lines.
pub(super) fn unreadable(lines: &[OpenLine], fonts: &FontsUsed) -> Unreadable {
    let mut gaps = Lost::default();
    let mut fonts_used: Vec<Use> = Vec::new();
    fonts_used.resize_with(fonts.0.len().max(1), Use::default);
    let mut in_words: Vec<u32> = vec![0; fonts_used.len()];
    for line in lines {
        let mut last: Option<&TextRun> = None;
        let mut word: Vec<&TextRun> = Vec::new();
        for piece in line.pieces() {
            let at = usize::from(piece.glyph.0).min(fonts_used.len() - 1);
            let parts =
                last.is_none_or(|last| piece.start - last.end > piece.size * GAP || last.glyph.0 != piece.glyph.0);
            let unknown = is_unknown(piece);
            gaps.pass(last, piece, unknown);
            if (parts || !unknown) && !word.is_empty() {
                count_word(&word, &mut in_words);
                word.clear();
            }
            fonts_used[at].add(piece, parts, unknown);
            if unknown {
                word.push(piece);
            }
            last = Some(piece);
        }
        count_word(&word, &mut in_words);
    }
    let of_font = |(at, used): (usize, &Use)| {
        let traits = fonts.0.get(at).copied().unwrap_or_default();
        if used.is_torn() || is_garbled(&used.text, traits.guessed) { used.letters } else { in_words[at] }
    };
    Unreadable { glyphs: fonts_used.iter().enumerate().map(of_font).sum(), lost: gaps.count }
}

/// Whether nothing is known of what a glyph means.
const fn is_unknown(piece: &TextRun) -> bool {
    matches!(piece.text, Text::One(REPLACEMENT))
}

/// Counts glyphs without a meaning that stand beside a letter, so that they were one.
#[derive(Default)]
struct Lost {
    count: u32,
    /// Whether the last glyph is in it.
    last: bool,
}

impl Lost {
    fn pass(&mut self, last: Option<&TextRun>, piece: &TextRun, unknown: bool) {
        let last = last.filter(|last| unknown || is_unknown(last));
        let is_letter = |piece: &TextRun| match &piece.text {
            Text::One(c) => c.is_alphanumeric(),
            Text::More(text) => text.chars().any(char::is_alphanumeric),
        };
        let apart = |last: &TextRun| (piece.start - last.end).abs().min((last.start - piece.end).abs());
        let near = last.filter(|last| apart(last) <= piece.size * GAP);
        // What stands before a word in another font is a sign.
        let begins = |last: &&TextRun| is_unknown(last) && is_letter(piece) && last.glyph.0 == piece.glyph.0;
        self.count += u32::from(!self.last && near.is_some_and(|last| begins(&last)));
        self.last = unknown && near.is_some_and(is_letter);
        self.count += u32::from(self.last);
    }
}

fn count_word(word: &[&TextRun], in_words: &mut [u32]) {
    let codes: HashSet<u32> = word.iter().map(|piece| piece.glyph.1).collect();
    if codes.len() >= WORD
        && let Some(count) = in_words.get_mut(usize::from(word[0].glyph.0))
    {
        *count += u32::try_from(word.len()).unwrap_or(u32::MAX);
    }
}

impl Use {
    fn add(&mut self, piece: &TextRun, parts: bool, unknown: bool) {
        if parts || piece.text.is_blank() {
            self.push(' ');
        }
        if piece.text.is_blank() {
            return;
        }
        self.letters += 1;
        if unknown {
            self.unknown += 1;
            self.unknown_codes.insert(piece.glyph.1);
        }
        match &piece.text {
            Text::One(c) => self.push(*c),
            Text::More(text) => text.chars().for_each(|c| self.push(c)),
        }
    }

    fn push(&mut self, c: char) {
        let again = c == ' ' && (self.text.is_empty() || self.text.ends_with(' '));
        if self.text.len() < SAMPLE && !again {
            self.text.push(c);
        }
    }

    /// Whether a part of its letters is not known.
    fn is_torn(&self) -> bool {
        let (least, most) = UNKNOWN_SHARE;
        self.unknown_codes.len() >= UNKNOWN_CODES
            && self.unknown * least >= self.letters
            && self.unknown * 10 <= self.letters * most
    }
}

/// Marks, of 100 characters, that no text has so many of.
const MARKS: usize = 30;
/// So many characters, and so many different marks among them, say that these are codes.
const FEWEST_MARKS: (usize, usize) = (16, 5);
/// Only longer words say something: of marks, and of codes.
const MARKED_WORD: usize = 3;
const CODED_WORD: usize = 5;
/// So many ornaments behind a letter, and so many of 100 pairs of signs, are letters themselves.
const FEWEST_DINGBATS: usize = 8;
const DINGBATS: usize = 10;
/// Codes of another page's letters are told in so many characters, when so large a part of them are accented.
const SHORT_PAGE: (usize, (usize, usize)) = (16, (5, 6));
/// Of 100 pairs of signs, so many are of different kinds only in codes.
const MOST_CHANGES: usize = 30;
/// Whether a font's text is none. `guessed` when its codes were taken for ASCII.
fn is_garbled(text: &str, guessed: bool) -> bool {
    // Most fonts of a page have a sign or two.
    if text.len() < FEWEST_MARKS.0 {
        return false;
    }
    let of_marks = is_of_marks(text);
    guessed && (of_marks || is_of_codes(text))
        || is_of_dingbats(text)
        || is_of_another_page(text)
        || is_shifted(text, guessed, of_marks)
}

fn is_mark(c: char) -> bool {
    c.is_ascii_punctuation() && !matches!(c, '.' | '-' | '_') || matches!(c, '‘' | '’')
}

/// The words of a text that have so many characters; those of formulas are shorter. Addresses of mail and of the web are
/// none.
fn words(text: &str, fewest: usize) -> impl Iterator<Item = &str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "@.,:/-_%?&=#~+".contains(c);
    let is_address = move |word: &str| {
        (word.contains('@') || word.contains("://") || word.starts_with("www.")) && word.chars().all(is_plain)
    };
    let has_addresses = text.contains('@') || text.contains("://") || text.contains("www.");
    let is_long = move |word: &str| word.chars().nth(fewest - 1).is_some();
    text.split(' ').filter(move |word| is_long(word) && !(has_addresses && is_address(word)))
}

/// Whether there are more marks in it than letters could need.
fn is_of_marks(text: &str) -> bool {
    let (mut all, mut marks, mut different) = (0, 0, Vec::new());
    for c in words(text, MARKED_WORD).flat_map(str::chars) {
        all += 1;
        if is_mark(c) {
            marks += 1;
            if different.len() < FEWEST_MARKS.1 && !different.contains(&c) {
                different.push(c);
            }
        }
    }
    all >= FEWEST_MARKS.0 && different.len() >= FEWEST_MARKS.1 && marks * 100 >= all * MARKS
}

/// Whether letters, numbers and marks follow each other as they never do in text.
fn is_of_codes(text: &str) -> bool {
    let class = |c: char| match c {
        c if c.is_lowercase() => 0,
        c if c.is_uppercase() => 1,
        c if c.is_numeric() => 2,
        _ => 3,
    };
    let (mut pairs, mut changes) = (0, 0);
    for (a, b) in words(text, CODED_WORD).flat_map(|word| word.chars().zip(word.chars().skip(1))) {
        pairs += 1;
        // A capital begins a word.
        changes += usize::from(class(a) != class(b) && (class(a), class(b)) != (1, 0));
    }
    pairs >= FEWEST && changes * 100 >= pairs * MOST_CHANGES
}

/// Whether ornaments follow letters within words: codes of letters that are taken for those of such a font.
fn is_of_dingbats(text: &str) -> bool {
    if text.is_ascii() {
        return false;
    }
    let (mut all, mut within) = (0, 0);
    for (last, c) in text.chars().zip(text.chars().skip(1)).filter(|(last, c)| *last != ' ' && *c != ' ') {
        all += 1;
        within += usize::from(last.is_alphabetic() && matches!(c, '\u{2701}'..='\u{27bf}'));
    }
    within >= FEWEST_DINGBATS && within * 100 >= all * DINGBATS
}

/// Whether most of its letters are the accented ones of Latin-1: codes of Arabic, Cyrillic or Chinese letters.
fn is_of_another_page(text: &str) -> bool {
    if text.is_ascii() {
        return false;
    }
    let all = text.chars().filter(|c| *c != ' ').count();
    let is_upper = |c: &char| matches!(c, '\u{a1}'..='\u{ff}') && !matches!(c, '\u{ad}' | '·' | '°' | '«' | '»');
    let upper: Vec<char> = text.chars().filter(is_upper).collect();
    let different: HashSet<char> = upper.iter().copied().collect();
    let (fewest, (part, of)) = SHORT_PAGE;
    // A font may hold the accented letters of a text alone: these do not stand beside each other.
    let beside: usize = text.split(' ').map(|word| word.chars().count()).filter(|count| *count > 1).sum();
    let in_words = || beside * of >= all * part && upper.len() * of >= all * part;
    different.len() >= 8 && (all >= FEWEST && upper.len() * 2 > all || all >= fewest && in_words())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROSE: [&str; 8] = [
        "The northern railway company was founded in the spring of 1869 and carried slate to the harbour",
        "Die Gesellschaft wurde im Frühjahr gegründet und brachte Schiefer aus den Brüchen an den Hafen",
        "La compagnie fut fondée au printemps et transportait l'ardoise des carrières jusqu'au port",
        "La compañía se fundó en la primavera y llevaba pizarra desde las canteras hasta el puerto",
        "Spółka została założona wiosną i przewoziła łupek z kamieniołomów do portu przez wiele lat",
        "Yhtiö perustettiin keväällä ja se kuljetti liuskekiveä louhoksilta satamaan lähes sata vuotta",
        "A társaságot tavasszal alapították, és palát szállított a bányákból a kikötőbe majdnem száz évig",
        "Şirket ilkbaharda kuruldu ve ocaklardan limana neredeyse doksan yıl boyunca arduvaz taşıdı",
    ];

    fn shifted(text: &str, by: i32) -> String {
        let moved = |c: char| if c == ' ' { c } else { char::from_u32((c as u32).strict_add_signed(by)).unwrap() };
        text.chars().map(moved).collect()
    }

    #[test]
    fn text_is_none_when_no_language_is_like_it() {
        for text in PROSE {
            assert!(!is_garbled(text, false), "{text}");
            assert!(!is_garbled(text, true), "{text}");
            assert!(!is_garbled(&text.to_uppercase(), true), "{text}");
        }
        for by in [3, -15, 1, -1, -3, -29] {
            assert!(is_garbled(&shifted(PROSE[0], by), false), "{by}");
        }
        // Codes in the order in which the letters come.
        let codes = |first: u32| {
            let mut known: Vec<char> = Vec::new();
            let code = |c: char| {
                let at = known.iter().position(|of| *of == c).unwrap_or_else(|| {
                    known.push(c);
                    known.len() - 1
                });
                char::from_u32(first + u32::try_from(at).unwrap()).unwrap()
            };
            PROSE[0].chars().map(code).collect::<String>()
        };
        for first in [33, 35, 48, 60, 65, 97] {
            assert!(is_garbled(&codes(first), true), "{first} {}", codes(first));
        }
        assert!(is_garbled("Íàçâàíèå êîìïàíèè ïîëíîñòüþ è ñîêðàùåííî Þðèäè÷åñêèé àäðåñ", false));
        assert!(is_garbled("È« ÊÀ ½ç ÎÞ ²ú Õß £¬ Áª ºÏ Æð À´ A", false), "a short line of GBK");
        assert!(!is_garbled("ÀÉÈÙ éàùç Où êtes-vous allé, Zoë ?", false), "accents among others");
        assert!(!is_garbled("é è à ç é ê ô û é è â î ï ë ù é à", false), "the letters that another font lacks");
        let ornaments = "t❤❡ ❝❛s❡ ✇❤❡♥ ✇❡ ❤❛✈❡ t❤❡ s❛♠❡ ❛❜♦✈❡ ✇✐t❤♦✉t ❧♦ss ♦❢ ❣❡♥❡r❛❧✐t② ".repeat(3);
        assert!(is_garbled(&ornaments, false));
        for text in [
            "✓ yes ✓ no ✗ maybe ✔done ✘open ★★★☆☆ ❶ first ❷ second ➢ and so on ➢ to the end",
            "4.50 12.00 7,931 (3.2) 18.75 0.00 1,250.50 9.95 12.5% 3.7% 44.1% 12/03/2024 7:45",
            "BC847B SMD0603 X7R-104K LM358DR2G 1N4148WS STM32F103C8T6 CRCW0402 GRM155R71H104KE14D",
            "MKWVTFISLLFLFSSAYSRGVFRRDAHKSEVAHRFKDLGEENFKALVLIAFAQYLQQCPFEDHVKLVNEVTEFAKTCVADES",
            "f(x) = a*x + b; if (x > 0) { return y[i] } else { z = \"none\"; } // as said",
            "Příliš žluťoučký kůň úpěl ďábelské ódy a přitom se díval na měsíc nad řekou",
            "Ở Việt Nam, đường sắt được xây dựng từ cuối thế kỷ mười chín và còn đến nay",
        ] {
            assert!(!is_garbled(text, false), "{text}");
        }
    }

    #[test]
    fn formulas_and_addresses_are_no_codes() {
        for text in [
            "c C δ δ ζ c,δ ζ xc,xδ c C x C v D v xc c C x v x ζ v,δ ζ xc,δ ζ v c,δ ζ c,δ/ v . ζ v,δ < ε δ/ v < δ ζ v,n < ε v D v > R n /δ",
            "jrennie@mit.edu kai@mit.edu teevan@mit.edu karger@mit.edu",
            "rs2 rs2 rs2 rd fregrs2, fregrd fregrs2, fregrd fregrs2, fregrd fregrs2, fregrd fregrs2, fregrd fregrs2, fregrd",
            "= +1 = ( ) [1 ] = [1 ] = = ( ) = 1 ( ) ( ) ( ) ( ) = ( ) = 08 ( ) = 08 08 2 08",
            "https://doi.org/10.1371/journal.pone.0196757.g004 https://doi.org/10.1371/journal.pone.0196757.g005",
        ] {
            assert!(!is_garbled(text, true) && !is_garbled(text, false), "{text}");
        }
    }

    #[test]
    fn unknown_glyphs_count_where_they_are_words() {
        let page = |glyphs: &[(char, u32, f64)]| {
            let mut pen = 0.0;
            let mut open: Option<OpenLine> = None;
            for (c, code, gap) in glyphs {
                pen += gap;
                let piece = TextRun {
                    text: Text::One(*c),
                    start: pen,
                    end: pen + 5.0,
                    baseline: 100.0,
                    size: 10.0,
                    style: super::super::line::Style::default(),
                    string: 0,
                    glyph: (0, *code),
                };
                pen += 5.0;
                match &mut open {
                    Some(line) => line.add(piece, false),
                    None => open = Some(OpenLine::new(piece, (1.0, 0.0), false, None, None)),
                }
            }
            let mut fonts = FontsUsed::default();
            fonts.number(Traits::default());
            let found = unreadable(&[open.unwrap()], &fonts);
            (found.glyphs, found.lost)
        };
        let unknown = |codes: &[u32], gap: f64| codes.iter().map(|code| (REPLACEMENT, *code, gap)).collect::<Vec<_>>();
        assert_eq!(page(&unknown(&[1, 2, 3, 4, 5, 6], 0.0)), (6, 0), "a word");
        assert_eq!(page(&unknown(&[1, 2, 3, 4, 5, 6], 9.0)), (0, 0), "signs");
        assert_eq!(page(&unknown(&[7; 30], 0.0)), (0, 0), "a hatch");
        // Every other letter is unknown.
        let torn: Vec<(char, u32, f64)> =
            (0..40).map(|at| if at % 2 == 0 { ('e', 0, 0.0) } else { (REPLACEMENT, at % 14, 0.0) }).collect();
        assert_eq!(page(&torn).0, 40);
        // One letter of a word, each once: within it, at its end, before it; and signs beside words.
        let (e, lost) = (('e', 1, 0.0), |gap| (REPLACEMENT, 2, gap));
        for (glyphs, expected) in [
            (&[e, lost(0.0), e][..], 1),
            (&[e, e, lost(0.0), lost(9.0), e], 2),
            (&[lost(0.0), ('e', 1, 9.0), e], 0),
            (&[e, lost(9.0), ('e', 1, 9.0)], 0),
            (&[('(', 3, 0.0), lost(0.0), (')', 3, 0.0)], 0),
        ] {
            assert_eq!(page(glyphs), (0, expected), "{glyphs:?}");
        }
    }
}
