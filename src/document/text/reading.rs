//! Reading order by geometry: top to bottom, column after column, whatever the order in which a page draws.
//!
//! A gutter that many lines leave free, with text on both sides of it, cuts a part of the page into two columns; what spans
//! the gutter stands above or below that part. Each part is cut further, and what cannot be cut is read row by row. Labels
//! and side heads, whose rows belong to the text beside them, are read with that. (After the recursive XY cut of Nagy and
//! Seth, 1984, with cuts found by what they leave free in place of projections.)

mod beside;
mod icons;
mod inset;
mod running;

use self::beside::{bands, by_rows};
use super::line::Line;
use super::marker::BULLETS;

/// What is ordered as one: a line, or the lines of a table. Lengths in points, along and across the direction of writing.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each says something else of it")]
pub(super) struct Unit {
    /// Indexes of its lines.
    pub(super) lines: Vec<usize>,
    start: f64,
    end: f64,
    top: f64,
    bottom: f64,
    baseline: f64,
    size: f64,
    words: usize,
    right_to_left: bool,
    /// Whether it begins with the sign of an item.
    item: bool,
    /// Whether it is a box to be ticked, which belongs to what stands beside it.
    check_box: bool,
    /// Of several lines: a table.
    block: bool,
    /// Whether it has no letters, as numbers have none.
    number: bool,
    /// Whether it begins with a small letter.
    begins_low: bool,
    /// Its first word, where that has a letter and others come behind it.
    label: Option<String>,
}

impl Unit {
    /// The unit that some lines make; there is at least one.
    pub(super) fn of(lines: &[Line], of: Vec<usize>) -> Self {
        let first = &lines[of[0]];
        let fold = |with: fn(f64, f64) -> f64, value: &dyn Fn(&Line) -> f64| {
            of.iter().map(|at| value(&lines[*at])).reduce(with).unwrap_or(0.0)
        };
        Self {
            start: fold(f64::min, &|line| line.start),
            end: fold(f64::max, &|line| line.end),
            top: fold(f64::min, &|line| line.baseline - line.size * 0.75),
            bottom: fold(f64::max, &|line| line.baseline + line.size * 0.1),
            baseline: first.baseline,
            size: first.size,
            words: of.iter().map(|at| lines[*at].words.len()).sum(),
            right_to_left: first.right_to_left,
            item: first.words[0].text.starts_with(BULLETS),
            check_box: first.words[0].text.starts_with(['☐', '☑', '☒']),
            block: of.len() > 1,
            number: of.iter().all(|at| !lines[*at].words.iter().any(|word| word.text.contains(char::is_alphabetic))),
            begins_low: first.words[0].text.starts_with(char::is_lowercase),
            label: (first.words.len() > 1 && first.words[0].text.contains(char::is_alphabetic))
                .then(|| first.words[0].text.clone()),
            lines: of,
        }
    }

    /// Whether some of it is level with `other`.
    fn is_beside(&self, other: &Self) -> bool {
        self.top < other.bottom && other.top < self.bottom
    }
}

/// Parts are cut at most so often one in the other.
const MOST_CUTS: u32 = 8;
/// A page with more units is a drawing or a form, and stays as it is drawn.
const MOST_UNITS: usize = 800;
/// A gutter is at least so wide, in sizes of the text beside it.
const GUTTER: f64 = 0.8;
/// A gutter of this width, points, is as good as a wider one, where it has so much more text on both sides.
const WIDE: f64 = 60.0;
const LONGER: f64 = 1.2;
/// The first line of a note of two has so many words, and a line of the text that it stands beside so many.
const NOTE_WORDS: usize = 3;
const TEXT_WORDS: usize = 6;
/// Both sides of a gutter have at least so many lines.
const FEWEST_LINES: usize = 2;
/// So many lines of a text stand above what stands amid it, of so many words each on average.
const FEWEST_ABOVE: usize = 4;
const AROUND_WORDS: usize = 5;

/// The order in which units are read, as indexes into them.
pub(super) fn order(units: &[Unit]) -> Vec<usize> {
    let all: Vec<usize> = (0..units.len()).collect();
    if units.len() > MOST_UNITS {
        return all;
    }
    part(units, all, 0)
}

