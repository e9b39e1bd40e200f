//! In which order the lines of a page are read.
//!
//! What stands by itself at the top and at the bottom comes first and last, footnotes come behind the text, and the rest is
//! read by its places, whatever the order in which it is drawn.

use super::body_style::BodyStyle;
use super::caption::Captioned;
use super::line::Line;
use super::reading::{self, Unit};
use crate::content::is_ideographic;

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
    /// `table_of` says of each line which table it is part of; those of one stay together.
    pub(super) fn of(
        lines: &[Line],
        table_of: &[Option<usize>],
        figures: &[Captioned],
        height: f64,
        body_style: BodyStyle,
    ) -> Self {
        let mut order = Self::default();
        let is_caption = |at: usize| figures.iter().any(|figure| figure.caption == Some(at));
        let is_free = |at: &usize| {
            table_of[*at].is_none() && lines[*at].direction.0 > 0.99 && !lines[*at].stamp && !is_caption(*at)
        };
        let free: Vec<usize> = (0..lines.len()).filter(is_free).collect();
        let mut left = vec![true; lines.len()];
        order.edges(lines, &free, figures, height, body_style);
        order.top.iter().chain(&order.bottom).for_each(|at| left[*at] = false);
        order.notes = notes(lines, &free, &left, height, body_style);
        order.notes.iter().for_each(|at| left[*at] = false);
        order.body = body((0..lines.len()).filter(|at| left[*at]).collect(), lines, table_of);
        order
    }

    fn edges(&mut self, lines: &[Line], free: &[usize], figures: &[Captioned], height: f64, body_style: BodyStyle) {
        let (said, free): (Vec<usize>, Vec<usize>) = free.iter().partition(|at| lines[**at].artifact);
        for at in said {
            if lines[at].baseline < height / 2.0 { self.top.push(at) } else { self.bottom.push(at) }
        }
        let mut sorted = free;
        sorted.sort_by(|a, b| lines[*a].baseline.total_cmp(&lines[*b].baseline));
        let rows: Vec<&[usize]> = sorted
            .chunk_by(|a, b| lines[*b].baseline - lines[*a].baseline < lines[*a].size.min(lines[*b].size) * 0.5)
            .collect();
        let mut usual_drop: Vec<f64> =
            rows.windows(2).map(|pair| lines[pair[1][0]].baseline - lines[pair[0][0]].baseline).collect();
        usual_drop.sort_by(f64::total_cmp);
        let gap = usual_drop
            .get(usual_drop.len().saturating_sub(1) / 2)
            .map_or(body_style.size, |drop| drop.max(body_style.size * 1.1))
            * EDGE_GAP;
        // Lines of a title stand farther apart than those of the text.
        let own_gap = |row: &[usize], next: &[usize]| {
            let (size, other) = (lines[row[0]].size, lines[next[0]].size);
            if (size - other).abs() < size * 0.1 { gap.max(size * 1.5) } else { gap }
        };
        // From one row to the next, or to a figure between them: under several rows it is what they are about, while one is a
        // header over a figure, too.
        let distance = |count: usize, row: usize, next: usize| {
            let (row, next) = (&lines[rows[row][0]], &lines[rows[next][0]]);
            let to_figure = |figure: &Captioned| {
                if next.baseline > row.baseline {
                    (figure.area.y0 >= row.baseline - row.size * 0.5)
                        .then_some(figure.area.y0 + row.size - row.baseline)
                } else {
                    (figure.area.y1 <= row.baseline).then_some(row.baseline - figure.area.y1)
                }
            };
            figures
                .iter()
                .filter(|_| count > 1)
                .filter_map(to_figure)
                .fold((next.baseline - row.baseline).abs(), f64::min)
        };
        let stands_apart = |count: &usize, edge: f64, row: usize, next: usize| {
            *count <= EDGE_ROWS
                && edge < height * EDGE
                && distance(*count, row, next) >= own_gap(rows[row], rows[next])
                && rows[row].len() <= EDGE_ROWS
                && !rows[row].iter().any(|at| body_style.is_code(&lines[*at]))
        };
        let top = (1..rows.len())
            .take(EDGE_ROWS)
            .find(|count| stands_apart(count, lines[rows[count - 1][0]].baseline, count - 1, *count));
        let bottom = (1..rows.len()).take(EDGE_ROWS).find(|count| {
            let row = rows.len() - count;
            stands_apart(count, height - lines[rows[row][0]].baseline, row, row - 1)
        });
        let (top, bottom) = (top.unwrap_or(0), bottom.unwrap_or(0));
        if top + bottom < rows.len() {
            self.top.extend(rows[..top].concat());
            self.bottom.extend(rows[rows.len() - bottom..].concat());
        }
        for edge in [&mut self.top, &mut self.bottom] {
            *edge = body(std::mem::take(edge), lines, &vec![None; lines.len()]);
        }
    }
}

