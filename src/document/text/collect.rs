//! Takes what stands on a page: glyphs into lines, straight strokes into rules.

use std::collections::HashSet;

use hayro_interpret::kurbo::{Point, Rect, Vec2};

use super::super::facts::Shown;
use super::abutting;
use super::across;
use super::actual_text;
use super::ground::Ground;
use super::gutters;
use super::initials;
use super::line::{Line, Style};
use super::open_line::{OpenLine, REPLACEMENT, Text, TextRun};
use super::outlines::Outlines;
use super::picture_fragments::PictureFragments;
use super::raised;
use super::shading;
use super::sight::Sight;
use super::skew;
use super::trust::FontsUsed;

/// A straight level or upright stroke; lengths in points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct RulingLine {
    /// Whether it is upright.
    pub(super) upright: bool,
    /// Where it is: its y when it is level, its x when it is upright.
    pub(super) at: f64,
    /// Where it begins and ends along itself.
    pub(super) from: f64,
    pub(super) to: f64,
    /// Whether it is but the edge of a filled area, which parts rows of a table and makes none.
    pub(super) soft: bool,
}

/// A filled shape is a rule when it is at most so thick.
const THICKEST_RULE: f64 = 2.5;
/// Shorter strokes are parts of drawings.
const SHORTEST_RULE: f64 = 6.0;
/// What is drawn again comes within so many lines.
const DRAWN_AGAIN: usize = 64;
/// A whole line comes within so many.
const LINE_AGAIN: usize = 4;
/// A page with more rules is a drawing.
const MOST_RULES: usize = 4_000;
/// How large the sign of an item is, points.
const DOT: std::ops::Range<f64> = 1.2..9.0;
/// A page with more of them is a drawing, too.
const MOST_DOTS: usize = 400;
/// Of more light letters on pictures no more are looked at.
const MOST_PALE: usize = 2_000;
/// Further form fields stand at the end of the page.
const MOST_FIELDS: usize = 1_000;

/// Collects a page.
pub(super) struct Collector {
    pub(super) view: Rect,
    pub(super) lines: Vec<OpenLine>,
    /// Lines of glyphs that are not seen.
    pub(super) hidden: Vec<OpenLine>,
    pub(super) ground: Ground,
    /// Where pictures are.
    pub(super) pictures: Vec<Rect>,
    /// and where those of them are that are not packed as photographs are.
    pub(super) prints: Vec<Rect>,
    /// and what figures are made of.
    pub(super) pieces: PictureFragments,
    pub(super) outlines: Outlines,
    pub(super) fonts: FontsUsed,
    /// Strings of a light colour on a picture, and where a glyph of each stands.
    pub(super) pale: Vec<(u32, Rect)>,
    /// Strings whose glyphs cut off what is outside of them, and how often something was painted within some.
    pub(super) stencils: HashSet<u32>,
    pub(super) painted_within: u32,
    rules: Vec<RulingLine>,
    areas: Vec<Rect>,
    dots: Vec<Point>,
    pub(super) counts: Counts,
    /// How many pieces of furniture (headers, page numbers), marked as such by the document, are open.
    pub(super) artifacts: u32,
    /// Which form field what comes is the value of, and how many there were.
    field: Option<u32>,
    fields: u32,
    /// How many operators have shown text.
    pub(super) strings: u32,
    actual: Option<Actual>,
}

/// Text that stands for all glyphs of a span (PDF 32000-1, 14.9.4).
struct Actual {
    text: String,
    /// How many spans within it are open.
    inner: u32,
    /// Where its glyphs are: whether among the hidden ones, in which line, and at which place of that.
    glyphs: Vec<(bool, usize, usize)>,
    /// Whether some of them were drawn before, where they are, as for bold letters.
    is_repeated: bool,
}

/// What a page shows, counted.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct Counts {
    pub(in super::super) glyphs: u32,
    pub(in super::super) unmapped: u32,
    pub(in super::super) hidden: u32,
    /// Of the hidden ones, those that are letters and stand off the page.
    pub(in super::super) outside: u32,
    /// Drawn again at their place.
    pub(in super::super) repeated: u32,
    /// The area of its images, square points; what lies over another counts twice.
    pub(in super::super) images: f64,
}