/// The order in which signs are read that are written from top to bottom: the rightmost column first.
pub(super) fn vertical_order(units: &[Unit]) -> Vec<usize> {
    let middle = |at: usize| f64::midpoint(units[at].start, units[at].end);
    let mut sorted: Vec<usize> = (0..units.len()).collect();
    sorted.sort_by(|a, b| middle(*b).total_cmp(&middle(*a)));
    let columns = sorted.chunk_by(|a, b| middle(*a) - middle(*b) < units[*a].size * 0.5);
    let down = |column: &[usize]| {
        let mut column = column.to_vec();
        column.sort_by(|a, b| units[*a].baseline.total_cmp(&units[*b].baseline));
        column
    };
    columns.flat_map(down).collect()
}

fn part(units: &[Unit], mut of: Vec<usize>, cuts: u32) -> Vec<usize> {
    // By height, and by drawing order where that is equal.
    of.sort_by(|a, b| units[*a].baseline.total_cmp(&units[*b].baseline));
    let gutters = if cuts < MOST_CUTS && of.len() > FEWEST_LINES { gutters(units, &of) } else { Vec::new() };
    let Some(mut cut) = best_cut(units, &of, &gutters) else { return rows(units, of) };
    let mut set_in = Vec::new();
    if let Some(inset) = inset::find(units, &of, &gutters).filter(|inset| inset.cut.height > cut.height) {
        (of, set_in, cut) = (inset.rest, inset.units, inset.cut);
    }
    let below = of.split_off(cut.to);
    let inside = of.split_off(cut.from);
    let (left, right): (Vec<usize>, Vec<usize>) = inside.into_iter().partition(|at| units[*at].end < cut.gutter);
    let mut read = part(units, of, cuts + 1);
    if let Some(rows) = by_rows(units, &left, &right) {
        read.extend(bands(units, &left, &right, rows, cuts + 1));
    } else {
        let turned =
            left.iter().chain(&right).filter(|at| units[**at].right_to_left).count() * 2 > left.len() + right.len();
        let (first, second) = if turned { (right, left) } else { (left, right) };
        read.extend(part(units, first, cuts + 1));
        read.extend(part(units, second, cuts + 1));
    }
    // No sentence of the columns is cut by what they make room for.
    read.extend(part(units, set_in, cuts + 1));
    read.extend(part(units, below, cuts + 1));
    read
}

/// Row by row, and each from left to right, or from right to left where it is read so.
fn rows(units: &[Unit], of: Vec<usize>) -> Vec<usize> {
    let mut rows: Vec<Vec<usize>> = Vec::new();
    for at in of {
        match rows.last_mut() {
            Some(row) if units[at].baseline - units[row[0]].baseline < units[at].size * 0.4 => row.push(at),
            _ => rows.push(vec![at]),
        }
    }
    for row in &mut rows {
        row.sort_by(|a, b| units[*a].start.total_cmp(&units[*b].start));
        if row.iter().all(|at| units[*at].right_to_left) {
            row.reverse();
        }
    }
    let mut read = rows.concat();
    icons::before_their_paragraphs(units, &mut read);
    read
}

/// A gutter, and which of the units, by height, it parts.
#[derive(Clone, Copy, Debug)]
struct Cut {
    gutter: f64,
    from: usize,
    to: usize,
    /// How much of its height has text on both sides, and how wide the gutter is.
    height: f64,
    width: f64,
}

/// Where two units that stand beside each other leave enough space free, ascending.
fn gutters(units: &[Unit], of: &[usize]) -> Vec<f64> {
    let mut gutters: Vec<f64> = Vec::new();
    // They are sorted by their baselines, so that what stands beside one is near it in the list.
    let tallest = of.iter().map(|at| units[*at].bottom - units[*at].top).fold(0.0, f64::max);
    for &left in of {
        let unit = &units[left];
        let from = of.partition_point(|at| units[*at].baseline < unit.top - tallest);
        let near = of[from..].iter().map(|at| &units[*at]).take_while(|other| other.baseline <= unit.bottom + tallest);
        let beside = near.filter(|other| other.start > unit.end && other.is_beside(unit));
        let next = beside.map(|other| other.start).fold(f64::MAX, f64::min);
        if next < f64::MAX && next - unit.end >= unit.size * GUTTER {
            gutters.push(f64::midpoint(unit.end, next));
        }
    }
    gutters.sort_by(f64::total_cmp);
    gutters.dedup_by(|a, b| (*a - *b).abs() < 0.5);
    gutters
}

