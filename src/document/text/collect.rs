//! Takes what the interpreter draws: glyphs into lines, straight strokes into rules.

use hayro_interpret::font::{Glyph, GlyphRun};
use hayro_interpret::kurbo::{Affine, BezPath, PathEl, Point, Rect, Shape};
use hayro_interpret::{BlendMode, ClipPath, Device, DrawMode, DrawProps, Image, ImageDrawProps, SoftMask};

use super::fonts::PageFonts;
use super::line::{Line, OpenLine, Piece, REPLACEMENT, Text};

/// A straight level or upright stroke; lengths in points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rule {
    /// Whether it is upright.
    pub(super) upright: bool,
    /// Where it is: its y when it is level, its x when it is upright.
    pub(super) at: f64,
    /// Where it begins and ends along itself.
    pub(super) from: f64,
    pub(super) to: f64,
}

/// A filled shape is a rule when it is at most so thick.
const THICKEST_RULE: f64 = 2.5;
/// Shorter strokes are parts of drawings.
const SHORTEST_RULE: f64 = 6.0;
/// A line that is drawn again comes within so many lines.
const DRAWN_AGAIN: usize = 4;
/// A page with more rules is a drawing.
const MOST_RULES: usize = 4_000;

/// Collects a page.
pub(super) struct Collector {
    fonts: PageFonts,
    view: Rect,
    lines: Vec<OpenLine>,
    rules: Vec<Rule>,
    counts: Counts,
}

/// What a page shows, counted.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct Counts {
    pub(in super::super) glyphs: u32,
    pub(in super::super) unmapped: u32,
    pub(in super::super) hidden: u32,
    /// The area of its images, square points; what lies over another counts twice.
    pub(in super::super) images: f64,
}

impl Collector {
    /// A collector of what is shown in `view`.
    pub(super) fn new(fonts: PageFonts, view: Rect) -> Self {
        Self { fonts, view, lines: Vec::new(), rules: Vec::new(), counts: Counts::default() }
    }

    pub(super) const fn counts(&self) -> Counts {
        self.counts
    }

    pub(super) fn finish(self) -> (Vec<Line>, Vec<Rule>) {
        let rules = if self.rules.len() < MOST_RULES { self.rules } else { Vec::new() };
        let mut lines: Vec<Line> = Vec::with_capacity(self.lines.len());
        for line in self.lines.into_iter().filter_map(OpenLine::finish) {
            // Drawn again at its place, or nearly, to look bold.
            if !lines.iter().rev().take(DRAWN_AGAIN).any(|before| before.is_drawn_by(&line)) {
                lines.push(line);
            }
        }
        (lines, rules)
    }

    fn add(&mut self, glyph: &Glyph<'_>, to_page: Affine) {
        let known = self.fonts.text(glyph);
        self.counts.glyphs = self.counts.glyphs.saturating_add(1);
        self.counts.unmapped = self.counts.unmapped.saturating_add(u32::from(known.is_none()));
        let text = known.unwrap_or(Text::One(REPLACEMENT));
        // Glyph space is a thousandth of text space (PDF 32000-1, 9.2.4).
        let origin = to_page * Point::ZERO;
        let along = to_page * Point::new(1000.0, 0.0) - origin;
        let up = to_page * Point::new(0.0, 1000.0) - origin;
        let (reach, size) = (along.hypot(), up.hypot());
        let empty = matches!(&text, Text::More(text) if text.is_empty());
        if empty || !(reach > 0.0 && size > 0.0 && reach.is_finite() && size.is_finite()) {
            return;
        }
        let direction = (along.x / reach, along.y / reach);
        let start = origin.x * direction.0 + origin.y * direction.1;
        let baseline = origin.y * direction.0 - origin.x * direction.1;
        let advance = match glyph {
            Glyph::Outline(outline) => outline.advance_width(),
            Glyph::Type3(type3) => type3.advance_width(),
        };
        let end = start + f64::from(advance.unwrap_or(500.0)) / 1000.0 * reach;
        let piece = Piece { text, start, end };
        match self.lines.last_mut() {
            Some(line) if line.takes(&piece, baseline, size, direction) => line.add(piece),
            _ if piece.text.is_blank() => {}
            _ => self.lines.push(OpenLine::new(piece, baseline, size, direction)),
        }
    }

    fn stroke(&mut self, from: Point, to: Point) {
        let (width, height) = ((to.x - from.x).abs(), (to.y - from.y).abs());
        let upright = height > width;
        let (length, slant) = if upright { (height, width) } else { (width, height) };
        let finite = length.is_finite() && from.x.is_finite() && from.y.is_finite();
        if !finite || length < SHORTEST_RULE || slant > 0.5 || self.rules.len() >= MOST_RULES {
            return;
        }
        let (at, a, b) = if upright { (from.x, from.y, to.y) } else { (from.y, from.x, to.x) };
        self.rules.push(Rule { upright, at, from: a.min(b), to: a.max(b) });
    }

    fn fill(&mut self, area: Rect) {
        let middle = area.center();
        if area.height() <= THICKEST_RULE && area.width() > area.height() {
            self.stroke(Point::new(area.x0, middle.y), Point::new(area.x1, middle.y));
        } else if area.width() <= THICKEST_RULE {
            self.stroke(Point::new(middle.x, area.y0), Point::new(middle.x, area.y1));
        }
    }
}

impl<'a> Device<'a> for Collector {
    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, 'a>, props: DrawProps<'a>, mode: &DrawMode) {
        let before = self.counts.glyphs;
        for glyph in run.glyphs() {
            self.add(glyph, props.transform * glyph.transform());
        }
        if matches!(mode, DrawMode::Invisible) {
            self.counts.hidden = self.counts.hidden.saturating_add(self.counts.glyphs - before);
        }
    }

    fn draw_path(&mut self, path: &BezPath, props: DrawProps<'a>, mode: &DrawMode) {
        if !matches!(mode, DrawMode::Stroke(_)) {
            self.fill(props.transform.transform_rect_bbox(path.bounding_box()));
            return;
        }
        let (mut pen, mut first) = (Point::ZERO, Point::ZERO);
        for element in path.elements() {
            match element {
                PathEl::MoveTo(to) => (pen, first) = (*to, *to),
                PathEl::LineTo(to) => {
                    self.stroke(props.transform * pen, props.transform * *to);
                    pen = *to;
                }
                PathEl::ClosePath => {
                    self.stroke(props.transform * pen, props.transform * first);
                    pen = first;
                }
                PathEl::QuadTo(_, to) | PathEl::CurveTo(_, _, to) => pen = *to,
            }
        }
    }

    fn push_clip_path(&mut self, _: &ClipPath) {}
    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'a>>, _: BlendMode) {}
    fn draw_image(&mut self, image: Image<'a, '_>, props: ImageDrawProps<'a>) {
        let size = Rect::new(0.0, 0.0, f64::from(image.width()), f64::from(image.height()));
        let shown = props.transform.transform_rect_bbox(size).intersect(self.view);
        self.counts.images += shown.area().max(0.0);
    }
    fn pop_clip(&mut self) {}
    fn pop_transparency_group(&mut self) {}
}
