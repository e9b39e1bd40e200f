//! The supervisor's state, its jobs, and their way into the store.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, WrapFuture};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::draft::Draft;
use super::options::SupervisorOptions;
use super::registry::Processors;
use crate::blob::LocalBlob;
use crate::clock::Timestamp;
use crate::job::{JobActor, JobEnd, JobNews, JobProgress, JobReport, JobRuntime, StopJob};
use crate::ledger::RecipeHash;
use crate::pool::{Dispatcher, JobSpec};
use crate::store::{ListQuery, StoreError, TaskStore, Update};
use crate::task::{Failure, TaskId, TaskRecord, TaskStatus, TaskStep, Usage, code};

/// Progress goes to the store at most this often; a step goes at once.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);
/// The longest wait before a write that did not land is sent again.
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
/// Tasks read at once when unfinished ones are looked for.
const RECOVERY_WINDOW: usize = 500;

/// The actor that owns the task store. See the [module](super).
pub struct Supervisor {
    pub(super) store: Arc<dyn TaskStore>,
    pub(super) blob: LocalBlob,
    pub(super) processors: Processors,
    pub(super) dispatcher: Addr<Dispatcher>,
    pub(super) options: SupervisorOptions,
    /// Tasks with a job, or about to have one.
    pub(super) active: HashMap<TaskId, Slot>,
    /// Accepted tasks without a job, in the order of their coming.
    pub(super) waiting: VecDeque<TaskId>,
    pub(super) watchers: HashMap<TaskId, watch::Sender<Option<TaskRecord>>>,
    /// Submits that are being accepted.
    pub(super) submitting: usize,
    pub(super) draining: bool,
    /// How many records differ from the store; watched by who waits for the drain.
    unsettled: watch::Sender<usize>,
}

/// A place among the running tasks.
pub(super) enum Slot {
    /// The record is being taken over; there is no job yet.
    Claiming,
    /// There is a job, or its last write is under way.
    Running(Box<Running>),
}

pub(super) struct Running {
    pub(super) draft: Draft,
    pub(super) job: Option<Addr<JobActor>>,
    /// What earlier jobs of the task had cost.
    cost_before: Usage,
    last_progress: Instant,
    progress_timer: bool,
}

impl Supervisor {
    /// A supervisor that begins with the unfinished tasks of `store` when it is started.
    #[must_use]
    pub fn new(
        store: Arc<dyn TaskStore>,
        blob: LocalBlob,
        processors: Processors,
        dispatcher: Addr<Dispatcher>,
        options: SupervisorOptions,
    ) -> Self {
        Self {
            store,
            blob,
            processors,
            dispatcher,
            options,
            active: HashMap::new(),
            waiting: VecDeque::new(),
            watchers: HashMap::new(),
            submitting: 0,
            draining: false,
            unsettled: watch::Sender::new(0),
        }
    }

