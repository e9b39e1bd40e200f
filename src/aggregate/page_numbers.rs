//! Page numbers: how they are written, and which numbers in the margins are some.
//!
//! Numbers in margins also tell pages apart: invoices, patients, questions, dates. One counts as a page number only by
//! its form (it stands alone, beside a word such as `Page`, or changes sides with the page as running heads do) and when
//! it goes on with those of the pages beside it.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// How a number stands in its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Beside a word that says what it counts: `Page 3`, `3 of 6`.
    Worded,
    /// Alone: `3`, `- 3 -`, `iii`, `2-14`.
    Bare,
    /// Set off from other text by a sign: `A title | 3`.
    Parted,
    /// Before other text: `3 A TITLE`.
    Leading,
    /// Behind other text: `A TITLE 3`.
    Trailing,
}

/// A number that may be that of its page.
#[derive(Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) form: Form,
    /// Numbers of one series go on with each other.
    series: u64,
    value: i64,
    /// What the series must begin and end with, where its form alone says too little.
    bounds: Bounds,
    /// What stands at the bottom before a dash and the number: `A title - 3`.
    dashed: Option<u64>,
    /// What the block says besides.
    pub(super) rest: String,
}

/// What the numbers of a run must be besides consecutive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bounds {
    None,
    /// Of a chapter: from its beginning.
    FromStart,
    /// A fraction: from 1 to the number of pages, or it is a date.
    To(i64),
}

/// Words for a page, as they stand before or behind its number.
const PAGE_WORDS: [&str; 27] = [
    "page",
    "pages",
    "pg",
    "p",
    "seite",
    "s",
    "página",
    "pagina",
    "pág",
    "pag",
    "págs",
    "folio",
    "strana",
    "str",
    "strona",
    "sida",
    "side",
    "oldal",
    "sayfa",
    "страница",
    "стр",
    "с",
    "σελίδα",
    "صفحة",
    "עמוד",
    "slide",
    "folie",
];
/// Words between a page's number and how many there are.
const OF_WORDS: [&str; 14] = ["of", "von", "de", "sur", "di", "av", "af", "van", "z", "ze", "из", "от", "από", "/"];
/// Signs that stand around a number, or set it off.
const SIGNS: [char; 16] = ['-', '–', '—', '|', '·', '•', '[', ']', '(', ')', '<', '>', '~', '=', '_', '\u{a0}'];
/// Signs that set a number off from other text.
const PARTING: [char; 4] = ['|', '·', '•', '∙'];

impl Candidate {
    /// The number of a block in the margin, if it has one where page numbers stand. `lower` tells whether that is at the
    /// bottom of the page.
    pub(super) fn of(plain: &str, lower: bool) -> Option<Self> {
        let words: Vec<&str> = plain.split_whitespace().collect();
        ideographic(plain)
            .or_else(|| worded(&words))
            .or_else(|| alone(plain, lower))
            .or_else(|| parted(plain))
            .or_else(|| beside_text(&words, lower))
    }

    fn new(form: Form, value: i64, rest: String) -> Self {
        Self { form, series: 0, value, bounds: Bounds::None, dashed: None, rest }
    }
}

