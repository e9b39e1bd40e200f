//! Lines that were recognised on a picture → lines as the text layer has them, for the same layout.

mod gutter;
mod pairs;
mod sizes;

use self::gutter::{Gap, Gaps};
use self::pairs::Pairs;
use super::collect::RulingLine;
use super::line::{Line, Style, Word};
use crate::document::ocr::{ScannedLine, ScannedRule, ScannedWord};

/// Letters of nearly the same size (by this share) are of the same: a picture tells it only so exactly.
const SAME_SIZE: f64 = 0.09;
/// Lines on one baseline (off by this much of their size) that are not farther apart than so many sizes are one.
const LEVEL: f64 = 0.3;
const APART: f64 = 3.0;
/// Where the spaces of a page are usually wider than this (of the size), as of letters that are all as wide as each other, one that
/// is not so many times as wide parts words and no columns: it becomes as narrow as this.
const SPACE: f64 = 0.4;
const WIDER: f64 = 1.6;
/// Letters are read from right to left in these blocks (Hebrew to Arabic Extended-A, presentation forms).
const RIGHT_TO_LEFT: [std::ops::RangeInclusive<char>; 2] = ['\u{590}'..='\u{8ff}', '\u{fb1d}'..='\u{fefc}'];

/// The lines of a page, from top to bottom.
pub(super) fn lines(mut scanned: Vec<ScannedLine>) -> Vec<Line> {
    scanned.retain(|line| !line.words.is_empty());
    even_out(&mut scanned);
    narrow_spaces(&mut scanned);
    scanned.sort_by(|a, b| a.baseline.total_cmp(&b.baseline).then(start(a).total_cmp(&start(b))));
    let mut rows: Vec<Vec<ScannedLine>> = Vec::new();
    for line in scanned {
        let row = rows.iter_mut().rev().take(ROWS_BACK).find(|row| is_of_row(&row[0], &line));
        match row {
            Some(row) => row.push(line),
            None => rows.push(vec![line]),
        }
    }
    rows.iter_mut().for_each(|row| row.sort_by(|a, b| start(a).total_cmp(&start(b))));
    let (gaps, pairs) = (Gaps::of(&rows), Pairs::of(&rows));
    let mut lines = Vec::new();
    for row in rows {
        let mut parts = row.into_iter();
        let Some(mut open) = parts.next() else { continue };
        for part in parts {
            let gap = Gap::between(&open, &part);
            let is_space = gap.to - gap.from < APART * open.size && !gaps.part_columns_at(&gap);
            if is_space || pairs.join(&gap, &part) {
                open.words.extend(part.words);
            } else {
                lines.push(line(std::mem::replace(&mut open, part)));
            }
        }
        lines.push(line(open));
    }
    sizes::even_out(&mut lines);
    lines
}

/// A rule as the page draws them.
pub(super) fn rule(scanned: &ScannedRule) -> RulingLine {
    let ScannedRule { upright, at, from, to } = *scanned;
    RulingLine { upright, at, from, to, soft: false }
}

/// Parts of a row come within so many rows.
const ROWS_BACK: usize = 12;

fn is_of_row(first: &ScannedLine, line: &ScannedLine) -> bool {
    let same = |a: f64, b: f64| (a - b).abs() < 0.01;
    same(first.direction.0, line.direction.0)
        && same(first.direction.1, line.direction.1)
        && (first.baseline - line.baseline).abs() < first.size.min(line.size) * LEVEL
        && first.size.max(line.size) < first.size.min(line.size) * 1.3
}

fn start(line: &ScannedLine) -> f64 {
    line.words.iter().map(|word| word.start).fold(f64::MAX, f64::min)
}

fn end(line: &ScannedLine) -> f64 {
    line.words.iter().map(|word| word.end).fold(f64::MIN, f64::max)
}

/// Gives letters of nearly the same size the same: that of most of them.
fn even_out(lines: &mut [ScannedLine]) {
    let mut sizes: Vec<(f64, usize)> = lines.iter().map(|line| (line.size, letters(line))).collect();
    let mut known: Vec<f64> = Vec::new();
    while !sizes.is_empty() {
        let near = |size: f64, other: f64| (size / other - 1.0).abs() < SAME_SIZE;
        let weight = |size: f64| sizes.iter().filter(|(other, _)| near(*other, size)).map(|(_, n)| n).sum::<usize>();
        let Some(middle) = sizes.iter().map(|(size, _)| *size).max_by_key(|size| weight(*size)) else { return };
        let mean = sizes.iter().filter(|(other, _)| near(*other, middle));
        let (sum, count) = mean.fold((0.0, 0.0), |(sum, count), (size, n)| {
            let n = f64::from(u32::try_from(*n).unwrap_or(u32::MAX));
            (sum + size * n, count + n)
        });
        known.push(if count > 0.0 { sum / count } else { middle });
        sizes.retain(|(other, _)| !near(*other, middle));
    }
    for line in lines {
        let nearest = known.iter().min_by(|a, b| (*a - line.size).abs().total_cmp(&(*b - line.size).abs()));
        line.size = nearest.copied().unwrap_or(line.size);
    }
}

