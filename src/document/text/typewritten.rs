//! Pages that are all in letters of one width: programs, printed reports, letters of a typewriter. Their lines, columns and
//! indentation are kept, but for those that are plainly running text.

use super::block::{Block, Placed};
use super::line::Line;

/// Rows farther apart than this, in distances of rows, are of two parts.
const GAP: f64 = 1.5;
/// Words of running text are at most so many letters apart.
const WORD_GAP: f64 = 2.5;
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

/// Whether rows are running text: they begin at one place, have no columns, and are full.
fn is_text(rows: &[&[&Line]]) -> bool {
    let letter = |line: &Line| line.size * 0.6;
    let one_piece = |row: &&&[&Line]| {
        let [line] = row else { return false };
        line.words.windows(2).all(|pair| pair[1].start - pair[0].end < letter(line) * WORD_GAP)
    };
    let words: usize = rows.iter().flat_map(|row| row.iter()).map(|line| line.words.len()).sum();
    if !rows.iter().all(|row| one_piece(&row)) || words < rows.len() * TEXT_WORDS {
        return false;
    }
    // One line says nothing of how it goes on, and rows that begin with dates or numbers are entries of a list.
    let numbered = rows.iter().filter(|row| row[0].words[0].text.starts_with(|c: char| c.is_ascii_digit())).count();
    if rows.len() == 1 && words < LINE_WORDS || rows.len() > 1 && numbered * 5 >= rows.len() * 4 {
        return false;
    }
    let left = rows.iter().map(|row| row[0].start).fold(f64::MAX, f64::min);
    let widest = rows.iter().map(|row| row[0].end - left).fold(0.0, f64::max);
    let aligned = rows.iter().skip(1).all(|row| row[0].start - left < letter(row[0]));
    let full = rows[..rows.len() - 1].iter().all(|row| row[0].end - left > widest * FULL);
    let last = rows[rows.len() - 1][0].words.last().map_or("", |word| &word.text);
    aligned && full && (rows.len() > 2 || last.ends_with(['.', ':', '?', '!', ',']))
}
