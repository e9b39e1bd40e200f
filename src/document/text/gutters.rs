//! Lines that run over the gutter between two columns, parted there.
//!
//! Where columns share their baselines and are drawn row by row, the words of both make one line as long as the gutter is no
//! wider than spaces may be. What tells it from a wide space are the lines around it: they begin where the right part does,
//! and hardly any of them has a word there.

use super::line::{Line, Word};

/// A gutter is at least so wide, in sizes of its text.
const LEAST_GAP: f64 = 0.8;
/// Lines so far above and below, in sizes, tell whether there is one.
const AROUND: f64 = 18.0;
/// The next line of a text is so far away at most, in sizes.
const NEXT_LINE: f64 = 1.6;
/// So many of them begin at it, at least,
const FEWEST: usize = 4;
/// and for each that has a word there, so many.
const FOR_EACH_CROSSING: usize = 4;
/// Columns begin at one place up to this much of the size.
const SAME_START: f64 = 0.2;
/// Lines of the column left of it start at most so far apart: some are set in.
const MOST_INDENT: f64 = 4.0;
/// On both sides so many words stand close to each other at it, on average; cells of tables and labels have fewer.
const FEWEST_WORDS: usize = 3;

/// A page with more lines is no text,
const MOST_LINES: usize = 5_000;
/// and one with more wide gaps a drawing or a form, as each is looked at beside the lines around it.
const MOST_GAPS: usize = 2_000;

/// Parts the lines, and keeps their order.
pub(super) fn part(lines: Vec<Line>) -> Vec<Line> {
    let found = lines.iter().flat_map(gaps).take(MOST_GAPS + 1).count();
    if found == 0 || found > MOST_GAPS || lines.len() > MOST_LINES {
        return lines;
    }
    let mut by_height: Vec<usize> = (0..lines.len()).filter(|at| is_text(&lines[*at])).collect();
    by_height.sort_by(|a, b| lines[*a].baseline.total_cmp(&lines[*b].baseline));
    let cuts: Vec<Vec<usize>> = lines
        .iter()
        .map(|line| gaps(line).filter(|at| is_gutter(&lines, &by_height, line, *at)).collect::<Vec<usize>>())
        .collect();
    lines.into_iter().zip(cuts).flat_map(|(line, cuts)| parted(line, &cuts)).collect()
}

/// Whether it is level text that is no code, which lines up on purpose.
fn is_text(line: &Line) -> bool {
    line.is_level() && line.field.is_none() && !line.leader && !line.words.iter().all(|word| word.style.mono)
}

/// The words of a line that wide gaps stand before.
fn gaps(line: &Line) -> impl Iterator<Item = usize> {
    let is_wide = |pair: &[Word]| !pair[1].glued && pair[1].start - pair[0].end >= line.size * LEAST_GAP;
    let text = is_text(line);
    line.words.windows(2).enumerate().filter(move |(_, pair)| text && is_wide(pair)).map(|(at, _)| at + 1)
}

fn is_gutter(lines: &[Line], by_height: &[usize], line: &Line, at: usize) -> bool {
    let begin = at - close(&line.words[..at], line.size, true);
    let (start, from, to) = (line.words[begin].start, line.words[at - 1].end, line.words[at].start);
    let gap = Gap { start, from, to, size: line.size };
    let reach = line.size * AROUND;
    let begin = by_height.partition_point(|other| lines[*other].baseline < line.baseline - reach);
    let near = by_height[begin..].iter().map(|other| &lines[*other]);
    Sides::of(gap, near.take_while(|other| other.baseline <= line.baseline + reach)).are_columns()
}

