//! Doing a piece of work, on a worker's thread.
//!
//! **Write order.** Outputs are in the ledger before the outcome is told.

mod keep;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use futures::FutureExt;

use tokio_util::sync::CancellationToken;

use super::claims::Claimant;
use super::crash_journal::{CrashJournal, InFlight};
use super::hedge::Hedge;
use super::kept_answers::AttemptAnswers;
use super::recent_pages::Room;
use super::spec::{JobContext, Lookups};
use super::suspended::SuspendReason;
use super::work::{NotBegun, PageResult, Plan, PoolEvent, ShardResult, ShardWork, SourceCheck, SourcePages, Work};
use super::worker::Executed;
use crate::blob::LocalBlob;
use crate::document::{Document, ImageOptions, PageImage, Readers, Shard, plan};
use crate::failpoint;
use crate::ledger::{Ledger, PageHash, PageKey};
use crate::metrics;
use crate::processor::{CallReport, ShardInput, ShardOutcome, WorkKind};
use crate::task::{Failure, PageOutput, PageView, Usage, code};

/// The longest that drawing a page for a caller may take.
const DRAWING: Duration = Duration::from_secs(60);

/// The most bytes of figures that a task has beside its result.
pub(super) const MOST_IMAGE_BYTES: u64 = 1 << 30;

/// The calls of an attempt: where they are told, and who may allow one more.
pub(super) struct Calls<'a> {
    pub(super) reports: Sender<CallReport>,
    pub(super) hedge: Option<&'a Hedge>,
}

/// What workers share.
#[derive(Clone)]
pub(super) struct Executor {
    pub(super) ledger: Ledger,
    pub(super) blob: LocalBlob,
    pub(super) journal: CrashJournal,
    pub(super) readers: Readers,
    /// For pages that are read and not joined yet.
    pub(super) room: Room,
    /// How pages of all jobs were found in the ledger.
    pub(super) lookups: Arc<Lookups>,
    /// Slots of the journal file that are taken.
    pub(super) slots: Arc<AtomicUsize>,
}

impl Executor {
    /// Does a piece of work; `slot` is the worker's own place in the journal file.
    ///
    /// # Errors
    /// [`NotBegun`] when nothing was done.
    pub(super) fn execute(
        &self,
        spec: &JobContext,
        work: Work,
        slot: usize,
        hedge: Option<&Hedge>,
        claimant: &Claimant,
    ) -> Executed {
        Ok(match work {
            Work::Plan => {
                let _entry = self.opens_here().then(|| self.journal.begin(slot, spec.in_flight(0, 0)));
                (PoolEvent::Planned(self.plan(spec)), Vec::new())
            }
            Work::Shard(work) => {
                let (reports, reported) = std::sync::mpsc::channel();
                let result = self.attempt(spec, &work, slot, &Calls { reports, hedge }, claimant)?;
                if let ShardResult::Retry { why, .. } | ShardResult::Failed(why) | ShardResult::Fatal(why) = &result {
                    metrics::attempt_failed(&why.code);
                }
                let calls: Vec<CallReport> = reported.try_iter().collect();
                (PoolEvent::ShardDone(spec.shard_done(&work, result, &calls)), calls)
            }
            Work::Aggregate(aggregate) => (PoolEvent::Aggregated(self.aggregate(spec, &aggregate)), Vec::new()),
        })
    }

    /// Whether PDFs are opened in this process, which they may end.
    pub(super) const fn opens_here(&self) -> bool {
        !self.readers.are_processes()
    }

    fn plan(&self, spec: &JobContext) -> Result<Plan, Failure> {
        let check = SourceCheck {
            path: spec.source_path.clone(),
            password: spec.options.password.clone(),
            selection: spec.options.pages.clone(),
            limits: spec.limits,
        };
        failpoint::pass("plan.begin").map_err(|e| storage_failed(&e))?;
        self.ensure_source(spec)?;
        let (document, pages) = self.open(&check)?;
        let mut known = Vec::new();
        for &page in &pages {
            if spec.cancel.is_cancelled() {
                break;
            }
            // Others may be there, too; that is found out when their turn comes, as it is for those that have no hash yet.
            if spec.hashes.get(page).map_err(|e| storage_failed(&e))? == PageHash::Unknown {
                continue;
            }
            if let Some(output) = self.known(spec, page, false).map_err(|e| storage_failed(&e))? {
                known.push((page, output.finding_set()));
            }
        }
        metrics::pages_reused(&spec.tenant, known.len());
        Ok(Plan { document: std::sync::Arc::new(document), pages, known })
    }

