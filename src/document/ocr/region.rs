//! The detector's map → where lines of text stand. Pure.
//!
//! The map says of each pixel how likely it is within the core of a line (differentiable binarisation: Liao et al., 2020).
//! What lies above a threshold and touches is one line, lies along its principal axis, and is made larger by as much as its
//! core is smaller than the line.

/// A line of text: a rectangle at any angle. Lengths in pixels of whatever picture it is on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Region {
    /// Its middle.
    pub(super) centre: (f64, f64),
    /// How it is turned, radians, from -π/2 to π/2; y goes down.
    pub(super) angle: f64,
    /// How long it is along its angle, and how thick across.
    pub(super) length: f64,
    pub(super) thickness: f64,
    /// How sure the detector is, 0 to 1.
    pub(super) score: f32,
}

/// A pixel above this belongs to a line,
const INSIDE: f32 = 0.3;
/// and those of a line are on average above this.
const SURE: f32 = 0.5;
/// A core has so many pixels at least, and is so thick and long.
const FEWEST_PIXELS: usize = 9;
const THINNEST: f64 = 2.5;
/// How much a core grows: its area over its outline, times this, on each side (the paper's 1.5, and a little).
const GROWTH: f64 = 1.6;
/// Cores so many times as long as thick lie along their own axis; others as most of the page do.
const TELLING: f64 = 5.0;
/// But an angle that is this far from the usual one (radians) is no error of measuring,
const OWN_ANGLE: f64 = 0.2;
/// of a core that is longer than this many times its thickness.
const ELONGATED: f64 = 2.5;
/// Pieces of one line are not more turned to each other than this (radians), nor farther apart across (of the thinner one's
/// thickness), nor so many times as thick.
const SAME_LINE: (f64, f64, f64) = (0.1, 0.4, 1.6);
/// A map has at most so many lines: more are a texture.
const MOST: usize = 3_000;

/// The lines of a map that has `width` pixels a row, in no order.
pub(super) fn find(map: &[f32], width: usize) -> Vec<Region> {
    let mut seen = vec![false; map.len()];
    let mut cores = Vec::new();
    for from in 0..map.len() {
        if map[from] > INSIDE && !seen[from] {
            let pixels = flood(map, width, &mut seen, from);
            cores.extend(Core::of(map, width, &pixels));
        }
        if cores.len() >= MOST {
            break;
        }
    }
    let usual = usual_angle(&cores);
    cores.iter().map(|core| core.grown(usual)).collect()
}

/// The pixels that touch this one, by sides and corners.
fn flood(map: &[f32], width: usize, seen: &mut [bool], from: usize) -> Vec<usize> {
    seen[from] = true;
    let mut pixels = vec![from];
    let mut next = 0;
    while let Some(&at) = pixels.get(next) {
        next += 1;
        let (x, y) = (at % width, at / width);
        for row in y.saturating_sub(1)..=y + 1 {
            for column in x.saturating_sub(1)..=(x + 1).min(width - 1) {
                let to = row * width + column;
                if to < map.len() && !seen[to] && map[to] > INSIDE {
                    seen[to] = true;
                    pixels.push(to);
                }
            }
        }
    }
    pixels
}

/// What of a line the map shows.
struct Core {
    points: Vec<(f64, f64)>,
    centre: (f64, f64),
    /// Of the principal axis.
    angle: f64,
    /// Length over thickness, by how the points are spread.
    elongation: f64,
    score: f32,
}

