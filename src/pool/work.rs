//! What is worked on, and what comes back.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use actix::{Message, Recipient};
use tokio_util::sync::CancellationToken;

use super::lease::Lease;
use crate::document::{Document, DocumentLimits, Shard};
use crate::ledger::{PageHashes, PageKey, RecipeHash};
use crate::processor::{CallReport, Processor, WorkKind};
use crate::task::{
    Failure, FindingSet, PageFailure, PageOutput, PageSelection, PageUsage, PageView, ResultDigests, TaskId,
    TaskOptions, code,
};

/// What every piece of work of one job has in common. Shared, never changed.
pub struct JobSpec {
    /// Whose job.
    pub task: TaskId,
    /// The epoch it runs in; tells its news from an older job's.
    pub epoch: u64,
    /// Who pays; the fair queue shares between tenants.
    pub tenant: String,
    /// The source file.
    pub source_path: PathBuf,
    /// What its pages show, which is what the ledger knows them by.
    pub hashes: PageHashes,
    /// The file's name as its caller gave it.
    pub file_name: Option<String>,
    /// What the caller chose.
    pub options: TaskOptions,
    /// Who reads the pages.
    pub processor: Arc<dyn Processor>,
    /// The hashes of its recipes, for the ledger; behind them, of a task that is retried, the one under which it keeps
    /// pages that the others do not take.
    pub recipes: Vec<RecipeHash>,
    /// What a document may be.
    pub limits: DocumentLimits,
    /// How many attempts are usual.
    pub max_attempts: u32,
    /// The longest that one attempt may take.
    pub attempt_timeout: Duration,
    /// The longest that something the machine lacks is waited for, such as room on the disk.
    pub patience: Duration,
    /// Whether all work is given up together that waits for an endpoint which has been unavailable for so long, and not
    /// each piece after its own wait.
    pub shared_patience: bool,
    /// Blob key of the Markdown.
    pub markdown_key: String,
    /// Blob key of the pages as JSON.
    pub json_key: String,
    /// How many bytes of figures were put beside the result.
    pub image_bytes: AtomicU64,
    /// How often the process died while it opened the document.
    pub crashes: u32,
    /// Until when attempts may begin.
    pub lease: Lease,
    /// Fires when the job is over.
    pub cancel: CancellationToken,
}

impl JobSpec {
    /// The ledger key of one page that came out like this.
    ///
    /// # Errors
    /// When it cannot be looked up what the page shows, or there is no such recipe.
    pub fn page_key(&self, page: u32, output: &PageOutput) -> std::io::Result<PageKey> {
        let own = self.recipes.get(output.recipe).filter(|recipe| recipe.takes(output));
        let recipe = own.or_else(|| self.recipes.last().filter(|last| last.takes(output)));
        let recipe = recipe.ok_or(std::io::ErrorKind::InvalidInput)?;
        self.hashes.page_key(page, *recipe)
    }

    /// The folder of the task's files, as a blob key.
    #[must_use]
    pub fn folder(&self) -> String {
        format!("tasks/{}", self.task)
    }

