//! Straight rules on a picture, as tables and forms have them. Pure.

use super::gray::Gray;
use super::lines::ScannedRule;

/// How fine the picture is looked at, pixels an inch.
const FINENESS: f64 = 150.0;
/// How much darker than paper a rule is, of 255, and how much of 100 of the pixels are darker than paper at most.
const DARKER: u8 = 70;
const PAPER: usize = 60;
/// Without a gap a rule is at least so long, points; letters have no such strokes.
const LONG: f64 = 25.0;
/// Parts of one rule are not farther apart, points.
const BROKEN: f64 = 6.0;
/// What is thicker than this, points, is a box or a bar.
const THICK: f64 = 3.4;
/// A picture with more is a drawing, or a photograph.
const MOST: usize = 2_000;

/// The rules of a picture with so many pixels a point, whose lines are turned by `level` (radians), in points on the level
/// page.
pub(super) fn find(picture: &Gray, scale: f64, level: f64) -> Vec<ScannedRule> {
    let step = (scale * 72.0 / FINENESS).max(1.0);
    let dark = Dark::of(picture, step, level);
    let points = step / scale;
    let mut rules = Vec::new();
    for upright in [false, true] {
        let (rows, columns) = if upright { (dark.width, dark.height) } else { (dark.height, dark.width) };
        let at = |row: usize, column: usize| if upright { dark.at(row, column) } else { dark.at(column, row) };
        for bar in bars(rows, columns, &at, LONG / points) {
            let thickness = length(bar.last - bar.first + 1) * points;
            if thickness <= THICK {
                let middle = f64::midpoint(length(bar.first), length(bar.last + 1)) * points;
                rules.push(ScannedRule {
                    upright,
                    at: middle,
                    from: length(bar.from) * points,
                    to: length(bar.to) * points,
                });
            }
        }
    }
    if rules.len() > MOST { Vec::new() } else { joined(rules) }
}

#[allow(clippy::cast_precision_loss, reason = "sides of pictures")]
const fn length(pixels: usize) -> f64 {
    pixels as f64
}

/// Which pixels are dark.
struct Dark {
    width: usize,
    height: usize,
    pixels: Vec<bool>,
}

impl Dark {
    /// The picture made level and smaller by `step`; what is thin stays.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "smaller than the picture")]
    fn of(picture: &Gray, step: f64, level: f64) -> Self {
        let (wide, high) = (length(picture.width()), length(picture.height()));
        let (width, height) = ((wide / step) as usize, (high / step) as usize);
        let (sin, cos) = level.sin_cos();
        let place = |x: f64, y: f64| {
            let (x, y) = (x - wide / 2.0, y - high / 2.0);
            (wide / 2.0 + x * cos - y * sin, high / 2.0 + x * sin + y * cos)
        };
        let mut luma = Vec::with_capacity(width * height);
        for row in 0..height {
            for column in 0..width {
                let mut darkest = u8::MAX;
                for (right, down) in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)] {
                    let (x, y) = place((length(column) + right) * step, (length(row) + down) * step);
                    darkest = darkest.min(picture.nearest(x, y));
                }
                luma.push(darkest);
            }
        }
        let mut counts = [0_usize; 256];
        luma.iter().for_each(|value| counts[usize::from(*value)] += 1);
        let mut below = 0;
        let paper = (0..=u8::MAX).find(|value| {
            below += counts[usize::from(*value)];
            below * 100 >= luma.len() * PAPER
        });
        let limit = paper.unwrap_or(u8::MAX).saturating_sub(DARKER);
        Self { width, height, pixels: luma.into_iter().map(|value| value < limit).collect() }
    }

    fn at(&self, column: usize, row: usize) -> bool {
        self.pixels[row * self.width + column]
    }
}

/// Runs of dark pixels that lie upon each other: from which row to which, and from where to where along them.
struct Bar {
    first: usize,
    last: usize,
    from: usize,
    to: usize,
}

