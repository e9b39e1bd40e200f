//! The supervisor's state, its jobs, and their way into the store.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use actix::{Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, SpawnHandle, WrapFuture};
use serde_json::{Value, json};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

use super::draft::Draft;
use super::expiry::set_expiry;
use super::holds::Tenure;
use super::janitor::Janitor;
use super::options::SupervisorOptions;
use super::passed_over::PassedOver;
use super::registry::Processors;
use super::tenants::{Accounts, Waiting};
use crate::blob::LocalBlob;
use crate::clock::{CautiousClock, TaskClock, Timestamp, Uptime};
use crate::document::Readers;
use crate::job::{JobActor, JobEnd, JobNews, JobProgress, JobReport, JobRuntime, RetryPolicy, StopJob};
use crate::ledger::{Ledger, LedgerScope, PageHashes, RecipeHash};
use crate::metrics;
use crate::notify::Notifier;
use crate::pool::{Dispatcher, JobSpec, Lease};
use crate::processor::Processor;
use crate::store::TaskStore;
use crate::task::{
    Cost, Failure, PageView, ResultDigests, TaskId, TaskOptions, TaskRecord, TaskStatus, TaskStep, Usage, code,
};

/// Progress goes to the store at most this often; a step goes at once.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// The actor that owns the task store. See the [module](super).
pub struct Supervisor {
    pub(super) store: Arc<dyn TaskStore>,
    pub(super) blob: LocalBlob,
    pub(super) ledger: Ledger,
    pub(super) processors: Processors,
    pub(super) dispatcher: Addr<Dispatcher>,
    pub(super) options: SupervisorOptions,
    /// Where PDFs are opened.
    pub(super) readers: Readers,
    /// The name of this process in leases and records.
    pub(super) owner: String,
    /// Tasks with a job, or about to have one.
    pub(super) active: HashMap<TaskId, Slot>,
    /// Known tasks without a job.
    pub(super) waiting: Waiting,
    /// Whose the unfinished tasks are.
    pub(super) accounts: Accounts,
    pub(super) clock: TaskClock,
    /// Pages of running tasks as they get their outcomes, for those who follow them.
    pub(super) feeds: HashMap<TaskId, broadcast::Sender<Arc<[PageView]>>>,
    pub(super) watchers: HashMap<TaskId, watch::Sender<Option<TaskRecord>>>,
    /// Who tells others that tasks have ended.
    pub(super) notifier: Notifier,
    /// Tasks whose end somebody is being told of, and the host that is.
    pub(super) sending: HashMap<TaskId, Option<String>>,
    /// Submits that are being accepted.
    pub(super) submitting: usize,
    pub(super) draining: bool,
    /// How long it may count on its leases.
    pub(super) tenure: Tenure,
    /// Unfinished tasks that this process cannot run.
    pub(super) passed_over: PassedOver,
    /// Whether the store did not answer since it was last heard of.
    pub(super) store_was_away: bool,
    /// Absent while it makes its round.
    pub(super) janitor: Option<Box<Janitor>>,
    pub(super) janitor_timer: Option<SpawnHandle>,
    /// How many records differ from the store; watched by who waits for the drain.
    pub(super) unsettled: watch::Sender<usize>,
}

/// What a supervisor works with.
pub struct SupervisorParts {
    /// Where task records live.
    pub store: Arc<dyn TaskStore>,
    /// Where sources and results live.
    pub blob: LocalBlob,
    /// Where pages live.
    pub ledger: Ledger,
    /// Who reads pages.
    pub processors: Processors,
    /// Who hands out work.
    pub dispatcher: Addr<Dispatcher>,
    /// Where PDFs are opened: in processes of their own none can end this one.
    pub readers: Readers,
    /// The name of this process; no other ever had it.
    pub owner: String,
    /// Limits and times.
    pub options: SupervisorOptions,
}

