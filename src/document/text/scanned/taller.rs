//! Lines that a raised mark makes taller than those around them. Pure.
//!
//! A picture tells the size of letters by the height of the whole line, so that a line with the mark of a note amid a paragraph
//! would look like a heading.

use super::super::line::Line;

/// The lines above and below are among so many.
const NEAR: usize = 12;
/// They begin as near as this to one place, in sizes.
const ALIGNED: f64 = 0.5;
/// Lines of a paragraph are at most so far apart, in sizes,
const CLOSE: f64 = 1.9;
/// and around one that looks taller no more than so much farther: above a heading there is more room.
const FARTHER: f64 = 1.15;
/// A line that is so many times as tall is another one.
const MUCH_TALLER: f64 = 1.4;

/// Gives lines amid a paragraph the size of its others, and the place between them.
pub(super) fn even_out(lines: &mut [Line]) {
    for at in 0..lines.len() {
        let (above, below) = (beside(lines, at, true), beside(lines, at, false));
        let Some((above, below)) = above.zip(below) else { continue };
        // How far lines are apart here, where two of them tell.
        let drop = |of: usize, next: Option<usize>| next.map(|next| (lines[next].baseline - lines[of].baseline).abs());
        let leading = drop(above, beside(lines, above, true)).or_else(|| drop(below, beside(lines, below, false)));
        let (over, under) = (&lines[above], &lines[below]);
        if leading.is_some_and(|leading| is_amid(over, &lines[at], under, leading)) {
            let (size, baseline) = (over.size, f64::midpoint(over.baseline, under.baseline));
            (lines[at].size, lines[at].baseline) = (size, baseline);
        }
    }
}

/// The next line above or below that begins where this one does.
fn beside(lines: &[Line], at: usize, above: bool) -> Option<usize> {
    let line = &lines[at];
    let is_beside = |other: &usize| {
        let other = &lines[*other];
        let drop = if above { line.baseline - other.baseline } else { other.baseline - line.baseline };
        other.has_same_direction(line)
            && (other.start - line.start).abs() < line.size * ALIGNED
            && drop > line.size * 0.5
    };
    if above {
        (at.saturating_sub(NEAR)..at).rev().find(is_beside)
    } else {
        (at + 1..lines.len()).take(NEAR).find(is_beside)
    }
}

/// Whether a line stands between two of one size, and amid their sentence.
fn is_amid(above: &Line, line: &Line, below: &Line, leading: f64) -> bool {
    let is_close = below.baseline - above.baseline < leading * 2.0 * FARTHER && leading < above.size * CLOSE;
    let is_taller = line.size > above.size && line.size < above.size * MUCH_TALLER;
    let ends = above.words.last().is_some_and(|word| word.text.ends_with(['.', ':', '!', '?', ')', '”', '"']));
    is_close && is_taller && (above.size - below.size).abs() < f64::EPSILON && !ends
}

#[cfg(test)]
mod tests {
    use super::super::super::line::Word;
    use super::*;

    fn line(text: &str, baseline: f64, size: f64) -> Line {
        Line::of(vec![Word::at(text, 10.0, 200.0)], baseline, size)
    }

    /// The size of a line of 12, the third of four, with so much room above and below it.
    fn size(above: &str, [over, under]: [f64; 2], below: f64) -> f64 {
        let mut lines = vec![
            line("It begins", 87.0, 10.0),
            line(above, 100.0, 10.0),
            line("with a mark", 100.0 + over, 12.0),
            line("on", 100.0 + over + under, below),
        ];
        even_out(&mut lines);
        lines[2].size
    }

    #[test]
    fn a_line_amid_a_paragraph_has_its_size_and_a_heading_keeps_its_own() {
        for room in [[13.0, 13.0], [16.0, 12.0]] {
            assert!((size("a sentence", room, 10.0) - 10.0).abs() < 1e-9, "{room:?}");
        }
        let kept = [
            size("a sentence.", [13.0, 13.0], 10.0),
            size("a sentence", [19.0, 13.0], 10.0),
            size("a sentence", [13.0, 13.0], 12.0),
            size("a sentence", [25.0, 25.0], 10.0),
        ];
        assert!(kept.iter().all(|size| (size - 12.0).abs() < 1e-9), "{kept:?}");
    }
}
