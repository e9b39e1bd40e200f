//! Rows with their columns → the cells of a table: which lines make one row, and what spans several columns or rows.

use std::collections::{BTreeMap, BTreeSet};

use super::columns::Column;
use super::line::Word;
use super::rows::{Row, Span, is_value, text_of};
use super::table::Cell;

/// A line of a table.
pub(super) struct TableLine<'r, 'a> {
    pub(super) row: &'r Row<'a>,
    /// Which of the spaces between level rules it stands in.
    pub(super) band: usize,
    pub(super) cells: Vec<Placed<'a>>,
}

/// Words on one line of a cell.
pub(super) struct Placed<'a> {
    pub(super) words: Vec<&'a Word>,
    pub(super) start: f64,
    pub(super) end: f64,
    /// The columns that it takes, the last one included.
    pub(super) first: usize,
    pub(super) last: usize,
    /// The first and the last band that it takes, where rules say so.
    pub(super) bands: Option<(usize, usize)>,
}

impl<'a> Placed<'a> {
    pub(super) fn of(row: &Row<'a>, cell: &Span, (first, last): (usize, usize)) -> Self {
        let words = row.words[cell.words.clone()].to_vec();
        Self { words, start: cell.start, end: cell.end, first, last, bands: None }
    }
}

/// A line goes on with the row above when it is at most so much of the usual way down.
const CLOSE: f64 = 0.85;
/// Lines nearer than this of the size are of one row.
const HALF: f64 = 0.8;
/// Lines of one cell are at most so far apart, of the size; where all lines of a table are, so far.
const MOST_LEADING: f64 = 1.9;
const MOST_EVEN_LEADING: f64 = 2.4;
/// and then most of them are as far apart as this from each other, of their distance.
const SAME_LEADING: f64 = 0.05;

/// Fewer full lines are one row of several lines, for all their even distances.
const FEWEST_LIKE: usize = 3;
/// Fewer cells of a band say the same by chance.
const FEWEST_REPEATED: usize = 4;

/// A row in the making.
struct Draft<'a> {
    cells: Vec<DraftCell<'a>>,
    baseline: f64,
    band: usize,
    head: bool,
}

struct DraftCell<'a> {
    first: usize,
    last: usize,
    lines: Vec<Vec<&'a Word>>,
    /// Where its last line ends.
    end: f64,
    baseline: f64,
    bands: Option<(usize, usize)>,
    down: usize,
}

impl DraftCell<'_> {
    /// Whether a line below it is another label: by its looks, or by how the last one ends.
    fn is_ended(&self, next: &Placed<'_>) -> bool {
        let last = self.lines.last().and_then(|words| words.last());
        let looks = last.zip(next.words.first()).is_some_and(|(last, next)| last.style.bold != next.style.bold);
        looks || last.is_some_and(|word| word.text.ends_with(':'))
    }

    fn last_text(&self) -> String {
        self.lines.last().map_or_else(String::new, |words| text_of(words))
    }
}

/// The cells of a table, row by row; a place that another cell spans has none. And how many rows are its head. `ruled` says
/// whether level rules part its rows.
pub(super) fn assemble<'a>(
    lines: Vec<TableLine<'_, 'a>>,
    columns: &[Column],
    head: usize,
    ruled: bool,
) -> (Vec<Vec<Cell<'a>>>, usize) {
    let by_lines = if ruled { bands_of_rows(&lines) } else { lines.iter().map(|line| line.band).collect() };
    let body: BTreeSet<usize> = lines.iter().skip(head).map(|line| line.band).collect();
    let below = &lines[head.min(lines.len())..];
    let (pitch, leading) = (pitch(below), even_leading(below));
    let making = Making { columns, by_lines, single_band: body.len() < 2, pitch, leading };
    let mut drafts: Vec<Draft<'a>> = Vec::new();
    for (at, line) in lines.into_iter().enumerate() {
        let is_head = at < head;
        let goes_on = drafts.last().is_some_and(|last| {
            last.head == is_head && if is_head { head_goes_on(last, &line) } else { making.goes_on(last, &line) }
        });
        if !goes_on {
            drafts.push(Draft { cells: Vec::new(), baseline: 0.0, band: line.band, head: is_head });
        }
        if let Some(draft) = drafts.last_mut() {
            draft.add(line);
        }
    }
    let heads = drafts.iter().take_while(|draft| draft.head).count();
    span_heads(&mut drafts[..heads], columns.len());
    span_bands(&mut drafts);
    let heads = leave_empty(&mut drafts, heads);
    (grid(drafts, columns.len()), heads)
}

