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

    /// One that nothing has come into yet.
    pub(super) fn empty(a_minute: f64, now: Instant) -> Self {
        Self { content: 0.0, ..Self::new(a_minute, now) }
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

#[cfg(test)]
mod tests {
    use super::*;

    impl Bucket {
        pub(in crate::pool) fn content(&self) -> f64 {
            self.content
        }
    }

    #[test]
    fn fills_evenly_up_to_five_seconds_worth() {
        let begun = Instant::now();
        let at = |seconds: f64| begun + Duration::from_secs_f64(seconds);
        // A minute's rate; what is taken at first; when how much is asked for; when there will be enough.
        let cases = [
            (600.0, 0.0, 0.0, 50.0, None),
            (600.0, 50.0, 0.0, 1.0, Some(0.1)),
            (600.0, 50.0, 2.0, 20.0, None),
            (600.0, 50.0, 2.0, 30.0, Some(3.0)),
            // It holds no more than that, however long it fills.
            (600.0, 50.0, 60.0, 50.0, None),
            (600.0, 0.0, 60.0, 1_000.0, None),
            (600.0, 10.0, 0.0, 1_000.0, Some(1.0)),
            // Of a rate below one in five seconds there is one.
            (6.0, 0.0, 0.0, 1.0, None),
            (6.0, 1.0, 0.0, 1.0, Some(10.0)),
            (6.0, 1.0, 4.0, 1.0, Some(10.0)),
            // Nothing comes in at that rate, but it is asked again within an hour.
            (0.0, 1.0, 0.0, 1.0, Some(3_600.0)),
            // Less than a thousandth of a second is no wait.
            (600.0, 50.0, 0.0, 0.009, None),
        ];
        for (rate, taken, when, amount, ready) in cases {
            let mut bucket = Bucket::new(rate, begun);
            bucket.take(taken);
            let found = bucket.ready_at(amount, at(when)).map(|ready| ready.duration_since(begun).as_secs_f64());
            let is_near = match (found, ready) {
                (Some(found), Some(ready)) => (found - ready).abs() < 1e-6,
                (found, ready) => found == ready,
            };
            assert!(is_near, "{rate} a minute less {taken}, {amount} after {when} s: {found:?}, not {ready:?}");
        }
        let mut bucket = Bucket::new(600.0, begun);
        bucket.take(20.0);
        bucket.ready_at(1.0, at(60.0));
        assert!((bucket.content() - 50.0).abs() < 1e-9, "{}", bucket.content());
    }
}
