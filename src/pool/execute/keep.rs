//! Putting what was read into the ledger, before it is told.

use std::io;
use std::time::{Duration, Instant};

use super::{Executor, storage_failed};
use crate::blob::Durability;
use crate::document::Shard;
use crate::failpoint;
use crate::ledger::{PageKey, PurgeList};
use crate::metrics;
use crate::pool::spec::JobContext;
use crate::pool::work::{PageResult, ShardResult, ShardWork};
use crate::processor::PageRead;
use crate::task::{Failure, PageOutput, Usage, code};

/// How soon it is tried again to keep a page that found no room.
const KEEP_PAUSE: Duration = Duration::from_secs(1);

impl Executor {
    /// Puts what was read into the ledger. A page that the processor forgot, or named twice, is its failure.
    pub(in crate::pool) fn keep(
        &self,
        spec: &JobContext,
        work: &ShardWork,
        shard: Shard,
        mut pages: Vec<PageRead>,
        rest: Vec<(u32, usize)>,
    ) -> ShardResult {
        pages.sort_by_key(|read| read.page);
        let later = rest.iter().map(|(page, _)| *page);
        let mut named: Vec<u32> = pages.iter().map(|read| read.page).chain(later).collect();
        named.sort_unstable();
        if named.into_iter().ne(shard.pages()) {
            let message = format!("the processor {} did not answer for each page once", spec.processor.name());
            return ShardResult::Failed(Failure::permanent(code::BAD_ANSWER, message));
        }
        let mut receipts = Vec::with_capacity(pages.len());
        let mut spent = work.spent;
        // One call may stand for all of them, and one of an attempt before may have brought it.
        let called = |output: &PageOutput| output.usage.calls > 0 || output.model.is_some();
        let called = pages.iter().any(|read| read.result.as_ref().is_ok_and(called));
        let paid = spec.step(work).is_paid && called;
        for PageRead { page, result } in pages {
            let receipt = match result {
                Ok(output) => {
                    let usage = output.usage;
                    let output = with_spent(output, &mut spent);
                    match self.keep_page(spec, work, page, &output, paid) {
                        Ok(key) => {
                            metrics::page_read(&output.processor, &spec.tenant);
                            let findings = output.finding_set();
                            Ok(PageResult { usage, findings, view: Some(self.done(spec, (page, key), output)) })
                        }
                        // Reading it again would be paid again, so this is the page's failure and not tried again.
                        Err(error) if paid => Err(storage_failed(&error)),
                        Err(error) => {
                            return ShardResult::Retry { after: None, why: storage_failed(&error) };
                        }
                    }
                }
                Err(failure) => Err(failure),
            };
            receipts.push((page, receipt));
        }
        if let Err(error) = failpoint::pass("attempt.kept") {
            return ShardResult::Failed(storage_failed(&error));
        }
        if rest.is_empty() { ShardResult::Done(receipts) } else { ShardResult::Partial { done: receipts, rest } }
    }

    /// Puts a page into the ledger. One that was paid is held on to until there is room for it, and its worker with it:
    /// without room no other call should begin either.
    fn keep_page(
        &self,
        spec: &JobContext,
        work: &ShardWork,
        page: u32,
        output: &PageOutput,
        paid: bool,
    ) -> io::Result<PageKey> {
        let key = spec.page_key(page, work.state.index, output)?;
        let durability = if paid { Durability::Synced } else { Durability::Cached };
        let begun = Instant::now();
        loop {
            let Err(error) = self.put_page(spec, (page, key), output, durability) else { return Ok(key) };
            let wait = paid && !spec.cancel.is_cancelled() && begun.elapsed() < spec.unavailable_timeout;
            if !wait {
                return Err(error);
            }
            log::warn!(task:% = spec.task, page; "a page that is paid for finds no room, trying again: {error}");
            let _ = crossbeam_channel::never::<()>().recv_timeout(KEEP_PAUSE);
        }
    }

    /// Puts a page into the ledger, where it does not stay if its task is being purged: the purge is noted before its
    /// sweep of the ledger, so either that finds this page, or this finds the note.
    fn put_page(
        &self,
        spec: &JobContext,
        (page, key): (u32, PageKey),
        output: &PageOutput,
        durability: Durability,
    ) -> io::Result<()> {
        self.ledger.put(key, output, durability)?;
        let placed = self.place_images(spec, page, output, false);
        // Where it costs a request, for what is paid alone: other servers look for the rest in their directories later.
        let looks = !self.blob.is_shared() || durability == Durability::Synced;
        if looks && PurgeList::is_begun(&self.blob, spec.task) { self.ledger.remove(key) } else { placed.map(drop) }
    }
}

/// What earlier attempts cost stands with the first page that came of it.
fn with_spent(mut output: PageOutput, spent: &mut Usage) -> PageOutput {
    output.usage += std::mem::take(spent);
    output
}
