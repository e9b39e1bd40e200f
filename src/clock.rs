//! The only place that reads the wall clock.
//!
//! Everything else is handed a [`Timestamp`], so that decisions can be tested at any time of day.
//! Durations inside a running process are measured with [`std::time::Instant`], which does not jump.

mod cautious;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::sync::watch;
#[cfg(feature = "http")]
use utoipa::ToSchema;

pub(crate) use self::cautious::{CautiousClock, CautiousReading};

/// A moment in milliseconds since the Unix epoch, UTC.
///
/// It is written as RFC 3339 text with milliseconds (`2026-11-23T08:15:30.125Z`), in records as well as in answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "http", derive(ToSchema))]
#[cfg_attr(feature = "http", schema(value_type = String, format = DateTime))]
pub struct Timestamp(u64);

impl Timestamp {
    /// The current moment of the system's wall clock.
    #[allow(clippy::disallowed_methods, reason = "this is the clock module")]
    #[must_use]
    pub fn now() -> Self {
        std::time::SystemTime::now().into()
    }

    /// A moment from milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; nothing when it is still to come.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    const fn plus(self, uptime: Uptime) -> Self {
        Self(self.0.saturating_add(uptime.0))
    }

    /// This moment moved `by` into the past, not before the epoch.
    #[must_use]
    pub fn before(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
    }

    /// This moment moved `by` into the future; stays at the greatest moment when it would overflow.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// A moment in milliseconds since the machine was started. It does not jump with the wall clock, goes on while the
/// process is stopped or the machine sleeps (`CLOCK_BOOTTIME`), and means nothing on another machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uptime(u64);

impl Uptime {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        #[cfg(target_os = "linux")]
        let clock = rustix::time::ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        let clock = rustix::time::ClockId::Monotonic;
        let now = rustix::time::clock_gettime(clock);
        let millis = now.tv_sec.saturating_mul(1_000).saturating_add(now.tv_nsec / 1_000_000);
        Self(u64::try_from(millis).unwrap_or(0))
    }

    /// This moment moved `by` into the future.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long ago `earlier` was; nothing when it is still to come.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Milliseconds since the start.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }
}

/// The time that stands in task records: by the clock of the task store, which all its servers share and which ends
/// what has expired. So what one server wrote means the same to another, even when a machine's clock is years off.
/// Clones share what they know.
///
/// When that clock is put right, the ends that were stamped before are wrong by the difference, and what expires by them
/// would go too early or too late. So the clock keeps its corrections, and [`Self::expiry`] applies them.
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskClock(Arc<watch::Sender<Reckoning>>);

/// What is known of the store's clock. Pure.
#[derive(Clone, Debug, Default)]
struct Reckoning {
    /// What the store's clock said when this machine started, in milliseconds; `None` until the store has told.
    at_start: Option<u64>,
    /// How much later it is by a clock that is not believed yet, in milliseconds.
    ahead: u64,
    /// The first moment of the time that now counts.
    since: Timestamp,
    /// Former times, and by how many milliseconds they were too early; less than nothing when they were too late.
    corrections: Vec<(Range<Timestamp>, i64)>,
    /// The time that counted before the clock last went forward, as `at_start`, and until when it counts for what
    /// cannot be undone.
    before: Option<(u64, Uptime)>,
    /// How often expiries had to be computed again.
    changes: u64,
}

/// An answer of the store's clock, and when it was asked and answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClockReading {
    pub(crate) said: Timestamp,
    /// See [`TaskClock`]: how much later it may be.
    pub(crate) ahead: Duration,
    /// What time it is for what cannot be undone, where that is another one.
    pub(crate) certain: Option<Timestamp>,
    pub(crate) asked: Uptime,
    pub(crate) answered: Uptime,
}

