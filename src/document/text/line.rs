//! Lines of text, as the page draws them.

use super::bidi;

/// One line, or a part of one that stands apart; lengths in points, y grows downwards on the upright page.
#[derive(Clone, Debug, PartialEq)]
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
}

/// A word and its place in its line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) start: f64,
    pub(super) end: f64,
    /// The link of the page that it belongs to.
    pub(super) link: Option<u16>,
}

impl Line {
    /// Whether it runs from left to right along the page, as lines of the tables do that are looked for.
    pub(super) fn is_level(&self) -> bool {
        self.direction.0 > 0.99 && !self.right_to_left
    }

    /// Whether `again` says the same at the same place.
    pub(super) fn is_drawn_by(&self, again: &Self) -> bool {
        let near = |a: f64, b: f64| (a - b).abs() < self.size * 0.3;
        let same_place = near(self.start, again.start) && near(self.baseline, again.baseline);
        let words = |line: &Self| line.words.iter().map(|word| word.text.clone()).collect::<Vec<_>>();
        same_place && self.goes_like(again) && self.words.len() == again.words.len() && words(self) == words(again)
    }

    /// Whether both run the same way.
    pub(super) fn goes_like(&self, other: &Self) -> bool {
        self.direction.0 * other.direction.0 + self.direction.1 * other.direction.1 > 0.99
    }
}

/// A glyph with its place.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) text: Text,
    pub(super) start: f64,
    pub(super) end: f64,
}

/// What a glyph stands for: nearly always one character, and then without an allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Text {
    One(char),
    More(String),
}

impl Text {
    pub(super) fn to_text(&self) -> String {
        match self {
            Self::One(c) => c.to_string(),
            Self::More(text) => text.clone(),
        }
    }

    fn is_space(&self) -> bool {
        matches!(self, Self::One(c) if c.is_whitespace())
    }

    pub(super) fn is_blank(&self) -> bool {
        match self {
            Self::One(c) => c.is_whitespace(),
            Self::More(text) => text.trim().is_empty(),
        }
    }

    fn is_right_to_left(&self) -> bool {
        match self {
            Self::One(c) => bidi::is_right_to_left(*c),
            Self::More(text) => text.chars().any(bidi::is_right_to_left),
        }
    }
}

/// A line in the making.
#[derive(Debug)]
pub(super) struct OpenLine {
    pub(super) pieces: Vec<Piece>,
    pub(super) start: f64,
    pub(super) end: f64,
    pub(super) baseline: f64,
    pub(super) size: f64,
    pub(super) direction: (f64, f64),
    right_to_left: bool,
}

/// A gap of more than this much of the size parts words.
const WORD_GAP: f64 = 0.18;

impl OpenLine {
    pub(super) fn new(piece: Piece, baseline: f64, size: f64, direction: (f64, f64)) -> Self {
        let (start, end) = (piece.start, piece.end);
        let right_to_left = piece.text.is_right_to_left();
        Self { pieces: vec![piece], start, end, baseline, size, direction, right_to_left }
    }

    /// Whether a glyph belongs to this line. A smaller or raised glyph (an index, a mark) does.
    pub(super) fn takes(&self, piece: &Piece, baseline: f64, size: f64, direction: (f64, f64)) -> bool {
        let larger = self.size.max(size);
        let same_way = self.direction.0 * direction.0 + self.direction.1 * direction.1 > 0.99;
        let same_line = (baseline - self.baseline).abs() < larger * 0.45;
        let gap = piece.start - self.end;
        let follows = gap > -larger * 1.5 && gap < larger * 3.0 && piece.start > self.start - larger * 0.5;
        // Text from right to left may be drawn as it is read.
        let before = self.start - piece.end;
        let precedes = before > -larger * 1.5 && before < larger * 3.0 && piece.end < self.end + larger * 0.5;
        let within = piece.start >= self.start && piece.end <= self.end;
        let turned = self.right_to_left || piece.text.is_right_to_left();
        same_way && same_line && (follows || turned && (precedes || within))
    }

