//! Text in narrow columns, whose lines are as short as labels and their values.

use super::Unit;

/// Lines of one text are at most so far apart, from baseline to baseline, in sizes.
const NEAR: f64 = 1.6;

/// Whether both sides of a gutter are text that is drawn column by column: a label and its value are drawn one after the other,
/// and do not both go on in the next line.
pub(super) fn are_both(units: &[Unit], left: &[usize], right: &[usize]) -> bool {
    is_running(units, left) && is_running(units, right) && is_drawn_by_columns(units, left, right)
}

/// Whether one in three of the lines that stand close below another one begins amid a sentence, and the first does not.
fn is_running(units: &[Unit], of: &[usize]) -> bool {
    let mut sorted: Vec<&Unit> = of.iter().map(|at| &units[*at]).collect();
    sorted.sort_by(|a, b| a.start.total_cmp(&b.start).then(a.baseline.total_cmp(&b.baseline)));
    // A side may have several columns.
    let is_below = |above: &Unit, unit: &Unit| {
        let drop = unit.baseline - above.baseline;
        drop > unit.size * 0.5 && drop < unit.size * NEAR && unit.start < above.end && unit.end > above.start
    };
    let above = |unit: &Unit| sorted.iter().any(|above| is_below(above, unit));
    let (next, first): (Vec<&Unit>, Vec<&Unit>) = sorted.iter().partition(|unit| above(unit));
    let low = next.iter().filter(|unit| unit.begins_low).count();
    low > 0 && low * 3 >= next.len() && first.iter().all(|unit| !unit.begins_low)
}

/// Whether what is drawn changes sides less often than from row to row.
fn is_drawn_by_columns(units: &[Unit], left: &[usize], right: &[usize]) -> bool {
    let mut drawn: Vec<(usize, bool)> = left.iter().map(|at| (units[*at].lines[0], true)).collect();
    drawn.extend(right.iter().map(|at| (units[*at].lines[0], false)));
    drawn.sort_unstable();
    drawn.windows(2).filter(|pair| pair[0].1 != pair[1].1).count() <= left.len().min(right.len())
}

#[cfg(test)]
mod tests {
    use super::super::super::line::{Line, Word};
    use super::super::order;
    use super::*;

    /// The columns of some rows of words; `by_rows` says whether they are drawn row by row, or column by column.
    fn read(rows: &[[&str; 3]], by_rows: bool) -> Vec<String> {
        let at = |column: usize, row: usize| {
            let (start, words) = ([50.0, 150.0, 250.0][column], rows[row][column].split(' '));
            let width = |text: &str| 4.0 * f64::from(u32::try_from(text.len()).unwrap());
            let mut pen = start;
            let word = |text: &str| {
                let word = Word::at(text, pen, pen + width(text));
                pen = word.end + 3.0;
                word
            };
            Line::of(words.map(word).collect(), 100.0 + 11.0 * f64::from(u32::try_from(row).unwrap()), 9.0)
        };
        let cells = |column: usize| (0..rows.len()).map(move |row| (column, row));
        let mut drawn: Vec<(usize, usize)> = (0..3).flat_map(cells).collect();
        if by_rows {
            drawn.sort_by_key(|(column, row)| (*row, *column));
        }
        let lines: Vec<Line> = drawn.into_iter().map(|(column, row)| at(column, row)).collect();
        let units: Vec<Unit> = (0..lines.len()).map(|line| Unit::of(&lines, vec![line])).collect();
        let text = |at: usize| lines[at].words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
        order(&units).into_iter().map(text).collect()
    }

    #[test]
    fn narrow_columns_of_text_are_read_one_after_the_other() {
        let rows = [
            ["Plans, scope,", "Problem and risk", "Roles are shared"],
            ["and the way", "that may come", "by all of them"],
            ["they are made", "with the flood", "from the spring"],
        ];
        let columns: Vec<&str> = (0..3).flat_map(|column| rows.iter().map(move |row| row[column])).collect();
        assert_eq!(read(&rows, false), columns);
    }

    #[test]
    fn what_is_drawn_row_by_row_and_names_with_their_values_stay_rows() {
        let rows =
            [["Gate", "oak board", "12 of them"], ["Sluice", "elm board", "7 of them"], ["Wheel", "iron", "1 of it"]];
        let by_rows: Vec<&str> = rows.iter().flatten().copied().collect();
        assert_eq!(read(&rows, true), by_rows);
        assert_eq!(read(&rows, false), by_rows);
    }
}
