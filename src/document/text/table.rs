//! Finds tables: by their rules where they have some, else by columns of white space.

use std::collections::BTreeSet;

use super::block::{BULLETS, Usual};
use super::collect::Rule;
use super::line::{Line, Word};

/// A table of at least two columns and two rows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table {
    /// Cells by row and column; every row has as many.
    pub(super) rows: Vec<Vec<String>>,
    /// The lines that it takes, as indexes, ascending.
    pub(super) lines: Vec<usize>,
}

/// Rules and words this near belong together, points.
const NEAR: f64 = 2.5;
/// More rules in one grid are a drawing.
const MOST_IN_GRID: usize = 400;
/// A gap of more than this much of the size parts cells; where letters are as wide as each other, spaces are wide, too.
const CELL_GAP: [f64; 2] = [0.5, 0.9];
/// What stays free between two columns, of the size. The more rows agree on it, the less it can be by chance.
const COLUMN_GAP: [f64; 2] = [0.5, 0.42];
/// So many rows are many.
const MANY_ROWS: usize = 4;

/// The tables of a page, in the order of their first lines. No line is in two of them.
pub(super) fn find(lines: &[Line], rules: &[Rule], page: (f64, f64), usual: Usual) -> Vec<Table> {
    let mut taken = vec![false; lines.len()];
    let mut tables = Vec::new();
    for region in regions(rules) {
        let inside: Vec<usize> = (0..lines.len()).filter(|at| !taken[*at] && region.holds(&lines[*at])).collect();
        let found = match region.xs.len() {
            // Level rules alone say that there is a table, and not where its columns are.
            0..=2 => by_columns(&rows_of(lines, &inside), region.evidence(page.1), page.0),
            _ => grid(&region, lines, &inside).into_iter().collect(),
        };
        found.iter().flat_map(|table| &table.lines).for_each(|line| taken[*line] = true);
        tables.extend(found);
    }
    // White space in code is no table.
    let is_free = |at: &usize| !taken[*at] && lines[*at].is_level() && !usual.is_code(&lines[*at]);
    let free: Vec<usize> = (0..lines.len()).filter(is_free).collect();
    tables.extend(by_columns(&rows_of(lines, &free), Evidence::None, page.0));
    tables.sort_by_key(|table| table.lines[0]);
    tables
}

/// Rules that touch each other, as lines of a grid.
struct Region {
    xs: Vec<f64>,
    ys: Vec<f64>,
    left: f64,
    right: f64,
}

impl Region {
    /// Rules at the top and the bottom of a page enclose everything.
    fn evidence(&self, page_height: f64) -> Evidence {
        let height = self.ys[self.ys.len() - 1] - self.ys[0];
        if self.ys.len() == 2 && height > page_height * 0.4 { Evidence::None } else { Evidence::Ruled }
    }

    fn holds(&self, line: &Line) -> bool {
        let (Some(top), Some(bottom)) = (self.ys.first(), self.ys.last()) else { return false };
        let middle = line.baseline - line.size * 0.3;
        let inside = middle > top - NEAR && middle < bottom + NEAR;
        line.is_level() && inside && line.start > self.left - NEAR * 2.0 && line.end < self.right + NEAR * 2.0
    }
}

/// Grids, and stacks of level rules of the same width.
fn regions(rules: &[Rule]) -> Vec<Region> {
    let level = joined(rules.iter().filter(|rule| !rule.upright));
    let upright = joined(rules.iter().filter(|rule| rule.upright));
    if level.len() + upright.len() > MOST_IN_GRID {
        return Vec::new();
    }
    let all: Vec<Rule> = level.into_iter().chain(upright).collect();
    let mut group: Vec<usize> = (0..all.len()).collect();
    for a in 0..all.len() {
        for b in a + 1..all.len() {
            if touch(&all[a], &all[b]) || stacked(&all[a], &all[b]) {
                let (from, to) = (group[a], group[b]);
                group.iter_mut().filter(|of| **of == from).for_each(|of| *of = to);
            }
        }
    }
    let names: BTreeSet<usize> = group.iter().copied().collect();
    let region = |name: usize| {
        let members: Vec<&Rule> = (0..all.len()).filter(|at| group[*at] == name).map(|at| &all[at]).collect();
        let places = |upright: bool| distinct(members.iter().filter(|r| r.upright == upright).map(|rule| rule.at));
        let (mut xs, ys) = (places(true), places(false));
        let level = members.iter().filter(|rule| !rule.upright);
        let (left, right) = level.fold((f64::MAX, f64::MIN), |(l, r), rule| (l.min(rule.from), r.max(rule.to)));
        // Tables are often open at their sides.
        if !xs.is_empty() {
            if xs[0] > left + NEAR * 2.0 {
                xs.insert(0, left);
            }
            if xs[xs.len() - 1] < right - NEAR * 2.0 {
                xs.push(right);
            }
        }
        Region { xs, ys, left, right }
    };
    let mut regions: Vec<Region> = names.into_iter().map(region).filter(|region| region.ys.len() >= 2).collect();
    // Inner ones first: a frame around everything is no table.
    regions.sort_by(|a, b| (a.right - a.left).total_cmp(&(b.right - b.left)));
    regions
}

