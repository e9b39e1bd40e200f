//! Letters of fonts for vertical writing that are set across the page, one by one: a line of text as any other.
//!
//! Some programs take such a font (Identity-V) for Latin text and move the pen to each letter. By its font each would be a line
//! of one letter that runs down the page.

use super::line::Style;
use super::open_line::{OpenLine, Text, TextRun};
use crate::content::is_ideographic;

/// So many letters beside each other, or more, are a line.
const FEWEST: usize = 6;
/// The next letter is so far to the right, in sizes, and no more than this higher or lower.
const STEP: std::ops::Range<f64> = 0.1..1.6;
const LEVEL: f64 = 0.05;
/// The pen stands so far above the baseline, in sizes, and in the middle of the letter (PDF 32000-1, 9.7.4.3).
const ASCENT: f64 = 0.88;

/// Joins them, each line in the place of its first letter.
pub(super) fn join(lines: Vec<OpenLine>) -> Vec<OpenLine> {
    if !lines.iter().any(is_row) {
        return lines;
    }
    let mut runs: Vec<Vec<OpenLine>> = Vec::new();
    for line in lines {
        match runs.last_mut() {
            Some(run) if run.last().is_some_and(|last| follows(last, &line)) => run.push(line),
            _ => runs.push(vec![line]),
        }
    }
    let letters = |run: &[OpenLine]| run.iter().map(|line| line.pieces.len()).sum::<usize>();
    let is_line = |run: &Vec<OpenLine>| is_row(&run[0]) && !is_wide(run);
    // Beside such lines a few letters are one, too.
    let is_set_so = runs.iter().any(|run| letters(run) >= FEWEST && is_line(run));
    let join = |run: Vec<OpenLine>| {
        let joins = is_set_so && letters(&run) > 1 && is_line(&run);
        if joins { across(&run).into_iter().collect() } else { run }
    };
    runs.into_iter().flat_map(join).collect()
}

/// Whether most of some letters are ideographs.
fn is_wide(run: &[OpenLine]) -> bool {
    let letters = || run.iter().flat_map(|line| &line.pieces);
    let wide = letters().filter(|piece| matches!(piece.text, Text::One(c) if is_ideographic(c))).count();
    wide * 2 >= letters().count()
}

/// Whether a line runs down the page by its font, and none of its letters stands below another one.
fn is_row(line: &OpenLine) -> bool {
    line.direction.1 > 0.99 && line.field.is_none() && line.pieces.windows(2).all(|pair| is_next(&pair[0], &pair[1]))
}

fn follows(line: &OpenLine, next: &OpenLine) -> bool {
    let ends = line.pieces.last().zip(next.pieces.first());
    is_row(line) && is_row(next) && ends.is_some_and(|(last, next)| is_next(last, next))
}

/// Whether a letter stands right of another one, on a level with it.
fn is_next(last: &TextRun, next: &TextRun) -> bool {
    let same_size = (last.size - next.size).abs() < last.size * LEVEL;
    let level = (last.start - next.start).abs() < last.size * LEVEL;
    same_size && level && STEP.contains(&((middle(next) - middle(last)) / last.size))
}

/// Where the middle of a letter is along the page: across its own way, which is down.
fn middle(piece: &TextRun) -> f64 {
    -piece.baseline
}

/// One line of them; each letter reaches halfway to those beside it, since spaces are letters, too.
fn across(run: &[OpenLine]) -> Option<OpenLine> {
    let letters: Vec<(&TextRun, bool)> =
        run.iter().flat_map(|line| line.pieces.iter().map(|piece| (piece, line.artifact))).collect();
    let middles: Vec<f64> = letters.iter().map(|(piece, _)| middle(piece)).collect();
    let edge = |at: usize| f64::midpoint(middles[at], middles[at + 1]);
    let last = letters.len() - 1;
    let mut line: Option<OpenLine> = None;
    for (at, (piece, artifact)) in letters.into_iter().enumerate() {
        let start = if at > 0 { edge(at - 1) } else { 2.0 * middles[0] - edge(0) };
        let end = if at < last { edge(at) } else { 2.0 * middles[last] - edge(last - 1) };
        let baseline = piece.start + piece.size * ASCENT;
        let piece = TextRun { start, end, baseline, style: Style { mono: false, ..piece.style }, ..piece.clone() };
        match &mut line {
            Some(line) => line.add(piece, artifact),
            None => line = Some(OpenLine::new(piece, (1.0, 0.0), artifact, None, None)),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Letters of size 10 that run down from these places.
    fn letters(text: &str, place: impl Fn(f64) -> (f64, f64)) -> Vec<OpenLine> {
        let letter = |(at, c): (usize, char)| {
            let (x, y) = place(f64::from(u32::try_from(at).unwrap()));
            let (style, glyph) = (Style::default(), (0, 0));
            let piece = TextRun {
                text: Text::One(c),
                start: y,
                end: y + 10.0,
                baseline: -x,
                size: 10.0,
                style,
                string: 0,
                glyph,
            };
            OpenLine::new(piece, (0.0, 1.0), false, None, None)
        };
        text.chars().enumerate().map(letter).collect()
    }

    fn words(lines: Vec<OpenLine>) -> Vec<String> {
        let text = |line: super::super::line::Line| {
            line.words.iter().fold(String::new(), |mut text, word| {
                word.append_to(&mut text);
                text
            })
        };
        lines.into_iter().filter_map(OpenLine::finish).map(text).collect()
    }

    #[test]
    fn letters_beside_each_other_are_a_line_and_others_are_not() {
        let across = |at: f64| (50.0 + at * 5.5, 100.0);
        let line = join(letters("a notice of it", across));
        assert_eq!((line.len(), line[0].direction, line[0].baseline()), (1, (1.0, 0.0), 108.8));
        assert_eq!(words(line), ["a notice of it"]);
        for (what, of) in [
            ("few", letters("a not", across)),
            ("down the page", letters("notice", |at| (50.0, 100.0 + at * 12.0))),
            ("columns, the first one on the right", letters("notice", |at| (200.0 - at * 15.0, 100.0))),
            ("far apart", letters("notice", |at| (50.0 + at * 20.0, 100.0))),
            ("ideographs", letters("雨降地固人道", |at| (50.0 + at * 12.0, 100.0))),
        ] {
            let count = of.len();
            assert_eq!(join(of).len(), count, "{what}");
        }
    }
}
