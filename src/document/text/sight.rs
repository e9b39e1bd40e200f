//! What of a page's text is seen: not what is painted in no colour or in that of its ground, cut off, covered later, or
//! too small.

use std::collections::HashSet;

use hayro_interpret::kurbo::{Affine, Point, Rect};

use super::collect::{Collector, Run};
use super::ground::{Contrast, Ground, Painted};
use super::ink::{Ink, Picture, Rgb, is_upright};
use super::open_line::{OpenLine, TextRun};
use super::path::Shape;

/// Whether a glyph is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sight {
    #[default]
    Seen,
    /// It stands on the page, and cannot be seen.
    Hidden,
    /// It is light, and stands on a picture that may be dark.
    Pale,
    /// It does not stand on the page.
    Outside,
}

/// What is known of the glyphs of a string.
pub(super) struct Brush {
    /// None of them is seen.
    unseen: bool,
    /// The colours that may be those of the ground, of filling and of stroking; all of them must be, for a glyph to be hidden.
    colours: [Option<Rgb>; 2],
    /// They are cut off outside of this.
    clip: Option<Rect>,
}

/// Letters smaller than this are not read, points.
const TINY: f64 = 1.3;
/// The heights above its baseline, in sizes, at which a glyph is looked at, and the places in its width.
const HEIGHTS: [f64; 3] = [0.12, 0.35, 0.58];
const WIDTHS: [f64; 2] = [0.3, 0.7];
/// In paths of more shapes these are not compared with each other.
const MOST_SHAPES: usize = 64;

/// A point of a line: so far along it, and across it.
fn place(along: f64, across: f64, (dx, dy): (f64, f64)) -> Point {
    Point::new(along * dx - across * dy, along * dy + across * dx)
}

/// The points at which a glyph is looked at.
fn points((start, end): (f64, f64), baseline: f64, size: f64, direction: (f64, f64)) -> [Point; 6] {
    std::array::from_fn(|at| {
        let along = start + (end - start) * WIDTHS[at % WIDTHS.len()];
        place(along, baseline - size * HEIGHTS[at / WIDTHS.len()], direction)
    })
}

impl TextRun {
    /// The box around it.
    pub(super) fn area(&self, direction: (f64, f64)) -> Rect {
        let corner = |along, rise: f64| place(along, self.baseline - self.size * rise, direction);
        let (low, high) = (HEIGHTS[0], HEIGHTS[2]);
        Rect::from_points(corner(self.start, low), corner(self.end, high))
            .union(Rect::from_points(corner(self.start, high), corner(self.end, low)))
    }
}

impl OpenLine {
    pub(super) const fn direction(&self) -> (f64, f64) {
        self.direction
    }

    /// The box around its glyphs.
    pub(super) fn area(&self) -> Rect {
        let areas = self.pieces.iter().map(|piece| piece.area(self.direction));
        areas.reduce(|all, area| all.union(area)).unwrap_or_default().inflate(0.0, self.size * 0.3)
    }

    /// Leaves out the glyphs that other lines have at the same place; how many letters are left.
    pub(super) fn drop_those_of(&mut self, lines: &mut [Self]) -> usize {
        let direction = self.direction;
        self.pieces.retain(|piece| piece.text.is_blank() || !lines.iter_mut().any(|line| line.has(piece, direction)));
        self.pieces.iter().filter(|piece| !piece.text.is_blank()).count()
    }

    pub(super) fn pieces(&self) -> impl Iterator<Item = &TextRun> {
        self.pieces.iter()
    }

    /// The line without the glyphs that are hidden, and a line of those; `None` for one without glyphs.
    pub(super) fn part(self, is_hidden: impl Fn(&TextRun, (f64, f64)) -> bool) -> (Option<Self>, Option<Self>) {
        let Self { direction, artifact, field, .. } = self;
        if !self.pieces.iter().any(|piece| is_hidden(piece, direction)) {
            return (Some(self), None);
        }
        let (hidden, seen): (Vec<TextRun>, Vec<TextRun>) =
            self.pieces.into_iter().partition(|piece| is_hidden(piece, direction));
        let line = |pieces: Vec<TextRun>| {
            let mut pieces = pieces.into_iter().skip_while(|piece| piece.text.is_blank());
            let mut line = Self::new(pieces.next()?, direction, artifact, field, None);
            pieces.for_each(|piece| line.add(piece, artifact));
            Some(line)
        };
        (line(seen), line(hidden))
    }
}

