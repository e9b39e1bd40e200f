//! The path in the making: what of it can be a rule.

use hayro_interpret::kurbo::{Point, Rect};

/// A path of more parts is a drawing.
const MOST_LINES: usize = 20_000;

/// What was drawn since the last one was painted.
#[derive(Default)]
pub(super) struct Path {
    pub(super) lines: Vec<(Point, Point)>,
    pub(super) areas: Vec<Rect>,
    open: Option<Rect>,
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
        let open = self.open.take().filter(|_| self.areas.len() < MOST_LINES);
        self.areas.extend(open);
    }

    pub(super) fn reach(&mut self, to: Point) {
        let open = self.open.get_or_insert(Rect::from_points(self.pen, self.pen));
        *open = open.union_pt(to);
        self.pen = to;
    }

    pub(super) fn line_to(&mut self, to: Point) {
        if self.lines.len() < MOST_LINES {
            self.lines.push((self.pen, to));
        }
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