/// How far rows that begin in the first column are apart.
fn pitch(lines: &[TableLine<'_, '_>]) -> Option<f64> {
    let begins = |line: &TableLine<'_, '_>| line.cells.len() > 1 && line.cells.iter().any(|cell| cell.first == 0);
    let pairs = lines.windows(2).filter(|pair| begins(&pair[1]) && pair[0].cells.len() > 1);
    let mut drops: Vec<f64> = pairs.map(|pair| pair[1].row.baseline - pair[0].row.baseline).collect();
    drops.sort_by(f64::total_cmp);
    drops.get(drops.len() / 2).copied().filter(|_| drops.len() > 1)
}

/// How far lines are apart, where nearly all are evenly and some rows have several; else 0.
fn even_leading(lines: &[TableLine<'_, '_>]) -> f64 {
    let mut drops: Vec<f64> = lines.windows(2).map(|pair| pair[1].row.baseline - pair[0].row.baseline).collect();
    drops.sort_by(f64::total_cmp);
    let Some(usual) = drops.get(drops.len() / 2).copied() else { return 0.0 };
    let even = drops.iter().filter(|drop| (*drop - usual).abs() < usual * SAME_LEADING).count();
    let single = lines.iter().filter(|line| line.cells.len() == 1).count();
    if even * 10 >= drops.len() * 8 && single * 2 > lines.len() { usual } else { 0.0 }
}

/// Whether text below other text is of another row, as two numbers are: a number is whole, but for ranges.
fn are_apart(before: &str, after: &str) -> bool {
    let goes_on = before.ends_with([',', '-', '–', '/']) && before.len() > 1
        || after.starts_with(['-', '–']) && after.contains(' ');
    is_value(before) && is_value(after) && !goes_on
}

/// The bands with values one below the other, or with the same words in several lines of a column: they hold several rows.
pub(super) fn bands_of_rows(lines: &[TableLine<'_, '_>]) -> BTreeSet<usize> {
    let texts = |line: &TableLine<'_, '_>| -> Vec<(usize, String)> {
        line.cells.iter().map(|cell| (cell.first, text_of(&cell.words))).collect()
    };
    let found: Vec<(usize, Vec<(usize, String)>)> = lines.iter().map(|line| (line.band, texts(line))).collect();
    let apart = |above: &[(usize, String)], below: &[(usize, String)]| {
        above.iter().any(|(column, before)| below.iter().any(|(at, after)| at == column && are_apart(before, after)))
    };
    let several = found.windows(2).filter(|pair| pair[0].0 == pair[1].0 && apart(&pair[0].1, &pair[1].1));
    let mut bands: BTreeSet<usize> = several.map(|pair| pair[0].0).chain(repeated(&found)).collect();
    let like = like_rows(lines, &bands);
    bands.extend(like);
    bands
}

/// The bands whose lines all have a cell in each column, as far apart as rows are in the bands that are known to hold some.
fn like_rows(lines: &[TableLine<'_, '_>], known: &BTreeSet<usize>) -> Vec<usize> {
    let drops = |of: &[TableLine<'_, '_>]| -> Vec<f64> {
        of.windows(2).map(|pair| pair[1].row.baseline - pair[0].row.baseline).collect()
    };
    let bands = || lines.chunk_by(|a, b| a.band == b.band);
    let mut usual: Vec<f64> = bands().filter(|of| known.contains(&of[0].band)).flat_map(drops).collect();
    usual.sort_by(f64::total_cmp);
    let Some(usual) = usual.get(usual.len() / 2).copied() else { return Vec::new() };
    let is_full =
        |line: &TableLine<'_, '_>| line.cells.len() > 1 && line.cells.iter().all(|cell| cell.first == cell.last);
    let columns = lines.iter().flat_map(|line| &line.cells).map(|cell| cell.last + 1).max().unwrap_or(0);
    let are_rows = |of: &&[TableLine<'_, '_>]| {
        of.len() >= FEWEST_LIKE
            && of.iter().all(|line| is_full(line) && line.cells.len() == columns)
            && drops(of).iter().all(|drop| (drop - usual).abs() < usual * 0.1)
    };
    bands().filter(are_rows).map(|of| of[0].band).collect()
}

