//! Finds tables: by their rules where they have some, else by columns of white space.

use super::collect::Rule;
use super::columns::{Evidence, by_columns, rows_of};
use super::line::Line;
use super::region::{Region, regions};
use super::usual::Usual;

/// A table of at least two columns and two rows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table {
    /// Cells by row and column; every row has as many.
    pub(super) rows: Vec<Vec<String>>,
    /// The lines that it takes, as indexes, ascending.
    pub(super) lines: Vec<usize>,
}

/// The tables of a page, in the order of their first lines. No line is in two of them.
pub(super) fn find(lines: &[Line], rules: &[Rule], page: (f64, f64), usual: Usual) -> Vec<Table> {
    let mut taken = vec![false; lines.len()];
    let mut tables = Vec::new();
    // What is set in columns by letters of one width keeps them as it is.
    if usual.style.mono {
        return tables;
    }
    let spaces = has_spaces(lines);
    for region in regions(rules) {
        let inside: Vec<usize> = (0..lines.len()).filter(|at| !taken[*at] && region.holds(&lines[*at])).collect();
        let found = match region.xs.len() {
            // Level rules alone say that there is a table, and not where its columns are.
            0..=2 => by_columns(&rows_of(lines, &inside, spaces), evidence(&region, page.1), page.0),
            _ => grid(&region, lines, &inside).into_iter().collect(),
        };
        found.iter().flat_map(|table| &table.lines).for_each(|line| taken[*line] = true);
        tables.extend(found);
    }
    // White space in code is no table, and neither is a form.
    let is_free = |at: &usize| {
        let line = &lines[*at];
        !taken[*at] && line.is_level() && !line.field && !line.leader && !usual.is_code(line)
    };
    let free: Vec<usize> = (0..lines.len()).filter(is_free).collect();
    let found = by_columns(&rows_of(lines, &free, spaces), Evidence::None, page.0);
    let mut taken = vec![false; lines.len()];
    found.iter().flat_map(|table| &table.lines).for_each(|line| taken[*line] = true);
    tables.extend(found);
    // Once more without what stands beside: where the drawing jumps up, something else begins.
    let left: Vec<usize> = free.into_iter().filter(|at| !taken[*at]).collect();
    let parts: Vec<&[usize]> =
        left.chunk_by(|a, b| lines[*b].baseline > lines[*a].baseline - lines[*a].size * 2.0).collect();
    for part in parts.iter().filter(|_| parts.len() > 1) {
        tables.extend(by_columns(&rows_of(lines, part, spaces), Evidence::None, page.0));
    }
    tables.sort_by_key(|table| table.lines[0]);
    tables
}

/// Whether words of one text are parted by spaces, and not only by the place where they stand. Cells of tables are parted
/// by their places, so there they can be told from words.
fn has_spaces(lines: &[Line]) -> bool {
    let words = || lines.iter().flat_map(|line| line.words.iter().skip(1)).filter(|word| !word.glued);
    let spaced = words().filter(|word| word.spaced).count();
    spaced >= FEWEST_SPACES && spaced * 3 > words().count()
}

const FEWEST_SPACES: usize = 5;

/// Rules at the top and the bottom of a page enclose everything.
fn evidence(region: &Region, page_height: f64) -> Evidence {
    let height = region.ys[region.ys.len() - 1] - region.ys[0];
    if region.ys.len() == 2 && height > page_height * 0.4 { Evidence::None } else { Evidence::Ruled }
}

/// A table whose rules make cells.
fn grid(region: &Region, lines: &[Line], inside: &[usize]) -> Option<Table> {
    let (columns, rows) = (region.xs.len() - 1, region.ys.len() - 1);
    if columns < 2 || rows < 2 || inside.is_empty() {
        return None;
    }
    // Cells that no rule parts are one.
    let parted: Vec<Vec<bool>> = region.ys.windows(2).map(|ys| region.parted(f64::midpoint(ys[0], ys[1]))).collect();
    // Above the first row of several cells, and below the last one, stands text in a frame.
    let has_cells = |row: &Vec<bool>| row[1..columns].contains(&true);
    let first = parted.iter().position(has_cells)?;
    let last = parted.iter().rposition(has_cells)?;
    let mut cells = vec![vec![String::new(); columns]; rows];
    let mut used = Vec::new();
    for &at in &in_order(lines, inside) {
        let line = &lines[at];
        let row = slot(&region.ys, line.baseline - line.size * 0.3).min(rows - 1);
        if !(first..=last).contains(&row) {
            continue;
        }
        for word in &line.words {
            let mut column = slot(&region.xs, f64::midpoint(word.start, word.end)).min(columns - 1);
            while column > 0 && !parted[row][column] {
                column -= 1;
            }
            word.append_to(&mut cells[row][column]);
        }
        used.push(at);
    }
    sensible(cells, used)
}

