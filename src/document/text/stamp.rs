//! Stamps and watermarks: large text that lies over or under other text, or runs across it.

use super::body_style::BodyStyle;
use super::line::Line;

/// A watermark is at least so many times as large as the text that it lies under.
const LARGER: f64 = 1.8;
/// It lies under so many lines at least.
const FEWEST_LINES: usize = 2;

/// Marks stamps and watermarks, which are neither headings nor part of the text around them.
pub(super) fn mark(lines: &mut [Line], body_style: BodyStyle) {
    let is_stamp = |line: &Line| {
        if !body_style.runs_like(line) {
            return true;
        }
        if line.size < body_style.size * LARGER {
            return false;
        }
        let own = line.bounding_box();
        let is_under = |other: &&Line| {
            let (of, middle) = (other.bounding_box(), |a: f32, b: f32| f32::midpoint(a, b));
            let inside = middle(of.top, of.bottom) > own.top && middle(of.top, of.bottom) < own.bottom;
            other.size * 1.4 < line.size && inside && of.left < own.right && own.left < of.right
        };
        lines.iter().filter(is_under).count() >= FEWEST_LINES
    };
    let stamps: Vec<bool> = lines.iter().map(is_stamp).collect();
    lines.iter_mut().zip(stamps).for_each(|(line, stamp)| line.stamp = stamp);
}