/// The bands in which several rows say the same in a column, in several words.
fn repeated(lines: &[(usize, Vec<(usize, String)>)]) -> BTreeSet<usize> {
    let mut counts: BTreeMap<(usize, usize, &str), usize> = BTreeMap::new();
    for (band, cells) in lines.iter().filter(|(_, cells)| cells.len() > 1) {
        for (column, text) in cells.iter().filter(|(_, text)| text.contains(' ')) {
            *counts.entry((*band, *column, text)).or_default() += 1;
        }
    }
    let mut again: BTreeMap<usize, usize> = BTreeMap::new();
    counts
        .into_iter()
        .filter(|(_, count)| *count > 1)
        .for_each(|((band, ..), count)| *again.entry(band).or_default() += count);
    again.into_iter().filter(|(_, count)| *count >= FEWEST_REPEATED).map(|(band, _)| band).collect()
}

struct Making<'c> {
    columns: &'c [Column],
    /// The bands whose rows are parted by their lines.
    by_lines: BTreeSet<usize>,
    /// Whether no rule parts what stands below the head.
    single_band: bool,
    pitch: Option<f64>,
    /// How far all lines are apart, or 0.
    leading: f64,
}

impl Making<'_> {
    /// Whether a line is one more of the row above it.
    fn goes_on(&self, above: &Draft<'_>, line: &TableLine<'_, '_>) -> bool {
        if above.band != line.band {
            return false;
        }
        let drop = line.row.baseline - above.baseline;
        let mut fits = 0;
        for cell in &line.cells {
            let Some(over) = above.cell(cell.first) else { continue };
            if (over.first, over.last) != (cell.first, cell.last) {
                return false;
            }
            let (before, after) = (over.last_text(), text_of(&cell.words));
            // A number is whole.
            if are_apart(&before, &after) {
                return false;
            }
            fits += usize::from(self.fits(over, cell, line.row.size));
        }
        // No two rows are nearer than their letters are high: labels of several lines whose values stand in their middle.
        if drop < line.row.size * HALF && !line.cells.iter().any(|cell| above.last_line_of(cell.first)) {
            return true;
        }
        let (first, others) = (line.cells.iter().any(|cell| cell.first == 0), line.cells.iter().any(|c| c.first > 0));
        if self.heads_group(above, line) || are_labelled(above, line) {
            return false;
        }
        let even = (self.leading * (1.0 + SAME_LEADING)).min(line.row.size * MOST_EVEN_LEADING);
        let far = drop > even.max(line.row.size * MOST_LEADING);
        if !self.by_lines.contains(&line.band) {
            // A blank line in one cell parts its paragraphs; one through all of them parts rows.
            let leading = line.row.size * 1.35;
            let apart = drop > self.pitch.map_or(leading, |pitch| pitch.min(leading)) * 1.35;
            return !(first && others && (apart || self.single_band && fits >= 2 && fits == line.cells.len()));
        }
        let close = self.pitch.is_some_and(|pitch| drop < pitch * CLOSE);
        let fresh = line.cells.iter().all(|cell| above.cell(cell.first).is_none());
        if first && others {
            // A label that begins on the line above its values.
            let label = above.cells.len() == 1 && above.cells[0].first == 0 && fits == 0 && line.begins_low();
            return close && !fresh || label && !far;
        }
        if far {
            return false;
        }
        if first {
            let deeper = above.cell(0).is_some_and(|over| over.lines.len() == 1)
                && line.cells[0].start > self.columns[0].start + line.row.size * 0.5;
            let low = line.begins_low();
            return above.cell(0).is_some_and(|over| !over.is_ended(&line.cells[0]))
                && (fits == 0 && (close || low || deeper) || low && close);
        }
        // The rest of cells that are not the first one.
        let words = line.cells.iter().all(|cell| !is_value(&text_of(&cell.words)));
        let over = line.cells.iter().all(|cell| above.cell(cell.first).is_some());
        // Where most lines are such, they say more of their row: a period, a number of the contract.
        let details = self.leading > 0.0 && over;
        words && over && (close || fits == 0 || line.begins_low() || line.cells.len() == 1)
            || line.cells.len() == 1 && (close || details || words && line.begins_low())
    }

    /// Whether a label with a colon, alone in its row, ends or begins here: it heads the rows below it. One that is nearer to
    /// the line above it than rows are, and had no room behind that, goes on with it.
    fn heads_group(&self, above: &Draft<'_>, line: &TableLine<'_, '_>) -> bool {
        let (Some(over), Some(label)) = (above.cell(0), line.cells.first().filter(|cell| cell.first == 0)) else {
            return false;
        };
        let drop = line.row.baseline - above.baseline;
        let far = self.pitch.is_some_and(|pitch| drop > pitch * CLOSE);
        let alone = |cells: usize| cells == 1 && self.columns.len() > 2;
        let closed = |text: &str| text.trim_end_matches(|c: char| !c.is_alphabetic() && c != ':').ends_with(':');
        let ended = alone(above.cells.len()) && closed(&over.last_text()) && line.cells.len() > 1;
        let begins = alone(line.cells.len()) && closed(&text_of(&label.words)) && above.cells.len() > 1;
        (ended || begins) && (far || self.fits(over, label, line.row.size))
    }

    /// Whether the first word of a cell would have had room behind the line above it.
    fn fits(&self, over: &DraftCell<'_>, cell: &Placed<'_>, size: f64) -> bool {
        let room = self.columns[cell.last].end - over.end;
        let word = cell.words.first().map_or(0.0, |word| word.end - word.start);
        word + size * 0.25 < room - size * 0.1
    }
}

