//! Rules → regions of the page that may be tables.

use std::collections::BTreeSet;

use super::collect::RulingLine;
use super::line::Line;

/// Rules and words this near belong together, points.
const NEAR: f64 = 2.5;
/// So far, in sizes, the last cell of a row may stand out of what rules enclose.
const STANDS_OUT: f64 = 1.5;
/// Rules that go so far over others are open ends of a table, points.
const OPEN: f64 = 5.0;
/// Rules of staves are nearer to each other than so many sizes of the letters among them, and leave so many gaps at least.
const STAVE: f64 = 0.85;
const STAVE_GAPS: usize = 4;
/// A drawing has so many ends of rules at least.
const FEWEST_ENDS: usize = 24;
/// And so many places of its grid, either way.
const FEWEST_PLACES: usize = 5;
/// More rules in one grid are a drawing.
const MOST_IN_GRID: usize = 400;

/// Rules that touch each other, as lines of a grid.
pub(super) struct Region {
    pub(super) xs: Vec<f64>,
    pub(super) ys: Vec<f64>,
    uprights: Vec<RulingLine>,
    levels: Vec<RulingLine>,
    left: f64,
    right: f64,
}

impl Region {
    /// Whether a rule stands at each of its places, at the height `y`.
    pub(super) fn parted(&self, y: f64) -> Vec<bool> {
        let stands =
            |x: f64| self.uprights.iter().any(|rule| (rule.at - x).abs() < NEAR * 2.0 && rule.from < y && rule.to > y);
        self.xs.iter().map(|x| stands(*x)).collect()
    }

    /// Its left side, its upper, right and lower one.
    pub(super) fn area(&self) -> [f64; 4] {
        let left = self.xs.first().copied().unwrap_or(self.left).min(self.left);
        let right = self.xs.last().copied().unwrap_or(self.right).max(self.right);
        let (top, bottom) = (self.ys.first().copied().unwrap_or(0.0), self.ys.last().copied().unwrap_or(0.0));
        [left, top, right, bottom]
    }

    /// Its upright rules.
    pub(super) fn uprights(&self) -> &[RulingLine] {
        &self.uprights
    }

    /// Whether a level rule stands at the height `y`, in most of the space between two places.
    pub(super) fn is_ruled(&self, y: f64, (left, right): (f64, f64)) -> bool {
        let here = self.levels.iter().filter(|rule| (rule.at - y).abs() < NEAR * 1.5);
        here.map(|rule| rule.to.min(right) - rule.from.max(left)).filter(|width| *width > 0.0).sum::<f64>()
            > (right - left) * 0.5
    }

    /// Whether most of its level rules are parts of staves: evenly apart, and nearer than letters of this size are high.
    pub(super) fn is_staves(&self, size: f64) -> bool {
        let gaps: Vec<f64> = self.ys.windows(2).map(|ys| ys[1] - ys[0]).collect();
        let even = |a: &f64, b: &f64| *a < size * STAVE && (a - b).abs() < a * 0.15;
        let staves = gaps.chunk_by(even).filter(|gaps| gaps.len() >= STAVE_GAPS).map(<[f64]>::len).sum::<usize>();
        staves > 0 && staves * 5 >= gaps.len() * 3
    }

    /// Whether it is a drawing: some of its rules end amid it, and most of the places of their grid are empty. Rules of
    /// tables end at others, or where all of it ends; title blocks leave as many places empty, and none of their ends loose.
    pub(super) fn is_drawing(&self) -> bool {
        let ends = (self.levels.len() + self.uprights.len()) * 2;
        let is_wide = self.xs.len() > FEWEST_PLACES && self.ys.len() > FEWEST_PLACES;
        is_wide && ends >= FEWEST_ENDS && self.loose_ends() * 8 >= ends && self.is_sparse()
    }

    /// Whether rules stand at less than half of the places of their grid, level and upright ones.
    fn is_sparse(&self) -> bool {
        let places = || self.xs.windows(2).map(|xs| (xs[0], xs[1]));
        let level = self.ys.iter().flat_map(|y| places().map(|place| self.is_ruled(*y, place)));
        let upright = self.ys.windows(2).flat_map(|ys| self.parted(f64::midpoint(ys[0], ys[1])));
        let is_few = |stands: Vec<bool>| stands.iter().filter(|stands| **stands).count() * 2 < stands.len();
        is_few(level.collect()) && is_few(upright.collect())
    }

    /// How many ends of its rules stand within it, and on no other rule.
    fn loose_ends(&self) -> usize {
        let [left, top, right, bottom] = self.area();
        let loose = |rule: &RulingLine, end: f64, others: &[RulingLine]| {
            let (first, last) = if rule.upright { (top, bottom) } else { (left, right) };
            let inside = end > first + OPEN && end < last - OPEN;
            let meets = |other: &RulingLine| {
                (other.at - end).abs() < NEAR * 1.5
                    && rule.at > other.from - NEAR * 1.5
                    && rule.at < other.to + NEAR * 1.5
            };
            inside && !others.iter().any(meets)
        };
        let ends = |rules: &[RulingLine], others: &[RulingLine]| {
            rules
                .iter()
                .map(|rule| usize::from(loose(rule, rule.from, others)) + usize::from(loose(rule, rule.to, others)))
                .sum::<usize>()
        };
        ends(&self.levels, &self.uprights) + ends(&self.uprights, &self.levels)
    }

