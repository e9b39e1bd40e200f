//! Where figures stand among the blocks of a page, and which lines are their captions.

use hayro_interpret::kurbo::Rect;

use super::block::{Block, Placed};
use super::figure::Figure;
use super::line::Line;

/// What captions of figures begin with, before their number.
const LABELS: [&str; 22] = [
    "figure",
    "figures",
    "fig",
    "figs",
    "abbildung",
    "abb",
    "bild",
    "figura",
    "рис",
    "рисунок",
    "plate",
    "photo",
    "image",
    "illustration",
    "scheme",
    "chart",
    "diagram",
    "exhibit",
    "map",
    "afbeelding",
    "rysunek",
    "图",
];
/// A caption has at most so many lines.
const MOST_LINES: usize = 14;
/// How far below a figure its caption begins, and how far above it ends, in sizes of its letters.
const BELOW: f64 = 3.0;
const ABOVE: f64 = 2.0;

/// A figure with its caption.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Captioned {
    pub(super) area: Rect,
    /// Which line its caption begins with.
    pub(super) caption: Option<usize>,
    /// Whether that stands above it.
    above: bool,
}

/// Finds the captions of figures; those above one caption are one figure, and those that need one and have none are none.
pub(super) fn find(figures: &[Figure], lines: &[Line]) -> Vec<Captioned> {
    let labels: Vec<usize> = (0..lines.len()).filter(|at| is_caption(&lines[*at])).collect();
    let mut found: Vec<Captioned> = Vec::new();
    for Figure { area, needs_caption } in figures {
        let beside = |at: &&usize| overlap((lines[**at].start, lines[**at].end), (area.x0, area.x1)) > 0.0;
        let distance = |at: usize| top(&lines[at]) - area.y1;
        let below = labels.iter().filter(beside).copied().filter(|at| {
            let size = lines[*at].size;
            distance(*at) > -size && distance(*at) < size * BELOW
        });
        let below = below.min_by(|a, b| distance(*a).total_cmp(&distance(*b)));
        let gap = |at: usize| area.y0 - lines[at].baseline;
        let above = labels.iter().filter(beside).copied().filter(|at| {
            let size = lines[*at].size;
            gap(*at) > -size * 0.5 && gap(*at) < size * ABOVE
        });
        let caption = below.or_else(|| above.min_by(|a, b| gap(*a).total_cmp(&gap(*b))));
        let above = below.is_none();
        if *needs_caption && caption.is_none() {
            continue;
        }
        match found.iter_mut().find(|other| caption.is_some() && other.caption == caption) {
            Some(other) if other.above == above => other.area = other.area.union(*area),
            Some(_) => found.push(Captioned { area: *area, caption: None, above: false }),
            None => found.push(Captioned { area: *area, caption, above }),
        }
    }
    found
}

/// Whether a line begins the caption of a figure: `Figure 3: …`, `Fig. 2b`, `图1`.
fn is_caption(line: &Line) -> bool {
    let Some(first) = line.words.first().filter(|_| line.is_level()) else { return false };
    let text = first.text.trim_start_matches(['(', '[']).to_lowercase();
    let letters = text.find(|c: char| !c.is_alphabetic()).unwrap_or(text.len());
    let (label, rest) = text.split_at(letters);
    let is_number = |text: &str| {
        let text = text.trim_start_matches(['.', ' ']);
        let letters = text.chars().take_while(char::is_ascii_alphabetic).count();
        letters <= 2 && text[letters..].trim_start_matches('.').starts_with(|c: char| c.is_ascii_digit())
    };
    LABELS.contains(&label)
        && match line.words.get(1) {
            _ if rest.trim_start_matches('.').starts_with(|c: char| c.is_ascii_digit()) => true,
            Some(number) => matches!(rest, "" | ".") && is_number(&number.text),
            None => false,
        }
}

fn top(line: &Line) -> f64 {
    line.baseline - line.size * 0.8
}

fn overlap((a, b): (f64, f64), (c, d): (f64, f64)) -> f64 {
    b.min(d) - a.max(c)
}