/// The cut that parts the most of a page.
fn best_cut(units: &[Unit], of: &[usize], gutters: &[f64]) -> Option<Cut> {
    let cuts = gutters.iter().flat_map(|gutter| cuts_at(units, of, *gutter));
    // Of gutters of nearly the same height the widest.
    let cuts: Vec<Cut> = cuts.collect();
    let weight = |cut: &Cut| cut.height + cut.width * 0.1;
    let best = cuts.iter().max_by(|a, b| weight(a).total_cmp(&weight(b)))?;
    // A wide gutter that goes on above or below is not cut short for one that is wider yet.
    let goes_on = |cut: &&Cut| {
        cut.from <= best.from && cut.to >= best.to && cut.height > best.height * LONGER && cut.width > WIDE
    };
    cuts.iter().filter(goes_on).max_by(|a, b| a.height.total_cmp(&b.height)).or(Some(best)).copied()
}

/// The parts of a page that a gutter parts into two columns.
fn cuts_at(units: &[Unit], of: &[usize], gutter: f64) -> Vec<Cut> {
    let crosses = |at: usize| units[at].start < gutter && units[at].end > gutter;
    let mut cuts = Vec::new();
    let mut from = 0;
    while from < of.len() {
        let run = of[from..].iter().take_while(|at| !crosses(**at)).count();
        if let Some(cut) = trimmed(units, of, gutter, (from, from + run)) {
            cuts.push(cut);
        }
        from += run + 1;
    }
    cuts
}

/// The run without what stands above and below both columns; `None` when there are none.
fn trimmed(units: &[Unit], of: &[usize], gutter: f64, (mut from, mut to): (usize, usize)) -> Option<Cut> {
    let is_left = |at: usize| units[at].end < gutter;
    let edge = |left: bool, from: usize, to: usize| {
        let side = of[from..to].iter().filter(|at| is_left(**at) == left).map(|at| &units[*at]);
        side.fold((f64::MAX, f64::MIN), |(top, bottom), unit| (top.min(unit.top), bottom.max(unit.bottom)))
    };
    // Lines of one side above or below all of the other one, set off from those of their own, are no part of the columns.
    let (left, right) = (edge(true, from, to), edge(false, from, to));
    let (begin, end) = (left.0.max(right.0), left.1.min(right.1));
    let is_above = |at: &usize| {
        let next = of[at + 1..to].iter().find(|next| is_left(**next) == is_left(of[*at]));
        units[of[*at]].bottom < begin && next.is_none_or(|next| far(&units[of[*at]], &units[*next]))
    };
    let is_below = |at: &usize| {
        let last = of[from..*at].iter().rfind(|last| is_left(**last) == is_left(of[*at]));
        units[of[*at]].top > end && last.is_none_or(|last| far(&units[*last], &units[of[*at]]))
    };
    // But a column may go on alone where nothing spans the gutter any more.
    let first = (from..to).rfind(is_above).filter(|_| from > 0);
    let last = (from..to).find(is_below).filter(|_| to < of.len());
    from = first.map_or(from, |at| at + 1);
    to = last.unwrap_or(to);
    if from >= to {
        return None;
    }
    let side = |left: bool| of[from..to].iter().copied().filter(move |at| is_left(*at) == left);
    let (lefts, rights) = (side(true).count(), side(false).count());
    if lefts * rights == 0 {
        return None;
    }
    // A single line beside a column is another one when it is drawn before or after all of that.
    let is_drawn_apart = |left: bool| {
        let drawn = |left: bool| side(left).map(|at| units[at].lines[0]);
        let (Some(first), Some(last)) = (drawn(!left).min(), drawn(!left).max()) else { return false };
        side(!left).count() > FEWEST_LINES && (drawn(left).all(|at| at < first) || drawn(left).all(|at| at > last))
    };
    let amid = match (lefts, rights) {
        (1, _) => is_amid(units, side(true), side(false)),
        (_, 1) => is_amid(units, side(false), side(true)),
        _ => false,
    };
    let is_column = |left: bool, lines: usize| {
        lines >= FEWEST_LINES || side(left).any(|at| units[at].block) || is_drawn_apart(left) || amid
    };
    if !is_column(true, lefts) || !is_column(false, rights) {
        return None;
    }
    let height = shared_height(units, &of[from..to], gutter);
    let width = side(false).map(|at| units[at].start).fold(f64::MAX, f64::min)
        - side(true).map(|at| units[at].end).fold(f64::MIN, f64::max);
    let smallest = side(true).chain(side(false)).map(|at| units[at].size).fold(f64::MAX, f64::min);
    let is_note = |left: bool, lines: usize, beside: usize| {
        let words = side(!left).map(|at| units[at].words).sum::<usize>();
        lines == 2 && side(left).next().is_some_and(|at| units[at].words >= NOTE_WORDS) && words >= beside * TEXT_WORDS
    };
    let needed = match lefts.min(rights) {
        1 => 0.5,
        // Its lines are set closer than those of the text, and are level with little of it.
        2 if is_note(true, lefts, rights) || is_note(false, rights, lefts) => 1.0,
        _ => 1.5,
    };
    // It may stand between two of their lines, level with neither.
    ((amid || height > smallest * needed) && width >= smallest * GUTTER).then_some(Cut {
        gutter,
        from,
        to,
        height,
        width,
    })
}