    /// Unfinished tasks that this process knows of.
    pub(super) fn unfinished(&self) -> usize {
        self.active.len() + self.waiting.len() + self.submitting
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

    /// Gives a stored, pending task its job, now or when its turn comes.
    pub(super) fn admit(&mut self, record: TaskRecord, ctx: &mut Context<Self>) {
        if self.active.len() < self.options.max_active && !self.draining {
            self.start_job(record, ctx);
        } else {
            self.waiting.push_back(record.id);
        }
    }

    /// Fills free places with waiting tasks.
    pub(super) fn fill_places(&mut self, ctx: &mut Context<Self>) {
        while !self.draining && self.active.len() < self.options.max_active {
            let Some(id) = self.waiting.pop_front() else { return };
            if self.active.contains_key(&id) {
                continue;
            }
            self.active.insert(id, Slot::Claiming);
            let claim = claim(Arc::clone(&self.store), id, self.options.node.clone());
            ctx.spawn(claim.into_actor(self).map(move |claimed, this, ctx| this.claimed(id, claimed, ctx)));
        }
    }

    fn claimed(&mut self, id: TaskId, claimed: Result<TaskRecord, StoreError>, ctx: &mut Context<Self>) {
        self.active.remove(&id);
        match claimed {
            Ok(record) => self.start_job(record, ctx),
            Err(StoreError::Unavailable(why)) => {
                log::warn!(task:% = id; "task waits, its store is away: {why}");
                self.waiting.push_front(id);
                ctx.run_later(Duration::from_secs(1), Self::fill_places);
                return;
            }
            // Cancelled, deleted or taken by someone else meanwhile.
            Err(other) => {
                log::info!(task:% = id; "task is not ours to run: {other}");
                self.watchers.remove(&id);
            }
        }
        self.fill_places(ctx);
    }

    fn start_job(&mut self, record: TaskRecord, ctx: &mut Context<Self>) {
        let id = record.id;
        let spec = self.job_spec(&record);
        let mut running = Running {
            cost_before: record.usage,
            draft: Draft::stored(record),
            job: None,
            last_progress: Instant::now(),
            progress_timer: false,
        };
        match spec {
            Ok(spec) => {
                let record = running.draft.record();
                let runtime = JobRuntime::new(
                    id,
                    record.work_dir.clone(),
                    spec.markdown_key.clone(),
                    spec.shard_pages(),
                    record.options.max_failed_pages,
                    self.options.retry,
                );
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

    fn job_spec(&self, record: &TaskRecord) -> Result<JobSpec, Failure> {
        let processor = self.processors.get(&record.processor).ok_or_else(|| {
            let message = format!("the processor {:?} is not there any more", record.processor);
            Failure::permanent(code::BAD_OPTION, message)
        })?;
        let path = self.blob.path(&record.pdf_path);
        Ok(JobSpec {
            task: record.id,
            epoch: record.epoch,
            // Until callers have keys there is one tenant.
            tenant: String::new(),
            source_path: path.map_err(|e| Failure::permanent(code::STORAGE_FAILED, e.to_string()))?,
            source_sha256: record.source.sha256.clone(),
            file_name: record.file_name.clone(),
            options: record.options.clone(),
            recipe: RecipeHash::of(&processor.recipe(&record.options)),
            processor: Arc::clone(processor),
            limits: self.options.limits,
            attempt_timeout: record.options.timeout_or(self.options.attempt_timeout),
            markdown_key: format!("{}/result.md", record.work_dir),
            json_key: format!("{}/result.json", record.work_dir),
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
        let now = Timestamp::now();
        let record = running.draft.change();
        record.counts = progress.counts;
        record.usage = cost;
        record.total_pages = progress.total_pages.or(record.total_pages);
        record.updated_at = now;
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
        let ttl = self.options.ttl;
        let Some(running) = self.running_mut(id) else { return false };
        let allowed = running.draft.record().status.next(step).is_ok();
        allowed && running.draft.change().take(step, now, ttl).is_ok()
    }

    /// Ends a running task; the end counts once it is stored.
    pub(super) fn end(
        &mut self,
        id: TaskId,
        step: TaskStep,
        error: Option<Failure>,
        result: Option<String>,
        ctx: &mut Context<Self>,
    ) {
        if !self.step(id, step, Timestamp::now()) {
            return;
        }
        if let Some(running) = self.running_mut(id) {
            let record = running.draft.change();
            record.error = error;
            record.result_path = result;
        }
        self.persist(id, ctx);
    }

    /// Sends the draft of a running task to the store, unless that is under way already.
    pub(super) fn persist(&mut self, id: TaskId, ctx: &mut Context<Self>) {
        let update = self.running_mut(id).and_then(|running| running.draft.begin_write());
        if let Some(update) = update {
            self.unsettled.send_modify(|count| *count += 1);
            self.write(id, update, 0, ctx);
        }
    }

    fn write(&mut self, id: TaskId, update: Update, tries: u32, ctx: &mut Context<Self>) {
        let store = Arc::clone(&self.store);
        let write = async move { store.update(&update).await };
        ctx.spawn(write.into_actor(self).map(move |result, this, ctx| this.written(id, result, tries, ctx)));
    }

    fn written(&mut self, id: TaskId, result: Result<(), StoreError>, tries: u32, ctx: &mut Context<Self>) {
        match result {
            Ok(()) => {
                self.unsettled.send_modify(|count| *count -= 1);
                let landed = self.running_mut(id).and_then(|running| running.draft.landed());
                match landed {
                    Some(record) if record.status.is_final() => self.finish(record, ctx),
                    _ => self.persist(id, ctx),
                }
            }
            Err(StoreError::Unavailable(why)) => {
                if tries == 0 {
                    log::warn!(task:% = id; "record cannot be written, trying until it lands: {why}");
                }
                let backoff = Duration::from_millis(50 << tries.min(10)).min(LONGEST_BACKOFF);
                ctx.run_later(backoff, move |this, ctx| {
                    let again = this.running(id).and_then(|running| running.draft.writing().cloned());
                    match again {
                        Some(update) => this.write(id, update, tries + 1, ctx),
                        None => this.unsettled.send_modify(|count| *count -= 1),
                    }
                });
            }
            Err(other) => {
                self.unsettled.send_modify(|count| *count -= 1);
                log::error!(task:% = id; "job is stopped, its record belongs to someone else now: {other}");
                self.give_up(id, ctx);
            }
        }
    }

    /// Lets go of a task that is not ours any more, without a word to the store.
    pub(super) fn give_up(&mut self, id: TaskId, ctx: &mut Context<Self>) {
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
        self.watchers.remove(&id);
        self.fill_places(ctx);
    }

    /// The final record is stored: tell who waits, and make room.
    fn finish(&mut self, record: TaskRecord, ctx: &mut Context<Self>) {
        let done = record.counts.done;
        let failed = record.counts.failed;
        log::info!(task:% = record.id, status:% = record.status, done, failed; "task is {}", record.status);
        self.active.remove(&record.id);
        if let Some(watcher) = self.watchers.remove(&record.id) {
            watcher.send_replace(Some(record));
        }
        self.fill_places(ctx);
    }

    /// Shows the record of a running task to who watches it. A final status is shown only when it is stored.
    fn publish(&self, id: TaskId) {
        if let (Some(running), Some(watcher)) = (self.running(id), self.watchers.get(&id)) {
            watcher.send_replace(Some(running.draft.record().clone()));
        }
    }

    /// A receiver that is told when nothing is left to write.
    pub(super) fn settled(&self) -> watch::Receiver<usize> {
        self.unsettled.subscribe()
    }

    /// Queues the unfinished tasks of the store: `processing` found at a start means no more than "unfinished".
    fn recover(&mut self, ctx: &mut Context<Self>) {
        let store = Arc::clone(&self.store);
        let found = async move { unfinished(store.as_ref()).await };
        ctx.spawn(found.into_actor(self).map(|found, this, ctx| match found {
            Ok(ids) => {
                if !ids.is_empty() {
                    log::info!(tasks = ids.len(); "taking up unfinished tasks");
                }
                // Oldest first, before whatever was submitted meanwhile.
                ids.into_iter().filter(|id| !this.active.contains_key(id)).for_each(|id| this.waiting.push_front(id));
                this.fill_places(ctx);
            }
            Err(why) => {
                log::warn!("cannot look for unfinished tasks, trying again: {why}");
                ctx.run_later(Duration::from_secs(1), Self::recover);
            }
        }));
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.recover(ctx);
        self.schedule_retention(ctx);
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
            JobNews::Progress(progress) => self.progressed(task, &progress, ctx),
            JobNews::Ended(progress, end) => {
                self.progressed(task, &progress, ctx);
                if let Some(running) = self.running_mut(task) {
                    running.job = None;
                }
                let result = self.running(task).map(|running| format!("{}/result.md", running.draft.record().work_dir));
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

/// Takes a stored task over for a new job: a new epoch, so that whatever an older job still writes bounces.
async fn claim(store: Arc<dyn TaskStore>, id: TaskId, node: String) -> Result<TaskRecord, StoreError> {
    let current = store.get(id).await?;
    let mut next = current.clone();
    next.take(TaskStep::Requeue, Timestamp::now(), Duration::ZERO).map_err(|_| StoreError::Final)?;
    next.owner = Some(node);
    next.version += 1;
    let update = Update { expected: current.revision(), next, operation: Uuid::now_v7() };
    store.update(&update).await?;
    Ok(update.next)
}

/// The ids of all unfinished tasks, newest first.
async fn unfinished(store: &dyn TaskStore) -> Result<Vec<TaskId>, StoreError> {
    let mut tasks = Vec::new();
    for status in [TaskStatus::Pending, TaskStatus::Processing] {
        let mut query = ListQuery { status: Some(status), after: None, limit: RECOVERY_WINDOW };
        loop {
            let page = store.list(&query).await?;
            tasks.extend(page.tasks.iter().map(|task| (task.created_at, task.id)));
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
    }
    tasks.sort_unstable_by(|a, b| b.cmp(a));
    tasks.dedup();
    Ok(tasks.into_iter().map(|(_, id)| id).collect())
}

fn sum(a: Usage, b: Usage) -> Usage {
    Usage {
        calls: a.calls + b.calls,
        reused: a.reused + b.reused,
        prompt_tokens: a.prompt_tokens + b.prompt_tokens,
        completion_tokens: a.completion_tokens + b.completion_tokens,
    }
}
