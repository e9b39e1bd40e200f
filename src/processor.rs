//! Reads one shard, gives Markdown per page.
//!
//! [`Processor`] is the seam between Bindery and whatever reads pages. A processor is called from many worker threads
//! at once; it may block its thread, holds no state of a task, and decides nothing about retries: it says what
//! happened and the job decides.

use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::document::{Document, PageFacts, PageReader, Shard};
use crate::task::{Failure, PageOutput, TaskOptions, Usage};

mod auto;
mod figures;
#[cfg(feature = "llm")]
mod llm;
mod ocr;
#[cfg(any(test, feature = "testing"))]
mod scripted;
pub(crate) mod steps;
mod text;
mod unread;

pub use auto::AutoProcessor;
#[cfg(feature = "llm")]
pub use llm::{EndpointError, LlmOptions, LlmProcessor};
pub(crate) use ocr::OCR;
pub use ocr::OcrProcessor;
#[cfg(any(test, feature = "testing"))]
pub use scripted::{Gate, Scripted, ScriptedProcessor};
pub(crate) use steps::Steps;
pub use steps::{FailedAttempt, Step, StepState};
pub use text::TextProcessor;

/// Which pool of workers a processor needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WorkKind {
    /// Keeps a core busy: as many workers as cores.
    Cpu,
    /// Waits for another server's answer: as many workers as calls may be in flight.
    Call,
}

/// One attempt at one shard.
#[non_exhaustive]
pub struct ShardInput<'a> {
    /// The whole PDF.
    pub document: &'a Document,
    /// The pages to read, and no others.
    pub shard: Shard,
    /// What the caller chose.
    pub options: &'a TaskOptions,
    /// The file's name as its caller gave it.
    pub file_name: Option<&'a str>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// When the attempt has taken too long.
    pub deadline: Instant,
    /// Fires when the answer is no longer wanted.
    pub cancel: &'a CancellationToken,
    /// By which of the processor's steps the pages are read.
    pub step: &'a Step,
    /// Which one that is, and what its attempts at this shard before came to. What is asked otherwise the next time can be
    /// decided by that.
    pub state: StepState,
    /// The attempts at this shard that went wrong by what they read, in their order.
    pub history: &'a [FailedAttempt],
    /// Told when the processor begins to wait for another server, and when it goes on; see [`Self::waiting`].
    pub on_waiting: &'a (dyn Fn(bool) + Sync),
    /// Told of each call; see [`Self::called`].
    pub on_call: &'a (dyn Fn(CallReport) + Sync),
    /// Where what a call brought is safe until the pages that come of it are.
    pub kept_answers: &'a dyn KeptAnswers,
    /// See [`Self::hedge_permit`].
    pub on_hedge: &'a (dyn Fn() -> BoxFuture<'static, Option<HedgePermit>> + Sync),
}

/// Answers that are paid, and whose pages are not in the ledger yet: what comes of them may take seconds to find out, and
/// the process may die meanwhile. An attempt that asks the same again is given the answer. Answers go when the attempt is
/// over that kept or found them, unless it was given up or is to be made once more.
pub trait KeptAnswers: Sync {
    /// The answer to a question about a page, if it was kept. The question is whatever decides what is answered.
    fn find(&self, page: u32, question: &Value) -> Option<KeptAnswer>;

    /// Keeps an answer. Where there is no room for it, it is not kept.
    fn keep(&self, page: u32, question: &Value, answer: &Value);

    /// Forgets an answer that no page comes of, so that the same question is asked again.
    fn forget(&self, page: u32, question: &Value);
}

/// An answer that was kept.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct KeptAnswer {
    /// As it was given to [`KeptAnswers::keep`].
    pub answer: Value,
    /// Whether what it cost has not been counted: the process of the task that paid it died since.
    pub is_uncounted: bool,
}

impl KeptAnswer {
    /// An answer that was kept, and whether its cost is not counted yet.
    #[must_use]
    pub const fn new(answer: Value, is_uncounted: bool) -> Self {
        Self { answer, is_uncounted }
    }
}

/// A place among the calls in flight of an endpoint. It is given back when this is dropped.
pub type HedgePermit = Box<dyn Send>;

/// One call of an endpoint, as seen by who made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallReport {
    /// What it cost, also when its answer was of no use.
    pub usage: Usage,
    /// How long it took.
    pub took: Duration,
    /// How the endpoint took it.
    pub outcome: CallOutcome,
}

impl CallReport {
    /// A call that took so long, came to that and cost this.
    #[must_use]
    pub const fn new(outcome: CallOutcome, took: Duration, usage: Usage) -> Self {
        Self { usage, took, outcome }
    }
}

/// How an endpoint took a call: what the next ones are to be held back by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallOutcome {
    /// It did what was asked, or refused it as such.
    Success,
    /// It is asked too often; perhaps it said when to come back.
    RateLimited(Option<Duration>),
    /// It took too long, or broke off: it may have too much to do.
    Overloaded,
    /// The endpoint cannot be reached; perhaps a gateway said when to come back.
    Unavailable(Option<Duration>),
    /// It was cut off by its caller, and says nothing about the endpoint.
    Cancelled,
}

impl CallOutcome {
    /// The name used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::RateLimited(_) => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::Unavailable(_) => "unavailable",
            Self::Cancelled => "cancelled",
        }
    }
}

/// As long as it lives, the processor waits.
pub struct Waiting<'a>(&'a (dyn Fn(bool) + Sync));