/// Whether one unit is set off from another one above it.
fn far(above: &Unit, below: &Unit) -> bool {
    below.top - above.bottom > below.size.max(above.size) * 0.9
}

/// Whether a single unit stands amid the lines of a text, such as the caption of a picture that they make room for.
fn is_amid(units: &[Unit], single: impl Iterator<Item = usize>, others: impl Iterator<Item = usize>) -> bool {
    // A number is that of the page, or of a line.
    let Some(single) = single.map(|at| &units[at]).find(|unit| !unit.number) else { return false };
    let (above, below): (Vec<&Unit>, Vec<&Unit>) =
        others.map(|at| &units[at]).partition(|unit| unit.baseline < single.baseline);
    let words: usize = above.iter().map(|unit| unit.words).sum();
    above.len() >= FEWEST_ABOVE && !below.is_empty() && words >= above.len() * AROUND_WORDS
}

/// How much of their height has text on both sides of a gutter.
fn shared_height(units: &[Unit], of: &[usize], gutter: f64) -> f64 {
    let (mut left, mut right) = ((f64::MIN, f64::MIN), (f64::MIN, f64::MIN));
    let (mut shared, mut counted) = (0.0, f64::MIN);
    for at in of {
        let unit = &units[*at];
        let (own, other) = if unit.end < gutter { (&mut left, right) } else { (&mut right, left) };
        *own = (unit.top, unit.bottom);
        let (top, bottom) = (unit.top.max(other.0).max(counted), unit.bottom.min(other.1));
        if bottom > top {
            shared += bottom - top;
            counted = bottom;
        }
    }
    shared
}

#[cfg(test)]
mod tests {
    use super::super::line::Word;
    use super::*;

    /// A unit of one line of so many words.
    fn unit(start: f64, end: f64, baseline: f64, words: usize) -> Unit {
        let words = (0..words).map(|_| Word::at("word", start, end)).collect();
        Unit::of(&[Line::of(words, baseline, 10.0)], vec![0])
    }

    fn column(start: f64, top: f64, lines: u32) -> impl Iterator<Item = Unit> {
        (0..lines).map(move |at| unit(start, start + 200.0, top + 12.0 * f64::from(at), 8))
    }

    #[test]
    fn columns_are_read_one_after_the_other_whatever_is_drawn_first() {
        // The right column first, out of step; a heading that spans both comes last.
        let mut units: Vec<Unit> = column(300.0, 105.0, 4).chain(column(50.0, 100.0, 4)).collect();
        units.push(unit(50.0, 400.0, 70.0, 5));
        assert_eq!(order(&units), [8, 4, 5, 6, 7, 0, 1, 2, 3]);
        // A heading amid them parts them.
        units.push(unit(50.0, 350.0, 170.0, 4));
        units.extend(column(300.0, 200.0, 3));
        units.extend(column(50.0, 200.0, 3));
        assert_eq!(order(&units), [8, 4, 5, 6, 7, 0, 1, 2, 3, 9, 13, 14, 15, 10, 11, 12]);
    }

