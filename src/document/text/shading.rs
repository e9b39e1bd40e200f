//! Filled areas → rules: cells that are filled side by side, and bands of rows.

use hayro_interpret::kurbo::Rect;

use super::collect::RulingLine;

/// Edges nearer to each other than this are one, points.
const NEAR: f64 = 2.0;
/// Cells are parted by at most so much of white.
const WIDEST_GAP: f64 = 4.0;
/// Lower areas are strokes or marks, higher ones grounds.
const HEIGHT: std::ops::Range<f64> = 6.0..200.0;
/// Narrower areas are marks or bars.
const NARROWEST: f64 = 12.0;
/// A page with more areas is a drawing.
pub(super) const MOST_AREAS: usize = 1_500;

/// Whether an area may be a cell of a table, or its ground.
pub(super) fn may_be_cell(area: Rect) -> bool {
    HEIGHT.contains(&area.height()) && area.width() >= NARROWEST
}

/// The rules that areas stand for. Those at the edges of bands part rows only of what is a table anyway.
pub(super) fn rules(areas: &[Rect]) -> Vec<RulingLine> {
    if areas.len() >= MOST_AREAS {
        return Vec::new();
    }
    let mut sorted: Vec<Rect> = areas.to_vec();
    let line = |at: f64| (at / NEAR).round();
    sorted.sort_by(|a, b| {
        line(a.y0).total_cmp(&line(b.y0)).then(line(a.y1).total_cmp(&line(b.y1))).then(a.x0.total_cmp(&b.x0))
    });
    let mut rules = Vec::new();
    for row in sorted.chunk_by(|a, b| (a.y0 - b.y0).abs() < NEAR && (a.y1 - b.y1).abs() < NEAR) {
        let meet = |a: &Rect, b: &Rect| b.x0 > a.x1 - NEAR && b.x0 < a.x1 + WIDEST_GAP;
        let mut row = row.to_vec();
        // One that is filled again, or covered by another.
        row.dedup_by(|b, a| b.x0 < a.x1 - NEAR && b.x1 < a.x1 + NEAR);
        for cells in row.chunk_by(meet) {
            let (first, last) = (cells[0], cells[cells.len() - 1]);
            let soft = cells.len() < 2;
            for at in [first.y0, first.y1] {
                rules.push(RulingLine { upright: false, at, from: first.x0, to: last.x1, soft });
            }
            let (from, to) = (first.y0, first.y1);
            let between = cells.windows(2).map(|pair| f64::midpoint(pair[0].x1, pair[1].x0));
            for at in [first.x0, last.x1].into_iter().chain(between).filter(|_| !soft) {
                rules.push(RulingLine { upright: true, at, from, to, soft });
            }
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_side_by_side_are_cells_and_a_single_one_is_a_band() {
        let band = rules(&[Rect::new(10.0, 10.0, 300.0, 24.0)]);
        assert!(band.len() == 2 && band.iter().all(|rule| rule.soft && !rule.upright));
        let cells = [Rect::new(10.0, 10.0, 100.0, 24.0), Rect::new(101.0, 10.0, 300.0, 24.0)];
        let found = rules(&cells);
        assert!(found.iter().all(|rule| !rule.soft));
        let mut uprights: Vec<f64> = found.iter().filter(|rule| rule.upright).map(|rule| rule.at).collect();
        uprights.sort_by(f64::total_cmp);
        assert_eq!(uprights, [10.0, 100.5, 300.0]);
        // Bars of a chart stand apart, and are of their own height each.
        let bars = [Rect::new(10.0, 10.0, 30.0, 80.0), Rect::new(60.0, 30.0, 80.0, 80.0)];
        assert!(rules(&bars).iter().all(|rule| rule.soft));
    }
}