/// A place among the running tasks.
pub(super) enum Slot {
    /// The record is being written or taken over; there is no job yet. Whoever waits for that watches the sender go.
    Claiming(watch::Sender<()>),
    /// There is a job, or its last write is under way.
    Running(Box<Running>),
}

impl Slot {
    pub(super) fn claiming() -> Self {
        Self::Claiming(watch::Sender::new(()))
    }
}

pub(super) struct Running {
    pub(super) draft: Draft,
    pub(super) job: Option<Addr<JobActor>>,
    /// Until when its attempts may begin.
    pub(super) lease: Lease,
    /// What earlier jobs of the task had cost.
    cost_before: Usage,
    last_progress: Instant,
    progress_timer: bool,
}

impl Supervisor {
    /// A supervisor that begins with the unfinished tasks of its store when it is started.
    #[must_use]
    pub fn new(parts: SupervisorParts) -> Self {
        let SupervisorParts { store, blob, ledger, processors, dispatcher, readers, owner, options } = parts;
        let (clock, notify) = (TaskClock::default(), options.notify.clone());
        let tenure = Tenure::new(store.lease());
        let janitor = Janitor {
            store: Arc::clone(&store),
            blob: blob.clone(),
            ledger: ledger.clone(),
            limits: options.ledger,
            owner: owner.clone(),
            tick: options.janitor_tick,
            ttl: options.ttl,
            corrected: 0,
            missing: HashMap::new(),
            measured: None,
            unreadable_since: None,
            clock: clock.clone(),
            wall_clock: CautiousClock::default(),
        };
        Self {
            store,
            blob,
            ledger,
            processors,
            dispatcher,
            options,
            readers,
            owner,
            active: HashMap::new(),
            waiting: Waiting::default(),
            accounts: Accounts::default(),
            clock,
            feeds: HashMap::new(),
            watchers: HashMap::new(),
            notifier: Notifier::new(notify),
            sending: HashMap::new(),
            submitting: 0,
            draining: false,
            tenure,
            passed_over: PassedOver::default(),
            store_was_away: false,
            janitor: Some(Box::new(janitor)),
            janitor_timer: None,
            unsettled: watch::Sender::new(0),
        }
    }

    /// Unfinished tasks that this process knows of, with those that are on their way in.
    pub(super) fn unfinished(&self) -> usize {
        self.active.len() + self.waiting.len() + self.submitting + self.accounts.uploads()
    }

    pub(super) fn running(&self, id: TaskId) -> Option<&Running> {
        match self.active.get(&id) {
            Some(Slot::Running(running)) => Some(running),
            _ => None,
        }
    }

    pub(super) fn running_mut(&mut self, id: TaskId) -> Option<&mut Running> {
        match self.active.get_mut(&id) {
            Some(Slot::Running(running)) => Some(running),
            _ => None,
        }
    }

    /// Whether there is a place for one more job.
    pub(super) fn has_place(&self) -> bool {
        self.active.len() < self.options.max_active && !self.draining
    }

    /// Fills free places with waiting tasks.
    pub(super) fn fill_places(&mut self, ctx: &mut Context<Self>) {
        while self.has_place() {
            let full = self.full_tenants();
            let Some(id) = self.waiting.pop(|tenant| !full.contains(tenant)) else { return };
            if !self.active.contains_key(&id) {
                self.claim(id, ctx);
            }
        }
    }

    /// Tenants that run as many jobs as one may.
    pub(super) fn full_tenants(&self) -> HashSet<String> {
        let mut running = HashMap::<&str, usize>::new();
        for id in self.active.keys() {
            *running.entry(self.accounts.tenant_of(*id)).or_default() += 1;
        }
        let most = self.options.tenant.running;
        let full = running.into_iter().filter(|(tenant, jobs)| !tenant.is_empty() && *jobs >= most);
        full.map(|(tenant, _)| tenant.to_owned()).collect()
    }