    /// Whose limits the next call at pages goes by, after attempts with these codes; `None` when it makes no call.
    #[must_use]
    pub fn endpoint(&self, earlier: &[Cow<'static, str>]) -> Option<String> {
        self.processor.endpoint(&self.options, earlier, self.max_attempts)
    }

    /// Whether somebody else would read them if nobody came to this endpoint any more.
    #[must_use]
    pub fn reads_elsewhere(&self, earlier: &[Cow<'static, str>]) -> bool {
        let without = [earlier, &[Cow::Borrowed(code::ENDPOINT_AWAY)]].concat();
        self.endpoint(earlier) != self.endpoint(&without)
    }

    /// How its pages are cut into shards.
    #[must_use]
    pub fn cut(&self) -> Cut {
        let (kind, wanted) = (self.processor.kind(), self.options.shard_pages);
        let pages = wanted.unwrap_or_else(|| self.processor.shard_pages());
        // Where calls are the exception, what was wanted is meant for them.
        Cut { pages, kind, call_pages: wanted.unwrap_or(1) }
    }
}

/// How the pages of a job are cut into shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Pages a shard.
    pub pages: u32,
    /// Which workers do it.
    pub kind: WorkKind,
    /// Pages a shard of those that turn out to need calls.
    pub call_pages: u32,
}

/// One piece of work of a job.
#[derive(Clone)]
pub enum Work {
    /// Open the PDF, count, choose pages, look them up in the ledger.
    Plan,
    /// One attempt at one subtask.
    Shard(ShardWork),
    /// Join the pages into the result.
    Bind(Bind),
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
    pub suspect: bool,
    /// The codes of the attempts that went wrong by what they read.
    pub earlier: Vec<Cow<'static, str>>,
    /// What they cost.
    pub spent: PageUsage,
    /// Which workers do it.
    pub kind: WorkKind,
}

/// A result to be written.
#[derive(Clone)]
pub struct Bind {
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
    Suspects,
}

impl Work {
    /// Which workers do it.
    pub(super) fn lane(&self, spec: &JobSpec) -> LaneName {
        match self {
            Self::Plan if spec.crashes > 0 => LaneName::Suspects,
            Self::Shard(shard) if shard.suspect => LaneName::Suspects,
            Self::Plan | Self::Bind(_) => LaneName::Cpu,
            Self::Shard(shard) if shard.kind == WorkKind::Cpu => LaneName::Cpu,
            Self::Shard(shard) => spec.endpoint(&shard.earlier).map_or(LaneName::Cpu, LaneName::Calls),
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

/// What a job is told of a page that was read. Its Markdown is in the ledger.
#[derive(Clone, Debug, PartialEq)]
pub struct PageReceipt {
    /// What this attempt cost; nothing when it was found in the ledger.
    pub usage: PageUsage,
    /// Whether it was found in the ledger.
    pub reused: bool,
    /// What is known against it.
    pub findings: FindingSet,
    /// The page as callers see it, without its Markdown.
    pub view: Option<Box<PageView>>,
}

/// What became of an attempt: a processor's outcome with its outputs put into the ledger.
#[derive(Clone, Debug, PartialEq)]
pub enum Receipts {
    /// Each page with its receipt or its own failure.
    Done(Vec<(u32, Result<PageReceipt, Failure>)>),
    /// The same for some pages; of the others some have to be asked for with calls, and some are read alone.
    Divided {
        /// Pages with their receipts or their own failures.
        done: Vec<(u32, Result<PageReceipt, Failure>)>,
        /// Those that need calls.
        calls: Vec<u32>,
        /// Those that take long, each of which is a shard of the same workers.
        alone: Vec<u32>,
    },
    /// Try again later.
    Retry {
        /// Wait at least so long.
        after: Option<Duration>,
        /// Why.
        why: Failure,
    },
    /// Nothing was begun, because this process may not run the task's calls now; it may again after a moment.
    NotNow(Duration),
    /// The shard cannot be read as a whole.
    Failed(Failure),
    /// The task cannot be read.
    Fatal(Failure),
    /// It was waited for too long for somebody to be there.
    GaveUp(Failure),
    /// Given up.
    Cancelled,
}

impl Receipts {
    /// What the calls behind pages that are done have cost.
    #[must_use]
    pub fn usage(&self) -> PageUsage {
        let (Self::Done(done) | Self::Divided { done, .. }) = self else { return PageUsage::default() };
        let receipts = done.iter().filter_map(|(_, result)| result.as_ref().ok());
        receipts.fold(PageUsage::default(), |sum, receipt| sum.and(receipt.usage))
    }

    /// Takes out how the pages that are done are seen.
    pub fn take_views(&mut self) -> Vec<PageView> {
        let (Self::Done(done) | Self::Divided { done, .. }) = self else { return Vec::new() };
        let receipts = done.iter_mut().filter_map(|(_, result)| result.as_mut().ok());
        receipts.filter_map(|receipt| receipt.view.take()).map(|view| *view).collect()
    }

    /// Whether nothing came of it because the endpoint is away or asked too often.
    #[must_use]
    pub fn nobody_there(&self) -> bool {
        let (Self::Retry { why, .. } | Self::GaveUp(why)) = self else { return false };
        [code::ENDPOINT_UNAVAILABLE, code::RATE_LIMITED].contains(&&*why.code)
    }
}

/// How a piece of work ended.
pub enum Ended {
    /// Of [`Work::Plan`].
    Planned(Result<Plan, Failure>),
    /// Of [`Work::Shard`].
    Shard {
        /// The subtask.
        index: u32,
        /// The attempt.
        attempt: u32,
        /// What became of it.
        receipts: Receipts,
        /// The calls that were made.
        calls: Vec<CallReport>,
    },
    /// Of [`Work::Bind`].
    Bound(Result<BindOutcome, Failure>),
}

/// What became of a result that was to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindOutcome {
    /// It stands whole, as these files.
    Written(Box<ResultDigests>),
    /// Nothing was written: these pages are not in the ledger.
    Missing(Vec<u32>),
}

/// News for a job.
#[derive(Message)]
#[rtype(result = "()")]
pub enum PoolEvent {
    /// An attempt went to a worker.
    Started {
        /// The subtask.
        index: u32,
        /// The attempt.
        attempt: u32,
    },
    /// An attempt was given back by its worker before it began, and waits: another one is paying for an equal page.
    Requeued {
        /// The subtask.
        index: u32,
        /// The attempt.
        attempt: u32,
    },
    /// A piece of work is over.
    Ended(Ended),
}

/// What a job queues.
pub(super) struct JobWork {
    pub(super) spec: Arc<JobSpec>,
    pub(super) work: Work,
    pub(super) events: Recipient<PoolEvent>,
    /// Since when it waits.
    pub(super) queued: Instant,
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
