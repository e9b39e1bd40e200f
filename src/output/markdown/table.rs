//! Tables → GFM tables (0.29), or HTML ones where cells span others.

use super::inline::{self, Emphasis};
use crate::content::{Cell, Table};

/// A table as a GFM one; what a cell spans beside its first place is empty.
pub(super) fn pipes(table: &Table) -> String {
    let grid = grid(table);
    let width = grid.iter().map(Vec::len).max().unwrap_or(0);
    let mut rows: Vec<String> = Vec::with_capacity(grid.len() + 1);
    for (at, cells) in grid.iter().enumerate() {
        // A head is heavy by itself.
        let emphasis = if at == 0 && table.header_rows > 0 { Emphasis::Left } else { Emphasis::Shown };
        let text = |cell: Option<&Cell>| {
            cell.map_or_else(String::new, |cell| {
                inline::markdown(&cell.text, emphasis).replace('|', "\\|").replace('\n', "<br>")
            })
        };
        rows.push(format!("| {} |", cells.iter().copied().map(text).collect::<Vec<_>>().join(" | ")));
    }
    rows.insert(rows.len().min(1), format!("|{}", " --- |".repeat(width)));
    rows.join("\n")
}

/// Whether a cell takes more than one column or row.
pub(super) fn has_spans(table: &Table) -> bool {
    table.rows.iter().flatten().any(|cell| cell.colspan > 1 || cell.rowspan > 1)
}

/// The cell that begins at each place of each row.
fn grid(table: &Table) -> Vec<Vec<Option<&Cell>>> {
    // Of each column, how many of the next rows a cell from above takes.
    let mut taken: Vec<u32> = Vec::new();
    let mut rows = Vec::with_capacity(table.rows.len());
    for row in &table.rows {
        let mut cells = row.iter();
        let mut places: Vec<Option<&Cell>> = Vec::new();
        loop {
            if matches!(taken.get(places.len()), Some(1..)) {
                places.push(None);
                continue;
            }
            let Some(cell) = cells.next() else { break };
            let from = places.len();
            places.push(Some(cell));
            let across = usize::try_from(cell.colspan).unwrap_or(1).clamp(1, MOST_SPANNED);
            places.resize(from + across, None);
            taken.resize(taken.len().max(places.len()), 0);
            taken[from..places.len()].fill(cell.rowspan.max(1));
        }
        taken.iter_mut().for_each(|left| *left = left.saturating_sub(1));
        rows.push(places);
    }
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    rows.iter_mut().for_each(|row| row.resize(width, None));
    rows
}

/// A span of more columns is a mistake.
const MOST_SPANNED: usize = 1_000;

/// A table as HTML, a row a line; there is no empty line in it, which would end it (`CommonMark` 0.31, 4.6).
pub(super) fn html(table: &Table) -> String {
    crate::output::html::table(table).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{Inline, RunStyle, Script};

    fn cell(text: &str, colspan: u32, rowspan: u32) -> Cell {
        Cell { text: Inline::plain(text), colspan, rowspan }
    }

    fn spanned() -> Table {
        let rows = vec![
            vec![cell("Port", 1, 2), cell("Depth & draught", 2, 1)],
            vec![cell("low", 1, 1), cell("high", 1, 1)],
            vec![cell("Oslo", 1, 1), cell("a|b", 1, 1), cell("<9>", 1, 1)],
        ];
        Table { rows, header_rows: 2 }
    }

    #[test]
    fn cells_that_span_others_stand_in_the_first_of_their_places() {
        assert_eq!(
            pipes(&spanned()),
            "| Port | Depth & draught |  |\n| --- | --- | --- |\n|  | low | high |\n| Oslo | a\\|b | <9> |"
        );
    }

    #[test]
    fn lines_within_a_cell_do_not_end_its_row() {
        let table = Table { rows: vec![vec![cell("a\nb", 1, 1), cell("c", 1, 1)]], header_rows: 1 };
        assert_eq!(pipes(&table), "| a<br>b | c |\n| --- | --- |");
    }

    #[test]
    fn html_says_what_spans_and_escapes_what_is_markup() {
        assert!(has_spans(&spanned()));
        assert_eq!(
            html(&spanned()),
            "<table>\n<thead>\n<tr><th rowspan=\"2\">Port</th><th colspan=\"2\">Depth &amp; draught</th></tr>\n\
            <tr><th>low</th><th>high</th></tr>\n</thead>\n<tbody>\n<tr><td>Oslo</td><td>a|b</td><td>&lt;9&gt;</td></tr>\n\
            </tbody>\n</table>"
        );
    }

    #[test]
    fn emphasis_links_and_exponents_in_cells_are_kept() {
        let mut text = Inline::default();
        text.push("so", RunStyle { bold: true, ..RunStyle::default() }, None);
        text.push(" see ", RunStyle::default(), None);
        text.push("it", RunStyle::default(), Some("https://example.org/?a=1&b"));
        text.push("2", RunStyle { script: Some(Script::Super), ..RunStyle::default() }, None);
        let table = Table { rows: vec![vec![cell("Head", 1, 1)], vec![Cell::of(text)]], header_rows: 1 };
        assert_eq!(pipes(&table), "| Head |\n| --- |\n| **so** see [it](https://example.org/?a=1&b)<sup>2</sup> |");
        let expected = "<td><strong>so</strong> see <a href=\"https://example.org/?a=1&amp;b\">it</a><sup>2</sup></td>";
        assert!(html(&table).contains(expected), "{}", html(&table));
    }
}
