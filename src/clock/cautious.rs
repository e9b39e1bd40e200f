//! A clock for what cannot be undone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::{Timestamp, Uptime};

/// The time for what cannot be undone, such as removing what has expired: the wall clock, but when it jumps forward, an
/// hour of the machine's own clock passes before that is believed. A clock that was set wrongly for a while then does
/// no harm, also one that is wrong when the process starts, where it is known what time it was before. Clones share what they
/// know.
#[derive(Clone, Debug, Default)]
pub(crate) struct CautiousClock {
    /// What the believed clock said when this machine started, in milliseconds; 0 before it was first read.
    at_start: Arc<AtomicU64>,
    /// Since when the wall clock is doubted, as an [`Uptime`]; 0 when it is not.
    doubted_since: Arc<AtomicU64>,
    /// Whether the wall clock has been believed in this process.
    was_believed: Arc<AtomicBool>,
}

/// What a [`CautiousClock`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CautiousReading {
    /// For what is stamped with it.
    pub(crate) time: Timestamp,
    /// How much later it is by the wall clock while that is doubted.
    pub(crate) ahead: Duration,
    /// For what cannot be undone, where that is another time: the process may have been gone for long, so that the wall clock
    /// is most likely right, or it is wrong.
    pub(crate) certain: Option<Timestamp>,
}

impl CautiousClock {
    /// How much sooner than the machine's own clock the wall clock may be without being called a jump.
    pub(super) const DRIFT: Duration = Duration::from_mins(10);
    /// How long a jump is doubted.
    pub(super) const DOUBT: Duration = Duration::from_hours(1);

    /// A clock that knows what time it was at the least before this process began.
    pub(crate) fn after(last: Timestamp) -> Self {
        let at_start = last.0.saturating_sub(Uptime::now().0);
        Self { at_start: Arc::new(AtomicU64::new(at_start)), ..Self::default() }
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Timestamp {
        self.reconcile(Timestamp::now(), Uptime::now())
    }

    /// The same, with what is doubted of it.
    pub(crate) fn read(&self) -> CautiousReading {
        self.reading(Timestamp::now(), Uptime::now())
    }

    fn reading(&self, wall: Timestamp, uptime: Uptime) -> CautiousReading {
        let now = self.reconcile(wall, uptime);
        if now < wall && !self.was_believed.load(Ordering::Relaxed) {
            return CautiousReading { time: wall, ahead: Duration::ZERO, certain: Some(now) };
        }
        CautiousReading { time: now, ahead: wall.since(now), certain: None }
    }

    /// What time it is, going by both clocks. Threads that ask in the very moment of a jump may differ in what they are
    /// told, by no more than the next one that asks.
    fn reconcile(&self, wall: Timestamp, uptime: Uptime) -> Timestamp {
        let at_start = self.at_start.load(Ordering::Relaxed);
        let expected = Timestamp(at_start.saturating_add(uptime.0));
        if at_start != 0 && wall > expected.after(Self::DRIFT) {
            let now = uptime.0.max(1);
            let since = match self.doubted_since.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => now,
                Err(since) => since,
            };
            if uptime.since(Uptime(since)) < Self::DOUBT {
                return expected;
            }
        }
        self.at_start.store(wall.0.saturating_sub(uptime.0), Ordering::Relaxed);
        self.doubted_since.store(0, Ordering::Relaxed);
        self.was_believed.store(true, Ordering::Relaxed);
        wall
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::millis;

    #[test]
    fn a_jump_forward_is_believed_after_an_hour() {
        let (day, hour) = (86_400_000, 3_600_000);
        let clock = CautiousClock::default();
        for (wall, uptime, expected) in [
            (100 * day, 0, 100 * day),
            (100 * day + hour, hour, 100 * day + hour),
            // Set a year ahead, for a while.
            (465 * day, hour + 60_000, 100 * day + hour + 60_000),
            (465 * day + hour / 2, 3 * hour / 2, 100 * day + 3 * hour / 2),
            (100 * day + 2 * hour, 2 * hour, 100 * day + 2 * hour),
            // Set a year ahead, and meant.
            (465 * day, 3 * hour, 100 * day + 3 * hour),
            (465 * day + hour, 4 * hour, 465 * day + hour),
            // Back is believed at once: nothing expires too soon.
            (100 * day, 5 * hour, 100 * day),
        ] {
            assert_eq!(clock.reconcile(Timestamp(wall), Uptime(uptime)), Timestamp(expected), "{wall} {uptime}");
        }
    }

    /// What is seen first by a process that begins when `last` is known.
    fn first_seen(last: u64, wall: u64) -> (CautiousClock, CautiousReading) {
        let clock = CautiousClock { at_start: Arc::new(AtomicU64::new(last - 1_000)), ..CautiousClock::default() };
        let seen = clock.reading(Timestamp(wall), Uptime(1_000));
        (clock, seen)
    }

    #[test]
    fn a_clock_that_is_far_ahead_at_the_start_removes_nothing_for_an_hour() {
        const LAST: u64 = 1_700_000_000_000;
        const YEARS: u64 = 10 * 365 * 86_400_000;
        let hour = millis(CautiousClock::DOUBT);
        for (wall, certain) in
            [(LAST - 5_000, None), (LAST + 5_000, None), (LAST + 900_000, Some(LAST)), (LAST + YEARS, Some(LAST))]
        {
            let (_, seen) = first_seen(LAST, wall);
            let expected =
                CautiousReading { time: Timestamp(wall), ahead: Duration::ZERO, certain: certain.map(Timestamp) };
            assert_eq!(seen, expected, "{wall}");
        }
        // It is believed when it has lasted, and put right in between it was nothing.
        let (clock, _) = first_seen(LAST, LAST + YEARS);
        let later = |by: u64, wall: u64| clock.reading(Timestamp(wall), Uptime(1_000 + by));
        assert_eq!(later(hour - 1, LAST + YEARS).certain, Some(Timestamp(LAST + hour - 1)));
        assert_eq!(later(hour, LAST + YEARS).certain, None);
        let (clock, _) = first_seen(LAST, LAST + YEARS);
        assert_eq!(clock.reading(Timestamp(LAST + 9_000), Uptime(10_000)).certain, None);
        // From then on a jump is one.
        let jumped = clock.reading(Timestamp(LAST + YEARS), Uptime(11_000));
        assert_eq!((jumped.time, jumped.certain), (Timestamp(LAST + 10_000), None));
    }
}
