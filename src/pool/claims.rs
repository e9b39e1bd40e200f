//! Which pages are being paid for right now, so that an equal one waits for the answer instead of paying again.
//!
//! An attempt that may make calls claims the ledger's keys of its pages before it looks them up there, all of them or
//! none. When another attempt has one of them, the worker is given back and the work is parked here; when that attempt has
//! ended, however it ended, what was parked for it takes its next turn. By then its page is in the ledger, or it is its own
//! turn to ask. Nothing waits while it holds a claim, so nothing waits in a circle.
//!
//! The dispatcher owns this, so it knows of the calls of its own process: another server on the same store may pay for an
//! equal page at the same moment.

use std::collections::HashMap;

use actix::{Message, Recipient};

use crate::ledger::PageKey;

/// Claims of attempts, and what waits for them. Pure.
pub(super) struct Claims<W> {
    last: u64,
    holders: HashMap<PageKey, u64>,
    held: HashMap<u64, Vec<PageKey>>,
    parked: HashMap<PageKey, Vec<W>>,
}

/// Another attempt is paying for a page with this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Busy(pub(super) PageKey);

/// Claims keys for an attempt. The answer is the one that another attempt has; then none is claimed.
#[derive(Message)]
#[rtype(result = "Option<PageKey>")]
pub(super) struct ClaimPages {
    pub(super) holder: u64,
    pub(super) keys: Vec<PageKey>,
}

/// How an attempt claims its pages.
#[derive(Clone)]
pub(super) struct Claimant {
    pub(super) holder: u64,
    pub(super) dispatcher: Recipient<ClaimPages>,
}

impl Claimant {
    /// Claims `keys`. Blocks for a moment.
    ///
    /// # Errors
    /// [`Busy`]; then none is claimed. Without a dispatcher nothing runs beside this attempt for long.
    pub(super) fn claim(&self, keys: Vec<PageKey>) -> Result<(), Busy> {
        let asked = self.dispatcher.send(ClaimPages { holder: self.holder, keys });
        match futures::executor::block_on(asked) {
            Ok(Some(key)) => Err(Busy(key)),
            Ok(None) | Err(_) => Ok(()),
        }
    }
}

impl<W> Claims<W> {
    pub(super) fn new() -> Self {
        Self { last: 0, holders: HashMap::new(), held: HashMap::new(), parked: HashMap::new() }
    }

