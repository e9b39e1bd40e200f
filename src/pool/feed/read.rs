//! Reading a shard for its owner, and keeping what others have read. On threads that may wait.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::FeedProcessors;
use super::entry::{Answer, Entry, Page, Pages};
use crate::document::Document;
use crate::ledger::PageHash;
use crate::pool::execute::{Calls, Executor, hash_pages};
use crate::pool::kept_answers::AttemptAnswers;
use crate::pool::lease::Lease;
use crate::pool::spec::JobContext;
use crate::pool::work::{ShardResult, ShardWork, SourceCheck};
use crate::processor::{PageRead, ShardOutcome};

/// What came of a shard that was read for its owner.
pub(in crate::pool) struct ReadForOwner {
    /// What its owner is to hear; nothing when it is to read the shard itself.
    pub(in crate::pool) answer: Option<Vec<u8>>,
    /// The document, for the next shard of it.
    pub(in crate::pool) document: Option<Arc<Document>>,
    /// How long it took.
    pub(in crate::pool) took: Duration,
}

impl Executor {
    /// Reads a shard of another server's job. The pages are not kept here: their owner keeps them, and finds them again.
    pub(in crate::pool) fn read_for_owner(
        &self,
        entry: &Entry,
        processors: &FeedProcessors,
        mut document: Option<Arc<Document>>,
        cancel: CancellationToken,
    ) -> ReadForOwner {
        let begun = Instant::now();
        let read = || self.answer(entry, processors, &mut document, cancel, begun);
        // A panic would end the worker's thread; as a failed attempt it is its owner's to judge.
        let answer = catch_unwind(AssertUnwindSafe(read)).unwrap_or(None);
        ReadForOwner { answer, document, took: begun.elapsed() }
    }

    fn answer(
        &self,
        entry: &Entry,
        processors: &FeedProcessors,
        document: &mut Option<Arc<Document>>,
        cancel: CancellationToken,
        begun: Instant,
    ) -> Option<Vec<u8>> {
        let job = &entry.job;
        let unread = |why: &dyn std::fmt::Display| {
            log::info!(task:% = job.task, epoch = job.epoch; "a shard is left to the server that runs its task: {why}");
        };
        let processor = Arc::clone(processors.get(&job.processor_name)?);
        // Whether the job may go on is its owner's business: a shard that is not wanted is withdrawn.
        let spec = JobContext::new(job.clone(), processor, &self.blob, Lease::without_end());
        let spec = JobContext { cancel, ..spec.inspect_err(|why| unread(&why.message)).ok()? };
        if !entry.fits(&spec) {
            unread(&"it would come out otherwise here");
            return None;
        }
        if document.is_none() {
            self.ensure_source(&spec).inspect_err(|why| unread(&why.message)).ok()?;
            let check = SourceCheck {
                path: spec.source_path.clone(),
                password: spec.options.password.clone(),
                selection: None,
                limits: spec.limits,
            };
            let (opened, _) = self.open(&check).inspect_err(|why| unread(&why.message)).ok()?;
            *document = Some(Arc::new(opened));
        }
        let work = entry.work(Arc::clone(document.as_ref()?));
        hash_pages(&spec, &work).inspect_err(|why| unread(&why.message)).ok()?;
        let (reports, _none) = std::sync::mpsc::channel();
        let answers = AttemptAnswers::new(&self.ledger, &self.blob, &spec);
        let calls = Calls { reports, hedge: None };
        let outcome = self.process(&spec, &work, work.shard, 0, &calls, &answers).ok()?;
        let (done, rest) = match outcome {
            ShardOutcome::Done(done) => (done, Vec::new()),
            ShardOutcome::Partial { done, rest, step } => (done, rest.into_iter().map(|page| (page, step)).collect()),
            ShardOutcome::Retry { why, .. } | ShardOutcome::Failed(why) | ShardOutcome::Fatal(why) => {
                unread(&why.message);
                return None;
            }
            ShardOutcome::Cancelled => return None,
        };
        // A page that fails may do so because of this server: its owner finds out.
        let done = done.into_iter().map(Page::of).collect::<Option<Vec<_>>>()?;
        let hash = |page| match spec.hashes.get(page).ok()? {
            PageHash::Content(hash) => Some((page, Some(hash))),
            PageHash::None => Some((page, None)),
            PageHash::Unknown => None,
        };
        let hashes = work.shard.pages().map(hash).collect::<Option<Vec<_>>>()?;
        let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        Answer { pages: Pages { done, rest }, hashes, millis }.encode()
    }

    /// Keeps what another server has read of a shard of this one, and says how long that took it; `None` when it is no answer
    /// to the shard, or cannot be kept now.
    pub(in crate::pool) fn keep_answer(
        &self,
        spec: &JobContext,
        work: &ShardWork,
        bytes: &[u8],
    ) -> Option<(ShardResult, Duration)> {
        let Answer { pages: Pages { done, rest }, hashes, millis } = Answer::decode(bytes)?;
        // What was learnt here first stays: the page may be in the ledger by it.
        for (page, hash) in hashes.into_iter().filter(|(page, _)| work.shard.pages().contains(page)) {
            if spec.hashes.get(page).ok()? == PageHash::Unknown {
                spec.hashes.set(page, hash.as_ref()).ok()?;
            }
        }
        let done: Vec<PageRead> = done.into_iter().map(PageRead::from).collect();
        let result = self.keep(spec, work, work.shard, done, rest);
        let is_kept = matches!(result, ShardResult::Done(_) | ShardResult::Partial { .. });
        is_kept.then_some((result, Duration::from_millis(millis)))
    }
}