/// Rules on one line that overlap or nearly touch, as one.
fn joined<'a>(rules: impl Iterator<Item = &'a Rule>) -> Vec<Rule> {
    let mut sorted: Vec<Rule> = rules.copied().collect();
    sorted.sort_by(|a, b| {
        let line = |rule: &Rule| (rule.at / NEAR).round();
        line(a).total_cmp(&line(b)).then(a.from.total_cmp(&b.from))
    });
    let mut joined: Vec<Rule> = Vec::new();
    for rule in sorted {
        match joined.last_mut() {
            Some(last) if (last.at - rule.at).abs() < NEAR && rule.from < last.to + NEAR => {
                last.to = last.to.max(rule.to);
            }
            _ => joined.push(rule),
        }
    }
    joined
}

fn touch(a: &Rule, b: &Rule) -> bool {
    let reaches = |a: &Rule, b: &Rule| b.at > a.from - NEAR && b.at < a.to + NEAR;
    a.upright != b.upright && reaches(a, b) && reaches(b, a)
}

/// Level rules one above the other, of the same width.
fn stacked(a: &Rule, b: &Rule) -> bool {
    !a.upright && !b.upright && (a.from - b.from).abs() < NEAR && (a.to - b.to).abs() < NEAR
}

fn distinct(places: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut places: Vec<f64> = places.collect();
    places.sort_by(f64::total_cmp);
    places.dedup_by(|a, b| (*a - *b).abs() < NEAR);
    places
}

/// A table whose rules make cells.
fn grid(region: &Region, lines: &[Line], inside: &[usize]) -> Option<Table> {
    let (columns, rows) = (region.xs.len() - 1, region.ys.len() - 1);
    if columns < 2 || rows < 2 || inside.is_empty() {
        return None;
    }
    let mut cells = vec![vec![String::new(); columns]; rows];
    let mut used = Vec::new();
    for &at in &in_order(lines, inside) {
        let line = &lines[at];
        let row = slot(&region.ys, line.baseline - line.size * 0.3);
        for word in &line.words {
            let column = slot(&region.xs, f64::midpoint(word.start, word.end));
            word.append_to(&mut cells[row.min(rows - 1)][column.min(columns - 1)]);
        }
        used.push(at);
    }
    sensible(cells, used)
}

/// Which of the spaces between `places` holds `at`.
fn slot(places: &[f64], at: f64) -> usize {
    places.iter().skip(1).take_while(|place| **place < at).count()
}

/// Words on one baseline, parted into cells by wide gaps.
struct Row {
    cells: Vec<Cell>,
    baseline: f64,
    size: f64,
    lines: Vec<usize>,
}

struct Cell {
    text: String,
    start: f64,
    end: f64,
    words: usize,
}

/// Lines from top to bottom and left to right.
fn in_order(lines: &[Line], of: &[usize]) -> Vec<usize> {
    let mut sorted = of.to_vec();
    sorted.sort_by(|a, b| lines[*a].baseline.total_cmp(&lines[*b].baseline));
    // Within one row what stands left comes first, whatever its baseline.
    let mut rows: Vec<Vec<usize>> = Vec::new();
    for at in sorted {
        match rows.last_mut() {
            Some(row) if lines[at].baseline - lines[row[0]].baseline < lines[at].size * 0.4 => row.push(at),
            _ => rows.push(vec![at]),
        }
    }
    rows.iter_mut().for_each(|row| row.sort_by(|a, b| lines[*a].start.total_cmp(&lines[*b].start)));
    rows.concat()
}

