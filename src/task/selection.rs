//! Which pages of a PDF a task is about.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A page selection as people write it: `1-5,8,r3-r1`.
///
/// Comma-separated parts; a part is a page or `FROM-TO` inclusive; `rN` counts from the end (`r1` is the last page),
/// as in qpdf's page ranges; `FROM-` runs to the end and `-TO` from the start; `FROM-TO?` is cut off at the last page. Order and repeats do not matter:
/// pages come out once each, in page order, because a result is in page order (invariant I3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PageSelection {
    parts: Vec<(Bound, Bound)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    FromStart(u32),
    FromEnd(u32),
    /// This one, or the last where there are fewer.
    AtMost(u32),
}

/// A selection that cannot be read, or that names pages a document does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PageRangeError {
    /// Not of the form described at [`PageSelection`].
    #[error("cannot read the page range {0:?}: write pages and ranges such as 1-5,8,r3-r1")]
    Malformed(String),
    /// A part names a page outside the document, or runs backwards.
    #[error("the page range {part} does not lie in a document of {pages} pages")]
    OutOfBounds {
        /// The part as written.
        part: String,
        /// How many pages the document has.
        pages: u32,
    },
}

impl PageSelection {
    /// The selected pages of a document of `pages` pages, ascending, numbered from 1, without repeats.
    ///
    /// # Errors
    /// [`PageRangeError::OutOfBounds`] when a part names a page that is not there or runs backwards.
    pub fn resolve(&self, pages: u32) -> Result<Vec<u32>, PageRangeError> {
        let mut selected = Vec::new();
        for &(from, to) in &self.parts {
            let (first, last) = (from.resolve(pages), to.resolve(pages));
            match (first, last) {
                (Some(first), Some(last)) if first <= last => selected.extend(first..=last),
                _ => {
                    let part = Self { parts: vec![(from, to)] }.to_string();
                    return Err(PageRangeError::OutOfBounds { part, pages });
                }
            }
            // Overlapping parts of a long document would otherwise grow with the text of the selection.
            if selected.len() > pages as usize {
                selected.sort_unstable();
                selected.dedup();
            }
        }
        selected.sort_unstable();
        selected.dedup();
        Ok(selected)
    }
}

impl Bound {
    fn resolve(self, pages: u32) -> Option<u32> {
        match self {
            Self::FromStart(page) => (1..=pages).contains(&page).then_some(page),
            Self::FromEnd(back) => (1..=pages).contains(&back).then(|| pages - back + 1),
            Self::AtMost(page) => (pages > 0).then(|| page.min(pages)),
        }
    }

    const fn at_most(self) -> Option<Self> {
        match self {
            Self::FromStart(page) => Some(Self::AtMost(page)),
            Self::FromEnd(_) | Self::AtMost(_) => None,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (digits, make): (&str, fn(u32) -> Self) = match text.strip_prefix('r') {
            Some(rest) => (rest, Self::FromEnd),
            None => (text, Self::FromStart),
        };
        let all_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let number: u32 = all_digits.then(|| digits.parse().ok()).flatten()?;
        (number > 0).then(|| make(number))
    }
}

impl FromStr for PageSelection {
    type Err = PageRangeError;

    fn from_str(text: &str) -> Result<Self, PageRangeError> {
        let malformed = || PageRangeError::Malformed(text.chars().take(80).collect());
        let mut parts = Vec::new();
        for part in text.split(',').map(str::trim) {
            let bounds = match part.split_once('-') {
                None => Bound::parse(part).map(|page| (page, page)),
                Some((from, to)) => {
                    let (from, to) = (from.trim(), to.trim());
                    let first = if from.is_empty() { Some(Bound::FromStart(1)) } else { Bound::parse(from) };
                    let last = match to.strip_suffix('?') {
                        Some(most) => Bound::parse(most).and_then(Bound::at_most),
                        None if to.is_empty() => Some(Bound::FromEnd(1)),
                        None => Bound::parse(to),
                    };
                    let open_both_ways = from.is_empty() && to.is_empty();
                    first.zip(last).filter(|_| !open_both_ways)
                }
            };
            parts.push(bounds.ok_or_else(malformed)?);
        }
        Ok(Self { parts })
    }
}

impl fmt::Display for PageSelection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (from, to)) in self.parts.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{from}")?;
            if from != to {
                write!(f, "-{to}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FromStart(page) => write!(f, "{page}"),
            Self::FromEnd(back) => write!(f, "r{back}"),
            Self::AtMost(page) => write!(f, "{page}?"),
        }
    }
}

impl TryFrom<String> for PageSelection {
    type Error = PageRangeError;

    fn try_from(text: String) -> Result<Self, PageRangeError> {
        text.parse()
    }
}

impl From<PageSelection> for String {
    fn from(selection: PageSelection) -> Self {
        selection.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves_as_written() {
        for (text, pages, expected) in [
            ("1", 1, vec![1]),
            ("1-5,8,r3-r1", 20, vec![1, 2, 3, 4, 5, 8, 18, 19, 20]),
            ("3,1,2-3", 3, vec![1, 2, 3]),
            ("r1", 7, vec![7]),
            ("5-", 7, vec![5, 6, 7]),
            ("-2", 7, vec![1, 2]),
            (" 2 - 3 , 5 ", 5, vec![2, 3, 5]),
            ("1-3?", 2, vec![1, 2]),
            ("2 - 3?", 7, vec![2, 3]),
        ] {
            let selection: PageSelection = text.parse().unwrap();
            assert_eq!(selection.resolve(pages), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_a_selection() {
        for text in
            ["", "0", "a", "1-2-3", "-", "1,,2", "r0", "+1", "1.5", "99999999999", "r", "1-r", "2?", "1-r1?", "1-?"]
        {
            assert!(text.parse::<PageSelection>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn refuses_pages_that_are_not_there() {
        for (text, pages) in [("5-9", 7), ("8", 7), ("r8", 7), ("5-3", 7), ("r1-r3", 7), ("1", 0), ("3-4?", 2)] {
            let selection: PageSelection = text.parse().unwrap();
            assert!(selection.resolve(pages).is_err(), "{text} of {pages}");
        }
    }

    #[test]
    fn many_overlapping_parts_stay_as_small_as_the_document() {
        let text = vec!["1-1000"; 5_000].join(",");
        let pages = text.parse::<PageSelection>().unwrap().resolve(1_000).unwrap();
        assert_eq!(pages.len(), 1_000);
        assert!(pages.capacity() < 10_000);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_refused_or_reads_back_the_same(text in "[0-9r?,\\- ]{0,20}") {
            if let Ok(selection) = text.parse::<PageSelection>() {
                let again: PageSelection = selection.to_string().parse().unwrap();
                assert_eq!(again, selection);
                if let Ok(pages) = selection.resolve(50) {
                    assert!(pages.is_sorted_by(|a, b| a < b));
                    assert!(pages.iter().all(|page| (1..=50).contains(page)));
                }
            }
        }
    }
}
