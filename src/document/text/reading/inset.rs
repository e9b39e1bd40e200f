//! What is set into both columns of a text, such as a pull quote, or the caption of a picture between them: the lines beside it
//! make room for it, and the columns go on above or below.

use super::{Cut, FEWEST_LINES, Unit, cuts_at};

/// So many lines of each column stand above or below it, where the gutter is free,
const FEWEST_FREE: usize = 3;
/// this much of the lines of a column begin, or end, at one place,
const FLUSH: f64 = 0.6;
/// as near as this, in sizes,
const NEAR: f64 = 0.5;
/// and so many words stand in each of them on average.
const PROSE_WORDS: usize = 3;
/// Its own lines are at most so far apart, in sizes.
const MOST_DROP: f64 = 3.0;

/// Columns with what is set into both of them.
pub(super) struct Inset {
    /// The part of the page without it.
    pub(super) rest: Vec<usize>,
    /// What is set into the columns of the cut.
    pub(super) units: Vec<usize>,
    /// How the rest is cut.
    pub(super) cut: Cut,
}

/// The highest columns of a part of the page that something is set into; `of` goes by height.
pub(super) fn find(units: &[Unit], of: &[usize], gutters: &[f64]) -> Option<Inset> {
    let found = gutters.iter().flat_map(|gutter| at(units, of, *gutter));
    found.max_by(|a, b| a.cut.height.total_cmp(&b.cut.height))
}

fn at(units: &[Unit], of: &[usize], gutter: f64) -> Vec<Inset> {
    let crosses = |unit: &Unit| unit.start < gutter && unit.end > gutter;
    let crossing: Vec<usize> = (0..of.len()).filter(|at| crosses(&units[of[*at]])).collect();
    let close = |a: &usize, b: &usize| {
        let (above, below) = (&units[of[*a]], &units[of[*b]]);
        below.top - above.bottom < above.size.max(below.size) * MOST_DROP
    };
    let groups: Vec<&[usize]> = crossing.chunk_by(close).collect();
    let inset = |at: usize| {
        let from = at.checked_sub(1).and_then(|at| groups[at].last()).map_or(0, |last| last + 1);
        let to = groups.get(at + 1).map_or(of.len(), |next| next[0]);
        let set: Vec<usize> = groups[at].iter().map(|at| of[*at]).collect();
        if !is_inset(units, &of[from..to], &set, gutter) {
            return None;
        }
        let rest: Vec<usize> = of.iter().copied().filter(|at| !set.contains(at)).collect();
        let (first, last) = (units[set[0]].baseline, units[set[set.len() - 1]].baseline);
        let holds = |cut: &Cut| {
            let baseline = |at: usize| units[rest[at]].baseline;
            baseline(cut.from) < last && baseline(cut.to - 1) > first
        };
        let cut = cuts_at(units, &rest, gutter).into_iter().find(holds)?;
        Some(Inset { rest, units: set, cut })
    };
    (0..groups.len()).filter_map(inset).collect()
}

/// Whether `set` stands amid the columns beside a gutter that the units of `of` make.
fn is_inset(units: &[Unit], of: &[usize], set: &[usize], gutter: f64) -> bool {
    let edge = |with: fn(f64, f64) -> f64, value: fn(&Unit) -> f64| {
        set.iter().map(|at| value(&units[*at])).reduce(with).unwrap_or_default()
    };
    let (start, end) = (edge(f64::min, |unit| unit.start), edge(f64::max, |unit| unit.end));
    let (top, bottom) = (edge(f64::min, |unit| unit.top), edge(f64::max, |unit| unit.bottom));
    let is_column = |left: bool| {
        let is_of = |unit: &&Unit| if left { unit.end < gutter } else { unit.start > gutter };
        let side: Vec<&Unit> = of.iter().map(|at| &units[*at]).filter(is_of).collect();
        let (beside, free): (Vec<&Unit>, Vec<&Unit>) =
            side.iter().partition(|unit| unit.top < bottom && top < unit.bottom);
        let makes_room = |unit: &&Unit| if left { unit.end < start } else { unit.start > end };
        beside.len() >= FEWEST_LINES && beside.iter().all(makes_room) && free.len() >= FEWEST_FREE && is_prose(&side)
    };
    is_column(true) && is_column(false)
}

/// Whether these are lines of a column of prose: most begin or end at one place.
#[allow(clippy::cast_precision_loss, reason = "few")]
fn is_prose(side: &[&Unit]) -> bool {
    let flush = |edge: fn(&Unit) -> f64| {
        let outer = side.iter().map(|unit| edge(unit)).fold(f64::MAX, f64::min);
        side.iter().filter(|unit| edge(unit) - outer < unit.size * NEAR).count() as f64 >= side.len() as f64 * FLUSH
    };
    let words: usize = side.iter().map(|unit| unit.words).sum();
    (flush(|unit| unit.start) || flush(|unit| -unit.end))
        && words >= side.len() * PROSE_WORDS
        && !side.iter().any(|unit| unit.block)
}

#[cfg(test)]
mod tests {
    use super::super::super::line::{Line, Word};
    use super::super::order;
    use super::*;

    fn unit(start: f64, end: f64, row: u32) -> Unit {
        let words = vec![Word::at("word", start, end); 7];
        Unit::of(&[Line::of(words, 100.0 + 12.0 * f64::from(row), 10.0)], vec![0])
    }

    /// Two columns of so many lines; those of some rows make room for what stands there.
    fn columns(room: std::ops::Range<u32>) -> Vec<Unit> {
        let left = (0..12).map(|row| unit(50.0, if room.contains(&row) { 180.0 } else { 250.0 }, row));
        let right = (0..12).map(|row| unit(if room.contains(&row) { 340.0 } else { 270.0 }, 470.0, row));
        left.chain(right).collect()
    }

    #[test]
    fn columns_are_read_past_what_is_set_into_both_of_them() {
        let mut units = columns(4..8);
        units.extend((5..7).map(|row| unit(200.0, 320.0, row)));
        units.push(unit(50.0, 470.0, 14));
        assert_eq!(order(&units), (0..27).collect::<Vec<_>>());
    }

    #[test]
    fn what_spans_both_columns_parts_them() {
        let mut units = columns(0..0);
        units.retain(|unit| (unit.baseline - 160.0).abs() > 1.0);
        units.push(unit(50.0, 470.0, 5));
        let below = |left: usize| left + 5..left + 11;
        let expected = [0..5, 11..16, 22..23, below(0), below(11)].into_iter().flatten();
        assert_eq!(order(&units), expected.collect::<Vec<_>>());
    }
}
