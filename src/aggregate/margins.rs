//! Headers, footers and page numbers: what stands in the margins of page after page.
//!
//! A page by itself cannot tell a header from a title, so it only says which of its blocks stand in its margins; and as
//! a page is kept for whatever document it comes in again, it is not changed there. Only when a result is written are
//! those left out that say nothing that tells the pages of this document apart: the same text again and again, of which
//! the first one stays, and page numbers (`page_numbers`). What differs in a number, a date or a name stays. In two
//! rounds, so that no text is held.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::page_numbers::{Candidate, Numbers, PageNumbers};
use crate::content::{Block, BlockKind, Edge, Inline, PageContent};

/// What stands in the margins of some pages: the first round.
#[derive(Debug, Default)]
pub struct SeenMargins {
    blocks: Vec<Seen>,
    numbers: Numbers,
    /// How many pages have known margins.
    pages: u32,
}

/// One block in a margin.
#[derive(Debug)]
struct Seen {
    page: u32,
    /// Which of the pages that are looked at, from 0.
    at: u32,
    edge: Edge,
    heading: bool,
    /// Which of the page's blocks.
    block: usize,
    whole: Text,
    /// The number that may be that of the page, and what stands beside it.
    number: Option<(Candidate, Text)>,
}

/// What some words say, as hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Text {
    is_empty: bool,
    words: u64,
    /// The same whatever its numbers; `None` where it has none.
    shape: Option<u64>,
    /// Of `Label: value` the label.
    label: Option<u64>,
}

/// What is in the margins of so many pages belongs to none of them; of two pages, on both.
const REPEATED: usize = 3;
/// So it does, however far they are apart, on so many.
const RUNNING: usize = 10;
/// Headers of left and of right pages take turns.
const TURN: u32 = 2;
/// In so many of a hundred pages, from its first to its last, a header stands where others have something else.
const COVERED: usize = 85;

impl SeenMargins {
    /// Looks at a page, as it is read; pages come in ascending order. What a model wrote says nothing of margins.
    pub fn look_at(&mut self, page: u32, content: &PageContent) {
        if content.markdown.is_some() {
            return;
        }
        let at = self.pages;
        self.pages += 1;
        for (block, (edge, heading, text)) in
            content.blocks.iter().enumerate().filter_map(|(n, b)| Some((n, margin(b)?)))
        {
            let plain = text.text().split_whitespace().collect::<Vec<_>>().join(" ");
            let number = Candidate::of(&plain, edge == Edge::Bottom);
            if let Some(candidate) = &number {
                self.numbers.add(page, at, heading, candidate);
            }
            let number = number.map(|mut candidate| {
                let rest = Text::of(&std::mem::take(&mut candidate.rest));
                (candidate, rest)
            });
            self.blocks.push(Seen { page, at, edge, heading, block, whole: Text::of(&plain), number });
        }
    }

    /// What the pages have in common.
    #[must_use]
    pub fn repeated(self) -> RepeatedMargins {
        // What one page says by itself is never a repetition.
        if self.pages < 2 {
            return RepeatedMargins::default();
        }
        let numbers = self.numbers.pages(self.pages);
        let texts = Texts::of(&self.blocks, &numbers);
        let goes = |seen: &&Seen| {
            let (text, numbered) = seen.text(&numbers);
            (numbered && text.is_empty) || texts.repeats(seen, &text, self.pages)
        };
        let removed = self.blocks.iter().filter(goes).map(|seen| (seen.page, seen.block)).collect();
        RepeatedMargins { removed }
    }
}

impl Seen {
    /// What it says besides the page's number, and whether it has that.
    fn text(&self, numbers: &PageNumbers) -> (Text, bool) {
        match &self.number {
            Some((candidate, rest)) if numbers.has(self.page, self.at, candidate) => (*rest, true),
            _ => (self.whole, false),
        }
    }
}

impl Text {
    fn of(plain: &str) -> Self {
        let has_number = plain.chars().any(char::is_numeric);
        let shape = has_number.then(|| {
            let mut hasher = DefaultHasher::new();
            // `4` and `1,204` are both a number.
            for word in plain.split_whitespace() {
                let masked = word.contains(char::is_numeric);
                if masked { "#".hash(&mut hasher) } else { word.hash(&mut hasher) }
            }
            hasher.finish()
        });
        let label = plain.split_once(':').filter(|(label, value)| !label.is_empty() && !value.trim().is_empty());
        Self {
            is_empty: plain.is_empty(),
            words: hash(plain),
            shape,
            label: label.map(|(label, _)| hash(("label", label))),
        }
    }