/// Whether both have a label with a colon, and something beside it.
fn are_labelled(above: &Draft<'_>, line: &TableLine<'_, '_>) -> bool {
    let is_label = |text: String| text.ends_with(':');
    let below = line.cells.first().is_some_and(|cell| cell.first == 0 && is_label(text_of(&cell.words)));
    let over = above.cell(0).is_some_and(|cell| is_label(cell.last_text()));
    below && over && line.cells.len() > 1 && above.cells.len() > 1
}

/// Whether a line is one more of the head's row above it: unless a cell that spans others begins, or ends there.
fn head_goes_on(above: &Draft<'_>, line: &TableLine<'_, '_>) -> bool {
    let drop = line.row.baseline - above.baseline;
    let agrees = |cell: &Placed<'_>| {
        above.cells.iter().all(|over| {
            (over.first, over.last) == (cell.first, cell.last) || over.last < cell.first || over.first > cell.last
        })
    };
    let same_band = above.band == line.band;
    same_band && drop < line.row.size * MOST_LEADING * 1.2 && line.cells.iter().all(agrees)
}

impl TableLine<'_, '_> {
    fn begins_low(&self) -> bool {
        let first = self.cells.first().and_then(|cell| cell.words.first());
        first.is_some_and(|word| word.text.starts_with(|c: char| c.is_lowercase() || c == '('))
    }
}

impl<'a> Draft<'a> {
    fn cell(&self, column: usize) -> Option<&DraftCell<'a>> {
        self.cells.iter().find(|cell| (cell.first..=cell.last).contains(&column))
    }

    /// Whether the last line of the row has a cell here.
    fn last_line_of(&self, column: usize) -> bool {
        self.cell(column).is_some_and(|cell| cell.baseline.to_bits() == self.baseline.to_bits())
    }

    fn add(&mut self, line: TableLine<'_, 'a>) {
        self.baseline = line.row.baseline;
        for Placed { words, end, first, last, bands, .. } in line.cells {
            let baseline = line.row.baseline;
            match self.cells.iter_mut().find(|cell| cell.first <= last && cell.last >= first) {
                // Two on one line are parts of one cell that stand apart.
                Some(cell) if cell.baseline.to_bits() == baseline.to_bits() && !cell.lines.is_empty() => {
                    if let Some(line) = cell.lines.last_mut() {
                        line.extend(words);
                    }
                    (cell.end, cell.last) = (end, cell.last.max(last));
                }
                Some(cell) => {
                    cell.lines.push(words);
                    (cell.end, cell.baseline) = (end, baseline);
                    (cell.first, cell.last) = (cell.first.min(first), cell.last.max(last));
                }
                None => {
                    self.cells.push(DraftCell { first, last, lines: vec![words], end, baseline, bands, down: 1 });
                }
            }
        }
        self.cells.sort_by_key(|cell| cell.first);
        // One that has grown may have reached its neighbour.
        let mut merged: Vec<DraftCell<'a>> = Vec::new();
        for cell in self.cells.drain(..) {
            match merged.last_mut() {
                Some(last) if last.last >= cell.first => {
                    last.last = last.last.max(cell.last);
                    last.lines.extend(cell.lines);
                }
                _ => merged.push(cell),
            }
        }
        self.cells = merged;
    }
}