    /// Gives a task its job. Its record was written at or after `asked`, with this process as its owner.
    pub(super) fn start_job(&mut self, record: TaskRecord, asked: Uptime, ctx: &mut Context<Self>) {
        let id = record.id;
        self.accounts.add(&record);
        let lease = self.new_lease(asked);
        let spec = self.job_spec(&record, lease.clone());
        let mut running = Running {
            lease,
            cost_before: record.usage,
            draft: Draft::stored(record),
            job: None,
            last_progress: Instant::now(),
            progress_timer: false,
        };
        match spec {
            Ok(spec) => {
                let record = running.draft.record();
                let usual = self.options.retry.max_attempts;
                let max_attempts = spec.processor.attempts(&record.options, usual);
                let retry = RetryPolicy { max_attempts, ..self.options.retry };
                let runtime = JobRuntime::new(
                    id,
                    record.work_dir.clone(),
                    spec.markdown_key.clone(),
                    spec.cut(),
                    record.options.max_failed_pages,
                    retry,
                    self.crashes(record, spec.processor.as_ref()),
                );
                let runtime = match record.options.max_cost {
                    Some(most) => runtime.with_budget(most, record.usage),
                    None => runtime,
                };
                log::info!(task:% = id, epoch = record.epoch, pages = record.total_pages.unwrap_or(0); "job starts");
                let reports = ctx.address().recipient();
                let job = JobActor::new(Arc::new(spec), runtime, self.dispatcher.clone(), reports);
                running.job = Some(job.start());
                self.active.insert(id, Slot::Running(Box::new(running)));
            }
            Err(why) => {
                self.active.insert(id, Slot::Running(Box::new(running)));
                self.end(id, TaskStep::Fail, Some(why), None, ctx);
            }
        }
    }

    fn job_spec(&self, record: &TaskRecord, lease: Lease) -> Result<JobSpec, Failure> {
        let processor = self.processors.get(&record.processor).ok_or_else(|| {
            let message = format!("the processor {:?} is not there any more", record.processor);
            Failure::permanent(code::BAD_OPTION, message)
        })?;
        if record.options.max_cost.is_some() {
            // A server that was started without the prices cannot keep within it.
            processor.check(&record.options)?;
        }
        let path = self.blob.path(&record.pdf_path);
        let scope = LedgerScope::of(self.options.ledger_sharing, record.tenant.as_deref());
        Ok(JobSpec {
            task: record.id,
            epoch: record.epoch,
            tenant: record.tenant.clone().unwrap_or_default(),
            source_path: path.map_err(|e| Failure::permanent(code::STORAGE_FAILED, e.to_string()))?,
            hashes: PageHashes::new(self.blob.clone(), &record.work_dir, &record.source.sha256, scope),
            file_name: record.file_name.clone(),
            options: record.options.clone(),
            recipes: task_recipes(processor.as_ref(), record),
            processor: Arc::clone(processor),
            limits: self.options.limits,
            max_attempts: self.options.retry.max_attempts,
            attempt_timeout: record.options.timeout_or(self.options.attempt_timeout),
            patience: self.options.retry.patience,
            shared_patience: self.options.retry.shared_patience,
            markdown_key: record.markdown_key(),
            json_key: record.json_key(),
            image_bytes: AtomicU64::new(0),
            crashes: self.crashes(record, processor.as_ref()).get(&0).copied().unwrap_or(0),
            lease,
            cancel: CancellationToken::new(),
        })
    }