/// Lines of footnotes: from one that begins with a mark, in small letters, all below it in its column.
fn notes(lines: &[Line], free: &[usize], left: &[bool], height: f64, body_style: BodyStyle) -> Vec<usize> {
    let is_small = |line: &Line| line.size <= body_style.size * NOTE_SIZE;
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

/// What is left, in reading order: text by its places, then stamps as they are drawn.
fn body(left: Vec<usize>, lines: &[Line], table_of: &[Option<usize>]) -> Vec<usize> {
    let (along, across): (Vec<usize>, Vec<usize>) =
        left.into_iter().partition(|at| !lines[*at].stamp || table_of[*at].is_some());
    let mut units: Vec<Unit> = Vec::new();
    let mut of_table: Vec<(usize, Vec<usize>)> = Vec::new();
    for at in along {
        match table_of[at] {
            None => match units.last_mut() {
                Some(label) if is_value_beside(lines, &label.lines, at) => {
                    let of = [std::mem::take(&mut label.lines), vec![at]].concat();
                    *label = Unit::of(lines, of);
                }
                _ => units.push(Unit::of(lines, vec![at])),
            },
            Some(table) => match of_table.iter_mut().find(|(of, _)| *of == table) {
                Some((_, lines)) => lines.push(at),
                None => of_table.push((table, vec![at])),
            },
        }
    }
    units.extend(of_table.into_iter().map(|(_, of)| Unit::of(lines, of)));
    let read = if is_vertical(lines, &units) { reading::vertical_order(&units) } else { reading::order(&units) };
    read.into_iter().flat_map(|at| std::mem::take(&mut units[at].lines)).chain(across).collect()
}

/// A field whose value begins at most this far behind its label, in sizes, is beside it, and no text of another column.
const LABEL_GAP: f64 = 15.0;

/// Whether a line is the value of a form field right of its label, or goes on with such a value: labels and values that stand
/// in two columns are read row by row.
fn is_value_beside(lines: &[Line], label: &[usize], at: usize) -> bool {
    let (first, last, value) = (&lines[label[0]], &lines[label[label.len() - 1]], &lines[at]);
    let is_box = |line: &Line| line.words[0].text.starts_with(['☐', '☑', '☒']);
    if value.field.is_none() || !value.has_same_direction(first) || is_box(value) || is_box(first) {
        return false;
    }
    let level = (value.baseline - first.baseline).abs() < value.size.max(first.size) * 0.6;
    let gap = value.start - first.end;
    first.field.is_none() && level && (0.0..first.size * LABEL_GAP).contains(&gap) && label.len() == 1
        || first.field.is_none() && last.field == value.field
}

/// So many lines of one sign are text that is written from top to bottom, sign by sign.
const FEWEST_SIGNS: usize = 12;

/// Whether most of a page is single ideographs: those of a level line would stand close enough to be one.
fn is_vertical(lines: &[Line], units: &[Unit]) -> bool {
    let is_sign = |unit: &&Unit| match &unit.lines[..] {
        [at] => {
            lines[*at].words.iter().all(|word| word.text.chars().all(is_ideographic) && word.text.chars().count() == 1)
        }
        _ => false,
    };
    let signs = units.iter().filter(is_sign).count();
    signs >= FEWEST_SIGNS && signs * 5 >= units.len() * 3
}
