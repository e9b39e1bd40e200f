//! Draws from a seed: the same seed gives the same draws.

use super::mix;

pub struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = mix(self.0);
        self.0 % end
    }

    /// One of so many.
    pub fn index(&mut self, count: usize) -> usize {
        usize::try_from(self.below(count as u64)).unwrap()
    }

    /// One of those that are left, which it leaves no more; of all of `0..16` once none is.
    pub fn take(&mut self, left: &mut Vec<u8>) -> u8 {
        if left.is_empty() {
            left.extend(0..16);
        }
        let drawn = self.index(left.len());
        left.swap_remove(drawn)
    }
}
