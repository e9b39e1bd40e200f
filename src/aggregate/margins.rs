//! Headers, footers and page numbers: what stands in the margins of page after page.
//!
//! A page by itself cannot tell a header from a title, so it only says how many of its blocks stand in its margins; and as
//! a page is kept for whatever document it comes in again, it is not changed there. Only when a result is written are
//! those left out that the pages of this document repeat. In two rounds, so that no text is held.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::task::{Margins, PageOutput};

/// What the margins of some pages have in common.
#[derive(Debug, Default)]
pub struct RepeatedMargins {
    blocks: HashMap<u64, Seen>,
    /// How much more a number in a margin is than its page, and how often.
    offsets: BTreeMap<i64, u32>,
    pages: u32,
}

#[derive(Debug)]
struct Seen {
    count: u32,
    /// The first page that has it, and the last.
    first: u32,
    last: u32,
    /// Whether it came twice within [`NEAR`] pages.
    near: bool,
}

/// What so many pages have in their margin belongs to none of them; fewer, in a document that has fewer.
const REPEATED: u32 = 3;
/// So does what comes again after so many pages: headers of left and of right pages take turns.
const NEAR: u32 = 2;
/// Large text at the top of so many pages is a header; on fewer it may be a title, and its first one stays.
const RUNNING: u32 = 10;

impl RepeatedMargins {
    /// Whether a page's margins were known.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.pages > 0
    }

    /// Looks at a page, as it is read.
    pub fn look_at(&mut self, page: u32, output: &PageOutput) {
        let Some(margins) = output.margins else { return };
        self.pages += 1;
        for (edge, block) in edges(&output.markdown, margins) {
            if let Some(number) = number(block) {
                *self.offsets.entry(number - i64::from(page)).or_default() += 1;
            }
            let seen = self.blocks.entry(key(edge, block, is_heading(block))).or_insert(Seen {
                count: 0,
                first: page,
                last: 0,
                near: false,
            });
            seen.count += 1;
            seen.near |= seen.count > 1 && page.abs_diff(seen.last) <= NEAR;
            seen.last = page;
        }
    }

    /// The Markdown of a page without what others repeat.
    #[must_use]
    pub fn without<'m>(&self, page: u32, output: &'m PageOutput) -> &'m str {
        let text = output.markdown.as_str();
        let Some(margins) = output.margins else { return text };
        let rest = self.cut(page, text, margins.top, Edge::Top);
        self.cut(page, rest, margins.bottom, Edge::Bottom)
    }

    /// Cuts from the edge inwards; what does not repeat stays, with all that is behind it.
    fn cut<'m>(&self, page: u32, text: &'m str, blocks: u32, edge: Edge) -> &'m str {
        let mut rest = text;
        for _ in 0..blocks {
            let (block, inner) = match edge {
                Edge::Top => rest.split_once(GAP).unwrap_or((rest, "")),
                Edge::Bottom => rest.rsplit_once(GAP).map_or((rest, ""), |(inner, block)| (block, inner)),
            };
            if !self.repeats(page, edge, block) {
                break;
            }
            rest = inner;
        }
        rest
    }

    fn repeats(&self, page: u32, edge: Edge, block: &str) -> bool {
        let counts_pages = || {
            let usual = self.offsets.iter().max_by_key(|(_, count)| **count);
            let offset = number(block).map(|number| number - i64::from(page));
            usual.is_some_and(|(usual, count)| {
                *count >= REPEATED.min(self.pages) && *count > 1 && Some(*usual) == offset
            })
        };
        // What is a header on other pages is one also where it is larger than the text.
        let text = self.blocks.get(&key(edge, block, false));
        let is_running = text.is_some_and(|seen| seen.count >= REPEATED);
        if !is_heading(block) {
            return is_running || text.is_some_and(|seen| seen.near) || counts_pages();
        }
        let title = self.blocks.get(&key(edge, block, true));
        let is_number = words(block).count() == 1;
        let repeats = |seen: &Seen| seen.count >= RUNNING || seen.count >= REPEATED && seen.first != page;
        is_running || is_number && counts_pages() || title.is_some_and(repeats)
    }
}

/// Between two blocks.
const GAP: &str = "\n\n";

#[derive(Clone, Copy, Debug, Hash, PartialEq)]
enum Edge {
    Top,
    Bottom,
}

/// The blocks in the margins of a page.
fn edges(markdown: &str, margins: Margins) -> impl Iterator<Item = (Edge, &str)> {
    let top = markdown.split(GAP).take(margins.top as usize).map(|block| (Edge::Top, block));
    let bottom = markdown.rsplit(GAP).take(margins.bottom as usize).map(|block| (Edge::Bottom, block));
    top.chain(bottom)
}

