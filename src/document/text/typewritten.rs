//! Pages that are all in letters of one width: programs, printed reports, letters of a typewriter. Their lines, columns and
//! indentation are kept, but for those that are plainly running text.

use super::block::{Block, Placed};
use super::line::{Line, Word};

/// Rows farther apart than this, in distances of rows, are of two parts.
const GAP: f64 = 1.5;
/// Words of running text are at most so many letters apart,
const WORD_GAP: f64 = 2.5;
/// or so many where spaces fill its lines up to this much of the longest.
const FILLED_GAP: f64 = 4.5;
const FILLED: f64 = 0.97;
/// All lines of running text but the last are at least this much of the longest.
const FULL: f64 = 0.6;
/// Running text has so many words a line.
const TEXT_WORDS: usize = 4;
/// and a single line of it so many.
const LINE_WORDS: usize = 8;

/// The blocks of a page whose lines are given in their order, from top to bottom.
pub(super) fn blocks<'a>(lines: &[&'a Line]) -> Vec<Placed<'a>> {
    let mut sorted = lines.to_vec();
    sorted.sort_by(|a, b| a.baseline.total_cmp(&b.baseline));
    let rows: Vec<&[&Line]> = sorted.chunk_by(|a, b| b.baseline - a.baseline < a.size * 0.5).collect();
    let mut drops: Vec<f64> = rows.windows(2).map(|pair| pair[1][0].baseline - pair[0][0].baseline).collect();
    drops.sort_by(f64::total_cmp);
    let drop = drops.get(drops.len() / 3).copied().unwrap_or(f64::MAX);
    let mut blocks: Vec<Placed<'a>> = Vec::new();
    for part in rows.chunk_by(|a, b| b[0].baseline - a[0].baseline < drop * GAP) {
        let lines: Vec<&'a Line> = part.iter().flat_map(|row| row.iter().copied()).collect();
        let block = if is_text(part) { Block::Paragraph(lines, Vec::new()) } else { Block::Code(lines) };
        match (blocks.last_mut().map(|placed| &mut placed.block), block) {
            (Some(Block::Code(above)), Block::Code(lines)) => above.extend(lines),
            (_, block) => blocks.push(Placed { block, depth: 0 }),
        }
    }
    blocks
}

/// Whether rows are running text: they begin at one place, have no columns, are full, and have letters.
fn is_text(rows: &[&[&Line]]) -> bool {
    let lines: Vec<&Line> = rows.iter().filter_map(|row| if let [line] = row { Some(*line) } else { None }).collect();
    let words: usize = lines.iter().map(|line| line.words.len()).sum();
    let [above @ .., last] = &lines[..] else { return false };
    let says = |line: &&Line| line.words.iter().any(|word| word.text.contains(char::is_alphabetic));
    // A row of strokes is a rule.
    if lines.len() < rows.len() || words < lines.len() * TEXT_WORDS || !lines.iter().all(says) {
        return false;
    }
    // One line says nothing of how it goes on, and rows that begin with dates or numbers are entries of a list.
    let numbered = lines.iter().filter(|line| line.words[0].text.starts_with(|c: char| c.is_ascii_digit())).count();
    if above.is_empty() && words < LINE_WORDS || !above.is_empty() && numbered * 5 >= lines.len() * 4 {
        return false;
    }
    let left = lines.iter().map(|line| line.start).fold(f64::MAX, f64::min);
    let widest = lines.iter().map(|line| line.end - left).fold(0.0, f64::max);
    let reach = |share: f64| above.iter().all(|line| line.end - left > widest * share);
    let aligned = lines.iter().skip(1).all(|line| line.start - left < letter(line));
    let ends = last.words.last().is_some_and(|word| word.text.ends_with(['.', ':', '?', '!', ',']));
    aligned
        && reach(FULL)
        && (lines.len() > 2 || ends)
        && (wide_gaps(&lines, WORD_GAP).is_empty() || lines.len() > 2 && reach(FILLED) && is_filled(&lines))
}

/// The width of a letter.
fn letter(line: &Line) -> f64 {
    line.size * 0.6
}

/// Where words begin that are at least so many letters behind those before them.
fn wide_gaps(lines: &[&Line], letters: f64) -> Vec<f64> {
    let of = |line: &&Line| -> Vec<f64> {
        let wide = |pair: &&[Word]| pair[1].start - pair[0].end >= letter(line) * letters;
        line.words.windows(2).filter(wide).map(|pair| pair[1].start).collect()
    };
    lines.iter().flat_map(of).collect()
}

/// Whether wide spaces only fill the lines: they are not much wider than others, and not one below the other as columns are.
fn is_filled(lines: &[&Line]) -> bool {
    let mut gaps = wide_gaps(lines, WORD_GAP);
    gaps.sort_by(f64::total_cmp);
    let near = letter(lines[0]) * 0.5;
    let stacked = gaps.windows(2).filter(|pair| pair[1] - pair[0] < near).count();
    wide_gaps(lines, FILLED_GAP).is_empty() && stacked * 3 <= gaps.len()
}
