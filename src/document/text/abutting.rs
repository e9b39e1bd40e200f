//! Parts of one line that are drawn at different times, joined.
//!
//! Programs that cut a page into tiles draw a line once for each tile that it runs through, clipped to that; others draw all
//! bold words first. What ends where the next part begins, on the same baseline and in the same size, is one line.

use super::line::Line;
use crate::content::is_ideographic;

/// Parts of a line are no farther apart than a space, in sizes,
const SPACE: f64 = 0.3;
/// and overlap no more than letters do.
const OVERLAP: f64 = 0.1;
/// Letters of one word are nearer to each other.
const WITHIN_WORD: f64 = 0.1;
/// So few ideographs may be a part of a column.
const MOST_SIGNS: usize = 3;
/// Baselines are one up to this much of the size.
const BASELINE: f64 = 0.02;

/// Joins the parts of lines, each in the place of its left part.
pub(super) fn join(lines: &mut Vec<Line>) {
    let mut sorted: Vec<usize> = (0..lines.len()).filter(|at| is_part(&lines[*at])).collect();
    sorted.sort_by(|a, b| lines[*a].baseline.total_cmp(&lines[*b].baseline));
    let near = |a: &usize, b: &usize| lines[*b].baseline - lines[*a].baseline < lines[*a].size * BASELINE;
    let mut joints: Vec<(usize, usize)> = Vec::new();
    for row in sorted.chunk_by(near).filter(|row| row.len() > 1) {
        let mut row = row.to_vec();
        row.sort_by(|a, b| lines[*a].start.total_cmp(&lines[*b].start));
        joints.extend(
            row.windows(2).filter(|pair| abut(&lines[pair[0]], &lines[pair[1]])).map(|pair| (pair[0], pair[1])),
        );
    }
    if joints.is_empty() {
        return;
    }
    // From right to left, so that what is joined to another one is whole.
    let mut left: Vec<Option<Line>> = lines.drain(..).map(Some).collect();
    for (at, next) in joints.into_iter().rev() {
        if let (Some(line), Some(next)) = (left[at].take(), left[next].take()) {
            left[at] = Some(joined(line, next));
        }
    }
    lines.extend(left.into_iter().flatten());
}

/// Signs of text that is written from top to bottom stand beside each other, too.
fn is_part(line: &Line) -> bool {
    let signs = || line.words.iter().flat_map(|word| word.text.chars());
    let upright = signs().count() <= MOST_SIGNS && signs().any(is_ideographic);
    line.is_level() && line.field.is_none() && !line.leader && !upright
}

fn abut(line: &Line, next: &Line) -> bool {
    let gap = (next.start - line.end) / line.size;
    let same_size = (line.size - next.size).abs() < line.size * 0.02;
    // Ideographs fill their squares, so that those of two cells may touch.
    let last = line.words.last().is_some_and(|word| word.text.ends_with(is_ideographic));
    let touch = last && next.words.first().is_some_and(|word| word.text.starts_with(is_ideographic));
    (-OVERLAP..SPACE).contains(&gap) && same_size && !touch && line.artifact == next.artifact
}

fn joined(mut line: Line, mut next: Line) -> Line {
    if let (Some(last), Some(first)) = (line.words.last(), next.words.first_mut()) {
        // Where a small letter meets a capital one, two texts touch.
        let one_word = !last.text.ends_with(char::is_lowercase) || !first.text.starts_with(char::is_uppercase);
        first.glued = one_word && next.start - line.end < line.size * WITHIN_WORD;
    }
    line.words.append(&mut next.words);
    line.end = line.end.max(next.end);
    line.leader |= next.leader;
    line
}

#[cfg(test)]
mod tests {
    use super::super::line::Word;
    use super::*;

    fn line(text: &str, start: f64, baseline: f64) -> Line {
        let mut at = start;
        let words = text.split(' ').map(|word| {
            let from = at;
            let to = from + 5.0 * f64::from(u32::try_from(word.len()).unwrap());
            at = to + 2.5;
            Word::at(word, from, to)
        });
        Line::of(words.collect(), baseline, 10.0)
    }

    fn texts(lines: &[Line]) -> Vec<String> {
        let text = |line: &Line| {
            line.words.iter().fold(String::new(), |mut text, word| {
                word.append_to(&mut text);
                text
            })
        };
        lines.iter().map(text).collect()
    }

    #[test]
    fn what_tiles_cut_apart_is_one_line_and_words_too() {
        let mut lines = vec![
            line("Isha, Jagan, Ka", 10.0, 100.0),
            line("White,", 10.0, 112.0),
            line("mal and Lokesh", 80.0, 100.0),
            line("Black", 42.5, 112.0),
            line("are sitting", 147.5, 100.0),
        ];
        join(&mut lines);
        assert_eq!(texts(&lines), ["Isha, Jagan, Kamal and Lokesh are sitting", "White, Black"]);
    }

    #[test]
    fn cells_other_sizes_and_other_baselines_stay_apart() {
        let mut small = line("note", 35.0, 100.0);
        small.size = 7.0;
        let lines = vec![line("total", 10.0, 100.0), small, line("12", 41.0, 112.0), line("12", 35.0, 100.4)];
        let mut same = lines.clone();
        join(&mut same);
        assert_eq!(same, lines);
    }
}
