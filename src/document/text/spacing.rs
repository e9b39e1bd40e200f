//! How wide a gap between letters parts words.

use super::open_line::TextRun;

/// A gap of more than this much of the size parts words,
const WORD_GAP: f64 = 0.18;
/// or one that is wider by this much than what is usual between the letters of the line, in lines whose words stand close.
const CLOSE_WORD_GAP: f64 = 0.1;
/// Gaps between words and those between letters lie at least so far apart, where nothing is between them.
const CLEFT: f64 = 0.05;

/// The gap that parts words of a line, in points.
pub(super) fn word_gap(pieces: &[TextRun], size: f64) -> f64 {
    let gap = |pair: &[TextRun]| (pair[1].start - pair[0].end) / size;
    let is_close = |gap: &f64| (CLOSE_WORD_GAP..WORD_GAP).contains(gap);
    if !pieces.windows(2).any(|pair| is_close(&gap(pair))) {
        return WORD_GAP * size;
    }
    let mut gaps: Vec<f64> = pieces.windows(2).map(gap).filter(|gap| *gap < WORD_GAP * 2.0).collect();
    gaps.sort_by(f64::total_cmp);
    let usual = gaps[gaps.len() / 2].max(0.0);
    // Kerning widens and narrows what is usual, but leaves a cleft below the words' gaps.
    let clefts = gaps.windows(2).filter(|pair| pair[1] >= CLOSE_WORD_GAP && pair[0] < usual + CLOSE_WORD_GAP);
    let widest = clefts.max_by(|a, b| (a[1] - a[0]).total_cmp(&(b[1] - b[0])));
    let cleft = widest.filter(|pair| pair[1] - pair[0] > CLEFT).map(|pair| f64::midpoint(pair[0], pair[1]));
    cleft.unwrap_or(usual + CLOSE_WORD_GAP) * size
}

/// Fewer letters are a row of letters, and not a word that is set wide.
const FEWEST_LETTERS: usize = 5;
/// Letters that are set wide stand so far apart, in sizes.
const TRACKED: std::ops::Range<f64> = 0.12..0.9;
/// Words that are set wide are parted by so many of these gaps.
const TRACKED_WORDS: f64 = 1.6;

/// The gap that parts words of a line whose letters are all set apart from each other, in points, if it is one. Spaces in
/// it are what sets the letters apart.
pub(super) fn tracked_gap(pieces: &[TextRun], size: f64) -> Option<f64> {
    let mut drawn = pieces.iter().filter(|piece| !piece.text.is_blank());
    let (first, second) = (drawn.next()?, drawn.next()?);
    if second.start - first.end < TRACKED.start * size {
        return None;
    }
    let letters: Vec<&TextRun> = pieces.iter().filter(|piece| !piece.text.is_blank()).collect();
    if letters.len() < FEWEST_LETTERS {
        return None;
    }
    let alphabetic = letters.iter().filter(|piece| piece.text.is_alphabetic()).count();
    let gaps: Vec<f64> = letters.windows(2).map(|pair| pair[1].start - pair[0].end).collect();
    let mut sorted = gaps.clone();
    sorted.sort_by(f64::total_cmp);
    let usual = sorted[(sorted.len() - 1) / 2];
    let even = sorted[sorted.len() / 10] > usual * 0.6;
    if alphabetic * 5 < letters.len() * 4 || !TRACKED.contains(&(usual / size)) || !even {
        return None;
    }
    let gap = usual * TRACKED_WORDS;
    // Single letters with a space between each are a row of them, unless some stand farther apart.
    let is_row = letters.len() < pieces.len() && !sorted.last().is_some_and(|widest| *widest > gap);
    let is_name = letters.iter().all(|piece| piece.text.is_uppercase())
        && !letters.is_sorted_by_key(|piece| piece.text.to_text());
    (!is_row || is_name).then_some(gap)
}
