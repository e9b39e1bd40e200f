//! The only place that reads the wall clock.
//!
//! Everything else is handed a [`Timestamp`], so that decisions can be tested at any time of day.
//! Durations inside a running process are measured with [`std::time::Instant`], which does not jump.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

/// A moment in milliseconds since the Unix epoch, UTC.
///
/// It is written as RFC 3339 text with milliseconds (`2026-11-23T08:15:30.125Z`), in records as well as in answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
#[schema(value_type = String, format = DateTime)]
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
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskClock {
    /// What the store's clock said when this machine started, in milliseconds; 0 until the store has told.
    at_start: Arc<AtomicU64>,
}

impl TaskClock {
    /// Takes in what the store's clock said when it was asked at `asked`. The way there and back is part of the error.
    pub(crate) fn set(&self, said: Timestamp, asked: Uptime) {
        self.at_start.store(said.0.saturating_sub(asked.0), Ordering::Relaxed);
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Timestamp {
        match self.at_start.load(Ordering::Relaxed) {
            0 => Timestamp::now(),
            at_start => Timestamp(at_start.saturating_add(Uptime::now().0)),
        }
    }
}

/// The time for what cannot be undone, such as removing what has expired: the wall clock, but when it jumps forward, an
/// hour of the machine's own clock passes before that is believed. A clock that was set wrongly for a while then does
/// no harm. Clones share what they know.
#[derive(Clone, Debug, Default)]
pub(crate) struct CautiousClock {
    /// What the believed clock said when this machine started, in milliseconds; 0 before it was first read.
    at_start: Arc<AtomicU64>,
    /// Since when the wall clock is doubted, as an [`Uptime`]; 0 when it is not.
    doubted_since: Arc<AtomicU64>,
}

impl CautiousClock {
    /// How much sooner than the machine's own clock the wall clock may be without being called a jump.
    const DRIFT: Duration = Duration::from_mins(10);
    /// How long a jump is doubted.
    const DOUBT: Duration = Duration::from_hours(1);

    /// What time it is.
    pub(crate) fn now(&self) -> Timestamp {
        self.judge(Timestamp::now(), Uptime::now())
    }

    /// What time it is, going by both clocks. Threads that ask in the very moment of a jump may differ in what they are
    /// told, by no more than the next one that asks.
    fn judge(&self, wall: Timestamp, uptime: Uptime) -> Timestamp {
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
        wall
    }
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
            assert_eq!(clock.judge(Timestamp(wall), Uptime(uptime)), Timestamp(expected), "{wall} {uptime}");
        }
    }

    #[test]
    fn moving_past_the_end_of_time_saturates() {
        let end = Timestamp::from_millis(u64::MAX).after(Duration::from_secs(1));
        assert_eq!(end.as_millis(), u64::MAX);
        assert!(!end.to_string().is_empty());
    }
}