/// Lines from top to bottom and left to right.
pub(super) fn in_order(lines: &[Line], of: &[usize]) -> Vec<usize> {
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

/// Which of the spaces between `places` holds `at`.
fn slot(places: &[f64], at: f64) -> usize {
    places.iter().skip(1).take_while(|place| **place < at).count()
}

/// Drops rows and columns without text; `None` when less than two by two is left, or few rows have several cells.
pub(super) fn sensible(mut rows: Vec<Vec<String>>, mut lines: Vec<usize>) -> Option<Table> {
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

pub(super) fn append(text: &mut String, more: &str) {
    if !text.is_empty() && !more.is_empty() {
        text.push(' ');
    }
    text.push_str(more);
}

#[cfg(test)]
mod tests {
    use super::super::line::Word;
    use super::*;

    fn line(text: &str, start: f64, baseline: f64) -> Line {
        Line::of(vec![Word::at(text, start, start + 40.0)], baseline, 10.0)
    }

    #[test]
    fn cells_that_no_rule_parts_are_one_and_text_in_the_frame_is_none() {
        let level = |at: f64| Rule { upright: false, at, from: 0.0, to: 200.0 };
        let upright = |at: f64, from: f64, to: f64| Rule { upright: true, at, from, to };
        // A frame; its first row is not parted, its third one is parted once.
        let rules = [
            [0.0, 20.0, 40.0, 60.0, 80.0].map(level).to_vec(),
            vec![upright(0.0, 0.0, 80.0), upright(200.0, 0.0, 80.0)],
            vec![upright(100.0, 20.0, 80.0), upright(150.0, 20.0, 40.0), upright(150.0, 60.0, 80.0)],
        ]
        .concat();
        let lines = [
            line("above", 10.0, 14.0),
            line("a", 10.0, 34.0),
            line("b", 105.0, 34.0),
            line("c", 155.0, 34.0),
            line("d", 10.0, 54.0),
            line("e", 155.0, 54.0),
            line("f", 10.0, 74.0),
            line("g", 155.0, 74.0),
        ];
        let tables = find(&lines, &rules, (600.0, 800.0), Usual::of(&lines));
        let rows: Vec<Vec<&str>> = tables[0].rows.iter().map(|row| row.iter().map(String::as_str).collect()).collect();
        assert_eq!(rows, [["a", "b", "c"], ["d", "e", ""], ["f", "", "g"]]);
        assert_eq!((tables.len(), &tables[0].lines[..]), (1, &[1, 2, 3, 4, 5, 6, 7][..]));
    }

    #[test]
    fn a_page_number_below_a_table_is_in_none_of_its_cells() {
        let row = |baseline: f64, [a, b, c]: [&str; 3]| {
            [line(a, 10.0, baseline), line(b, 100.0, baseline), line(c, 200.0, baseline)]
        };
        let table = |below: (&str, f64)| {
            let rows = [row(100.0, ["a", "b", "c"]), row(114.0, ["d", "e", "80"]), row(128.0, ["f", "g", "90"])];
            let mut lines: Vec<Line> = rows.into_iter().flatten().collect();
            lines.push(line(below.0, 105.0, below.1));
            let tables = find(&lines, &[], (600.0, 800.0), Usual::of(&lines));
            tables[0].rows.last().unwrap()[1].clone()
        };
        assert_eq!(table(("3", 150.0)), "g");
        // The rest of a cell stands as near as a row, or is a word.
        assert_eq!(table(("3", 140.0)), "g 3");
        assert_eq!(table(("more", 150.0)), "g more");
    }
}
