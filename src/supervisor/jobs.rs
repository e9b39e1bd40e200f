//! The jobs of running tasks: how they begin, what is heard of them, and how they end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, WrapFuture};
use tokio::sync::watch;

use super::actor::Supervisor;
use super::intake::recipes::task_recipes;
use super::records::expiry::set_expiry;
use super::records::pending::PendingRecord;
use crate::clock::{Timestamp, Uptime};
use crate::job::{JobActor, JobEnd, JobNews, JobProgress, JobReport, JobRuntime, Route, StopJob};
use crate::ledger::LedgerScope;
use crate::metrics;
use crate::pool::{JobContext, JobSpec, Lease};
use crate::task::{Failure, ResultDigests, TaskId, TaskRecord, TaskStatus, TaskStep, Usage, code};

/// Progress goes to the store at most this often; a step goes at once.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// A place among the running tasks.
pub(super) enum Slot {
    /// The record is being written or taken over; there is no job yet. A waiter for that sees the sender dropped.
    Claiming(watch::Sender<()>),
    /// There is a job, or its last write is under way.
    Running(Box<Running>),
}

/// The tasks that have a job in this process, or are about to have one.
#[derive(Default)]
pub(super) struct ActiveTasks(HashMap<TaskId, Slot>);

impl ActiveTasks {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = TaskId> {
        self.0.keys().copied()
    }

    pub(super) fn has(&self, id: TaskId) -> bool {
        self.0.contains_key(&id)
    }

    pub(super) fn get(&self, id: TaskId) -> Option<&Slot> {
        self.0.get(&id)
    }

    pub(super) fn all_running(&self) -> impl Iterator<Item = (TaskId, &Running)> {
        self.0.iter().filter_map(|(id, slot)| match slot {
            Slot::Running(running) => Some((*id, &**running)),
            Slot::Claiming(_) => None,
        })
    }

    pub(super) fn running(&self, id: TaskId) -> Option<&Running> {
        match self.0.get(&id) {
            Some(Slot::Running(running)) => Some(running),
            _ => None,
        }
    }

    pub(super) fn running_mut(&mut self, id: TaskId) -> Option<&mut Running> {
        match self.0.get_mut(&id) {
            Some(Slot::Running(running)) => Some(running),
            _ => None,
        }
    }

    /// Gives a task a slot before it has a job.
    pub(super) fn reserve(&mut self, id: TaskId) {
        self.0.insert(id, Slot::Claiming(watch::Sender::new(())));
    }

    fn start(&mut self, id: TaskId, running: Running) {
        self.0.insert(id, Slot::Running(Box::new(running)));
    }

    /// Puts back a slot that was taken out.
    pub(super) fn put_back(&mut self, id: TaskId, slot: Slot) {
        self.0.insert(id, slot);
    }

    pub(super) fn remove(&mut self, id: TaskId) -> Option<Slot> {
        self.0.remove(&id)
    }
}

pub(super) struct Running {
    pub(super) pending: PendingRecord,
    pub(super) job: Option<Addr<JobActor>>,
    /// Until when its attempts may begin.
    pub(super) lease: Lease,
    /// What earlier jobs of the task had cost.
    usage_before: Usage,
    last_progress: Instant,
    progress_timer: bool,
}

impl Supervisor {
    /// Gives a task its job. Its record was written at or after `asked`, with this process as its owner.
    pub(super) fn start_job(&mut self, record: TaskRecord, asked: Uptime, ctx: &mut Context<Self>) {
        let id = record.id;
        self.intake.add(&record);
        let lease = self.new_lease(asked);
        let spec = self.job_context(&record, lease.clone());
        let mut running = Running {
            lease,
            usage_before: record.usage,
            pending: PendingRecord::stored(record),
            job: None,
            last_progress: Instant::now(),
            progress_timer: false,
        };
        match spec {
            Ok(spec) => {
                let record = running.pending.record();
                let runtime = JobRuntime::new(
                    id,
                    record.work_dir.clone(),
                    spec.markdown_key.clone(),
                    Route { steps: spec.steps.clone(), shard_pages: record.options.shard_pages },
                    record.options.max_failed_pages,
                    self.options.retry,
                    self.crashes(record, spec.processor.as_ref()),
                );
                let runtime = match record.options.max_cost {
                    Some(most) => runtime.with_budget(most, record.usage),
                    None => runtime,
                };
                log::info!(task:% = id, epoch = record.epoch, pages = record.total_pages.unwrap_or(0); "job starts");
                let reports = ctx.address().recipient();
                let job = JobActor::new(Arc::new(spec), runtime, self.dispatcher.clone(), reports);
                running.job = Some(JobActor::start_in_arbiter(&self.job_thread, move |_| job));
                self.active.start(id, running);
            }
            Err(why) => {
                self.active.start(id, running);
                self.end(id, TaskStep::Fail, Some(why), None, ctx);
            }
        }
    }

