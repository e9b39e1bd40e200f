//! The shell around [`JobRuntime`]: carries its actions out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, MessageResult, Recipient,
    SpawnHandle, WrapFuture,
};

use tokio::sync::watch;

use super::delays::{Delays, Due};
use super::event::{JobAction, JobEnd, JobEvent, JobProgress};
use super::runtime::JobRuntime;
use crate::document::Document;
use crate::metrics;
use crate::pool::{Aggregate, AggregateOutcome, Dispatcher, DropJob, Enqueue, JobContext, PoolEvent, ShardWork, Work};
use crate::task::{PageFailure, PageView, ResultDigests, TaskId};

/// Progress is told at most this often; what happens in between is told together.
const REPORT_EVERY: Duration = Duration::from_millis(100);
/// How long a job that is stopped waits for what its attempts have cost.
const FINAL_USAGE_GRACE: Duration = Duration::from_secs(1);

/// Runs one task on this node. The supervisor drops it when it has heard its end.
pub struct JobActor {
    spec: Arc<JobContext>,
    runtime: JobRuntime,
    document: Option<Arc<Document>>,
    pool: JobPool,
    supervisor: Recipient<JobReport>,
    /// What it waits for, with one timer for the first of it.
    delays: Delays,
    timer: Option<(Instant, SpawnHandle)>,
    /// Whether a report waits for its moment.
    report_due: bool,
    /// Pages that have got their outcomes and were not told of.
    finished: Vec<PageView>,
    /// Failures that were told of.
    failures_told: BTreeSet<u32>,
    /// What the files of its result are, once they are written.
    written: Option<Box<ResultDigests>>,
    /// Turns true when the supervisor has heard the job's last words.
    over: Arc<watch::Sender<bool>>,
}

/// Where the work of jobs goes.
#[derive(Clone)]
pub struct JobPool {
    /// Takes work.
    pub enqueue: Recipient<Enqueue>,
    /// Forgets what of a job still waits.
    pub drop_job: Recipient<DropJob>,
}

impl From<Addr<Dispatcher>> for JobPool {
    fn from(dispatcher: Addr<Dispatcher>) -> Self {
        Self { enqueue: dispatcher.clone().recipient(), drop_job: dispatcher.recipient() }
    }
}

/// News for the supervisor.
#[derive(Message)]
#[rtype(result = "()")]
pub struct JobReport {
    /// Whose job.
    pub task: TaskId,
    /// The epoch of the job.
    pub epoch: u64,
    /// The news.
    pub news: JobNews,
}

/// What a job tells.
#[derive(Clone, Debug)]
pub enum JobNews {
    /// How far it is, and the pages that have got their outcomes since it was last told.
    Progress(JobProgress, Vec<PageView>),
    /// It is over, the same, with what the files of its result are. The job's last words.
    Ended(JobProgress, Vec<PageView>, JobEnd, Option<Box<ResultDigests>>),
}

/// Ends the job. When this is answered, none of its attempts begins any more, those that run are told to stop, and the
/// supervisor has heard what they cost, as far as they ended in time.
#[derive(Message)]
#[rtype(result = "()")]
pub struct StopJob;

/// Asks where the pages stand.
#[derive(Message)]
#[rtype(result = "JobPages")]
pub struct GetPages;

/// Where the pages of a running job stand. Those in neither list are done or wait; the ledger knows which.
#[derive(Clone, Debug, Default)]
pub struct JobPages {
    /// Those declared failed.
    pub failed: BTreeMap<u32, PageFailure>,
    /// Those being read now.
    pub running: BTreeSet<u32>,
}

impl JobActor {
    /// A job that begins when its actor is started.
    #[must_use]
    pub fn new(
        spec: Arc<JobContext>,
        runtime: JobRuntime,
        pool: impl Into<JobPool>,
        supervisor: Recipient<JobReport>,
    ) -> Self {
        Self {
            spec,
            runtime,
            document: None,
            pool: pool.into(),
            supervisor,
            delays: Delays::default(),
            timer: None,
            report_due: false,
            finished: Vec::new(),
            failures_told: BTreeSet::new(),
            written: None,
            over: Arc::new(watch::Sender::new(false)),
        }
    }