    /// Counts the pages of a PDF.
    pub(super) fn check(&self, check: &SourceCheck) -> Result<SourcePages, Failure> {
        let (document, pages) = self.open(check)?;
        let selected = u32::try_from(pages.len()).unwrap_or(u32::MAX);
        Ok(SourcePages { all: document.page_count(), selected })
    }

    /// Draws one page of a PDF.
    pub(super) fn draw(
        &self,
        check: &SourceCheck,
        page: u32,
        options: &ImageOptions,
        cancel: &CancellationToken,
    ) -> Result<PageImage, Failure> {
        let document = self.readers.open(&check.path, check.password.as_deref(), &check.limits)?;
        if !(1..=document.page_count()).contains(&page) {
            let message = format!("there is no page {page}: the PDF has {}", document.page_count());
            return Err(Failure::permanent(code::BAD_PAGE_RANGE, message));
        }
        document.reader().until(Instant::now() + DRAWING, cancel).image(page, options)
    }

    /// Opens a PDF and resolves which of its pages are asked for.
    pub(super) fn open(&self, check: &SourceCheck) -> Result<(Document, Vec<u32>), Failure> {
        let document = self.readers.open(&check.path, check.password.as_deref(), &check.limits)?;
        let pages = match &check.selection {
            Some(selection) => selection
                .resolve(document.page_count())
                .map_err(|error| Failure::permanent(code::BAD_PAGE_RANGE, error.to_string()))?,
            None => (1..=document.page_count()).collect(),
        };
        Ok((document, pages))
    }

    /// Makes sure that the source file is on this machine.
    pub(super) fn ensure_source(&self, spec: &JobContext) -> Result<(), Failure> {
        self.blob.ensure(&spec.source_key, &spec.source).map_err(|error| {
            log::warn!(task:% = spec.task; "the source cannot be fetched: {error}");
            storage_failed(&error)
        })
    }

    /// A page, if it is in the ledger: of this machine, or `anywhere` in shared storage, which costs a request.
    pub(super) fn known(&self, spec: &JobContext, page: u32, anywhere: bool) -> io::Result<Option<PageOutput>> {
        let found = spec.hashes.find(&self.ledger, page, &spec.recipes, anywhere)?;
        let Some(output) = found else { return Ok(None) };
        Ok(self.place_images(spec, page, &output, false)?.then_some(output))
    }

    /// Puts the files of a page's figures beside the task's result; `false` when there are none, so that the page is to be
    /// read again. Which figures a finished task has is decided when its result is written, by the order of its pages, and
    /// then they are looked at `again`; until then those that come when there are too many are left out.
    pub(super) fn place_images(
        &self,
        spec: &JobContext,
        page: u32,
        output: &PageOutput,
        again: bool,
    ) -> io::Result<bool> {
        let bytes: u64 = output.content.images.iter().map(|file| file.bytes).sum();
        let has_room = || spec.image_bytes.load(Ordering::Relaxed).saturating_add(bytes) <= MOST_IMAGE_BYTES;
        if bytes == 0 || !again && !has_room() {
            return Ok(true);
        }
        let keys =
            spec.recipes.iter().map(|recipe| spec.hashes.page_key(page, *recipe)).collect::<io::Result<Vec<_>>>()?;
        let given = self.ledger.give_images(&keys, output, (&self.blob, &spec.folder()), again)?;
        spec.image_bytes.fetch_add(given.unwrap_or(0), Ordering::Relaxed);
        Ok(given.is_some())
    }