fn hash(what: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// `第3页`, `3ページ`, `3 쪽`.
fn ideographic(plain: &str) -> Option<Candidate> {
    let text: String = plain.trim_matches(SIGNS).chars().filter(|c| !c.is_whitespace()).collect();
    let number = ["页", "頁", "ページ", "쪽", "페이지"].iter().find_map(|word| text.strip_suffix(word))?;
    let value = decimal(number.strip_prefix('第').unwrap_or(number))?;
    Some(Candidate::new(Form::Worded, value, String::new()))
}

fn is_page_word(word: &str) -> bool {
    PAGE_WORDS.contains(&word.trim_matches(SIGNS).trim_end_matches(['.', ':']).to_lowercase().as_str())
}

fn is_of_word(word: &str) -> bool {
    OF_WORDS.contains(&word.to_lowercase().as_str())
}

/// A number beside a word for a page at the beginning or the end of a block, or with the number of all pages and nothing
/// else.
fn worded(words: &[&str]) -> Option<Candidate> {
    let number = |word: &str| {
        let word = word.trim_matches(SIGNS).trim_end_matches(['.', ',']);
        let first = word.split_once('/').map_or(word, |(first, of)| if decimal(of).is_some() { first } else { word });
        decimal(first)
    };
    let rest = |from: usize, to: usize| {
        let around = words[..from].iter().chain(&words[to..]);
        around.filter(|word| !word.trim_matches(SIGNS).is_empty()).copied().collect::<Vec<_>>().join(" ")
    };
    for (at, word) in words.iter().enumerate() {
        // `p.3`
        let glued = word.split_once('.').filter(|(word, _)| is_page_word(word)).and_then(|(_, rest)| decimal(rest));
        let (value, mut end) = match glued {
            Some(value) => (value, at + 1),
            None if is_page_word(word) => match words.get(at + 1).and_then(|next| number(next)) {
                Some(value) => (value, at + 2),
                None => continue,
            },
            // `3. oldal`, `3 of 6`
            None => match (number(word), words.get(at + 1), words.get(at + 2).and_then(|next| number(next))) {
                (Some(value), Some(next), _) if next.chars().count() > 2 && is_page_word(next) => (value, at + 2),
                (Some(value), Some(of), Some(all)) if is_of_word(of) && *of != "/" && words.len() == 3 => {
                    (if value <= all { value } else { return None }, 3)
                }
                _ => continue,
            },
        };
        let all = words.get(end + 1).and_then(|next| number(next));
        if all.is_some() && words.get(end).is_some_and(|of| is_of_word(of)) {
            end += 2;
        }
        if at == 0 || end == words.len() {
            return Some(Candidate::new(Form::Worded, value, rest(at, end)));
        }
    }
    None
}

/// A number and nothing else.
fn alone(plain: &str, lower: bool) -> Option<Candidate> {
    let text = plain.trim_matches(|c: char| c.is_whitespace() || SIGNS.contains(&c));
    let bare = |series, value, bounds| Candidate {
        form: Form::Bare,
        series,
        value,
        bounds,
        dashed: None,
        rest: String::new(),
    };
    if let Some(value) = decimal(text) {
        return Some(bare(0, value, Bounds::None));
    }
    // In capitals it also counts chapters and acts, which stand at the top.
    let is_lower = text.chars().all(char::is_lowercase);
    if let Some(value) = roman(text).filter(|_| is_lower || lower) {
        return Some(bare(1 + u64::from(is_lower), value, Bounds::None));
    }
    if let Some((value, all)) = text.split_once('/') {
        let (value, all) = (decimal(value.trim())?, decimal(all.trim())?);
        return Some(bare(hash(("/", all)), value, Bounds::To(all)));
    }
    let (chapter, value) = text.split_once(['-', '–'])?;
    let is_chapter = matches!(chapter.len(), 1..=2) && chapter.bytes().all(|b| b.is_ascii_alphanumeric());
    let value = decimal(value).filter(|_| is_chapter && !chapter.starts_with('0'))?;
    Some(bare(hash(("-", chapter)), value, Bounds::FromStart))
}

/// `A title | 3`, `3 | A title`.
fn parted(plain: &str) -> Option<Candidate> {
    let sides = [plain.rsplit_once(PARTING).map(|(rest, number)| (number, rest)), plain.split_once(PARTING)];
    sides.into_iter().flatten().find_map(|(number, rest)| {
        let value = decimal(number.trim())?;
        Some(Candidate::new(Form::Parted, value, rest.trim().to_owned()))
    })
}

/// `3 A TITLE`, `A TITLE 3`.
fn beside_text(words: &[&str], lower: bool) -> Option<Candidate> {
    let ([first, behind @ ..], [before @ .., last]) = (words, words) else { return None };
    match (decimal(first), decimal(last)) {
        (None, Some(value)) => {
            let dashed = match before {
                [title @ .., "-" | "–" | "—"] if lower && !title.is_empty() => Some(hash(title)),
                _ => None,
            };
            Some(Candidate { dashed, ..Candidate::new(Form::Trailing, value, before.join(" ")) })
        }
        (Some(value), None) => Some(Candidate::new(Form::Leading, value, behind.join(" "))),
        _ => None,
    }
}

/// A whole number in decimal digits, of whatever script.
fn decimal(text: &str) -> Option<i64> {
    const ZEROS: [u32; 5] = [0x30, 0x660, 0x6f0, 0x966, 0xff10];
    let digit = |c: char| ZEROS.iter().map(|zero| u32::from(c).wrapping_sub(*zero)).find(|digit| *digit < 10);
    let (mut value, mut digits) = (0, 0);
    for c in text.chars() {
        value = value * 10 + i64::from(digit(c)?);
        digits += 1;
        if digits > 6 {
            return None;
        }
    }
    (digits > 0).then_some(value)
}

/// A Roman number up to 399, all in capitals or all in small letters.
fn roman(text: &str) -> Option<i64> {
    let lower = text.to_ascii_lowercase();
    let same = text == lower || text == text.to_ascii_uppercase();
    if text.is_empty() || text.len() > 12 || !same {
        return None;
    }
    let mut rest = lower.as_str();
    let mut value = 0;
    for (sign, worth, most) in [
        ("c", 100, 3),
        ("xc", 90, 1),
        ("l", 50, 1),
        ("xl", 40, 1),
        ("x", 10, 3),
        ("ix", 9, 1),
        ("v", 5, 1),
        ("iv", 4, 1),
        ("i", 1, 3),
    ] {
        for _ in 0..most {
            let Some(behind) = rest.strip_prefix(sign) else { break };
            (rest, value) = (behind, value + worth);
        }
    }
    rest.is_empty().then_some(value)
}

/// A number in a margin, by where it stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Which of the pages that are looked at, from 0.
    at: u32,
    value: i64,
    form: Form,
    bounds: Bounds,
    heading: bool,
}