fn rows_of(lines: &[Line], of: &[usize]) -> Vec<Row> {
    let mut rows: Vec<(f64, f64, Vec<&Word>, Vec<usize>)> = Vec::new();
    for at in in_order(lines, of) {
        let line = &lines[at];
        match rows.last_mut() {
            Some((baseline, size, words, used))
                if (line.baseline - *baseline).abs() < size.max(line.size) * 0.4
                    && words.last().is_none_or(|word| line.start > word.end - line.size * 0.3) =>
            {
                words.extend(&line.words);
                used.push(at);
            }
            _ => rows.push((line.baseline, line.size, line.words.iter().collect(), vec![at])),
        }
    }
    let parted = rows.into_iter().map(|(baseline, size, mut words, lines)| {
        words.sort_by(|a, b| a.start.total_cmp(&b.start));
        let mut cells: Vec<Cell> = Vec::new();
        for word in words {
            match cells.last_mut() {
                Some(cell) if word.start - cell.end < size * CELL_GAP[usize::from(word.style.mono)] => {
                    word.append_to(&mut cell.text);
                    cell.end = cell.end.max(word.end);
                    cell.words += 1;
                }
                _ => cells.push(Cell { text: word.text.clone(), start: word.start, end: word.end, words: 1 }),
            }
        }
        Row { cells, baseline, size, lines }
    });
    parted.collect()
}

/// What is written on of the width of some rows, from which their columns follow. It grows row by row: to look at all rows
/// anew for each would cost their square.
#[derive(Default)]
struct Columns {
    /// Apart and ascending.
    spans: Vec<(f64, f64)>,
    /// Rows with several cells, which alone say where columns are.
    rows: usize,
    size: Option<f64>,
}

impl Columns {
    fn add(&mut self, row: &Row) {
        self.size = Some(self.size.map_or(row.size, |size| size.min(row.size)));
        if row.cells.len() < 2 {
            return;
        }
        self.rows += 1;
        for cell in &row.cells {
            let (mut start, mut end) = (cell.start, cell.end);
            let first = self.spans.partition_point(|span| span.1 < start);
            let after = first + self.spans[first..].iter().take_while(|span| span.0 <= end).count();
            for span in self.spans.drain(first..after) {
                (start, end) = (start.min(span.0), end.max(span.1));
            }
            self.spans.insert(first, (start, end));
        }
    }

    /// Where they are, or `None` when the rows share no white space.
    fn find(&self) -> Option<Vec<(f64, f64)>> {
        let gap = self.size? * COLUMN_GAP[usize::from(self.rows >= MANY_ROWS)];
        let mut columns: Vec<(f64, f64)> = Vec::new();
        for (start, end) in &self.spans {
            match columns.last_mut() {
                Some(column) if *start < column.1 + gap => column.1 = *end,
                _ => columns.push((*start, *end)),
            }
        }
        (columns.len() >= 2).then_some(columns)
    }
}

fn place(rows: &[Row], columns: &[(f64, f64)]) -> Vec<Vec<String>> {
    let place_row = |row: &Row| {
        let mut cells = vec![String::new(); columns.len()];
        for cell in &row.cells {
            let overlap = |column: &(f64, f64)| cell.end.min(column.1) - cell.start.max(column.0);
            let best = (0..columns.len()).max_by(|a, b| overlap(&columns[*a]).total_cmp(&overlap(&columns[*b])));
            append(&mut cells[best.unwrap_or(0)], &cell.text);
        }
        cells
    };
    rows.iter().map(place_row).collect()
}

/// What else than its columns speaks for a table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Evidence {
    None,
    /// It stands between level rules.
    Ruled,
}

/// Tables by white space: rows of the same columns, one under the other.
fn by_columns(rows: &[Row], evidence: Evidence, page_width: f64) -> Vec<Table> {
    let mut tables = Vec::new();
    let mut at = 0;
    while at < rows.len() {
        let (mut end, mut shared, mut best) = (at, Columns::default(), None);
        while end < rows.len() && belongs(rows[at..end].last(), &shared, &rows[end], evidence) {
            shared.add(&rows[end]);
            end += 1;
            match shared.find() {
                Some(columns) if end - at >= 2 => best = Some((end, columns)),
                Some(_) => {}
                None if rows[end - 1].cells.len() > 1 => break,
                None => {}
            }
        }
        // Without rules two rows are not enough, and most attempts come to no more.
        let least = if evidence == Evidence::Ruled { 2 } else { 3 };
        let found = best
            .filter(|_| shared.rows >= least)
            .and_then(|(end, columns)| Some((end, from_rows(&rows[at..end], &columns, evidence, page_width)?)));
        match found {
            Some((end, table)) => {
                tables.push(table);
                at = end;
            }
            // Half of the run, so that one without a table is not looked at from each of its rows.
            None => at += (shared.rows / 2).max(1),
        }
    }
    tables
}

