//! Finds tables: by their rules where they have some, else by columns of white space.

use super::chart;
use super::collect::Rule;
use super::empty_columns;
use super::inline::join_cell;
use super::lattice;
use super::line::{Line, Style, Word};
use super::link::Link;
use super::region::{Region, regions};
use super::rows::rows_of;
use super::stream::{self, Evidence, Surroundings};
use super::usual::Usual;
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
    /// The table as part of a page's content; `usual` is how most of the page looks, `targets` are its links.
    pub(super) fn to_content(&self, usual: Style, targets: &[Link]) -> content::Table {
        // A table that is all in letters of one width says nothing by them.
        let mono = self.rows.iter().flatten().flat_map(|cell| cell.lines.iter().flatten()).all(|word| word.style.mono);
        let usual = Style { mono: usual.mono || mono, ..usual };
        let span = |of: usize| u32::try_from(of).unwrap_or(u32::MAX);
        let cell = |cell: &Cell<'_>| content::Cell {
            text: join_cell(&cell.lines, usual, targets),
            colspan: span(cell.across),
            rowspan: span(cell.down),
        };
        let rows = self.rows.iter().map(|row| row.iter().map(cell).collect()).collect();
        content::Table { rows, header_rows: span(self.head) }
    }
}

/// The tables of a page, in the order of their first lines. No line is in two of them.
pub(super) fn find<'a>(lines: &'a [Line], rules: &[Rule], page: (f64, f64), usual: Usual) -> Vec<Table<'a>> {
    let mut tables = Vec::new();
    // What is set in columns by letters of one width keeps them as it is.
    if usual.style.mono {
        return tables;
    }
    let spaces = has_spaces(lines);
    for direction in [(1.0, 0.0), (0.0, 1.0), (0.0, -1.0)] {
        let of: Vec<usize> = (0..lines.len()).filter(|at| runs_along(&lines[*at], direction)).collect();
        if of.len() > 1 {
            let frame = Frame::of(of, rules, page, direction);
            frame.find(lines, spaces, usual, &mut tables);
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
    rules: Vec<Rule>,
    width: f64,
    height: f64,
}

impl Frame {
    fn of(of: Vec<usize>, rules: &[Rule], (width, height): (f64, f64), (dx, dy): (f64, f64)) -> Self {
        if dx > 0.5 {
            return Self { is_level: true, of, rules: rules.to_vec(), width, height };
        }
        // As the places of lines are: along the direction, and across it.
        let turned = |rule: &Rule| {
            let (along, across) = if rule.upright { (dy, -dy) } else { (-dy, dy) };
            let (a, b) = (rule.from * along, rule.to * along);
            Rule { upright: !rule.upright, at: rule.at * across, from: a.min(b), to: a.max(b), ..*rule }
        };
        Self { is_level: false, of, rules: rules.iter().map(turned).collect(), width: height, height: width }
    }

    fn find<'a>(&self, lines: &'a [Line], spaces: bool, usual: Usual, tables: &mut Vec<Table<'a>>) {
        let mut taken: Vec<bool> = lines.iter().map(|line| line.listing).collect();
        let mut keep = |found: Vec<Table<'a>>, taken: &mut Vec<bool>| {
            found.iter().flat_map(|table| &table.lines).for_each(|line| taken[*line] = true);
            tables.extend(found);
        };
        let (uprights, levels): (Vec<Rule>, Vec<Rule>) = self.rules.iter().copied().partition(|rule| rule.upright);
        let around = |evidence| Surroundings { evidence, levels: &levels, page_width: self.width, lines };
        let regions = regions(&self.rules);
        // Charts have lines for their axes, their marks and their bars.
        if self.rules.len() >= FEWEST_STROKES {
            let charts = chart::find(&rows_of(lines, &self.of, spaces, &[]), &regions);
            self.of.iter().filter(|at| chart::holds(&charts, &lines[**at])).for_each(|at| taken[*at] = true);
        }
        // White space in code is no table, and neither is a form.
        let free = |taken: &[bool]| -> Vec<usize> {
            let is_free = |line: &Line| line.field.is_none() && !usual.is_code(line);
            self.of.iter().copied().filter(|at| !taken[*at] && is_free(&lines[*at])).collect()
        };
        let open = |of: &[usize]| stream::tables(&mut rows_of(lines, of, spaces, &uprights), around(Evidence::None));
        for region in &regions {
            let inside: Vec<usize> =
                self.of.iter().copied().filter(|at| !taken[*at] && region.holds(&lines[*at])).collect();
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
mod tests {
    use super::super::rows::text_of;
    use super::*;

    /// What the cells of a table say; the spans of those that have some stand behind it.
    fn texts(table: &Table<'_>) -> Vec<Vec<String>> {
        let text = |cell: &Cell<'_>| {
            let lines: Vec<String> = cell.lines.iter().map(|words| text_of(words)).collect();
            let span =
                if cell.across * cell.down > 1 { format!(" {}x{}", cell.across, cell.down) } else { String::new() };
            lines.join(" ") + &span
        };
        table.rows.iter().map(|row| row.iter().map(text).collect()).collect()
    }

    fn line(text: &str, start: f64, baseline: f64) -> Line {
        Line::of(vec![Word::at(text, start, start + 40.0)], baseline, 10.0)
    }

    #[test]
    fn cells_that_no_rule_parts_are_one_and_text_in_the_frame_is_none() {
        let level = |at: f64| Rule { upright: false, at, from: 0.0, to: 200.0, soft: false };
        let upright = |at: f64, from: f64, to: f64| Rule { upright: true, at, from, to, soft: false };
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
        let rows = texts(&tables[0]);
        assert_eq!(rows, [vec!["a", "b", "c"], vec!["d", "e 2x1"], vec!["f", "", "g"]]);
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
            texts(&tables[0]).last().unwrap()[1].clone()
        };
        assert_eq!(table(("3", 150.0)), "g");
        // What stands as near as a row is one; the rest of a cell is a word.
        assert_eq!(table(("3", 140.0)), "3");
        assert_eq!(table(("more", 140.0)), "g more");
    }

    /// Lines of cells at the places `at`, one row below the other; an empty text is no cell.
    fn rows_at(at: &[f64], top: f64, rows: &[&[&str]]) -> Vec<Line> {
        let row = |(number, cells): (u32, &&[&str])| {
            let baseline = top + 14.0 * f64::from(number);
            let cells = cells.iter().zip(at).filter(|(text, _)| !text.is_empty());
            let words = |text: &str, start: f64| -> Vec<Word> {
                let word = |(of, text): (u32, &str)| {
                    let start = start + 32.0 * f64::from(of);
                    Word { spaced: of > 0, ..Word::at(text, start, start + 30.0) }
                };
                (0..).zip(text.split(' ')).map(word).collect()
            };
            cells.map(|(text, start)| Line::of(words(text, *start), baseline, 10.0)).collect::<Vec<_>>()
        };
        (0..).zip(rows).flat_map(row).collect()
    }

    fn found(lines: &[Line], rules: &[Rule]) -> Vec<Vec<Vec<String>>> {
        find(lines, rules, (600.0, 800.0), Usual::of(lines)).iter().map(texts).collect()
    }

    const fn level(at: f64, from: f64, to: f64) -> Rule {
        Rule { upright: false, at, from, to, soft: false }
    }

    const fn upright(at: f64, from: f64, to: f64) -> Rule {
        Rule { upright: true, at, from, to, soft: false }
    }

    #[test]
    fn rows_between_two_rules_are_parted_by_their_numbers_and_text_goes_on() {
        let lines = rows_at(
            &[10.0, 110.0, 310.0],
            100.0,
            &[&["Qty", "Item", "Sum"], &["2", "Oak board", "18.50"], &["", "planed", ""], &["4", "Nails", "3.10"]],
        );
        let mut rules: Vec<Rule> = [88.0, 104.0, 160.0].map(|at| level(at, 5.0, 400.0)).to_vec();
        rules.extend([5.0, 100.0, 300.0, 400.0].map(|at| upright(at, 88.0, 160.0)));
        assert_eq!(
            found(&lines, &rules),
            [[["Qty", "Item", "Sum"], ["2", "Oak board planed", "18.50"], ["4", "Nails", "3.10"]]]
        );
        // Wrapped text without numbers is one row between rules.
        let lines = rows_at(
            &[10.0, 110.0],
            100.0,
            &[&["Term", "Means"], &["Gate", "a board that is lifted up"], &["", "and let down"]],
        );
        let mut rules: Vec<Rule> = [88.0, 104.0, 136.0].map(|at| level(at, 5.0, 320.0)).to_vec();
        rules.extend([5.0, 100.0, 320.0].map(|at| upright(at, 88.0, 136.0)));
        assert_eq!(found(&lines, &rules), [[["Term", "Means"], ["Gate", "a board that is lifted up and let down"]]]);
    }

    #[test]
    fn upright_rules_part_groups_and_white_space_the_columns_within_them() {
        let at = [10.0, 110.0, 160.0, 220.0, 270.0];
        let head = rows_at(&[10.0, 135.0, 245.0], 100.0, &[&["", "Oak", "Elm"]]);
        let body = rows_at(
            &at,
            114.0,
            &[&["", "2009", "2010", "2009", "2010"], &["Oslo", "60", "61", "10", "11"], &["Bodo", "7", "8", "9", "5"]],
        );
        let lines = [head, body].concat();
        let mut rules: Vec<Rule> = [88.0, 118.0, 150.0].map(|at| level(at, 5.0, 310.0)).to_vec();
        rules.extend([5.0, 100.0, 210.0, 310.0].map(|at| upright(at, 88.0, 150.0)));
        assert_eq!(
            found(&lines, &rules)[0],
            [
                vec!["", "Oak 2x1", "Elm 2x1"],
                vec!["", "2009", "2010", "2009", "2010"],
                vec!["Oslo", "60", "61", "10", "11"],
                vec!["Bodo", "7", "8", "9", "5"]
            ]
        );
    }

    #[test]
    fn a_rule_below_a_head_says_which_columns_it_spans() {
        let at = [10.0, 110.0, 160.0, 210.0];
        let head = rows_at(&[10.0, 180.0], 100.0, &[&["", "Borrowed"]]);
        let body = rows_at(
            &at,
            114.0,
            &[
                &["Place", "Sum", "Low", "High"],
                &["Oslo", "60", "61", "10"],
                &["Bodo", "7", "8", "9"],
                &["Moss", "3", "2", "1"],
            ],
        );
        let lines = [head, body].concat();
        let rules =
            [level(88.0, 5.0, 250.0), level(104.0, 155.0, 245.0), level(118.0, 5.0, 250.0), level(162.0, 5.0, 250.0)];
        assert_eq!(
            found(&lines, &rules)[0][..3],
            [vec!["Place 1x2", "Sum 1x2", "Borrowed 2x1"], vec!["Low", "High"], vec!["Oslo", "60", "61", "10"]]
        );
    }

    #[test]
    fn rows_with_an_empty_first_cell_stay_rows_however_far_the_head_is() {
        let at = [10.0, 110.0, 210.0];
        let mut lines = rows_at(&at, 90.0, &[&["Region", "Town", "Sum"]]);
        lines.extend(rows_at(
            &at,
            114.0,
            &[&["North", "", ""], &["", "Oslo", "12.00"], &["", "Bergen", "8.50"], &["South", "Bodo", "4.10"]],
        ));
        assert_eq!(
            found(&lines, &[]),
            [[
                ["Region", "Town", "Sum"],
                ["North", "", ""],
                ["", "Oslo", "12.00"],
                ["", "Bergen", "8.50"],
                ["South", "Bodo", "4.10"]
            ]]
        );
    }

    #[test]
    fn rows_that_say_the_same_are_rows_and_a_head_may_be_underlined_cell_by_cell() {
        let lines = rows_at(
            &[10.0, 160.0, 310.0],
            100.0,
            &[
                &["Placed in", "And sold in", "Then allowed"],
                &["the year", "the year", "in all"],
                &["first half of it", "first half of it", "none"],
                &["first half of it", "second half of it", "half of a"],
                &["", "", "full year"],
                &["second half of it", "second half of it", "all"],
            ],
        );
        let rules = [level(116.0, 10.0, 70.0), level(116.0, 160.0, 220.0), level(116.0, 310.0, 400.0)];
        assert_eq!(
            found(&lines, &rules),
            [[
                ["Placed in the year", "And sold in the year", "Then allowed in all"],
                ["first half of it", "first half of it", "none"],
                ["first half of it", "second half of it", "half of a full year"],
                ["second half of it", "second half of it", "all"]
            ]]
        );
    }

    #[test]
    fn a_table_set_sideways_is_read_as_an_upright_one() {
        let rows: &[&[&str]] =
            &[&["Port", "Depth", "Cranes"], &["Oslo", "11", "4"], &["Bodo", "8", "2"], &["Moss", "6", "1"]];
        let upright = rows_at(&[10.0, 110.0, 210.0], 100.0, rows);
        for direction in [(0.0, 1.0), (0.0, -1.0)] {
            let turned: Vec<Line> = upright.iter().map(|line| Line { direction, ..line.clone() }).collect();
            assert_eq!(found(&turned, &[]), found(&upright, &[]), "{direction:?}");
        }
    }

    #[test]
    fn a_chart_and_words_that_are_set_apart_are_no_tables() {
        // Numbers along an upright axis, with bars that are labelled.
        let mut chart = rows_at(
            &[10.0, 80.0, 140.0, 200.0],
            100.0,
            &[
                &["80", "", "", "41"],
                &["60", "22", "28", ""],
                &["40", "11", "", "38"],
                &["20", "32", "23", "12"],
                &["0", "", "", "3"],
            ],
        );
        chart.extend(rows_at(&[80.0, 140.0, 200.0], 170.0, &[&["Oak", "Elm", "Ash"]]));
        let axes = [upright(30.0, 90.0, 160.0), level(160.0, 30.0, 240.0), level(130.0, 30.0, 240.0)];
        assert!(found(&chart, &axes).is_empty(), "{:?}", found(&chart, &axes));
        let words = "railways are built to carry people and goods over land at speed and in safety that has no like";
        let words: Vec<&str> = words.split(' ').collect();
        // Justified by placing each word.
        let line = |number: u32, of: &[&str]| {
            let place = |at: u32| 10.0 + (92.0 + f64::from(number * 7 % 5)) * f64::from(at);
            let word = |(at, text): (u32, &&str)| {
                Line::of(vec![Word::at(text, place(at), place(at) + 78.0)], 100.0 + 12.0 * f64::from(number), 10.0)
            };
            (0..).zip(of).map(word).collect::<Vec<_>>()
        };
        let prose: Vec<Line> = (0..).zip(words.chunks(6)).flat_map(|(number, of)| line(number, of)).collect();
        assert!(found(&prose, &[]).is_empty(), "{:?}", found(&prose, &[]));
    }
}
