//! When to try again. Pure.

use std::time::Duration;

use crate::task::Failure;

/// How often and how soon an attempt is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Attempts at one subtask, the first included; at least 1.
    pub max_attempts: u32,
    /// The wait before the second attempt; doubles with each further one.
    pub base: Duration,
    /// The longest wait, unless the other side asks for a longer one.
    pub cap: Duration,
    /// How long one subtask waits in all for what is not there, such as an endpoint that is down or a disk that
    /// is full. Such attempts do nothing and are not counted.
    pub unavailable_timeout: Duration,
    /// Whether the wait for an unavailable endpoint begins for all tasks when it became unavailable, and not for
    /// each subtask when it began to wait: where a person waits for all of them.
    pub shared_unavailable_timeout: bool,
    /// How often the process may die while it reads a page before the page is declared failed; at least 1.
    pub max_crashes: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 5,
            base: Duration::from_millis(500),
            cap: Duration::from_mins(1),
            unavailable_timeout: Duration::from_hours(6),
            shared_unavailable_timeout: false,
            max_crashes: 3,
        }
    }
}

impl RetryPolicy {
    /// Whether `attempt` (from 1) was the last one.
    #[must_use]
    pub const fn is_last(&self, attempt: u32) -> bool {
        attempt >= self.max_attempts
    }

    /// How long to wait after `attempt` (from 1) went wrong: exponential, spread over the upper half so that many
    /// pages that failed together do not come back together, and never less than `at_least` (a `Retry-After`).
    /// `jitter_seed` chooses the place in the spread; the same seed gives the same wait.
    #[must_use]
    pub fn delay(&self, attempt: u32, at_least: Option<Duration>, jitter_seed: u64) -> Duration {
        let doubled = self.base.saturating_mul(1 << attempt.saturating_sub(1).min(20));
        let full = doubled.min(self.cap);
        let spread = u32::try_from(mix(jitter_seed ^ u64::from(attempt)) % 1_000).unwrap_or(0);
        let jittered = full / 2 + full / 2 * spread / 1_000;
        // A hint is obeyed in full; the spread comes on top, or everyone returns at the same moment.
        at_least.map_or(jittered, |hint| jittered.max(hint + self.base * spread / 1_000))
    }
}

/// Tries at a step of a job that no shard is responsible for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tries {
    errors: u32,
    waits: u32,
    waited: Duration,
}

impl Tries {
    /// How long to wait after `why` before the step is tried again; `None` when it is given up. What the machine lacks
    /// for the moment is waited for by time, everything else is counted.
    pub(super) fn next(&mut self, policy: &RetryPolicy, why: &Failure) -> Option<Duration> {
        let lacks = why.is_resource_exhausted();
        if lacks && self.waited < policy.unavailable_timeout {
            self.waits += 1;
            let wait = policy.delay(self.waits, None, 0).min(policy.unavailable_timeout.saturating_sub(self.waited));
            self.waited += wait;
            return Some(wait);
        }
        self.errors += 1;
        (why.retryable && !lacks && !policy.is_last(self.errors)).then(|| policy.delay(self.errors, None, 0))
    }
}

/// The finaliser of splitmix64: every bit of the seed decides about every bit of the result.
const fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::code;

    #[test]
    fn what_the_machine_lacks_is_waited_for_and_what_goes_wrong_is_counted() {
        let policy = RetryPolicy { unavailable_timeout: Duration::from_secs(100), ..RetryPolicy::default() };
        let total = |why: &Failure| {
            let mut tries = Tries::default();
            std::iter::from_fn(|| tries.next(&policy, why)).fold((0, Duration::ZERO), |(n, t), wait| (n + 1, t + wait))
        };
        let full = Failure::transient(code::DISK_FULL, "full");
        assert_eq!(total(&full).1, policy.unavailable_timeout);
        assert_eq!(total(&Failure::transient(code::PROCESSOR_CRASHED, "crash")).0, policy.max_attempts - 1);
        assert_eq!(total(&Failure::permanent(code::PDF_DAMAGED, "damaged")).0, 0);
    }

    #[test]
    fn waits_double_up_to_the_cap_within_the_spread() {
        let policy = RetryPolicy::default();
        for (attempt, full) in [(1, 500), (2, 1_000), (3, 2_000), (8, 60_000), (60, 60_000)] {
            for jitter_seed in 0..50 {
                let wait = policy.delay(attempt, None, jitter_seed).as_millis();
                assert!((full / 2..=full).contains(&wait), "attempt {attempt}: {wait} ms");
            }
        }
    }

    #[test]
    fn a_hint_is_the_least_even_above_the_cap() {
        let hint = Duration::from_secs(120);
        assert!(RetryPolicy::default().delay(1, Some(hint), 7) >= hint);
        assert!(RetryPolicy::default().delay(9, Some(Duration::ZERO), 7) >= Duration::from_secs(30));
    }

    #[test]
    fn different_salts_spread() {
        let waits: std::collections::BTreeSet<_> =
            (0..100).map(|jitter_seed| RetryPolicy::default().delay(1, None, jitter_seed)).collect();
        assert!(waits.len() > 50);
    }
}
