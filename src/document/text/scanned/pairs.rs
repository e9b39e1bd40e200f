//! What stands on one baseline with a wide gap, and is one line all the same: an item and its price. Pure.
//!
//! Columns of text have such gaps, too, and so have blocks that stand side by side. But values that stand below each other say
//! nothing by themselves.

use super::gutter::Gap;
use crate::document::ocr::ScannedLine;

/// Rows not farther than so many sizes tell of one another,
const NEAR: f64 = 9.0;
/// where so many of them, and so many of 10, end in a value.
const FEWEST: usize = 2;
const MOST: usize = 6;
/// A value has no more letters than digits, and no more signs than these.
const LONGEST: usize = 14;

/// The rows of a page that have several parts.
pub(super) struct Pairs {
    rows: Vec<Row>,
}

struct Row {
    baseline: f64,
    direction: (f64, f64),
    /// Whether its last part is a value.
    has_value: bool,
}

impl Pairs {
    /// Of rows whose parts are in order.
    pub(super) fn of(rows: &[Vec<ScannedLine>]) -> Self {
        let row = |parts: &Vec<ScannedLine>| {
            let [_, .., last] = &parts[..] else { return None };
            Some(Row { baseline: last.baseline, direction: last.direction, has_value: is_value(last) })
        };
        Self { rows: rows.iter().filter_map(row).collect() }
    }

    /// Whether what is on both sides of a gap is one line.
    pub(super) fn join(&self, gap: &Gap, right: &ScannedLine) -> bool {
        let near: Vec<&Row> = self.rows.iter().filter(|row| gap.is_beside(row.baseline, row.direction, NEAR)).collect();
        let values = near.iter().filter(|row| row.has_value).count();
        is_value(right) && values >= FEWEST && values * 10 >= near.len() * MOST
    }
}

/// Whether a part of a row is a price, a number or a date, perhaps with a sign beside it.
fn is_value(part: &ScannedLine) -> bool {
    let signs = || part.words.iter().flat_map(|word| word.text.chars());
    let digits = signs().filter(char::is_ascii_digit).count();
    let letters = signs().filter(|c| c.is_alphabetic()).count();
    digits > 0 && letters <= digits && signs().count() <= LONGEST
}