    /// A name for an attempt that begins.
    pub(super) const fn next_holder(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Claims all of `keys`, or returns one that another attempt has.
    pub(super) fn claim(&mut self, holder: u64, keys: Vec<PageKey>) -> Option<PageKey> {
        let other = |key: &&PageKey| self.holders.get(*key).is_some_and(|other| *other != holder);
        if let Some(taken) = keys.iter().find(other) {
            return Some(*taken);
        }
        self.holders.extend(keys.iter().map(|key| (*key, holder)));
        self.held.entry(holder).or_default().extend(keys);
        None
    }

    /// Keeps `work` until the claim of `key` ends; returns it when there is none any more.
    pub(super) fn park(&mut self, Busy(key): Busy, work: W) -> Option<W> {
        if !self.holders.contains_key(&key) {
            return Some(work);
        }
        self.parked.entry(key).or_default().push(work);
        None
    }

    /// Ends the claims of an attempt; returns what was parked for them, what came first at the end.
    pub(super) fn end(&mut self, holder: u64) -> Vec<W> {
        let mut freed = Vec::new();
        for key in self.held.remove(&holder).unwrap_or_default() {
            if self.holders.get(&key) == Some(&holder) {
                self.holders.remove(&key);
                freed.extend(self.parked.remove(&key).unwrap_or_default().into_iter().rev());
            }
        }
        freed
    }

    /// Drops what is parked and not to be kept.
    pub(super) fn retain(&mut self, keep: impl Fn(&W) -> bool) {
        self.parked.retain(|_, works| {
            works.retain(&keep);
            !works.is_empty()
        });
    }

    /// What is parked, in no order, together for each key.
    pub(super) fn parked(&self) -> impl Iterator<Item = &[W]> {
        self.parked.values().map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::ledger::{LedgerScope, RecipeHash};

    fn key(page: u32) -> PageKey {
        PageKey::of_place(&LedgerScope::SHARED, "aa", page, RecipeHash::of(&"llm"))
    }

    #[test]
    fn i11_a_claim_is_for_all_keys_or_none_and_ends_with_its_attempt() {
        let mut claims = Claims::new();
        let [first, second] = [claims.next_holder(), claims.next_holder()];
        assert_eq!(claims.claim(first, vec![key(1), key(2), key(1)]), None);
        assert_eq!(claims.claim(second, vec![key(3), key(2)]), Some(key(2)));
        assert_eq!(claims.claim(first, vec![key(3)]), None, "the second has claimed nothing");
        assert_eq!(claims.park(Busy(key(2)), "a"), None);
        assert_eq!(claims.park(Busy(key(2)), "b"), None);
        assert_eq!(claims.park(Busy(key(4)), "c"), Some("c"), "it has ended in between");
        claims.retain(|work| *work != "x");
        assert_eq!(claims.end(first), ["b", "a"]);
        assert_eq!(claims.claim(second, vec![key(3), key(2)]), None);
        assert!(claims.end(first).is_empty(), "an attempt ends once");
        claims.end(second);
        assert!(claims.holders.is_empty() && claims.held.is_empty() && claims.parked.is_empty(), "I11");
    }

    #[derive(Clone, Debug)]
    enum Op {
        Begin(BTreeSet<u32>),
        End(usize),
        Drop(u64),
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            4 => proptest::collection::btree_set(0_u32..5, 1..4).prop_map(Op::Begin),
            4 => any::<usize>().prop_map(Op::End),
            1 => (0_u64..40).prop_map(Op::Drop),
        ]
    }

    proptest! {
        /// However attempts begin, end and are dropped: no key is held twice, nothing that waits is lost, and when all
        /// attempts have ended nothing waits.
        #[test]
        fn nothing_is_paid_twice_or_waits_for_ever(ops in proptest::collection::vec(op(), 0..200)) {
            let mut claims = Claims::<(u64, BTreeSet<u32>)>::new();
            let (mut running, mut waiting) = (Vec::<(u64, BTreeSet<u32>)>::new(), BTreeSet::new());
            let begin = |claims: &mut Claims<_>, work: (u64, BTreeSet<u32>), running: &mut Vec<(u64, BTreeSet<u32>)>, waiting: &mut BTreeSet<u64>| {
                let holder = claims.next_holder();
                if let Some(busy) = claims.claim(holder, work.1.iter().map(|page| key(*page)).collect()) {
                    waiting.insert(work.0);
                    assert!(claims.park(Busy(busy), work).is_none());
                } else {
                    assert!(running.iter().all(|(_, pages)| pages.is_disjoint(&work.1)));
                    running.push((holder, work.1));
                }
            };
            for (number, op) in (0_u64..).zip(ops) {
                match op {
                    Op::Begin(pages) => begin(&mut claims, (number, pages), &mut running, &mut waiting),
                    Op::End(which) if !running.is_empty() => {
                        let (holder, _) = running.swap_remove(which % running.len());
                        for work in claims.end(holder) {
                            waiting.remove(&work.0);
                            begin(&mut claims, work, &mut running, &mut waiting);
                        }
                    }
                    Op::End(_) => {}
                    Op::Drop(number) => {
                        claims.retain(|work| work.0 != number);
                        waiting.remove(&number);
                    }
                }
                let parked: BTreeSet<u64> = claims.parked().flatten().map(|work| work.0).collect();
                prop_assert_eq!(&parked, &waiting);
            }
            while let Some((holder, _)) = running.pop() {
                for work in claims.end(holder) {
                    waiting.remove(&work.0);
                    begin(&mut claims, work, &mut running, &mut waiting);
                }
            }
            prop_assert!(waiting.is_empty() && claims.held.is_empty() && claims.holders.is_empty());
        }
    }
}
