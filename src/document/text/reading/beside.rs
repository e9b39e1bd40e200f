//! Labels, side heads and notes: what stands left of a gutter and is read row by row with what stands beside it.

use std::collections::BTreeSet;

use super::{Unit, icons, part, running};

/// A value is at most so far from its label, in sizes.
const MOST_LABEL_GAP: f64 = 14.0;
/// So many different labels stand on both sides of a gutter when these are of two things.
const FEWEST_ALIKE: usize = 2;

/// What stands left of a gutter and belongs to what stands beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    /// Labels of values.
    Labels,
    /// Side heads of paragraphs, and notes beside them.
    Heads,
}

/// Whether what stands left of a gutter belongs to what stands beside it, and how.
pub(super) fn by_rows(units: &[Unit], left: &[usize], right: &[usize]) -> Option<Rows> {
    let level = |at: &usize| {
        let unit = &units[*at];
        right
            .iter()
            .any(|other| (units[*other].baseline - unit.baseline).abs() < unit.size.min(units[*other].size) * 0.35)
    };
    let heads: Vec<usize> = heads(units, left);
    let aligned = heads.iter().filter(|at| level(at)).count() * 5 >= heads.len() * 4;
    let mean = |of: &[usize], value: &dyn Fn(&Unit) -> f64| {
        of.iter().map(|at| value(&units[*at])).sum::<f64>() / f64::from(u32::try_from(of.len()).unwrap_or(u32::MAX))
    };
    let words = |of: &[usize]| mean(of, &|unit| f64::from(u32::try_from(unit.words).unwrap_or(u32::MAX)));
    let width = |of: &[usize]| mean(of, &|unit| unit.end - unit.start);
    // Labels stand before one value each; side heads are fewer, and narrower, than the lines of their text.
    let size = left.iter().map(|at| units[*at].size).fold(f64::MIN, f64::max);
    let even = left.iter().all(|at| units[*at].size > size * 0.8 && !units[*at].item);
    let mut sorted: Vec<f64> = right.iter().map(|at| units[*at].baseline).collect();
    sorted.sort_by(f64::total_cmp);
    let rows = sorted.chunk_by(|a, b| b - a < size * 0.4).count();
    let gap = right.iter().map(|at| units[*at].start).fold(f64::MAX, f64::min)
        - left.iter().map(|at| units[*at].end).fold(f64::MIN, f64::max);
    let numbers = right.iter().filter(|at| units[**at].number).count() * 2 > right.len();
    let near = numbers || gap < size * MOST_LABEL_GAP;
    let labels = near && even && heads.len() * 5 >= rows * 4 && words(left) < 3.5 && words(right) < 5.0
        || words(left) < 2.0 && width(left) < size * 4.0
        || even && words(right) < 2.0 && width(right) < size * 4.0;
    let side_heads = heads.len() * 2 <= right.len() && words(left) < 4.0 && width(left) < width(right) * 0.5;
    match () {
        () if !aligned || running::are_both(units, left, right) || are_alike(units, left, right) => None,
        () if labels && icons::are_all(units, left, right) => Some(Rows::Heads),
        () if labels => Some(Rows::Labels),
        () => side_heads.then_some(Rows::Heads),
    }
}

/// Whether most lines on the right have a label that one level with them on the left has, too, as those of several accounts
/// have. Where all labels are one they are samples.
fn are_alike(units: &[Unit], left: &[usize], right: &[usize]) -> bool {
    let is_alike = |at: &&usize| {
        let unit = &units[**at];
        let level = |other: &Unit| (other.baseline - unit.baseline).abs() < unit.size * 0.35;
        unit.label.is_some() && left.iter().any(|at| level(&units[*at]) && units[*at].label == unit.label)
    };
    let alike: Vec<&str> = right.iter().filter(is_alike).filter_map(|at| units[*at].label.as_deref()).collect();
    let labels: BTreeSet<&str> = alike.iter().copied().collect();
    labels.len() >= FEWEST_ALIKE && alike.len() * 2 >= right.len()
}

/// The first lines of blocks of lines that stand close one under the other.
fn heads(units: &[Unit], of: &[usize]) -> Vec<usize> {
    let is_head = |at: &usize| {
        let unit = &units[of[*at]];
        *at == 0 || unit.top - units[of[at - 1]].bottom > unit.size * 0.6
    };
    let close: Vec<usize> = (0..of.len()).filter(is_head).map(|at| of[at]).collect();
    // Labels of a list stand close, too, and each is a head.
    if close.len() * 2 < of.len() { of.to_vec() } else { close }
}

/// Each head with what stands right of it, down to the next head.
pub(super) fn bands(units: &[Unit], left: &[usize], right: &[usize], rows: Rows, cuts: u32) -> Vec<usize> {
    let heads = heads(units, left);
    let place = |head: usize| {
        let at = units[head].baseline - units[head].size * 0.35;
        if rows == Rows::Heads { paragraph_start(units, right, at) } else { at }
    };
    let mut places = heads.iter().skip(1).map(|head| place(*head)).chain([f64::MAX]);
    let mut beside = right.iter().copied().peekable();
    let mut band = |before: f64| {
        let band: Vec<usize> = std::iter::from_fn(|| beside.next_if(|at| units[*at].baseline < before)).collect();
        part(units, band, cuts)
    };
    let mut read = band(heads.first().map_or(f64::MAX, |head| place(*head)));
    for group in left.chunk_by(|_, next| !heads.contains(next)) {
        read.extend(group);
        read.extend(band(places.next().unwrap_or(f64::MAX)));
    }
    read
}

/// Where the paragraph begins that a note beside it at `at` stands next to: there, unless that is amid the paragraph.
fn paragraph_start(units: &[Unit], right: &[usize], at: f64) -> f64 {
    let begin = right.iter().position(|of| units[*of].baseline >= at).unwrap_or(right.len());
    let Some(mut first) = right.get(begin).copied() else { return at };
    let edge = right.iter().map(|of| units[*of].end).fold(f64::MIN, f64::max);
    let mut moved = false;
    for above in right[..begin].iter().rev().copied() {
        let (unit, last) = (&units[first], &units[above]);
        let close = unit.baseline - last.baseline < unit.size * 1.5 && (unit.size - last.size).abs() < unit.size * 0.1;
        let full = edge - last.end < last.size * 3.0 && !unit.block && !last.block;
        let set_in = unit.start - last.start > unit.size * 0.8;
        if !close || !full || set_in || unit.item {
            break;
        }
        (first, moved) = (above, true);
    }
    if moved { units[first].baseline - units[first].size * 0.35 } else { at }
}