    /// By what it is compared with texts that differ from it in one value.
    fn families(&self) -> impl Iterator<Item = u64> {
        self.shape.into_iter().chain(self.label)
    }
}

/// The texts of margins and where they stand.
struct Texts {
    places: HashMap<(Edge, u64), Places>,
    /// Whether texts are of one form and differ in a value.
    families: HashMap<(Edge, u64), Family>,
}

#[derive(Default)]
struct Places {
    /// Pages by their place among those that are looked at, ascending, each once.
    at: Vec<u32>,
    /// Whether it stands on nearly all pages from its first to its last where its like would.
    covers: bool,
}

struct Family {
    words: u64,
    differs: bool,
}

impl Texts {
    fn of(blocks: &[Seen], numbers: &PageNumbers) -> Self {
        let (mut places, mut families) = (HashMap::<_, Places>::new(), HashMap::new());
        let mut filled: HashMap<Edge, Vec<u32>> = HashMap::new();
        for seen in blocks {
            let (text, numbered) = seen.text(numbers);
            if numbered && text.is_empty {
                continue;
            }
            for family in text.families() {
                let family =
                    families.entry((seen.edge, family)).or_insert(Family { words: text.words, differs: false });
                family.differs |= family.words != text.words;
            }
            push(&mut places.entry((seen.edge, text.words)).or_default().at, seen.at);
            if !seen.heading {
                push(filled.entry(seen.edge).or_default(), seen.at);
            }
        }
        for ((edge, _), places) in &mut places {
            places.covers = covers(&places.at, filled.get(edge).map_or(&[], Vec::as_slice));
        }
        Self { places, families }
    }

    /// Whether a text says what others of the document have said, and nothing that tells its page apart.
    fn repeats(&self, seen: &Seen, text: &Text, pages: u32) -> bool {
        let Some(places) = self.places.get(&(seen.edge, text.words)) else { return false };
        let differs = |family: u64| self.families.get(&(seen.edge, family)).is_some_and(|family| family.differs);
        if text.is_empty || places.at[0] == seen.at || !places.covers || text.families().any(differs) {
            return false;
        }
        let run = places.at.chunk_by(|a, b| b - a <= TURN).find(|run| run.contains(&seen.at)).map_or(0, <[u32]>::len);
        let least = if pages == 2 && !seen.heading { 2 } else { REPEATED };
        run >= least || places.at.len() >= RUNNING
    }
}

/// Adds a page to an ascending list unless it is the last one there.
fn push(pages: &mut Vec<u32>, at: u32) {
    if pages.last() != Some(&at) {
        pages.push(at);
    }
}

/// Whether a text stands on nearly all pages between its first and its last that have something in this margin. If it is
/// on left pages only, or on right ones, the others do not count.
fn covers(at: &[u32], filled: &[u32]) -> bool {
    let (Some(first), Some(last)) = (at.first(), at.last()) else { return false };
    let one_side = at.iter().all(|at| at % 2 == first % 2);
    let counts = |page: &&u32| (first..=last).contains(page) && (!one_side || **page % 2 == first % 2);
    at.len() * 100 >= filled.iter().filter(counts).count() * COVERED
}

/// What the margins of some pages have in common: the second round.
#[derive(Debug, Default)]
pub struct RepeatedMargins {
    removed: HashSet<(u32, usize)>,
}

impl RepeatedMargins {
    /// Marks what others repeat on a page, and returns what that says, top first.
    #[must_use]
    pub fn mark(&self, page: u32, content: &mut PageContent) -> Vec<String> {
        let mut marked = Vec::new();
        for (at, block) in content.blocks.iter_mut().enumerate() {
            if let BlockKind::Margin { repeated, text, .. } = &mut block.kind
                && self.removed.contains(&(page, at))
            {
                *repeated = true;
                marked.push(text.text());
            }
        }
        marked
    }
}

/// A block in the upper or lower margin: which one, whether it looks like a heading, and what it says.
const fn margin(block: &Block) -> Option<(Edge, bool, &Inline)> {
    match &block.kind {
        BlockKind::Margin { edge: edge @ (Edge::Top | Edge::Bottom), level, text, .. } => {
            Some((*edge, level.is_some(), text))
        }
        _ => None,
    }
}