impl TaskClock {
    /// Takes in what the store's clock said. Returns whether it was put right, so that ends have other expiries now.
    pub(crate) fn set(&self, reading: ClockReading) -> bool {
        let mut changed = false;
        self.0.send_modify(|reckoning| changed = reckoning.set(reading));
        changed
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Timestamp {
        self.0.borrow().now(Uptime::now()).unwrap_or_else(Timestamp::now)
    }

    /// Whether the store has told the time.
    pub(crate) fn is_known(&self) -> bool {
        self.0.borrow().at_start.is_some()
    }

    /// What time it is for what cannot be undone: a clock that went forward is doubted for an hour.
    pub(crate) fn certain(&self) -> Timestamp {
        self.0.borrow().certain(Uptime::now()).unwrap_or_else(Timestamp::now)
    }

    /// Waits until the store has told the time, for so long at most; returns whether it has. Before it has, the time is
    /// that of this machine's wall clock, which may be days off: nothing that stays is stamped with it.
    pub(crate) async fn told(&self, limit: Duration) -> bool {
        let mut reckoning = self.0.subscribe();
        let told = reckoning.wait_for(|reckoning| reckoning.at_start.is_some());
        tokio::time::timeout(limit, told).await.is_ok_and(|told| told.is_ok())
    }

    /// How often the clock was put right.
    pub(crate) fn changes(&self) -> u64 {
        self.0.borrow().changes
    }

    /// When what ended at `finished`, with this time to live, expires, where that is another moment than was to be
    /// thought at its end.
    pub(crate) fn expiry(&self, finished: Timestamp, ttl: Duration) -> Option<Timestamp> {
        self.0.borrow().expiry(finished, ttl)
    }

    /// Whether what ended at `finished` and expires at `expires` has expired, by a time that is believed.
    pub(crate) fn has_expired(&self, finished: Timestamp, ttl: Duration, expires: Timestamp) -> bool {
        self.0.borrow().has_expired(finished, ttl, expires, Uptime::now())
    }
}

impl Reckoning {
    fn set(&mut self, reading: ClockReading) -> bool {
        // Somewhere between the question and the answer it was so late.
        let least = reading.said.0.saturating_sub(reading.answered.0);
        let most = reading.said.0.saturating_sub(reading.asked.0);
        let Some(at_start) = self.at_start else {
            let at_start = least.midpoint(most);
            let (since, ahead) = (Timestamp(at_start).plus(reading.asked), millis(reading.ahead));
            let changes = u64::from(ahead > millis(CautiousClock::DRIFT));
            let doubted = reading.certain.map(|certain| certain.0.saturating_sub(reading.asked.0));
            let before = doubted.map(|at_start| (at_start, reading.asked.after(CautiousClock::DOUBT)));
            *self = Self { at_start: Some(at_start), since, ahead, changes, before, ..Self::default() };
            return changes > 0;
        };
        // A slow answer must not move the time to and fro.
        let next = at_start.clamp(least.min(most), most);
        let (drift, ahead) = (millis(CautiousClock::DRIFT), millis(reading.ahead));
        let mut changed = self.ahead.abs_diff(ahead) > drift;
        self.ahead = ahead;
        if at_start.abs_diff(next) > drift {
            let by = i64::try_from(next).unwrap_or(i64::MAX) - i64::try_from(at_start).unwrap_or(i64::MAX);
            let until = Timestamp(at_start).plus(reading.answered);
            self.corrections.iter_mut().for_each(|(_, former)| *former += by);
            self.corrections.push((self.since..until, by));
            self.since = Timestamp(next).plus(reading.answered);
            self.before = (by > 0).then(|| (at_start, reading.answered.after(CautiousClock::DOUBT)));
            changed = true;
        }
        self.at_start = Some(next);
        self.changes += u64::from(changed);
        changed
    }

    fn now(&self, uptime: Uptime) -> Option<Timestamp> {
        self.at_start.map(|at_start| Timestamp(at_start).plus(uptime))
    }

    fn certain(&self, uptime: Uptime) -> Option<Timestamp> {
        match self.before {
            Some((at_start, until)) if uptime < until => Some(Timestamp(at_start).plus(uptime)),
            _ => self.now(uptime),
        }
    }

