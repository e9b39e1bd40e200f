//! What a job waits for, in the order of its moments. Pure.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use super::event::JobEvent;

/// No wait is longer than this.
const MAX_DELAY: Duration = Duration::from_hours(24 * 365);

/// What is to happen after a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    Plan,
    Aggregate,
    Retry { index: u32, attempt: u32 },
}

impl Due {
    /// What the job is told then.
    pub(super) const fn event(self) -> JobEvent {
        match self {
            Self::Plan => JobEvent::PlanDue,
            Self::Aggregate => JobEvent::AggregateDue,
            Self::Retry { index, attempt } => JobEvent::RetryDue { index, attempt },
        }
    }
}

/// Waits of one job, of which there may be one for each of its shards.
#[derive(Debug, Default)]
pub(super) struct Delays(BinaryHeap<Reverse<(Instant, Due)>>);

impl Delays {
    /// Adds a wait of `after` from `now` on.
    pub(super) fn add(&mut self, now: Instant, after: Duration, due: Due) {
        self.0.push(Reverse((now + after.min(MAX_DELAY), due)));
    }

    /// When the first one is over.
    pub(super) fn first(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes out those that are over, in their order.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Due> {
        let mut due = Vec::new();
        while self.first().is_some_and(|at| at <= now) {
            due.extend(self.0.pop().map(|Reverse((_, what))| what));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_end_in_the_order_of_their_moments() {
        let (now, mut delays) = (Instant::now(), Delays::default());
        let retry = |index| Due::Retry { index, attempt: 1 };
        for (seconds, due) in [(3, retry(1)), (1, Due::Aggregate), (2, retry(7)), (1, Due::Plan)] {
            delays.add(now, Duration::from_secs(seconds), due);
        }
        let at = |seconds| now + Duration::from_secs(seconds);
        assert_eq!((delays.first(), delays.take_due(now)), (Some(at(1)), Vec::new()));
        assert_eq!(delays.take_due(at(2)), [Due::Plan, Due::Aggregate, retry(7)]);
        assert_eq!((delays.first(), delays.take_due(at(9))), (Some(at(3)), vec![retry(1)]));
        delays.add(now, Duration::MAX, Due::Plan);
        assert!(delays.first() > Some(at(1_000_000)));
    }
}