/// Of a head of several rows: a column that no cell spans has one cell, from its first row to its last one.
fn span_heads(heads: &mut [Draft<'_>], width: usize) {
    let spanned = |column: usize, heads: &[Draft<'_>]| {
        heads.iter().any(|row| row.cell(column).is_some_and(|cell| cell.last > cell.first || cell.bands.is_some()))
    };
    if heads.len() < 2 {
        return;
    }
    for column in (0..width).filter(|column| !spanned(*column, heads)).collect::<Vec<_>>() {
        let filled: Vec<usize> = (0..heads.len()).filter(|row| heads[*row].cell(column).is_some()).collect();
        let taken = filled.iter().filter_map(|row| {
            let at = heads[*row].cells.iter().position(|cell| cell.first == column)?;
            Some(heads[*row].cells.remove(at))
        });
        let whole = taken.collect::<Vec<_>>().into_iter().reduce(|mut cell, more| {
            cell.lines.extend(more.lines);
            cell
        });
        if let Some(mut cell) = whole {
            cell.down = heads.len();
            heads[0].cells.push(cell);
        }
    }
    heads[0].cells.sort_by_key(|cell| cell.first);
}

/// Cells whose rules say that they take several bands.
fn span_bands(drafts: &mut [Draft<'_>]) {
    let spans: BTreeSet<(usize, usize, (usize, usize))> = drafts
        .iter()
        .flat_map(|draft| &draft.cells)
        .filter_map(|cell| cell.bands.map(|bands| (cell.first, cell.last, bands)))
        .collect();
    for (first, last, (from, to)) in spans {
        let of = |draft: &Draft<'_>| (from..=to).contains(&draft.band);
        let Some(begin) = drafts.iter().position(of) else { continue };
        let down = drafts[begin..].iter().take_while(|draft| of(draft)).count();
        let mut whole: Option<DraftCell<'_>> = None;
        for draft in &mut drafts[begin..begin + down] {
            let (inside, rest): (Vec<_>, Vec<_>) =
                std::mem::take(&mut draft.cells).into_iter().partition(|cell| cell.first <= last && cell.last >= first);
            draft.cells = rest;
            for cell in inside {
                match &mut whole {
                    Some(whole) => whole.lines.extend(cell.lines),
                    None => whole = Some(DraftCell { first, last, down, ..cell }),
                }
            }
        }
        drafts[begin].cells.extend(whole);
        drafts[begin].cells.sort_by_key(|cell| cell.first);
    }
}

/// Takes out rows whose cells all belong to rows above; how many of the head are left.
fn leave_empty(drafts: &mut Vec<Draft<'_>>, mut heads: usize) -> usize {
    for at in (0..drafts.len()).rev().filter(|at| *at > 0) {
        if !drafts[at].cells.is_empty() {
            continue;
        }
        for (above, draft) in drafts[..at].iter_mut().enumerate() {
            draft.cells.iter_mut().filter(|cell| above + cell.down > at).for_each(|cell| cell.down -= 1);
        }
        drafts.remove(at);
        heads -= usize::from(at < heads);
    }
    heads
}

fn grid(drafts: Vec<Draft<'_>>, width: usize) -> Vec<Vec<Cell<'_>>> {
    let height = drafts.len();
    // Of each column, how many of the next rows a cell from above takes.
    let mut taken = vec![0_usize; width];
    let mut rows = Vec::with_capacity(height);
    for (at, draft) in drafts.into_iter().enumerate() {
        let mut row = Vec::with_capacity(width);
        let mut cells = draft.cells.into_iter().peekable();
        let mut column = 0;
        while column < width {
            if let Some(cell) = cells.next_if(|cell| cell.first <= column) {
                let down = cell.down.min(height - at);
                let across = cell.last + 1 - column;
                taken[column..=cell.last].fill(down);
                row.push(Cell { lines: cell.lines, across, down });
                column = cell.last + 1;
            } else {
                if taken[column] == 0 {
                    row.push(Cell { lines: Vec::new(), across: 1, down: 1 });
                }
                column += 1;
            }
        }
        taken.iter_mut().for_each(|left| *left = left.saturating_sub(1));
        rows.push(row);
    }
    rows
}