/// Whether text that is close above and below some rows, given by the place of their first and last one, stands in columns
/// that this gap parts, too. `of_rows` tells which lines are theirs.
pub(super) fn goes_on(lines: &[Line], gap: Gap, (top, bottom): (f64, f64), of_rows: impl Fn(usize) -> bool) -> bool {
    let within = |reach: f64| {
        let reach = gap.size * reach;
        let is_near = move |line: &Line| line.baseline > top - reach && line.baseline < bottom + reach;
        let near = lines.iter().enumerate().filter(move |(_, line)| is_text(line) && is_near(line));
        near.filter(|(at, _)| !of_rows(*at)).map(|(_, line)| line)
    };
    let begins = |line: &Line| (line.start - gap.to).abs() < gap.size * SAME_START && line.words.len() >= FEWEST_WORDS;
    within(NEXT_LINE).any(begins) && Sides::of(gap, within(AROUND)).are_columns()
}

/// White space from the end of one word to the start of the next one, in a line of this size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gap {
    /// Where the text left of it starts.
    pub(super) start: f64,
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) size: f64,
}

/// What stands around a gap: lines left and right of it, and those with a word in it.
#[derive(Debug, Default)]
struct Sides {
    left: Side,
    right: Side,
    crossing: usize,
}

#[derive(Debug, Default)]
struct Side {
    lines: usize,
    words: usize,
}

impl Side {
    /// A line of it; numbers stand in columns of tables.
    fn add(&mut self, words: &[Word]) {
        self.lines += 1;
        self.words += words.iter().filter(|word| word.text.contains(char::is_alphabetic)).count();
    }

    fn is_column(&self, crossing: usize) -> bool {
        self.lines >= FEWEST.max(crossing * FOR_EACH_CROSSING) && self.words >= self.lines * FEWEST_WORDS
    }
}

impl Sides {
    fn of<'l>(gap: Gap, near: impl Iterator<Item = &'l Line>) -> Self {
        let mut sides = Self::default();
        // A word just before the right column would be in the gutter.
        let middle = gap.to - (gap.to - gap.from).min(gap.size) * 0.5;
        let begins = |start: f64| (start - gap.to).abs() < gap.size * SAME_START;
        for line in near {
            if begins(line.start) {
                sides.right.add(&line.words[..close(&line.words, line.size, false)]);
            } else if line.end < middle {
                sides.add_left(gap, &line.words);
            } else if line.start < middle && line.end > middle {
                sides.add_crossing(gap, line, middle, &begins);
            }
        }
        sides
    }

    /// Text that ends left of the gap is of the column there when it starts about where that does.
    fn add_left(&mut self, gap: Gap, words: &[Word]) {
        let words = &words[words.len() - close(words, gap.size, true)..];
        if (words[0].start - gap.start).abs() < gap.size * MOST_INDENT {
            self.left.add(words);
        }
    }

    /// A line over both sides may have a gap there, too.
    fn add_crossing(&mut self, gap: Gap, line: &Line, middle: f64, begins: &impl Fn(f64) -> bool) {
        let right = line.words.iter().position(|word| word.end > middle).unwrap_or(0);
        let Some(before) = right.checked_sub(1).map(|at| &line.words[at]) else {
            self.crossing += 1;
            return;
        };
        let word = &line.words[right];
        if word.start <= middle {
            self.crossing += 1;
        } else if begins(word.start) && word.start - before.end >= line.size * LEAST_GAP {
            self.add_left(gap, &line.words[..right]);
            let words = &line.words[right..];
            self.right.add(&words[..close(words, line.size, false)]);
        }
    }

    fn are_columns(&self) -> bool {
        self.left.is_column(self.crossing) && self.right.is_column(self.crossing)
    }
}

/// How many words there are to the first wide gap, from the last word or from the first one.
fn close(words: &[Word], size: f64, from_last: bool) -> usize {
    let is_close = |pair: &&[Word]| pair[1].start - pair[0].end < size * LEAST_GAP;
    let pairs = words.windows(2);
    1 + if from_last { pairs.rev().take_while(is_close).count() } else { pairs.take_while(is_close).count() }
}

