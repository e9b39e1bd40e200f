//! Headings by the document's outline, which knows what is a title, and of which level.

use std::collections::BTreeMap;

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

    /// The Markdown of a page with its titles as headings of their level. Each title is taken once, by a heading before
    /// other text.
    #[must_use]
    pub fn set(&self, page: u32, markdown: &str) -> String {
        let Some(titles) = self.0.get(&page) else { return markdown.to_owned() };
        let blocks: Vec<&str> = split(markdown);
        let candidates: Vec<Option<String>> = blocks.iter().map(|block| candidate(block)).collect();
        let mut levels = vec![None; blocks.len()];
        for title in titles {
            let fits =
                |at: &usize| levels[*at].is_none() && candidates[*at].as_ref().is_some_and(|words| title.is(words));
            let found = (0..blocks.len()).filter(fits).min_by_key(|at| !blocks[*at].starts_with('#'));
            if let Some(at) = found {
                levels[at] = Some(title.level);
            }
        }
        let set = |(block, level): (&&str, Option<u8>)| match level {
            Some(level) => format!("{} {}", "#".repeat(usize::from(level)), bare(block)),
            None => (*block).to_owned(),
        };
        blocks.iter().zip(levels).map(set).collect::<Vec<_>>().join("\n\n")
    }
}

impl Title {
    /// Whether a block says this title, with or without its number.
    fn is(&self, words: &str) -> bool {
        let unnumbered = |text: &str| text.trim_start_matches(|c: char| c.is_numeric()).to_owned();
        self.words == words || unnumbered(&self.words) == unnumbered(words) && !unnumbered(words).is_empty()
    }
}

/// Blocks, those of code in one piece.
fn split(markdown: &str) -> Vec<&str> {
    let (mut blocks, mut begin, mut fence) = (Vec::new(), 0, None);
    let mut at = 0;
    for line in markdown.split_inclusive('\n') {
        let ticks = line.trim_start().bytes().take_while(|byte| *byte == b'`').count();
        match fence {
            None if ticks >= 3 => fence = Some(ticks),
            Some(open) if ticks >= open && line.trim().len() == ticks => fence = None,
            None if line == "\n" => {
                blocks.push(markdown[begin..at].trim_end_matches('\n'));
                begin = at + line.len();
            }
            _ => {}
        }
        at += line.len();
    }
    blocks.push(markdown[begin..].trim_end_matches('\n'));
    blocks
}

/// What a block says that can be a heading: one line of text.
fn candidate(block: &str) -> Option<String> {
    let text = !block.contains('\n') && !block.starts_with(['|', '-', ' ']) && !block.starts_with("```");
    text.then(|| words(block)).filter(|words| !words.is_empty())
}

/// Letters and digits alone: an outline and a page differ in spaces, signs and case.
fn words(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// A block without what makes it a heading, or emphasised as a whole.
fn bare(block: &str) -> &str {
    let text = block.trim_start_matches('#').trim_start();
    let inner = ["***", "**", "*"].iter().find_map(|marks| text.strip_prefix(marks)?.strip_suffix(marks));
    inner.filter(|inner| !inner.contains('*')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_become_headings_of_their_level() {
        let entry = |title: &str, level, page| OutlineEntry { title: title.into(), level, page };
        let headings = Headings::of(vec![
            entry("1 First Steps", 1, 2),
            entry("The code", 2, 2),
            entry("Notes", 9, 2),
            entry("Elsewhere", 1, 3),
        ]);
        let page =
            "1\\. First steps\n\n#### The `code`\n\nThe code\n\n```\nNotes\n\nNotes\n```\n\n**Notes**\n\n- Elsewhere";
        let expected = "# 1\\. First steps\n\n## The `code`\n\nThe code\n\n```\nNotes\n\nNotes\n```\n\n###### Notes\n\n- Elsewhere";
        assert_eq!(headings.set(2, page), expected);
        assert_eq!(headings.set(3, "- Elsewhere"), "- Elsewhere");
        assert_eq!(headings.set(4, page), page);
    }

    #[test]
    fn nothing_else_of_a_page_changes() {
        let headings = Headings::of(vec![OutlineEntry { title: "None".into(), level: 1, page: 1 }]);
        for page in ["", "a", "a\n\nb\nc\n\n```\n\n\nx\n```", "````\n```\n\n````\n\nend"] {
            assert_eq!(headings.set(1, page), page);
        }
    }
}
