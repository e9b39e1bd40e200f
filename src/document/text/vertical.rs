//! Text that is written from top to bottom and drawn across: its rows are taken apart again.

use super::line::Line;
use crate::content::is_ideographic;

/// So many signs or more are text.
const FEWEST: usize = 12;
/// Signs of a row are at least so far apart, in sizes, and at most so far from one to the next: lines of such text are.
const LEAST_GAP: f64 = 0.3;
const MOST_PITCH: f64 = 2.8;
/// A sign stands over another when it is not farther aside than this, in sizes.
const ASIDE: f64 = 0.25;
/// Signs below each other are nearer than those beside each other, by so much.
const NEARER: f64 = 0.92;

/// A page with more signs is not asked.
const MOST: usize = 4_000;

/// Parts rows whose signs belong to those above and below them, if most of the page is such; whether it is.
pub(super) fn part(lines: &mut Vec<Line>) -> bool {
    let rows = || lines.iter().filter(|line| is_row(line));
    let signs: Vec<Sign> = rows().flat_map(|line| line.words.iter().map(|word| (word.start, line.baseline))).collect();
    let words: usize = lines.iter().map(|line| line.words.len()).sum();
    let size = rows().map(|line| line.size).fold(0.0, f64::max);
    if !(FEWEST..=MOST).contains(&signs.len()) || signs.len() * 5 < words * 4 || !runs_down(&signs, size) {
        return false;
    }
    let apart = |line: Line| -> Vec<Line> {
        if !is_row(&line) {
            return vec![line];
        }
        let sign = |word| Line { words: vec![word], ..line.clone() };
        let fit = |line: Line| Line { start: line.words[0].start, end: line.words[0].end, ..line };
        line.words.clone().into_iter().map(sign).map(fit).collect()
    };
    *lines = std::mem::take(lines).into_iter().flat_map(apart).collect();
    true
}

/// Where a sign stands.
type Sign = (f64, f64);

/// Whether all words of a level line are single signs, apart from each other.
fn is_row(line: &Line) -> bool {
    let is_sign = |text: &str| text.chars().count() == 1 && text.chars().all(is_ideographic);
    line.is_level()
        && line.words.iter().all(|word| is_sign(&word.text))
        && line.words.windows(2).all(|pair| pair[1].start - pair[0].end > line.size * LEAST_GAP)
}

/// Whether signs stand over each other, nearer than to those beside them.
fn runs_down(signs: &[Sign], size: f64) -> bool {
    let nearest = |of: &dyn Fn(&Sign, &Sign) -> Option<f64>| -> Vec<f64> {
        let next = |sign: &Sign| signs.iter().filter_map(|other| of(sign, other)).min_by(f64::total_cmp);
        signs.iter().filter_map(next).collect()
    };
    let beside = |a: &Sign, b: &Sign| Some(b.0 - a.0).filter(|x| *x > size * 0.5 && (a.1 - b.1).abs() < size * ASIDE);
    let below = |a: &Sign, b: &Sign| Some(b.1 - a.1).filter(|y| *y > size * 0.5 && (a.0 - b.0).abs() < size * ASIDE);
    let (across, down) = (nearest(&beside), nearest(&below));
    let is_text = down.len() * 4 >= signs.len() * 3;
    let (Some(across), Some(down)) = (median(across), median(down)) else { return false };
    is_text && down < across * NEARER && across < size * MOST_PITCH
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::super::line::Word;
    use super::*;

    /// Rows of signs of size 10.
    fn rows(rows: &[&str], across: f64, down: f64) -> Vec<Line> {
        let row = |(at, signs): (u32, &&str)| {
            let mut pen = 100.0;
            let word = |c: char| {
                pen += across;
                Word::at(&c.to_string(), pen - across, pen - across + 10.0)
            };
            Line::of(signs.chars().map(word).collect(), 100.0 + down * f64::from(at), 10.0)
        };
        (0..).zip(rows).map(row).collect()
    }

    fn parts(mut lines: Vec<Line>) -> bool {
        part(&mut lines)
    }

    #[test]
    fn rows_are_parted_only_where_signs_run_down() {
        let signs = ["つにこい", "まはとつ", "わのしも", "りは。お"];
        assert!(parts(rows(&signs, 20.0, 14.0)));
        // Text that runs across, widely spaced; a table of signs; letters.
        assert!(!parts(rows(&signs, 14.0, 20.0)));
        assert!(!parts(rows(&signs, 60.0, 14.0)));
        assert!(!parts(rows(&["abcd", "efgh", "ijkl", "mnop"], 20.0, 14.0)));
        let mut lines = rows(&signs, 20.0, 14.0);
        assert!(part(&mut lines));
        assert_eq!(lines.len(), 16);
        assert_eq!((lines[1].start, lines[1].end), (120.0, 130.0));
        // Drawn sign by sign they are such all the same.
        assert!(part(&mut lines) && lines.len() == 16);
    }
}
