//! Level rules that frame a part of a table: what above, below and beside them belongs to it, too.

use std::collections::BTreeSet;

use super::line::Line;
use super::region::Region;
use super::rows::{Row, Span, rows_of};
use super::table::Table;

/// A head stands above the rule below it by at most this much of its size, from its baseline; and so do its lines among
/// themselves.
const HEAD_DROP: f64 = 2.2;
/// A head has so many lines at most.
const MOST_HEAD: usize = 3;
/// Rows below the last rule are as far from each other as those above it, or up to so much farther.
const FURTHER: f64 = 1.5;
/// Rows of fewer cells are alike by chance.
const FEWEST_CELLS: usize = 3;
/// A row is like another when so much of the cells of that have one of its own, as of ten.
const ALIKE: usize = 6;
/// Rows around a region have so much of a table's cells on the average, as of ten.
const FULL: usize = 4;
/// A label is drawn so many lines before or after its numbers at most.
const NEXT: usize = 2;
/// A line of so many words is of running text.
const WORDY: usize = 7;

/// The lines of a table between level rules, of which `inside` stand between them; `free` are all that are in no table. To
/// them belong the head above the first rule and rows below the last one that have cells where theirs are.
pub(super) fn lines_of(region: &Region, lines: &[Line], inside: &[usize], free: &[usize], spaces: bool) -> Vec<usize> {
    let mut all = inside.to_vec();
    let rows = rows_of(lines, inside, spaces, &[]);
    let several: Vec<&Row<'_>> = rows.iter().filter(|row| row.cells.len() >= FEWEST_CELLS).collect();
    let (Some(first), Some(last)) = (several.first(), several.last()) else { return all };
    let [left, top, right, bottom] = region.area();
    let outside = |above: bool| -> Vec<Row<'_>> {
        let here = |at: &usize| {
            let line = &lines[*at];
            let middle = line.baseline - line.size * 0.3;
            let beyond = if above { middle < top } else { middle > bottom };
            beyond && line.start > left - line.size && line.end < right + line.size && !inside.contains(at)
        };
        rows_of(lines, &free.iter().copied().filter(here).collect::<Vec<_>>(), spaces, &[])
    };
    // What has a head between its rules needs none above them.
    if first.baseline.total_cmp(&rows[0].baseline).is_eq() {
        let mut edge = top;
        for row in outside(true).iter().rev().take(MOST_HEAD) {
            if edge - row.baseline > row.size * HEAD_DROP || !is_like(row, first) {
                break;
            }
            all.extend(&row.lines);
            edge = row.baseline;
        }
    }
    // A rule stands above each of its rows; one alone may end a head.
    let bands: BTreeSet<usize> = several.iter().map(|row| region.ys.partition_point(|at| *at < row.middle())).collect();
    if bands.len() < 2 {
        return all;
    }
    let pitch = several.windows(2).map(|pair| pair[1].baseline - pair[0].baseline).fold(f64::MAX, f64::min);
    let mut edge = last.baseline;
    for row in &outside(false) {
        if row.baseline - edge > pitch.min(row.size * 4.0) * FURTHER || !is_like(row, last) {
            break;
        }
        all.extend(&row.lines);
        edge = row.baseline;
    }
    all
}

/// Whether the rows between the rules of a region go on left of them, as labels do whose numbers have a rule above their
/// sum: such rules frame no table. Lines of a column beside it are drawn before or after all of its own.
pub(super) fn is_of_sums(region: &Region, lines: &[Line], inside: &[usize], free: &[usize]) -> bool {
    let [left, ..] = region.area();
    let labelled = |row: &Row<'_>| {
        let label = |at: &usize| {
            let line = &lines[*at];
            let near = row.lines.iter().any(|of| of.abs_diff(*at) <= NEXT);
            let beside = (line.baseline - row.baseline).abs() < row.size * 0.4 && line.start < left - line.size;
            near && beside && line.end < row.start() && (line.leader || line.words.len() < WORDY)
        };
        free.iter().any(label)
    };
    let rows = rows_of(lines, inside, false, &[]);
    rows.len() > 1 && rows.iter().filter(|row| labelled(row)).count() * 10 >= rows.len() * ALIKE
}

/// Whether a row has cells where another one has them, each below or above a single one.
fn is_like(row: &Row<'_>, other: &Row<'_>) -> bool {
    let meets = |a: &Span, b: &Span| a.start < b.end && a.end > b.start;
    let one = |cell: &Span| other.cells.iter().filter(|other| meets(cell, other)).count() <= 1;
    let met = other.cells.iter().filter(|other| row.cells.iter().any(|cell| meets(cell, other))).count();
    let same_size = row.size / other.size < 1.3 && other.size / row.size < 1.3;
    same_size && row.cells.len() >= FEWEST_CELLS && row.cells.iter().all(one) && met * 10 >= other.cells.len() * ALIKE
}

/// Of the tables that a page has when its rules are not looked at: the one that holds all of some, which stand in a region,
/// and more than these. What it has more is no running text, rows above and below are as full as such a table has them, and
/// no other region is cut.
pub(super) fn wider<'t, 'a>(
    found: &[Table<'a>],
    open: &'t [Table<'a>],
    (region, regions): (&Region, &[Region]),
    lines: &[Line],
    spaces: bool,
) -> Option<&'t Table<'a>> {
    let width = |table: &Table<'_>| table.rows.iter().map(Vec::len).max().unwrap_or(0);
    let within: Vec<usize> = found.iter().flat_map(|table| table.lines.iter().copied()).collect();
    let (rows, columns) =
        (found.iter().map(|table| table.rows.len()).sum::<usize>(), found.iter().map(width).max().unwrap_or(0));
    let [_, top, _, bottom] = region.area();
    let is_full = |of: Vec<usize>, width: usize| {
        let rows = rows_of(lines, &of, spaces, &[]);
        let cells: usize = rows.iter().map(|row| row.cells.len()).sum();
        cells * 10 >= rows.len() * width * FULL
    };
    open.iter().filter(|_| !within.is_empty()).find(|table| {
        let more: Vec<usize> = table.lines.iter().copied().filter(|line| !within.contains(line)).collect();
        let wordy = more.iter().filter(|line| lines[**line].words.len() >= WORDY).count();
        let part = |is: &dyn Fn(&Line) -> bool| more.iter().copied().filter(|at| is(&lines[*at])).collect::<Vec<_>>();
        within.iter().all(|line| table.lines.binary_search(line).is_ok())
            && !more.is_empty()
            && wordy * 4 <= more.len()
            && table.rows.len() >= rows
            && width(table) >= columns
            && !regions.iter().any(|region| is_cut(region, table, lines))
            && is_full(part(&|line| line.baseline < top), width(table))
            && is_full(part(&|line| line.baseline - line.size * 0.6 > bottom), width(table))
    })
}

/// Whether a table takes a part of what stands in a region, and leaves more than a line or two of it.
fn is_cut(region: &Region, table: &Table<'_>, lines: &[Line]) -> bool {
    let (mut taken, mut left) = (0, 0);
    for (at, _) in lines.iter().enumerate().filter(|(_, line)| region.holds(line)) {
        if table.lines.binary_search(&at).is_ok() {
            taken += 1;
        } else {
            left += 1;
        }
    }
    taken > 0 && left * 10 > taken && left > 2
}
