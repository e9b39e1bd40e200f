//! How much a tenant has accepted and unfinished on all servers of a store, how many requests it makes, and how much it may.

use std::time::Duration;

use crate::task::TaskId;

/// How many requests a tenant may make. They are evened out: what it did not make in the last ten seconds it may make at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestRate {
    /// The time between two.
    pub interval: Duration,
    /// So many at once; at least 1.
    pub burst: u32,
}

impl RequestRate {
    /// The part of a minute that is evened out.
    const PARTS: u32 = 6;

    /// One after each `interval`, and `burst` at once; at least 1.
    #[must_use]
    pub const fn new(interval: Duration, burst: u32) -> Self {
        Self { interval, burst }
    }

    /// So many a minute.
    #[must_use]
    pub fn a_minute(requests: u32) -> Self {
        let requests = requests.max(1);
        Self { interval: Duration::from_secs(60) / requests, burst: (requests / Self::PARTS).max(1) }
    }

    /// Counts a request at `now`, where those before it take until `taken`; both are times since any one moment. Returns until
    /// when they take with it, or how long it comes too early (the generic cell rate algorithm, ITU-T I.371, annex A).
    ///
    /// # Errors
    /// The time until there is room.
    pub fn count(&self, taken: Duration, now: Duration) -> Result<Duration, Duration> {
        // No more than is evened out can be taken, unless the clock went back.
        let taken = taken.clamp(now, now + self.interval * self.burst);
        let early = taken.saturating_sub(now + self.interval * (self.burst - 1));
        if early.is_zero() { Ok(taken + self.interval) } else { Err(early) }
    }
}

/// Unfinished tasks of a tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holding {
    /// How many.
    pub tasks: u64,
    /// Their pages.
    pub pages: u64,
    /// The bytes of their PDFs.
    pub bytes: u64,
}

/// A task that is about to be one of a tenant's unfinished ones.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reservation {
    /// Whose.
    pub tenant: String,
    /// The task.
    pub task: TaskId,
    /// What it adds; one task.
    pub more: Holding,
    /// What the tenant may have; the greatest number is no limit.
    pub most: Holding,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_evened_out_over_ten_seconds() {
        let ms = Duration::from_millis;
        let rate = RequestRate::a_minute(30);
        assert_eq!((rate.interval, rate.burst), (ms(2_000), 5));
        let mut taken = Duration::ZERO;
        // When it comes, and how long it is too early.
        for (now, early) in [
            (0, 0),
            (0, 0),
            (0, 0),
            (0, 0),
            (0, 0),
            (0, 2_000),
            (1_500, 500),
            (2_000, 0),
            (2_000, 2_000),
            (60_000, 0),
            (60_000, 0),
            (60_000, 0),
            (60_000, 0),
            (60_000, 0),
            (60_000, 2_000),
            // A clock that went back an hour lets a tenant wait no longer than one that did not.
            (1_000, 2_000),
        ] {
            match rate.count(taken, ms(now)) {
                Ok(next) => taken = next,
                Err(why) => assert_eq!(why, ms(early), "at {now}"),
            }
            assert_eq!(rate.count(taken, ms(now)).is_err(), taken > ms(now + 8_000), "at {now}");
        }
        assert_eq!(RequestRate::a_minute(1), RequestRate { interval: ms(60_000), burst: 1 });
    }
}
