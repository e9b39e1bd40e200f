//! What is worked on, and what comes back.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Message, Recipient};

use super::claims::Busy;
use super::spec::JobContext;
use super::suspended::SuspendReason;
use crate::document::{Document, DocumentLimits, Shard};
use crate::processor::{FailedAttempt, StepState};
use crate::task::{Failure, FindingSet, PageFailure, PageSelection, PageView, ResultDigests, TaskId, Usage};

/// One piece of work of a job.
#[derive(Clone)]
pub enum Work {
    /// Open the PDF, count, choose pages, look them up in the ledger.
    Plan,
    /// One attempt at one subtask.
    Shard(ShardWork),
    /// Join the pages into the result.
    Aggregate(Aggregate),
}

/// One attempt at one subtask.
#[derive(Clone)]
pub struct ShardWork {
    /// The opened PDF.
    pub document: Arc<Document>,
    /// Which subtask of the job.
    pub index: u32,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// Its pages.
    pub shard: Shard,
    /// Whether the process died while it read one of these pages. Such work is done one piece at a time, so that the
    /// next death, if one comes, says which page it was.
    pub quarantined: bool,
    /// By which step they are read, and what its attempts before came to.
    pub state: StepState,
    /// The attempts that went wrong by what they read.
    pub history: Vec<FailedAttempt>,
    /// What they cost.
    pub spent: Usage,
}

/// A result to be written.
#[derive(Clone)]
pub struct Aggregate {
    /// The PDF as it was opened for the plan; without a plan it is opened.
    pub document: Option<Arc<Document>>,
    /// All pages of the task, ascending.
    pub pages: Arc<Vec<u32>>,
    /// Those declared failed.
    pub failed: Arc<BTreeMap<u32, PageFailure>>,
    /// Whether every page that is not failed must be in the ledger. Without it, missing pages are marked as pending:
    /// the partial result of a task that failed.
    pub complete: bool,
}

/// Which workers do a piece of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LaneName {
    Cpu,
    /// Calls of this endpoint and model.
    Calls(String),
    /// One worker alone, for what may kill the process.
    Quarantine,
}

impl LaneName {
    /// The name in metrics.
    pub(super) const fn as_str(&self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Calls(_) => "calls",
            Self::Quarantine => "quarantine",
        }
    }
}

impl Work {
    /// Which workers do it.
    pub(super) fn lane(&self, spec: &JobContext) -> LaneName {
        match self {
            Self::Plan if spec.crashes > 0 => LaneName::Quarantine,
            Self::Shard(shard) if shard.quarantined => LaneName::Quarantine,
            Self::Plan | Self::Aggregate(_) => LaneName::Cpu,
            Self::Shard(shard) => spec.step(shard).endpoint.clone().map_or(LaneName::Cpu, LaneName::Calls),
        }
    }
}

/// A job's pages, as planned.
pub struct Plan {
    /// The opened PDF.
    pub document: Arc<Document>,
    /// The pages of this task, ascending.
    pub pages: Vec<u32>,
    /// Those of them that are in the ledger already, with what is known against them.
    pub known: Vec<(u32, FindingSet)>,
}

/// What a job is told of a page that was read. Its content is in the ledger.
#[derive(Clone, Debug, PartialEq)]
pub struct PageResult {
    /// What this attempt cost; [`Usage::REUSED`] when it was found in the ledger.
    pub usage: Usage,
    /// What is known against it.
    pub findings: FindingSet,
    /// The page as callers see it, without its content.
    pub view: Option<Box<PageView>>,
}

