//! The path in the making: what of it can be a rule, a ground, a letter.

use hayro_interpret::kurbo::{Point, Rect};

/// A path of more parts is a drawing.
const MOST_LINES: usize = 20_000;

/// Ends nearer to each other than this meet.
const CLOSED: f64 = 0.01;

/// A part of a path that is drawn in one go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shape {
    /// The box around it.
    pub(super) area: Rect,
    /// Whether it is that box.
    pub(super) rectangle: bool,
}

/// What was drawn since the last one was painted.
#[derive(Default)]
pub(super) struct Path {
    pub(super) lines: Vec<(Point, Point)>,
    pub(super) shapes: Vec<Shape>,
    open: Option<Rect>,
    /// How many sides the open part has, and whether one of them is neither level nor upright.
    sides: usize,
    slants: bool,
    /// Whether what is painted next is cut off outside of it.
    pub(super) clips: bool,
    first: Point,
    pen: Point,
}

impl Path {
    pub(super) fn move_to(&mut self, to: Point) {
        self.end();
        (self.first, self.pen) = (to, to);
    }

    /// Ends the part that is open.
    pub(super) fn end(&mut self) {
        let open = self.open.take().filter(|_| self.shapes.len() < MOST_LINES);
        let (x, y) = ((self.first.x - self.pen.x).abs(), (self.first.y - self.pen.y).abs());
        let closes = if self.sides == 4 { x + y <= CLOSED } else { self.sides == 3 && x.min(y) <= CLOSED };
        let rectangle = closes && !self.slants;
        self.shapes.extend(open.map(|area| Shape { area, rectangle }));
        (self.sides, self.slants) = (0, false);
    }

    /// A curve goes on to here, or nearly.
    pub(super) fn curve_to(&mut self, to: Point) {
        self.slants = true;
        self.reach(to);
    }

    fn reach(&mut self, to: Point) {
        let open = self.open.get_or_insert(Rect::from_points(self.pen, self.pen));
        *open = open.union_pt(to);
        self.pen = to;
    }

    pub(super) fn line_to(&mut self, to: Point) {
        if self.lines.len() < MOST_LINES {
            self.lines.push((self.pen, to));
        }
        let (x, y) = ((to.x - self.pen.x).abs(), (to.y - self.pen.y).abs());
        self.sides += usize::from(x + y > 0.0);
        self.slants |= x.min(y) > x.max(y) * 1e-3;
        self.reach(to);
    }

    pub(super) fn close(&mut self) {
        if self.open.is_some() {
            self.line_to(self.first);
        }
    }

    pub(super) fn rectangle(&mut self, area: Rect) {
        let corners = [(area.x0, area.y0), (area.x1, area.y0), (area.x1, area.y1), (area.x0, area.y1)].map(Point::from);
        self.move_to(corners[0]);
        corners[1..].iter().for_each(|corner| self.line_to(*corner));
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_rectangle() {
        let shape = |points: &[(f64, f64)], close: bool| {
            let mut path = Path::default();
            path.move_to(points[0].into());
            points[1..].iter().for_each(|point| path.line_to((*point).into()));
            if close {
                path.close();
            }
            path.end();
            path.shapes[0].rectangle
        };
        let square = [(0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (0.0, 9.0)];
        assert!(shape(&square, true) && shape(&square, false));
        assert!(!shape(&square[..3], true), "a triangle");
        assert!(!shape(&[(0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (20.0, 9.0)], false), "a step");
        assert!(!shape(&[(0.0, 0.0), (9.0, 0.0), (9.0, 4.0), (0.0, 4.0), (0.0, 9.0)], false), "half of its box");
        let ell = [(0.0, 0.0), (9.0, 0.0), (9.0, 4.0), (4.0, 4.0), (4.0, 9.0), (0.0, 9.0)];
        assert!(!shape(&ell, true));
        let mut path = Path::default();
        path.rectangle(Rect::new(0.0, 0.0, 5.0, 6.0));
        path.move_to(Point::ZERO);
        path.curve_to(Point::new(5.0, 0.0));
        path.line_to(Point::new(5.0, 5.0));
        path.line_to(Point::new(0.0, 5.0));
        path.close();
        path.end();
        assert_eq!(path.shapes.iter().map(|shape| shape.rectangle).collect::<Vec<_>>(), [true, false]);
    }
}