impl Counts {
    /// The same of a page of this size, points.
    #[allow(clippy::cast_possible_truncation, reason = "a share")]
    pub(in super::super) fn shown(self, (width, height): (f32, f32)) -> Shown {
        let coverage = self.images / (f64::from(width) * f64::from(height)).max(1.0);
        Shown {
            glyphs: self.glyphs,
            hidden_glyphs: self.hidden,
            outside_glyphs: self.outside,
            repeated_glyphs: self.repeated,
            unmapped_glyphs: self.unmapped,
            image_coverage: coverage.min(1.0) as f32,
            ..Shown::default()
        }
    }
}

/// A string of glyphs in one direction and size.
pub(super) struct Run {
    pub(super) direction: (f64, f64),
    /// Where its pen starts, along the direction and across it.
    pub(super) start: f64,
    pub(super) baseline: f64,
    /// Points along the direction for each unit of the pen.
    pub(super) reach: f64,
    pub(super) size: f64,
}

/// How a glyph looks.
#[derive(Clone, Copy, Default)]
pub(super) struct Look {
    pub(super) style: Style,
    pub(super) sight: Sight,
    /// Its font, by the order of the page's, and its code.
    pub(super) glyph: (u16, u32),
}

impl Collector {
    /// A collector of what is shown in `view`.
    pub(super) fn new(view: Rect) -> Self {
        let counts = Counts::default();
        Self {
            view,
            lines: Vec::new(),
            hidden: Vec::new(),
            ground: Ground::default(),
            pictures: Vec::new(),
            prints: Vec::new(),
            pieces: PictureFragments::default(),
            outlines: Outlines::default(),
            fonts: FontsUsed::default(),
            pale: Vec::new(),
            stencils: HashSet::new(),
            painted_within: 0,
            rules: Vec::new(),
            areas: Vec::new(),
            dots: Vec::new(),
            counts,
            artifacts: 0,
            field: None,
            fields: 0,
            strings: 0,
            actual: None,
        }
    }

    pub(super) fn finish(mut self) -> (Vec<Line>, Vec<RulingLine>) {
        self.lines = skew::turn(across::join(self.lines));
        raised::attach(&mut self.lines);
        let mut rules = if self.rules.len() < MOST_RULES { self.rules } else { Vec::new() };
        rules.extend(shading::rules(&self.areas));
        let mut lines: Vec<Line> = Vec::with_capacity(self.lines.len());
        for line in self.lines.into_iter().filter_map(OpenLine::finish) {
            // Drawn again at its place, or nearly, to look bold.
            let again = lines.iter().rev().take(LINE_AGAIN).any(|before| before.is_drawn_by(&line));
            if !again && line.is_seen_in(self.view) {
                lines.push(line);
            }
        }
        abutting::join(&mut lines);
        initials::join(&mut lines);
        dot(&mut lines, &self.dots);
        let mut lines = gutters::part(lines);
        beside_labels(&mut lines);
        (lines, rules)
    }

    /// A run whose pen starts at `origin` and moves by `unit` for each of its units, its letters towards `along`. `None`
    /// when it has no extent.
    pub(super) fn run(origin: Point, along: Vec2, unit: Vec2, size: f64) -> Option<Run> {
        let length = along.hypot();
        if !(length > 0.0 && size > 0.0 && length.is_finite() && size.is_finite() && origin.is_finite()) {
            return None;
        }
        let direction = (along.x / length, along.y / length);
        Some(Run {
            direction,
            start: origin.x * direction.0 + origin.y * direction.1,
            baseline: origin.y * direction.0 - origin.x * direction.1,
            reach: unit.x * direction.0 + unit.y * direction.1,
            size,
        })
    }