impl ShardInput<'_> {
    /// A reader for the shard's pages that gives up with the attempt; see [`Document::reader`]. A failure of it that is
    /// not retryable is the page's own.
    #[must_use]
    pub fn reader(&self) -> PageReader<'_> {
        self.document.reader().until(self.deadline, self.cancel)
    }

    /// Says what became of a call. Costs of an attempt that comes to nothing are known only by this; those of pages that
    /// are done stand in their outputs.
    pub fn called(&self, report: CallReport) {
        (self.on_call)(report);
    }

    /// Waits for a place for one more call of the endpoint that this attempt calls, beside the one that it has; `None` when
    /// there will be none. What it costs goes into the report of the first call.
    pub async fn hedge_permit(&self) -> Option<HedgePermit> {
        (self.on_hedge)().await
    }

    /// Says that until the answer is dropped this thread only waits for another server, for example for an endpoint. If
    /// the process dies meanwhile, that is not put down to these pages: a page that was being read at several deaths in
    /// a row is declared failed.
    #[must_use]
    pub fn waiting(&self) -> Waiting<'_> {
        (self.on_waiting)(true);
        Waiting(self.on_waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        (self.0)(false);
    }
}

/// What became of one page of a shard.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PageRead {
    /// Page number, from 1.
    pub page: u32,
    /// Its Markdown, or why there is none. A page's own failure is final and does not fail the shard; what may pass is
    /// said of the shard, with [`ShardOutcome::Retry`] or [`ShardOutcome::Failed`].
    pub result: Result<PageOutput, Failure>,
}

impl PageRead {
    /// What became of page `page` (from 1).
    #[must_use]
    pub const fn new(page: u32, result: Result<PageOutput, Failure>) -> Self {
        Self { page, result }
    }
}

/// What a processor answers.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ShardOutcome {
    /// Each page of the shard, with its output or its own failure.
    Done(Vec<PageRead>),
    /// The same for some pages; the others are read by another step, or by the same one once more. They come back in shards
    /// of their own, of as many pages as that step has, or as the task says where the step makes calls.
    Partial {
        /// Pages with their output or failure.
        done: Vec<PageRead>,
        /// All others of the shard.
        rest: Vec<u32>,
        /// The step that reads these, from 0.
        step: usize,
    },
    /// Nothing was done, and that is not the pages' fault (the endpoint is unavailable, or asked too often): the same attempt
    /// may succeed later. Such attempts are not counted; they are limited by the time spent waiting.
    Retry {
        /// How long to wait at least, when the other side said so.
        after: Option<Duration>,
        /// What happened.
        why: Failure,
    },
    /// The shard as a whole cannot be read this way. Of several pages each is tried alone next.
    Failed(Failure),
    /// No page of this task can be read by this processor, whatever is tried: a key that is not accepted, a model that
    /// is not there. The task fails at once.
    Fatal(Failure),
    /// Given up because [`ShardInput::cancel`] fired.
    Cancelled,
}

/// Something that reads pages. Implement it to bring your own.
pub trait Processor: Send + Sync + 'static {
    /// The name that tasks choose it by, for example `text`.
    fn name(&self) -> &str;

    /// The ways by which it reads a page with these facts, in their order: the next one is taken when one has failed for
    /// good. Without facts, all that pages of a task with these options may take. The options are those of an accepted task:
    /// [`Self::pin_defaults`] and [`Self::check`] have seen them. A list without steps fails the task.
    fn steps(&self, options: &TaskOptions, facts: Option<&PageFacts>) -> Vec<Step>;

    /// Whether nothing in a page can end this process while it is read, as far as PDFs are opened in processes of their own
    /// ([`Readers::processes`](crate::document::Readers::processes)): what the processor does with a page itself is to
    /// handle text and pictures. Then a death of this process has come from outside and is put down to no page. Otherwise
    /// the pages that were being read at a death are suspected, and at the third one declared failed.
    fn is_isolated(&self) -> bool {
        false
    }

    /// Writes into the options of a task that is being accepted what this processor would choose by itself, such as
    /// a model, so that the task means the same after a restart with other settings, and its pages are still found.
    fn pin_defaults(&self, options: &mut TaskOptions) {
        let _ = options;
    }

    /// The names of options that no other processor has. A caller sets them as `extra.NAME`, and they stand in
    /// [`TaskOptions::extra`]; tasks with others are refused. Those that decide what pages come out as belong into the
    /// recipes of the steps.
    fn own_options(&self) -> &[&str] {
        &[]
    }

    /// Refuses options that it cannot carry out, before the task is accepted.
    ///
    /// # Errors
    /// A failure with code `bad_option`.
    fn check(&self, options: &TaskOptions) -> Result<(), Failure> {
        let _ = options;
        Ok(())
    }

    /// What it has learnt of what it reads with, for those who run the service, and for others of its kind: JSON objects that
    /// name an `endpoint` and a `model`. The store keeps the last one of each.
    fn learnt(&self) -> Vec<Value> {
        Vec::new()
    }

    /// Takes in what others of its kind have learnt, on other servers or before this start. What it makes nothing of, or
    /// what is too old, it leaves.
    fn take_learnt(&self, learnt: &[Value]) {
        let _ = learnt;
    }

    /// Reads the pages of one shard by [`ShardInput::step`]. May block; should return soon after `cancel` fires or
    /// `deadline` passes. A panic counts as a failed attempt.
    fn process(&self, input: &ShardInput<'_>) -> ShardOutcome;
}