    #[test]
    fn a_line_amid_a_text_is_read_before_it() {
        // The third line begins a paragraph; what stands left of the fifth is the caption of a picture.
        let mut units: Vec<Unit> = column(120.0, 100.0, 9).collect();
        units[2] = unit(130.0, 320.0, 124.0, 8);
        units.push(unit(20.0, 90.0, 150.0, 3));
        assert_eq!(order(&units), [0, 1, 9, 2, 3, 4, 5, 6, 7, 8]);
        // Or it stands between two lines, and belongs to none of them.
        let words = vec![Word::at("word", 20.0, 90.0); 3];
        units[9] = Unit::of(&[Line::of(words, 152.5, 4.0)], vec![0]);
        assert_eq!(order(&units), [9, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
        // A number there is that of a line.
        units[9] = Unit::of(&[Line::of(vec![Word::at("5", 80.0, 84.0)], 152.5, 4.0)], vec![0]);
        assert_eq!(order(&units), [0, 1, 2, 3, 4, 9, 5, 6, 7, 8]);
    }

    #[test]
    fn three_columns_are_three() {
        let units: Vec<Unit> =
            [560.0, 50.0, 300.0].into_iter().flat_map(|start| column(start, 100.0 + start / 100.0, 3)).collect();
        assert_eq!(order(&units), [3, 4, 5, 6, 7, 8, 0, 1, 2]);
    }

    #[test]
    fn columns_of_another_height_end_where_they_end() {
        let at = |start: f64, end: f64, baseline: f64| {
            Unit::of(&[Line::of(vec![Word::at("word", start, end); 7], baseline, 9.5)], vec![0])
        };
        let rows = |top: f64, row: u32| top + 12.16 * f64::from(row);
        let mut units = vec![at(60.0, 300.0, 80.0), at(60.0, 360.0, 100.0)];
        units.extend((0..5).map(|row| at(60.0, 206.0, rows(130.0, row))));
        units.push(at(60.0, 90.0, rows(130.0, 5)));
        units.extend((0..5).map(|row| at(223.0, 370.0, rows(130.0, row))));
        units.extend((0..5).map(|row| at(386.0, 532.0, rows(130.0, row))));
        units.push(at(386.0, 470.0, rows(130.0, 5)));
        units.push(at(60.0, 250.0, 240.0));
        units.extend((0..3).map(|row| at(60.0, 290.0, rows(270.0, row))));
        units.extend((0..4).map(|row| at(305.0, 535.0, rows(270.0, row))));
        assert_eq!(order(&units), (0..units.len()).collect::<Vec<_>>());
    }

    #[test]
    fn labels_and_side_heads_stay_with_what_stands_beside_them() {
        let rows = |at: u32| 100.0 + 14.0 * f64::from(at);
        let labels: Vec<Unit> = (0..4)
            .map(|at| unit(50.0, 90.0, rows(at), 1))
            .chain((0..4).map(|at| unit(150.0, 190.0, rows(at), 2)))
            .collect();
        assert_eq!(order(&labels), [0, 4, 1, 5, 2, 6, 3, 7]);
        let mut heads: Vec<Unit> = column(150.0, 100.0, 3).chain(column(150.0, 200.0, 3)).collect();
        heads.extend([unit(50.0, 100.0, 200.0, 1), unit(50.0, 100.0, 100.0, 1), unit(50.0, 90.0, 112.0, 1)]);
        assert_eq!(order(&heads), [7, 8, 0, 1, 2, 6, 3, 4, 5]);
    }

    #[test]
    fn a_note_beside_a_paragraph_is_read_before_it_and_not_amid_it() {
        let mut units: Vec<Unit> = column(150.0, 100.0, 4).chain(column(150.0, 172.0, 4)).collect();
        units.extend([unit(50.0, 90.0, 124.0, 1), unit(50.0, 90.0, 172.0, 1)]);
        assert_eq!(order(&units), [8, 0, 1, 2, 3, 9, 4, 5, 6, 7]);
        // One of two lines, set closer than the text.
        let small = |baseline: f64, words: usize| {
            let mut line = Line::of((0..words).map(|_| Word::at("word", 50.0, 120.0)).collect(), baseline, 8.0);
            line.size = 8.0;
            Unit::of(&[line], vec![0])
        };
        let mut units: Vec<Unit> = (0..4).map(|at| unit(150.0, 400.0, 100.0 + 14.0 * f64::from(at), 9)).collect();
        units.extend([small(112.0, 4), small(122.0, 2)]);
        assert_eq!(order(&units), [4, 5, 0, 1, 2, 3]);
    }

    #[test]
    fn the_word_of_an_icon_is_read_before_the_paragraph_that_leaves_room_for_it() {
        let icon = |baseline: f64| {
            let mut line = Line::of(vec![Word::at("CAUTION", 50.0, 74.0)], baseline, 5.0);
            line.size = 5.0;
            Unit::of(&[line], vec![0])
        };
        let set_in = |row: u32| unit(80.0, 250.0, 100.0 + 12.0 * f64::from(row), 8);
        let units = vec![set_in(0), set_in(1), icon(118.0), set_in(2), unit(50.0, 250.0, 136.0, 8)];
        assert_eq!(order(&units), [2, 0, 1, 3, 4]);
        // Beside lines of few words it is one more of them.
        let few = |row: u32| unit(80.0, 250.0, 100.0 + 12.0 * f64::from(row), 2);
        let units = vec![few(0), icon(106.0), few(1), few(2)];
        assert_eq!(order(&units), [0, 1, 2, 3]);
    }

    #[test]
    fn addresses_side_by_side_are_no_labels() {
        let at = |start: f64, row: u32| unit(start, start + 70.0, 100.0 + 13.0 * f64::from(row), 2);
        let units: Vec<Unit> = (0..3).flat_map(|row| [at(50.0, row), at(300.0, row)]).collect();
        assert_eq!(order(&units), [0, 2, 4, 1, 3, 5]);
    }

    #[test]
    fn accounts_side_by_side_are_read_one_after_the_other_and_samples_row_by_row() {
        let at = |texts: [&str; 2], column: u32, row: u32| {
            let (start, baseline) = (50.0 + 110.0 * f64::from(column), 100.0 + 9.0 * f64::from(row));
            let words = vec![Word::at(texts[0], start, start + 30.0), Word::at(texts[1], start + 34.0, start + 95.0)];
            Unit::of(&[Line::of(words, baseline, 7.0)], vec![0])
        };
        let all = |labels: [&str; 3]| -> Vec<Unit> {
            let cell = |row: u32| (0..3).map(move |column| (column, row));
            (0..3).flat_map(cell).map(|(column, row)| at([labels[row as usize], "EE24"], column, row)).collect()
        };
        assert_eq!(order(&all(["Bank", "SWIFT:", "IBAN:"])), [0, 3, 6, 1, 4, 7, 2, 5, 8]);
        assert_eq!(order(&all(["A", "A", "A"])), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn a_column_goes_on_below_the_other_one_where_the_gutter_between_them_would_be_wider() {
        let line = |start: f64, end: f64, baseline: f64| unit(start, end, baseline, 2);
        // A title and an address, the last lines of which are wider, beside small print out of step.
        let mut units = vec![line(60.0, 194.0, 57.0)];
        units.extend((0..7).map(|row| line(60.0, if row < 5 { 100.0 } else { 148.0 }, 110.0 + 15.3 * f64::from(row))));
        let small = [51.0, 62.0, 74.0, 86.0, 106.0, 118.0, 129.0, 141.0, 153.0, 164.0, 176.0];
        units.extend(small.map(|baseline| line(300.0, 430.0, baseline)));
        units.push(line(40.0, 560.0, 240.0));
        assert_eq!(order(&units), (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn one_column_is_read_from_top_to_bottom() {
        let mut units: Vec<Unit> = column(50.0, 100.0, 5).collect();
        units.reverse();
        units.push(unit(50.0, 100.0, 160.0, 2));
        units.push(unit(260.0, 300.0, 160.0, 1));
        assert_eq!(order(&units), [4, 3, 2, 1, 0, 5, 6]);
    }
}
