//! Jobs of which no attempt may begin now, with their work. Pure.
//!
//! Such work goes to no worker and has no timer of its own: it waits here, as one state of its job, until what holds the
//! job back is over.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::task::TaskId;

/// What holds a job back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuspendReason {
    /// The lease on its task has ended and was not renewed: another process may run it.
    LeaseEnded,
    /// There is no room for the pages that it would read.
    NoRoom,
}

impl SuspendReason {
    /// The name in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LeaseEnded => "lease_ended",
            Self::NoRoom => "no_room",
        }
    }
}

/// The suspended jobs.
pub(super) struct Suspended<W>(HashMap<TaskId, Job<W>>);

struct Job<W> {
    reason: SuspendReason,
    since: Instant,
    work: VecDeque<W>,
}

impl<W> Suspended<W> {
    pub(super) fn new() -> Self {
        Self(HashMap::new())
    }

    /// Suspends a job, or changes what holds it back. Returns whether it was not suspended before.
    pub(super) fn suspend(&mut self, task: TaskId, reason: SuspendReason, now: Instant) -> bool {
        let mut is_new = false;
        let job = self.0.entry(task).or_insert_with(|| {
            is_new = true;
            Job { reason, since: now, work: VecDeque::new() }
        });
        if job.reason != reason {
            (job.reason, job.since) = (reason, now);
        }
        is_new
    }

    /// Keeps work of a suspended job, behind or before what it has here; returns it when its job is not suspended.
    pub(super) fn hold(&mut self, task: TaskId, work: W, first: bool) -> Option<W> {
        let Some(job) = self.0.get_mut(&task) else { return Some(work) };
        if first {
            job.work.push_front(work);
        } else {
            job.work.push_back(work);
        }
        None
    }

    /// Whether a job is held back by this.
    pub(super) fn any(&self, reason: SuspendReason) -> bool {
        self.0.values().any(|job| job.reason == reason)
    }

    /// Takes out the work of the jobs that may go on. One without work goes on, too.
    pub(super) fn resume(&mut self, may: impl Fn(SuspendReason, &W) -> bool) -> Vec<(TaskId, Vec<W>)> {
        let goes_on = |job: &Job<W>| job.work.front().is_none_or(|work| may(job.reason, work));
        let tasks: Vec<TaskId> = self.0.iter().filter(|(_, job)| goes_on(job)).map(|(task, _)| *task).collect();
        tasks.into_iter().map(|task| (task, self.remove(task))).collect()
    }

    /// Takes out work that has waited for room for longer than `unavailable_timeout` says.
    pub(super) fn expire(&mut self, now: Instant, unavailable_timeout: impl Fn(&W) -> Duration) -> Vec<W> {
        let jobs = self.0.values_mut().filter(|job| job.reason == SuspendReason::NoRoom);
        let over = jobs.filter(|job| {
            job.work.front().is_some_and(|work| now.saturating_duration_since(job.since) >= unavailable_timeout(work))
        });
        over.flat_map(|job| std::mem::take(&mut job.work)).collect()
    }

    /// Takes out the work of a job, which is suspended no more.
    pub(super) fn remove(&mut self, task: TaskId) -> Vec<W> {
        self.0.remove(&task).map_or_else(Vec::new, |job| job.work.into())
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How much work of each job waits, beside a piece of it.
    pub(super) fn lengths(&self) -> impl Iterator<Item = (&W, usize)> {
        self.0.values().filter_map(|job| Some((job.work.front()?, job.work.len())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_waits_as_a_whole_and_goes_on_in_its_order() {
        let (now, task, other) = (Instant::now(), TaskId::generate(), TaskId::generate());
        let mut suspended = Suspended::new();
        assert_eq!(suspended.hold(task, 1, false), Some(1), "it is not suspended");
        assert!(suspended.suspend(task, SuspendReason::LeaseEnded, now));
        assert!(!suspended.suspend(task, SuspendReason::LeaseEnded, now));
        for (work, first) in [(2, false), (3, false), (1, true)] {
            assert_eq!(suspended.hold(task, work, first), None);
        }
        suspended.suspend(other, SuspendReason::NoRoom, now);
        suspended.hold(other, 9, false);
        let mut lengths: Vec<(&i32, usize)> = suspended.lengths().collect();
        lengths.sort_unstable();
        assert_eq!(lengths, [(&1, 3), (&9, 1)]);
        assert!(suspended.resume(|_, _| false).is_empty());
        assert_eq!(suspended.resume(|reason, _| reason == SuspendReason::LeaseEnded), [(task, vec![1, 2, 3])]);
        assert!(!suspended.any(SuspendReason::LeaseEnded) && suspended.any(SuspendReason::NoRoom));
        assert_eq!(suspended.remove(other), [9]);
        assert!(suspended.is_empty());
    }

    #[test]
    fn room_is_waited_for_as_long_as_the_task_says_and_a_lease_without_end() {
        let (begun, [room, lease]) = (Instant::now(), [TaskId::generate(), TaskId::generate()]);
        let mut suspended = Suspended::new();
        suspended.suspend(room, SuspendReason::NoRoom, begun);
        suspended.suspend(lease, SuspendReason::LeaseEnded, begun);
        suspended.hold(room, "room", false);
        suspended.hold(lease, "lease", false);
        let unavailable_timeout = |_: &&str| Duration::from_secs(5);
        assert!(suspended.expire(begun + Duration::from_secs(4), unavailable_timeout).is_empty());
        assert_eq!(suspended.expire(begun + Duration::from_secs(5), unavailable_timeout), ["room"]);
        assert!(suspended.expire(begun + Duration::from_hours(24), unavailable_timeout).is_empty());
        assert_eq!(suspended.resume(|_, _| false), [(room, Vec::new())], "nothing of it waits any more");
    }
}
