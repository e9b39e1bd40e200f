//! Tables by white space: rows of the same columns, one under the other.

use super::assemble::{Placed, TableLine, assemble};
use super::collect::RulingLine;
use super::columns::{self, Column};
use super::guard;
use super::head::head_of;
use super::line::Line;
use super::rows::{Row, Span};
use super::table::{Parted, Table, sensible};

/// What else than its columns speaks for a table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    None,
    /// It stands between level rules.
    Ruled,
}

/// What a page says beside its rows.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'r> {
    pub(super) evidence: Evidence,
    /// Its level rules.
    pub(super) levels: &'r [RulingLine],
    pub(super) page_width: f64,
    /// All of its lines.
    pub(super) lines: &'r [Line],
}

/// So many lines of one cell may follow each other between rows of several; more between rules.
const MOST_SINGLE: [usize; 2] = [3, 14];
/// Longer runs of rows are looked at in parts.
const MOST_ROWS: usize = 250;
/// The head of another table is so many sizes below the last row of one, or farther, and has so many cells.
const NEXT_TABLE: f64 = 2.5;
const FEWEST_HEADS: usize = 3;

/// The tables that some rows make.
pub(super) fn tables<'a>(rows: &mut [Row<'a>], around: Surroundings<'_>) -> Vec<Table<'a>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < rows.len() {
        let end = at + run(&rows[at..], around.evidence);
        let run = &mut rows[at..end];
        columns::part_numbers(run);
        within(run, around, &mut found);
        at = end;
    }
    found
}

/// How many of the first rows stand close enough to be one table.
fn run(rows: &[Row<'_>], evidence: Evidence) -> usize {
    let (mut single, mut wide) = (0, 0);
    let (mut left, mut right) = (f64::MAX, f64::MIN);
    for (at, pair) in rows.windows(2).enumerate() {
        let (last, row) = (&pair[0], &pair[1]);
        (left, right) = (left.min(last.start()), right.max(last.end()));
        let drop = row.baseline - last.baseline;
        let farthest = match evidence {
            _ if is_like(last, row) => 6.5,
            Evidence::Ruled => 5.0,
            Evidence::None if row.spaces => 3.2,
            Evidence::None => 2.6,
        };
        let near = drop > -last.size * 0.5 && drop < last.size.max(row.size) * farthest;
        let same_size = last.size / row.size < 1.45 && row.size / last.size < 1.45;
        single = if row.cells.len() == 1 { single + 1 } else { 0 };
        if begins_table(last, row) {
            return at + 1;
        }
        // Text between two tables.
        let is_text = row.cells.len() == 1 && row.words.len() > 4 && row.end() - row.start() > (right - left) * 0.6;
        wide = if is_text { wide + 1 } else { 0 };
        if !near || !same_size || single > MOST_SINGLE[usize::from(evidence == Evidence::Ruled)] || at + 1 >= MOST_ROWS
        {
            return at + 1;
        }
        if wide > 1 {
            return at.max(1);
        }
    }
    rows.len()
}

/// Whether a row is the head of another table: of several bold words, far below values that are not.
fn begins_table(last: &Row<'_>, row: &Row<'_>) -> bool {
    let is_bold = |row: &Row<'_>| row.words.iter().all(|word| word.style.bold);
    row.baseline - last.baseline > row.size * NEXT_TABLE
        && row.cells.len() >= FEWEST_HEADS
        && is_bold(row)
        && values(row) == 0
        && values(last) > 0
        && !is_bold(last)
}

/// Whether rows have cells one below the other, as a head has that stands far above its table.
fn is_like(above: &Row<'_>, below: &Row<'_>) -> bool {
    let alone = |cell: &&Span| {
        let meets = |other: &&Span| other.start < cell.end && other.end > cell.start;
        above.cells.iter().filter(meets).count() == 1
    };
    let few = above.cells.len().min(below.cells.len());
    few >= 3 && below.cells.iter().filter(alone).count() * 4 >= below.cells.len() * 3
}

/// Tables of a run of rows that stand close.
fn within<'a>(rows: &[Row<'a>], around: Surroundings<'_>, found: &mut Vec<Table<'a>>) {
    let mut at = 0;
    while at < rows.len() {
        let Some(begin) = rows[at..].iter().position(|row| row.cells.len() > 1).map(|first| at + first) else { return };
        let end = begin + agreeing(&rows[begin..]);
        let least = if around.evidence == Evidence::Ruled { 2 } else { 3 };
        let several = rows[begin..end].iter().filter(|row| row.cells.len() > 1).count();
        let table = if several >= least { table(rows, (at, begin), end, around) } else { None };
        match table {
            Some(table) => {
                found.push(table);
                at = end;
            }
            // Half of the run, so that one without a table is not looked at from each of its rows.
            None => at = begin + (several / 2).max(1),
        }
    }
}