/// Puts figures among blocks: at their captions, else behind what stands above them in their column, else before what stands
/// below.
pub(super) fn place<'a>(mut blocks: Vec<Placed<'a>>, figures: &[Captioned], lines: &'a [Line]) -> Vec<Placed<'a>> {
    for figure in figures.iter().rev() {
        let caption = figure.caption.and_then(|at| {
            blocks.iter().position(|placed| match &placed.block {
                Block::Paragraph(of, _) | Block::Heading(_, of) => {
                    std::ptr::eq(of[0], &raw const lines[at]) && of.len() <= MOST_LINES
                }
                _ => false,
            })
        });
        if let Some(at) = caption
            && let Block::Paragraph(of, _) | Block::Heading(_, of) = &mut blocks[at].block
        {
            let block = Block::Figure(figure.area, std::mem::take(of));
            blocks[at].block = block;
            continue;
        }
        let (at, depth) = anchor(&blocks, figure.area, lines);
        blocks.insert(at, Placed { block: Block::Figure(figure.area, Vec::new()), depth });
    }
    blocks
}

/// Where a figure goes, and how many items it is in.
fn anchor(blocks: &[Placed<'_>], area: Rect, lines: &[Line]) -> (usize, usize) {
    let middle = |line: &Line| line.baseline - line.size * 0.3;
    let (mut above, mut below, mut after) = (None::<(f64, usize)>, None::<(f64, usize, bool)>, 0);
    for (at, placed) in blocks.iter().enumerate() {
        let of = placed.block.lines(lines);
        for (nth, line) in of.iter().enumerate() {
            let y = middle(line);
            if nth == 0 && y < area.center().y {
                after = at + 1;
            }
            let width = (line.end - line.start).min(area.width());
            if overlap((line.start, line.end), (area.x0, area.x1)) < width * 0.2 {
                continue;
            }
            if y <= area.y0 && above.is_none_or(|(best, _)| y > best) {
                above = Some((y, at));
            } else if y > area.y0 && below.is_none_or(|(best, ..)| y < best) {
                below = Some((y, at, nth == 0));
            }
        }
    }
    match (above, below) {
        // What is set upon it, or goes on below it, began before.
        (Some((_, at)), _) => {
            let is_item = |placed: &Placed<'_>| matches!(placed.block, Block::Item(..));
            let depth = blocks[at].depth + usize::from(is_item(&blocks[at]));
            let goes_on = blocks.get(at + 1).is_some_and(|next| next.depth >= depth || is_item(next));
            (at + 1, if goes_on { depth } else { 0 })
        }
        (None, Some((_, at, begins))) => (if begins { at } else { at + 1 }, 0),
        (None, None) => (after, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::Word;
    use super::*;

    fn line(text: &str, start: f64, baseline: f64) -> Line {
        let mut pen = start;
        let words = text.split(' ').map(|word| {
            let from = pen;
            pen += 30.0;
            Word::at(word, from, from + 25.0)
        });
        Line::of(words.collect(), baseline, 10.0)
    }

    #[test]
    fn captions_are_known_by_their_labels() {
        for text in
            ["Figure 3: A lock", "Fig. 2b. Gates", "FIGURE A.1", "Fig.7 x", "(Figure 1)", "Abb. 4 Tor", "图1 x", "图 2"]
        {
            assert!(is_caption(&line(text, 72.0, 300.0)), "{text}");
        }
        for text in ["Figures show that", "Table 3: Sums", "Figure skating is", "Maps of", "Fig", "Image of 3"] {
            assert!(!is_caption(&line(text, 72.0, 300.0)), "{text}");
        }
    }

    #[test]
    fn a_caption_stands_below_its_figure_or_above_and_joins_those_beside_each_other() {
        let figure = |x0, y0, x1, y1| Figure { area: Rect::new(x0, y0, x1, y1), needs_caption: false };
        let lines = [line("Figure 1: Two gates", 72.0, 320.0), line("Figure 2: A third", 72.0, 500.0)];
        let two = [figure(72.0, 200.0, 180.0, 300.0), figure(182.0, 200.0, 300.0, 300.0)];
        let found = find(&two, &lines);
        assert_eq!(found, [Captioned { area: Rect::new(72.0, 200.0, 300.0, 300.0), caption: Some(0), above: false }]);
        let found = find(&[figure(72.0, 505.0, 180.0, 600.0)], &lines);
        assert_eq!((found[0].caption, found[0].above), (Some(1), true));
        assert_eq!(find(&[figure(72.0, 560.0, 180.0, 600.0)], &lines)[0].caption, None, "too far");
        assert_eq!(find(&[figure(400.0, 200.0, 500.0, 300.0)], &lines)[0].caption, None, "in another column");
        let logo = Figure { needs_caption: true, ..figure(72.0, 20.0, 180.0, 90.0) };
        assert!(find(&[logo], &lines).is_empty());
    }
}
