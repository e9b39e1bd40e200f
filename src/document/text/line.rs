//! Lines and their words.

use hayro_interpret::kurbo::{Point, Rect};

use crate::content::{BoundingBox, Script};

/// One line, or a part of one that stands apart; lengths in points, y grows downwards on the upright page.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::struct_excessive_bools, reason = "each says something else of it")]
pub(super) struct Line {
    /// Its words, in reading order.
    pub(super) words: Vec<Word>,
    /// Where it starts and ends, along the direction of writing.
    pub(super) start: f64,
    pub(super) end: f64,
    /// Its baseline, across the direction of writing.
    pub(super) baseline: f64,
    /// Font size on the page.
    pub(super) size: f64,
    /// Unit vector of writing, from left to right.
    pub(super) direction: (f64, f64),
    /// Whether it is read from right to left.
    pub(super) right_to_left: bool,
    /// Whether the document says that it is a header, a footer or a page number.
    pub(super) artifact: bool,
    /// Which of the page's form fields it is the value of.
    pub(super) field: Option<u32>,
    /// Whether dots lead from its text to a number, as in a list of contents or an index.
    pub(super) leader: bool,
    /// Whether it is a stamp or a watermark, and no part of the text around it.
    pub(super) stamp: bool,
    /// Whether it begins with a large letter that reaches down beside lines below it.
    pub(super) initial: bool,
    /// Whether it is one of a listing, whose lines keep where they begin and end.
    pub(super) listing: bool,
}

/// How letters look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) bold: bool,
    pub(super) italic: bool,
    /// All letters are as wide as each other.
    pub(super) mono: bool,
    /// Raised or lowered, where no character says so.
    pub(super) script: Option<Script>,
}

/// A word and its place in its line.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::struct_excessive_bools, reason = "each says something else of it")]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) start: f64,
    pub(super) end: f64,
    /// The link of the page that it belongs to.
    pub(super) link: Option<u16>,
    /// How its letters look.
    pub(super) style: Style,
    /// Whether it follows the word before without a space.
    pub(super) glued: bool,
    /// Whether a space was drawn before it.
    pub(super) spaced: bool,
    /// Whether a line strikes it through.
    pub(super) struck: bool,
    /// Whether the hyphen that it ends with is its own, and not that of the line's end.
    pub(super) compound: bool,
    /// The font of its first letter, by the order of the page's; none of what was recognised.
    pub(super) font: Option<u16>,
}

impl Line {
    /// Puts the sign of an item before it, that stands at `x`.
    pub(super) fn begin_with_bullet(&mut self, x: f64) {
        let style = Style::default();
        let bullet = Word {
            text: "•".into(),
            start: x,
            end: x,
            link: None,
            style,
            glued: false,
            spaced: false,
            struck: false,
            compound: false,
            font: None,
        };
        self.words.insert(0, bullet);
        (self.start, self.end) = (self.start.min(x), self.end.max(x));
    }

    /// Whether it runs from left to right along the page, as lines of the tables do that are looked for.
    pub(super) fn is_level(&self) -> bool {
        self.direction.0 > 0.99 && !self.right_to_left
    }

    /// About where its letters stand: most rise by .8 of the size above the baseline, and reach .2 below it.
    #[allow(clippy::cast_possible_truncation, reason = "a tenth of a point is fine enough")]
    pub(super) fn bounding_box(&self) -> BoundingBox {
        let (dx, dy) = self.direction;
        let corner = |along: f64, across: f64| (along * dx - across * dy, along * dy + across * dx);
        let (top, bottom) = (self.baseline - self.size * 0.8, self.baseline + self.size * 0.2);
        let corners = [(self.start, top), (self.end, top), (self.start, bottom), (self.end, bottom)];
        let boxes = corners.map(|(along, across)| {
            let (x, y) = corner(along, across);
            let [x, y] = [x, y].map(|length| ((length * 10.0).round() / 10.0) as f32);
            BoundingBox { left: x, top: y, right: x, bottom: y }
        });
        boxes.into_iter().fold(boxes[0], BoundingBox::union)
    }

    /// Whether a part of it lies in `view`.
    pub(super) fn is_seen_in(&self, view: Rect) -> bool {
        let (dx, dy) = self.direction;
        let place = |along: f64| Point::new(along * dx - self.baseline * dy, along * dy + self.baseline * dx);
        let places = [self.start, f64::midpoint(self.start, self.end), self.end];
        let view = view.inflate(self.size, self.size);
        places.into_iter().any(|along| view.contains(place(along)))
    }

    /// Whether `again` says the same at the same place.
    pub(super) fn is_drawn_by(&self, again: &Self) -> bool {
        let near = |a: f64, b: f64| (a - b).abs() < self.size * 0.3;
        let same_place = near(self.start, again.start) && near(self.baseline, again.baseline);
        let words = |line: &Self| line.words.iter().map(|word| word.text.clone()).collect::<Vec<_>>();
        same_place
            && self.has_same_direction(again)
            && self.words.len() == again.words.len()
            && words(self) == words(again)
    }

    /// Whether both run the same way.
    pub(super) fn has_same_direction(&self, other: &Self) -> bool {
        self.direction.0 * other.direction.0 + self.direction.1 * other.direction.1 > 0.99
    }
}

impl Word {
    /// Adds it to text, with a space before it unless it is glued.
    pub(super) fn append_to(&self, text: &mut String) {
        if !self.glued && !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&self.text);
    }
}

#[cfg(test)]
impl Word {
    /// A plain word at its place.
    pub(super) fn at(text: &str, start: f64, end: f64) -> Self {
        let text = text.into();
        Self {
            text,
            start,
            end,
            link: None,
            style: Style::default(),
            glued: false,
            spaced: false,
            struck: false,
            compound: false,
            font: None,
        }
    }
}

#[cfg(test)]
impl Line {
    /// A line of words that runs from left to right.
    pub(super) fn of(words: Vec<Word>, baseline: f64, size: f64) -> Self {
        let (start, end) = (words[0].start, words[words.len() - 1].end);
        let direction = (1.0, 0.0);
        let (right_to_left, artifact, leader) = (false, false, false);
        let field = None;
        let (stamp, initial, listing) = (false, false, false);
        Self {
            words,
            start,
            end,
            baseline,
            size,
            direction,
            right_to_left,
            artifact,
            field,
            leader,
            stamp,
            initial,
            listing,
        }
    }
}