fn hash(what: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks parted by empty lines, those with signs headings; so many of the first and the last are margins.
    fn page(text: &str, top: usize, bottom: usize) -> PageContent {
        let parts: Vec<&str> = text.split("\n\n").collect();
        let block = |(at, part): (usize, &&str)| {
            let level = part.bytes().take_while(|byte| *byte == b'#').count();
            let level = (level > 0).then(|| u8::try_from(level).unwrap());
            let text = Inline::plain(part.trim_start_matches(['#', ' ']));
            let edge = if at < top { Some(Edge::Top) } else { (at + bottom >= parts.len()).then_some(Edge::Bottom) };
            let kind = match (edge, level) {
                (Some(edge), level) => BlockKind::Margin { edge, level, text, repeated: false },
                (None, Some(level)) => BlockKind::Heading { level, text },
                (None, None) => BlockKind::Paragraph { text },
            };
            Block::new(kind, None)
        };
        PageContent::new(parts.iter().enumerate().map(block).collect())
    }

    /// What is left of each page, as [`page`] takes it.
    fn without(pages: &[PageContent]) -> Vec<String> {
        let mut seen = SeenMargins::default();
        (1..).zip(pages).for_each(|(number, page)| seen.look_at(number, page));
        let repeated = seen.repeated();
        let left = |(number, page): (u32, &PageContent)| {
            let mut content = page.clone();
            let _ = repeated.mark(number, &mut content);
            let stays = |block: &&Block| !matches!(block.kind, BlockKind::Margin { repeated: true, .. });
            let written = |block: &Block| match &block.kind {
                BlockKind::Margin { level: Some(level), .. } => {
                    format!("{} {}", "#".repeat((*level).into()), block.text())
                }
                _ => block.text(),
            };
            content.blocks.iter().filter(stays).map(written).collect::<Vec<_>>().join("\n\n")
        };
        (1..).zip(pages).map(left).collect()
    }

    /// Pages with one line at the top; those where it stays.
    fn kept(tops: &[&str]) -> Vec<usize> {
        let pages: Vec<PageContent> = tops.iter().map(|top| page(&format!("{top}\n\ntext"), 1, 0)).collect();
        let left = without(&pages);
        (0..tops.len()).filter(|at| left[*at] != "text").map(|at| at + 1).collect()
    }

    #[test]
    fn headers_of_both_sides_and_page_numbers_go_but_for_the_first() {
        let pages: Vec<PageContent> = (1..=6)
            .map(|number| match number % 2 {
                0 => page(&format!("{} A BOOK\n\ntext {number}\n\nmore", number + 8), 1, 0),
                _ => page(&format!("A chapter. Once {}\n\ntext {number}\n\nmore", number + 8), 1, 0),
            })
            .collect();
        let mut expected: Vec<String> = (1..=6).map(|number| format!("text {number}\n\nmore")).collect();
        expected[0].insert_str(0, "A chapter. Once 9\n\n");
        expected[1].insert_str(0, "10 A BOOK\n\n");
        assert_eq!(without(&pages), expected);
    }

    #[test]
    fn what_differs_in_a_number_a_date_or_a_name_stays() {
        for tops in [
            ["Employee 10044", "Employee 20991", "Employee 31870", "Employee 10044"],
            ["Net pay 2,410.55", "Net pay 2,410.55", "Net pay 2,410.55", "Net pay 1,998.70"],
            ["3 May 2024", "4 May 2024", "5 May 2024", "6 May 2024"],
            ["Act I", "Act II", "Act III", "Act IV"],
            ["Invoice 2024-118", "Invoice 2024-119", "Invoice 2024-120", "Invoice 2024-121"],
            ["Patient 12", "Patient 13", "Patient 14", "Patient 15"],
            ["Question 1: why?", "Question 2: why?", "Question 3: why?", "Question 4: why?"],
            ["Answer: yes", "Answer: yes", "Answer: yes", "Answer: no"],
            [
                "as shown in Figure 2-1.",
                "as shown in Figure 2-2.",
                "as shown in Figure 2-3.",
                "as shown in Figure 2-4.",
            ],
            ["stands at step 1.", "go on to step 2.", "you come to step 3.", "and do step 4."],
            ["412", "398", "405", "431"],
            ["Anna Berg", "Olav Dahl", "Anna Berg", "Kari Eide"],
            ["# 1", "# 2", "# 3", "# 4"],
        ] {
            assert_eq!(kept(&tops), [1, 2, 3, 4], "{tops:?}");
        }
        // Where only some of the pages have it, it tells them apart.
        assert_eq!(kept(&["paid", "paid", "paid", "open", "paid", "open", "open"]), [1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn equal_text_stays_once_and_page_numbers_go() {
        assert_eq!(kept(&["The yearbook", "The yearbook", "The yearbook"]), [1]);
        assert_eq!(kept(&["Muster Ltd, VAT GB 123", "Muster Ltd, VAT GB 123"]), [1]);
        assert_eq!(kept(&["Report - Page 1 of 4", "Report - Page 2 of 4", "Report - Page 3 of 4"]), [1]);
        assert_eq!(kept(&["1 of 4", "2 of 4", "3 of 4"]), [0; 0]);
        assert_eq!(kept(&["left", "right", "left", "right", "left", "right"]), [1, 2]);
        // Running heads of two chapters.
        assert_eq!(kept(&["One", "One", "One", "Two", "Two", "Two"]), [1, 4]);
        // Twice in a longer document is not enough.
        assert_eq!(kept(&["a", "*Table 7 - continued*", "*Table 7 - continued*", "b"]), [1, 2, 3, 4]);
    }

    #[test]
    fn what_comes_once_stays_and_a_title_once() {
        let pages = [
            page("## The same title\n\na\n\nA note below", 1, 1),
            page("## The same title\n\nb\n\n2", 1, 1),
            page("## The same title\n\nc\n\n3", 1, 1),
            page("Only here\n\nd\n\n4", 1, 1),
            page("5", 0, 1),
        ];
        assert_eq!(without(&pages), ["## The same title\n\na\n\nA note below", "b", "c", "Only here\n\nd", ""]);
        // On two pages it is the title of each.
        assert_eq!(kept(&["## Fees", "## Fees"]), [1, 2]);
    }

    #[test]
    fn what_goes_between_what_stays_goes_and_is_named() {
        let pages: Vec<PageContent> = [118, 305, 411]
            .iter()
            .zip(1..)
            .map(|(number, page_number)| {
                page(&format!("Invoice {number}\n\nSeller\n\ntext\n\nPage {page_number}\n\nBye"), 2, 2)
            })
            .collect();
        assert_eq!(
            without(&pages),
            ["Invoice 118\n\nSeller\n\ntext\n\nBye", "Invoice 305\n\ntext", "Invoice 411\n\ntext"]
        );
        let mut seen = SeenMargins::default();
        (1..).zip(&pages).for_each(|(number, page)| seen.look_at(number, page));
        assert_eq!(seen.repeated().mark(2, &mut pages[1].clone()), ["Seller", "Page 2", "Bye"]);
    }

    #[test]
    fn text_of_the_page_is_never_cut() {
        let pages = ["same\n\nsame", "same\n\nsame", "same\n\nsame"].map(|text| page(text, 0, 0));
        assert_eq!(without(&pages), ["same\n\nsame"; 3]);
        let unknown = PageContent { markdown: Some("same".into()), ..page("same", 1, 0) };
        assert_eq!(without(&[unknown.clone(), unknown.clone(), unknown]), ["same"; 3]);
        let mut index: Vec<PageContent> = (1..=5)
            .map(|number| {
                page(
                    &format!("{}{number}\n\n{}The book\n\ntext", ["", "### "][number / 5], ["", "## "][number / 5]),
                    2,
                    0,
                )
            })
            .collect();
        let mut expected = ["text"; 5];
        expected[0] = "The book\n\ntext";
        assert_eq!(without(&index), expected);
        // One page alone loses nothing, whatever stands on it twice.
        index.truncate(1);
        index[0] = page("Page 1 of 1\n\nPage 1 of 1\n\nx", 2, 0);
        assert_eq!(without(&index), ["Page 1 of 1\n\nPage 1 of 1\n\nx"]);
    }

    proptest::proptest! {
        /// Whatever pages say, nothing that stands once is lost, and the text between the margins is as it was.
        #[test]
        fn nothing_that_stands_once_is_lost(
            tops in proptest::collection::vec("(Report|Case|Page|Sum:)( (yes|no|[0-9]{1,2}))?", 1..9),
        ) {
            let pages: Vec<PageContent> = tops.iter().map(|top| page(&format!("{top}\n\ntext"), 1, 0)).collect();
            for (at, left) in without(&pages).iter().enumerate() {
                proptest::prop_assert!(left.ends_with("text"));
                let once = tops.iter().filter(|top| **top == tops[at]).count() == 1 && !tops[at].starts_with("Page ");
                proptest::prop_assert!(!once || left.starts_with(&tops[at]));
            }
        }
    }
}
