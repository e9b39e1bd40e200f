//! Marks of notes and exponents, and signs within text, that are drawn apart from their line, before or after all of it: each
//! goes into the gap that the line leaves for it.

use super::marker::BULLETS;
use super::open_line::{OpenLine, TextRun};

/// A mark has so many letters at most,
const MOST_LETTERS: usize = 3;
const SIGNS: [char; 5] = ['*', '∗', '†', '‡', '§'];
/// is smaller than this much of its line, and larger than that much,
const SIZES: [f64; 2] = [0.85, 0.45];
/// stands so much higher, in sizes of the line,
const RISE: [f64; 2] = [0.15, 0.75];
/// and so near a letter of it, or, before its first one, so near that.
const NEAR: f64 = 0.25;
const NEAR_FIRST: f64 = 0.5;
/// A sign stands within a line, or begins it, where letters are so near on both sides, or behind it, sizes; it is so large, and
/// so little above the line or below it.
const NEAR_SIGN: f64 = 0.6;
const SIGN_SIZES: [f64; 2] = [0.4, 1.5];
const SIGN_RISE: [f64; 2] = [-0.3, 0.3];
/// It reaches so far into the letters beside it at most.
const OVERLAP: f64 = 0.15;
/// A page with more of them is a drawing.
const MOST_MARKS: usize = 200;

/// Puts marks into their lines.
pub(super) fn attach(lines: &mut Vec<OpenLine>) {
    let short = |line: &OpenLine| line.pieces.len() <= MOST_LETTERS * 2;
    let marks: Vec<usize> = (0..lines.len()).filter(|at| short(&lines[*at]) && is_mark(&lines[*at])).collect();
    if marks.is_empty() || marks.len() > MOST_MARKS {
        return;
    }
    let mut attached = Vec::new();
    for mark in marks {
        let place = |at: usize| (at != mark).then(|| gap_for(&lines[at], &lines[mark])).flatten().map(|gap| (at, gap));
        let Some((line, gap)) = (0..lines.len()).find_map(place) else { continue };
        let pieces = std::mem::take(&mut lines[mark].pieces);
        lines[line].pieces.splice(gap..gap, pieces);
        attached.push(mark);
    }
    attached.sort_unstable();
    for mark in attached.into_iter().rev() {
        lines.remove(mark);
    }
}

fn is_sign(line: &OpenLine) -> bool {
    let mut letters = line.pieces.iter().flat_map(|piece| piece.text.to_text().chars().collect::<Vec<_>>());
    letters.by_ref().find(|c| !c.is_whitespace()).is_some_and(|c| BULLETS.contains(&c))
        && letters.all(char::is_whitespace)
}

/// Digits, one small letter, or a sign of notes or of items.
fn is_mark(line: &OpenLine) -> bool {
    if is_sign(line) {
        return line.is_level();
    }
    let mut text = line.pieces.iter().map(|piece| piece.text.to_text()).collect::<String>();
    text.retain(|c| !c.is_whitespace());
    let mut letters = text.chars();
    let (first, count) = (letters.next(), text.chars().count());
    line.is_level()
        && count <= MOST_LETTERS
        && match first {
            Some(c) if c.is_ascii_digit() => letters.all(|c| c.is_ascii_digit()),
            Some(c) => count == 1 && (c.is_ascii_lowercase() || SIGNS.contains(&c)),
            None => false,
        }
}