impl Core {
    #[allow(clippy::cast_precision_loss, reason = "counts of pixels")]
    fn of(map: &[f32], width: usize, pixels: &[usize]) -> Option<Self> {
        let count = pixels.len() as f64;
        let score = pixels.iter().map(|at| map[*at]).sum::<f32>() / pixels.len() as f32;
        if pixels.len() < FEWEST_PIXELS || score < SURE {
            return None;
        }
        let points: Vec<(f64, f64)> =
            pixels.iter().map(|at| ((at % width) as f64 + 0.5, (at / width) as f64 + 0.5)).collect();
        let sum = points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
        let centre = (sum.0 / count, sum.1 / count);
        let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
        for (x, y) in &points {
            let (x, y) = (x - centre.0, y - centre.1);
            xx += x * x;
            xy += x * y;
            yy += y * y;
        }
        let angle = 0.5 * (2.0 * xy).atan2(xx - yy);
        let spread = ((xx - yy).powi(2) + 4.0 * xy * xy).sqrt();
        let (long, short) = (f64::midpoint(xx + yy, spread), f64::midpoint(xx + yy, -spread));
        // A pixel is not a point.
        let elongation = ((long + count / 12.0) / (short.max(0.0) + count / 12.0)).sqrt();
        let core = Self { points, centre, angle, elongation, score };
        let (length, thickness) = core.extent(angle).size();
        (length.min(thickness) >= THINNEST).then_some(core)
    }

    /// How far it reaches along and across an angle.
    fn extent(&self, angle: f64) -> Extent {
        let (sin, cos) = angle.sin_cos();
        let mut extent = Extent { along: (f64::MAX, f64::MIN), across: (f64::MAX, f64::MIN) };
        for (x, y) in &self.points {
            let (x, y) = (x - self.centre.0, y - self.centre.1);
            let (along, across) = (x * cos + y * sin, y * cos - x * sin);
            extent.along = (extent.along.0.min(along - 0.5), extent.along.1.max(along + 0.5));
            extent.across = (extent.across.0.min(across - 0.5), extent.across.1.max(across + 0.5));
        }
        extent
    }

    fn grown(&self, usual: f64) -> Region {
        let own = self.elongation >= TELLING
            || self.elongation >= ELONGATED
                && turn(self.angle, usual).abs().min(quarter(self.angle, usual)) > OWN_ANGLE;
        // What stands on end beside lines that lie stays on end.
        let level = if quarter(self.angle, usual) < OWN_ANGLE && self.elongation >= ELONGATED {
            usual + std::f64::consts::FRAC_PI_2
        } else {
            usual
        };
        let angle = normal(if own { self.angle } else { level });
        let extent = self.extent(angle);
        let (length, thickness) = extent.size();
        let growth = length * thickness * GROWTH / (2.0 * (length + thickness));
        let (sin, cos) = angle.sin_cos();
        let middle = |(from, to): (f64, f64)| f64::midpoint(from, to);
        let (along, across) = (middle(extent.along), middle(extent.across));
        let centre = (self.centre.0 + along * cos - across * sin, self.centre.1 + along * sin + across * cos);
        let (length, thickness) = (length + 2.0 * growth, thickness + 2.0 * growth);
        Region { centre, angle, length, thickness, score: self.score }
    }
}

struct Extent {
    along: (f64, f64),
    across: (f64, f64),
}

impl Extent {
    const fn size(&self) -> (f64, f64) {
        (self.along.1 - self.along.0, self.across.1 - self.across.0)
    }
}

/// The same direction of a line, from -π/2 to π/2.
fn normal(angle: f64) -> f64 {
    use std::f64::consts::{FRAC_PI_2, PI};
    (angle + FRAC_PI_2).rem_euclid(PI) - FRAC_PI_2
}

/// How far one is turned from the other.
fn turn(angle: f64, from: f64) -> f64 {
    normal(angle - from)
}

/// How far one is from standing upright on the other.
fn quarter(angle: f64, from: f64) -> f64 {
    (turn(angle, from).abs() - std::f64::consts::FRAC_PI_2).abs()
}

