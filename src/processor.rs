//! Reads one shard, gives Markdown per page.
//!
//! [`Processor`] is the seam between Bindery and whatever reads pages. A processor is called from many worker threads
//! at once; it may block its thread, holds no state of a task, and decides nothing about retries: it says what
//! happened and the job decides.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::document::{Document, PageFacts, PageReader, Shard};
use crate::task::{Amount, Failure, PageOutput, PageUsage, TaskOptions};

mod auto;
mod figures;
mod llm;
mod ocr;
mod scripted;
mod text;
mod unread;

pub use auto::AutoProcessor;
pub use llm::{LlmOptions, LlmProcessor};
pub use ocr::OcrProcessor;
pub use scripted::{Gate, ScriptedProcessor, Step};
pub use text::TextProcessor;

/// Which pool of workers a processor needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WorkKind {
    /// Keeps a core busy: as many workers as cores.
    Cpu,
    /// Waits for somebody else's answer: as many workers as calls may be in flight.
    Call,
}

/// One attempt at one shard.
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
    /// Fires when nobody wants the answer any more.
    pub cancel: &'a CancellationToken,
    /// Which workers call: where the processor began with others, those that it said the pages need.
    pub kind: WorkKind,
    /// The codes of the attempts at this shard that went wrong by what they read, in their order. What is asked
    /// otherwise the next time can be decided by them.
    pub earlier: &'a [Cow<'static, str>],
    /// How many attempts the job makes with [`Processor::attempts`] left as it is.
    pub max_attempts: u32,
    /// Told when the processor begins to wait for somebody else, and when it goes on; see [`Self::waiting`].
    pub on_waiting: &'a (dyn Fn(bool) + Sync),
    /// Told of each call; see [`Self::called`].
    pub on_call: &'a (dyn Fn(CallReport) + Sync),
    /// See [`Self::place_for_another`].
    pub on_another: &'a (dyn Fn() -> BoxFuture<'static, Option<CallPlace>> + Sync),
}

/// A place among the calls in flight of an endpoint. It is given back when this is dropped.
pub type CallPlace = Box<dyn Send>;

/// One call of an endpoint, as seen by who made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallReport {
    /// What it cost, also when its answer was of no use.
    pub usage: PageUsage,
    /// How long it took.
    pub took: Duration,
    /// How the endpoint took it.
    pub verdict: CallVerdict,
}

/// How an endpoint took a call: what the next ones are to be held back by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallVerdict {
    /// It did what was asked, or refused it as such.
    Answered,
    /// It is asked too often; perhaps it said when to come back.
    Limited(Option<Duration>),
    /// It took too long, or broke off: it may have too much to do.
    Strained,
    /// Nobody is there; perhaps a gateway said when to come back.
    Away(Option<Duration>),
    /// It was cut off by whoever made it, and says nothing about the endpoint.
    Abandoned,
}

impl CallVerdict {
    /// The name used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Limited(_) => "limited",
            Self::Strained => "strained",
            Self::Away(_) => "away",
            Self::Abandoned => "abandoned",
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
    pub async fn place_for_another(&self) -> Option<CallPlace> {
        (self.on_another)().await
    }

    /// Says that until the answer is dropped this thread only waits for somebody else, for example for an endpoint. If
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
pub struct PageRead {
    /// Page number, from 1.
    pub page: u32,
    /// Its Markdown, or why there is none. A page's own failure is final and does not fail the shard; what may pass is
    /// said of the shard, with [`ShardOutcome::Retry`] or [`ShardOutcome::Failed`].
    pub result: Result<PageOutput, Failure>,
}

/// What a processor answers.
#[derive(Clone, Debug, PartialEq)]
pub enum ShardOutcome {
    /// Each page of the shard, with its output or its own failure.
    Done(Vec<PageRead>),
    /// The same for some pages; the others need calls. They come back on the workers for calls, in shards of
    /// as many pages as the task says, or one.
    Divided {
        /// Pages with their output or failure.
        done: Vec<PageRead>,
        /// All others of the shard.
        calls: Vec<u32>,
    },
    /// The same for some pages; each of the others takes seconds of a core. They come back on the same workers, each in a
    /// shard of its own, so that cores share them, and other tasks do not wait for all of them.
    Parted {
        /// Pages with their output or failure.
        done: Vec<PageRead>,
        /// All others of the shard.
        alone: Vec<u32>,
    },
    /// Nothing was done, and that is not the pages' fault (the endpoint is away, or asked too often): the same attempt
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