    fn progressed(&mut self, id: TaskId, progress: &JobProgress, ctx: &mut Context<Self>) {
        let Some(running) = self.running_mut(id) else { return };
        if running.draft.record().status.is_final() {
            return;
        }
        let begins = progress.started && running.draft.record().status == TaskStatus::Pending;
        let cost = sum(running.cost_before, progress.usage);
        let now = self.clock.now();
        let Some(running) = self.running_mut(id) else { return };
        let record = running.draft.change();
        record.counts = progress.counts;
        record.usage = cost;
        record.total_pages = progress.total_pages.or(record.total_pages);
        record.updated_at = now.max(record.updated_at);
        let due = running.last_progress.elapsed() >= PROGRESS_EVERY;
        if begins {
            self.step(id, TaskStep::Dispatch, now);
        }
        self.publish(id);
        if begins || due {
            self.write_progress(id, ctx);
        } else if let Some(running) = self.running_mut(id)
            && !std::mem::replace(&mut running.progress_timer, true)
        {
            ctx.run_later(PROGRESS_EVERY, move |this, ctx| this.write_progress(id, ctx));
        }
    }

    fn write_progress(&mut self, id: TaskId, ctx: &mut Context<Self>) {
        if let Some(running) = self.running_mut(id) {
            running.last_progress = Instant::now();
            running.progress_timer = false;
        }
        self.persist(id, ctx);
    }

    /// Takes a step on the draft of a running task; `false` when its status does not allow it.
    pub(super) fn step(&mut self, id: TaskId, step: TaskStep, now: Timestamp) -> bool {
        let (clock, ttl) = (self.clock.clone(), self.options.ttl);
        let Some(running) = self.running_mut(id) else { return false };
        if running.draft.record().status.next(step).is_err() {
            return false;
        }
        let record = running.draft.change();
        let taken = record.take(step, now, ttl).is_ok();
        set_expiry(record, &clock, ttl);
        taken
    }

    /// Ends a running task; the end counts once it is stored. A result is the key of its Markdown and what its files are.
    pub(super) fn end(
        &mut self,
        id: TaskId,
        step: TaskStep,
        error: Option<Failure>,
        result: Option<(String, Option<Box<ResultDigests>>)>,
        ctx: &mut Context<Self>,
    ) {
        if !self.step(id, step, self.clock.now()) {
            return;
        }
        if let Some(running) = self.running_mut(id) {
            let record = running.draft.change();
            record.error = error;
            (record.result_path, record.result_digests) =
                result.map_or((None, None), |(key, digests)| (Some(key), digests.map(|digests| *digests)));
        }
        self.persist(id, ctx);
    }

    /// Lets go of a task that is not ours any more, without a word to the store.
    pub(super) fn give_up(&mut self, id: TaskId, ctx: &mut Context<Self>) {
        self.accounts.remove(id);
        if let Some(Slot::Running(running)) = self.active.remove(&id)
            && let Some(job) = running.job
        {
            ctx.spawn(
                async move {
                    let _ = job.send(StopJob).await;
                }
                .into_actor(self),
            );
        }
        self.fill_places(ctx);
    }

    /// Stops the job of a running task, then ends the task as cancelled.
    pub(super) fn stop_and_cancel(&mut self, id: TaskId, ctx: &mut Context<Self>) {
        let job = self.running(id).and_then(|running| running.job.clone());
        let stopped = async move {
            if let Some(job) = job {
                let _ = job.send(StopJob).await;
            }
        };
        ctx.spawn(stopped.into_actor(self).map(move |(), this, ctx| this.end(id, TaskStep::Cancel, None, None, ctx)));
    }

    /// The final record is stored: tell who waits, and make room.
    pub(super) fn finish(&mut self, record: TaskRecord, ctx: &mut Context<Self>) {
        let done = record.counts.done;
        let failed = record.counts.failed;
        log::info!(task:% = record.id, status:% = record.status, done, failed; "task is {}", record.status);
        metrics::task_ended(record.status.as_str());
        self.active.remove(&record.id);
        self.accounts.remove(record.id);
        if record.message_due_at().is_some() {
            self.send_due(ctx);
        }
        self.feeds.remove(&record.id);
        if let Some(watcher) = self.watchers.remove(&record.id) {
            watcher.send_replace(Some(record));
        }
        self.fill_places(ctx);
    }