/// The angle of most of what is long enough to tell, the longer the more; 0 where nothing tells. The median, about the
/// angle of the longest.
fn usual_angle(cores: &[Core]) -> f64 {
    let telling = || cores.iter().filter(|core| core.elongation >= TELLING);
    let Some(longest) = telling().max_by(|a, b| a.points.len().cmp(&b.points.len())) else { return 0.0 };
    let mut angles: Vec<(f64, f64)> =
        telling().map(|core| (turn(core.angle, longest.angle), core.extent(core.angle).size().0)).collect();
    angles.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = angles.iter().map(|(_, length)| length).sum::<f64>() / 2.0;
    let mut sum = 0.0;
    let median = angles.iter().find(|(_, length)| {
        sum += length;
        sum >= half
    });
    normal(longest.angle + median.map_or(0.0, |(angle, _)| *angle))
}

impl Region {
    /// The same on a picture that is so many times as large.
    pub(super) fn scaled(self, by: f64) -> Self {
        let centre = (self.centre.0 * by, self.centre.1 * by);
        Self { centre, length: self.length * by, thickness: self.thickness * by, ..self }
    }

    /// Both as one, where they are pieces of one line that overlap, as they are seen on two parts of a picture.
    pub(super) fn joined(&self, other: &Self) -> Option<Self> {
        let (sin, cos) = self.angle.sin_cos();
        let (x, y) = (other.centre.0 - self.centre.0, other.centre.1 - self.centre.1);
        let (along, across) = (x * cos + y * sin, y * cos - x * sin);
        let (thin, thick) = (self.thickness.min(other.thickness), self.thickness.max(other.thickness));
        let overlap = f64::midpoint(self.length, other.length) - along.abs();
        let turned = turn(other.angle, self.angle);
        if turned.abs() > SAME_LINE.0
            || across.abs() > thin * SAME_LINE.1
            || thick > thin * SAME_LINE.2
            || overlap < 0.0
        {
            return None;
        }
        let from = (-self.length / 2.0).min(along - other.length / 2.0);
        let to = (self.length / 2.0).max(along + other.length / 2.0);
        // Each counts by its length.
        let share = other.length / (self.length + other.length);
        let (along, across) = (f64::midpoint(from, to), across * share);
        let centre = (self.centre.0 + along * cos - across * sin, self.centre.1 + along * sin + across * cos);
        let (angle, score) = (normal(self.angle + turned * share), self.score.max(other.score));
        Some(Self { centre, angle, length: to - from, thickness: thick, score })
    }

    /// The same, farther to the right and down.
    pub(super) fn moved(self, (right, down): (f64, f64)) -> Self {
        Self { centre: (self.centre.0 + right, self.centre.1 + down), ..self }
    }

    /// The same, turned to the right about its middle by quarters, and read from left to right, or from top to bottom.
    pub(super) fn turned(self, quarters: u8) -> Self {
        let angle = self.angle + f64::from(quarters) * std::f64::consts::FRAC_PI_2;
        Self { angle: normal(angle), ..self }
    }

    /// The same, read the other way round.
    pub(super) fn reversed(self) -> Self {
        Self { angle: self.angle + std::f64::consts::PI, ..self }
    }

    /// The place on the picture that is so far along and across it from its left upper corner.
    pub(super) fn place(&self, along: f64, across: f64) -> (f64, f64) {
        let (sin, cos) = self.angle.sin_cos();
        let (along, across) = (along - self.length / 2.0, across - self.thickness / 2.0);
        (self.centre.0 + along * cos - across * sin, self.centre.1 + along * sin + across * cos)
    }

    /// Whether it stands on end rather than lying.
    pub(super) fn is_upright(&self) -> bool {
        normal(self.angle).abs() > std::f64::consts::FRAC_PI_4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: u16 = 200;

    /// Where its middle is, how it is turned (degrees), its length, its thickness, and how sure the detector is.
    type Bar = ((f64, f64), f64, f64, f64, f32);

    /// A map with bars.
    fn map(bars: &[Bar]) -> Vec<f32> {
        let mut map = vec![0.05; usize::from(SIDE) * usize::from(SIDE)];
        let places = (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| (f64::from(x) + 0.5, f64::from(y) + 0.5)));
        for (place, value) in places.zip(&mut map) {
            for ((x, y), degrees, length, thickness, sure) in bars {
                let (sin, cos) = degrees.to_radians().sin_cos();
                let (dx, dy) = (place.0 - x, place.1 - y);
                let (along, across) = (dx * cos + dy * sin, dy * cos - dx * sin);
                if along.abs() <= length / 2.0 && across.abs() <= thickness / 2.0 {
                    *value = *sure;
                }
            }
        }
        map
    }