/// The numbers in the margins of some pages.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// By series, and by how much more they are than their pages.
    places: BTreeMap<(u64, i64), Vec<Place>>,
    /// Those behind a dash that are the numbers of their pages in the PDF, by what stands before it: on which pages.
    dashed: BTreeMap<u64, Vec<u32>>,
}

/// A run goes on over so many pages without a number less one: the first page of a chapter often has none.
const GAP: u32 = 2;
/// So many numbers in a row are no chance.
const RUN: usize = 3;
/// With a word for a page beside them, fewer will do.
const WORDED_RUN: usize = 2;
/// Behind the same title and a dash, so many that are the very numbers of their pages in the PDF.
const DASHED_RUN: usize = 6;
/// And on so many of a hundred pages.
const DASHED_SHARE: usize = 90;
/// On each of the two sides of running heads.
const SIDE_RUN: usize = 2;

impl Numbers {
    /// Notes a number on page `page`, which is the `at`th of those that are looked at.
    pub(super) fn add(&mut self, page: u32, at: u32, heading: bool, candidate: &Candidate) {
        let Candidate { form, series, value, bounds, dashed, .. } = *candidate;
        if let Some(title) = dashed.filter(|_| value == i64::from(page) && !heading) {
            self.dashed.entry(title).or_default().push(at);
        }
        let place = Place { at, value, form, bounds, heading };
        self.places.entry((series, value - i64::from(page))).or_default().push(place);
    }