/// A line, parted before some of its words.
fn parted(mut line: Line, cuts: &[usize]) -> Vec<Line> {
    let mut parts: Vec<Line> = Vec::new();
    for cut in cuts.iter().rev() {
        let words = line.words.split_off(*cut);
        let left = std::mem::take(&mut line.words);
        let start = words.iter().map(|word| word.start).fold(f64::MAX, f64::min);
        parts.push(Line { words, start, ..line.clone() });
        line.end = left.iter().map(|word| word.end).fold(f64::MIN, f64::max);
        line.words = left;
    }
    parts.push(line);
    parts.reverse();
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words of so many letters, 5 wide each, with spaces of 3.
    fn words(mut start: f64, letters: &[usize]) -> Vec<Word> {
        let word = |count: &usize| {
            let (from, width) = (start, f64::from(u32::try_from(*count).unwrap()) * 5.0);
            start += width + 3.0;
            Word::at(&"a".repeat(*count), from, from + width)
        };
        letters.iter().map(word).collect()
    }

    fn row(at: u32) -> f64 {
        100.0 + 12.0 * f64::from(at)
    }

    /// Left text of so many letters a word, and right text that starts at `right`, in one line.
    fn joined(at: u32, left: &[usize], right: &[usize]) -> Line {
        let words = [words(50.0, left), words(200.0, right)].concat();
        Line::of(words, row(at), 10.0)
    }

    const LEFT: [[usize; 5]; 3] = [[5, 4, 6, 5, 5], [3, 5, 4, 7, 4], [6, 2, 5, 6, 6]];
    const RIGHT: [usize; 5] = [4, 5, 3, 6, 4];

    #[test]
    fn lines_of_two_columns_on_the_same_baselines_are_parted() {
        let lines: Vec<Line> = (0..6).map(|at| joined(at, &LEFT[at as usize % 3], &RIGHT)).collect();
        let parted = part(lines);
        assert_eq!(parted.len(), 12);
        assert!(parted.iter().step_by(2).all(|line| line.start < 51.0 && line.end < 195.0), "left parts");
        assert!(parted.iter().skip(1).step_by(2).all(|line| line.start > 199.0), "right parts");
        assert!(parted.chunks(2).all(|pair| pair[0].baseline.to_bits() == pair[1].baseline.to_bits()));
    }

    #[test]
    fn one_joined_line_is_parted_by_those_around_it() {
        let alone = |start: f64, at: u32, letters: &[usize]| Line::of(words(start, letters), row(at) + 4.0, 10.0);
        let mut lines: Vec<Line> = (1..6).map(|at| alone(50.0, at, &LEFT[at as usize % 3])).collect();
        lines.extend((1..6).map(|at| alone(200.0, at, &RIGHT)));
        lines.push(joined(6, &LEFT[0], &RIGHT));
        assert_eq!(part(lines).len(), 12);
    }

    #[test]
    fn wide_spaces_of_one_text_tables_and_hanging_labels_are_no_gutters() {
        let same = |lines: Vec<Line>| assert_eq!(part(lines.clone()), lines);
        // A wide space at one place, and words there in the other lines.
        let full = |at: u32| Line::of(words(50.0, &[5; 12]), row(at), 10.0);
        same(vec![full(0), full(1), joined(2, &LEFT[0], &RIGHT), full(3), full(4), full(5)]);
        // Cells of few words.
        same((0..6).map(|at| joined(at, &[9, 9], &[8, 8])).collect());
        // Numbers, however many.
        let number = |start: f64| {
            (0..5).map(move |at| Word::at("1,234", start + 28.0 * f64::from(at), start + 25.0 + 28.0 * f64::from(at)))
        };
        same((0..6).map(|at| Line::of(number(50.0).chain(number(200.0)).collect(), row(at), 10.0)).collect());
        // Labels before entries of the right one of two columns.
        let mut lines: Vec<Line> = (0..6).map(|at| Line::of(words(50.0, &LEFT[0]), row(at), 10.0)).collect();
        let entry = |at: u32| Line::of([words(200.0, &[4]), words(232.0, &RIGHT)].concat(), row(at) + 5.0, 10.0);
        lines.extend((0..6).map(entry));
        same(lines);
    }
}