/// The result of an attempt: a processor's outcome, with the pages that were read in the ledger.
#[derive(Clone, Debug, PartialEq)]
pub enum ShardResult {
    /// Each page with its result or its own failure.
    Done(Vec<(u32, Result<PageResult, Failure>)>),
    /// The same for some pages; the others are read by shards of their own.
    Partial {
        /// Pages with their results or their own failures.
        done: Vec<(u32, Result<PageResult, Failure>)>,
        /// All others, with the step that reads them.
        rest: Vec<(u32, usize)>,
    },
    /// Try again later.
    Retry {
        /// Wait at least so long.
        after: Option<Duration>,
        /// Why.
        why: Failure,
    },
    /// The shard cannot be read as a whole.
    Failed(Failure),
    /// The task cannot be read.
    Fatal(Failure),
    /// It waited in the dispatcher for longer than its task waits for what it needs.
    WaitExpired(Failure),
    /// Given up.
    Cancelled,
}

impl ShardResult {
    /// What the calls behind pages that are done have cost.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let (Self::Done(done) | Self::Partial { done, .. }) = self else { return Usage::default() };
        done.iter().filter_map(|(_, page)| page.as_ref().ok()).map(|page| page.usage).sum()
    }

    /// Takes out the views of the pages that are done.
    pub fn take_views(&mut self) -> Vec<PageView> {
        let (Self::Done(done) | Self::Partial { done, .. }) = self else { return Vec::new() };
        let pages = done.iter_mut().filter_map(|(_, page)| page.as_mut().ok());
        pages.filter_map(|page| page.view.take()).map(|view| *view).collect()
    }
}

/// The one message about a shard that leaves the pool: an attempt is over.
#[derive(Clone, Debug, PartialEq)]
pub struct ShardDone {
    /// Whose shard.
    pub job: TaskId,
    /// The subtask.
    pub shard: u32,
    /// The epoch of the job.
    pub epoch: u64,
    /// Which attempt.
    pub attempt: u32,
    /// What it cost beyond what stands with the pages that are done.
    pub spent: Usage,
    /// What became of it.
    pub result: ShardResult,
}

/// Why a worker gave a piece of work back before anything of it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotBegun {
    /// Another attempt pays for one of its pages.
    Claimed(Busy),
    /// No attempt of its job may begin now.
    Suspended(SuspendReason),
}

/// What became of a result that was to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AggregateOutcome {
    /// It stands whole, as these files.
    Written(Box<ResultDigests>),
    /// Nothing was written: these pages are not in the ledger.
    Missing(Vec<u32>),
}

/// What a job is told by the pool.
#[derive(Message)]
#[rtype(result = "()")]
pub enum PoolEvent {
    /// [`Work::Plan`] is done.
    Planned(Result<Plan, Failure>),
    /// An attempt went to a worker.
    Started {
        /// The subtask.
        index: u32,
        /// The attempt.
        attempt: u32,
    },
    /// An attempt was given back by its worker before it began, and waits.
    Requeued {
        /// The subtask.
        index: u32,
        /// The attempt.
        attempt: u32,
    },
    /// An attempt is over.
    ShardDone(ShardDone),
    /// [`Work::Aggregate`] is done.
    Aggregated(Result<AggregateOutcome, Failure>),
}

/// What a job queues.
pub(super) struct JobWork {
    pub(super) spec: Arc<JobContext>,
    pub(super) work: Work,
    pub(super) events: Recipient<PoolEvent>,
    /// Since when it waits.
    pub(super) queued: Instant,
    /// Whether it is not to be offered to other servers: one of them could not read it.
    pub(super) stays: bool,
}

impl JobWork {
    /// Whether it is an attempt at pages, which may cost something.
    pub(super) const fn is_attempt(&self) -> bool {
        matches!(self.work, Work::Shard(_))
    }
}

/// A question about a file that is not a task yet.
pub struct SourceCheck {
    /// The file.
    pub path: PathBuf,
    /// Its password.
    pub password: Option<String>,
    /// The pages that are asked for.
    pub selection: Option<PageSelection>,
    /// What a document may be.
    pub limits: DocumentLimits,
}

/// The pages of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourcePages {
    /// How many it has.
    pub all: u32,
    /// How many are asked for.
    pub selected: u32,
}
