//! A token bucket: holds a rate, and evens it out over a few seconds. Pure.

use std::time::{Duration, Instant};

/// The stretch of time that a bucket evens out, seconds.
const BURST: f64 = 5.0;

/// What flows in evenly and may be taken as long as there is some.
#[derive(Debug)]
pub(super) struct Bucket {
    a_second: f64,
    content: f64,
    at: Instant,
}

impl Bucket {
    pub(super) fn new(a_minute: f64, now: Instant) -> Self {
        let a_second = (a_minute / 60.0).max(1e-9);
        Self { a_second, content: (a_second * BURST).max(1.0), at: now }
    }

    /// When there will be enough; `None` when there is now. What is more than the bucket holds needs it full.
    pub(super) fn ready_at(&mut self, amount: f64, now: Instant) -> Option<Instant> {
        let most = (self.a_second * BURST).max(1.0);
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.content = (self.content + since * self.a_second).min(most);
        self.at = now;
        let lacks = amount.min(most) - self.content;
        // Less than a thousandth of a second is the error of the clock.
        let wait = lacks / self.a_second;
        (wait > 1e-3).then(|| now + Duration::from_secs_f64(wait.min(3_600.0)))
    }

    pub(super) fn take(&mut self, amount: f64) {
        self.content -= amount;
    }
}