/// Has words end nearer to the next ones where spaces are wide all over the page.
fn narrow_spaces(lines: &mut [ScannedLine]) {
    let spaces = |line: &ScannedLine| {
        let size = line.size;
        line.words.windows(2).map(move |pair| (pair[1].start - pair[0].end) / size).collect::<Vec<_>>()
    };
    let mut all: Vec<f64> = lines.iter().flat_map(spaces).collect();
    all.sort_by(f64::total_cmp);
    let usual = all.get(all.len() / 2).copied().unwrap_or_default();
    if usual <= SPACE {
        return;
    }
    for line in lines {
        for at in 1..line.words.len() {
            let (begin, size) = (line.words[at].start, line.size);
            let word = &mut line.words[at - 1];
            let space = (begin - word.end) / size;
            if space > SPACE && space < usual * WIDER {
                word.end = begin - SPACE * size;
            }
        }
    }
}

fn letters(line: &ScannedLine) -> usize {
    line.words.iter().map(|word| word.text.chars().count()).sum()
}

fn line(mut scanned: ScannedLine) -> Line {
    let right_to_left = {
        let is_turned = |c: &char| RIGHT_TO_LEFT.iter().any(|block| block.contains(c));
        let (mut turned, mut all) = (0, 0);
        for c in scanned.words.iter().flat_map(|word| word.text.chars()).filter(|c| c.is_alphabetic()) {
            all += 1;
            turned += usize::from(is_turned(&c));
        }
        turned * 2 > all
    };
    scanned.words.sort_by(|a, b| a.start.total_cmp(&b.start));
    if right_to_left {
        scanned.words.reverse();
    }
    let (start, end) = (start(&scanned), end(&scanned));
    Line {
        words: scanned.words.into_iter().map(word).collect(),
        start,
        end,
        baseline: scanned.baseline,
        size: scanned.size.max(0.1),
        direction: scanned.direction,
        right_to_left,
        artifact: false,
        field: None,
        leader: false,
        stamp: false,
        initial: false,
        listing: false,
    }
}