/// Whether a row can go on with what stands above it.
fn belongs(last: Option<&Row>, shared: &Columns, row: &Row, evidence: Evidence) -> bool {
    let Some(last) = last else { return row.cells.len() > 1 };
    let drop = row.baseline - last.baseline;
    let farthest = if evidence == Evidence::Ruled { 5.0 } else { 2.6 };
    let near = drop > 0.0 && drop < last.size.max(row.size) * farthest;
    let same_size = last.size / row.size < 1.3 && row.size / last.size < 1.3;
    near && same_size && (row.cells.len() > 1 || is_continuation(shared, row))
}

/// A single cell goes on with a cell above it, unless it stands at the left or runs over several columns.
fn is_continuation(shared: &Columns, row: &Row) -> bool {
    let ([cell], Some(columns)) = (&row.cells[..], shared.find()) else { return false };
    columns.iter().skip(1).any(|(start, end)| cell.start > start - row.size && cell.end < end + row.size * 2.0)
}

fn from_rows(rows: &[Row], columns: &[(f64, f64)], evidence: Evidence, page_width: f64) -> Option<Table> {
    let several: Vec<&Row> = rows.iter().filter(|row| row.cells.len() > 1).collect();
    let placed = place(rows, columns);
    let is_sign = |cells: &Vec<String>| cells[0].is_empty() || cells[0].chars().all(|c| BULLETS.contains(&c));
    if columns.len() == 2 && placed.iter().all(is_sign) {
        return None;
    }
    if evidence == Evidence::None {
        // Lists side by side are drawn one after the other, a table row by row.
        let in_turn = |pair: &[Row]| pair[0].lines.iter().max() < pair[1].lines.iter().min();
        let turns = rows.windows(2).filter(|pair| in_turn(pair)).count();
        let of_column = |at: usize| placed.iter().map(move |cells| cells[at].as_str()).filter(|text| !text.is_empty());
        // A list: its first column is signs or numbers, its second one text.
        let is_list = columns.len() == 2 && of_column(0).all(is_list_mark);
        // Text set in columns: each of them is wordy.
        let least = several.iter().map(|row| row.cells.iter().map(|cell| cell.words).min().unwrap_or(0)).sum::<usize>();
        let wordy = least >= several.len() * 3;
        let widest = columns.iter().map(|(start, end)| end - start).fold(0.0, f64::max);
        let wide = columns.len() == 2 && columns.iter().all(|(start, end)| end - start > page_width * 0.3);
        let out_of_turn = turns * 10 < (rows.len() - 1) * 8;
        if several.len() < 3 || out_of_turn || is_list || wordy || wide || widest > page_width * 0.7 {
            return None;
        }
    }
    let mut merged: Vec<Vec<String>> = Vec::new();
    for cells in placed {
        match merged.last_mut().filter(|_| cells[0].is_empty() && cells.iter().filter(|c| !c.is_empty()).count() == 1) {
            Some(above) => above.iter_mut().zip(cells).for_each(|(above, cell)| append(above, &cell)),
            None => merged.push(cells),
        }
    }
    sensible(merged, rows.iter().flat_map(|row| row.lines.iter().copied()).collect())
}

fn is_list_mark(text: &str) -> bool {
    let bare = text.trim_matches(['(', ')', '[', ']', '.', ':']);
    let short = text.chars().count() <= 2 && !text.chars().any(char::is_alphanumeric);
    short || bare.len() <= 4 && bare.chars().all(|c| c.is_ascii_digit())
}

/// Drops rows and columns without text; `None` when less than two by two is left, or few rows have several cells.
fn sensible(mut rows: Vec<Vec<String>>, mut lines: Vec<usize>) -> Option<Table> {
    rows.retain(|row| row.iter().any(|cell| !cell.is_empty()));
    let width = rows.first()?.len();
    let used: Vec<bool> = (0..width).map(|at| rows.iter().any(|row| !row[at].is_empty())).collect();
    for row in &mut rows {
        let mut keep = used.iter();
        row.retain(|_| *keep.next().unwrap_or(&true));
    }
    let width = rows.first()?.len();
    // A frame around text has rows with one cell of text each.
    let several = rows.iter().filter(|row| row.iter().filter(|cell| !cell.is_empty()).count() > 1).count();
    if rows.len() < 2 || width < 2 || several * 2 <= rows.len() {
        return None;
    }
    lines.sort_unstable();
    (!lines.is_empty()).then_some(Table { rows, lines })
}

fn append(text: &mut String, more: &str) {
    if !text.is_empty() && !more.is_empty() {
        text.push(' ');
    }
    text.push_str(more);
}
