//! How an answer about a scan and what OCR reads on it compare. Pure.
//!
//! OCR errs itself: it takes letters for others, leaves lines out, orders columns otherwise, and reads nothing of
//! formulas. So not words are compared but runs of letters without the spaces between them, in whatever order
//! they stand; what of either text is in no run that the other has is looked for as single words; and what then remains
//! is judged by how much of it stands together. Numbers are compared by themselves: an altered digit is no run.

use std::collections::HashMap;
use std::ops::Range;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// How long a run of letters is that both texts have, and one of signs each of which is a word.
const RUN: usize = 6;
const SPACELESS_RUN: usize = 3;
/// So many letters that both have part no two gaps: short words are everywhere.
const BRIDGE: usize = 12;
/// Headers and footers are left out by those who are asked to: gaps of at most so many letters, so near to an edge.
const MARGIN: usize = 90;

/// How an answer and what OCR reads compare.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Comparison {
    /// How many letters OCR reads, and how many the answer has.
    pub(super) letters: [usize; 2],
    /// The share of what OCR reads that the answer has, 0 to 1.
    pub(super) recall: f32,
    /// The share of the answer that OCR reads.
    pub(super) precision: f32,
    /// The most letters together that only OCR reads, but for headers and footers, and what they say.
    pub(super) omitted: (usize, String),
    /// The most letters together that only the answer has, and what they say.
    pub(super) invented: (usize, String),
    /// Numbers that only the answer has, and how many it has in all.
    pub(super) odd_numbers: (Vec<String>, usize),
    /// Numbers that only OCR reads.
    pub(super) lost_numbers: Vec<String>,
}

/// Compares what OCR reads with an answer, both without markup.
pub(super) fn compare(seen: &str, answer: &str) -> Comparison {
    let answer = without_commands(answer);
    let (seen_text, answer_text) = (Letters::of(seen), Letters::of(&answer));
    let mut covered = [seen_text.covered_by(&answer_text), answer_text.covered_by(&seen_text)];
    match_words([&seen_text, &answer_text], &mut covered);
    let gap = |text: &Letters, covered: &[bool], source: &str, margins: bool| {
        let found = gaps(covered).into_iter().filter(|gap| !(margins && is_margin(gap, covered)));
        let longest = found.max_by_key(|gap| gap.letters);
        longest.map_or_else(Default::default, |gap| (gap.letters, text.said(source, &gap.range)))
    };
    let [seen_numbers, answer_numbers] = [numbers(seen), numbers(&answer)];
    Comparison {
        letters: [covered[0].len(), covered[1].len()],
        recall: share(&covered[0]),
        precision: share(&covered[1]),
        omitted: gap(&seen_text, &covered[0], seen, true),
        invented: gap(&answer_text, &covered[1], &answer, false),
        lost_numbers: only_in(&seen_numbers, &answer_numbers),
        odd_numbers: (only_in(&answer_numbers, &seen_numbers), answer_numbers.len()),
    }
}

#[allow(clippy::cast_precision_loss, reason = "a share")]
fn share(covered: &[bool]) -> f32 {
    if covered.is_empty() { 1.0 } else { covered.iter().filter(|is| **is).count() as f32 / covered.len() as f32 }
}

/// The letters and digits of a text, folded, with where its words lie among them, and in the text.
struct Letters {
    folded: Vec<char>,
    /// Where in the text each of them stands, in bytes.
    places: Vec<usize>,
    words: Vec<Range<usize>>,
}

impl Letters {
    fn of(text: &str) -> Self {
        let (mut folded, mut places, mut words) = (Vec::new(), Vec::new(), Vec::new());
        let mut begin = 0;
        for (at, sign) in text.char_indices() {
            let known = folded.len();
            folded.extend(sign.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).filter_map(fold));
            places.resize(folded.len(), at);
            if folded.len() == known && !is_combining_mark(sign) || folded.last().copied().is_some_and(is_spaceless) {
                words.extend((begin < folded.len()).then_some(begin..folded.len()));
                begin = folded.len();
            }
        }
        words.extend((begin < folded.len()).then_some(begin..folded.len()));
        Self { folded, places, words }
    }

    fn runs(&self) -> impl Iterator<Item = (usize, &[char])> {
        (0..self.folded.len()).filter_map(|at| {
            let rest = &self.folded[at..];
            let spaceless = rest.iter().take(SPACELESS_RUN).all(|c| is_spaceless(*c));
            rest.get(..if spaceless { SPACELESS_RUN } else { RUN }).map(|run| (at, run))
        })
    }

    /// Which letters stand in a run that the other text has, as often as it has it.
    fn covered_by(&self, other: &Self) -> Vec<bool> {
        let mut left: HashMap<&[char], usize> = HashMap::new();
        other.runs().for_each(|(_, run)| *left.entry(run).or_default() += 1);
        let mut covered = vec![false; self.folded.len()];
        for (at, run) in self.runs() {
            let Some(count) = left.get_mut(run).filter(|count| **count > 0) else { continue };
            *count -= 1;
            covered[at..at + run.len()].fill(true);
        }
        covered
    }

    /// What a range of its letters says, shortened.
    fn said(&self, text: &str, range: &Range<usize>) -> String {
        const MOST: usize = 60;
        let (from, to) = (self.places[range.start], self.places[range.end - 1]);
        let said = text[from..].split_at_checked(to - from).map_or("", |(said, _)| said);
        let last = text[to..].chars().next();
        let words: String = said.chars().chain(last).map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
        let mut short: String = words.chars().take(MOST).collect();
        short.push_str(if words.chars().count() > MOST { "…" } else { "" });
        short
    }
}

