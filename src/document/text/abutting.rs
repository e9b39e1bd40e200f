//! Parts of one line that are drawn at different times, joined.
//!
//! Programs that cut a page into tiles draw a line once for each tile that it runs through, clipped to that; others draw all
//! bold words first. What ends where the next part begins, on the same baseline and in the same size, is one line; so is what
//! stands in the gaps of another one.

use super::line::{Line, Word};
use crate::content::is_ideographic;

/// Parts of a line are no farther apart than a space, in sizes,
const SPACE: f64 = 0.3;
/// and overlap no more than letters do.
const OVERLAP: f64 = 0.1;
/// What stands in a gap is so near to a word of the other line, and so near to the one on its other side, in sizes.
const FILL: f64 = 0.4;
const MOST_FILL: f64 = 1.6;
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
    let rows: Vec<Vec<usize>> = sorted.chunk_by(near).filter(|row| row.len() > 1).map(<[usize]>::to_vec).collect();
    let mut left: Vec<Option<Line>> = lines.drain(..).map(Some).collect();
    for mut row in rows {
        let start = |at: usize| left[at].as_ref().map_or(f64::MAX, |line| line.start);
        row.sort_by(|a, b| start(*a).total_cmp(&start(*b)));
        let mut at = row[0];
        for next in row.into_iter().skip(1) {
            let (Some(line), Some(other)) = (&left[at], &left[next]) else { continue };
            if !abut(line, other) && !fills_gaps(line, other) {
                at = next;
                continue;
            }
            if let (Some(line), Some(other)) = (left[at].take(), left[next].take()) {
                left[at] = Some(joined(line, other));
            }
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
    // Ideographs fill their squares, so that those of two cells may touch.
    let last = line.words.last().is_some_and(|word| word.text.ends_with(is_ideographic));
    let touch = last && next.words.first().is_some_and(|word| word.text.starts_with(is_ideographic));
    (-OVERLAP..SPACE).contains(&gap) && !touch && are_alike(line, next)
}

fn are_alike(line: &Line, next: &Line) -> bool {
    (line.size - next.size).abs() < line.size * 0.02 && line.artifact == next.artifact
}

/// Whether two lines share a stretch, and what one of them has in the gaps of the other stands a space from its words, on one
/// side at least, and no farther than another word from those on the other side. Cells of tables do not.
fn fills_gaps(line: &Line, next: &Line) -> bool {
    if next.start >= line.end - line.size * OVERLAP || !are_alike(line, next) {
        return false;
    }
    let words = by_place(line.words.iter().map(|word| (word, true)).chain(next.words.iter().map(|word| (word, false))));
    let gap = |pair: &[(&Word, bool)]| (pair[1].0.start - pair[0].0.end) / line.size;
    let is_apart = words.windows(2).all(|pair| pair[0].1 == pair[1].1 || (-OVERLAP..MOST_FILL).contains(&gap(pair)));
    let runs: Vec<&[(&Word, bool)]> = words.chunk_by(|a, b| a.1 == b.1).collect();
    let is_close =
        |pair: &[&[(&Word, bool)]]| (pair[1][0].0.start - pair[0][pair[0].len() - 1].0.end) / line.size < FILL;
    // Each run of one of the lines, between two of the other one, fills a gap.
    let fills = |of: bool| {
        let mut between = runs.windows(3).filter(|three| three[1][0].1 == of).peekable();
        between.peek().is_some() && between.all(|three| is_close(&three[..2]) || is_close(&three[1..]))
    };
    is_apart && (fills(true) || fills(false))
}

fn by_place<'a>(words: impl Iterator<Item = (&'a Word, bool)>) -> Vec<(&'a Word, bool)> {
    let mut words: Vec<(&Word, bool)> = words.collect();
    words.sort_by(|a, b| a.0.start.total_cmp(&b.0.start));
    words
}

fn joined(mut line: Line, mut next: Line) -> Line {
    if next.start < line.end - line.size * OVERLAP {
        return woven(line, next);
    }
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

/// The words of both, by their places.
fn woven(mut line: Line, next: Line) -> Line {
    let close = line.size * WITHIN_WORD;
    line.end = line.end.max(next.end);
    let mut words: Vec<Word> = std::mem::take(&mut line.words);
    words.extend(next.words);
    words.sort_by(|a, b| a.start.total_cmp(&b.start));
    for at in 1..words.len() {
        let gap = words[at].start - words[at - 1].end;
        words[at].glued = gap < close;
    }
    line.words = words;
    line
}

#[cfg(test)]
mod tests {
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
    fn what_stands_in_the_gaps_of_a_line_is_of_it() {
        // Words, and where each begins.
        let line = |words: &[(&str, f64)]| {
            let word = |(text, start): &(&str, f64)| {
                Word::at(text, *start, start + 5.0 * f64::from(u32::try_from(text.len()).unwrap()))
            };
            Line::of(words.iter().map(word).collect(), 100.0, 10.0)
        };
        let (page, numbers) = (line(&[("Page", 10.0), ("of", 40.0)]), line(&[("1", 32.5), ("4.", 52.5)]));
        for (mut lines, expected) in [
            (vec![page.clone(), numbers.clone()], &["Page 1 of 4."][..]),
            (vec![numbers, page.clone()], &["Page 1 of 4."]),
            // Over a word; in cells.
            (vec![page.clone(), line(&[("1", 32.5), ("40", 45.0)])], &["Page of", "1 40"]),
            (vec![line(&[("A", 10.0), ("C", 40.0)]), line(&[("B", 25.0), ("D", 55.0)])], &["A C", "B D"]),
            (vec![line(&[("A", 10.0), ("C", 40.0)]), line(&[("B", 25.0)])], &["A C", "B"]),
            // Each in its turn.
            (
                vec![
                    line(&[("x", 10.0), ("7", 34.0)]),
                    line(&[("y", 18.0), ("8", 50.0)]),
                    line(&[("=", 26.0), ("=", 42.0)]),
                ],
                &["x y = 7 = 8"],
            ),
        ] {
            join(&mut lines);
            assert_eq!(texts(&lines), expected);
        }
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
