//! What lines begin with that makes them items of a list: signs, numbers, letters.

use super::line::Line;

/// Signs that begin an item of a list.
pub(super) const BULLETS: [char; 21] =
    ['•', '‣', '▪', '▸', '▹', '◦', '●', '○', '■', '□', '➢', '∙', '❖', '✓', '✔', '➔', '◆', '◇', '►', '⁃', '・'];

/// What begins an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Marker {
    /// One of [`BULLETS`], or a dash: so many bytes; none where the line is an item for another reason.
    Bullet(usize),
    /// A number with a point or a parenthesis: `3.`
    Number(String),
}

/// More numbers than these are a list, also where some are left out.
const FEWEST_SKIPPED: usize = 2;
/// Further items of a page are none: each is compared with all.
const MOST_SIBLINGS: usize = 1_000;

/// Starts of lines that may be items, so that a number alone makes no list.
pub(super) struct Siblings {
    /// A dash and where its line begins.
    dashes: Vec<(char, f64)>,
    /// A number, where its line begins, and where the number ends.
    numbers: Vec<(Enumerator, f64, f64)>,
}

/// A number or a letter that counts paragraphs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Enumerator {
    value: u32,
    /// What stands around it.
    around: (Option<char>, char),
    letter: Option<Case>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Lower,
    Upper,
    /// A Roman number of several letters.
    Roman,
}

/// Roman numbers that count paragraphs.
const ROMAN: [&str; 20] = [
    "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii", "xiii", "xiv", "xv", "xvi", "xvii",
    "xviii", "xix", "xx",
];

/// What stands behind a number that has nothing behind it.
const BARE: char = ' ';

/// Signs that word processors take from fonts of symbols, as letters of other fonts. They begin an item where they stand as
/// far from its text as signs do, and are of another font than that, as far as fonts are known: in many languages they are
/// words.
const BORROWED: [char; 11] = ['o', '§', '¨', 'Ø', 'ü', 'v', 'q', 'à', 'l', 'n', '·'];
/// So far, in sizes.
const SIGN_GAP: f64 = 0.6;

impl Enumerator {
    fn of(line: &Line) -> Option<Self> {
        let word = line.words[0].text.as_str();
        // A bare number counts a title, as in a list of contents.
        let next = line.words.get(1).and_then(|word| word.text.chars().next());
        if word.len() <= 2 && word.bytes().all(|b| b.is_ascii_digit()) && next.is_some_and(char::is_uppercase) {
            return Some(Self { value: word.parse().ok()?, around: (None, BARE), letter: None });
        }
        // Sections of building specifications are counted so.
        if let Some(digits) = word.strip_prefix('.').filter(|rest| (1..=2).contains(&rest.len())) {
            let value = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()?;
            return Some(Self { value, around: (Some('.'), BARE), letter: None });
        }
        let before = word.chars().next().filter(|c| matches!(c, '(' | '['));
        let bare = &word[before.map_or(0, char::len_utf8)..];
        let after = bare
            .chars()
            .next_back()
            .filter(|c| matches!((before, c), (Some('['), ']') | (Some('(') | None, '.' | ')')))?;
        let bare = &bare[..bare.len() - 1];
        let around = (before, after);
        let mut chars = bare.chars();
        match (chars.next()?, chars.next()) {
            (letter, None) if letter.is_ascii_alphabetic() => {
                let case = if letter.is_ascii_lowercase() { Case::Lower } else { Case::Upper };
                Some(Self { value: u32::from(letter.to_ascii_lowercase()), around, letter: Some(case) })
            }
            _ if ROMAN.contains(&bare) => {
                let value = (1..).zip(ROMAN).find_map(|(value, roman)| (roman == bare).then_some(value))?;
                Some(Self { value, around, letter: Some(Case::Roman) })
            }
            _ if bare.len() <= 3 && bare.bytes().all(|b| b.is_ascii_digit()) => {
                Some(Self { value: bare.parse().ok()?, around, letter: None })
            }
            _ => None,
        }
    }

    fn is_next_to(self, other: Self) -> bool {
        self.is_like(other) && self.as_like(other).abs_diff(other.as_like(self)) == 1
    }

    /// Whether both count in one way.
    fn is_like(self, other: Self) -> bool {
        let roman = |one: Self, other: Self| one.letter == Some(Case::Roman) && other.roman().is_some();
        self.around == other.around && (self.letter == other.letter || roman(self, other) || roman(other, self))
    }

    /// Its value, as one counts beside `other`: `i` is a letter or a Roman number.
    fn as_like(self, other: Self) -> u32 {
        self.roman().filter(|_| other.letter == Some(Case::Roman)).unwrap_or(self.value)
    }

    fn roman(self) -> Option<u32> {
        match self.letter {
            Some(Case::Roman) => Some(self.value),
            Some(Case::Lower) => [('i', 1), ('v', 5), ('x', 10)]
                .into_iter()
                .find_map(|(letter, value)| (u32::from(letter) == self.value).then_some(value)),
            _ => None,
        }
    }
}

impl Siblings {
    pub(super) fn of(lines: &[&Line]) -> Self {
        let mut siblings = Self { dashes: Vec::new(), numbers: Vec::new() };
        for line in lines.iter().filter(|line| !line.right_to_left) {
            let first = &line.words[0];
            if let Some(dash) = dash(line) {
                siblings.dashes.push((dash, line.start));
            }
            if siblings.dashes.len() + siblings.numbers.len() >= MOST_SIBLINGS {
                break;
            }
            if let Some(enumerator) = Enumerator::of(line) {
                siblings.numbers.push((enumerator, line.start, first.end));
            }
        }
        siblings
    }

