//! One shard's state inside a job.
//!
//! ```text
//!  queued ◀─Requeue─ running
//!  queued ──Start──▶ running ──Finish──▶ done
//!    ▲  │ (every end may also come before Start was heard)
//!    │  │               ├──Wait──▶ waiting ──Due──▶ queued
//!    │  │               ├──Fail──▶ failed
//!    │  └───────────────┴──Split─▶ split   (its pages go on as subtasks of their own)
//! ```

use std::time::Duration;

use crate::document::Shard;
use crate::processor::{FailedAttempt, StepState};
use crate::task::Usage;

/// Where a subtask stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubTaskState {
    /// With the dispatcher.
    Queued,
    /// With a worker.
    Running,
    /// Waiting for its next attempt.
    Waiting,
    /// Every page has its output or its own failure.
    Done,
    /// Its page is declared failed.
    Failed,
    /// Given up in favour of one subtask a page.
    Split,
}

/// What may happen to a subtask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubTaskStep {
    /// A worker has it.
    Start,
    /// Its worker gave it back before it began.
    Requeue,
    /// It was read.
    Finish,
    /// It shall be tried again later.
    Wait,
    /// The wait is over.
    Due,
    /// It is given up.
    Fail,
    /// Its pages are tried one by one.
    Split,
}

impl SubTaskState {
    /// The state after `step`; `None` when the step leads nowhere from here.
    #[must_use]
    pub const fn next(self, step: SubTaskStep) -> Option<Self> {
        use SubTaskState as S;
        use SubTaskStep as T;
        match (self, step) {
            (S::Queued, T::Start) => Some(S::Running),
            (S::Running, T::Requeue) => Some(S::Queued),
            (S::Queued | S::Running, T::Finish) => Some(S::Done),
            (S::Queued | S::Running, T::Wait) => Some(S::Waiting),
            (S::Queued | S::Running, T::Fail) => Some(S::Failed),
            (S::Queued | S::Running, T::Split) => Some(S::Split),
            (S::Waiting, T::Due) => Some(S::Queued),
            _ => None,
        }
    }

    /// Whether it takes part no more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Split)
    }
}

/// A shard and its attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubTask {
    /// Its pages.
    pub shard: Shard,
    /// Where it stands.
    pub state: SubTaskState,
    /// The attempt that runs or comes next, from 1. News of any other attempt is old.
    pub attempt: u32,
    /// By which step its pages are read, and what that step's attempts before came to.
    pub step: StepState,
    /// The attempts that went wrong by what they read; those that found their endpoint unavailable are not among them.
    pub history: Vec<FailedAttempt>,
    /// What attempts cost that came to nothing.
    pub spent: Usage,
    /// How long it has waited for what was not there.
    pub waited: Duration,
    /// How many calls of the job had been answered when the endpoint was unavailable for this one.
    pub unavailable_at: Option<u64>,
    /// How often in a row it was unavailable although others had been answered since the last time.
    pub isolated_failures: u32,
    /// Whether the process died while it read one of these pages.
    pub quarantined: bool,
}

impl SubTask {
    /// A subtask before its first attempt.
    #[must_use]
    pub fn new(shard: Shard, step: StepState) -> Self {
        Self {
            shard,
            state: SubTaskState::Queued,
            attempt: 1,
            step,
            history: Vec::new(),
            spent: Usage::default(),
            waited: Duration::ZERO,
            unavailable_at: None,
            isolated_failures: 0,
            quarantined: false,
        }
    }

    /// The same for a page that was being read when the process died.
    #[must_use]
    pub fn quarantined(page: u32, step: StepState) -> Self {
        Self { quarantined: true, ..Self::new(Shard::single(page), step) }
    }

    /// Whether this attempt of it is with the dispatcher or a worker.
    #[must_use]
    pub fn is_out(&self, attempt: u32) -> bool {
        attempt == self.attempt && matches!(self.state, SubTaskState::Queued | SubTaskState::Running)
    }

    /// Takes `step` on an event of `attempt`; returns whether it did. Duplicates and late events do nothing.
    pub fn take(&mut self, step: SubTaskStep, attempt: u32) -> bool {
        let next = self.state.next(step).filter(|_| attempt == self.attempt);
        if let Some(next) = next {
            self.state = next;
            if matches!(step, SubTaskStep::Due) {
                self.attempt += 1;
            }
        }
        next.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::processor::{Step, Steps};

    #[test]
    fn the_whole_table() {
        use SubTaskState as S;
        use SubTaskStep as T;
        let steps = [T::Start, T::Requeue, T::Finish, T::Wait, T::Due, T::Fail, T::Split];
        for (state, row) in [
            (
                S::Queued,
                [Some(S::Running), None, Some(S::Done), Some(S::Waiting), None, Some(S::Failed), Some(S::Split)],
            ),
            (
                S::Running,
                [None, Some(S::Queued), Some(S::Done), Some(S::Waiting), None, Some(S::Failed), Some(S::Split)],
            ),
            (S::Waiting, [None, None, None, None, Some(S::Queued), None, None]),
            (S::Done, [None; 7]),
            (S::Failed, [None; 7]),
            (S::Split, [None; 7]),
        ] {
            for (step, expected) in steps.into_iter().zip(row) {
                assert_eq!(state.next(step), expected, "{state:?} {step:?}");
                assert!(!state.is_final() || expected.is_none());
            }
        }
    }

    #[test]
    fn i12_a_message_of_an_older_attempt_does_nothing() {
        let step = Step::local("text", serde_json::Value::Null);
        let mut subtask = SubTask::new(Shard::single(1), Steps::new(vec![step]).unwrap().begin(0));
        assert!(subtask.take(SubTaskStep::Wait, 1));
        assert!(subtask.take(SubTaskStep::Due, 1));
        assert!(!subtask.take(SubTaskStep::Finish, 1));
        assert!(subtask.take(SubTaskStep::Finish, 2));
        assert!(!subtask.take(SubTaskStep::Finish, 2));
    }
}
