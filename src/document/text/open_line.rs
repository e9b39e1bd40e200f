//! Lines in the making: glyphs in the order in which the page draws them → words.

use super::bidi;
use super::line::{Line, Style, Word};

/// A glyph with its place.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) text: Text,
    pub(super) start: f64,
    pub(super) end: f64,
    pub(super) baseline: f64,
    pub(super) size: f64,
    pub(super) style: Style,
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
    pieces: Vec<Piece>,
    start: f64,
    end: f64,
    /// Those of its largest letters.
    baseline: f64,
    size: f64,
    direction: (f64, f64),
    right_to_left: bool,
    artifact: bool,
    field: bool,
}

/// A gap of more than this much of the size parts words,
const WORD_GAP: f64 = 0.18;
/// or one that is wider by this much than what is usual between the letters of the line, in lines whose words stand close.
const CLOSE_WORD_GAP: f64 = 0.1;

impl OpenLine {
    pub(super) fn new(piece: Piece, direction: (f64, f64), artifact: bool, field: bool) -> Self {
        let Piece { start, end, baseline, size, .. } = piece;
        let right_to_left = piece.text.is_right_to_left();
        Self { pieces: vec![piece], start, end, baseline, size, direction, right_to_left, artifact, field }
    }

    pub(super) const fn is_field(&self) -> bool {
        self.field
    }

    /// Whether a glyph belongs to this line. A smaller or raised glyph (an index, a mark) does.
    pub(super) fn takes(&self, piece: &Piece, direction: (f64, f64)) -> bool {
        let larger = self.size.max(piece.size);
        let same_way = self.direction.0 * direction.0 + self.direction.1 * direction.1 > 0.99;
        let same_line = (piece.baseline - self.baseline).abs() < larger * 0.45;
        let gap = piece.start - self.end;
        let follows = gap > -larger * 1.5 && gap < larger * 3.0 && piece.start > self.start - larger * 0.5;
        // Text from right to left may be drawn as it is read.
        let before = self.start - piece.end;
        let precedes = before > -larger * 1.5 && before < larger * 3.0 && piece.end < self.end + larger * 0.5;
        let within = piece.start >= self.start && piece.end <= self.end;
        let turned = self.right_to_left || piece.text.is_right_to_left();
        same_way && same_line && (follows || turned && (precedes || within))
    }

    pub(super) fn add(&mut self, piece: Piece, artifact: bool) {
        self.right_to_left |= piece.text.is_right_to_left();
        self.artifact &= artifact;
        self.start = self.start.min(piece.start);
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
        raise(&mut self.pieces, size, baseline);
        let gap = size * word_gap(&self.pieces, size);
        let mut right_to_left = false;
        if self.right_to_left {
            attach_marks(&mut self.pieces);
            self.pieces.sort_by(|a, b| a.start.total_cmp(&b.start));
            let spaced = with_spaces(self.pieces, gap);
            let texts: Vec<String> = spaced.iter().map(|piece| piece.text.to_text()).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let (order, right) = bidi::reading_order(&texts);
            right_to_left = right;
            self.pieces = order.into_iter().map(|index| spaced[index].clone()).collect();
        }
        let mut words = words(&self.pieces, gap, self.right_to_left);
        let leader = !self.right_to_left && shorten_leader(&mut words);
        let (start, end) =
            words.iter().fold((f64::MAX, f64::MIN), |(start, end), word| (start.min(word.start), end.max(word.end)));
        let Self { direction, artifact, field, .. } = self;
        let line = Line { words, start, end, baseline, size, direction, right_to_left, artifact, field, leader };
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
        let most = sizes.into_iter().max_by(|a, b| a.2.cmp(&b.2).then(a.0.total_cmp(&b.0)));
        most.map_or((self.size, self.baseline), |(size, baseline, _)| (size, baseline))
    }
}

/// Letters at most this much of the size of their line are an index or an exponent, when they stand off its baseline by
/// more than [`RAISED`] of that size.
const INDEX_SIZE: f64 = 0.9;
const RAISED: f64 = 0.12;