    /// A glyph between two places of the pen.
    pub(super) fn glyph(&mut self, run: &Run, look: Look, text: Option<&Text>, pen: (f64, f64)) {
        self.counts.glyphs = self.counts.glyphs.saturating_add(1);
        self.counts.unmapped = self.counts.unmapped.saturating_add(u32::from(text.is_none()));
        self.counts.hidden =
            self.counts.hidden.saturating_add(u32::from(matches!(look.sight, Sight::Hidden | Sight::Outside)));
        let text = text.cloned().unwrap_or(Text::One(REPLACEMENT));
        if look.sight == Sight::Outside && !text.is_blank() {
            self.counts.outside = self.counts.outside.saturating_add(1);
        }
        if self.actual.is_none() && text.is_empty() || look.sight == Sight::Outside {
            return;
        }
        let (from, to) = (run.start + pen.0 * run.reach, run.start + pen.1 * run.reach);
        let (start, end) = (from.min(to), from.max(to));
        let (baseline, size, string) = (run.baseline, run.size, self.strings);
        let piece = TextRun { text, start, end, baseline, size, style: look.style, string, glyph: look.glyph };
        if look.sight == Sight::Pale && self.pale.len() < MOST_PALE && !piece.text.is_blank() {
            self.pale.push((string, piece.area(run.direction)));
        }
        let (artifact, field) = (self.artifacts > 0, self.field);
        let hidden = look.sight == Sight::Hidden;
        let lines = if hidden { &mut self.hidden } else { &mut self.lines };
        let follows = lines.last().is_some_and(|line| line.is_followed_by(&piece));
        if !follows && is_drawn(lines, &piece, run.direction) {
            self.actual.iter_mut().for_each(|actual| actual.is_repeated = true);
            self.counts.repeated = self.counts.repeated.saturating_add(u32::from(!piece.text.is_blank()));
            return;
        }
        match lines.last_mut() {
            Some(line) if line.field == field && line.takes(&piece, run.direction) => line.add(piece, artifact),
            // Down the page spaces may be letters that are set across it.
            _ if piece.text.is_blank() && run.direction.1 < 0.99 => return,
            _ => {
                let line = OpenLine::new(piece, run.direction, artifact, field, lines.last());
                lines.push(line);
            }
        }
        if let (Some(actual), Some(line)) = (&mut self.actual, lines.last()) {
            actual.glyphs.push((hidden, lines.len() - 1, line.pieces.len() - 1));
        }
    }

    /// What comes is the value of another form field.
    pub(super) fn begin_field(&mut self) {
        self.fields += 1;
        self.field = Some(self.fields);
    }

    /// What comes is part of the page.
    pub(super) fn end_field(&mut self) {
        self.field = None;
    }

    /// From here on `text` stands for all glyphs together.
    pub(super) fn begin_actual(&mut self, text: String) {
        match &mut self.actual {
            Some(actual) => actual.inner += 1,
            None => self.actual = Some(Actual { text, inner: 0, glyphs: Vec::new(), is_repeated: false }),
        }
    }

    /// No further than here. What its glyphs do not show is left out, as text that is not seen.
    pub(super) fn end_actual(&mut self) {
        if let Some(actual) = self.actual.as_mut().filter(|actual| actual.inner > 0) {
            actual.inner -= 1;
            return;
        }
        let Some(Actual { text, glyphs, is_repeated, .. }) = self.actual.take() else { return };
        if glyphs.is_empty() && is_repeated {
            return;
        }
        let lines = |hidden: bool| if hidden { &self.hidden } else { &self.lines };
        let glyph = |(hidden, line, at): &(bool, usize, usize)| lines(*hidden).get(*line)?.pieces.get(*at);
        let shown = glyphs.iter().filter_map(glyph).map(|glyph| glyph.text.to_text());
        if glyphs.is_empty() || !actual_text::may_stand_for(&text, &shown.collect::<String>()) {
            let letters = text.chars().filter(|c| c.is_alphanumeric()).count();
            self.counts.outside = self.counts.outside.saturating_add(u32::try_from(letters).unwrap_or(u32::MAX));
            return;
        }
        let mut text = Some(text);
        for (hidden, line, at) in glyphs {
            let lines = if hidden { &mut self.hidden } else { &mut self.lines };
            if let Some(line) = lines.get_mut(line) {
                line.rename(at, text.take().unwrap_or_default());
            }
        }
    }

    /// A stroke between two points of the page.
    pub(super) fn stroke(&mut self, from: Point, to: Point) {
        let (width, height) = ((to.x - from.x).abs(), (to.y - from.y).abs());
        let upright = height > width;
        let (length, slant) = if upright { (height, width) } else { (width, height) };
        let finite = length.is_finite() && from.x.is_finite() && from.y.is_finite();
        if !finite || length < SHORTEST_RULE || slant > 0.5 || self.rules.len() >= MOST_RULES {
            return;
        }
        let (at, a, b) = if upright { (from.x, from.y, to.y) } else { (from.y, from.x, to.x) };
        self.rules.push(RulingLine { upright, at, from: a.min(b), to: a.max(b), soft: false });
    }