    /// Which of them count pages, of `pages` that were looked at.
    pub(super) fn pages(self, pages: u32) -> PageNumbers {
        let mut found = HashSet::new();
        for on in self.dashed.into_values() {
            if on.len() >= DASHED_RUN && on.len() * 100 >= pages as usize * DASHED_SHARE {
                found.extend(on.into_iter().map(|at| (0, 0, at, Form::Trailing as u8)));
            }
        }
        for ((series, offset), places) in self.places {
            let mut keep = |run: &[Place], forms: &[Form]| {
                let kept = run.iter().filter(|place| forms.contains(&place.form));
                found.extend(kept.map(|place| (series, offset, place.at, place.form as u8)));
            };
            for run in runs(&places, &[Form::Worded]) {
                if distinct(&run) >= WORDED_RUN {
                    keep(&run, &[Form::Worded]);
                }
            }
            for run in runs(&places, &[Form::Worded, Form::Bare, Form::Parted]) {
                // What stands in large letters may be the title of its page.
                let small: Vec<Place> = run.iter().copied().filter(|place| !place.heading).collect();
                let least = if pages == 2 && offset == 0 { 2 } else { RUN };
                if distinct(&small) >= least && is_within_bounds(&run) {
                    keep(&run, &[Form::Worded, Form::Bare, Form::Parted]);
                }
            }
            for run in runs(&places, &[Form::Leading, Form::Trailing]) {
                if changes_sides(&run) {
                    keep(&run, &[Form::Leading, Form::Trailing]);
                }
            }
        }
        PageNumbers { found }
    }
}

/// The numbers that count pages.
#[derive(Debug, Default)]
pub(super) struct PageNumbers {
    found: HashSet<(u64, i64, u32, u8)>,
}

impl PageNumbers {
    /// Whether a number on a page counts pages.
    pub(super) fn has(&self, page: u32, at: u32, candidate: &Candidate) -> bool {
        let offset = candidate.value - i64::from(page);
        self.found.contains(&(candidate.series, offset, at, candidate.form as u8))
    }
}

/// Those of some forms on pages next to each other.
fn runs(places: &[Place], forms: &[Form]) -> Vec<Vec<Place>> {
    let of: Vec<Place> = places.iter().copied().filter(|place| forms.contains(&place.form)).collect();
    of.chunk_by(|a, b| b.at - a.at <= GAP).map(<[Place]>::to_vec).collect()
}

fn distinct(run: &[Place]) -> usize {
    run.chunk_by(|a, b| a.at == b.at).count()
}

fn is_within_bounds(run: &[Place]) -> bool {
    let ends = run.first().zip(run.last()).map(|(first, last)| (first.value, last.value));
    let Some((first, last)) = ends else { return false };
    match run[0].bounds {
        Bounds::None => true,
        // The first page of a chapter often has no number.
        Bounds::FromStart => first <= 2,
        Bounds::To(all) => first == 1 && last == all,
    }
}