/// A letter or digit as it is compared: those that look alike are alike.
fn fold(c: char) -> Option<char> {
    match c {
        'ı' | 'l' | 'i' | '1' | '|' => Some('i'),
        '0' => Some('o'),
        'ß' => Some('b'),
        c if c.is_alphanumeric() => Some(c),
        _ => None,
    }
}

/// Han and kana: each sign says as much as a word.
fn is_spaceless(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

/// Covers words of both texts that stand in no common run, such as numbers in cells that are read in another order.
fn match_words([first, second]: [&Letters; 2], covered: &mut [Vec<bool>; 2]) {
    let open = |text: &Letters, covered: &[bool]| -> Vec<Range<usize>> {
        let is_open = |word: &&Range<usize>| covered[(*word).clone()].iter().any(|is| !is);
        text.words.iter().filter(is_open).cloned().collect()
    };
    let mut left: HashMap<&[char], Vec<Range<usize>>> = HashMap::new();
    for word in open(second, &covered[1]) {
        left.entry(&second.folded[word.clone()]).or_default().push(word);
    }
    for word in open(first, &covered[0]) {
        if let Some(other) = left.get_mut(&first.folded[word.clone()]).and_then(Vec::pop) {
            covered[0][word].fill(true);
            covered[1][other].fill(true);
        }
    }
}

/// Letters that stand together and that the other text does not have.
struct Gap {
    range: Range<usize>,
    letters: usize,
}

fn gaps(covered: &[bool]) -> Vec<Gap> {
    let mut gaps: Vec<Gap> = Vec::new();
    for at in (0..covered.len()).filter(|at| !covered[*at]) {
        match gaps.last_mut() {
            Some(gap) if at - gap.range.end < BRIDGE => {
                gap.range.end = at + 1;
                gap.letters += 1;
            }
            _ => gaps.push(Gap { range: at..at + 1, letters: 1 }),
        }
    }
    gaps
}

fn is_margin(gap: &Gap, covered: &[bool]) -> bool {
    let near = gap.range.start.min(covered.len() - gap.range.end) < BRIDGE;
    near && gap.letters <= MARGIN
}

/// A text without the commands of LaTeX.
fn without_commands(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        // A single letter is no command that matters, and an escaped sign stays.
        rest = if end > 1 { &after[end..] } else { after };
        plain.push(' ');
    }
    plain + rest
}

/// The digits of the numbers of a text that have at least two.
fn numbers(text: &str) -> Vec<String> {
    let mut numbers = Vec::new();
    let mut digits = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let next_is_digit = chars.peek().is_some_and(char::is_ascii_digit);
        let inner = matches!(c, '.' | ',' | '\'' | '’' | '{' | '}' | '\u{a0}' | '\u{202f}');
        if c.is_ascii_digit() {
            digits.push(c);
        } else if !(inner && !digits.is_empty() && (next_is_digit || chars.peek() == Some(&'}') || c == '{')) {
            numbers.extend((digits.len() > 1).then(|| std::mem::take(&mut digits)));
            digits.clear();
        }
    }
    numbers.extend((digits.len() > 1).then_some(digits));
    numbers
}

/// Numbers that only the first text has. One that is grouped or broken otherwise is still there: as a part of one that the
/// first text has not, since a few digits are a part of many.
fn only_in(first: &[String], second: &[String]) -> Vec<String> {
    const LONG: usize = 4;
    const GROUP: usize = 3;
    let all = second.concat();
    // Groups of three digits may be parted by spaces.
    let is_group = |number: &str, of: &str| number.len() == GROUP && of.len() > GROUP && of.contains(number);
    let is_part = |number: &str, of: &str| of.starts_with(number) || of.ends_with(number) || is_group(number, of);
    let broken: Vec<&String> = second.iter().filter(|other| !first.contains(other)).collect();
    let is_known = |number: &String| {
        let number_is_there = second.contains(number) || number.len() >= LONG && all.contains(number.as_str());
        number_is_there || broken.iter().any(|other| is_part(number, other))
    };
    first.iter().filter(|number| !is_known(number)).cloned().collect()
}