    fn found(bars: &[Bar]) -> Vec<Region> {
        find(&map(bars), SIDE.into())
    }

    #[test]
    fn a_line_lies_along_its_own_axis_and_grows() {
        for degrees in [0.0, 2.0, -7.0, 40.0, 85.0, -85.0] {
            let regions = found(&[((100.0, 90.0), degrees, 120.0, 8.0, 0.9)]);
            let [region] = &regions[..] else { panic!("{degrees}: {regions:?}") };
            assert!(turn(region.angle, degrees.to_radians()).abs() < 0.01, "{degrees}: {region:?}");
            assert!((region.centre.0 - 100.0).abs() < 1.0 && (region.centre.1 - 90.0).abs() < 1.0, "{region:?}");
            // 960 / 256 × 1.6 = 6 on each side.
            assert!((region.thickness - 20.0).abs() < 3.0 && (region.length - 132.0).abs() < 3.0, "{region:?}");
            assert!((region.score - 0.9).abs() < 1e-3);
        }
    }

    #[test]
    fn pieces_of_a_line_that_overlap_are_one() {
        let piece =
            |x: f64, y: f64, length: f64| Region { centre: (x, y), angle: 0.02, length, thickness: 20.0, score: 0.9 };
        let whole = piece(100.0, 50.0, 200.0).joined(&piece(250.0, 53.0, 160.0)).unwrap();
        assert!((whole.centre.0 - 165.0).abs() < 0.1 && (whole.length - 330.0).abs() < 0.1, "{whole:?}");
        assert!((whole.centre.1 - 51.3).abs() < 0.2 && (whole.angle - 0.02).abs() < 1e-9, "{whole:?}");
        let within = piece(100.0, 50.0, 200.0).joined(&piece(90.0, 49.8, 40.0)).unwrap();
        assert!((within.length - 200.0).abs() < 1e-9, "{within:?}");
        for other in [piece(300.0, 54.0, 160.0), piece(200.0, 70.0, 160.0)] {
            assert_eq!(piece(100.0, 50.0, 200.0).joined(&other), None, "{other:?}");
        }
        let larger = Region { thickness: 40.0, ..piece(150.0, 51.0, 160.0) };
        assert_eq!(piece(100.0, 50.0, 200.0).joined(&larger), None);
    }

    #[test]
    fn what_is_too_unsure_small_or_thin_is_no_line() {
        for bar in [
            ((100.0, 100.0), 0.0, 100.0, 8.0, 0.45),
            ((100.0, 100.0), 0.0, 100.0, 8.0, 0.25),
            ((100.0, 100.0), 0.0, 2.0, 2.0, 0.9),
            ((100.5, 100.5), 0.0, 100.0, 1.5, 0.9),
        ] {
            assert!(found(&[bar]).is_empty(), "{bar:?}");
        }
        assert!(find(&[], 1).is_empty());
    }

    #[test]
    fn short_words_lie_as_most_lines_do() {
        let long = |y| ((100.0, y), 3.0, 150.0, 8.0, 0.9);
        let bars = [long(40.0), long(60.0), ((60.0, 90.0), 0.0, 9.0, 8.0, 0.9), ((20.0, 150.0), 90.0, 60.0, 8.0, 0.9)];
        let mut angles: Vec<f64> = found(&bars).iter().map(|region| region.angle.to_degrees().abs()).collect();
        angles.sort_by(f64::total_cmp);
        for (angle, expected) in angles.iter().zip([3.0, 3.0, 3.0, 90.0]) {
            assert!((angle - expected).abs() < 1.0, "{angles:?}");
        }
        assert_eq!(angles.len(), 4);
    }
}
