//! Columns of a table that say nothing: rules that stand close, or boxes left empty.

use super::table::Cell;

/// Takes out columns in which no cell says anything.
pub(super) fn drop(rows: &mut [Vec<Cell<'_>>]) {
    let width = rows.first().map_or(0, |row| row.iter().map(|cell| cell.across).sum());
    let mut used = vec![false; width];
    let mut taken = vec![0_usize; width];
    let places = places(rows, width, &mut taken);
    for (row, places) in rows.iter().zip(&places) {
        for (cell, at) in row.iter().zip(places).filter(|(cell, _)| !cell.lines.is_empty()) {
            // One that spans several needs none of them in particular.
            if cell.across == 1 {
                used[*at] = true;
            }
        }
    }
    for (row, places) in rows.iter().zip(&places) {
        for (cell, at) in row.iter().zip(places).filter(|(cell, _)| !cell.lines.is_empty()) {
            let span = *at..(*at + cell.across).min(width);
            if !used[span.clone()].contains(&true) {
                used[span.start] = true;
            }
        }
    }
    if used.iter().all(|used| *used) {
        return;
    }
    for (row, places) in rows.iter_mut().zip(places) {
        let mut at = places.into_iter();
        row.retain_mut(|cell| {
            let from = at.next().unwrap_or(0);
            cell.across = used[from..(from + cell.across).min(width)].iter().filter(|used| **used).count();
            cell.across > 0
        });
    }
}

/// The first column of each cell.
fn places(rows: &[Vec<Cell<'_>>], width: usize, taken: &mut [usize]) -> Vec<Vec<usize>> {
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        let mut column = 0;
        let mut here = Vec::with_capacity(row.len());
        for cell in row {
            while column < width && taken[column] > 0 {
                column += 1;
            }
            here.push(column.min(width.saturating_sub(1)));
            let end = (column + cell.across).min(width);
            taken[column.min(end)..end].fill(cell.down);
            column = end;
        }
        taken.iter_mut().for_each(|left| *left = left.saturating_sub(1));
        all.push(here);
    }
    all
}
