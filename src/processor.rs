//! Reads one shard, gives Markdown per page.
//!
//! [`Processor`] is the seam between Bindery and whatever reads pages. A processor is called from many worker threads
//! at once; it may block its thread, holds no state of a task, and decides nothing about retries: it says what
//! happened and the job decides.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::document::{Document, PageReader, Shard};
use crate::task::{Failure, PageOutput, TaskOptions};

mod llm;
mod scripted;
mod text;

pub use llm::{LlmOptions, LlmProcessor};
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
    /// Told when the processor begins to wait for somebody else, and when it goes on; see [`Self::waiting`].
    pub on_waiting: &'a (dyn Fn(bool) + Sync),
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
    /// whenever outputs would differ, and let no output depend on other pages.
    fn recipe(&self, options: &TaskOptions) -> serde_json::Value;

    /// Whether an output costs money or minutes. Such outputs are synced to the device before they count; others are
    /// left to the page cache and would be made again after a power cut.
    fn is_paid(&self) -> bool {
        self.kind() == WorkKind::Call
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