/// How many of the first rows share columns.
fn agreeing(rows: &[Row<'_>]) -> usize {
    let mut end = 1;
    let mut most = 0;
    let mut known: Vec<Column> = Vec::new();
    let mut seen = Seen::default();
    seen.add(&rows[0]);
    while end < rows.len() {
        let row = &rows[end];
        if row.cells.len() < 2 {
            end += 1;
            continue;
        }
        let within = |cell: &Span| known.iter().any(|of| cell.start >= of.start && cell.end <= of.end);
        // What lies in columns that are known changes none of them.
        if known.len() < row.cells.len() || !row.cells.iter().all(within) {
            let columns = columns::find(&rows[..=end]).unwrap_or_default();
            // A row that closes the space between columns is of another part of the page.
            if columns.len() < 2 || columns.len() * 4 < most * 3 || most > 2 && seen.is_run_over(row, &known) {
                break;
            }
            most = most.max(columns.len());
            known = columns;
        }
        seen.add(row);
        end += 1;
    }
    while end > 0 && rows[end - 1].cells.len() < 2 && !is_rest(rows, end - 1) {
        end -= 1;
    }
    end
}

/// What the rows so far hold.
#[derive(Default)]
struct Seen {
    several: usize,
    cells: usize,
    values: usize,
}

impl Seen {
    fn add(&mut self, row: &Row<'_>) {
        self.several += usize::from(row.cells.len() > 1);
        self.cells += row.cells.len();
        self.values += values(row);
    }

    /// Whether a row below them has words that run over several of their columns, or words where they have values.
    fn is_run_over(&self, row: &Row<'_>, columns: &[Column]) -> bool {
        if self.several < 2 {
            return false;
        }
        let words = self.values * 2 > self.cells && self.several > 2 && row.words.len() > 6 && values(row) == 0;
        let over = |cell: &Span| columns.iter().filter(|of| of.overlap(cell.start, cell.end) > row.size * 0.5).count();
        words || row.cells.iter().any(|cell| cell.words.len() > 4 && over(cell) > 1)
    }
}

/// How many of a row's cells are values.
pub(super) fn values(row: &Row<'_>) -> usize {
    row.cells.iter().filter(|cell| row.has_value(cell)).count()
}

/// Whether the last, single cell of some rows goes on with a cell above it.
fn is_rest(rows: &[Row<'_>], at: usize) -> bool {
    let Some(columns) = columns::find(&rows[..at]) else { return false };
    let (row, above) = (&rows[at], &rows[at - 1]);
    let cell = &row.cells[0];
    let drop = row.baseline - above.baseline;
    let usual = usual_drop(&rows[..at]);
    let values = row.has_value(cell) && usual.is_some_and(|usual| drop > usual * 1.2);
    let inside = |column: &Column| cell.start > column.start - row.size && cell.end < column.end + row.size * 2.0;
    let later = columns.iter().skip(1).any(inside);
    // The rest of a label stands further in, or begins low, and near.
    let label = inside(&columns[0])
        && usual.is_none_or(|usual| drop < usual * 1.05)
        && drop < row.size * 1.6
        && row.words[0].text.starts_with(char::is_lowercase);
    !values && (later || label)
}

pub(super) fn usual_drop(rows: &[Row<'_>]) -> Option<f64> {
    let several: Vec<&Row<'_>> = rows.iter().filter(|row| row.cells.len() > 1).collect();
    let mut drops: Vec<f64> = several.windows(2).map(|pair| pair[1].baseline - pair[0].baseline).collect();
    drops.sort_by(f64::total_cmp);
    drops.get(drops.len() / 2).copied()
}

/// The table from `begin` to `end`; a single cell above it, down from `from`, may be of its head.
fn table<'a>(
    rows: &[Row<'a>],
    (from, begin): (usize, usize),
    end: usize,
    around: Surroundings<'_>,
) -> Option<Table<'a>> {
    let columns = columns::find(&rows[begin..end])?;
    let fullest = columns::fullest(&rows[begin..end]);
    let labelled = are_labelled(&rows[begin..end]);
    // Where two lists of sums stand side by side, one of them may be the shorter one.
    let side_by_side = labelled && columns.len() == 4 && stand_in(&rows[begin..end], &columns);
    let full = rows[begin..end].iter().filter(|row| side_by_side || columns::is_full(row, fullest)).count();
    let least = if around.evidence == Evidence::Ruled || labelled { 2 } else { 3 };
    if full < least || guard::is_no_table(&rows[begin..end], &columns, around) {
        return None;
    }
    let above = rows[from..begin].iter().rev().take_while(|row| is_head_above(row, &columns)).count();
    let rows = &rows[begin - above..end];
    let levels: Vec<&RulingLine> = around.levels.iter().filter(|rule| is_within(rule, rows)).collect();
    let (lines, head, ruled) = lines_of(rows, &columns, &levels);
    let (cells, head) = assemble(lines, &columns, head, ruled);
    sensible(cells, head, rows.iter().flat_map(|row| row.lines.iter().copied()).collect(), Parted::Open)
}

/// Whether each row is labels and their values, one beside the other, so that a row may well have fewer of them.
fn are_labelled(rows: &[Row<'_>]) -> bool {
    let several: Vec<&Row<'_>> = rows.iter().filter(|row| row.cells.len() > 1).collect();
    let in_turn = |row: &&Row<'_>| {
        let fits = |(at, cell): (usize, &Span)| {
            let numbered = || row.text(cell).contains(|c: char| c.is_ascii_digit());
            if at % 2 == 1 { numbered() } else { !row.has_value(cell) }
        };
        row.cells.len().is_multiple_of(2) && row.cells.iter().enumerate().all(fits)
    };
    several.len() > 3 && several.iter().all(in_turn)
}

/// Whether each cell stands in one of the columns.
fn stand_in(rows: &[Row<'_>], columns: &[Column]) -> bool {
    let over = |cell: &Span| columns.iter().filter(|of| of.overlap(cell.start, cell.end) > 0.0).count();
    rows.iter().flat_map(|row| &row.cells).all(|cell| over(cell) == 1)
}

/// A single cell that stands over columns, and not over the first one.
fn is_head_above(row: &Row<'_>, columns: &[Column]) -> bool {
    row.start() > columns[1].start - row.size * 2.0 && row.end() < columns[columns.len() - 1].end + row.size
}

fn is_within(rule: &RulingLine, rows: &[Row<'_>]) -> bool {
    let (top, bottom) = (rows[0].middle(), rows[rows.len() - 1].middle());
    let (left, right) = rows.iter().fold((f64::MAX, f64::MIN), |(l, r), row| (l.min(row.start()), r.max(row.end())));
    rule.at > top && rule.at < bottom && rule.to.min(right) - rule.from.max(left) > (right - left).min(20.0) * 0.3
}

/// The rows with the columns of their cells, how many of them are the head, and what parts them.
fn lines_of<'r, 'a>(
    rows: &'r [Row<'a>],
    columns: &[Column],
    levels: &[&RulingLine],
) -> (Vec<TableLine<'r, 'a>>, usize, bool) {
    let (left, right) = (columns[0].start, columns[columns.len() - 1].end);
    // Rules of less than half of the width are of single heads, or below sums.
    let mut wide: Vec<f64> = levels
        .iter()
        .filter(|rule| rule.to.min(right) - rule.from.max(left) > (right - left) * 0.6)
        .map(|rule| rule.at)
        .collect();
    wide.extend(underlined(columns, levels));
    wide.sort_by(f64::total_cmp);
    wide.dedup_by(|a, b| *a - *b < 4.0);
    let band = |row: &Row<'_>| wide.partition_point(|at| *at < row.middle());
    let head = head_of(rows, columns, &wide);
    let mut lines: Vec<TableLine<'_, '_>> = Vec::with_capacity(rows.len());
    for (at, row) in rows.iter().enumerate() {
        let cells = place(row, columns, at < head, levels);
        lines.push(TableLine { row, band: band(row), cells });
    }
    let bands: std::collections::BTreeSet<usize> = lines[head..].iter().map(|line| line.band).collect();
    let by_rules = bands.len() >= 3 && bands.len() * 10 >= lines[head..].len();
    (lines, head, by_rules)
}

/// Where each column has a rule of its own, as below a head that is underlined.
fn underlined(columns: &[Column], levels: &[&RulingLine]) -> Option<f64> {
    let of = |column: &Column, rule: &RulingLine| column.overlap(rule.from, rule.to) > 0.0;
    let single = |rule: &RulingLine| columns.iter().filter(|column| of(column, rule)).count() == 1;
    let all_at = |at: f64| {
        let here: Vec<&RulingLine> = levels.iter().copied().filter(|rule| (rule.at - at).abs() < 2.0).collect();
        here.iter().all(|rule| single(rule)) && columns.iter().all(|column| here.iter().any(|rule| of(column, rule)))
    };
    levels.iter().map(|rule| rule.at).filter(|at| all_at(*at)).min_by(f64::total_cmp)
}

/// The cells of a row with their columns.
fn place<'a>(row: &Row<'a>, columns: &[Column], is_head: bool, levels: &[&RulingLine]) -> Vec<Placed<'a>> {
    let mut cells: Vec<Placed<'a>> = Vec::with_capacity(row.cells.len());
    let spans: Vec<Span> = row.cells.iter().flat_map(|cell| columns::parted_between(row, cell, columns)).collect();
    for (at, cell) in spans.iter().enumerate() {
        let next = spans.get(at + 1).map_or(f64::MAX, |next| next.start);
        let free = cells.last().map_or(0, |placed| placed.last + 1);
        let before = at.checked_sub(1).map_or(f64::MIN, |at| spans[at].end);
        let range = range(row, cell, columns, (is_head, free), (before, next), levels);
        match cells.last_mut().filter(|placed| range.0 <= placed.last) {
            Some(placed) => {
                placed.words.extend(&row.words[cell.words.clone()]);
                (placed.end, placed.last) = (cell.end, placed.last.max(range.1));
            }
            None => cells.push(Placed::of(row, cell, range)),
        }
    }
    cells
}

/// The columns that a cell stands in.
fn range(
    row: &Row<'_>,
    cell: &Span,
    columns: &[Column],
    (is_head, free): (bool, usize),
    (before, next): (f64, f64),
    levels: &[&RulingLine],
) -> (usize, usize) {
    let near = |a: f64, b: f64| (a - b).abs() < row.size * 0.6;
    let overlap = |at: usize| columns[at].overlap(cell.start, cell.end);
    let best = (0..columns.len()).max_by(|a, b| overlap(*a).total_cmp(&overlap(*b))).unwrap_or(0);
    let over: Vec<usize> = (0..columns.len()).filter(|at| overlap(*at) > row.size * 0.3).collect();
    let (low, high) = (over.first().copied().unwrap_or(best), over.last().copied().unwrap_or(best));
    if is_head && let Some(under) = over_rule(row, cell, columns, free, (before, next), levels) {
        return under;
    }
    // Labels may run over into the next column.
    if !is_head && low == 0 && near(cell.start, columns[0].start) {
        return (0, 0);
    }
    let of = &columns[best];
    let aligned = near(cell.start, of.start)
        || near(cell.end, of.end)
        || near(f64::midpoint(cell.start, cell.end), f64::midpoint(of.start, of.end))
        || cell.start > of.start && cell.end < of.end;
    if over.len() <= 1 && aligned {
        return (best, best);
    }
    if !is_head {
        return (low, high);
    }
    // A head in the middle of its columns.
    columns::centred(columns, cell, (low, high), (free, next + row.size * 0.5), row.size * 1.5)
        .unwrap_or((low.max(free.min(high)), high))
}

/// The columns over which the rule below a head stands, that is no other head's.
fn over_rule(
    row: &Row<'_>,
    cell: &Span,
    columns: &[Column],
    free: usize,
    (before, next): (f64, f64),
    levels: &[&RulingLine],
) -> Option<(usize, usize)> {
    let below = |rule: &&&RulingLine| {
        let drop = rule.at - row.baseline;
        (-row.size * 0.2..row.size * 1.3).contains(&drop)
            && rule.from < cell.start + row.size
            && rule.to > cell.end - row.size
    };
    let shortest = levels.iter().filter(below).min_by(|a, b| (a.to - a.from).total_cmp(&(b.to - b.from)))?;
    if shortest.to >= next || shortest.from <= before - row.size * 0.5 {
        return None;
    }
    let inside = |at: &usize| {
        let middle = f64::midpoint(columns[*at].start, columns[*at].end);
        middle > shortest.from && middle < shortest.to
    };
    let under: Vec<usize> = (free..columns.len()).filter(inside).collect();
    let (low, high) = (*under.first()?, *under.last()?);
    (high + 1 - low < columns.len()).then_some((low, high))
}
