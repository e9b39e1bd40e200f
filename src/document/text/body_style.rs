//! What is usual on a page: the size, the look and the direction of most of its lines.

use super::line::{Line, Style, Word};

/// What is usual on a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct BodyStyle {
    /// The size in which its text is set, points.
    pub(super) size: f64,
    /// How most of them look.
    pub(super) style: Style,
    /// How most of them run.
    pub(super) direction: (f64, f64),
    /// Whether most of it is in even letters, among lines in others: a form that is typed, a book of programs.
    typed: bool,
}

/// With fewer words in other letters a page of even ones is typewritten.
const FEWEST_WORDS: usize = 8;
/// A page is typed when so much of it is in even letters; and a line that is all but quotes and the like.
const TYPED: f64 = 0.8;
/// Text in letters larger than those of most of the page is its body, and not its titles, when it is this much of it,
const BODY_SHARE: f64 = 0.2;
/// in lines of so many words, or in so many lines of fewer, as in narrow columns.
const BODY_WORDS: usize = 6;
const BODY_LINES: (usize, usize) = (12, 3);
/// Titles are no more of a page than this, where there are so many lines of them; larger text of invoices is.
const MOST_TITLES: (f64, usize) = (0.3, 8);

impl BodyStyle {
    pub(super) fn of(lines: &[Line]) -> Self {
        let words = || lines.iter().flat_map(|line| &line.words);
        let share = |is: fn(&Style) -> bool| {
            let such: usize = words().filter(|word| is(&word.style)).map(|word| word.text.len()).sum();
            let all: usize = words().map(|word| word.text.len()).sum();
            such * 2 > all
        };
        let even = words().filter(|word| word.style.mono).count();
        let others = words().count() - even;
        let style = Style {
            bold: share(|style| style.bold),
            italic: share(|style| style.italic),
            mono: others < FEWEST_WORDS && even > others,
            script: None,
        };
        let typed = !style.mono && share_of_even(words()) >= TYPED;
        Self { size: size(lines), style, direction: direction(lines), typed }
    }

    /// Whether lines are in the even letters that are usual on the page.
    pub(super) fn are_typed(&self, lines: &[&Line]) -> bool {
        self.typed && share_of_even(lines.iter().flat_map(|line| &line.words)) >= TYPED
    }

    /// Whether a line is code: of a listing, or in even letters, which not all of the page is in.
    pub(super) fn is_code(&self, line: &Line) -> bool {
        let is_even = || line.words.iter().all(|word| word.style.mono) || self.are_typed(&[line]);
        let even = !line.right_to_left && is_even();
        line.listing || !self.style.mono && even && line.size < self.size * 1.15
    }

    /// Whether a line runs as most do.
    pub(super) fn runs_like(&self, line: &Line) -> bool {
        self.direction.0 * line.direction.0 + self.direction.1 * line.direction.1 > 0.99
    }
}

/// How much of some words is in even letters.
#[allow(clippy::cast_precision_loss, reason = "a share")]
fn share_of_even<'w>(words: impl Iterator<Item = &'w Word>) -> f64 {
    let (even, all) = words.fold((0, 0), |(even, all), word| {
        let letters = word.text.len();
        (even + if word.style.mono { letters } else { 0 }, all + letters)
    });
    even as f64 / all.max(1) as f64
}

fn chars(line: &Line) -> usize {
    line.words.iter().map(|word| word.text.len() + 1).sum()
}

#[allow(clippy::cast_precision_loss, reason = "a share")]
fn size(lines: &[Line]) -> f64 {
    let mut sizes: Vec<(f64, usize, usize)> =
        lines.iter().map(|line| (line.size, chars(line), line.words.len())).collect();
    sizes.sort_by(|a, b| a.0.total_cmp(&b.0));
    let all = sizes.iter().map(|(_, chars, _)| chars).sum::<usize>();
    let mut seen = 0;
    let middle = sizes.iter().position(|(_, chars, _)| {
        seen += chars;
        seen > all / 2
    });
    let Some(middle) = middle else { return 1.0 };
    let usual = sizes[middle].0;
    // Notes and small print may be more than the text that they belong to.
    let larger = sizes[middle..].chunk_by(|a, b| b.0 < a.0 * 1.03).filter(|group| group[0].0 > usual * 1.03);
    let is_body = |group: &&[(f64, usize, usize)]| {
        let (chars, words) = group.iter().fold((0, 0), |(chars, words), of| (chars + of.1, words + of.2));
        chars as f64 > all as f64 * BODY_SHARE
            && (words >= group.len() * BODY_WORDS && group.len() >= 2
                || group.len() >= BODY_LINES.0 && words >= group.len() * BODY_LINES.1)
    };
    let mut above = (0, 0);
    let mut are_too_many = |group: &&[(f64, usize, usize)]| {
        above = (above.0 + group.iter().map(|of| of.1).sum::<usize>(), above.1 + group.len());
        above.0 as f64 > all as f64 * MOST_TITLES.0 && above.1 >= MOST_TITLES.1
    };
    larger.rev().find(|group| is_body(group) || are_too_many(group)).map_or(usual, |group| group[0].0)
}

fn direction(lines: &[Line]) -> (f64, f64) {
    let mut ways: Vec<((f64, f64), usize)> = Vec::new();
    for line in lines {
        let same = |way: &&mut ((f64, f64), usize)| way.0.0 * line.direction.0 + way.0.1 * line.direction.1 > 0.99;
        match ways.iter_mut().find(same) {
            Some((_, seen)) => *seen += chars(line),
            None => ways.push((line.direction, chars(line))),
        }
    }
    ways.into_iter().max_by_key(|(_, chars)| *chars).map_or((1.0, 0.0), |(way, _)| way)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many lines of so many words in letters of this size.
    fn lines(count: u32, words: usize, size: f64) -> Vec<Line> {
        let line = |at: u32| {
            let mut line = Line::of(vec![Word::at("word", 10.0, 60.0); words], 12.0 * f64::from(at), size);
            line.size = size;
            line
        };
        (0..count).map(line).collect()
    }

    #[test]
    fn the_text_of_a_page_is_what_most_of_it_is_or_what_is_larger_and_no_title() {
        let usual = |parts: &[(u32, usize, f64)]| {
            let all: Vec<Line> = parts.iter().flat_map(|(count, words, size)| lines(*count, *words, *size)).collect();
            size(&all)
        };
        for (parts, expected) in [
            // Titles above text.
            (&[(6, 4, 18.0), (30, 12, 10.0)][..], 10.0),
            // Text above more small print.
            (&[(10, 12, 10.0), (30, 12, 7.0)], 10.0),
            // Short lines, above an account's small print: so many are no titles,
            (&[(1, 3, 14.0), (12, 3, 9.0), (18, 4, 7.5)], 9.0),
            // but a few are.
            (&[(1, 3, 14.0), (5, 3, 9.0), (18, 4, 7.5)], 7.5),
        ] {
            assert!((usual(parts) - expected).abs() < 1e-9, "{parts:?}");
        }
    }
}