    pub(super) fn add(&mut self, piece: Piece) {
        self.right_to_left |= piece.text.is_right_to_left();
        self.start = self.start.min(piece.start);
        // In text from left to right the pen goes on from the last glyph, also when that is narrower than the one before.
        self.end = if self.right_to_left { self.end.max(piece.end) } else { piece.end };
        self.pieces.push(piece);
    }

    /// The finished line; `None` when it has no text.
    pub(super) fn finish(mut self) -> Option<Line> {
        let mut right_to_left = false;
        if self.right_to_left {
            attach_marks(&mut self.pieces);
            self.pieces.sort_by(|a, b| a.start.total_cmp(&b.start));
            let spaced = with_spaces(self.pieces, self.size);
            let texts: Vec<String> = spaced.iter().map(|piece| piece.text.to_text()).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let (order, right) = bidi::reading_order(&texts);
            right_to_left = right;
            self.pieces = order.into_iter().map(|index| spaced[index].clone()).collect();
        }
        let words = words(&self.pieces, self.size, self.right_to_left);
        let (start, end) =
            words.iter().fold((f64::MAX, f64::MIN), |(start, end), word| (start.min(word.start), end.max(word.end)));
        let Self { baseline, size, direction, .. } = self;
        let line = Line { words, start, end, baseline, size, direction, right_to_left };
        (!line.words.is_empty()).then_some(line)
    }
}

/// A mark goes with the letter that it stands at, whichever of them was drawn first.
fn attach_marks(pieces: &mut Vec<Piece>) {
    let (marks, mut letters): (Vec<Piece>, Vec<Piece>) =
        std::mem::take(pieces).into_iter().partition(|piece| bidi::is_mark(&piece.text.to_text()));
    letters.sort_by(|a, b| a.start.total_cmp(&b.start));
    for mark in marks {
        // The last letter that begins before the middle of the mark.
        let middle = f64::midpoint(mark.start, mark.end);
        let after = letters.partition_point(|letter| letter.start <= middle);
        match letters.get_mut(after.saturating_sub(1)) {
            Some(letter) => letter.text = Text::More(letter.text.to_text() + &mark.text.to_text()),
            None => letters.push(mark),
        }
    }
    *pieces = letters;
}

/// Puts a space where there is a gap, so that it takes part in the ordering.
fn with_spaces(pieces: Vec<Piece>, size: f64) -> Vec<Piece> {
    let mut spaced: Vec<Piece> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        if let Some(last) = spaced.last()
            && piece.start - last.end > size * WORD_GAP
            && !last.text.is_space()
            && !piece.text.is_space()
        {
            let (start, end) = (last.end, piece.start);
            spaced.push(Piece { text: Text::One(' '), start, end });
        }
        spaced.push(piece);
    }
    spaced
}

fn words(pieces: &[Piece], size: f64, spaced: bool) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut open = false;
    let mut pen = f64::MIN;
    for piece in pieces {
        open &= spaced || piece.start - pen <= size * WORD_GAP;
        pen = piece.end;
        let mut add = |c: char| {
            if c.is_whitespace() {
                open = false;
                return;
            }
            if !open {
                words.push(Word { text: String::new(), start: piece.start, end: piece.end, link: None });
                open = true;
            }
            if let Some(word) = words.last_mut() {
                // One sign is enough for several glyphs that nobody knows.
                if c != REPLACEMENT || !word.text.ends_with(REPLACEMENT) {
                    word.text.push(c);
                }
                word.start = word.start.min(piece.start);
                word.end = word.end.max(piece.end);
            }
        };
        match &piece.text {
            Text::One(c) => add(*c),
            Text::More(text) => text.chars().for_each(add),
        }
    }
    words
}

/// What stands for a glyph that nobody knows.
pub(super) const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;
