//! Tables by white space: rows of the same columns, one under the other.

use std::ops::Range;

use super::line::{Line, Word};
use super::marker::BULLETS;
use super::table::{Table, append, in_order, sensible};

/// A gap of more than this much of the size parts cells; where letters are as wide as each other, spaces are wide, too.
const CELL_GAP: [f64; 2] = [0.5, 0.9];
/// What stays free between two columns, of the size. The more rows agree on it, the less it can be by chance.
const COLUMN_GAP: [f64; 2] = [0.5, 0.42];
/// So many rows are many.
const MANY_ROWS: usize = 4;
/// Both where words are parted by spaces and cells are not.
const UNSPACED_GAP: f64 = 0.2;

/// Words on one baseline, parted into cells by wide gaps.
pub(super) struct Row<'a> {
    words: Vec<&'a Word>,
    cells: Vec<Cell>,
    baseline: f64,
    size: f64,
    lines: Vec<usize>,
    /// Whether spaces part words, and not cells.
    spaces: bool,
}

struct Cell {
    /// Which words of the row.
    words: Range<usize>,
    start: f64,
    end: f64,
}

/// The rows that some lines make. `spaces` says whether the page parts words by spaces.
pub(super) fn rows_of<'a>(lines: &'a [Line], of: &[usize], spaces: bool) -> Vec<Row<'a>> {
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
        for (at, word) in words.iter().enumerate() {
            match cells.last_mut() {
                Some(cell) if word.glued || word.start - cell.end < size * cell_gap(word, spaces) => {
                    cell.end = cell.end.max(word.end);
                    cell.words.end = at + 1;
                }
                _ => cells.push(Cell { words: at..at + 1, start: word.start, end: word.end }),
            }
        }
        Row { words, cells, baseline, size, lines, spaces }
    });
    parted.collect()
}

fn cell_gap(word: &Word, spaces: bool) -> f64 {
    if spaces && !word.spaced { UNSPACED_GAP } else { CELL_GAP[usize::from(word.style.mono)] }
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
    spaces: bool,
    /// The baseline of the last row with several cells, and how far it is below the one before.
    last: Option<f64>,
    drop: Option<f64>,
}

