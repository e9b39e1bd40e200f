//! What a job hears and what it wants done: the two sides of [`JobRuntime::on`](super::JobRuntime::on).

use std::time::Duration;

use crate::pool::ShardDone;
use crate::task::{Counts, Failure, FindingSet, Usage};

/// What a job hears.
#[derive(Clone, Debug)]
pub enum JobEvent {
    /// The job begins, or tries to plan again.
    PlanDue,
    /// The pages are known; `known` are in the ledger already, with what is known against them.
    Planned {
        /// The pages of this task, ascending.
        pages: Vec<u32>,
        /// Those that need no attempt.
        known: Vec<(u32, FindingSet)>,
    },
    /// The PDF cannot be opened.
    PlanFailed(Failure),
    /// A worker has the subtask.
    Started {
        /// The subtask.
        index: u32,
        /// The attempt.
        attempt: u32,
    },
    /// A worker gave the subtask back before it began.
    Requeued {
        /// The subtask.
        index: u32,
        /// The attempt.
        attempt: u32,
    },
    /// An attempt is over.
    ShardDone(ShardDone),
    /// The wait before the next attempt is over.
    RetryDue {
        /// The subtask.
        index: u32,
        /// The attempt that went wrong.
        attempt: u32,
    },
    /// The result was written; or pages that should be in the ledger are not, and nothing was written.
    Aggregated {
        /// The missing pages.
        missing: Vec<u32>,
    },
    /// The result could not be written.
    AggregateFailed(Failure),
    /// The wait before the next try at writing is over.
    AggregateDue,
    /// The supervisor ends the job. What is with workers is cut off, and waited for: it may have cost something.
    Stop,
    /// It has been waited for long enough.
    StopNow,
}

/// What a job wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum JobAction {
    /// Have the PDF opened and its pages looked up.
    Plan,
    /// Say [`JobEvent::PlanDue`] after the wait.
    PlanLater(Duration),
    /// Hand these subtasks' attempts to the dispatcher.
    Run(Vec<u32>),
    /// Say [`JobEvent::RetryDue`] after the wait.
    RetryLater {
        /// The subtask.
        index: u32,
        /// The attempt that went wrong.
        attempt: u32,
        /// The wait.
        after: Duration,
    },
    /// Stop attempts that wait or run.
    StopAttempts,
    /// Have the result written.
    Aggregate {
        /// Whether all pages must be there.
        complete: bool,
    },
    /// Say [`JobEvent::AggregateDue`] after the wait.
    AggregateLater(Duration),
    /// Tell the supervisor how far it is, when it has not been told for a moment.
    Report,
    /// Tell the supervisor at once: the first attempt has begun.
    ReportStart,
    /// The job is over; this is the last action of its life, and comes once.
    End(JobEnd),
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobEnd {
    /// The result is safe.
    Completed,
    /// The task failed. `partial` tells whether a partial result is there.
    Failed {
        /// Why.
        why: Failure,
        /// Whether a partial result was written.
        partial: bool,
    },
    /// It was stopped from outside; the task's fate is the stopper's business.
    Stopped,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobProgress {
    /// Pages of the task, once known.
    pub total_pages: Option<u32>,
    /// Whether an attempt has begun.
    pub started: bool,
    /// Pages and shards.
    pub counts: Counts,
    /// What this job has cost so far.
    pub usage: Usage,
}
