//! Pages that are much longer than wide, or much wider than high: which parts of them are shown, and how what is read of
//! these is joined. Pure.

use crate::document::PagePart;

/// A page that is longer than wide by this factor, or wider than high,
const LONG: f32 = 3.0;
/// and whose picture would have fewer pixels a point, is shown in parts;
const FEWEST_PIXELS: f32 = 1.0;
/// each of them so many times as long as the page is on its shorter side,
const PART: f32 = 1.6;
/// but not more of them.
const MOST: f32 = 24.0;
/// By how much of its length a part overlaps the next one: a few lines from the top down, and a column across, for of a
/// column that is cut in two neither part has the lines.
const OVERLAP: f32 = 0.1;
const OVERLAP_ACROSS: f32 = 0.35;
/// Lines that are looked at for a seam, at either side of it.
const SEAM: usize = 40;
/// Lines that meet there have this many letters together, or the seam is a guess.
const FEWEST_LETTERS: usize = 8;

/// The parts of a page of so many points, for pictures of at most `side` pixels; none where it can be shown as a whole.
#[allow(clippy::cast_precision_loss, reason = "at most 8192")]
pub(super) fn of(width: f32, height: f32, side: u32) -> Vec<PagePart> {
    let across = width > height;
    let (short, long) = if across { (height, width) } else { (width, height) };
    if !(short > 0.0 && long.is_finite()) || long < short * LONG || side as f32 >= long * FEWEST_PIXELS {
        return Vec::new();
    }
    let overlap = if across { OVERLAP_ACROSS } else { OVERLAP };
    // A part that fills a picture at the usual resolution need not be smaller.
    let part = (short * PART).max(side as f32 / 150.0 * 72.0).max(long / MOST / (1.0 - overlap));
    let (step, part) = (part * (1.0 - overlap) / long, part / long);
    let starts = std::iter::successors(Some(0.0), |from| Some(from + step))
        .take_while(|from| *from == 0.0 || from + part - step < 1.0);
    starts.map(|from: f32| PagePart { across, from, to: (from + part).min(1.0) }).collect()
}

/// What two parts that overlap say together. The other value is whether they meet: the same lines end the first and begin
/// the second. Lines that are cut in two at an edge do not count.
pub(super) fn join(first: &str, second: &str) -> (String, bool) {
    let (above, below): (Vec<&str>, Vec<&str>) = (first.trim().lines().collect(), second.trim().lines().collect());
    if above.is_empty() || below.is_empty() {
        return ([above, below].concat().join("\n"), true);
    }
    let found = seam(&above, &below);
    let (kept, skipped) = found.unwrap_or((above.len(), 0));
    let parted = if found.is_some() { "\n" } else { "\n\n" };
    let rest = below[skipped..].join("\n");
    let parted = if rest.is_empty() { "" } else { parted };
    (format!("{}{parted}{rest}", above[..kept].join("\n")), found.is_some())
}

/// How many lines of the first part are kept, and how many of the second are left out, where both say the same.
fn seam(above: &[&str], below: &[&str]) -> Option<(usize, usize)> {
    let plain =
        |line: &&str| -> String { line.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect() };
    // Lines without letters are found beside those that have some.
    let said = |lines: &[&str]| -> Vec<(usize, String)> {
        lines.iter().map(plain).enumerate().filter(|(_, line)| !line.is_empty()).collect()
    };
    let (ends, begins) = (said(above), said(below));
    let ends = &ends[ends.len().saturating_sub(SEAM)..];
    let begins = &begins[..begins.len().min(SEAM)];
    let mut best: Option<(usize, usize, usize)> = None;
    // A line at the edge of either part may be cut in two: one of each may go with the seam.
    for cut_above in 0..=1 {
        for cut_below in 0..=1 {
            let (Some(end), Some(begin)) = (ends.len().checked_sub(cut_above), begins.get(cut_below..)) else {
                continue;
            };
            let ends = &ends[..end];
            let most = ends.len().min(begin.len());
            let same = (1..=most)
                .rev()
                .find(|count| ends[ends.len() - count..].iter().zip(begin).all(|((_, one), (_, other))| one == other));
            let Some(count) = same else { continue };
            let letters = begin[..count].iter().map(|(_, line)| line.chars().count()).sum::<usize>();
            if letters >= FEWEST_LETTERS && best.is_none_or(|(most, ..)| count > most) {
                best = Some((count, ends[ends.len() - 1].0 + 1, begin[count - 1].0 + 1));
            }
        }
    }
    best.map(|(_, kept, skipped)| (kept, skipped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_pages_are_shown_in_parts_that_overlap() {
        for (width, height, side, count) in [
            (595.0, 842.0, 1_600, 0),
            (842.0, 595.0, 1_600, 0),
            (595.0, 1_700.0, 1_600, 0),
            (200.0, 1_400.0, 1_600, 0),
            (600.0, 12_000.0, 1_600, 14),
            (320.0, 4_800.0, 1_600, 7),
            (100.0, 14_400.0, 1_600, 21),
            (12_000.0, 600.0, 1_600, 19),
            (1_700.0, 595.0, 1_600, 0),
            (4_800.0, 320.0, 1_600, 10),
            (0.0, 600.0, 1_600, 0),
        ] {
            let parts = of(width, height, side);
            assert_eq!(parts.len(), count, "{width} x {height}: {parts:?}");
            if let (Some(first), Some(last)) = (parts.first(), parts.last()) {
                assert_eq!((first.from, last.to), (0.0, 1.0));
                assert!(parts.windows(2).all(|two| two[1].from < two[0].to && two[0].to < 1.0), "{parts:?}");
                assert!(parts.iter().all(|part| part.across == (width > height)), "{parts:?}");
            }
        }
    }

    #[test]
    fn parts_meet_at_the_lines_that_both_have() {
        for (first, second, expected, meets) in [
            (
                "# A\n\none two three\nfour five six",
                "four five six\n\nseven",
                "# A\n\none two three\nfour five six\n\nseven",
                true,
            ),
            // A line is cut in two at the foot of one, or at the head of the other.
            (
                "one two three\nfour five six\nsev en",
                "four five six\nseven eight",
                "one two three\nfour five six\nseven eight",
                true,
            ),
            (
                "one two three\nfour five six",
                "ne tw thr\nfour five six\nseven",
                "one two three\nfour five six\nseven",
                true,
            ),
            (
                "| a | 1 |\n| beeeeeee | 2 |",
                "| beeeeeee | 2 |\n| c | 3 |",
                "| a | 1 |\n| beeeeeee | 2 |\n| c | 3 |",
                true,
            ),
            ("**Total** of all", "Total of all\nend", "**Total** of all\nend", true),
            ("one two three", "four five six", "one two three\n\nfour five six", false),
            // Too little to be sure of.
            ("sum\n12", "12\n13", "sum\n12\n\n12\n13", false),
            ("one two three", "", "one two three", true),
            ("", "one two three", "one two three", true),
            ("same words here", "same words here", "same words here", true),
        ] {
            assert_eq!(join(first, second), (expected.to_owned(), meets), "{first} / {second}");
        }
    }
}