    fn on(&mut self, event: JobEvent, ctx: &mut Context<Self>) {
        let actions = self.runtime.on(event);
        self.carry_out_all(actions, ctx);
    }

    /// What is to be run goes to the dispatcher together, however many events it comes of.
    fn carry_out_all(&mut self, actions: Vec<JobAction>, ctx: &mut Context<Self>) {
        let mut run = Vec::new();
        for action in actions {
            if let JobAction::Run(indexes) = action {
                run.extend(indexes);
                continue;
            }
            if !matches!(action, JobAction::Report) {
                self.run(&std::mem::take(&mut run), ctx);
            }
            self.carry_out(action, ctx);
        }
        self.run(&run, ctx);
    }

    fn carry_out(&mut self, action: JobAction, ctx: &mut Context<Self>) {
        match action {
            JobAction::Plan => self.enqueue(vec![Work::Plan], false, ctx),
            JobAction::PlanLater(after) => self.wait(after, Due::Plan, ctx),
            JobAction::Run(indexes) => self.run(&indexes, ctx),
            JobAction::RetryLater { index, attempt, after } => self.wait(after, Due::Retry { index, attempt }, ctx),
            JobAction::StopAttempts => self.spec.cancel.cancel(),
            JobAction::Aggregate { complete } => {
                let aggregate = Aggregate {
                    document: self.document.clone(),
                    pages: Arc::clone(self.runtime.pages()),
                    failed: Arc::new(self.runtime.failures().clone()),
                    complete,
                };
                // A partial result is bound instead of what still waits.
                self.enqueue(vec![Work::Aggregate(aggregate)], !complete, ctx);
            }
            JobAction::AggregateLater(after) => self.wait(after, Due::Aggregate, ctx),
            JobAction::Report => self.report_soon(ctx),
            JobAction::ReportStart => self.tell_progress(ctx),
            JobAction::End(end) => self.end(end, ctx),
        }
    }

    fn end(&mut self, end: JobEnd, ctx: &mut Context<Self>) {
        self.runtime.failures().values().for_each(|failed| metrics::page_failed(&failed.failure.code));
        let news = JobNews::Ended(self.runtime.progress(), self.take_finished(), end, self.written.take());
        let forgotten = self.pool.drop_job.send(DropJob(self.spec.task));
        let told = self.supervisor.send(self.report(news));
        let over = Arc::clone(&self.over);
        let last_words = async move {
            let _ = futures::join!(forgotten, told);
            over.send_replace(true);
        }
        .into_actor(self);
        ctx.wait(last_words.map(|(), _, ctx| ctx.stop()));
    }

    fn wait(&mut self, after: Duration, due: Due, ctx: &mut Context<Self>) {
        self.delays.add(Instant::now(), after, due);
        self.set_timer(ctx);
    }

    fn set_timer(&mut self, ctx: &mut Context<Self>) {
        let Some(at) = self.delays.first() else { return };
        if let Some((set, timer)) = self.timer.take() {
            if set <= at {
                self.timer = Some((set, timer));
                return;
            }
            ctx.cancel_future(timer);
        }
        let wait = at.saturating_duration_since(Instant::now());
        let timer = ctx.run_later(wait, |this, ctx| {
            this.timer = None;
            let due = this.delays.take_due(Instant::now());
            let actions = due.into_iter().flat_map(|due| this.runtime.on(due.event())).collect();
            this.carry_out_all(actions, ctx);
            this.set_timer(ctx);
        });
        self.timer = Some((at, timer));
    }

    fn run(&mut self, indexes: &[u32], ctx: &mut Context<Self>) {
        let Some(document) = self.document.clone().filter(|_| !indexes.is_empty()) else { return };
        let work = |index: &u32| {
            let subtask = self.runtime.sub_task(*index)?;
            let document = Arc::clone(&document);
            Some(Work::Shard(ShardWork {
                document,
                index: *index,
                attempt: subtask.attempt,
                shard: subtask.shard,
                quarantined: subtask.quarantined,
                state: subtask.step,
                history: subtask.history.clone(),
                spent: subtask.spent,
            }))
        };
        let work = indexes.iter().filter_map(work).collect();
        self.enqueue(work, false, ctx);
    }