    /// One attempt. Pages that another task paid for are not read again; for those that one is paying for now, it waits.
    ///
    /// # Errors
    /// [`NotBegun`] when nothing was read.
    fn attempt(
        &self,
        spec: &JobContext,
        work: &ShardWork,
        slot: usize,
        calls_made: &Calls<'_>,
        claimant: &Claimant,
    ) -> Result<ShardResult, NotBegun> {
        if let Err(why) = self.ensure_source(spec) {
            return Ok(ShardResult::Retry { after: None, why });
        }
        let (mut receipts, mut rest) = (Vec::new(), Vec::new());
        let kind = spec.step(work).kind();
        let flight = spec.in_flight(work.shard.first, work.shard.last);
        let entry = self.opens_here().then(|| self.journal.begin(slot, flight));
        let hashed = hash_pages(spec, work);
        drop(entry);
        match hashed {
            Ok(()) => {}
            Err(why) if why.is_resource_exhausted() => return Ok(ShardResult::Retry { after: None, why }),
            Err(why) => return Ok(ShardResult::Failed(why)),
        }
        if kind == WorkKind::Call {
            match claimed_keys(spec, work) {
                // Before they are looked up: what another attempt pays for is in the ledger when its claim ends.
                Ok(keys) => claimant.claim(keys).map_err(NotBegun::Claimed)?,
                Err(error) => {
                    return Ok(ShardResult::Retry { after: None, why: storage_failed(&error) });
                }
            }
        }
        // Of equal pages in one shard the first is read; the others find it in the ledger.
        let mut left: Vec<u32> = work.shard.pages().collect();
        while !left.is_empty() {
            // Only what is about to be paid for is worth a request.
            let anywhere = kind == WorkKind::Call;
            let missing = match self.take_known(spec, &mut left, &mut receipts, anywhere) {
                Ok(missing) => missing,
                Err(error) => {
                    return Ok(ShardResult::Retry { after: None, why: storage_failed(&error) });
                }
            };
            // What may end whatever reads it is read piece by piece.
            for shard in plan(missing, if work.quarantined { 1 } else { u32::MAX }) {
                // Before each call: of what has begun, what is left goes back as shards that wait.
                if let Some(reason) = self.suspends(spec) {
                    // What goes back as shards that wait was begun, too: its calls are to be counted.
                    if receipts.is_empty() && rest.is_empty() {
                        return Err(NotBegun::Suspended(reason));
                    }
                    rest.extend(shard.pages().map(|page| (page, work.state.index)));
                    continue;
                }
                match self.read(spec, work, shard, slot, calls_made) {
                    ShardResult::Done(read) => receipts.extend(read),
                    ShardResult::Partial { done, rest: more } => {
                        receipts.extend(done);
                        rest.extend(more);
                    }
                    other => return Ok(other),
                }
            }
            // Those that show the same as one that is read later are looked up then.
            if let Some(step) = rest.iter().map(|(_, step)| *step).max() {
                rest.extend(left.drain(..).map(|page| (page, step)));
            }
        }
        Ok(if rest.is_empty() { ShardResult::Done(receipts) } else { ShardResult::Partial { done: receipts, rest } })
    }

    /// Takes out of `left` the pages that are in the ledger, with their receipts, and those that are to be read now, which
    /// are returned: all others but those that show the same as one of them.
    fn take_known(
        &self,
        spec: &JobContext,
        left: &mut Vec<u32>,
        receipts: &mut Vec<(u32, Result<PageResult, Failure>)>,
        anywhere: bool,
    ) -> io::Result<Vec<u32>> {
        let (mut missing, mut keys, mut equal, mut known_pages) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for page in std::mem::take(left) {
            let known = self.known(spec, page, anywhere);
            let is_found = matches!(known, Ok(Some(_)));
            metrics::looked_up(is_found);
            [&spec.lookups, &*self.lookups].iter().for_each(|lookups| lookups.count(is_found));
            if let Some(output) = known? {
                let findings = output.finding_set();
                let view = Some(Box::new(PageView::done(page, output)));
                receipts.push((page, Ok(PageResult { usage: Usage::REUSED, findings, view })));
                known_pages += 1;
                continue;
            }
            let key = spec.recipes.first().map(|recipe| spec.hashes.page_key(page, *recipe)).transpose()?;
            if keys.contains(&key) {
                equal.push(page);
            } else {
                keys.push(key);
                missing.push(page);
            }
        }
        metrics::pages_reused(&spec.tenant, known_pages);
        *left = equal;
        Ok(missing)
    }

    /// Why nothing that costs anything may begin now, if there is a reason.
    fn suspends(&self, spec: &JobContext) -> Option<SuspendReason> {
        match (spec.lease.holds(), self.blob.has_room()) {
            (false, _) => Some(SuspendReason::LeaseEnded),
            (true, false) => Some(SuspendReason::NoRoom),
            (true, true) => None,
        }
    }

