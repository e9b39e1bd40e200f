//! A processor that does what a test tells it: the double for everything that can go wrong.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;

use super::{PageRead, Processor, ShardInput, ShardOutcome, Step, WorkKind};
use crate::content::from_markdown;
use crate::document::PageFacts;
use crate::task::{Failure, PageOutput, TaskOptions, Usage, code};

/// What one attempt at one page does.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Scripted {
    /// Answers with Markdown.
    Ok,
    /// Answers with Markdown once the gate is open.
    Slow(Gate),
    /// Is told to come back later.
    RateLimited(Duration),
    /// Cannot be read, in a way that may pass.
    FailTransient,
    /// Cannot be read, for good.
    FailForGood,
    /// Panics.
    Panic,
    /// Does nothing until it is cancelled or out of time.
    Hang,
}

/// Something that pages wait for. Once opened it stays open.
#[derive(Clone, Debug)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Gate {
    /// Lets everyone through who waits or will come.
    pub fn open(&self) {
        self.0.send_replace(true);
    }
}

/// Follows a script: each page has entries, one an attempt, the last of which repeats. Pages without one are ok.
pub struct ScriptedProcessor {
    name: String,
    kind: WorkKind,
    shard_pages: u32,
    steps: HashMap<u32, Vec<Scripted>>,
    calls: Arc<AtomicU64>,
}

impl ScriptedProcessor {
    /// A processor whose pages are all ok.
    #[must_use]
    pub fn new(kind: WorkKind) -> Self {
        Self {
            name: "scripted".into(),
            kind,
            shard_pages: 1,
            steps: HashMap::new(),
            calls: Arc::new(AtomicU64::new(0)),
        }
    }

    /// Sets the script of one page.
    #[must_use]
    pub fn page(mut self, page: u32, steps: impl Into<Vec<Scripted>>) -> Self {
        self.steps.insert(page, steps.into());
        self
    }

    /// Sets the pages of a shard.
    #[must_use]
    pub fn shard_pages(mut self, pages: u32) -> Self {
        self.shard_pages = pages;
        self
    }

    /// A counter of the pages that it was asked for, over all attempts.
    #[must_use]
    pub fn calls(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.calls)
    }

    /// The Markdown of a page that is ok.
    #[must_use]
    pub fn markdown(page: u32) -> String {
        format!("Page {page}.")
    }

    fn step(&self, page: u32, attempt: u32) -> Scripted {
        let steps = self.steps.get(&page).map_or(&[][..], Vec::as_slice);
        let index = (attempt.saturating_sub(1) as usize).min(steps.len().saturating_sub(1));
        steps.get(index).cloned().unwrap_or(Scripted::Ok)
    }
}

impl Processor for ScriptedProcessor {
    fn name(&self) -> &str {
        &self.name
    }

    fn steps(&self, options: &TaskOptions, _: Option<&PageFacts>) -> Vec<Step> {
        let recipe = json!({ "processor": self.name, "model": options.model, "prompt": options.prompt });
        let step = Step::local(self.name.clone(), recipe);
        let endpoint = (self.kind == WorkKind::Call).then(|| self.name.clone());
        vec![Step { endpoint, shard_pages: self.shard_pages, ..step }]
    }

    fn process(&self, input: &ShardInput<'_>) -> ShardOutcome {
        let mut pages = Vec::new();
        for page in input.shard.pages() {
            self.calls.fetch_add(1, Ordering::SeqCst);
            let result = match self.step(page, input.attempt) {
                Scripted::Ok => Ok(output(page, input.attempt)),
                Scripted::Slow(gate) => match wait(input, Some(gate)) {
                    Waited::Opened => Ok(output(page, input.attempt)),
                    Waited::Cancelled => return ShardOutcome::Cancelled,
                    Waited::TimedOut => return timed_out(),
                },
                Scripted::Hang => match wait(input, None) {
                    Waited::Cancelled => return ShardOutcome::Cancelled,
                    Waited::Opened | Waited::TimedOut => return timed_out(),
                },
                Scripted::RateLimited(after) => {
                    let why = Failure::transient(code::RATE_LIMITED, "scripted rate limit");
                    return ShardOutcome::Retry { after: Some(after), why };
                }
                Scripted::FailTransient => {
                    return ShardOutcome::Failed(Failure::transient(code::BAD_ANSWER, "scripted bad answer"));
                }
                Scripted::FailForGood => Err(Failure::permanent(code::PAGE_DAMAGED, "scripted damage")),
                #[allow(clippy::panic, reason = "a crash is what this is for")]
                Scripted::Panic => panic!("scripted panic on page {page}"),
            };
            pages.push(PageRead { page, result });
        }
        ShardOutcome::Done(pages)
    }
}

fn output(page: u32, attempt: u32) -> PageOutput {
    PageOutput {
        content: from_markdown(ScriptedProcessor::markdown(page)),
        processor: "scripted".into(),
        attempts: attempt,
        usage: Usage { calls: 1, prompt_tokens: 10, completion_tokens: 2, ..Usage::default() },
        ..PageOutput::default()
    }
}

fn timed_out() -> ShardOutcome {
    ShardOutcome::Failed(Failure::transient(code::TIMEOUT, "scripted hang"))
}

enum Waited {
    Opened,
    Cancelled,
    TimedOut,
}

fn wait(input: &ShardInput<'_>, gate: Option<Gate>) -> Waited {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build() else {
        return Waited::TimedOut;
    };
    let _waiting = input.waiting();
    runtime.block_on(async {
        let opened = async {
            match gate {
                Some(gate) => drop(gate.0.subscribe().wait_for(|open| *open).await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = opened => Waited::Opened,
            () = input.cancel.cancelled() => Waited::Cancelled,
            () = tokio::time::sleep_until(input.deadline.into()) => Waited::TimedOut,
        }
    })
}