impl Collector {
    /// What is known of glyphs that are painted like this. `mode` is that of PDF 32000-1, table 106; `drawn` are glyphs
    /// that may choose colours by themselves.
    pub(super) fn sight(&self, ink: &Ink, mode: u8, drawn: bool) -> Brush {
        let (filled, stroked) = (matches!(mode, 0 | 2 | 4 | 6), matches!(mode, 1 | 2 | 5 | 6));
        let unseen = (!filled || ink.is_unseen(false)) && (!stroked || ink.is_unseen(true));
        let may_hide = |(used, colour): (bool, Option<Rgb>)| !used || colour.is_some_and(|of| self.ground.may_hide(of));
        let paints = [(filled, ink.fill.colour), (stroked, ink.stroke.colour)];
        let may_all_hide = !drawn && paints.into_iter().all(may_hide);
        let colours = paints.map(|(used, colour)| colour.filter(|_| used && may_all_hide));
        let cuts = !ink.clip.union(self.view).eq(&ink.clip);
        Brush { unseen, colours, clip: cuts.then_some(ink.clip) }
    }

    /// Whether a glyph between two places of the pen is seen, by what has been painted so far.
    pub(super) fn look(&self, brush: &Brush, run: &Run, pen: (f64, f64)) -> Sight {
        let (from, to) = (run.start + pen.0 * run.reach, run.start + pen.1 * run.reach);
        let middle = place(f64::midpoint(from, to), run.baseline - run.size * HEIGHTS[1], run.direction);
        let all = || points((from, to), run.baseline, run.size, run.direction);
        let within = |area: Rect| area.contains(middle) || all().into_iter().any(|point| area.contains(point));
        if !within(self.view) {
            return Sight::Outside;
        }
        let is_cut = brush.clip.is_some_and(|clip| !within(clip.inflate(CLIP_MARGIN, CLIP_MARGIN)));
        if brush.unseen || is_cut {
            return Sight::Hidden;
        }
        let contrast = |colour: &Rgb| self.ground.look(*colour, &all());
        match brush.colours.iter().flatten().map(contrast).find(|contrast| *contrast != Contrast::None) {
            None if brush.colours.iter().any(Option::is_some) => Sight::Hidden,
            Some(Contrast::Unknown) => Sight::Pale,
            _ => Sight::Seen,
        }
    }

    /// Sets glyphs apart that were covered after they had been painted, and those that are too small to be read.
    pub(super) fn set_hidden_apart(&mut self) {
        let is_tiny = |piece: &TextRun| piece.size < TINY && piece.end - piece.start < TINY;
        let pieces = self.lines.iter().flat_map(OpenLine::pieces);
        let (all, tiny, first) = pieces.fold((0, 0, u32::MAX), |(all, tiny, first), piece| {
            (all + 1, tiny + usize::from(is_tiny(piece)), first.min(piece.string))
        });
        // A drawing may be made so small as a whole.
        let tiny_is_hidden = tiny > 0 && tiny * 2 < all;
        if !tiny_is_hidden && !self.ground.covers_after(first) {
            return;
        }
        self.set_apart(|ground, piece, direction| {
            tiny_is_hidden && is_tiny(piece)
                || ground.covers_after(piece.string) && {
                    let points = points((piece.start, piece.end), piece.baseline, piece.size, direction);
                    ground.covers(piece.string, &points)
                }
        });
    }

    /// Sets the glyphs of some strings apart.
    pub(super) fn set_strings_apart(&mut self, strings: &HashSet<u32>) {
        self.set_apart(|_, piece, _| strings.contains(&piece.string));
    }

    /// How many hidden glyphs lie on a picture.
    pub(super) fn on_pictures(&self) -> u32 {
        let lies = |line: &OpenLine, piece: &TextRun| {
            let middle = piece.area(line.direction()).center();
            self.pictures.iter().any(|picture| picture.contains(middle))
        };
        let on = |line: &OpenLine| line.pieces().filter(|piece| lies(line, piece)).count();
        u32::try_from(self.hidden.iter().map(on).sum::<usize>()).unwrap_or(u32::MAX)
    }

    /// Leaves out hidden glyphs that are seen at the same place, and lines of hidden glyphs without a letter; how many
    /// letters are left.
    pub(super) fn drop_drawn_again(&mut self) -> u32 {
        let Self { hidden, lines, .. } = self;
        let mut letters = 0;
        hidden.retain_mut(|line| {
            let left = line.drop_those_of(lines);
            letters += left;
            left > 0
        });
        u32::try_from(letters).unwrap_or(u32::MAX)
    }

    fn set_apart(&mut self, is_hidden: impl Fn(&Ground, &TextRun, (f64, f64)) -> bool) {
        let (mut seen, mut count) = (Vec::with_capacity(self.lines.len()), 0_usize);
        for line in std::mem::take(&mut self.lines) {
            let (left, off) = line.part(|piece, direction| is_hidden(&self.ground, piece, direction));
            count += off.as_ref().map_or(0, |off| off.pieces().count());
            seen.extend(left);
            self.hidden.extend(off);
        }
        self.counts.hidden = self.counts.hidden.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        self.lines = seen;
    }

