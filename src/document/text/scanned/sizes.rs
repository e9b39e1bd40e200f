//! One size for the lines of one text. Pure.
//!
//! A picture tells the size of letters by the height of the whole line, which is less without letters that reach down, and more
//! with the mark of a note: lines of a verse would be of many sizes, and one amid a paragraph would look like a heading.

use super::super::line::Line;

/// Lines of a text are as far apart as each other, but for this much of it, when there are so many,
const EVEN: f64 = 0.18;
const FEWEST: usize = 3;
/// and lie one above the other by so much of the shorter one.
const OVERLAP: f64 = 0.5;
/// Sizes that differ more are those of different texts,
const MOST_APART: f64 = 1.35;
/// and a first line that is so much larger than the others is their heading.
const HEADING: f64 = 1.12;
/// So many lines are no heading: if they look a little larger than the text of the page, they are of its size.
const MANY: usize = 4;

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

/// Gives the lines of one text one size, and a line that is taller for a mark also the place between the others.
pub(super) fn even_out(lines: &mut [Line]) {
    let body = body_size(lines);
    let mut seen = vec![false; lines.len()];
    for first in 0..lines.len() {
        let text = if seen[first] { Vec::new() } else { text_from(lines, first) };
        // The last one may begin the next text.
        text.iter().rev().skip(1).for_each(|at| seen[*at] = true);
        even_text(lines, &text, body);
    }
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

/// A line and those that follow it evenly.
fn text_from(lines: &[Line], first: usize) -> Vec<usize> {
    let mut text = vec![first];
    while let Some(next) = below(lines, text[text.len() - 1]) {
        let (above, line) = (&lines[text[text.len() - 1]], &lines[next]);
        let drop = line.baseline - above.baseline;
        let drops = f64::from(u32::try_from(text.len() - 1).unwrap_or(u32::MAX));
        let usual = if drops > 0.0 { (above.baseline - lines[first].baseline) / drops } else { drop };
        let begins = line.size > above.size * HEADING && ends(above);
        if begins || (drop - usual).abs() > usual * EVEN {
            break;
        }
        text.push(next);
    }
    text
}

/// The next line below another one, close to it.
fn below(lines: &[Line], at: usize) -> Option<usize> {
    let line = &lines[at];
    let is_below = |other: &usize| {
        let other = &lines[*other];
        let drop = other.baseline - line.baseline;
        let shared = line.end.min(other.end) - line.start.max(other.start);
        let shorter = (line.end - line.start).min(other.end - other.start);
        other.has_same_direction(line)
            && shared > shorter * OVERLAP
            && drop > line.size * 0.5
            && drop < line.size * CLOSE
    };
    (at + 1..lines.len()).take(NEAR).find(is_below)
}

/// The size of most letters.
fn body_size(lines: &[Line]) -> f64 {
    let letters = |line: &Line| line.words.iter().map(|word| word.text.chars().count()).sum::<usize>();
    let mut sizes: Vec<(f64, usize)> = lines.iter().map(|line| (line.size, letters(line))).collect();
    sizes.sort_by(|a, b| a.0.total_cmp(&b.0));
    let same = sizes.chunk_by(|a, b| a.0.to_bits() == b.0.to_bits());
    let most = same.max_by_key(|same| same.iter().map(|(_, letters)| letters).sum::<usize>());
    most.map_or(0.0, |same| same[0].0)
}

/// Gives the lines of a text the size of most of them.
fn even_text(lines: &mut [Line], text: &[usize], body: f64) {
    let goes_on = matches!(text, [first, second, ..] if goes_on(&lines[*first], &lines[*second]));
    if text.len() < FEWEST && !goes_on {
        return;
    }
    let mut sizes: Vec<f64> = text.iter().map(|at| lines[*at].size).collect();
    sizes.sort_by(f64::total_cmp);
    let (least, usual, most) = (sizes[0], sizes[(sizes.len() - 1) / 2], sizes[sizes.len() - 1]);
    let first = usize::from(lines[text[0]].size > usual * HEADING && !goes_on);
    if most < least * MOST_APART {
        let is_body = text.len() - first >= MANY && usual > body && usual < body * MOST_APART;
        text[first..].iter().for_each(|at| lines[*at].size = if is_body { body } else { usual });
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
    is_close && is_taller && (above.size - below.size).abs() < f64::EPSILON && !ends(above)
}

/// Whether the sentence of a line goes on in the next one.
fn goes_on(line: &Line, next: &Line) -> bool {
    !ends(line) && next.words[0].text.starts_with(char::is_lowercase)
}

/// Whether a line may be the last one of a sentence.
fn ends(line: &Line) -> bool {
    line.words.last().is_some_and(|word| word.text.ends_with(['.', ':', '!', '?', ')', '”', '"']))
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
            line("On", 100.0 + over + under, below),
        ];
        even_out(&mut lines);
        lines[2].size
    }

    fn said(lines: &[Line]) -> String {
        lines.iter().map(|line| format!("{:.0}", line.size)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn lines_of_a_verse_are_of_one_size_and_their_title_keeps_its_own() {
        let sizes = |sizes: [f64; 4], drops: [f64; 3]| {
            let mut baseline = 100.0;
            let mut place = |at: usize| {
                baseline += if at == 0 { 0.0 } else { drops[at - 1] };
                line("A line", baseline, sizes[at])
            };
            let mut lines: Vec<Line> = (0..4).map(&mut place).collect();
            even_out(&mut lines);
            said(&lines)
        };
        assert_eq!(sizes([10.0, 11.0, 12.0, 11.0], [14.0, 14.5, 13.5]), "11 11 11 11");
        // A heading; one above a gap; lines that are not of one text.
        assert_eq!(sizes([13.0, 10.0, 11.0, 10.0], [14.0, 14.0, 14.0]), "13 10 10 10");
        assert_eq!(sizes([11.0, 10.0, 10.0, 10.0], [18.0, 14.0, 14.0]), "11 10 10 10");
        assert_eq!(sizes([10.0, 14.0, 10.0, 14.0], [14.0, 14.0, 14.0]), "10 14 10 14");
    }

    #[test]
    fn two_lines_of_one_sentence_are_of_one_size() {
        let sizes = |next: &str| {
            let mut lines = vec![line("A sentence that", 100.0, 13.0), line(next, 114.0, 10.0)];
            even_out(&mut lines);
            said(&lines)
        };
        assert_eq!(sizes("goes on"), "10 10");
        assert_eq!(sizes("Another one"), "13 10");
    }

    #[test]
    fn many_lines_that_look_a_little_larger_than_the_text_are_no_heading() {
        let text = |from: f64, size: f64, count: u32| {
            (0..count).map(move |at| line("some words of a text", from + 14.0 * f64::from(at), size))
        };
        for (count, expected) in [(4, 10.0), (3, 12.0)] {
            let mut lines: Vec<Line> = text(100.0, 12.0, count).chain(text(300.0, 10.0, 9)).collect();
            even_out(&mut lines);
            assert!((lines[0].size - expected).abs() < 1e-9, "{count}: {}", lines[0].size);
        }
    }

    #[test]
    fn a_line_amid_a_paragraph_has_its_size_and_a_heading_keeps_its_own() {
        for room in [[13.0, 13.0], [16.0, 12.0]] {
            assert!((size("a sentence", room, 10.0) - 10.0).abs() < 1e-9, "{room:?}");
        }
        let kept = [
            size("a sentence.", [13.0, 13.0], 10.0),
            size("a sentence", [19.0, 13.0], 10.0),
            size("a sentence", [25.0, 25.0], 10.0),
        ];
        assert!(kept.iter().all(|size| (size - 12.0).abs() < 1e-9), "{kept:?}");
    }
}