fn word(scanned: ScannedWord) -> Word {
    Word {
        text: scanned.text,
        start: scanned.start,
        end: scanned.end,
        link: None,
        style: Style::default(),
        glued: false,
        spaced: true,
        struck: false,
        compound: false,
        font: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanned(text: &str, start: f64, baseline: f64, size: f64) -> ScannedLine {
        let mut pen = start;
        let words = text.split(' ').map(|text| {
            let word = ScannedWord {
                text: text.into(),
                start: pen,
                end: pen + 5.0 * f64::from(u8::try_from(text.len()).unwrap()),
                likely: 1.0,
            };
            pen = word.end + 3.0;
            word
        });
        ScannedLine { words: words.collect(), baseline, size, direction: (1.0, 0.0), likely: 1.0 }
    }

    fn texts(lines: &[Line]) -> Vec<String> {
        lines
            .iter()
            .map(|line| line.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" "))
            .collect()
    }

    #[test]
    fn parts_of_a_line_are_one_and_columns_stay_apart() {
        let scanned = vec![
            scanned("of it", 60.0, 101.0, 10.0),
            scanned("the part", 10.0, 100.0, 10.2),
            scanned("a column", 300.0, 100.5, 9.9),
            scanned("the next line", 10.0, 112.0, 10.0),
        ];
        assert_eq!(texts(&lines(scanned)), ["the part of it", "a column", "the next line"]);
    }

    #[test]
    fn narrow_columns_stay_apart_where_rows_are_free_at_one_place() {
        let row = |at: u8, left: &str, right: &str| {
            let baseline = 100.0 + 12.0 * f64::from(at);
            [scanned(left, 10.0, baseline, 10.0), scanned(right, 150.0, baseline, 10.0)]
        };
        // They end 12 to 22 points before the other column: less than parts of a line may be apart.
        let columns: Vec<_> = [
            row(0, "She wandered around them", "the cause of sadness and"),
            row(1, "with a look of injuries", "simply he talked with her"),
            row(2, "sometimes she burst out", "of life and love and what"),
        ]
        .concat();
        let found = texts(&lines(columns.clone()));
        assert_eq!(found.len(), 6, "{found:?}");
        // A line across them, such as a heading, changes nothing.
        let across = scanned("a long heading that goes over both of these columns", 10.0, 80.0, 10.0);
        assert_eq!(lines([&columns[..], &[across]].concat()).len(), 7);
        // One row alone is a line with a wide space.
        assert_eq!(texts(&lines(columns[..2].to_vec())), ["She wandered around them the cause of sadness and"]);
        // And so are labels with their values.
        let labels: Vec<_> = (0..3)
            .flat_map(|at| {
                [
                    scanned("Date", 10.0, 100.0 + 12.0 * f64::from(at), 10.0),
                    scanned("14 May of the year", 50.0, 100.0 + 12.0 * f64::from(at), 10.0),
                ]
            })
            .collect();
        assert_eq!(texts(&lines(labels)), ["Date 14 May of the year"; 3]);
    }

    #[test]
    fn items_stand_on_one_line_with_their_prices_and_blocks_side_by_side_do_not() {
        let row = |at: u8, left: &str, right: &str| {
            let baseline = 100.0 + 14.0 * f64::from(at);
            [scanned(left, 10.0, baseline, 10.0), scanned(right, 250.0, baseline, 10.0)]
        };
        let items = [row(0, "Bread white loaf", "1.20"), row(1, "Oil", "6,75 A"), row(2, "Total", "7.95")].concat();
        assert_eq!(texts(&lines(items.clone())), ["Bread white loaf 1.20", "Oil 6,75 A", "Total 7.95"]);
        // One such row alone says nothing, nor do values among others, such as a date.
        assert_eq!(lines(items[..2].to_vec()).len(), 2);
        let blocks =
            [row(0, "12 Quay Street", "Invoice"), row(1, "Dover", "14.03.2026"), row(2, "England", "Our sign: jc")];
        assert_eq!(lines(blocks.concat()).len(), 6);
    }

    #[test]
    fn spaces_of_even_letters_part_words_and_wider_ones_columns() {
        // Each letter and each space six points wide.
        let even = |text: &str, baseline: f64| {
            let words = text.split(' ').scan(10.0, |pen, word| {
                let begin = *pen;
                let width = 6.0 * f64::from(u8::try_from(word.chars().count()).unwrap());
                *pen += width + 6.0;
                Some(ScannedWord { text: word.into(), start: begin, end: begin + width, likely: 1.0 })
            });
            let words = words.filter(|word| !word.text.is_empty()).collect();
            ScannedLine { words, baseline, size: 10.0, direction: (1.0, 0.0), likely: 1.0 }
        };
        let page = vec![even("two words here", 100.0), even("TOTAL EUR   23.94", 112.0), even("so many words", 124.0)];
        let found = lines(page);
        let gaps = |line: &Line| line.words.windows(2).map(|pair| pair[1].start - pair[0].end).collect::<Vec<_>>();
        assert!(gaps(&found[0]).iter().all(|gap| *gap < 4.5), "{:?}", gaps(&found[0]));
        let [space, column] = gaps(&found[1])[..] else { panic!("{found:?}") };
        assert!(space < 4.5 && column > 15.0, "{space} {column}");
        let usual = lines(vec![scanned("some usual words of a page", 10.0, 100.0, 10.0)]);
        assert!(gaps(&usual[0]).iter().all(|gap| (gap - 3.0).abs() < 1e-9), "{usual:?}");
    }

    #[test]
    fn nearly_the_same_size_is_the_same() {
        let body =
            (0..5).map(|n| scanned("some words of text", 10.0, 100.0 + 12.0 * f64::from(n), 9.7 + 0.15 * f64::from(n)));
        let title = scanned("A title", 10.0, 50.0, 16.0);
        let found = lines(body.chain([title]).collect());
        assert!((found[0].size - 16.0).abs() < 1e-9, "{}", found[0].size);
        assert!(found[1..].iter().all(|line| (line.size - found[1].size).abs() < 1e-9 && line.size > 9.5), "{found:?}");
    }

    #[test]
    fn arabic_is_read_from_right_to_left() {
        let found = lines(vec![scanned("\u{645}\u{631}\u{62d}\u{628}\u{627} \u{628}\u{643}", 10.0, 100.0, 10.0)]);
        assert!(found[0].right_to_left && found[0].words[0].start > found[0].words[1].start);
        assert!(lines(vec![]).is_empty());
    }
}
