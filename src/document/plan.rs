//! Pages → shards. Pure.

/// Consecutive pages of one PDF that are read in one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shard {
    /// First page, from 1.
    pub first: u32,
    /// Last page, inclusive.
    pub last: u32,
}

impl Shard {
    /// A shard of one page.
    #[must_use]
    pub const fn single(page: u32) -> Self {
        Self { first: page, last: page }
    }

    /// Its pages, ascending.
    #[must_use]
    pub fn pages(self) -> std::ops::RangeInclusive<u32> {
        self.first..=self.last
    }

    /// How many pages it has, at least 1.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.last - self.first + 1
    }

    /// Never: a shard has a page.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        false
    }
}

/// Cuts ascending `pages` into shards of at most `shard_pages` consecutive pages. A gap ends a shard.
///
/// A `shard_pages` of 0 counts as 1.
#[must_use]
pub fn plan(pages: impl IntoIterator<Item = u32>, shard_pages: u32) -> Vec<Shard> {
    let mut shards: Vec<Shard> = Vec::new();
    for page in pages {
        match shards.last_mut() {
            Some(shard) if shard.last + 1 == page && shard.len() < shard_pages => shard.last = page,
            _ => shards.push(Shard::single(page)),
        }
    }
    shards
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cuts_at_the_size_and_at_gaps() {
        let shard = |first, last| Shard { first, last };
        for (pages, size, expected) in [
            (vec![], 4, vec![]),
            (vec![1, 2, 3, 4, 5], 2, vec![shard(1, 2), shard(3, 4), shard(5, 5)]),
            (vec![1, 2, 5, 6, 7], 16, vec![shard(1, 2), shard(5, 7)]),
            (vec![3, 4], 0, vec![shard(3, 3), shard(4, 4)]),
        ] {
            assert_eq!(plan(pages, size), expected);
        }
    }

    proptest! {
        #[test]
        fn every_page_is_in_exactly_one_shard_in_order(
            pages in proptest::collection::btree_set(1u32..500, 0..200),
            size in 0u32..20,
        ) {
            let shards = plan(pages.iter().copied(), size);
            let planned: Vec<u32> = shards.iter().flat_map(|shard| shard.pages()).collect();
            prop_assert_eq!(planned, pages.into_iter().collect::<Vec<_>>());
            prop_assert!(shards.iter().all(|shard| shard.len() <= size.max(1)));
        }
    }
}