    fn job_context(&self, record: &TaskRecord, lease: Lease) -> Result<JobContext, Failure> {
        let processor = self.processors.get(&record.processor).ok_or_else(|| {
            let message = format!("the processor {:?} is not there any more", record.processor);
            Failure::permanent(code::BAD_OPTION, message)
        })?;
        if record.options.max_cost.is_some() {
            // A server that was started without the prices cannot keep within it.
            processor.check(&record.options)?;
        }
        let spec = JobSpec {
            task: record.id,
            epoch: record.epoch,
            tenant: record.tenant.clone().unwrap_or_default(),
            source_key: record.pdf_path.clone(),
            source: record.source.digest(),
            work_dir: record.work_dir.clone(),
            file_name: record.file_name.clone(),
            options: record.options.clone(),
            processor_name: record.processor.clone(),
            recipes: task_recipes(processor.as_ref(), record),
            scope: LedgerScope::of(self.options.ledger_sharing, record.tenant.as_deref()),
            limits: self.options.limits,
            attempt_timeout: record.options.timeout_or(self.options.attempt_timeout),
            unavailable_timeout: self.options.retry.unavailable_timeout,
            shared_unavailable_timeout: self.options.retry.shared_unavailable_timeout,
            markdown_key: record.markdown_key(),
            json_key: record.json_key(),
            crashes: self.crashes(record, processor.as_ref()).get(&0).copied().unwrap_or(0),
        };
        JobContext::new(spec, Arc::clone(processor), &self.blob, lease)
    }

    fn progressed(&mut self, id: TaskId, progress: &JobProgress, ctx: &mut Context<Self>) {
        let Some(running) = self.active.running_mut(id) else { return };
        if running.pending.record().status.is_final() {
            return;
        }
        let begins = progress.started && running.pending.record().status == TaskStatus::Pending;
        let usage = running.usage_before + progress.usage;
        let now = self.clock.now();
        let Some(running) = self.active.running_mut(id) else { return };
        let record = running.pending.change();
        record.counts = progress.counts;
        record.usage = usage;
        record.total_pages = progress.total_pages.or(record.total_pages);
        record.updated_at = now.max(record.updated_at);
        let due = running.last_progress.elapsed() >= PROGRESS_EVERY;
        if begins {
            self.step(id, TaskStep::Dispatch, now);
        }
        self.publish(id);
        if begins || due {
            self.write_progress(id, ctx);
        } else if let Some(running) = self.active.running_mut(id)
            && !std::mem::replace(&mut running.progress_timer, true)
        {
            ctx.run_later(PROGRESS_EVERY, move |this, ctx| this.write_progress(id, ctx));
        }
    }

    fn write_progress(&mut self, id: TaskId, ctx: &mut Context<Self>) {
        if let Some(running) = self.active.running_mut(id) {
            running.last_progress = Instant::now();
            running.progress_timer = false;
        }
        self.persist(id, ctx);
    }

    /// Takes a step on the pending record of a running task; `false` when its status does not allow it.
    pub(super) fn step(&mut self, id: TaskId, step: TaskStep, now: Timestamp) -> bool {
        let (clock, ttl) = (self.clock.clone(), self.options.ttl);
        let Some(running) = self.active.running_mut(id) else { return false };
        if running.pending.record().status.next(step).is_err() {
            return false;
        }
        let record = running.pending.change();
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
        if let Some(running) = self.active.running_mut(id) {
            let record = running.pending.change();
            record.error = error;
            (record.result_path, record.result_digests) =
                result.map_or((None, None), |(key, digests)| (Some(key), digests.map(|digests| *digests)));
        }
        self.persist(id, ctx);
    }

    /// Lets go of a task that is not ours any more, without a word to the store.
    pub(super) fn abandon_lease(&mut self, id: TaskId, ctx: &mut Context<Self>) {
        self.intake.remove(id);
        if let Some(Slot::Running(running)) = self.active.remove(id)
            && let Some(job) = running.job
        {
            ctx.spawn(
                async move {
                    let _ = job.send(StopJob).await;
                }
                .into_actor(self),
            );
        }
        self.start_waiting_jobs(ctx);
    }

    /// Stops the job of a running task, then ends the task as cancelled.
    pub(super) fn stop_and_cancel(&mut self, id: TaskId, ctx: &mut Context<Self>) {
        let job = self.active.running(id).and_then(|running| running.job.clone());
        let stopped = async move {
            if let Some(job) = job {
                let _ = job.send(StopJob).await;
            }
        };
        ctx.spawn(stopped.into_actor(self).map(move |(), this, ctx| this.end(id, TaskStep::Cancel, None, None, ctx)));
    }

    /// The final record is stored: tell who waits, and make room.
    pub(super) fn finish(&mut self, record: TaskRecord, ctx: &mut Context<Self>) {
        debug_assert!(record.status.is_final(), "I2: {} is {}", record.id, record.status);
        let done = record.counts.done;
        let failed = record.counts.failed;
        log::info!(task:% = record.id, status:% = record.status, done, failed; "task is {}", record.status);
        metrics::task_ended(record.status.as_str());
        self.active.remove(record.id);
        self.intake.remove(record.id);
        if record.message_due_at().is_some() {
            self.send_due(ctx);
        }
        self.audience.end(record);
        self.start_waiting_jobs(ctx);
    }

    /// Shows the record of a running task to who watches it. A final status is shown only when it is stored.
    fn publish(&self, id: TaskId) {
        if let Some(running) = self.active.running(id) {
            self.audience.show(running.pending.record());
        }
    }
}

impl Handler<JobReport> for Supervisor {
    type Result = ();

    fn handle(&mut self, JobReport { task, epoch, news }: JobReport, ctx: &mut Context<Self>) {
        // Words of an older job say nothing about this one.
        if self.active.running(task).is_none_or(|running| running.pending.record().epoch != epoch) {
            return;
        }
        match news {
            JobNews::Progress(progress, pages) => {
                self.audience.show_pages(task, pages);
                self.progressed(task, &progress, ctx);
            }
            JobNews::Ended(progress, pages, end, written) => {
                self.audience.show_pages(task, pages);
                self.progressed(task, &progress, ctx);
                if let Some(running) = self.active.running_mut(task) {
                    running.job = None;
                }
                let result =
                    self.active.running(task).map(|running| (running.pending.record().markdown_key(), written));
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