/// Whether numbers stand left on pages of one side and right on those of the other, as in books.
fn changes_sides(run: &[Place]) -> bool {
    let side = |form: Form| {
        let at: Vec<u32> = run.iter().filter(|place| place.form == form).map(|place| place.at).collect();
        let even = at.iter().filter(|at| **at % 2 == 0).count();
        (at.len() >= SIDE_RUN && (even == 0 || even == at.len())).then_some(even == 0)
    };
    side(Form::Leading).zip(side(Form::Trailing)).is_some_and(|(leading, trailing)| leading != trailing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_numbers_are_written() {
        for (text, form, value, rest) in [
            ("12", Form::Bare, 12, ""),
            ("- 12 -", Form::Bare, 12, ""),
            ("[12]", Form::Bare, 12, ""),
            ("iv", Form::Bare, 4, ""),
            ("xxxix", Form::Bare, 39, ""),
            ("2-14", Form::Bare, 14, ""),
            ("A–3", Form::Bare, 3, ""),
            ("3 / 6", Form::Bare, 3, ""),
            ("٣", Form::Bare, 3, ""),
            ("Page 3", Form::Worded, 3, ""),
            ("Page 3 of 6", Form::Worded, 3, ""),
            ("PAGE: 3/6", Form::Worded, 3, ""),
            ("3 of 6", Form::Worded, 3, ""),
            ("p.3", Form::Worded, 3, ""),
            ("Seite 3 von 6", Form::Worded, 3, ""),
            ("3. oldal", Form::Worded, 3, ""),
            ("第 3 页", Form::Worded, 3, ""),
            ("3ページ", Form::Worded, 3, ""),
            ("A report - Page 3 of 6", Form::Worded, 3, "A report"),
            ("Page 3 For members only", Form::Worded, 3, "For members only"),
            ("A report | 3", Form::Parted, 3, "A report"),
            ("3 • A report", Form::Parted, 3, "A report"),
            ("A BOOK 3", Form::Trailing, 3, "A BOOK"),
            ("3 A BOOK", Form::Leading, 3, "A BOOK"),
        ] {
            let read = Candidate::of(text, false).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((read.form, read.value, read.rest.as_str()), (form, value, rest), "{text}");
        }
        for text in
            ["", "III", "4,711.00", "3.50", "2024-118", "05-14", "see page 3 for more", "a3", "Invoice A", "civil"]
        {
            assert_eq!(Candidate::of(text, false), None, "{text}");
        }
        assert_eq!(Candidate::of("III", true).unwrap().value, 3);
    }

    /// Which of texts on consecutive pages, from 1, count pages.
    fn found(texts: &[&str]) -> Vec<bool> {
        let read = |at: usize| Candidate::of(texts[at], true);
        let mut numbers = Numbers::default();
        let place = |at: usize| (u32::try_from(at).unwrap() + 1, u32::try_from(at).unwrap());
        for at in 0..texts.len() {
            if let Some(candidate) = read(at) {
                numbers.add(place(at).0, place(at).1, false, &candidate);
            }
        }
        let numbers = numbers.pages(u32::try_from(texts.len()).unwrap());
        (0..texts.len()).map(|at| read(at).is_some_and(|c| numbers.has(place(at).0, place(at).1, &c))).collect()
    }

    #[test]
    fn only_a_sequence_that_follows_the_pages_counts_them() {
        for (texts, expected) in [
            (&["412", "398", "405"][..], false),
            (&["A book - 1", "A book - 2", "A book - 3", "A book - 4", "A book - 5", "A book - 6"], true),
            (&["A book - 2", "A book - 3", "A book - 4", "A book - 5", "A book - 6", "A book - 7"], false),
            (&["A - 1", "A - 2", "A - 3", "A - 4", "A - 5"], false),
            (&["Case A 1", "Case A 2", "Case A 3", "Case A 4", "Case A 5", "Case A 6"], false),
            (&["A - 1", "B - 2", "A - 3", "B - 4", "A - 5", "B - 6"], false),
            (&["7", "8", "9"], true),
            (&["1", "2"], true),
            (&["7", "8"], false),
            (&["i", "ii", "iii"], true),
            (&["Page 4", "Page 5"], true),
            (&["1 of 3", "2 of 3", "3 of 3"], true),
            (&["1/3", "2/3", "3/3"], true),
            // The third, fourth and fifth of November.
            (&["3/11", "4/11", "5/11"], false),
            (&["1-1", "1-2", "1-3"], true),
            (&["12-13", "12-14", "12-15"], false),
            (&["Patient 12", "Patient 13", "Patient 14", "Patient 15"], false),
            (&["Title 1", "2 Book", "Title 3", "4 Book"], true),
            (&["Title | 7", "Title | 8", "Title | 9"], true),
            (&["3", "3", "3"], false),
        ] {
            assert_eq!(found(texts), vec![expected; texts.len()], "{texts:?}");
        }
        assert_eq!(found(&["1", "2", "", "4", "77", "6"]), [true, true, false, true, false, true]);
    }
}
