//! In which order the lines of a page are read.
//!
//! Typesetting draws them in reading order, columns included, so that order is kept, but for three things: what stands
//! by itself at the top and at the bottom comes first and last, footnotes come behind the text, and columns that are
//! drawn line by line across the page are read one after the other.

use super::block::Usual;
use super::line::Line;

/// Indexes of lines, each of them once.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Order {
    /// What stands apart at the top of the page: perhaps a header.
    pub(super) top: Vec<usize>,
    pub(super) body: Vec<usize>,
    pub(super) notes: Vec<usize>,
    /// What stands apart at the bottom: perhaps a page number.
    pub(super) bottom: Vec<usize>,
}

/// Headers and footers stand in this much of the page at its top and its bottom,
const EDGE: f64 = 0.15;
/// have so many rows at most,
const EDGE_ROWS: usize = 3;
/// and are so many times farther from the text than its lines are from each other.
const EDGE_GAP: f64 = 1.4;
/// Footnotes are in letters at most this much of the text's.
const NOTE_SIZE: f64 = 0.93;
/// A page with more marks is no text with footnotes.
const MOST_NOTES: usize = 50;

impl Order {
    /// `in_table` says of each line whether it is part of a table; those stay together.
    pub(super) fn of(lines: &[Line], in_table: &[bool], height: f64, usual: Usual) -> Self {
        let mut order = Self::default();
        let free: Vec<usize> = (0..lines.len()).filter(|at| !in_table[*at] && lines[*at].direction.0 > 0.99).collect();
        let mut left = vec![true; lines.len()];
        order.edges(lines, &free, height, usual);
        order.top.iter().chain(&order.bottom).for_each(|at| left[*at] = false);
        order.notes = notes(lines, &free, &left, height, usual);
        order.notes.iter().for_each(|at| left[*at] = false);
        order.body = by_columns((0..lines.len()).filter(|at| left[*at]).collect(), lines, in_table, 0);
        order
    }

    fn edges(&mut self, lines: &[Line], free: &[usize], height: f64, usual: Usual) {
        let (said, free): (Vec<usize>, Vec<usize>) = free.iter().partition(|at| lines[**at].artifact);
        for at in said {
            if lines[at].baseline < height / 2.0 { self.top.push(at) } else { self.bottom.push(at) }
        }
        let mut sorted = free;
        sorted.sort_by(|a, b| lines[*a].baseline.total_cmp(&lines[*b].baseline));
        let rows: Vec<&[usize]> =
            sorted.chunk_by(|a, b| lines[*b].baseline - lines[*a].baseline < lines[*a].size * 0.5).collect();
        let drops: Vec<f64> =
            rows.windows(2).map(|pair| lines[pair[1][0]].baseline - lines[pair[0][0]].baseline).collect();
        let mut usual_drop = drops.clone();
        usual_drop.sort_by(f64::total_cmp);
        let gap = usual_drop
            .get(usual_drop.len().saturating_sub(1) / 2)
            .map_or(usual.size, |drop| drop.max(usual.size * 1.1))
            * EDGE_GAP;
        let stands_apart = |count: &usize, edge: f64, drop: Option<&f64>, row: &[usize]| {
            *count <= EDGE_ROWS
                && edge < height * EDGE
                && drop.is_some_and(|drop| *drop >= gap)
                && row.len() <= EDGE_ROWS
                && !row.iter().any(|at| usual.is_code(&lines[*at]))
        };
        let top = (1..rows.len()).take(EDGE_ROWS).find(|count| {
            stands_apart(count, lines[rows[count - 1][0]].baseline, drops.get(count - 1), rows[count - 1])
        });
        let bottom = (1..rows.len()).take(EDGE_ROWS).find(|count| {
            let row = rows[rows.len() - count];
            stands_apart(count, height - lines[row[0]].baseline, drops.get(drops.len() - count), row)
        });
        let (top, bottom) = (top.unwrap_or(0), bottom.unwrap_or(0));
        if top + bottom < rows.len() {
            self.top.extend(rows[..top].concat());
            self.bottom.extend(rows[rows.len() - bottom..].concat());
        }
        for edge in [&mut self.top, &mut self.bottom] {
            edge.sort_by(|a, b| lines[*a].baseline.total_cmp(&lines[*b].baseline));
            for row in edge.chunk_by_mut(|a, b| lines[*b].baseline - lines[*a].baseline < lines[*a].size * 0.5) {
                row.sort_by(|a, b| lines[*a].start.total_cmp(&lines[*b].start));
            }
        }
    }
}

