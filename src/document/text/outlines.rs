//! Letters that a page draws as shapes: rows of small filled shapes that stand on one line.

use hayro_interpret::kurbo::Rect;

/// How high and wide the shape of a letter is, points.
const HEIGHTS: std::ops::Range<f64> = 2.5..40.0;
const WIDTHS: std::ops::Range<f64> = 0.3..60.0;
/// A page with more shapes is a drawing.
const MOST: usize = 20_000;
/// A row of letters has so many shapes at least; fewer are parts of a drawing.
const FEWEST: usize = 6;
/// How far apart the feet of letters of one row are at most, in heights, and neighbours of a row.
const UNEVEN: f64 = 0.08;
const GAP: f64 = 1.6;

/// Shapes that may be letters.
#[derive(Default)]
pub(super) struct Outlines(Vec<Rect>);

impl Outlines {
    /// Remembers a filled shape that is no rectangle.
    pub(super) fn add(&mut self, area: Rect) {
        if HEIGHTS.contains(&area.height()) && WIDTHS.contains(&area.width()) && self.0.len() <= MOST {
            self.0.push(area);
        }
    }

    /// How many of them stand in rows, as letters do.
    pub(super) fn letters(&self) -> u32 {
        if self.0.len() > MOST {
            return 0;
        }
        let mut shapes = self.0.clone();
        shapes.sort_by(|a, b| a.y1.total_cmp(&b.y1).then(a.x0.total_cmp(&b.x0)));
        let mut letters = 0;
        let mut from = 0;
        while from < shapes.len() {
            let foot = shapes[from].y1;
            let to =
                from + shapes[from..].partition_point(|shape| shape.y1 - foot <= shape.height().min(12.0) * UNEVEN);
            let to = to.max(from + 1);
            letters += in_rows(&mut shapes[from..to]);
            from = to;
        }
        u32::try_from(letters).unwrap_or(u32::MAX)
    }
}

/// How many shapes that stand at one height are parts of rows: near to each other, and not all alike, as marks of a chart
/// or of a map are.
fn in_rows(shapes: &mut [Rect]) -> usize {
    shapes.sort_by(|a, b| a.x0.total_cmp(&b.x0));
    let near = |a: &Rect, b: &Rect| b.x0 - a.x1 < a.height().max(b.height()) * GAP;
    let is_row = |row: &&[Rect]| {
        let (width, height) = (row[0].width(), row[0].height());
        let alike =
            |of: &&Rect| (of.width() - width).abs() < width * 0.05 && (of.height() - height).abs() < height * 0.05;
        row.len() >= FEWEST && row.iter().filter(alike).count() * 2 < row.len()
    };
    shapes.chunk_by(near).filter(is_row).map(<[Rect]>::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(shapes: impl Iterator<Item = Rect>) -> u32 {
        let mut outlines = Outlines::default();
        shapes.for_each(|shape| outlines.add(shape));
        outlines.letters()
    }

    #[test]
    fn letters_stand_in_rows_and_marks_of_a_chart_do_not() {
        let widths = [5.0, 2.0, 6.0, 4.5, 3.0, 7.0, 5.5];
        let row = |top: f64| {
            let mut pen = 72.0;
            widths.into_iter().map(move |width| {
                pen += width + 1.0;
                let height = if width > 5.0 { 8.0 } else { 5.5 };
                Rect::new(pen - width, top - height, pen, top)
            })
        };
        assert_eq!(count(row(100.0).chain(row(114.0))), 14);
        assert_eq!(count(row(100.0).take(4)), 0);
        // Dots of a plot, ticks of an axis, and points of a map.
        let dots = (0..30).map(|at| Rect::new(72.0 + 8.0 * f64::from(at), 96.0, 76.0 + 8.0 * f64::from(at), 100.0));
        assert_eq!(count(dots), 0);
        let spread = (0..30).map(|at| {
            let (x, y, size) = (f64::from(at * 37 % 300), f64::from(at * 53 % 400), 4.0 + f64::from(at % 5));
            Rect::new(x, y, x + size, y + size)
        });
        assert_eq!(count(spread), 0);
    }
}
