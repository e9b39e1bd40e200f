//! Finds tables: by their rules where they have some, else by columns of white space.

use super::body_style::BodyStyle;
use super::chart;
use super::collect::RulingLine;
use super::empty_columns;
use super::inline::join_cell;
use super::lattice;
use super::line::{Line, Style, Word};
use super::link::Link;
use super::region::{Region, regions};
use super::rows::rows_of;
use super::stream::{self, Evidence, Surroundings};
use super::widen;
use crate::content;

/// A table of at least two columns and two rows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table<'a> {
    /// Cells by row; a place that a cell from the left or from above spans has none.
    pub(super) rows: Vec<Vec<Cell<'a>>>,
    /// How many of the first rows are its head.
    pub(super) head: usize,
    /// The lines that it takes, as indexes, ascending.
    pub(super) lines: Vec<usize>,
}

/// A cell of a table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cell<'a> {
    /// Its words, line by line.
    pub(super) lines: Vec<Vec<&'a Word>>,
    /// How many columns and rows it takes.
    pub(super) across: usize,
    pub(super) down: usize,
}

impl Table<'_> {
    /// The table as part of a page's content; `body_style` is how most of the page looks, `targets` are its links.
    pub(super) fn to_content(&self, body_style: Style, targets: &[Link]) -> content::Table {
        // A table that is all in letters of one width says nothing by them.
        let mono = self.rows.iter().flatten().flat_map(|cell| cell.lines.iter().flatten()).all(|word| word.style.mono);
        let body_style = Style { mono: body_style.mono || mono, ..body_style };
        let span = |of: usize| u32::try_from(of).unwrap_or(u32::MAX);
        let cell = |cell: &Cell<'_>| content::Cell {
            text: join_cell(&cell.lines, body_style, targets),
            colspan: span(cell.across),
            rowspan: span(cell.down),
        };
        let rows = self.rows.iter().map(|row| row.iter().map(cell).collect()).collect();
        content::Table { rows, header_rows: span(self.head) }
    }
}

/// The tables of a page, in the order of their first lines. No line is in two of them.
pub(super) fn find<'a>(
    lines: &'a [Line],
    rules: &[RulingLine],
    page: (f64, f64),
    body_style: BodyStyle,
) -> Vec<Table<'a>> {
    let mut tables = Vec::new();
    // What is set in columns by letters of one width keeps them as it is.
    if body_style.style.mono {
        return tables;
    }
    let spaces = has_spaces(lines);
    for direction in [(1.0, 0.0), (0.0, 1.0), (0.0, -1.0)] {
        let of: Vec<usize> = (0..lines.len()).filter(|at| runs_along(&lines[*at], direction)).collect();
        if of.len() > 1 {
            let frame = Frame::of(of, rules, page, direction);
            frame.find(lines, spaces, body_style, &mut tables);
        }
    }
    tables.sort_by_key(|table| table.lines[0]);
    tables
}

fn runs_along(line: &Line, direction: (f64, f64)) -> bool {
    line.direction.0 * direction.0 + line.direction.1 * direction.1 > 0.99 && !line.right_to_left
}

/// Lines of one direction, and the page as it is when they are level.
struct Frame {
    is_level: bool,
    of: Vec<usize>,
    rules: Vec<RulingLine>,
    width: f64,
    height: f64,
}

impl Frame {
    fn of(of: Vec<usize>, rules: &[RulingLine], (width, height): (f64, f64), (dx, dy): (f64, f64)) -> Self {
        if dx > 0.5 {
            return Self { is_level: true, of, rules: rules.to_vec(), width, height };
        }
        // As the places of lines are: along the direction, and across it.
        let turned = |rule: &RulingLine| {
            let (along, across) = if rule.upright { (dy, -dy) } else { (-dy, dy) };
            let (a, b) = (rule.from * along, rule.to * along);
            RulingLine { upright: !rule.upright, at: rule.at * across, from: a.min(b), to: a.max(b), ..*rule }
        };
        Self { is_level: false, of, rules: rules.iter().map(turned).collect(), width: height, height: width }
    }

