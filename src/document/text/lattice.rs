//! Tables by their rules: upright ones part columns, level ones rows; where white space parts them further, so do these.

use std::ops::RangeInclusive;

use super::assemble::{Placed, TableLine, assemble, bands_of_rows};
use super::columns::{self, Column};
use super::line::Line;
use super::region::Region;
use super::rows::{Row, Span, is_value, rows_of, text_of};
use super::table::{Parted, Table, sensible};

/// The tables whose rules make cells. `forms` says whether these may be forms that are not filled in: not where the lines
/// are turned, as the heads of a table may be alone.
pub(super) fn tables<'a>(
    region: &Region,
    lines: &'a [Line],
    inside: &[usize],
    spaces: bool,
    forms: bool,
) -> Vec<Table<'a>> {
    let rows: Vec<Row<'a>> = rows_of(lines, inside, spaces, region.uprights());
    let parted = parted(region, &rows);
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(first) = (from..parted.len()).find(|band| parted[*band].is_some()) {
        let last = last_band(region, &rows, &parted, first);
        from = last + 1;
        found.extend(table(region, &rows, &parted, first..=last, forms));
    }
    found
}

/// By band: where upright rules, or its words, part it; `None` where it is text.
fn parted(region: &Region, rows: &[Row<'_>]) -> Vec<Option<Vec<bool>>> {
    let width = region.xs.len() - 1;
    let bands = region.ys.windows(2).enumerate().map(|(band, ys)| {
        let parted = region.parted(f64::midpoint(ys[0], ys[1]));
        if parted[1..width].contains(&true) { Some(parted) } else { part_by_words(region, rows, band) }
    });
    let mut bands: Vec<Option<Vec<bool>>> = bands.collect();
    // What stands by its words alone, apart from bands with rules, is another table.
    let ruled =
        |band: usize| region.parted(f64::midpoint(region.ys[band], region.ys[band + 1]))[1..width].contains(&true);
    if !(0..bands.len()).any(ruled) {
        bands.iter_mut().for_each(|band| *band = None);
    }
    bands
}

/// The last band of the table that begins with `first`: text of a line or two may stand between two of its rows.
fn last_band(region: &Region, rows: &[Row<'_>], parted: &[Option<Vec<bool>>], first: usize) -> usize {
    let mut last = first;
    for (band, parted) in parted.iter().enumerate().skip(first + 1) {
        let here = || rows.iter().filter(|row| slot(&region.ys, row.middle()) == band);
        let is_short = here().count() < 3 && here().map(|row| row.words.len()).sum::<usize>() < 16;
        if parted.is_some() {
            last = band;
        } else if !is_short {
            break;
        }
    }
    last
}

fn table<'a>(
    region: &Region,
    rows: &[Row<'a>],
    parted: &[Option<Vec<bool>>],
    bands: RangeInclusive<usize>,
    forms: bool,
) -> Option<Table<'a>> {
    let of = |row: &Row<'a>| slot(&region.ys, row.middle());
    let within: Vec<(usize, &Row<'a>)> =
        rows.iter().map(|row| (of(row), row)).filter(|(band, _)| bands.contains(band)).collect();
    let slots = Slots::of(region, parted, bands, &within);
    let grid = Grid::of(region, &slots, &within);
    let placed: Vec<TableLine<'_, 'a>> = within
        .iter()
        .map(|(band, row)| TableLine { row, band: *band, cells: grid.place(region, &slots, *band, row) })
        .collect();
    let head = head_of(&placed, &slots);
    let (cells, head) = assemble(placed, &grid.columns, head, true);
    let parted = if forms { slots.parted(region, &within) } else { Parted::Ruled };
    sensible(cells, head, within.iter().flat_map(|(_, row)| row.lines.iter().copied()).collect(), parted)
}

/// So many cells that rules close, of ten, make a grid; and at least so many of them.
const CLOSED: usize = 8;
const FEWEST_CLOSED: usize = 6;

/// So many lines of a cell are labels of rows when most of them stand beside values.
const FEWEST_LABELS: usize = 3;

/// How many of the first lines are the head.
fn head_of(lines: &[TableLine<'_, '_>], slots: &Slots) -> usize {
    let (first, end) = (*slots.bands.start(), slots.head_bands());
    let values = |line: &TableLine<'_, '_>| line.cells.iter().filter(|cell| is_value(&text_of(&cell.words))).count();
    // A first row of numbers, such as years, is a head unless there are more of them right below.
    let several = bands_of_rows(lines).contains(&first);
    let is_head = |line: &&TableLine<'_, '_>| {
        let values = values(line);
        if line.band == first {
            !several || values == 0
        } else {
            line.band < end && (values < 2 || values * 2 < line.cells.len())
        }
    };
    let head = lines.iter().take_while(is_head).count();
    if head == lines.len() { 0 } else { head }
}

/// Which of the spaces between rules are one cell.
struct Slots {
    /// The bands that are part of the table.
    bands: RangeInclusive<usize>,
    /// By band and column: the first and the last column, and the first and the last band, of its cell.
    cells: Vec<Vec<Cell>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Cell {
    columns: (usize, usize),
    bands: (usize, usize),
}

impl Slots {
    fn of(
        region: &Region,
        parted: &[Option<Vec<bool>>],
        bands: RangeInclusive<usize>,
        rows: &[(usize, &Row<'_>)],
    ) -> Self {
        let width = region.xs.len() - 1;
        let row = |parted: &Option<Vec<bool>>, band: usize| {
            let mut row: Vec<Cell> = Vec::with_capacity(width);
            let mut from = 0;
            while from < width {
                let parts = |at: &usize| parted.as_ref().is_some_and(|parted| parted[*at]);
                let to = (from + 1..width).find(parts).unwrap_or(width) - 1;
                row.extend(std::iter::repeat_n(Cell { columns: (from, to), bands: (band, band) }, to + 1 - from));
                from = to + 1;
            }
            row
        };
        let cells = parted.iter().enumerate().map(|(band, parted)| row(parted, band)).collect();
        let mut slots = Self { bands, cells };
        slots.join_bands(region, rows);
        slots
    }

    /// Cells of the same columns with no rule between them are one, but for labels of the rows in a band.
    fn join_bands(&mut self, region: &Region, rows: &[(usize, &Row<'_>)]) {
        let is_labels = |band: usize, columns: (usize, usize)| {
            let here = |cell: &&Span| (columns.0..=columns.1).contains(&place_of(region, cell));
            let lines: Vec<&Row<'_>> = rows
                .iter()
                .filter(|(of, row)| *of == band && row.cells.iter().any(|cell| here(&cell)))
                .map(|(_, row)| *row)
                .collect();
            let has_value = |row: &&&Row<'_>| row.cells.iter().any(|cell| !here(&cell) && row.has_value(cell));
            lines.len() >= FEWEST_LABELS && lines.iter().filter(has_value).count() * 3 >= lines.len() * 2
        };
        for band in *self.bands.start()..*self.bands.end() {
            let mut column = 0;
            while column < self.cells[band].len() {
                let (above, below) = (self.cells[band][column], self.cells[band + 1][column]);
                let (first, last) = above.columns;
                let open = |at: usize| !region.is_ruled(region.ys[band + 1], (region.xs[at], region.xs[at + 1]));
                let labels = || is_labels(band, above.columns) || is_labels(band + 1, above.columns);
                if above.columns == below.columns && (first..=last).all(open) && !labels() {
                    let bands = (above.bands.0, band + 1);
                    for row in bands.0..=bands.1 {
                        self.cells[row][first..=last].iter_mut().for_each(|cell| cell.bands = bands);
                    }
                }
                column = last + 1;
            }
        }
    }

    /// Whether rules stand on all sides of its cells, of which `rows` tell what they say. Staves of music have such rules,
    /// too: nearer than letters are high, and around signs.
    fn parted(&self, region: &Region, rows: &[(usize, &Row<'_>)]) -> Parted {
        let size = rows.iter().map(|(_, row)| row.size).fold(f64::MAX, f64::min);
        let texts = || rows.iter().flat_map(|(_, row)| row.cells.iter().map(|cell| row.text(cell)));
        let signs = texts().filter(|text| !text.contains(char::is_alphanumeric)).count();
        if signs * 2 > texts().count() || rows.iter().any(|(band, row)| self.is_crossed(region, *band, row)) {
            return Parted::Ruled;
        }
        let mut cells: Vec<Cell> = self.bands.clone().flat_map(|band| self.cells[band].iter().copied()).collect();
        cells.sort_by_key(|cell| (cell.bands, cell.columns));
        cells.dedup();
        let is_closed = |cell: &&Cell| {
            let (left, right) = (region.xs[cell.columns.0], region.xs[cell.columns.1 + 1]);
            let (top, bottom) = (region.ys[cell.bands.0], region.ys[cell.bands.1 + 1]);
            let parted = region.parted(f64::midpoint(top, bottom));
            bottom - top > size
                && parted[cell.columns.0]
                && parted[cell.columns.1 + 1]
                && region.is_ruled(top, (left, right))
                && region.is_ruled(bottom, (left, right))
        };
        let closed = cells.iter().filter(is_closed).count();
        if closed >= FEWEST_CLOSED && closed * 10 >= cells.len() * CLOSED { Parted::Closed } else { Parted::Ruled }
    }

    /// Whether words of a row stand on rules, as they do before the lines of a chart.
    fn is_crossed(&self, region: &Region, band: usize, row: &Row<'_>) -> bool {
        let parted = region.parted(row.middle());
        let rules = || region.xs.iter().zip(&parted).filter(|(_, stands)| **stands).map(|(at, _)| *at);
        let upright = row.words.iter().any(|word| rules().any(|at| word.start < at - 1.0 && word.end > at + 1.0));
        let level = |cell: &Span| {
            let (from, to) = self.cells[band][place_of(region, cell)].bands;
            row.baseline - row.size * 0.5 < region.ys[from] || row.baseline > region.ys[to + 1] + row.size * 0.1
        };
        upright || row.cells.iter().any(level)
    }

    /// The first bands that are the head: as many as a cell of the first one takes, or one more below a cell that spans
    /// columns.
    fn head_bands(&self) -> usize {
        let first = *self.bands.start();
        let row = &self.cells[first];
        let down = row.iter().map(|cell| cell.bands.1).max().unwrap_or(first);
        let across = row.iter().any(|cell| cell.columns.0 < cell.columns.1);
        let least = if across && first < *self.bands.end() { first + 1 } else { first };
        let head = down.max(least) + 1;
        // Cells that go on to the end are no head.
        if head > *self.bands.end() { first + 1 } else { head }
    }
}

/// How the words of a band without upright rules part it: where they leave the places of these rules free. `None` when it
/// has no rows of several cells, each of them in one column.
fn part_by_words(region: &Region, rows: &[Row<'_>], band: usize) -> Option<Vec<bool>> {
    let here: Vec<&Row<'_>> = rows.iter().filter(|row| slot(&region.ys, row.middle()) == band).collect();
    let crosses =
        |at: f64| here.iter().flat_map(|row| &row.cells).any(|cell| cell.start < at - 1.0 && cell.end > at + 1.0);
    let free: Vec<bool> = region.xs.iter().map(|at| !crosses(*at)).collect();
    let several = here.iter().any(|row| row.cells.len() > 1);
    let runs_over = |cell: &Span| region.xs.iter().any(|at| cell.start < at - 1.0 && cell.end > at + 1.0);
    let over = here.iter().filter(|row| row.cells.iter().any(runs_over)).count();
    let closed = free.iter().filter(|free| !**free).count();
    (several && over * 2 <= here.len() && closed * 3 < free.len()).then_some(free)
}

/// The columns between rules, and those within them.
struct Grid {
    columns: Vec<Column>,
    /// Of each space between upright rules, its first column; and their number.
    first: Vec<usize>,
}

impl Grid {
    fn of(region: &Region, slots: &Slots, rows: &[(usize, &Row<'_>)]) -> Self {
        let (mut columns, mut first) = (Vec::new(), Vec::new());
        for (at, xs) in region.xs.windows(2).enumerate() {
            first.push(columns.len());
            let within = |(band, row): &(usize, &Row<'_>)| -> Vec<(Span, bool)> {
                let here = |cell: &&Span| {
                    let slot = slots.cells[*band][place_of(region, cell)];
                    slot.columns == (at, at)
                };
                row.cells.iter().filter(here).map(|cell| (cell.clone(), is_value(&row.text(cell)))).collect()
            };
            let cells: Vec<Vec<(Span, bool)>> = rows.iter().map(within).filter(|cells| !cells.is_empty()).collect();
            let size = rows.first().map_or(1.0, |(_, row)| row.size);
            match columns::within(&cells, size) {
                Some(parts) => {
                    let mut start = xs[0];
                    for pair in parts.windows(2) {
                        let end = f64::midpoint(pair[0].end, pair[1].start);
                        columns.push(Column { start, end });
                        start = end;
                    }
                    columns.push(Column { start, end: xs[1] });
                }
                None => columns.push(Column { start: xs[0], end: xs[1] }),
            }
        }
        first.push(columns.len());
        Self { columns, first }
    }

    fn place<'a>(&self, region: &Region, slots: &Slots, band: usize, row: &Row<'a>) -> Vec<Placed<'a>> {
        let mut placed: Vec<Placed<'a>> = Vec::with_capacity(row.cells.len());
        for (at, cell) in row.cells.iter().enumerate() {
            let place = place_of(region, cell);
            let slot = slots.cells[band][place];
            let alone =
                !row.cells.iter().enumerate().any(|(other, cell)| {
                    other != at && slots.cells[band][place_of(region, cell)].columns == slot.columns
                });
            let range = if slot.columns.0 < slot.columns.1 && !alone {
                let next = row.cells.get(at + 1).map_or(f64::MAX, |next| next.start);
                self.spread(slot, cell, placed.last().map(|last| last.last), next, row.size)
            } else {
                self.range(slot, cell, row.size, alone)
            };
            let bands = (slot.bands.0 < slot.bands.1).then_some(slot.bands);
            match placed.last_mut().filter(|last| range.0 <= last.last) {
                Some(last) => {
                    last.words.extend(&row.words[cell.words.clone()]);
                    (last.end, last.last) = (cell.end, last.last.max(range.1));
                }
                None => placed.push(Placed { bands, ..Placed::of(row, cell, range) }),
            }
        }
        placed
    }

    /// The columns of some words in a cell between rules.
    fn range(&self, slot: Cell, cell: &Span, size: f64, alone: bool) -> (usize, usize) {
        let (from, to) = (self.first[slot.columns.0], self.first[slot.columns.1 + 1] - 1);
        if from == to || slot.columns.0 < slot.columns.1 {
            return (from, to);
        }
        let over = |at: &usize| self.columns[*at].overlap(cell.start, cell.end) > size * 0.3;
        let (first, last) = ((from..=to).find(over), (from..=to).rfind(over));
        match (first, last) {
            // One that stands in the middle of all is their head.
            (Some(first), Some(last)) if first < last && alone && self.is_centred(cell, (from, to), size) => (from, to),
            (Some(first), Some(last)) => (first, last),
            // Between two of them.
            _ if alone && self.is_centred(cell, (from, to), size) => (from, to),
            _ => {
                let near = (from..=to).min_by(|a, b| {
                    self.columns[*b]
                        .overlap(cell.start, cell.end)
                        .total_cmp(&self.columns[*a].overlap(cell.start, cell.end))
                });
                near.map_or((from, from), |at| (at, at))
            }
        }
    }

    /// The columns of one of several cells that no rule parts.
    fn spread(&self, slot: Cell, cell: &Span, before: Option<usize>, next: f64, size: f64) -> (usize, usize) {
        let (from, to) = (self.first[slot.columns.0], self.first[slot.columns.1 + 1] - 1);
        let least = before.map_or(from, |before| before + 1).clamp(from, to);
        let over: Vec<usize> =
            (least..=to).filter(|at| self.columns[*at].overlap(cell.start, cell.end) > size * 0.3).collect();
        let (low, high) = (over.first().copied().unwrap_or(least), over.last().copied().unwrap_or(least));
        let columns = &self.columns[..=to];
        columns::centred(columns, cell, (low, high), (least, next), size * 2.0).unwrap_or((low, high))
    }

    fn is_centred(&self, cell: &Span, (from, to): (usize, usize), size: f64) -> bool {
        let middle = f64::midpoint(self.columns[from].start, self.columns[to].end);
        (f64::midpoint(cell.start, cell.end) - middle).abs() < size * 1.5
    }
}

/// Which of the spaces between upright rules holds a cell.
fn place_of(region: &Region, cell: &Span) -> usize {
    slot(&region.xs, f64::midpoint(cell.start, cell.end))
}

/// Which of the spaces between `places` holds `at`.
fn slot(places: &[f64], at: f64) -> usize {
    places.iter().skip(1).take_while(|place| **place < at).count().min(places.len().saturating_sub(2))
}
