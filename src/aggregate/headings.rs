//! Headings by the document's outline, which knows what is a title, and of which level.

use std::collections::BTreeMap;

use crate::content::{Block, BlockKind, Edge, PageContent};
use crate::document::OutlineEntry;

/// The titles of a document's outline by page.
#[derive(Debug, Default)]
pub struct Headings(BTreeMap<u32, Vec<Title>>);

#[derive(Debug)]
struct Title {
    words: String,
    level: u8,
}

/// Markdown has so many levels.
const LEVELS: u8 = 6;
/// What has more words is a paragraph, and what has so many and says a sentence.
const MOST_WORDS: usize = 40;
const SENTENCE_WORDS: usize = 15;

impl Headings {
    /// Those of an outline.
    #[must_use]
    pub fn of(outline: Vec<OutlineEntry>) -> Self {
        let mut headings = Self::default();
        for entry in outline {
            let title = Title { words: words(&entry.title), level: entry.level.clamp(1, LEVELS) };
            if !title.words.is_empty() {
                headings.0.entry(entry.page).or_default().push(title);
            }
        }
        headings
    }

    /// Makes the titles of a page headings of their level. Each title is taken once, by a heading before other text.
    pub fn set(&self, page: u32, content: &mut PageContent) {
        let Some(titles) = self.0.get(&page) else { return };
        let candidates: Vec<Option<Candidate>> = content.blocks.iter().map(Candidate::of).collect();
        let mut levels = vec![None; candidates.len()];
        for title in titles {
            let fitting = candidates.iter().enumerate().filter_map(|(at, candidate)| Some((at, candidate.as_ref()?)));
            let fitting = fitting.filter(|(at, candidate)| levels[*at].is_none() && title.is(&candidate.words));
            if let Some((at, _)) = fitting.min_by_key(|(_, candidate)| !candidate.is_heading) {
                levels[at] = Some(title.level);
            }
        }
        for (block, level) in content.blocks.iter_mut().zip(levels) {
            let (BlockKind::Heading { text, .. } | BlockKind::Paragraph { text } | BlockKind::Margin { text, .. }) =
                &mut block.kind
            else {
                continue;
            };
            if let Some(level) = level {
                block.kind = BlockKind::Heading { level, text: std::mem::take(text) };
            }
        }
    }
}

/// A block that can be a heading: one line of text.
struct Candidate {
    words: String,
    is_heading: bool,
}

impl Candidate {
    fn of(block: &Block) -> Option<Self> {
        let (text, is_heading) = match &block.kind {
            BlockKind::Heading { text, .. } => (text, true),
            BlockKind::Margin { edge: Edge::Top | Edge::Bottom, level, text, repeated: false } => {
                (text, level.is_some())
            }
            BlockKind::Paragraph { text } => (text, false),
            _ => return None,
        };
        let text = text.text();
        let words = words(&text);
        (!text.contains('\n') && !words.is_empty() && !is_paragraph(&text)).then_some(Self { words, is_heading })
    }
}

impl Title {
    /// Whether a block says this title, with or without its number.
    fn is(&self, words: &str) -> bool {
        let unnumbered = |text: &str| text.trim_start_matches(|c: char| c.is_numeric()).to_owned();
        self.words == words || unnumbered(&self.words) == unnumbered(words) && !unnumbered(words).is_empty()
    }
}

/// Whether text is no title, whatever an outline says: some programs put whole paragraphs there.
fn is_paragraph(text: &str) -> bool {
    let count = text.split_whitespace().count();
    count > MOST_WORDS || count >= SENTENCE_WORDS && text.ends_with(['.', ';', ':'])
}

/// Letters and digits alone: an outline and a page differ in spaces, signs and case.
fn words(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{Inline, from_markdown};

    fn entry(title: &str, level: u8, page: u32) -> OutlineEntry {
        OutlineEntry { title: title.into(), level, page }
    }

    fn set(headings: &Headings, page: u32, markdown: &str) -> Vec<String> {
        let mut content = from_markdown(markdown);
        headings.set(page, &mut content);
        let written = |block: &Block| match &block.kind {
            BlockKind::Heading { level, .. } => format!("{level} {}", block.text()),
            _ => block.text(),
        };
        content.blocks.iter().map(written).collect()
    }

    #[test]
    fn titles_become_headings_of_their_level() {
        let headings = Headings::of(vec![
            entry("1 First Steps", 1, 2),
            entry("The code", 2, 2),
            entry("Notes", 9, 2),
            entry("Elsewhere", 1, 3),
        ]);
        let page =
            "1\\. First steps\n\n#### The code\n\nThe code\n\n```\nNotes\n\nNotes\n```\n\n**Notes**\n\n- Elsewhere";
        let expected = ["1 1. First steps", "2 The code", "The code", "Notes\n\nNotes", "6 Notes", "Elsewhere"];
        assert_eq!(set(&headings, 2, page), expected);
        assert_eq!(set(&headings, 3, "- Elsewhere"), ["Elsewhere"]);
        assert_eq!(set(&headings, 4, "Notes"), ["Notes"]);
    }

    #[test]
    fn a_paragraph_is_no_heading_though_the_outline_has_it() {
        let clause = "7. Fees. The parties agree that no fees will be due under this contract for what is lent.";
        let long = ["word"; 41].join(" ");
        let title = "On the Several Ways of Sewing Quires to Cords, as Shown by Eleven Bindings of One House";
        let headings = Headings::of([clause, long.as_str(), title].map(|text| entry(text, 1, 1)).into());
        let page = format!("{}\n\n{long}\n\n{title}", clause.replacen('.', "\\.", 1));
        assert_eq!(set(&headings, 1, &page), [clause, long.as_str(), &format!("1 {title}")]);
    }

    #[test]
    fn nothing_else_of_a_page_changes() {
        let headings = Headings::of(vec![entry("None", 1, 1), entry("One", 1, 1), entry("Head", 1, 1)]);
        for page in ["", "a", "a\n\nb\nc\n\n```\n\n\nx\n```", "One  \nTwo"] {
            let mut content = from_markdown(page);
            headings.set(1, &mut content);
            assert_eq!(content, from_markdown(page));
        }
        let margin =
            |repeated| BlockKind::Margin { edge: Edge::Top, level: None, text: Inline::plain("Head"), repeated };
        let mut content = PageContent::new([true, false].map(|repeated| Block::new(margin(repeated), None)).into());
        headings.set(1, &mut content);
        assert_eq!(content.blocks[0].kind, margin(true), "what is left out stays out");
        assert_eq!(content.blocks[1].kind, BlockKind::Heading { level: 1, text: Inline::plain("Head") });
    }
}