impl Columns {
    fn add(&mut self, row: &Row<'_>) {
        self.size = Some(self.size.map_or(row.size, |size| size.min(row.size)));
        if row.cells.len() < 2 {
            return;
        }
        self.rows += 1;
        self.spaces = row.spaces;
        self.drop = self.last.replace(row.baseline).map(|last| row.baseline - last).or(self.drop);
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
        let gap = if self.spaces { UNSPACED_GAP } else { COLUMN_GAP[usize::from(self.rows >= MANY_ROWS)] };
        let gap = self.size? * gap;
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

fn place(rows: &[Row<'_>], columns: &[(f64, f64)]) -> Vec<Vec<String>> {
    let place_row = |row: &Row<'_>| {
        let mut cells = vec![String::new(); columns.len()];
        for cell in &row.cells {
            let overlap = |column: &(f64, f64)| cell.end.min(column.1) - cell.start.max(column.0);
            let best = (0..columns.len()).max_by(|a, b| overlap(&columns[*a]).total_cmp(&overlap(&columns[*b])));
            let text = &mut cells[best.unwrap_or(0)];
            row.words[cell.words.clone()].iter().for_each(|word| word.append_to(text));
        }
        cells
    };
    rows.iter().map(place_row).collect()
}

/// What else than its columns speaks for a table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    None,
    /// It stands between level rules.
    Ruled,
}

/// Tables by white space: rows of the same columns, one under the other.
pub(super) fn by_columns(rows: &[Row<'_>], evidence: Evidence, page_width: f64) -> Vec<Table> {
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
fn belongs(last: Option<&Row<'_>>, shared: &Columns, row: &Row<'_>, evidence: Evidence) -> bool {
    let Some(last) = last else { return row.cells.len() > 1 };
    let drop = row.baseline - last.baseline;
    let farthest = match evidence {
        Evidence::Ruled => 5.0,
        Evidence::None if row.spaces => 3.2,
        Evidence::None => 2.6,
    };
    let near = drop > 0.0 && drop < last.size.max(row.size) * farthest;
    let same_size = last.size / row.size < 1.3 && row.size / last.size < 1.3;
    near && same_size && (row.cells.len() > 1 || is_continuation(shared, row) && !is_page_number(shared, row, drop))
}

/// A number alone that stands farther off than rows do is that of the page, and not the rest of a cell.
fn is_page_number(shared: &Columns, row: &Row<'_>, drop: f64) -> bool {
    let digits = |word: &&Word| word.text.chars().all(|c| c.is_ascii_digit() || "-–[]()".contains(c));
    row.words.iter().all(digits) && shared.drop.is_some_and(|usual| drop > usual * 1.2)
}

/// A single cell goes on with a cell above it, unless it stands at the left or runs over several columns.
fn is_continuation(shared: &Columns, row: &Row<'_>) -> bool {
    let ([cell], Some(columns)) = (&row.cells[..], shared.find()) else { return false };
    columns.iter().skip(1).any(|(start, end)| cell.start > start - row.size && cell.end < end + row.size * 2.0)
}

fn from_rows(rows: &[Row<'_>], columns: &[(f64, f64)], evidence: Evidence, page_width: f64) -> Option<Table> {
    let several: Vec<&Row<'_>> = rows.iter().filter(|row| row.cells.len() > 1).collect();
    let placed = place(rows, columns);
    let is_sign = |cells: &Vec<String>| cells[0].is_empty() || cells[0].chars().all(|c| BULLETS.contains(&c));
    if columns.len() == 2 && placed.iter().all(is_sign) {
        return None;
    }
    if evidence == Evidence::None {
        // Lists side by side are drawn one after the other, a table row by row.
        let in_turn = |above: &Row<'_>, below: &Row<'_>| above.lines.iter().max() < below.lines.iter().min();
        let turns = several.windows(2).filter(|pair| in_turn(pair[0], pair[1])).count();
        let of_column = |at: usize| placed.iter().map(move |cells| cells[at].as_str()).filter(|text| !text.is_empty());
        // A list: its first column is signs or numbers, its second one text.
        let is_list = columns.len() == 2 && of_column(0).all(is_list_mark);
        // Text set in columns: each of them is wordy.
        let least =
            several.iter().map(|row| row.cells.iter().map(|cell| cell.words.len()).min().unwrap_or(0)).sum::<usize>();
        let wordy = least >= several.len() * 3;
        let widest = columns.iter().map(|(start, end)| end - start).fold(0.0, f64::max);
        let wide = columns.len() == 2 && columns.iter().all(|(start, end)| end - start > page_width * 0.3);
        // Running text whose words are set apart goes on from row to row.
        let numbers = placed.iter().flatten().filter(|text| text.starts_with(|c: char| c.is_ascii_digit())).count();
        let cells = placed.iter().flatten().filter(|text| !text.is_empty()).count();
        let begins_low = placed.iter().skip(1).filter(|cells| cells[0].starts_with(char::is_lowercase)).count();
        let running = begins_low * 2 >= placed.len() - 1 && numbers * 5 < cells && !are_aligned(rows, columns);
        let out_of_turn = turns * 10 < several.len().saturating_sub(1) * 8;
        if several.len() < 3 || out_of_turn || is_list || wordy || wide || running || widest > page_width * 0.7 {
            return None;
        }
    }
    let usual_drop = usual_drop(rows, &placed);
    let mut merged: Vec<Vec<String>> = Vec::new();
    for (at, cells) in placed.into_iter().enumerate() {
        // More lines of the cells above stand closer to them than rows do, or stand alone.
        let close = at > 0 && rows[at].baseline - rows[at - 1].baseline < usual_drop * 0.85;
        let alone = cells.iter().filter(|cell| !cell.is_empty()).count() == 1;
        match merged.last_mut().filter(|_| cells[0].is_empty() && (alone || close)) {
            Some(above) => above.iter_mut().zip(cells).for_each(|(above, cell)| append(above, &cell)),
            None => merged.push(cells),
        }
    }
    sensible(merged, rows.iter().flat_map(|row| row.lines.iter().copied()).collect())
}

/// Whether the cells of each column but the first begin, end, or have their middle at one place.
fn are_aligned(rows: &[Row<'_>], columns: &[(f64, f64)]) -> bool {
    columns[1..].iter().all(|column| {
        let cells =
            || rows.iter().flat_map(|row| &row.cells).filter(|cell| cell.start < column.1 && cell.end > column.0);
        let spread = |place: fn(&Cell) -> f64| {
            let (least, most) = cells().map(place).fold((f64::MAX, f64::MIN), |(a, b), at| (a.min(at), b.max(at)));
            most - least
        };
        let size = rows[0].size;
        [|cell: &Cell| cell.start, |cell: &Cell| cell.end, |cell: &Cell| f64::midpoint(cell.start, cell.end)]
            .into_iter()
            .any(|place| spread(place) < size * 0.8)
    })
}

/// How far rows that have a first cell are below the line above them.
fn usual_drop(rows: &[Row<'_>], placed: &[Vec<String>]) -> f64 {
    let drops = rows.windows(2).zip(&placed[1..]).filter(|(_, cells)| !cells[0].is_empty());
    let mut drops: Vec<f64> = drops.map(|(pair, _)| pair[1].baseline - pair[0].baseline).collect();
    drops.sort_by(f64::total_cmp);
    drops.get(drops.len() / 2).copied().unwrap_or(0.0)
}

fn is_list_mark(text: &str) -> bool {
    let bare = text.trim_matches(['(', ')', '[', ']', '.', ':']);
    let short = text.chars().count() <= 2 && !text.chars().any(char::is_alphanumeric);
    short || bare.len() <= 4 && bare.chars().all(|c| c.is_ascii_digit())
}