    fn expiry(&self, finished: Timestamp, ttl: Duration) -> Option<Timestamp> {
        self.at_start?;
        let former = self.corrections.iter().rev().find(|(times, _)| times.contains(&finished)).map(|(_, by)| *by);
        let wrong = former.or_else(|| (finished >= self.since).then_some(0))?;
        let by = wrong.saturating_add(i64::try_from(self.ahead).unwrap_or(i64::MAX));
        Some(Timestamp(finished.0.saturating_add_signed(by)).after(ttl))
    }

    fn has_expired(&self, finished: Timestamp, ttl: Duration, expires: Timestamp, uptime: Uptime) -> bool {
        let Some(now) = self.now(uptime) else { return false };
        if let Some(expires) = self.expiry(finished, ttl) {
            return expires <= now;
        }
        expires <= self.certain(uptime).unwrap_or(now)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl From<std::time::SystemTime> for Timestamp {
    /// The time stamp of a file.
    fn from(time: std::time::SystemTime) -> Self {
        let since_epoch = time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }
}

impl From<Timestamp> for std::time::SystemTime {
    fn from(moment: Timestamp) -> Self {
        std::time::UNIX_EPOCH + Duration::from_millis(moment.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = i64::try_from(self.0)
            .ok()
            .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
            .unwrap_or(jiff::Timestamp::MAX);
        write!(f, "{moment:.3}")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let moment: jiff::Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Self(u64::try_from(moment.as_millisecond()).unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_as_rfc_3339_in_utc_and_read_back() {
        let moment = Timestamp::from_millis(1_795_422_930_125);
        let text = serde_json::to_string(&moment).unwrap();
        assert_eq!(text, "\"2026-11-23T08:35:30.125Z\"");
        assert_eq!(serde_json::from_str::<Timestamp>(&text).unwrap(), moment);
    }

    fn reading(said: u64, uptime: u64) -> ClockReading {
        ClockReading {
            said: Timestamp(said),
            ahead: Duration::ZERO,
            certain: None,
            asked: Uptime(uptime),
            answered: Uptime(uptime),
        }
    }

    const DAY: u64 = 86_400_000;
    const WEEK: Duration = Duration::from_hours(7 * 24);

    #[test]
    fn what_ended_before_a_start_that_is_doubted_stays() {
        const LAST: u64 = 1_700_000_000_000;
        const YEARS: u64 = 10 * 365 * 86_400_000;
        let hour = millis(CautiousClock::DOUBT);
        let mut reckoning = Reckoning::default();
        reckoning.set(ClockReading { certain: Some(Timestamp(LAST)), ..reading(LAST + YEARS, 1_000) });
        let (finished, ttl, expires) =
            (Timestamp(LAST - 9_000), Duration::from_hours(24), Timestamp(LAST + 86_000_000));
        assert!(!reckoning.has_expired(finished, ttl, expires, Uptime(2_000)));
        assert_eq!(reckoning.certain(Uptime(2_000)), Some(Timestamp(LAST + 1_000)));
        assert!(reckoning.has_expired(finished, ttl, expires, Uptime(1_000 + hour)));
    }

    #[test]
    fn slow_answers_do_not_move_the_time() {
        let mut clock = Reckoning::default();
        clock.set(reading(1_000_000, 0));
        for (took, said) in [(800, 700), (800, 100), (2, 1), (500, 0)] {
            let asked = 10_000;
            let slow = ClockReading {
                said: Timestamp(1_010_000 + said),
                ahead: Duration::ZERO,
                certain: None,
                asked: Uptime(asked),
                answered: Uptime(asked + took),
            };
            assert!(!clock.set(slow));
            assert_eq!(clock.now(Uptime(20_000)), Some(Timestamp(1_020_000)), "{took} {said}");
        }
        // What it says otherwise, it is.
        clock.set(reading(1_030_250, 30_000));
        assert_eq!(clock.now(Uptime(30_000)), Some(Timestamp(1_030_250)));
    }

    #[test]
    fn what_ended_by_a_clock_that_was_put_right_expires_as_if_it_had_been_right() {
        let real = 100 * DAY;
        for wrong in [90 * DAY, 99 * DAY, 500 * DAY] {
            let mut clock = Reckoning::default();
            assert!(!clock.set(reading(wrong, 0)));
            let (finished, before) = (Timestamp(wrong + 1_000), Timestamp(wrong - 1));
            assert_eq!(clock.expiry(finished, WEEK), Some(finished.after(WEEK)));
            assert!(clock.set(reading(real + 3_000, 3_000)), "it was put right");
            let right = Timestamp(real + 1_000).after(WEEK);
            assert_eq!(clock.expiry(finished, WEEK), Some(right), "neither early nor for ever");
            if wrong < real {
                assert_eq!(clock.expiry(before, WEEK), None, "what ended before ended by another clock");
            }
            let expired = |uptime| clock.has_expired(finished, WEEK, finished.after(WEEK), Uptime(uptime));
            assert!(!expired(7 * DAY) && expired(7 * DAY + 1_000));
            // Ends from now on are right.
            let later = Timestamp(real + 4_000);
            assert_eq!(clock.expiry(later, WEEK), Some(later.after(WEEK)));
            // Put wrong and right again: the sum counts.
            clock.set(reading(wrong + 10_000, 10_000));
            clock.set(reading(real + 20_000, 20_000));
            assert_eq!(clock.expiry(finished, WEEK), Some(right));
            assert!(!clock.set(reading(real + 21_000, 21_000)));
        }
    }

    #[test]
    fn while_a_clock_is_doubted_ends_are_kept_for_the_later_time() {
        let (mut clock, old) = (Reckoning::default(), 90 * DAY);
        clock.set(reading(old, 0));
        let doubted =
            |ahead, uptime| ClockReading { ahead: Duration::from_millis(ahead), ..reading(old + uptime, uptime) };
        assert!(clock.set(doubted(10 * DAY, 5_000)) && !clock.set(doubted(10 * DAY, 10_000)));
        let finished = Timestamp(old + 6_000);
        assert_eq!(clock.expiry(finished, WEEK), Some(Timestamp(100 * DAY + 6_000).after(WEEK)));
        // Believed: it stays so. Taken back: it is as it was.
        let mut back = clock.clone();
        assert!(clock.set(reading(100 * DAY + 3_700_000, 3_700_000)));
        assert_eq!(clock.expiry(finished, WEEK), Some(Timestamp(100 * DAY + 6_000).after(WEEK)));
        assert!(back.set(reading(old + 20_000, 20_000)));
        assert_eq!(back.expiry(finished, WEEK), Some(finished.after(WEEK)));
    }

    #[test]
    fn what_ended_before_a_jump_forward_is_removed_only_when_the_jump_is_believed() {
        let (mut clock, hour) = (Reckoning::default(), 3_600_000);
        clock.set(reading(100 * DAY, 0));
        let (finished, expires) = (Timestamp(99 * DAY), Timestamp(99 * DAY).after(WEEK));
        clock.set(reading(500 * DAY, 1_000));
        let is_over = |clock: &Reckoning, uptime| clock.has_expired(finished, WEEK, expires, Uptime(uptime));
        assert!(!is_over(&clock, 2_000) && !is_over(&clock, hour) && is_over(&clock, hour + 1_001));
        clock.set(reading(100 * DAY + 2_000, 2_000));
        assert!(!is_over(&clock, hour + 1_001), "it was taken back");
        assert!(is_over(&clock, 6 * DAY));
        assert!(!Reckoning::default().has_expired(finished, WEEK, expires, Uptime(0)), "without a clock nothing is");
    }

    #[test]
    fn moving_past_the_end_of_time_saturates() {
        let end = Timestamp::from_millis(u64::MAX).after(Duration::from_secs(1));
        assert_eq!(end.as_millis(), u64::MAX);
        assert!(!end.to_string().is_empty());
    }
}
