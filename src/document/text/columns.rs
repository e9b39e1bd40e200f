//! Where the columns of some rows are: the white space that they share.

use super::rows::{Row, Span, UNSPACED_GAP, is_value};

/// What stays free between two columns, of the size. The more rows agree on it, the less it can be by chance.
const COLUMN_GAP: [f64; 2] = [0.5, 0.42];
/// So many rows are many.
const MANY_ROWS: usize = 4;
/// Rows with at least this much of the cells of the fullest ones say where columns are; the others are heads and groups.
const FULL: f64 = 0.6;
/// Numbers that stand beside each other in all rows are two columns, also when no more than this parts them, of the size.
const NUMBER_GAP: f64 = 0.15;
const SPACED_GAP: f64 = 0.4;

/// From where to where the text of a column reaches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Column {
    pub(super) start: f64,
    pub(super) end: f64,
}

impl Column {
    pub(super) fn overlap(&self, start: f64, end: f64) -> f64 {
        end.min(self.end) - start.max(self.start)
    }
}

/// How many cells the fullest rows have; a single row with more than all others says little.
pub(super) fn fullest(rows: &[Row<'_>]) -> usize {
    let mut counts: Vec<usize> = rows.iter().map(|row| row.cells.len()).filter(|count| *count > 1).collect();
    counts.sort_unstable();
    counts.get(counts.len().saturating_sub(1 + counts.len() / 8)).copied().unwrap_or(0)
}

/// Whether a row has about as many cells as the fullest ones.
#[allow(clippy::cast_precision_loss, reason = "few")]
pub(super) fn is_full(row: &Row<'_>, fullest: usize) -> bool {
    row.cells.len() > 1 && row.cells.len() as f64 >= fullest as f64 * FULL
}

/// The columns of some rows; `None` when they share no white space.
pub(super) fn find(rows: &[Row<'_>]) -> Option<Vec<Column>> {
    let fullest = fullest(rows);
    let full: Vec<&Row<'_>> = rows.iter().filter(|row| is_full(row, fullest)).collect();
    let size = full.iter().map(|row| row.size).fold(f64::MAX, f64::min);
    let spaces = full.iter().any(|row| row.spaces);
    let gap = size * if spaces { UNSPACED_GAP } else { COLUMN_GAP[usize::from(full.len() >= MANY_ROWS)] };
    let spans: Vec<Vec<(f64, f64)>> =
        full.iter().map(|row| row.cells.iter().map(|cell| (cell.start, cell.end)).collect()).collect();
    let mut columns = apart(&spans, gap, 0);
    if columns.len() * 5 < fullest * 4 {
        // A few rows whose words run into the next column do not close the space of all others.
        let lenient = apart(&spans, gap, full.len() / 10);
        if lenient.len() > columns.len() {
            columns = lenient;
        }
    }
    (columns.len() >= 2).then_some(columns)
}

/// Where the spans of rows leave no space free, but for that of so many `outliers`; a column of a single span belongs to
/// its neighbour.
fn apart(rows: &[Vec<(f64, f64)>], gap: f64, outliers: usize) -> Vec<Column> {
    let mut edges: Vec<(f64, i32)> = Vec::new();
    for (start, end) in rows.iter().flatten() {
        edges.extend([(*start, 1), (*end, -1)]);
    }
    edges.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
    let outliers = i32::try_from(outliers).unwrap_or(0);
    let mut columns: Vec<Column> = Vec::new();
    let mut depth = 0;
    for (at, step) in edges {
        let before = depth;
        depth += step;
        if before <= outliers && depth > outliers {
            match columns.last_mut() {
                Some(last) if at < last.end + gap => {}
                _ => columns.push(Column { start: at, end: at }),
            }
        }
        if before > outliers
            && depth <= outliers
            && let Some(last) = columns.last_mut()
        {
            last.end = at;
        }
    }
    join_single(&mut columns, rows);
    columns
}

/// A word that is set apart in one row is no column.
fn join_single(columns: &mut Vec<Column>, rows: &[Vec<(f64, f64)>]) {
    if rows.len() < MANY_ROWS {
        return;
    }
    let mut at = 0;
    while at < columns.len() && columns.len() > 2 {
        let here = |of: &(f64, f64)| columns[at].overlap(of.0, of.1) > 0.0;
        let rows_here = rows.iter().filter(|row| row.iter().any(here)).count();
        let left = if at > 0 { columns[at].start - columns[at - 1].end } else { f64::MAX };
        let right = columns.get(at + 1).map_or(f64::MAX, |next| next.start - columns[at].end);
        let width = columns[at].end - columns[at].start;
        if rows_here > 1 || left.min(right) > width.max(12.0) * 2.0 {
            at += 1;
            continue;
        }
        let single = columns.remove(at);
        let into = if left <= right { at - 1 } else { at };
        columns[into].start = columns[into].start.min(single.start);
        columns[into].end = columns[into].end.max(single.end);
    }
}

/// The columns within one that rules part from the others: `cells` of each of its rows, and whether they are values. `None`
/// when it is one column.
pub(super) fn within(cells: &[Vec<(Span, bool)>], size: f64) -> Option<Vec<Column>> {
    let most = cells.iter().map(Vec::len).max()?;
    let full: Vec<&Vec<(Span, bool)>> =
        cells.iter().filter(|cells| cells.len() > 1 && cells.len() * 2 > most).collect();
    let values = full.iter().flat_map(|cells| cells.iter()).filter(|(_, value)| *value).count();
    let all: usize = full.iter().map(|cells| cells.len()).sum();
    if full.len() < 2 || full.len() * 3 < cells.len() || values * 2 < all {
        return None;
    }
    let spans: Vec<Vec<(f64, f64)>> =
        full.iter().map(|cells| cells.iter().map(|(cell, _)| (cell.start, cell.end)).collect()).collect();
    let columns = apart(&spans, size * COLUMN_GAP[0], 0);
    // Single cells stand in one of them each, but for heads.
    let over = |cell: &Span| columns.iter().filter(|of| of.overlap(cell.start, cell.end) > size * 0.3).count() > 1;
    let crossing = cells.iter().filter(|row| row.iter().any(|(cell, _)| over(cell))).count();
    (columns.len() >= 2 && crossing * 3 <= full.len()).then_some(columns)
}

/// A cell that runs over several columns, parted at spaces that lie between them, where a value stands beside such a space.
pub(super) fn parted_between(row: &Row<'_>, cell: &Span, columns: &[Column]) -> Vec<Span> {
    let is_cut = |at: &usize| {
        let (before, word) = (row.words[at - 1], row.words[*at]);
        let middle = f64::midpoint(before.end, word.start);
        let between = |pair: &[Column]| {
            middle > pair[0].end - row.size * 0.5
                && middle < pair[1].start + row.size * 0.5
                && pair[1].overlap(word.start, word.end) > (word.end - word.start) * 0.6
        };
        !word.glued
            && word.start - before.end >= row.size * NUMBER_GAP
            && (is_value(&before.text) || is_value(&word.text))
            && row.cells.len() > 1
            && columns.windows(2).any(between)
    };
    let cuts: Vec<f64> = cell.words.clone().skip(1).filter(is_cut).map(|at| row.words[at].start).collect();
    parted(row, cell, &cuts)
}

/// The columns in whose middle a cell stands: at least those from `over.0` to `over.1`, of those that `within` leaves, the
/// first one that is free and where the next cell begins. `None` where it is off every middle by more than `tolerance`.
pub(super) fn centred(
    columns: &[Column],
    cell: &Span,
    over: (usize, usize),
    within: (usize, f64),
    tolerance: f64,
) -> Option<(usize, usize)> {
    let middle = f64::midpoint(cell.start, cell.end);
    let mut best: Option<(f64, (usize, usize))> = None;
    for first in within.0..=over.0 {
        for last in over.1..columns.len() {
            if last > over.1 && columns[last].end > within.1 {
                break;
            }
            let off = (f64::midpoint(columns[first].start, columns[last].end) - middle).abs();
            if best.is_none_or(|(least, _)| off < least) {
                best = Some((off, (first, last)));
            }
        }
    }
    best.filter(|(off, _)| *off < tolerance).map(|(_, range)| range)
}

/// Parts cells between numbers that stand close, where nearly all rows have such at the same place.
pub(super) fn part_numbers(rows: &mut [Row<'_>]) {
    let gaps = |row: &Row<'_>| -> Vec<(f64, f64)> {
        let within = row.cells.iter().flat_map(|cell| cell.words.clone().skip(1));
        within
            .filter(|at| is_between_numbers(row, *at))
            .map(|at| (row.words[at - 1].end, row.words[at].start))
            .collect()
    };
    let found: Vec<Vec<(f64, f64)>> = rows.iter().map(gaps).collect();
    let with = found.iter().filter(|gaps| !gaps.is_empty()).count();
    let several = rows.iter().filter(|row| row.words.len() > 1).count();
    if with < MANY_ROWS || with * 2 < several {
        return;
    }
    for at in 0..rows.len() {
        let shared = |gap: &(f64, f64)| {
            let agree = |row: &Row<'_>, gaps: &[(f64, f64)]| {
                let here = |from: f64, to: f64| from.max(gap.0) < to.min(gap.1);
                gaps.iter().any(|other| here(other.0, other.1)) || is_free(row, *gap)
            };
            rows.iter().zip(&found).filter(|(row, gaps)| agree(row, gaps)).count() * 10 >= several * 8
        };
        let cuts: Vec<f64> = found[at].iter().filter(|gap| shared(gap)).map(|gap| gap.1).collect();
        let row = &mut rows[at];
        row.cells = row.cells.iter().flat_map(|cell| parted(row, cell, &cuts)).collect();
    }
}

/// Whether a cell boundary of a row lies in a gap.
fn is_free(row: &Row<'_>, gap: (f64, f64)) -> bool {
    row.cells.windows(2).any(|pair| pair[0].end.max(gap.0) < pair[1].start.min(gap.1))
}

/// A cell, parted before the words that begin at `cuts`.
fn parted(row: &Row<'_>, cell: &Span, cuts: &[f64]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for at in cell.words.clone() {
        let word = row.words[at];
        match spans.last_mut() {
            Some(span) if !cuts.contains(&word.start) => {
                span.words.end = at + 1;
                span.end = span.end.max(word.end);
            }
            _ => spans.push(Span { words: at..at + 1, start: word.start, end: word.end }),
        }
    }
    spans
}

/// Whether two numbers meet before a word, that are not one number with spaces in it.
fn is_between_numbers(row: &Row<'_>, at: usize) -> bool {
    let (before, word) = (row.words[at - 1], row.words[at]);
    let is_number = |text: &str| text.bytes().any(|byte| byte.is_ascii_digit()) && is_value(text);
    // A space between two numbers is part of one, as of a telephone.
    let gap = row.size * if word.spaced { SPACED_GAP } else { NUMBER_GAP };
    if word.glued || word.start - before.end < gap || !is_number(&before.text) || !is_number(&word.text) {
        return false;
    }
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let thousands = digits(before.text.trim_start_matches(['-', '(', '$', '€']))
        && before.text.len() <= 3
        && word.text.bytes().take_while(u8::is_ascii_digit).count() == 3;
    !thousands
}
