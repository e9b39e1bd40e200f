//! Words that stand level on lines that do not: programs that recognise the text of a scan that lies askew write it so, one
//! word a little lower than the one before. Such lines are turned back into one each; read as it stands, the end of each
//! would go with the beginning of the next one.

use super::open_line::{OpenLine, TextRun};

/// How far lines may fall or rise, for each point along: more than what kerning and rounding make (a tenth of a degree),
/// and less than what is a drawing (seven degrees).
const SLOPES: std::ops::Range<f64> = 0.0025..0.12;
/// Fewer lines prove nothing.
const FEWEST: usize = 8;
/// Only lines that are so many times as long as their letters are high tell a slope; those of one string, which may be a long
/// word, when they are twice as long.
const SHORTEST: f64 = 5.0;
/// and such as begin and end in letters of about one size.
const SAME_SIZE: f64 = 0.25;
/// The slopes of so much of the text are those of the page, off by so much.
const AGREED: f64 = 0.7;
const NEAR: f64 = 0.3;

/// The lines of a page, turned where its text lies askew.
pub(super) fn turn(lines: Vec<OpenLine>) -> Vec<OpenLine> {
    let Some(slope) = slope(&lines) else { return lines };
    let cosine = 1.0 / slope.hypot(1.0);
    let direction = (cosine, slope * cosine);
    let mut turned: Vec<OpenLine> = Vec::with_capacity(lines.len());
    for line in lines {
        if !is_straight(&line) {
            turned.push(line);
            continue;
        }
        let (artifact, field) = (line.artifact, line.field);
        for word in line.pieces.chunk_by(|a, b| a.string == b.string) {
            let middle = f64::midpoint(word[0].start, word[word.len() - 1].end);
            for piece in word {
                let piece = moved(piece, middle, direction);
                match turned.last_mut() {
                    Some(open) if open.field == field && open.takes(&piece, direction) => open.add(piece, artifact),
                    _ if piece.text.is_blank() => {}
                    _ => {
                        let open = OpenLine::new(piece, direction, artifact, field, turned.last());
                        turned.push(open);
                    }
                }
            }
        }
    }
    turned
}

/// A glyph of a word whose middle is at `middle`, along lines of this direction.
fn moved(piece: &TextRun, middle: f64, (cosine, sine): (f64, f64)) -> TextRun {
    let start = piece.start * cosine + piece.baseline * sine;
    let baseline = piece.baseline * cosine - middle * sine;
    TextRun { start, end: start + (piece.end - piece.start), baseline, ..piece.clone() }
}

fn is_straight(line: &OpenLine) -> bool {
    line.direction.0 > 0.0 && line.direction.1.abs() < 1e-4
}

/// By how much the lines of a page fall for each point along, where nearly all of them do by the same.
fn slope(lines: &[OpenLine]) -> Option<f64> {
    // Each with how long the line is.
    let mut slopes: Vec<(f64, f64)> = lines.iter().filter_map(slope_of).collect();
    if slopes.len() < FEWEST {
        return None;
    }
    slopes.sort_by(|a, b| a.0.total_cmp(&b.0));
    let all: f64 = slopes.iter().map(|(_, length)| length).sum();
    let mut before = 0.0;
    let middle = slopes.iter().find(|(_, length)| {
        before += length;
        before >= all / 2.0
    })?;
    let near = |slope: f64| (slope - middle.0).abs() < (middle.0.abs() * NEAR).max(SLOPES.start);
    let agreed: f64 = slopes.iter().filter(|(slope, _)| near(*slope)).map(|(_, length)| length).sum();
    (SLOPES.contains(&middle.0.abs()) && agreed >= all * AGREED).then_some(middle.0)
}

