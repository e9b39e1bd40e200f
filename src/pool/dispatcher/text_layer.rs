//! What else can be known of one page, for people who compare it with what was read: its text layer, and what a processor
//! that costs nothing makes of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Context, Handler, Message, ResponseFuture};
use futures::FutureExt;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::Dispatcher;
use super::queries::queue_key;
use crate::content::PageContent;
use crate::document::{Shard, TextOptions};
use crate::pool::execute::Executor;
use crate::pool::work::SourceCheck;
use crate::processor::{KeptAnswer, KeptAnswers, Processor, ShardInput, ShardOutcome, Steps};
use crate::task::{Failure, TaskOptions, code};

/// The longest that reading the text of one page takes.
const READING: Duration = Duration::from_secs(20);
/// The longest that reading one page by a processor takes.
const READING_ASIDE: Duration = Duration::from_secs(120);

/// Asks for the text layer of a page.
#[derive(Message)]
#[rtype(result = "Result<PageContent, Failure>")]
pub struct GetTextLayer {
    /// Whose turn it is, or empty.
    pub tenant: String,
    /// The PDF.
    pub check: SourceCheck,
    /// Which page of it, from 1.
    pub page: u32,
    /// What of the text counts.
    pub options: TextOptions,
    /// Fires when the caller is gone.
    pub cancel: CancellationToken,
}

impl Handler<GetTextLayer> for Dispatcher {
    type Result = ResponseFuture<Result<PageContent, Failure>>;

    fn handle(&mut self, asked: GetTextLayer, ctx: &mut Context<Self>) -> Self::Result {
        let GetTextLayer { tenant, check, page, options, cancel } = asked;
        let (turn, cut_off) = (queue_key("pictures", &tenant), cancel.clone());
        self.ask(&tenant, turn, cancel, move |executor| executor.text_layer(&check, page, options, &cut_off), ctx)
    }
}

impl Executor {
    fn text_layer(
        &self,
        check: &SourceCheck,
        page: u32,
        options: TextOptions,
        cancel: &CancellationToken,
    ) -> Result<PageContent, Failure> {
        let (document, _) = self.open(check)?;
        page_of(&document, page)?;
        let layer = document.reader().until(Instant::now() + READING, cancel).text_layer(page, options)?;
        Ok(layer.content)
    }
}

/// Has a processor that makes no calls read a page beside any task. Nothing of it is kept.
#[derive(Message)]
#[rtype(result = "Result<PageContent, Failure>")]
pub struct ReadAside {
    /// Whose turn it is, or empty.
    pub tenant: String,
    /// The PDF.
    pub check: SourceCheck,
    /// Which page of it, from 1.
    pub page: u32,
    /// What reads it.
    pub processor: Arc<dyn Processor>,
    /// What it is told.
    pub options: TaskOptions,
    /// Fires when the caller is gone.
    pub cancel: CancellationToken,
}

impl Handler<ReadAside> for Dispatcher {
    type Result = ResponseFuture<Result<PageContent, Failure>>;

    fn handle(&mut self, asked: ReadAside, ctx: &mut Context<Self>) -> Self::Result {
        let (tenant, cancel) = (asked.tenant.clone(), asked.cancel.clone());
        self.ask(&tenant, queue_key("pictures", &tenant), cancel, move |executor| executor.read_aside(&asked), ctx)
    }
}

impl Executor {
    fn read_aside(&self, asked: &ReadAside) -> Result<PageContent, Failure> {
        let ReadAside { check, page, processor, options, cancel, .. } = asked;
        processor.check(options)?;
        let (document, _) = self.open(check)?;
        let shard = page_of(&document, *page)?;
        let refused = || Failure::permanent(code::BAD_OPTION, "only what makes no calls reads a page aside");
        let steps = Steps::new(processor.steps(options, None)).ok_or_else(refused)?;
        let step = Some(steps.get(0)).filter(|step| step.endpoint.is_none()).ok_or_else(refused)?;
        let input = ShardInput {
            document: &document,
            shard,
            options,
            file_name: None,
            attempt: 1,
            deadline: Instant::now() + READING_ASIDE,
            cancel,
            step,
            state: steps.begin(0),
            history: &[],
            on_waiting: &|_| {},
            on_call: &|_| {},
            kept_answers: &NothingKept,
            on_hedge: &|| std::future::ready(None).boxed(),
        };
        let passing = |why: &str| Failure::transient(code::TIMEOUT, why);
        match processor.process(&input) {
            ShardOutcome::Done(pages) => {
                let read = pages.into_iter().find(|read| read.page == *page);
                read.ok_or_else(|| passing("the page was not read"))?.result.map(|output| output.content)
            }
            ShardOutcome::Failed(why) | ShardOutcome::Fatal(why) | ShardOutcome::Retry { why, .. } => Err(why),
            _ => Err(passing("the page was not read")),
        }
    }
}

/// One page as a shard of its own.
fn page_of(document: &crate::document::Document, page: u32) -> Result<Shard, Failure> {
    if !(1..=document.page_count()).contains(&page) {
        let message = format!("there is no page {page}: the PDF has {}", document.page_count());
        return Err(Failure::permanent(code::BAD_PAGE_RANGE, message));
    }
    Ok(Shard { first: page, last: page })
}

/// There are no answers to be kept where there are no calls.
struct NothingKept;

impl KeptAnswers for NothingKept {
    fn find(&self, _: u32, _: &Value) -> Option<KeptAnswer> {
        None
    }

    fn keep(&self, _: u32, _: &Value, _: &Value) {}

    fn forget(&self, _: u32, _: &Value) {}
}
