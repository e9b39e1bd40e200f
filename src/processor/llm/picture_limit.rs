//! How large a picture a model takes, found by making it smaller until it is taken. Pure.
//!
//! What was tried counts for all calls at once, and is known of the model when an answer shows that it helped. Where not even
//! the smallest picture is taken, its size was not the reason, and other pages get theirs as large as before.

use std::sync::atomic::{AtomicU32, Ordering};

/// A picture whose longer side has fewer pixels cannot be read,
const SMALLEST_SIDE: u32 = 384;
/// and none is made that has fewer bytes, as no page has that says much.
const SMALLEST_BYTES: u32 = 4_096;
/// The share of its size, in per cent, that a picture keeps when it was too large by an unknown amount: of its bytes, of its
/// side.
const SMALLER: (u32, u32) = (60, 70);

/// The most bytes of a picture, and the most pixels of its longer side.
struct Size {
    bytes: AtomicU32,
    side: AtomicU32,
}

impl Size {
    const fn unlimited() -> Self {
        Self { bytes: AtomicU32::new(u32::MAX), side: AtomicU32::new(u32::MAX) }
    }

    fn get(&self) -> (u32, u32) {
        (self.bytes.load(Ordering::Relaxed), self.side.load(Ordering::Relaxed))
    }

    fn set(&self, (bytes, side): (u32, u32)) {
        self.bytes.store(bytes, Ordering::Relaxed);
        self.side.store(side, Ordering::Relaxed);
    }

    fn lower(&self, (bytes, side): (u32, u32)) {
        self.bytes.fetch_min(bytes, Ordering::Relaxed);
        self.side.fetch_min(side, Ordering::Relaxed);
    }
}

/// How large a picture one model takes.
pub(super) struct PictureLimit {
    known: Size,
    tried: Size,
}

impl Default for PictureLimit {
    fn default() -> Self {
        Self { known: Size::unlimited(), tried: Size::unlimited() }
    }
}

impl PictureLimit {
    /// The most bytes of a picture and the most pixels of its longer side, of as many as are wanted.
    pub(super) fn of(&self, bytes: usize, side: u32) -> (usize, u32) {
        let (most_bytes, most_side) = self.tried.get();
        (bytes.min(usize::try_from(most_bytes).unwrap_or(usize::MAX)), side.min(most_side))
    }

    /// What is known of the model: the most bytes, and the most pixels of the longer side.
    pub(super) const fn known(&self) -> [&AtomicU32; 2] {
        [&self.known.bytes, &self.known.side]
    }

    /// Makes pictures smaller than one of so many bytes and pixels a side that was refused for one of the two, to `most` where
    /// that was said; returns whether they can be.
    pub(super) fn shrink(&self, by_side: bool, most: Option<u32>, (bytes, side): (u32, u32)) -> bool {
        if side <= SMALLEST_SIDE || !by_side && bytes <= SMALLEST_BYTES {
            self.tried.set(self.known.get());
            return false;
        }
        if by_side {
            let smaller = most.filter(|most| *most < side).unwrap_or(side / 100 * SMALLER.1);
            self.tried.lower((u32::MAX, smaller.max(SMALLEST_SIDE)));
        } else {
            // It travels as text, which takes a third more.
            let smaller = most.map_or(u32::MAX, |most| most / 4 * 3).min(bytes / 100 * SMALLER.0);
            self.tried.lower((smaller.max(SMALLEST_BYTES), u32::MAX));
        }
        true
    }

    /// A page has come of an answer, so what was tried is right.
    pub(super) fn keep(&self) {
        self.known.lower(self.tried.get());
    }

    /// Takes in what was learnt elsewhere: the most bytes, and the most pixels.
    pub(super) fn take(&self, bytes: Option<u32>, side: Option<u32>) {
        let most = (bytes.unwrap_or(u32::MAX), side.unwrap_or(u32::MAX));
        self.known.lower(most);
        self.tried.lower(most);
    }

    /// Forgets all.
    pub(super) fn forget(&self) {
        self.known.set((u32::MAX, u32::MAX));
        self.tried.set((u32::MAX, u32::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: (u32, u32) = (1_000_000, 1_600);

    fn known(limit: &PictureLimit) -> [u32; 2] {
        limit.known().map(|most| most.load(Ordering::Relaxed))
    }

    #[test]
    fn pictures_get_smaller_until_they_cannot_be_read() {
        let limit = PictureLimit::default();
        assert_eq!(limit.of(2_000_000, 1_600), (2_000_000, 1_600));
        assert!(limit.shrink(false, Some(5_000_000), SENT));
        assert_eq!(limit.of(2_000_000, 1_600), (600_000, 1_600), "what was sent was too large already");
        assert!(limit.shrink(false, Some(400_000), SENT));
        assert_eq!(limit.of(2_000_000, 1_600).0, 300_000);
        assert!(limit.shrink(true, Some(1_024), SENT));
        assert_eq!(limit.of(2_000_000, 1_600).1, 1_024);
        assert!(limit.shrink(true, None, (1, 500)));
        assert_eq!(limit.of(2_000_000, 1_600).1, SMALLEST_SIDE);
        assert!(!limit.shrink(true, None, (1, SMALLEST_SIDE)));
    }

    #[test]
    fn what_is_refused_at_any_size_ends_and_leaves_the_others_theirs() {
        for by_side in [false, true] {
            let limit = PictureLimit::default();
            limit.take(Some(500_000), None);
            let mut sent = SENT;
            let ends = (0..20).any(|_| {
                let again = limit.shrink(by_side, None, sent);
                let most = limit.of(2_000_000, 1_600);
                // As pictures are made: of no fewer bytes than these.
                sent = (u32::try_from(most.0).unwrap().max(SMALLEST_BYTES), most.1);
                !again
            });
            assert!(ends, "by side: {by_side}");
            assert_eq!(limit.of(2_000_000, 1_600), (500_000, 1_600), "by side: {by_side}");
            assert_eq!(known(&limit), [500_000, u32::MAX]);
        }
    }

    #[test]
    fn what_helped_is_known_and_forgotten_in_time() {
        let limit = PictureLimit::default();
        assert!(limit.shrink(true, Some(1_024), SENT));
        assert_eq!(known(&limit), [u32::MAX; 2], "not yet");
        limit.keep();
        assert_eq!(known(&limit), [u32::MAX, 1_024]);
        limit.forget();
        assert_eq!((known(&limit), limit.of(5, 1_600)), ([u32::MAX; 2], (5, 1_600)));
    }
}