    fn enqueue(&mut self, work: Vec<Work>, replacing: bool, ctx: &mut Context<Self>) {
        let enqueue = Enqueue { spec: Arc::clone(&self.spec), work, replacing, events: ctx.address().recipient() };
        let sent = self.pool.enqueue.send(enqueue);
        ctx.spawn(
            async move {
                let _ = sent.await;
            }
            .into_actor(self),
        );
    }

    fn report(&self, news: JobNews) -> JobReport {
        JobReport { task: self.spec.task, epoch: self.spec.epoch, news }
    }

    /// The first report goes at once, later ones when their moment comes.
    fn report_soon(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.report_due, true) {
            return;
        }
        self.tell_progress(ctx);
        ctx.run_later(REPORT_EVERY, |this, ctx| {
            this.report_due = false;
            this.tell_progress(ctx);
        });
    }

    fn take_finished(&mut self) -> Vec<PageView> {
        let failed = self.runtime.failures().iter().filter(|(page, _)| !self.failures_told.contains(page));
        let failed: Vec<PageView> = failed.map(|(page, failed)| PageView::failed(*page, failed.clone())).collect();
        self.failures_told.extend(failed.iter().map(|view| view.page));
        let mut finished = std::mem::take(&mut self.finished);
        finished.extend(failed);
        finished
    }

    fn tell_progress(&mut self, ctx: &mut Context<Self>) {
        let news = JobNews::Progress(self.runtime.progress(), self.take_finished());
        let told = self.supervisor.send(self.report(news));
        ctx.spawn(
            async move {
                let _ = told.await;
            }
            .into_actor(self),
        );
    }
}

impl Actor for JobActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.on(JobEvent::PlanDue, ctx);
    }
}

impl Handler<PoolEvent> for JobActor {
    type Result = ();

    fn handle(&mut self, event: PoolEvent, ctx: &mut Context<Self>) {
        let event = match event {
            PoolEvent::Started { index, attempt } => JobEvent::Started { index, attempt },
            PoolEvent::Requeued { index, attempt } => JobEvent::Requeued { index, attempt },
            PoolEvent::Planned(Ok(plan)) => {
                self.document = Some(plan.document);
                JobEvent::Planned { pages: plan.pages, known: plan.known }
            }
            PoolEvent::Planned(Err(why)) => JobEvent::PlanFailed(why),
            PoolEvent::ShardDone(mut done) => {
                debug_assert_eq!((done.job, done.epoch), (self.spec.task, self.spec.epoch), "I12");
                // Of an attempt that is too old to count, too: what is in the ledger is read.
                self.finished.extend(done.result.take_views());
                JobEvent::ShardDone(done)
            }
            PoolEvent::Aggregated(Ok(AggregateOutcome::Missing(missing))) => JobEvent::Aggregated { missing },
            PoolEvent::Aggregated(Ok(AggregateOutcome::Written(digests))) => {
                self.written = Some(digests);
                JobEvent::Aggregated { missing: Vec::new() }
            }
            PoolEvent::Aggregated(Err(why)) => JobEvent::AggregateFailed(why),
        };
        self.on(event, ctx);
    }
}

impl Handler<StopJob> for JobActor {
    type Result = actix::ResponseFuture<()>;

    fn handle(&mut self, _: StopJob, ctx: &mut Context<Self>) -> Self::Result {
        self.spec.cancel.cancel();
        let forgotten = self.pool.drop_job.send(DropJob(self.spec.task));
        let mut over = self.over.subscribe();
        ctx.run_later(FINAL_USAGE_GRACE, |this, ctx| this.on(JobEvent::StopNow, ctx));
        self.on(JobEvent::Stop, ctx);
        Box::pin(async move {
            let _ = forgotten.await;
            let _ = over.wait_for(|over| *over).await;
        })
    }
}

impl Handler<GetPages> for JobActor {
    type Result = MessageResult<GetPages>;

    fn handle(&mut self, _: GetPages, _: &mut Context<Self>) -> Self::Result {
        MessageResult(JobPages {
            failed: self.runtime.failures().clone(),
            running: self.runtime.running_pages().collect(),
        })
    }
}

#[cfg(test)]
#[path = "actor_tests.rs"]
mod tests;