/// Before which piece of a line a mark belongs.
fn gap_for(line: &OpenLine, mark: &OpenLine) -> Option<usize> {
    let (size, baseline) = (line.size, line.baseline());
    let rise = (baseline - mark.baseline()) / size;
    let is_sign = is_sign(mark);
    let ([largest, smallest], [lowest, highest]) =
        if is_sign { ([SIGN_SIZES[1], SIGN_SIZES[0]], SIGN_RISE) } else { (SIZES, RISE) };
    if !line.is_level()
        || mark.size > size * largest
        || mark.size < size * smallest
        || !(lowest..highest).contains(&rise)
        || line.pieces.iter().filter(|piece| !piece.text.is_blank()).count() <= MOST_LETTERS
    {
        return None;
    }
    let (start, end) = mark.pieces.iter().fold((f64::MAX, f64::MIN), |(a, b), of| (a.min(of.start), b.max(of.end)));
    let is_left = |piece: &TextRun| piece.end <= start + size * OVERLAP;
    let is_right = |piece: &TextRun| piece.start >= end - size * OVERLAP;
    let letters = || line.pieces.iter().enumerate().filter(|(_, piece)| !piece.text.is_blank());
    if !letters().all(|(_, piece)| is_left(piece) || is_right(piece)) {
        return None;
    }
    let before = letters().rfind(|(_, piece)| is_left(piece)).map(|(at, piece)| (at, start - piece.end));
    let after = letters().find(|(_, piece)| !is_left(piece)).map(|(_, piece)| piece.start - end);
    match (before, after) {
        (Some((at, left)), Some(right)) if is_sign => {
            (left < size * NEAR_SIGN && right < size * NEAR_SIGN).then_some(at + 1)
        }
        (None, Some(right)) if is_sign => (right < size * NEAR_SIGN).then_some(0),
        _ if is_sign => None,
        (Some((at, left)), right) => {
            (left < size * NEAR || right.is_some_and(|right| right < size * NEAR)).then_some(at + 1)
        }
        (None, right) => right.filter(|right| *right < size * NEAR_FIRST).map(|_| 0),
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::Style;
    use super::super::open_line::Text;
    use super::*;

    fn line(text: &str, start: f64, baseline: f64, size: f64) -> OpenLine {
        let mut line: Option<OpenLine> = None;
        let mut pen = start;
        for c in text.chars() {
            let (start, end) = (pen, pen + size / 2.0);
            let style = Style::default();
            let piece = TextRun { text: Text::One(c), start, end, baseline, size, style, string: 0, glyph: (0, 0) };
            pen = end;
            match &mut line {
                Some(line) => line.add(piece, false),
                None => line = Some(OpenLine::new(piece, (1.0, 0.0), false, None, None)),
            }
        }
        line.unwrap()
    }

    fn texts(lines: Vec<OpenLine>) -> Vec<String> {
        let text = |line: OpenLine| {
            line.finish().unwrap().words.iter().fold(String::new(), |mut text, word| {
                word.append_to(&mut text);
                text
            })
        };
        lines.into_iter().map(text).collect()
    }

    #[test]
    fn a_mark_goes_into_its_gap_before_the_line_or_behind_it() {
        let mut lines = vec![
            line("1", 30.0, 97.0, 6.0),
            line("(GLWQI)  and more", 10.0, 120.0, 10.0),
            line("See the note", 34.0, 100.0, 10.0),
            line("2", 45.2, 117.0, 6.0),
            line("of 1998", 10.0, 140.0, 10.0),
            line("3", 45.5, 136.0, 6.0),
        ];
        attach(&mut lines);
        assert_eq!(texts(lines), ["(GLWQI)² and more", "¹ See the note", "of 1998³"]);
    }

    #[test]
    fn a_sign_goes_into_the_text_or_before_what_follows_at_once() {
        let mut lines = vec![
            line("as we see in  Figure 5", 10.0, 100.0, 10.0),
            line("•", 73.0, 101.0, 8.0),
            line("An item", 30.0, 120.0, 10.0),
            line("•", 18.0, 120.0, 8.0),
            line("Figure 5", 30.0, 140.0, 10.0),
            line("•", 24.0, 139.0, 8.0),
        ];
        attach(&mut lines);
        assert_eq!(texts(lines), ["as we see in • Figure 5", "An item", "•", "• Figure 5"]);
    }

    #[test]
    fn cells_level_letters_words_and_what_stands_apart_are_no_marks() {
        let lines = || {
            vec![
                line("Total of all", 10.0, 100.0, 10.0),
                line("7", 90.0, 97.0, 6.0),
                line("8", 71.0, 100.0, 6.0),
                line("TK", 71.0, 97.0, 6.0),
                line("9", 40.0, 97.0, 6.0),
            ]
        };
        let mut attached = lines();
        attach(&mut attached);
        assert_eq!(attached.len(), lines().len());
    }
}
