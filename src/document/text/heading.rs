//! Titles: by their size, by their weight, by their numbering.

use super::block::{Block, Placed};
use super::body_style::BodyStyle;
use super::line::{Line, Word};

/// A heading is at most this long; longer large text is an introduction, not a title.
const HEADING_CHARS: usize = 160;
/// A heading that is only bold is shorter.
const BOLD_CHARS: usize = 90;

/// Titles that end as sentences do are clearly larger than the text.
const CLEARLY_LARGER: f64 = 1.3;
/// Longer ones are text in any size.
const SENTENCE_WORDS: usize = 10;
/// The label of an amount is shorter.
const TOTAL_WORDS: usize = 6;
/// What captions begin with, before their number.
const CAPTIONS: [&str; 14] = [
    "figure",
    "fig",
    "table",
    "tab",
    "abbildung",
    "abb",
    "tabelle",
    "figura",
    "tabla",
    "tableau",
    "tabella",
    "рис",
    "рисунок",
    "таблица",
];

/// On a page with so many words and more headings than these, that are more than this much of it, size and weight tell no
/// headings: fact sheets, forms, posters.
const FEWEST_WORDS: usize = 40;
const MANY_HEADINGS: usize = 4;
const MOST_PERCENT: usize = 35;

/// Takes headings of the deepest levels for text where most of a page would be headings. The first one stays.
pub(super) fn keep_few(blocks: &mut [Placed<'_>]) {
    let all: usize = blocks.iter().map(|placed| placed.block.words()).sum();
    loop {
        let headings = blocks.iter().filter_map(|placed| match &placed.block {
            Block::Heading(level, _) => Some((*level, placed.block.words())),
            _ => None,
        });
        let (levels, words): (Vec<u8>, Vec<usize>) = headings.unzip();
        let many = levels.len() > MANY_HEADINGS && words.iter().sum::<usize>() * 100 > all * MOST_PERCENT;
        let Some(deepest) = levels.iter().copied().max().filter(|_| many && all >= FEWEST_WORDS) else { return };
        let mut first = true;
        for placed in blocks.iter_mut() {
            if let Block::Heading(level, lines) = &mut placed.block
                && !std::mem::take(&mut first)
                && *level == deepest
            {
                placed.block = Block::Paragraph(std::mem::take(lines), Vec::new());
            }
        }
        if levels[1..].iter().all(|level| *level != deepest) {
            return;
        }
    }
}

pub(super) fn is_bold(line: &Line) -> bool {
    line.words.iter().all(|word| word.style.bold)
}

/// The level that a line's size tells.
pub(super) fn by_size(line: &Line, body_style: BodyStyle) -> Option<u8> {
    // What is written into a form may be as large as its field.
    if line.stamp || line.field.is_some() {
        return None;
    }
    match line.size / body_style.size {
        ratio if ratio < 1.15 => None,
        ratio if ratio >= 1.7 => Some(1),
        ratio if ratio >= 1.35 => Some(2),
        _ => Some(3),
    }
}

/// The level of the heading that lines are, if they are one.
pub(super) fn level(lines: &[&Line], body_style: BodyStyle) -> Option<u8> {
    let chars: usize = lines.iter().flat_map(|line| &line.words).map(|word| word.text.chars().count() + 1).sum();
    let letters = || lines.iter().flat_map(|line| &line.words).flat_map(|word| word.text.chars());
    if chars > HEADING_CHARS
        || !letters().any(char::is_alphabetic) && !is_year(lines)
        || is_caption(lines[0])
        || is_total(lines)
    {
        return None;
    }
    let last = lines[lines.len() - 1].words.last().map_or("", |word| &word.text);
    // Text that is hardly larger than most of the page, and ends as a sentence does, is text.
    let words: usize = lines.iter().map(|line| line.words.len()).sum();
    let small = lines[0].size < body_style.size * CLEARLY_LARGER || words >= SENTENCE_WORDS && last.ends_with('.');
    let is_sentence = last.ends_with(['.', ',', ';', ':']) && !last.ends_with("..") && last != "." && small;
    let by_size = by_size(lines[0], body_style).filter(|_| !is_sentence || lines.iter().all(|line| is_bold(line)));
    let level = by_size.or_else(|| {
        let heavy = !body_style.style.bold
            && lines.iter().all(|line| is_bold(line) && !line.words[0].style.mono && !line.stamp)
            && chars <= BOLD_CHARS
            && lines.len() <= 2
            && lines[0].size > body_style.size * 0.95
            && letters().filter(|c| c.is_alphabetic()).count() >= 3;
        (heavy && !last.ends_with(['.', ',', ';', ':'])).then_some(4)
    })?;
    // The number may tell of a deeper level than the look.
    Some(numbered(&lines[0].words[0].text).map_or(level, |numbered| numbered.max(level)))
}

/// Whether a line begins the caption of a figure or of a table.
fn is_caption(line: &Line) -> bool {
    let [label, number, ..] = &line.words[..] else { return false };
    let label = label.text.trim_end_matches('.').to_lowercase();
    let is_label = CAPTIONS.contains(&label.as_str());
    is_label && number.text.starts_with(|c: char| c.is_ascii_digit()) && line.words.len() > 2
}

/// Whether a line is a year.
fn is_year(lines: &[&Line]) -> bool {
    let [line] = lines else { return false };
    matches!(&line.words[..], [word] if word.text.len() == 4 && word.text.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether a line is a label and an amount.
fn is_total(lines: &[&Line]) -> bool {
    let words: Vec<&Word> = lines.iter().flat_map(|line| &line.words).collect();
    let [.., label, amount] = &words[..] else { return false };
    let digits = amount.text.chars().filter(char::is_ascii_digit).count();
    let is_number = digits >= 2 && amount.text.chars().all(|c| !c.is_alphabetic()) && amount.text.contains(['.', ',']);
    let cents = amount.text.rsplit(['.', ',']).next();
    let cents = cents.is_some_and(|cents| cents.len() == 2 && cents.bytes().all(|b| b.is_ascii_digit()));
    let one_row = lines.iter().all(|line| (line.baseline - lines[0].baseline).abs() < line.size * 0.3);
    is_number
        && digits >= 3
        && one_row
        && words.len() <= TOTAL_WORDS
        && (cents || amount.start - label.end > lines[0].size)
}

/// The level that a number of several parts tells: 2 for `3.1`.
fn numbered(word: &str) -> Option<u8> {
    let parts: Vec<&str> = word.trim_end_matches('.').split('.').collect();
    let is_part = |at: usize, part: &str| {
        let number = !part.is_empty() && part.len() <= 3 && part.bytes().all(|b| b.is_ascii_digit());
        number || at == 0 && part.len() == 1 && part.bytes().all(|b| b.is_ascii_uppercase())
    };
    let all = parts.iter().enumerate().all(|(at, part)| is_part(at, part));
    (all && parts.len() > 1).then(|| u8::try_from(parts.len().min(6)).unwrap_or(6))
}
