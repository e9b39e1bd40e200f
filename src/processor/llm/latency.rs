//! How long calls take at present.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

/// So many of the last calls are remembered.
const KEPT: usize = 256;
/// Fewer say nothing about the slowest.
const FEWEST: usize = 20;

/// The last calls' durations. Threads write and read at once; a figure that is lost now and then does not matter.
#[derive(Debug)]
pub(super) struct Latencies {
    millis: [AtomicU32; KEPT],
    count: AtomicUsize,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { millis: std::array::from_fn(|_| AtomicU32::new(0)), count: AtomicUsize::new(0) }
    }
}

impl Latencies {
    pub(super) fn add(&self, took: Duration) {
        let at = self.count.fetch_add(1, Ordering::Relaxed) % KEPT;
        self.millis[at].store(u32::try_from(took.as_millis()).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// What 95 of 100 calls take no longer than; `None` as long as too few are known.
    pub(super) fn p95(&self) -> Option<Duration> {
        let known = self.count.load(Ordering::Relaxed).min(KEPT);
        if known < FEWEST {
            return None;
        }
        let mut millis: Vec<u32> = self.millis[..known].iter().map(|millis| millis.load(Ordering::Relaxed)).collect();
        let at = (known * 95 / 100).min(known - 1);
        let (_, p95, _) = millis.select_nth_unstable(at);
        Some(Duration::from_millis(u64::from(*p95)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_of_the_last_calls() {
        let latencies = Latencies::default();
        (1..20).for_each(|_| latencies.add(Duration::from_secs(9)));
        assert_eq!(latencies.p95(), None);
        // The old ones are forgotten.
        (1..=256).for_each(|millis| latencies.add(Duration::from_millis(millis)));
        assert_eq!(latencies.p95(), Some(Duration::from_millis(244)));
    }
}