/// Small numbers above or below the line become the characters for that, so that `10⁶` does not read 106 and the mark of
/// a footnote is none of the word's letters.
fn raise(pieces: &mut [Piece], size: f64, baseline: f64) {
    let place = |piece: &Piece| {
        let off = piece.baseline - baseline;
        match piece.size < size * INDEX_SIZE && off.abs() > size * RAISED {
            true if off < 0.0 => 1,
            true => -1,
            false => 0,
        }
    };
    if pieces.iter().all(|piece| piece.size >= size * INDEX_SIZE) {
        return;
    }
    for run in pieces.chunk_by_mut(|a, b| place(a) == place(b)) {
        let digits = match place(&run[0]) {
            1 => "⁰¹²³⁴⁵⁶⁷⁸⁹",
            -1 => "₀₁₂₃₄₅₆₇₈₉",
            _ => continue,
        };
        let changed: Option<Vec<char>> = run
            .iter()
            .map(|piece| match &piece.text {
                Text::One(c) => digits.chars().nth(c.to_digit(10)? as usize),
                Text::More(_) => None,
            })
            .collect();
        for (piece, c) in run.iter_mut().zip(changed.into_iter().flatten()) {
            piece.text = Text::One(c);
        }
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

/// The gap that parts words, as a share of the size.
fn word_gap(pieces: &[Piece], size: f64) -> f64 {
    let gap = |pair: &[Piece]| (pair[1].start - pair[0].end) / size;
    let is_close = |gap: &f64| (CLOSE_WORD_GAP..WORD_GAP).contains(gap);
    if !pieces.windows(2).any(|pair| is_close(&gap(pair))) {
        return WORD_GAP;
    }
    let mut gaps: Vec<f64> = pieces.windows(2).map(gap).filter(|gap| *gap < WORD_GAP * 2.0).collect();
    let middle = gaps.len() / 2;
    let usual = *gaps.select_nth_unstable_by(middle, f64::total_cmp).1;
    usual.max(0.0) + CLOSE_WORD_GAP
}

/// Puts a space where there is a gap, so that it takes part in the ordering.
fn with_spaces(pieces: Vec<Piece>, gap: f64) -> Vec<Piece> {
    let mut spaced: Vec<Piece> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        if let Some(last) = spaced.last()
            && piece.start - last.end > gap
            && !last.text.is_space()
            && !piece.text.is_space()
        {
            let space = Piece { text: Text::One(' '), start: last.end, end: piece.start, ..piece };
            spaced.push(space);
        }
        spaced.push(piece);
    }
    spaced
}

fn words(pieces: &[Piece], gap: f64, spaced: bool) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let (mut open, mut space) = (false, false);
    let mut pen = f64::MIN;
    for piece in pieces {
        open &= spaced || piece.start - pen <= gap;
        pen = piece.end;
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
                words.push(Word { text: String::new(), start, end, link: None, style, glued: open, spaced: space });
                (open, space) = (true, false);
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

/// So many dots or more lead somewhere.
const LEADER: usize = 4;

/// Puts one sign in place of the dots that lead to a number; whether there are such.
fn shorten_leader(words: &mut Vec<Word>) -> bool {
    let is_dots = |word: &Word| !word.style.mono && word.text.bytes().all(|byte| byte == b'.');
    let leads = |word: &Word| !word.style.mono && word.text.contains("....");
    if !words.iter().any(leads) && words.iter().filter(|word| is_dots(word)).count() < LEADER {
        return false;
    }
    let mut parts: Vec<Word> = Vec::with_capacity(words.len());
    for word in words.drain(..) {
        let Some(begin) = word.text.find("....").filter(|_| !word.style.mono) else {
            parts.push(word);
            continue;
        };
        let rest = word.text[begin..].trim_start_matches('.');
        let end = word.text.len() - rest.len();
        for text in [&word.text[..begin], &word.text[begin..end], rest].into_iter().filter(|text| !text.is_empty()) {
            parts.push(Word { text: text.to_owned(), glued: word.glued && text.len() == begin, ..word });
        }
    }
    for run in parts.chunk_by(|a, b| is_dots(a) && is_dots(b)) {
        let dots: usize = run.iter().filter(|word| is_dots(word)).map(|word| word.text.len()).sum();
        if dots >= LEADER {
            words.push(Word { text: "…".into(), glued: false, ..run[0].clone() });
        } else {
            words.extend_from_slice(run);
        }
    }
    let leads_on = |pair: &[Word]| pair[0].text == "…" && pair[1].text.starts_with(char::is_alphanumeric);
    words.windows(2).any(leads_on)
}

impl Word {
    /// Whether a character in `style` can be one more of this word. Signs between letters look like either of them.
    fn looks_like(&self, style: Style, c: char) -> bool {
        let same = self.style == style;
        same || self.style.mono == style.mono && !c.is_alphanumeric() && self.text.contains(char::is_alphanumeric)
    }
}

/// Letters from here on are mostly those of Chinese, Japanese and Korean.
const FIRST_WIDE: char = '\u{1100}';

/// What stands for a glyph that nobody knows.
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
                let piece =
                    Piece { text: Text::One(c), start, end, baseline: 100.0 + off, size, style: Style::default() };
                pen = end;
                match &mut open {
                    Some(line) if line.takes(&piece, (1.0, 0.0)) => line.add(piece, false),
                    Some(_) => panic!("{c} is of another line"),
                    None => open = Some(OpenLine::new(piece, (1.0, 0.0), false, false)),
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
        ] {
            assert_eq!(line(glyphs), expected);
        }
    }
}