    fn read(&self, spec: &JobContext, work: &ShardWork, shard: Shard, slot: usize, calls: &Calls<'_>) -> ShardResult {
        if spec.cancel.is_cancelled() {
            return ShardResult::Cancelled;
        }
        let answers = AttemptAnswers::new(&self.ledger, &self.blob, spec);
        let outcome = match self.process(spec, work, shard, slot, calls, &answers) {
            Ok(outcome) => outcome,
            Err(error) => return ShardResult::Failed(storage_failed(&error)),
        };
        let is_unanswered = matches!(outcome, ShardOutcome::Retry { .. } | ShardOutcome::Cancelled);
        let result = match outcome {
            ShardOutcome::Done(pages) => self.keep(spec, work, shard, pages, Vec::new()),
            ShardOutcome::Partial { done, rest, step } => {
                self.keep(spec, work, shard, done, rest.into_iter().map(|page| (page, step)).collect())
            }
            ShardOutcome::Retry { after, why } => ShardResult::Retry { after, why },
            ShardOutcome::Failed(why) if why.is_resource_exhausted() => ShardResult::Retry { after: None, why },
            ShardOutcome::Failed(why) => ShardResult::Failed(why),
            ShardOutcome::Fatal(why) => ShardResult::Fatal(why),
            ShardOutcome::Cancelled => ShardResult::Cancelled,
        };
        answers.let_go_unless(is_unanswered);
        result
    }

    /// Has the processor read some pages of a shard.
    ///
    /// # Errors
    /// Only where a test asked for one.
    pub(super) fn process(
        &self,
        spec: &JobContext,
        work: &ShardWork,
        shard: Shard,
        slot: usize,
        calls: &Calls<'_>,
        answers: &AttemptAnswers<'_>,
    ) -> io::Result<ShardOutcome> {
        // What cannot end this process is not to be suspected when something else does.
        let quarantined = self.opens_here() || !spec.processor.is_isolated();
        let entry = quarantined.then(|| self.journal.begin(slot, spec.in_flight(shard.first, shard.last)));
        let waits = |waits: bool| entry.iter().for_each(|entry| entry.mark(!waits));
        let called = |report: CallReport| {
            let Usage { prompt_tokens, completion_tokens, cost, .. } = report.usage;
            metrics::spent(&spec.tenant, prompt_tokens, completion_tokens, cost.unwrap_or_default());
            let _ = calls.reports.send(report);
        };
        let input = ShardInput {
            document: &work.document,
            shard,
            options: &spec.options,
            file_name: spec.file_name.as_deref(),
            attempt: work.attempt,
            deadline: Instant::now() + spec.attempt_timeout,
            cancel: &spec.cancel,
            step: spec.step(work),
            state: work.state,
            history: &work.history,
            on_waiting: &waits,
            on_call: &called,
            kept_answers: answers,
            on_hedge: &|| calls.hedge.map_or_else(|| std::future::ready(None).boxed(), Hedge::acquire),
        };
        failpoint::pass("attempt.begin").and_then(|()| failpoint::pass_pages(shard.pages()))?;
        let outcome = spec.processor.process(&input);
        drop(entry);
        failpoint::pass("attempt.answered")?;
        Ok(outcome)
    }
}

/// The ledger's keys of what the pages of a shard may come out as.
fn claimed_keys(spec: &JobContext, work: &ShardWork) -> io::Result<Vec<PageKey>> {
    let keys = |page| spec.recipes.iter().map(move |recipe| spec.hashes.page_key(page, *recipe));
    work.shard.pages().flat_map(keys).collect()
}

/// Finds out what the pages of a shard show, where that is not known.
pub(super) fn hash_pages(spec: &JobContext, work: &ShardWork) -> Result<(), Failure> {
    let mut reader = None;
    for page in work.shard.pages() {
        if spec.hashes.get(page).map_err(|e| storage_failed(&e))? != PageHash::Unknown {
            continue;
        }
        let deadline = Instant::now() + spec.attempt_timeout;
        let reader = reader.get_or_insert_with(|| work.document.reader().until(deadline, &spec.cancel));
        match reader.content_hash(page) {
            Ok(hash) => spec.hashes.set(page, Some(&hash)).map_err(|e| storage_failed(&e))?,
            Err(why) if why.retryable => return Err(why),
            // It goes by its place; whether it can be read is the processor's to say.
            Err(why) => {
                log::debug!(task:% = spec.task, page, code:% = why.code; "a page has no hash");
                spec.hashes.set(page, None).map_err(|e| storage_failed(&e))?;
            }
        }
    }
    Ok(())
}

impl JobContext {
    fn in_flight(&self, first: u32, last: u32) -> InFlight {
        InFlight { task: self.task, epoch: self.epoch, first, last }
    }
}

pub(super) fn storage_failed(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::StorageFull {
        return Failure::transient(code::DISK_FULL, "the disk is full");
    }
    Failure::transient(code::STORAGE_FAILED, format!("a page or result cannot be stored: {}", error.kind()))
}