    /// Whether a line stands in it.
    pub(super) fn holds(&self, line: &Line) -> bool {
        let (Some(top), Some(bottom)) = (self.ys.first(), self.ys.last()) else { return false };
        let middle = line.baseline - line.size * 0.3;
        let inside = middle > top - NEAR && middle < bottom + NEAR;
        // A bold number is wider than those above it, and may stand out.
        let is_last =
            self.uprights.is_empty() && line.start > f64::midpoint(self.left, self.right) && line.start < self.right;
        let reach = if is_last { (NEAR * 2.0).max(line.size * STANDS_OUT) } else { NEAR * 2.0 };
        inside && line.start > self.left - NEAR * 2.0 && line.end < self.right + reach
    }
}

/// Grids, and stacks of level rules of the same width.
pub(super) fn regions(rules: &[RulingLine]) -> Vec<Region> {
    let level = joined(rules.iter().filter(|rule| !rule.upright && !rule.soft));
    let upright = joined(rules.iter().filter(|rule| rule.upright));
    if level.len() + upright.len() > MOST_IN_GRID {
        return Vec::new();
    }
    let all: Vec<RulingLine> = level.into_iter().chain(upright).collect();
    let mut group: Vec<usize> = (0..all.len()).collect();
    for a in 0..all.len() {
        for b in a + 1..all.len() {
            if touch(&all[a], &all[b]) || stacked(&all[a], &all[b]) {
                let (from, to) = (group[a], group[b]);
                group.iter_mut().filter(|of| **of == from).for_each(|of| *of = to);
            }
        }
    }
    let names: BTreeSet<usize> = group.iter().copied().collect();
    let region = |name: usize| {
        let members: Vec<&RulingLine> = (0..all.len()).filter(|at| group[*at] == name).map(|at| &all[at]).collect();
        let places = |upright: bool| distinct(members.iter().filter(|r| r.upright == upright).map(|rule| rule.at));
        let (mut xs, mut ys) = (places(true), places(false));
        let level = members.iter().filter(|rule| !rule.upright);
        let (left, right) = level.fold((f64::MAX, f64::MIN), |(l, r), rule| (l.min(rule.from), r.max(rule.to)));
        // Tables are often open at their sides.
        if !xs.is_empty() {
            if xs[0] > left + NEAR * 2.0 {
                xs.insert(0, left);
            }
            if xs[xs.len() - 1] < right - NEAR * 2.0 {
                xs.push(right);
            }
        }
        let (uprights, levels): (Vec<RulingLine>, Vec<RulingLine>) =
            members.iter().map(|rule| **rule).partition(|rule: &RulingLine| rule.upright);
        open_ends(&mut ys, &uprights);
        Region { xs, ys, uprights, levels, left, right }
    };
    let mut regions: Vec<Region> = names.into_iter().map(region).filter(|region| region.ys.len() >= 2).collect();
    // Inner ones first: a frame around everything is no table.
    regions.sort_by(|a, b| (a.right - a.left).total_cmp(&(b.right - b.left)));
    regions
}

/// Upright rules may go on above the first level one, or below the last.
fn open_ends(ys: &mut Vec<f64>, uprights: &[RulingLine]) {
    let all = distinct(uprights.iter().map(|rule| rule.at)).len();
    let (Some(&first), Some(&last)) = (ys.first(), ys.last()) else { return };
    let beyond = |of: fn(&RulingLine) -> f64, past: fn(f64, f64) -> f64, edge: f64| {
        let open = || uprights.iter().filter(|rule| past(of(rule), edge) > OPEN);
        let ends: Vec<f64> = open().map(of).collect();
        // As most of them do.
        (distinct(open().map(|rule| rule.at)).len() * 2 >= all)
            .then(|| ends.into_iter().reduce(|a, b| if past(a, b) > 0.0 { b } else { a }))
            .flatten()
    };
    let below = beyond(|rule| rule.to, |at, edge| at - edge, last);
    let above = beyond(|rule| rule.from, |at, edge| edge - at, first);
    ys.extend(below);
    if let Some(above) = above {
        ys.insert(0, above);
    }
}

/// Rules on one line that overlap or nearly touch, as one.
fn joined<'a>(rules: impl Iterator<Item = &'a RulingLine>) -> Vec<RulingLine> {
    let mut sorted: Vec<RulingLine> = rules.copied().collect();
    sorted.sort_by(|a, b| {
        let line = |rule: &RulingLine| (rule.at / NEAR).round();
        line(a).total_cmp(&line(b)).then(a.from.total_cmp(&b.from))
    });
    let mut joined: Vec<RulingLine> = Vec::new();
    for rule in sorted {
        match joined.last_mut() {
            Some(last) if (last.at - rule.at).abs() < NEAR && rule.from < last.to + NEAR => {
                last.to = last.to.max(rule.to);
            }
            _ => joined.push(rule),
        }
    }
    joined
}

fn touch(a: &RulingLine, b: &RulingLine) -> bool {
    let reaches = |a: &RulingLine, b: &RulingLine| b.at > a.from - NEAR && b.at < a.to + NEAR;
    a.upright != b.upright && reaches(a, b) && reaches(b, a)
}

/// Level rules one above the other, of the same width.
fn stacked(a: &RulingLine, b: &RulingLine) -> bool {
    !a.upright && !b.upright && (a.from - b.from).abs() < NEAR && (a.to - b.to).abs() < NEAR
}

fn distinct(places: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut places: Vec<f64> = places.collect();
    places.sort_by(f64::total_cmp);
    places.dedup_by(|a, b| (*a - *b).abs() < NEAR);
    places
}