/// Lines of footnotes: from one that begins with a mark, in small letters, all below it in its column.
fn notes(lines: &[Line], free: &[usize], left: &[bool], height: f64, usual: Usual) -> Vec<usize> {
    let is_small = |line: &Line| line.size <= usual.size * NOTE_SIZE;
    let begins = |line: &Line| {
        let marks = ['¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹', '∗', '*', '†', '‡', '§', '¶'];
        line.baseline > height * 0.4 && is_small(line) && line.words[0].text.starts_with(marks)
    };
    let candidates: Vec<usize> = free.iter().copied().filter(|at| left[*at] && begins(&lines[*at])).collect();
    if candidates.len() > MOST_NOTES {
        return Vec::new();
    }
    let mut is_note = vec![false; lines.len()];
    for at in candidates {
        let first = &lines[at];
        let below = |other: &&usize| {
            let line = &lines[**other];
            left[**other] && line.baseline > first.baseline + 0.5 && line.start < first.end && line.end > first.start
        };
        if free.iter().filter(below).all(|other| is_small(&lines[*other])) {
            is_note[at] = true;
            free.iter().filter(below).for_each(|other| is_note[*other] = true);
        }
    }
    (0..lines.len()).filter(|at| is_note[*at]).collect()
}

/// So many rows with text on both sides, each of several words, are two columns.
const COLUMN_ROWS: usize = 4;
const COLUMN_WORDS: usize = 3;
/// A page has at most two to the power of so many columns.
const MOST_CUTS: u32 = 2;

/// Columns that are drawn row by row, one after the other.
fn by_columns(order: Vec<usize>, lines: &[Line], in_table: &[bool], cuts: u32) -> Vec<usize> {
    if cuts > MOST_CUTS {
        return order;
    }
    let rows: Vec<&[usize]> = order
        .chunk_by(|a, b| {
            let (left, right) = (&lines[*a], &lines[*b]);
            let same = (left.baseline - right.baseline).abs() < left.size * 0.3 && left.goes_like(right);
            same && right.start > left.end && !in_table[*a] && !in_table[*b] && !left.right_to_left
        })
        .collect();
    let mut read = Vec::with_capacity(order.len());
    let mut at = 0;
    while at < rows.len() {
        let run = column_run(&rows[at..], lines, in_table);
        let Some(gutter) = run.gutter else {
            // Half of it, so that a long one is not gone through from each of its rows.
            let rows = &rows[at..at + (run.rows / 2).max(1)];
            rows.iter().for_each(|row| read.extend_from_slice(row));
            at += rows.len();
            continue;
        };
        let all = rows[at..at + run.rows].concat();
        let (left, right): (Vec<usize>, Vec<usize>) = all.into_iter().partition(|line| lines[*line].end < gutter);
        read.extend(by_columns(left, lines, in_table, cuts + 1));
        read.extend(by_columns(right, lines, in_table, cuts + 1));
        at += run.rows;
    }
    read
}

struct Run {
    rows: usize,
    /// What parts them, when they are two columns.
    gutter: Option<f64>,
}

/// How many of the next rows may be two columns, and whether they are.
fn column_run(rows: &[&[usize]], lines: &[Line], in_table: &[bool]) -> Run {
    let [first, second, ..] = rows[0] else { return Run { rows: 1, gutter: None } };
    let (mut from, mut to) = (lines[*first].end, lines[*second].start);
    let (mut count, mut pairs, mut words, mut sides) = (0, 0, 0, 0);
    let mut last = f64::MIN;
    for row in rows {
        let line = &lines[row[0]];
        let drop = line.baseline - last;
        if row.iter().any(|at| in_table[*at]) || count > 0 && !(0.0..line.size * 3.0).contains(&drop) {
            break;
        }
        // The gutter lies between what ends before its middle and what begins behind it.
        let middle = f64::midpoint(from, to);
        let (left, right): (Vec<usize>, Vec<usize>) = row.iter().partition(|at| lines[**at].start < middle);
        let end = left.iter().map(|at| lines[*at].end).fold(from, f64::max);
        let start = right.iter().map(|at| lines[*at].start).fold(to, f64::min);
        if start - end < line.size * 0.8 {
            break;
        }
        (from, to, last) = (end, start, line.baseline);
        count += 1;
        if !left.is_empty() && !right.is_empty() {
            pairs += 1;
            sides += 2;
            words += left.iter().chain(&right).map(|at| lines[*at].words.len()).sum::<usize>();
        }
    }
    let found = pairs >= COLUMN_ROWS && pairs * 2 > count && words >= sides * COLUMN_WORDS;
    Run { rows: count, gutter: found.then(|| f64::midpoint(from, to)) }
}