    /// A filled area of the page: a thin one is a stroke.
    pub(super) fn thin(&mut self, area: Rect) {
        let middle = area.center();
        if area.height() <= THICKEST_RULE && area.width() > area.height() {
            self.stroke(Point::new(area.x0, middle.y), Point::new(area.x1, middle.y));
        } else if area.width() <= THICKEST_RULE {
            self.stroke(Point::new(middle.x, area.y0), Point::new(middle.x, area.y1));
        } else if shading::may_be_cell(area) && self.areas.len() < shading::MOST_AREAS {
            self.areas.push(area);
        }
    }

    /// A small round or square shape may be the sign of an item.
    pub(super) fn dot(&mut self, area: Rect) {
        let (width, height) = (area.width(), area.height());
        if DOT.contains(&width) && (width - height).abs() < width * 0.2 && self.dots.len() < MOST_DOTS {
            self.dots.push(area.center());
        }
    }
}

/// Whether the same glyph stands at the same place already; then it stands there as it was drawn last.
fn is_drawn(lines: &mut [OpenLine], piece: &TextRun, direction: (f64, f64)) -> bool {
    lines.iter_mut().rev().take(DRAWN_AGAIN).any(|line| line.has(piece, direction))
}

/// Web browsers draw the signs of lists as shapes: a line that has one before it begins with it.
fn dot(lines: &mut [Line], dots: &[Point]) {
    for dot in dots {
        let distance = |line: &Line| if line.right_to_left { dot.x - line.end } else { line.start - dot.x };
        let belongs = |line: &Line| {
            let (distance, rise) = (distance(line) / line.size, (line.baseline - dot.y) / line.size);
            line.direction.0 > 0.99 && (0.2..2.5).contains(&distance) && (0.1..0.65).contains(&rise)
        };
        let nearest = lines.iter_mut().filter(|line| belongs(line)).min_by(|a, b| distance(a).total_cmp(&distance(b)));
        if let Some(line) = nearest {
            line.begin_with_bullet(dot.x);
        }
    }
}

/// The label of a box to be ticked: what stands close behind it.
fn label_of_box(lines: &[Line], value: &Line) -> Option<usize> {
    let is_box = matches!(&value.words[..], [word] if matches!(word.text.as_str(), "☐" | "☑" | "☒"));
    let is_label = |line: &Line| {
        let level = (line.baseline - value.baseline).abs() < line.size.max(value.size) * 0.6;
        level && line.has_same_direction(value) && (-0.5..2.5).contains(&((line.start - value.end) / line.size))
    };
    let labels = lines.iter().enumerate().filter(|(_, line)| is_box && line.field.is_none() && is_label(line));
    labels.min_by(|a, b| a.1.start.total_cmp(&b.1.start)).map(|(at, _)| at)
}

/// Values of form fields are drawn after the page: each is put behind its label, which stands left of it.
fn beside_labels(lines: &mut Vec<Line>) {
    let begin = lines.iter().position(|line| line.field.is_some()).unwrap_or(lines.len());
    let mut values = lines.split_off(begin);
    // To look for all labels of a page full of fields would cost their square.
    let rest = values.split_off(values.len().min(MOST_FIELDS));
    let mut last: Option<(Option<u32>, usize)> = None;
    for mut value in values {
        // A value of several lines stays together.
        if let Some((_, at)) = last.filter(|(field, _)| *field == value.field) {
            last = Some((value.field, at + 1));
            lines.insert(at + 1, value);
            continue;
        }
        let is_label = |line: &Line| {
            let level = (line.baseline - value.baseline).abs() < line.size.max(value.size) * 0.6;
            level && line.has_same_direction(&value) && line.end < value.start + value.size
        };
        if let Some(label) = label_of_box(lines, &value) {
            // They are one line, though their letters have other sizes.
            value.baseline = lines[label].baseline;
            lines.insert(label, value);
            continue;
        }
        let labels = lines.iter().enumerate().filter(|(_, line)| is_label(line));
        let label = labels.max_by(|a, b| a.1.end.total_cmp(&b.1.end)).map(|(at, _)| at);
        let at = label.map_or(lines.len(), |at| at + 1);
        last = Some((value.field, at));
        lines.insert(at, value);
    }
    lines.extend(rest);
}
