//! How many of the first rows of a table by white space are its head.

use super::columns::Column;
use super::rows::{Row, Span, is_value};
use super::stream::{usual_drop, values};

/// A head has so many lines at most.
const MOST_HEAD: usize = 8;
/// So many full rows of words that look like all others and are as far apart are no head of several lines.
const FEWEST_ROWS: usize = 3;

/// How many of the first rows are the head: what stands above the first rule, or above the first row of values. None where
/// the first row is as the others are.
pub(super) fn head_of(rows: &[Row<'_>], columns: &[Column], wide: &[f64]) -> usize {
    let first = rows.iter().position(|row| values(row) * 2 >= columns.len() && row.cells.len() * 2 > columns.len());
    let above = |at: f64| rows.iter().take_while(|row| row.middle() < at).count();
    // The first rule may as well stand above the sum.
    let of_values = |count: usize| rows[..count].iter().filter(|row| row.cells.len() > 1 && values(row) > 0).count();
    let ruled = wide.first().map(|at| above(*at)).filter(|count| of_values(*count) < 2);
    let most = rows.len().saturating_sub(1).min(MOST_HEAD);
    match (ruled, first) {
        (Some(ruled), _) if (1..=most).contains(&ruled) => of_one_row(rows, columns, before_rows(rows, ruled)),
        (_, Some(first)) if (1..=most).contains(&first) => {
            of_one_row(rows, columns, before_rows(rows, head_before(rows, first)))
        }
        _ => usize::from(!is_data(rows)),
    }
}

/// Rows that are as those below them are no head; one more that looks otherwise is.
fn of_one_row(rows: &[Row<'_>], columns: &[Column], head: usize) -> usize {
    if are_rows(rows, columns, head) { usize::from(look(&rows[0]) != look(&rows[1])) } else { head }
}

/// Of the rows before the first one of values, those that are the head; single cells at the left begin a group.
fn head_before(rows: &[Row<'_>], first: usize) -> usize {
    let left = rows[first].start();
    let groups = rows[..first].iter().rev().take_while(|row| row.cells.len() == 1 && row.start() < left + row.size);
    (first - groups.count()).max(1)
}

/// Of some first rows, those before two that have the same word one below the other, or two numbers at the left: no cell
/// says such a thing on two of its lines.
fn before_rows(rows: &[Row<'_>], head: usize) -> usize {
    let same = |pair: &[Row<'_>]| {
        let (above, below) = (&pair[0], &pair[1]);
        let both = |(at, cell): (usize, &Span)| {
            let meets = |other: &&Span| other.start < cell.end && other.end > cell.start;
            let Some(other) = below.cells.iter().find(meets) else { return false };
            let (text, next) = (above.text(cell), below.text(other));
            let numbers = at == 0 && is_item(&text) && is_item(&next);
            numbers || text == next && text.chars().filter(|c| c.is_alphabetic()).count() > 2
        };
        above.cells.len() > 1 && below.cells.len() > 1 && above.cells.iter().enumerate().any(both)
    };
    rows[..head].windows(2).position(same).unwrap_or(head)
}

/// A number of a row.
fn is_item(text: &str) -> bool {
    text.trim_end_matches(['.', ')']).parse::<u16>().is_ok()
}

/// Whether the rows of a head are rows like those below it: with a cell in each column, as far apart, and alike.
fn are_rows(rows: &[Row<'_>], columns: &[Column], head: usize) -> bool {
    let Some(usual) = usual_drop(&rows[head..]) else { return false };
    let even = |pair: &[Row<'_>]| (pair[1].baseline - pair[0].baseline - usual).abs() < usual * 0.1;
    let full = |row: &&Row<'_>| row.cells.len() == columns.len();
    // The head of a group may come between them.
    let Some(next) = rows[head..].iter().find(full) else { return false };
    head >= FEWEST_ROWS
        && rows[..head].windows(2).all(even)
        && rows[..head].iter().all(|row| full(&row))
        && rows[1..head].iter().all(|row| look(row) == look(next))
}

/// Which of its cells are bold.
fn look(row: &Row<'_>) -> Vec<bool> {
    row.cells.iter().map(|cell| row.words[cell.words.start].style.bold).collect()
}

/// Whether the first row is one of values as the next one is. Years and numbers that count up may head columns.
fn is_data(rows: &[Row<'_>]) -> bool {
    let [first, rest @ ..] = rows else { return false };
    // Details of the first row may come between.
    let Some(second) = rest.iter().find(|row| row.cells.len() > 1).filter(|_| rest.len() > 1) else { return false };
    let shape = |row: &Row<'_>| -> Vec<(bool, bool)> {
        let shape = |text: String| (is_value(&text), text.contains(char::is_alphabetic));
        row.cells.iter().map(|cell| shape(row.text(cell))).collect()
    };
    let counts: Vec<i64> = first.cells.iter().filter_map(|cell| first.text(cell).parse().ok()).collect();
    let counting = counts.len() > 1 && counts.windows(2).all(|pair| pair[0] < pair[1]);
    let year = counts.iter().any(|count| (1900..2100).contains(count));
    values(first) > 0 && !counting && !year && shape(first) == shape(second) && look(first) == look(second)
}
