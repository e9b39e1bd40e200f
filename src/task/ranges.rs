//! A set of pages that is small where pages lie together.

use std::fmt;
use std::str::FromStr;

/// Page numbers, kept as ranges: what has been read of a book is a few of them, however long it is. Written as `1-5,8`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageRanges {
    /// First and last, ascending, never touching each other.
    ranges: Vec<(u32, u32)>,
}

impl PageRanges {
    /// Whether it has this page.
    #[must_use]
    pub fn contains(&self, page: u32) -> bool {
        let at = self.ranges.partition_point(|(_, last)| *last < page);
        self.ranges.get(at).is_some_and(|(first, _)| *first <= page)
    }

    /// Adds a page; answers whether it was not there.
    pub fn insert(&mut self, page: u32) -> bool {
        let at = self.ranges.partition_point(|(_, last)| *last < page);
        if self.ranges.get(at).is_some_and(|(first, _)| *first <= page) {
            return false;
        }
        let joins_before = at > 0 && self.ranges[at - 1].1.checked_add(1) == Some(page);
        let joins_after = self.ranges.get(at).is_some_and(|(first, _)| page.checked_add(1) == Some(*first));
        match (joins_before, joins_after) {
            (true, true) => self.ranges[at - 1].1 = self.ranges.remove(at).1,
            (true, false) => self.ranges[at - 1].1 = page,
            (false, true) => self.ranges[at].0 = page,
            (false, false) => self.ranges.insert(at, (page, page)),
        }
        true
    }

    /// How many pages it has.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|(first, last)| u64::from(last - first) + 1).sum()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The first so many ranges of it.
    #[must_use]
    pub fn first(&self, ranges: usize) -> Self {
        Self { ranges: self.ranges.iter().take(ranges).copied().collect() }
    }
}

impl fmt::Display for PageRanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (first, last)) in self.ranges.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            write!(f, "{comma}{first}")?;
            if first != last {
                write!(f, "-{last}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for PageRanges {
    type Err = ();

    /// Reads what was written by [`fmt::Display`], and nothing else.
    fn from_str(text: &str) -> Result<Self, ()> {
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let range = (first.parse::<u32>().map_err(drop)?, last.parse::<u32>().map_err(drop)?);
            if range.0 <= range.1 { Ok(range) } else { Err(()) }
        };
        let parts = text.split(',').filter(|_| !text.is_empty());
        let ranges = parts.map(range).collect::<Result<Vec<_>, ()>>()?;
        let apart = ranges.windows(2).all(|two| two[0].1.checked_add(1).is_some_and(|next| next < two[1].0));
        if apart { Ok(Self { ranges }) } else { Err(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_a_set_and_reads_back(pages in prop::collection::vec(prop_oneof![0_u32..40, u32::MAX - 5..=u32::MAX], 0..80)) {
            let (mut ranges, mut set) = (PageRanges::default(), BTreeSet::new());
            for page in pages {
                prop_assert_eq!(ranges.insert(page), set.insert(page));
                prop_assert_eq!(ranges.len(), set.len() as u64);
            }
            prop_assert!((0..45).all(|page| ranges.contains(page) == set.contains(&page)));
            prop_assert_eq!(ranges.to_string().parse(), Ok(ranges));
        }
    }

    #[test]
    fn nothing_else_is_read() {
        for bad in ["1-", "5-3", "1,1", "3,1", "1-2,3", "x", "1,,2", " 1", "4294967296"] {
            assert!(bad.parse::<PageRanges>().is_err(), "{bad}");
        }
        assert_eq!("1-5,8".parse::<PageRanges>().unwrap().len(), 6);
        assert_eq!("1-5,8,10".parse::<PageRanges>().unwrap().first(2).to_string(), "1-5,8");
    }
}
