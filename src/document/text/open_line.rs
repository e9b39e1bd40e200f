//! Lines in the making: glyphs in the order in which the page draws them → words.

use super::line::{Line, Style, Word};
use super::spacing::{tracked_gap, word_gap};
use super::{bidi, glyphs, leader, symbol};

/// A glyph with its place.
#[derive(Clone, Debug)]
pub(super) struct TextRun {
    pub(super) text: Text,
    pub(super) start: f64,
    pub(super) end: f64,
    pub(super) baseline: f64,
    pub(super) size: f64,
    pub(super) style: Style,
    /// Which of the page's strings it is part of, by their order.
    pub(super) string: u32,
    /// Which font it is of, by the order of the page's, and which code that has for it.
    pub(super) glyph: (u16, u32),
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

    pub(super) const fn is_empty(&self) -> bool {
        matches!(self, Self::More(text) if text.is_empty())
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

    pub(super) fn is_alphabetic(&self) -> bool {
        match self {
            Self::One(c) => c.is_alphabetic(),
            Self::More(text) => text.chars().all(char::is_alphabetic),
        }
    }

    pub(super) fn is_uppercase(&self) -> bool {
        match self {
            Self::One(c) => c.is_uppercase(),
            Self::More(text) => text.chars().all(char::is_uppercase),
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
    pub(super) pieces: Vec<TextRun>,
    start: f64,
    end: f64,
    /// How far right any of its glyphs reaches.
    reach: f64,
    /// Those of its largest letters.
    baseline: f64,
    pub(super) size: f64,
    pub(super) direction: (f64, f64),
    right_to_left: bool,
    pub(super) artifact: bool,
    /// Which form field it is the value of.
    pub(super) field: Option<u32>,
}

/// Lines have so many glyphs, or fewer, mostly.
const USUAL_GLYPHS: usize = 96;
/// and words so many bytes, or fewer, and so many letters with their space.
const USUAL_WORD: usize = 16;
const USUAL_LETTERS: usize = 5;
/// Words smaller than this much of their neighbour are another text: the caption of a large number.
const CAPTION: f64 = 0.45;
/// Word processors raise exponents by as much as this of the size.
const RAISED: f64 = 0.75;
/// and lower indexes by this much.
const LOWERED: f64 = 0.55;
/// A glyph may begin so far before the end of the one before it, in sizes: kerned, or measured by another font.
const OVERLAP: f64 = 3.0;
/// A glyph that is drawn again stands within this much of its width; the next one of a double letter is a width away.
const DRAWN_AGAIN: f64 = 0.45;

impl OpenLine {
    /// A line that begins with a glyph, and will perhaps have as many as the one `before`.
    pub(super) fn new(
        piece: TextRun,
        direction: (f64, f64),
        artifact: bool,
        field: Option<u32>,
        before: Option<&Self>,
    ) -> Self {
        let TextRun { start, end, baseline, size, .. } = piece;
        let right_to_left = piece.text.is_right_to_left();
        let mut pieces = Vec::with_capacity(before.map_or(0, |line| line.pieces.len()).clamp(4, USUAL_GLYPHS));
        pieces.push(piece);
        Self { pieces, start, end, reach: end, baseline, size, direction, right_to_left, artifact, field }
    }

    /// Whether it runs from left to right along the page, and is no value of a form field.
    pub(super) fn is_level(&self) -> bool {
        self.direction.0 > 0.99 && !self.right_to_left && self.field.is_none()
    }

    /// That of its largest letters.
    pub(super) const fn baseline(&self) -> f64 {
        self.baseline
    }

    /// Whether a glyph belongs to this line. A smaller or raised glyph (an index, a mark) does.
    pub(super) fn takes(&self, piece: &TextRun, direction: (f64, f64)) -> bool {
        // As nearly all do.
        let gap = piece.start - self.end;
        let goes_on = piece.start > self.start && gap.abs() < piece.size;
        #[allow(clippy::float_cmp, reason = "what is nearly equal is looked at below")]
        if goes_on && piece.baseline == self.baseline && piece.size == self.size && direction == self.direction {
            return true;
        }
        let larger = self.size.max(piece.size);
        let same_way = self.direction.0 * direction.0 + self.direction.1 * direction.1 > 0.99;
        let same_line = self.is_level_with(piece, gap);
        let follows = gap > -larger * if piece.size < self.size { OVERLAP } else { 1.5 }
            && gap < larger * 3.0
            && piece.start > self.start - larger * 0.5;
        // Text from right to left may be drawn as it is read.
        let before = self.start - piece.end;
        let precedes = before > -larger * 1.5 && before < larger * 3.0 && piece.end < self.end + larger * 0.5;
        let within = piece.start >= self.start && piece.end <= self.end;
        let turned = self.right_to_left || piece.text.is_right_to_left();
        same_way && same_line && (follows || turned && (precedes || within))
    }

    /// Whether a glyph can stand on this line by its height: on its baseline, or near it as indexes and exponents do.
    fn is_level_with(&self, piece: &TextRun, gap: f64) -> bool {
        let (larger, smaller) = (self.size.max(piece.size), self.size.min(piece.size));
        // How far the smaller one is raised.
        let rise = if piece.size < self.size { self.baseline - piece.baseline } else { piece.baseline - self.baseline };
        if smaller < larger * CAPTION {
            return rise.abs() < larger * 0.1;
        }
        let is_index = smaller < larger * 0.85 && (-larger * OVERLAP..larger * 1.2).contains(&gap);
        let lowered = if gap < larger * 0.4 { LOWERED } else { 0.0 };
        // A note in the margin stands near a line of the text, and not on it.
        let off = smaller < larger * 0.85 && rise.abs() > larger * 0.12 && gap > larger * 1.2;
        rise.abs() < larger * 0.45 && !off || is_index && (-larger * lowered..larger * RAISED).contains(&rise)
    }

    /// Whether a glyph stands behind all others of this line, as nearly all do.
    pub(super) fn is_followed_by(&self, piece: &TextRun) -> bool {
        (piece.baseline - self.baseline).abs() < 1e-6 && piece.start > self.reach - piece.size * 0.1
    }

    /// Whether the same glyph stands here already: it is drawn again to look bold, or to cast a shadow. What was drawn over
    /// the first one does not cover the second.
    pub(super) fn has(&mut self, piece: &TextRun, direction: (f64, f64)) -> bool {
        let apart = ((piece.end - piece.start) * DRAWN_AGAIN).min(piece.size * 0.1);
        // Within one string, glyphs that stand too close are of a font with wrong widths.
        let reach = |of: &TextRun| if of.string == piece.string { apart * 0.3 } else { apart };
        let near = (piece.baseline - self.baseline).abs() < self.size && piece.start > self.start - piece.size;
        let is_same = |of: &TextRun| {
            (of.start - piece.start).abs() < reach(of)
                && (of.baseline - piece.baseline).abs() < apart.min(piece.size * 0.1)
                && of.text == piece.text
                && (of.size - piece.size).abs() < piece.size * 0.1
        };
        if !near || piece.start >= self.reach || self.direction != direction {
            return false;
        }
        let drawn = self.pieces.iter().rposition(is_same);
        if let Some(at) = drawn {
            self.pieces[at].string = piece.string;
        }
        drawn.is_some()
    }

    /// Says what a glyph of it stands for.
    pub(super) fn rename(&mut self, at: usize, text: String) {
        let text = Text::More(text);
        self.right_to_left |= text.is_right_to_left();
        if let Some(piece) = self.pieces.get_mut(at) {
            piece.text = text;
        }
    }

    pub(super) fn add(&mut self, piece: TextRun, artifact: bool) {
        self.right_to_left |= piece.text.is_right_to_left();
        self.artifact &= artifact;
        self.start = self.start.min(piece.start);
        self.reach = self.reach.max(piece.end);
        // In text from left to right the pen goes on from the last glyph, also when that is narrower than the one before.
        self.end = if self.right_to_left { self.end.max(piece.end) } else { piece.end };
        if piece.size > self.size * 1.05 {
            (self.size, self.baseline) = (piece.size, piece.baseline);
        }
        self.pieces.push(piece);
    }

    /// The finished line; `None` when it has no text.
    pub(super) fn finish(mut self) -> Option<Line> {
        let (size, baseline) = self.usual();
        glyphs::name_leaders(&mut self.pieces);
        glyphs::compose_accents(&mut self.pieces);
        glyphs::mark_scripts(&mut self.pieces, size, baseline);
        let tracked = tracked_gap(&self.pieces, size);
        if tracked.is_some() {
            self.pieces.retain(|piece| !piece.text.is_blank());
        }
        let gap = tracked.unwrap_or_else(|| word_gap(&self.pieces, size));
        let mut right_to_left = false;
        if self.right_to_left {
            attach_marks(&mut self.pieces);
            self.pieces.sort_by(|a, b| a.start.total_cmp(&b.start));
            let spaced = with_spaces(self.pieces, gap);
            let texts: Vec<String> = spaced.iter().map(|piece| piece.text.to_text()).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let reading = bidi::reading_order(&texts);
            right_to_left = reading.right_to_left;
            let read = |index: usize| {
                let mut piece = spaced[index].clone();
                if let (Text::One(c), true) = (&mut piece.text, reading.turned[index]) {
                    *c = bidi::mirrored(*c);
                }
                piece
            };
            self.pieces = reading.order.into_iter().map(read).collect();
        }
        let mut words = words(&self.pieces, gap, self.right_to_left);
        for word in &mut words {
            if let Some(sign) = symbol::layered_box(&word.text) {
                word.text = sign.into();
            }
        }
        let leader = !self.right_to_left && leader::shorten(&mut words);
        let (start, end) =
            words.iter().fold((f64::MAX, f64::MIN), |(start, end), word| (start.min(word.start), end.max(word.end)));
        let Self { direction, artifact, field, .. } = self;
        let (stamp, initial, listing) = (false, false, false);
        let line = Line {
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
        };
        (!line.words.is_empty()).then_some(line)
    }

    /// The size in which most of its letters are set, and their baseline.
    fn usual(&self) -> (f64, f64) {
        let mut sizes: Vec<(f64, f64, usize)> = Vec::new();
        for piece in self.pieces.iter().filter(|piece| !piece.text.is_blank()) {
            match sizes.iter_mut().find(|(size, ..)| (size - piece.size).abs() < piece.size * 0.03) {
                Some((.., count)) => *count += 1,
                None => sizes.push((piece.size, piece.baseline, 1)),
            }
        }
        let Some(most) = sizes.iter().copied().max_by(|a, b| a.2.cmp(&b.2).then(a.0.total_cmp(&b.0))) else {
            return (self.size, self.baseline);
        };
        // Of a short line most may be raised.
        let is_base = |of: &&(f64, f64, usize)| of.0 > most.0 && of.1 > most.1 + most.0 * 0.1 && of.2 * 3 >= most.2;
        let (size, baseline, _) = sizes.iter().find(is_base).copied().unwrap_or(most);
        (size, baseline)
    }
}

/// A mark goes with the letter that it stands at, whichever of them was drawn first.
fn attach_marks(pieces: &mut Vec<TextRun>) {
    let (marks, mut letters): (Vec<TextRun>, Vec<TextRun>) =
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
fn with_spaces(pieces: Vec<TextRun>, gap: f64) -> Vec<TextRun> {
    let mut spaced: Vec<TextRun> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        if let Some(last) = spaced.last()
            && piece.start - last.end > gap
            && !last.text.is_space()
            && !piece.text.is_space()
        {
            let space = TextRun { text: Text::One(' '), start: last.end, end: piece.start, ..piece };
            spaced.push(space);
        }
        spaced.push(piece);
    }
    spaced
}

fn words(pieces: &[TextRun], gap: f64, spaced: bool) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::with_capacity(pieces.len() / USUAL_LETTERS + 1);
    let (mut open, mut space) = (false, false);
    let mut pen = f64::MIN;
    for (at, piece) in pieces.iter().enumerate() {
        open &= spaced || piece.start - pen <= gap;
        pen = piece.end;
        // A place where the word may be parted is nothing to see, but for the end of the line.
        let is_soft = matches!(piece.text, Text::One(SOFT_HYPHEN));
        if is_soft && at + 1 < pieces.len() && piece.end - piece.start < piece.size * 0.1 {
            continue;
        }
        let mut add = |c: char| {
            if c.is_whitespace() {
                (open, space) = (false, true);
                return;
            }
            // Wide letters are as wide as each other in any font.
            let style = Style { mono: piece.style.mono && c < FIRST_WIDE, ..piece.style };
            let goes_on = open && words.last().is_some_and(|word| word.looks_like(style, c));
            if !goes_on {
                let (start, end) = (piece.start, piece.end);
                words.push(Word {
                    text: String::with_capacity(USUAL_WORD),
                    start,
                    end,
                    link: None,
                    style,
                    glued: open,
                    spaced: space,
                    struck: false,
                    compound: false,
                    font: Some(piece.glyph.0),
                });
                (open, space) = (true, false);
            }
            if let Some(word) = words.last_mut() {
                // One sign is enough for several unknown glyphs.
                if c != REPLACEMENT || !word.text.ends_with(REPLACEMENT) {
                    word.text.push(c);
                }
                word.start = word.start.min(piece.start);
                word.end = word.end.max(piece.end);
            }
        };
        match &piece.text {
            Text::One(c) => add(*c),
            // More glyphs of what stands for several.
            Text::More(text) if text.is_empty() => {
                if let Some(word) = words.last_mut().filter(|_| open) {
                    word.end = word.end.max(piece.end);
                }
            }
            Text::More(text) => text.chars().for_each(add),
        }
    }
    words
}

impl Word {
    /// Whether a character in `style` can be one more of this word. Signs between letters look like either of them.
    fn looks_like(&self, style: Style, c: char) -> bool {
        let same = self.style == style;
        let near = self.style.mono == style.mono && self.style.script == style.script;
        same || near && !c.is_alphanumeric() && self.text.contains(char::is_alphanumeric)
    }
}

/// Letters from here on are mostly those of Chinese, Japanese and Korean.
const FIRST_WIDE: char = '\u{1100}';

/// Where a word may be parted, or is.
pub(super) const SOFT_HYPHEN: char = '\u{ad}';

/// The replacement for an unknown glyph.
pub(super) const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of glyphs: its letters are 5 wide, `_` is a gap of so many tenths of a point, `^` and `v` raise and lower.
    fn line(glyphs: &[(&str, f64)]) -> String {
        let mut pen = 0.0;
        let mut open: Option<OpenLine> = None;
        for (text, gap) in glyphs {
            pen += gap;
            let (off, size, text) = match text.strip_prefix('^') {
                Some(text) => (-3.0, 6.0, text),
                None => text.strip_prefix('v').map_or((0.0, 10.0, *text), |text| (2.0, 6.0, text)),
            };
            for c in text.chars() {
                let (start, end) = (pen, pen + size / 2.0);
                let piece = TextRun {
                    text: Text::One(c),
                    start,
                    end,
                    baseline: 100.0 + off,
                    size,
                    style: Style::default(),
                    string: 0,
                    glyph: (0, 0),
                };
                pen = end;
                match &mut open {
                    Some(line) if line.takes(&piece, (1.0, 0.0)) => line.add(piece, false),
                    Some(_) => panic!("{c} is of another line"),
                    None => open = Some(OpenLine::new(piece, (1.0, 0.0), false, None, None)),
                }
            }
        }
        let line = open.unwrap().finish().unwrap();
        line.words.iter().fold(String::new(), |mut text, word| {
            word.append_to(&mut text);
            text
        })
    }

    #[test]
    fn words_are_parted_by_gaps_also_by_narrow_ones() {
        for (glyphs, expected) in [
            (&[("two", 0.0), ("words", 2.5)][..], "two words"),
            (&[("ker", 0.0), ("ned", 0.7)], "kerned"),
            (&[("close", 0.0), ("words", 1.4), ("here", 1.4)], "close words here"),
            (&[("s", 0.0), ("p", 1.5), ("a", 1.5), ("c", 1.5), ("e", 1.5), ("d", 1.5), ("out", 3.5)], "spaced out"),
        ] {
            assert_eq!(line(glyphs), expected);
        }
    }

    #[test]
    fn dots_that_lead_to_a_number_are_one_sign() {
        for (glyphs, expected) in [
            (&[("Sewing.........12", 0.0)][..], "Sewing … 12"),
            (&[("Sewing", 0.0), (".", 2.5), (".", 2.5), (".", 2.5), (".", 2.5), ("12", 2.5)], "Sewing … 12"),
            (&[("and", 0.0), ("so", 2.5), ("on...", 2.5)], "and so on..."),
            (&[("1.2.3.4.5", 0.0)], "1.2.3.4.5"),
        ] {
            assert_eq!(line(glyphs), expected);
        }
    }

    #[test]
    fn small_numbers_off_the_line_are_indexes() {
        for (glyphs, expected) in [
            (&[("10", 0.0), ("^23", 0.0)][..], "10²³"),
            (&[("H", 0.0), ("v2", 0.0), ("O", 0.0)], "H₂O"),
            (&[("word.", 0.0), ("^1", 0.0)], "word.¹"),
            (&[("x", 0.0), ("^n", 0.0)], "xn"),
            (&[("10", 0.0), ("^-6", 0.0), ("m", 0.0)], "10⁻⁶m"),
            (&[("May", 0.0), ("^11-13", 0.0)], "May¹¹-¹³"),
            (&[("so", 0.0), ("^4,7", 0.0)], "so⁴,⁷"),
        ] {
            assert_eq!(line(glyphs), expected);
        }
    }
}
