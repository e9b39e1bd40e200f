//! What lies between columns of prose on a scan. Pure.
//!
//! A detector leaves out wide spaces within a line, so what stands on one baseline is one line; but between narrow columns there
//! is no more room than that. There the rows above and below have theirs at the same place.

use super::{end, start};
use crate::document::ocr::ScannedLine;

/// Rows not farther than so many sizes tell of one another,
const NEAR: f64 = 12.0;
/// where both columns have lines at least so long, in sizes,
const PROSE: f64 = 6.0;
/// by gaps that overlap by this much of the size,
const OVERLAP: f64 = 0.2;
/// in so many of them, besides the row itself,
const ENOUGH: usize = 2;
/// and in so many times as many as have words there.
const FOR_EACH_ACROSS: usize = 2;

/// What is free between two parts of a row.
pub(super) struct Gap {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) size: f64,
    baseline: f64,
    direction: (f64, f64),
    /// Whether what stands on both sides is long enough for prose.
    prose: bool,
}

impl Gap {
    pub(super) fn between(left: &ScannedLine, right: &ScannedLine) -> Self {
        let size = left.size.min(right.size);
        let is_long = |part: &ScannedLine| end(part) - start(part) >= PROSE * size;
        Self {
            from: end(left),
            to: start(right),
            baseline: left.baseline,
            size,
            direction: left.direction,
            prose: is_long(left) && is_long(right),
        }
    }

    fn is_near(&self, baseline: f64, direction: (f64, f64)) -> bool {
        (baseline - self.baseline).abs() > 0.0 && self.is_beside(baseline, direction, NEAR)
    }

    /// Whether a row of this baseline and direction is not farther than so many sizes; this one is not.
    pub(super) fn is_beside(&self, baseline: f64, direction: (f64, f64), sizes: f64) -> bool {
        let same = |a: f64, b: f64| (a - b).abs() < 0.01;
        (baseline - self.baseline).abs() <= sizes * self.size
            && same(direction.0, self.direction.0)
            && same(direction.1, self.direction.1)
    }
}

/// Where rows of a page are free, and where they are not.
pub(super) struct Gaps {
    gaps: Vec<Gap>,
    /// From where to where parts of rows reach, their baseline and direction.
    parts: Vec<(f64, f64, f64, (f64, f64))>,
}

impl Gaps {
    /// Of rows whose parts are in order.
    pub(super) fn of(rows: &[Vec<ScannedLine>]) -> Self {
        let pairs = rows.iter().flat_map(|row| row.windows(2));
        let gaps = pairs.map(|pair| Gap::between(&pair[0], &pair[1])).collect();
        let parts = rows.iter().flatten().map(|part| (start(part), end(part), part.baseline, part.direction)).collect();
        Self { gaps, parts }
    }

    /// Whether a gap parts columns.
    pub(super) fn part_columns_at(&self, gap: &Gap) -> bool {
        let overlaps =
            |other: &&Gap| other.prose && gap.to.min(other.to) - gap.from.max(other.from) >= OVERLAP * gap.size;
        let free = self.gaps.iter().filter(|other| gap.is_near(other.baseline, other.direction)).filter(overlaps);
        let across = self.parts.iter().filter(|(from, to, baseline, direction)| {
            gap.is_near(*baseline, *direction) && *from < gap.from && *to > gap.to
        });
        let (free, across) = (free.count(), across.count());
        free >= ENOUGH && free >= across * FOR_EACH_ACROSS
    }
}