fn bars(rows: usize, columns: usize, is_dark: &impl Fn(usize, usize) -> bool, long: f64) -> Vec<Bar> {
    let (mut open, mut closed): (Vec<Bar>, Vec<Bar>) = (Vec::new(), Vec::new());
    for row in 0..rows {
        let mut from = 0;
        while from < columns {
            let run = (from..columns).take_while(|column| is_dark(row, *column)).count();
            if length(run) >= long {
                let to = from + run;
                let touching = open.iter_mut().find(|bar| bar.last + 1 >= row && bar.from < to && from < bar.to);
                match touching {
                    Some(bar) => (bar.last, bar.from, bar.to) = (row, bar.from.min(from), bar.to.max(to)),
                    None => open.push(Bar { first: row, last: row, from, to }),
                }
            }
            from += run + 1;
        }
        let (still, done): (Vec<Bar>, Vec<Bar>) = open.into_iter().partition(|bar| bar.last + 1 >= row);
        open = still;
        closed.extend(done);
        if closed.len() > MOST {
            return Vec::new();
        }
    }
    closed.extend(open);
    closed
}

/// Parts of one rule as one.
fn joined(mut rules: Vec<ScannedRule>) -> Vec<ScannedRule> {
    rules.sort_by(|a, b| a.upright.cmp(&b.upright).then(a.from.total_cmp(&b.from)));
    let mut whole: Vec<ScannedRule> = Vec::new();
    for rule in rules {
        let goes_on = |of: &&mut ScannedRule| {
            of.upright == rule.upright && (of.at - rule.at).abs() < 1.5 && rule.from - of.to < BROKEN
        };
        match whole.iter_mut().rev().find(goes_on) {
            Some(of) => of.to = of.to.max(rule.to),
            None => whole.push(rule),
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page of 200 × 200 points at 150 dpi; dark where `is_dark` says so of a place in points.
    fn picture(is_dark: impl Fn(f64, f64) -> bool) -> (Gray, f64) {
        let (side, scale) = (417, 150.0 / 72.0);
        let pixel = |at: usize| {
            let (x, y) = (length(at % side) / scale, length(at / side) / scale);
            if is_dark(x, y) { 30 } else { 240 }
        };
        (Gray::new(side, (0..side * side).map(pixel).collect()), scale)
    }

    #[test]
    fn rules_are_found_and_bars_letters_and_photographs_are_not() {
        let (page, scale) = picture(|x, y| {
            let level = (50.0..51.0).contains(&y) && (20.0..180.0).contains(&x) && !(98.0..101.0).contains(&x);
            let upright = (100.0..100.8).contains(&x) && (60.0..120.0).contains(&y);
            let bar = (150.0..160.0).contains(&y) && (20.0..180.0).contains(&x);
            let letters = (20.0..30.0).contains(&y) && (x % 6.0) < 4.0;
            level || upright || bar || letters
        });
        let mut found = find(&page, scale, 0.0);
        found.sort_by_key(|rule| rule.upright);
        let [level, upright] = &found[..] else { panic!("{found:?}") };
        let near = |a: f64, b: f64| (a - b).abs() < 1.0;
        assert!(!level.upright && near(level.at, 50.5) && near(level.from, 20.0) && near(level.to, 180.0), "{level:?}");
        assert!(upright.upright && near(upright.at, 100.4) && near(upright.from, 60.0) && near(upright.to, 120.0));
        let (texture, scale) = picture(|x, y| (x * 7.0).sin() * (y * 3.0).sin() > 0.0);
        assert!(find(&texture, scale, 0.0).len() < 5);
    }

    #[test]
    fn a_page_that_is_turned_a_little_is_made_level_first() {
        let turned: f64 = 0.035;
        let (page, scale) = picture(|x, y| {
            let (x, y) = (x - 100.0, y - 100.0);
            let (along, across) = (x * turned.cos() + y * turned.sin(), y * turned.cos() - x * turned.sin());
            across.abs() < 0.6 && along.abs() < 70.0
        });
        let found = find(&page, scale, turned);
        let [rule] = &found[..] else { panic!("{found:?}") };
        assert!(!rule.upright && (rule.at - 100.0).abs() < 1.0 && rule.to - rule.from > 130.0, "{rule:?}");
    }
}