    /// Which workers call it.
    fn kind(&self) -> WorkKind;

    /// How many pages a shard has when the task does not say.
    fn shard_pages(&self) -> u32 {
        match self.kind() {
            WorkKind::Cpu => 16,
            WorkKind::Call => 1,
        }
    }

    /// Everything besides the page that decides what its Markdown will be: a version, a model, a prompt. Pages that show
    /// the same are reused from the ledger, also in another PDF, as long as this stays the same. So raise a version
    /// whenever outputs would differ, and let no output depend on other pages. Where outputs depend on the page's number,
    /// as they do when a prompt names it, the recipe has `"by_number": true`; such a page is reused at its number only.
    fn recipe(&self, options: &TaskOptions) -> serde_json::Value;

    /// All recipes that a page may come out by, the first of them [`Self::recipe`]. A page is looked up under each, in
    /// their order, and kept under the one that [`PageOutput::recipe`] names.
    fn recipes(&self, options: &TaskOptions) -> Vec<serde_json::Value> {
        vec![self.recipe(options)]
    }

    /// Whether outputs that took calls cost money or minutes. Those are synced to the device before they count; others are
    /// left to the page cache and would be made again after a power cut.
    fn is_paid(&self) -> bool {
        self.kind() == WorkKind::Call
    }

    /// Whether nothing in a page can end this process while it is read, as far as PDFs are opened in processes of their own
    /// ([`Readers::processes`](crate::document::Readers::processes)): what the processor does with a page itself is to
    /// handle text and pictures. Then a death of this process has come from outside and is put down to no page. Otherwise
    /// the pages that were being read at a death are suspected, and at the third one declared failed.
    fn is_isolated(&self) -> bool {
        false
    }

    /// What the limits of the next call belong to, after attempts with the codes `earlier`: the endpoint and the model that
    /// it is asked for. Calls of the same name share them, also those of other processors. `None` when the next attempt
    /// makes no call. `usual` is how many attempts one way of reading has.
    fn endpoint(&self, options: &TaskOptions, earlier: &[Cow<'static, str>], usual: u32) -> Option<String> {
        let _ = (options, earlier, usual);
        Some(self.name().to_owned())
    }

    /// What reading this page would take, and by which of its ways; of pages that it reads by itself, nothing.
    fn estimate(&self, facts: &PageFacts, options: &TaskOptions) -> (String, Amount) {
        let _ = (facts, options);
        (self.name().to_owned(), Amount::default())
    }

    /// How many attempts at one page are made that fail by what is read, where `usual` are made otherwise: more, when
    /// there is another way to read it after the first one has failed so often.
    fn attempts(&self, options: &TaskOptions, usual: u32) -> u32 {
        let _ = options;
        usual
    }

    /// Writes into the options of a task that is being accepted what this processor would choose by itself, such as
    /// a model, so that the task means the same after a restart with other settings, and its pages are still found.
    fn settle(&self, options: &mut TaskOptions) {
        let _ = options;
    }

    /// Refuses options that it cannot carry out, before the task is accepted.
    ///
    /// # Errors
    /// A failure with code `bad_option`.
    fn check(&self, options: &TaskOptions) -> Result<(), Failure> {
        let _ = options;
        Ok(())
    }

    /// Reads the pages of one shard. May block; should return soon after `cancel` fires or `deadline` passes. A panic
    /// counts as a failed attempt.
    fn process(&self, input: &ShardInput<'_>) -> ShardOutcome;
}