fn is_heading(block: &str) -> bool {
    block.starts_with('#')
}

fn words(block: &str) -> impl Iterator<Item = &str> {
    block.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// The page number that a block begins or ends with.
fn number(block: &str) -> Option<i64> {
    let read = |word: Option<&str>| word.filter(|word| word.len() <= 6)?.parse().ok();
    read(words(block).last()).or_else(|| read(words(block).next()))
}

/// What a block says, whatever its numbers, which count pages; but those of a title tell it from others.
fn key(edge: Edge, block: &str, title: bool) -> u64 {
    let mut hasher = DefaultHasher::new();
    (edge, title).hash(&mut hasher);
    let is_roman = |word: &str| word.len() <= 6 && word.chars().all(|c| "ivxlcIVXLC".contains(c));
    for word in words(block) {
        let counts = word.chars().all(|c| c.is_ascii_digit()) || is_roman(word);
        if counts && !title { "#".hash(&mut hasher) } else { word.to_lowercase().hash(&mut hasher) }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(markdown: &str, top: u32, bottom: u32) -> PageOutput {
        PageOutput { markdown: markdown.into(), margins: Some(Margins { top, bottom }), ..PageOutput::default() }
    }

    fn without(pages: &[PageOutput]) -> Vec<String> {
        let mut repeated = RepeatedMargins::default();
        (1..).zip(pages).for_each(|(number, page)| repeated.look_at(number, page));
        (1..).zip(pages).map(|(number, page)| repeated.without(number, page).to_owned()).collect()
    }

    #[test]
    fn headers_of_both_sides_and_page_numbers_go() {
        let pages: Vec<PageOutput> = (1..=6)
            .map(|number| match number % 2 {
                0 => page(&format!("{} A BOOK\n\ntext {number}\n\nmore", number + 8), 1, 0),
                _ => page(&format!("Chapter {number}. Once {}\n\ntext {number}\n\nmore", number + 8), 1, 0),
            })
            .collect();
        let expected: Vec<String> = (1..=6).map(|number| format!("text {number}\n\nmore")).collect();
        assert_eq!(without(&pages), expected);
    }

    #[test]
    fn short_chapters_and_what_counts_pages_go_too() {
        let pages = [
            page("Chapter A 11\n\ntext", 1, 0),
            page("The book\n\ntext", 1, 0),
            // Twice, two pages apart.
            page("Chapter A 13\n\ntext", 1, 0),
            page("The book\n\ntext", 1, 0),
            // Once, with the number of the page.
            page("Chapter B 15\n\ntext", 1, 0),
            page("In 1998\n\ntext", 1, 0),
        ];
        assert_eq!(without(&pages), ["text", "text", "text", "text", "text", "In 1998\n\ntext"]);
    }

    #[test]
    fn what_comes_once_or_is_a_title_stays() {
        let pages = [
            page("## The same title\n\na\n\nA note below", 1, 1),
            page("## The same title\n\nb\n\n2", 1, 1),
            page("## The same title\n\nc\n\n3", 1, 1),
            page("Only here\n\nd\n\n4", 1, 1),
            page("5", 0, 1),
        ];
        assert_eq!(without(&pages), ["## The same title\n\na\n\nA note below", "b", "c", "Only here\n\nd", ""]);
        // Titles that differ in their numbers only are different ones.
        let slides = ["# Part 1\n\na", "# Part 2\n\nb", "# Part 3\n\nc"].map(|text| page(text, 1, 0));
        assert_eq!(without(&slides), ["# Part 1\n\na", "# Part 2\n\nb", "# Part 3\n\nc"]);
    }

    #[test]
    fn text_of_the_page_is_never_cut() {
        let pages = ["same\n\nsame", "same\n\nsame", "same\n\nsame"].map(|text| page(text, 0, 0));
        assert_eq!(without(&pages), ["same\n\nsame"; 3]);
        let unknown = PageOutput { markdown: "same".into(), ..PageOutput::default() };
        assert_eq!(without(&[unknown.clone(), unknown.clone(), unknown]), ["same"; 3]);
        let index: Vec<PageOutput> = (1..=5)
            .map(|number| {
                page(
                    &format!("{}{number}\n\n{}The book\n\ntext", ["", "### "][number / 5], ["", "## "][number / 5]),
                    2,
                    0,
                )
            })
            .collect();
        assert_eq!(without(&index), ["text"; 5]);
        let one = [page("1\n\ntext", 1, 0)];
        assert_eq!(without(&one), ["1\n\ntext"]);
    }
}