    /// What is painted within glyphs that only cut off what is outside of them lets these be seen, where it stands out.
    fn show_through(&mut self, area: Rect, colour: Option<Rgb>, ink: &Ink) {
        let Some((first, last)) = ink.stencil.filter(|_| !ink.is_unseen(false)) else { return };
        self.painted_within += 1;
        if self.painted_within > MOST_WITHIN {
            return;
        }
        let (area, ground, stencils) = (area.intersect(ink.clip), &self.ground, &self.stencils);
        let is_seen = |piece: &TextRun, direction| {
            let middle = piece.area(direction).center();
            (first..=last).contains(&piece.string)
                && stencils.contains(&piece.string)
                && area.contains(middle)
                && colour.is_none_or(|colour| ground.look(colour, &[middle]) != Contrast::None)
        };
        let mut count = 0_usize;
        for line in std::mem::take(&mut self.hidden) {
            let (hidden, seen) = line.part(is_seen);
            self.hidden.extend(hidden);
            let Some(mut seen) = seen else { continue };
            count += seen.pieces().count();
            if seen.drop_those_of(&mut self.lines) > 0 {
                self.lines.push(seen);
            }
        }
        self.counts.hidden = self.counts.hidden.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
    }

    /// Areas that are filled.
    pub(super) fn fill(&mut self, shapes: &[Shape], to_page: Affine, ink: &Ink) {
        let overlap = |a: Rect, b: Rect| a.x0 < b.x1 && b.x0 < a.x1 && a.y0 < b.y1 && b.y0 < a.y1;
        for (at, shape) in shapes.iter().enumerate() {
            let area = to_page.transform_rect_bbox(shape.area);
            self.show_through(area, ink.fill.colour, ink);
            self.thin(area);
            let alone = |(other, of): (usize, &Shape)| other == at || !overlap(of.area, shape.area);
            let exact = shape.rectangle
                && is_upright(to_page)
                && shapes.len() <= MOST_SHAPES
                && shapes.iter().enumerate().all(alone);
            if !ink.is_unseen(false) {
                if !shape.rectangle {
                    self.outlines.add(area);
                }
                self.paint(area, exact, ink.is_opaque(), ink);
            }
        }
    }

    fn paint(&mut self, area: Rect, exact: bool, opaque: bool, ink: &Ink) {
        let shown = area.intersect(ink.clip);
        let exact = exact && ink.clip_is_exact;
        self.pieces.over(shown, exact && opaque);
        let (colour, strings) = (ink.fill.colour, self.strings);
        self.ground.paint(Painted { area: shown, exact, opaque, colour, picture: false, strings });
    }

    /// A shade over all that is not cut off.
    pub(super) fn shade(&mut self, ink: &Ink) {
        let (area, exact) = (self.view.intersect(ink.clip), ink.clip_is_exact);
        self.show_through(area, None, ink);
        let strings = self.strings;
        self.pieces.over(area, false);
        self.ground.paint(Painted { area, exact, opaque: false, colour: None, picture: false, strings });
    }

    /// A picture in the unit square of a space that `to_page` leads out of.
    pub(super) fn image(&mut self, to_page: Affine, ink: &Ink, image: Picture) {
        let area = to_page.transform_rect_bbox(Rect::new(0.0, 0.0, 1.0, 1.0));
        let shown = area.intersect(self.view).intersect(ink.clip);
        let size = shown.area();
        self.counts.images += if size.is_finite() { size.max(0.0) } else { 0.0 };
        self.show_through(area, None, ink);
        // Printer drivers stretch a single pixel where others fill a rectangle.
        if image.pixels == (1, 1) {
            self.thin(area);
        }
        if !ink.is_unseen(false) {
            let (exact, opaque) = (is_upright(to_page) && ink.clip_is_exact, image.whole && ink.is_opaque());
            let strings = self.strings;
            self.ground.paint(Painted { area: shown, exact, opaque, colour: None, picture: true, strings });
            self.pieces.draw(to_page, shown, ink, image);
            if size > LEAST_PICTURE && size.is_finite() && self.pictures.len() < MOST_PICTURES {
                self.pictures.push(shown);
                self.prints.extend((!image.photograph).then_some(shown));
            }
        }
    }
}

/// Smaller pictures hold no text, square points.
const LEAST_PICTURE: f64 = 400.0;
const MOST_PICTURES: usize = 2_000;
/// So many times something is painted within glyphs.
const MOST_WITHIN: u32 = 200;
/// How much of a letter may be cut off before it is, points.
const CLIP_MARGIN: f64 = 0.5;