    /// What a line begins with, if that makes it an item.
    pub(super) fn marker(&self, line: &Line) -> Option<Marker> {
        let first = &line.words[0];
        if let Some(bullet) = first.text.chars().next().filter(|c| BULLETS.contains(c)) {
            return Some(Marker::Bullet(bullet.len_utf8()));
        }
        if let Some(sign) = borrowed(line) {
            return Some(Marker::Bullet(sign.len_utf8()));
        }
        let near = |a: f64, b: f64| (a - b).abs() < line.size * 0.3;
        if let Some(dash) = dash(line) {
            let alike = self.dashes.iter().filter(|(other, start)| *other == dash && near(*start, line.start)).count();
            return (alike >= 2).then_some(Marker::Bullet(dash.len_utf8()));
        }
        let enumerator = self.enumerator(line)?;
        let is_number = enumerator.letter.is_none() && enumerator.around.0.is_none() && enumerator.around.1 != BARE;
        (is_number && line.words.len() > 1).then(|| Marker::Number(first.text.clone()))
    }

    /// Whether a line begins with a number, or a letter, that counts it.
    pub(super) fn counts(&self, line: &Line) -> bool {
        self.enumerator(line).is_some()
    }

    /// Whether a line begins with a number as of a reference, which may also stand amid a sentence.
    pub(super) fn is_reference(line: &Line) -> bool {
        Enumerator::of(line).is_some_and(|enumerator| enumerator.around.0 == Some('['))
    }

    /// The number, or the letter, of a line when the one before or after it stands above or below.
    fn enumerator(&self, line: &Line) -> Option<Enumerator> {
        let first = &line.words[0];
        let enumerator = Enumerator::of(line).filter(|_| !line.right_to_left)?;
        let near = |a: f64, b: f64| (a - b).abs() < line.size * 0.3;
        let aligned = |start: f64, end: f64| near(start, line.start) || near(end, first.end);
        let alike = |other: &&(Enumerator, f64, f64)| aligned(other.1, other.2) && other.0.is_like(enumerator);
        let others: Vec<Enumerator> = self.numbers.iter().filter(alike).map(|(other, ..)| *other).collect();
        let next = others.iter().filter(|other| other.is_next_to(enumerator)).count();
        // Numbers behind which something stands may leave some out.
        let skips = enumerator.letter.is_none() && enumerator.around != (None, BARE) && others.len() > FEWEST_SKIPPED;
        (next > 0 || skips).then_some(enumerator)
    }
}

/// The sign of a font of symbols that a line begins with.
fn borrowed(line: &Line) -> Option<char> {
    let [first, second, ..] = &line.words[..] else { return None };
    let mut chars = first.text.chars();
    let sign = chars.next().filter(|c| BORROWED.contains(c) && chars.next().is_none())?;
    let apart = !second.glued && second.start - first.end > line.size * SIGN_GAP && line.is_level();
    let same_font = first.font.is_some() && first.font == second.font;
    (apart && !same_font).then_some(sign)
}

/// The dash that a line begins with, apart from its text. A star before a label marks what has to be filled in.
fn dash(line: &Line) -> Option<char> {
    let [first, second, ..] = &line.words[..] else { return None };
    if first.text == "*" && line.words.last().is_some_and(|word| word.text.ends_with(':')) {
        return None;
    }
    let mut chars = first.text.chars();
    let dash = chars.next().filter(|c| matches!(c, '-' | '–' | '—' | '*' | '·' | '−'))?;
    (chars.next().is_none() && !second.glued && !first.style.mono).then_some(dash)
}

#[cfg(test)]
mod tests {
    use super::super::line::Word;
    use super::*;

    /// A line of words in these fonts.
    fn line(words: &[(&str, f64, Option<u16>)]) -> Line {
        let word = |(text, start, font): &(&str, f64, Option<u16>)| {
            let width = 5.0 * f64::from(u32::try_from(text.len()).unwrap());
            Word { font: *font, ..Word::at(text, *start, start + width) }
        };
        Line::of(words.iter().map(word).collect(), 100.0, 10.0)
    }

    fn marker(line: &Line) -> Option<Marker> {
        Siblings::of(&[line, line]).marker(line)
    }

    #[test]
    fn a_letter_is_a_sign_only_in_another_font_than_the_text() {
        for (sign, text, is_item) in [
            (Some(1), Some(2), true),
            (None, None, true),
            // "v" is a word of this sentence, far from the next one because both margins are straight.
            (Some(2), Some(2), false),
        ] {
            let line = line(&[("v", 0.0, sign), ("letech", 15.0, text)]);
            assert_eq!(marker(&line), is_item.then_some(Marker::Bullet(1)), "{sign:?} {text:?}");
        }
    }

    #[test]
    fn a_star_before_a_label_says_that_it_has_to_be_filled_in() {
        let star = |text| line(&[("*", 0.0, None), (text, 10.0, None)]);
        assert_eq!(marker(&star("Title:")), None);
        assert_eq!(marker(&star("Title")), Some(Marker::Bullet(1)));
    }
}
