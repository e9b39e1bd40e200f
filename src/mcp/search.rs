//! Where words stand on a page.

use crate::output::text;
use crate::task::PageView;

/// The longest query, bytes.
const LONGEST: usize = 1_000;
/// Characters that are shown on each side of what was found.
const AROUND: usize = 120;
/// The most places of one page that are shown.
const PLACES: usize = 10;

/// Words as they stand one after the other, whatever their case and the space between them.
pub(super) struct Query(Vec<char>);

impl Query {
    /// `None` when there are no words, or too many.
    pub(super) fn new(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let folded = folded(text);
        (!folded.is_empty()).then(|| Self(folded.into_iter().map(|(c, _)| c).collect()))
    }

    /// The places on a page, a line each.
    pub(super) fn places(&self, page: &PageView) -> Vec<String> {
        let said: Vec<char> = text::blocks(page.blocks.as_deref().unwrap_or_default()).chars().collect();
        let shown: String = said.iter().collect();
        let folded = folded(&shown);
        let Self(wanted) = self;
        let mut places = Vec::new();
        let mut at = 0;
        while at + wanted.len() <= folded.len() {
            if folded[at..].iter().map(|(c, _)| c).zip(wanted).all(|(c, wanted)| c == wanted) {
                let (first, last) = (folded[at].1, folded[at + wanted.len() - 1].1);
                if places.len() == PLACES {
                    places.push(format!("page {}: there are more\n", page.page));
                    break;
                }
                let (from, to) = (first.saturating_sub(AROUND), (last + AROUND).min(said.len()));
                let around: String = said[from..to].iter().collect();
                let around = around.split_whitespace().collect::<Vec<_>>().join(" ");
                let (before, after) = (if from > 0 { "… " } else { "" }, if to < said.len() { " …" } else { "" });
                places.push(format!("page {}: {before}{around}{after}\n", page.page));
                at += wanted.len();
            } else {
                at += 1;
            }
        }
        places
    }
}

/// Lower-case characters with one space for all space between words, each with its place in the text.
fn folded(text: &str) -> Vec<(char, usize)> {
    let mut folded: Vec<(char, usize)> = Vec::new();
    for (at, c) in text.chars().enumerate() {
        if c.is_whitespace() {
            if folded.last().is_some_and(|(last, _)| *last != ' ') {
                folded.push((' ', at));
            }
        } else {
            folded.extend(c.to_lowercase().map(|c| (c, at)));
        }
    }
    folded.pop_if(|(last, _)| *last == ' ');
    folded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::from_markdown;
    use crate::task::PageStatus;

    fn places(markdown: &str, query: &str) -> Vec<String> {
        let blocks = Some(from_markdown(markdown).blocks);
        let page = PageView { blocks, ..PageView::unfinished(4, PageStatus::Done) };
        Query::new(query).map_or_else(Vec::new, |query| query.places(&page))
    }

    #[test]
    fn words_are_found_whatever_their_case_and_the_space_between() {
        assert_eq!(places("The **Sum** of\nall Parts.", "sum OF all"), ["page 4: The Sum of all Parts.\n"]);
        assert_eq!(places("İstanbul und STRAẞE", "straße"), ["page 4: İstanbul und STRAẞE\n"]);
        assert_eq!(places("| a | b |\n|---|---|\n| net pay | 12.50 |", "pay 12.50").len(), 1, "over cells");
        assert!(places("nothing", "x").is_empty() && places("a", " ").is_empty());
        assert_eq!(places(&"word ".repeat(100), "word").len(), PLACES + 1);
    }

    #[test]
    fn only_what_is_near_is_shown() {
        let far = "far ".repeat(200);
        let found = places(&format!("{far}here {far}"), "here").remove(0);
        assert!(found.starts_with("page 4: … ") && found.ends_with(" …\n") && found.len() < 300, "{found}");
    }
}