    fn find<'a>(&self, lines: &'a [Line], spaces: bool, body_style: BodyStyle, tables: &mut Vec<Table<'a>>) {
        let mut taken: Vec<bool> = lines.iter().map(|line| line.listing).collect();
        let mut keep = |found: Vec<Table<'a>>, taken: &mut Vec<bool>| {
            found.iter().flat_map(|table| &table.lines).for_each(|line| taken[*line] = true);
            tables.extend(found);
        };
        let (uprights, levels): (Vec<RulingLine>, Vec<RulingLine>) =
            self.rules.iter().copied().partition(|rule| rule.upright);
        let around = |evidence| Surroundings { evidence, levels: &levels, page_width: self.width, lines };
        let regions = regions(&self.rules);
        // Charts have lines for their axes, their marks and their bars.
        if self.rules.len() >= FEWEST_STROKES {
            let charts = chart::find(&rows_of(lines, &self.of, spaces, &[]), &regions);
            self.of.iter().filter(|at| chart::holds(&charts, &lines[**at])).for_each(|at| taken[*at] = true);
        }
        // White space in code is no table, and neither is a form.
        let free = |taken: &[bool]| -> Vec<usize> {
            let is_free = |line: &Line| line.field.is_none() && !body_style.is_code(line);
            self.of.iter().copied().filter(|at| !taken[*at] && is_free(&lines[*at])).collect()
        };
        let open = |of: &[usize]| stream::tables(&mut rows_of(lines, of, spaces, &uprights), around(Evidence::None));
        for region in &regions {
            let inside: Vec<usize> =
                self.of.iter().copied().filter(|at| !taken[*at] && region.holds(&lines[*at])).collect();
            let sizes = inside.iter().map(|at| lines[*at].size);
            if region.is_drawing() || region.is_staves(sizes.fold(f64::MAX, f64::min)) {
                inside.into_iter().for_each(|at| taken[at] = true);
                continue;
            }
            let found = match region.xs.len() {
                // Level rules alone say that there is a table, and not where its columns are, nor where it ends.
                0..=2 => {
                    let free = free(&taken);
                    // A frame closes what is in it.
                    let is_open = region.xs.len() < 2;
                    if is_open && widen::is_of_sums(region, lines, &inside, &free) {
                        continue;
                    }
                    let all = if is_open { widen::lines_of(region, lines, &inside, &free, spaces) } else { inside };
                    let evidence = evidence(region, self.height);
                    let found = stream::tables(&mut rows_of(lines, &all, spaces, &[]), around(evidence));
                    let open = if found.is_empty() || !is_open { Vec::new() } else { open(&free) };
                    widen::wider(&found, &open, (region, &regions), lines, spaces)
                        .cloned()
                        .map_or(found, |wider| vec![wider])
                }
                _ => lattice::tables(region, lines, &inside, spaces, self.is_level),
            };
            keep(found, &mut taken);
        }
        let mut free = free(&taken);
        free.retain(|at| !lines[*at].leader);
        keep(open(&free), &mut taken);
        // Once more without what stands beside: where the drawing jumps up, something else begins.
        let left: Vec<usize> = free.into_iter().filter(|at| !taken[*at]).collect();
        let parts: Vec<&[usize]> =
            left.chunk_by(|a, b| lines[*b].baseline > lines[*a].baseline - lines[*a].size * 2.0).collect();
        for part in parts.iter().filter(|_| parts.len() > 1) {
            keep(open(part), &mut taken);
        }
    }
}

/// Whether words of one text are parted by spaces, and not only by the place where they stand. Cells of tables are parted
/// by their places, so there they can be told from words.
fn has_spaces(lines: &[Line]) -> bool {
    // Ideographs have none between them.
    let is_word = |word: &&Word| !word.glued && !word.text.starts_with(content::is_ideographic);
    let words = || lines.iter().flat_map(|line| line.words.iter().skip(1)).filter(is_word);
    let spaced = words().filter(|word| word.spaced).count();
    spaced >= FEWEST_SPACES && spaced * 3 > words().count()
}

const FEWEST_SPACES: usize = 5;
/// A page with fewer strokes has no chart.
const FEWEST_STROKES: usize = 3;

/// Rules at the top and the bottom of a page enclose everything.
fn evidence(region: &Region, page_height: f64) -> Evidence {
    let height = region.ys[region.ys.len() - 1] - region.ys[0];
    if region.ys.len() == 2 && height > page_height * 0.4 { Evidence::None } else { Evidence::Ruled }
}

/// A table with heads of groups has so many other rows.
const FEWEST_GROUPED: usize = 3;

/// What parts the rows and the cells of a table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Parted {
    /// White space, and perhaps level rules.
    Open,
    /// Rules, some of them upright ones.
    Ruled,
    /// Rules on all four sides of nearly every cell.
    Closed,
}

/// Drops columns without text; `None` when less than two by two is left, few rows have several cells, or most
/// cells are empty. Where rules part its cells a table may also have as many rows that head groups as others; where they
/// close them, it may hold what it will, as a form does that is not filled in.
pub(super) fn sensible(
    mut rows: Vec<Vec<Cell<'_>>>,
    head: usize,
    mut lines: Vec<usize>,
    parted: Parted,
) -> Option<Table<'_>> {
    empty_columns::drop(&mut rows);
    let width = rows.first()?.iter().map(|cell| cell.across).sum::<usize>();
    // A frame around text has rows with one cell of text each.
    let filled = |row: &Vec<Cell<'_>>| row.iter().filter(|cell| !cell.lines.is_empty()).count();
    let several = rows.iter().filter(|row| filled(row) > 1).count();
    let says = |cell: &Cell<'_>| cell.lines.iter().flatten().any(|word| word.text.contains(char::is_alphabetic));
    let is_group = |row: &&Vec<Cell<'_>>| filled(row) == 1 && row.first().is_some_and(says);
    let begins = |row: &&Vec<Cell<'_>>| row.first().is_some_and(|cell| !cell.lines.is_empty());
    let may_group = parted != Parted::Open && several >= FEWEST_GROUPED;
    let groups = if may_group { rows.iter().filter(is_group).count().min(several) } else { 0 };
    let counted = rows.len() - groups;
    let all: usize = rows.iter().map(&filled).sum::<usize>() - groups;
    let full = several * 2 >= counted && several >= 2 && all * 10 >= counted * width * 3;
    // A form names its columns or its rows.
    let titled = filled(rows.first()?) * 2 >= width || rows.iter().filter(begins).count() * 2 >= rows.len();
    let form = parted == Parted::Closed && several > 0 && width > 2 && titled;
    if rows.len() < 2 || width < 2 || !(full || form) {
        return None;
    }
    lines.sort_unstable();
    (!lines.is_empty()).then_some(Table { rows, head, lines })
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