    /// Shows pages to who follows the task.
    fn tell_pages(&mut self, id: TaskId, pages: Vec<PageView>) {
        let Some(feed) = self.feeds.get(&id) else { return };
        if feed.receiver_count() == 0 {
            self.feeds.remove(&id);
        } else if !pages.is_empty() {
            let _ = feed.send(pages.into());
        }
    }

    /// Shows the record of a running task to who watches it. A final status is shown only when it is stored.
    fn publish(&self, id: TaskId) {
        if let (Some(running), Some(watcher)) = (self.running(id), self.watchers.get(&id)) {
            watcher.send_replace(Some(running.draft.record().clone()));
        }
    }

    /// A receiver that is told when nothing is left to write.
    pub(crate) fn settled(&self) -> watch::Receiver<usize> {
        self.unsettled.subscribe()
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.keep_house(ctx);
        self.start_janitor(ctx);
        self.watch_outbox(ctx);
        if self.store.lease().is_some() {
            self.watch_others(ctx);
        }
    }
}

impl Handler<JobReport> for Supervisor {
    type Result = ();

    fn handle(&mut self, JobReport { task, epoch, news }: JobReport, ctx: &mut Context<Self>) {
        // Words of an older job say nothing about this one.
        if self.running(task).is_none_or(|running| running.draft.record().epoch != epoch) {
            return;
        }
        match news {
            JobNews::Progress(progress, pages) => {
                self.tell_pages(task, pages);
                self.progressed(task, &progress, ctx);
            }
            JobNews::Ended(progress, pages, end, written) => {
                self.tell_pages(task, pages);
                self.progressed(task, &progress, ctx);
                if let Some(running) = self.running_mut(task) {
                    running.job = None;
                }
                let result = self.running(task).map(|running| (running.draft.record().markdown_key(), written));
                match end {
                    JobEnd::Completed => self.end(task, TaskStep::Complete, None, result, ctx),
                    JobEnd::Failed { why, partial } => {
                        self.end(task, TaskStep::Fail, Some(why), result.filter(|_| partial), ctx);
                    }
                    JobEnd::Stopped => {}
                }
            }
        }
    }
}

/// The names under which the ledger may have the pages of a task.
///
/// A page that goes to a model together with others may come out otherwise because of them. Such pages are kept for the
/// tenant alone: what one caller puts beside a page must not decide what another one gets for it.
pub(super) fn recipe_hashes(processor: &dyn Processor, options: &TaskOptions, tenant: Option<&str>) -> Vec<RecipeHash> {
    let several = processor.is_paid() && options.shard_pages.unwrap_or(1) > 1;
    let name = |recipe: Value| {
        let by_number = recipe["by_number"] == true;
        let own = several.then(|| json!({ "recipe": recipe, "beside_others_of": tenant }));
        RecipeHash::of(&own.unwrap_or(recipe)).with_number(by_number)
    };
    processor.recipes(options).into_iter().map(name).collect()
}

/// The names under which the ledger may have the pages of a task that is there. One that is retried does not take pages
/// that stray from what their PDF says, but those that it has read itself since.
pub(super) fn task_recipes(processor: &dyn Processor, record: &TaskRecord) -> Vec<RecipeHash> {
    let recipes = recipe_hashes(processor, &record.options, record.tenant.as_deref());
    if record.retries == 0 {
        return recipes;
    }
    let since = json!({ "task": record.id, "retries": record.retries, "processor": processor.recipe(&record.options) });
    let own = RecipeHash::of(&since).with_number(true);
    recipes.into_iter().map(RecipeHash::faithful_only).chain(std::iter::once(own)).collect()
}

fn sum(a: Usage, b: Usage) -> Usage {
    Usage {
        calls: a.calls + b.calls,
        reused: a.reused + b.reused,
        prompt_tokens: a.prompt_tokens + b.prompt_tokens,
        completion_tokens: a.completion_tokens + b.completion_tokens,
        cost: Cost::sum(a.cost, b.cost),
    }
}