/// The slope from the first to the last word of a line, and how far they are apart.
fn slope_of(line: &OpenLine) -> Option<(f64, f64)> {
    let shown = |piece: &&TextRun| !piece.text.is_blank();
    let (first, last) = (line.pieces.iter().find(shown)?, line.pieces.iter().rfind(shown)?);
    // A word is level in itself.
    let word = line.pieces.iter().find(|piece| piece.string == last.string)?;
    let (apart, length) = (word.start - first.start, last.end - first.start);
    let size = first.size.max(last.size);
    let is_one = first.string == last.string;
    let shortest = if is_one { SHORTEST * 2.0 } else { SHORTEST };
    let is_even = (first.size - last.size).abs() < size * SAME_SIZE;
    let tells = is_straight(line) && is_even && length > size * shortest;
    let slope =
        if is_one { (last.baseline - first.baseline) / length } else { (word.baseline - first.baseline) / apart };
    (tells && slope.is_finite()).then_some((slope, length))
}

#[cfg(test)]
mod tests {
    use super::super::line::{Line, Style};
    use super::super::open_line::Text;
    use super::*;

    /// Lines of words of five letters in size 10, each at its place.
    fn page(lines: u8, words: u8, baseline: impl Fn(f64, u8) -> f64, many_strings: bool) -> Vec<OpenLine> {
        let mut open: Vec<OpenLine> = Vec::new();
        let mut string = 0;
        for line in 0..lines {
            for word in 0..words {
                string += u32::from(many_strings || word == 0);
                let from = 50.0 + f64::from(word) * 30.0;
                for letter in 0..5 {
                    let start = from + f64::from(letter) * 5.0;
                    let text = Text::One('n');
                    let (end, baseline) = (start + 5.0, baseline(from, line));
                    let (size, style, glyph) = (10.0, Style::default(), (0, 0));
                    let piece = TextRun { text, start, end, baseline, size, style, string, glyph };
                    match open.last_mut() {
                        Some(last) if last.takes(&piece, (1.0, 0.0)) => last.add(piece, false),
                        _ => open.push(OpenLine::new(piece, (1.0, 0.0), false, None, None)),
                    }
                }
            }
        }
        open
    }

    fn finished(lines: Vec<OpenLine>) -> Vec<Line> {
        turn(lines).into_iter().filter_map(OpenLine::finish).collect()
    }

    #[test]
    fn lines_that_fall_or_rise_word_by_word_are_one_each() {
        for slope in [0.042, -0.042, 0.1, 0.004] {
            let askew = page(20, 15, |x, line| 100.0 + x * slope + f64::from(line) * 13.0, true);
            let lines = finished(askew);
            assert_eq!(lines.len(), 20, "{slope}");
            assert!(lines.iter().all(|line| line.words.len() == 15 && line.is_level()), "{slope}");
            assert!(lines.windows(2).all(|pair| (pair[1].baseline - pair[0].baseline - 13.0).abs() < 0.2), "{slope}");
            // Where it says that a line stands, it stands.
            let seen = lines[0].bounding_box();
            let (left, right) = (100.0 + 50.0 * slope, 100.0 + 495.0 * slope);
            assert!((f64::from(seen.top) - (left.min(right) - 8.0)).abs() < 2.0, "{slope}: {seen:?}");
            assert!((f64::from(seen.bottom) - (left.max(right) + 2.0)).abs() < 2.0, "{slope}: {seen:?}");
        }
    }

    #[test]
    fn level_text_stays_as_it_is() {
        let level = |x: f64, line: u8| 100.0 + f64::from(line) * 13.0 + if x > 450.0 { -3.0 } else { 0.0 };
        // A note behind each line of some; a page of a few lines; and one of which half falls.
        for (lines, baseline) in [
            (
                20,
                Box::new(move |x, line| if line < 8 { level(x, line) } else { level(0.0, line) })
                    as Box<dyn Fn(f64, u8) -> f64>,
            ),
            (5, Box::new(|x, line| 100.0 + f64::from(line) * 13.0 + x * 0.01)),
            (20, Box::new(|x, line| 100.0 + f64::from(line) * 13.0 + if line % 2 == 0 { x * 0.01 } else { 0.0 })),
        ] {
            assert!(turn(page(lines, 15, baseline, true)).iter().all(is_straight));
        }
        // Strings of whole lines are level whatever is beside them.
        assert!(turn(page(20, 15, |_, line| 100.0 + f64::from(line) * 13.0, false)).iter().all(is_straight));
    }
}
