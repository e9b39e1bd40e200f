//! The shell around [`JobRuntime`]: carries its actions out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, MessageResult, Recipient,
    WrapFuture,
};

use tokio::sync::watch;

use super::runtime::{JobAction, JobEnd, JobEvent, JobProgress, JobRuntime};
use crate::document::Document;
use crate::metrics;
use crate::pool::{Bind, BindOutcome, Dispatcher, Ended, Enqueue, Forget, JobSpec, PoolEvent, ShardWork, Work};
use crate::task::{PageFailure, PageUsage, PageView, ResultDigests, TaskId};

/// Progress is told at most this often; what happens in between is told together.
const REPORT_EVERY: Duration = Duration::from_millis(100);
/// How long a job that is stopped waits for what its attempts have cost.
const LAST_BILLS: Duration = Duration::from_secs(1);

/// Runs one task on this node. The supervisor drops it when it has heard its end.
pub struct JobActor {
    spec: Arc<JobSpec>,
    runtime: JobRuntime,
    document: Option<Arc<Document>>,
    dispatcher: Addr<Dispatcher>,
    supervisor: Recipient<JobReport>,
    /// Whether a report waits for its moment.
    report_due: bool,
    /// Pages that have got their outcomes and were not told of.
    settled: Vec<PageView>,
    /// Failures that were told of.
    failures_told: BTreeSet<u32>,
    /// What the files of its result are, once they are written.
    written: Option<Box<ResultDigests>>,
    /// Turns true when the supervisor has heard the job's last words.
    over: Arc<watch::Sender<bool>>,
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
        spec: Arc<JobSpec>,
        runtime: JobRuntime,
        dispatcher: Addr<Dispatcher>,
        supervisor: Recipient<JobReport>,
    ) -> Self {
        let (settled, failures_told, over) = (Vec::new(), BTreeSet::new(), Arc::new(watch::Sender::new(false)));
        let (document, report_due, written) = (None, false, None);
        Self { spec, runtime, document, dispatcher, supervisor, report_due, settled, failures_told, written, over }
    }

    fn on(&mut self, event: JobEvent, ctx: &mut Context<Self>) {
        for action in self.runtime.on(event) {
            self.carry_out(action, ctx);
        }
    }

    fn carry_out(&mut self, action: JobAction, ctx: &mut Context<Self>) {
        match action {
            JobAction::Plan => self.enqueue(vec![Work::Plan], false, ctx),
            JobAction::PlanLater(after) => {
                ctx.run_later(after, |this, ctx| this.on(JobEvent::PlanDue, ctx));
            }
            JobAction::Run(indexes) => self.run(&indexes, ctx),
            JobAction::RetryLater { index, attempt, after } => {
                ctx.run_later(after, move |this, ctx| this.on(JobEvent::RetryDue { index, attempt }, ctx));
            }
            JobAction::StopAttempts => self.spec.cancel.cancel(),
            JobAction::Bind { complete } => {
                let bind = Bind {
                    pages: Arc::clone(self.runtime.pages()),
                    failed: Arc::new(self.runtime.failures().clone()),
                    complete,
                };
                // A partial result is bound instead of what still waits.
                self.enqueue(vec![Work::Bind(bind)], !complete, ctx);
            }
            JobAction::BindLater(after) => {
                ctx.run_later(after, |this, ctx| this.on(JobEvent::BindDue, ctx));
            }
            JobAction::Report => self.report_soon(ctx),
            JobAction::ReportStart => self.tell_progress(ctx),
            JobAction::End(end) => {
                self.runtime.failures().values().for_each(|failed| metrics::page_failed(&failed.failure.code));
                let news = JobNews::Ended(self.runtime.progress(), self.take_settled(), end, self.written.take());
                let forgotten = self.dispatcher.send(Forget(self.spec.task));
                let told = self.supervisor.send(self.report(news));
                let over = Arc::clone(&self.over);
                let last_words = async move {
                    let _ = futures::join!(forgotten, told);
                    over.send_replace(true);
                }
                .into_actor(self);
                ctx.wait(last_words.map(|(), _, ctx| ctx.stop()));
            }
        }
    }

    fn run(&mut self, indexes: &[u32], ctx: &mut Context<Self>) {
        let Some(document) = self.document.clone() else { return };
        let work = |index: &u32| {
            let subtask = self.runtime.sub_task(*index)?;
            let document = Arc::clone(&document);
            Some(Work::Shard(ShardWork {
                document,
                index: *index,
                attempt: subtask.attempt,
                shard: subtask.shard,
                suspect: subtask.suspect,
                earlier: subtask.errors.clone(),
                spent: subtask.spent,
                kind: subtask.kind,
            }))
        };
        let work = indexes.iter().filter_map(work).collect();
        self.enqueue(work, false, ctx);
    }

    fn enqueue(&mut self, work: Vec<Work>, replacing: bool, ctx: &mut Context<Self>) {
        let enqueue = Enqueue { spec: Arc::clone(&self.spec), work, replacing, events: ctx.address().recipient() };
        let sent = self.dispatcher.send(enqueue);
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

    fn take_settled(&mut self) -> Vec<PageView> {
        let failed = self.runtime.failures().iter().filter(|(page, _)| !self.failures_told.contains(page));
        let failed: Vec<PageView> = failed.map(|(page, failed)| PageView::failed(*page, failed.clone())).collect();
        self.failures_told.extend(failed.iter().map(|view| view.page));
        let mut settled = std::mem::take(&mut self.settled);
        settled.extend(failed);
        settled
    }

    fn tell_progress(&mut self, ctx: &mut Context<Self>) {
        let news = JobNews::Progress(self.runtime.progress(), self.take_settled());
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
            PoolEvent::Ended(Ended::Planned(Ok(plan))) => {
                self.document = Some(plan.document);
                JobEvent::Planned { pages: plan.pages, known: plan.known }
            }
            PoolEvent::Ended(Ended::Planned(Err(why))) => JobEvent::PlanFailed(why),
            PoolEvent::Ended(Ended::Shard { index, attempt, mut receipts, calls }) => {
                // Of an attempt that is too old to count, too: what is in the ledger is read.
                self.settled.extend(receipts.take_views());
                let spent = calls.iter().fold(PageUsage::default(), |spent, call| spent.and(call.usage));
                let spent = spent.without(receipts.usage());
                let earlier = self.runtime.sub_task(index).map_or(&[][..], |subtask| &subtask.errors);
                let elsewhere = receipts.nobody_there() && self.spec.reads_elsewhere(earlier);
                JobEvent::Outcome { index, attempt, receipts, spent, elsewhere }
            }
            PoolEvent::Ended(Ended::Bound(Ok(BindOutcome::Missing(missing)))) => JobEvent::Bound { missing },
            PoolEvent::Ended(Ended::Bound(Ok(BindOutcome::Written(digests)))) => {
                self.written = Some(digests);
                JobEvent::Bound { missing: Vec::new() }
            }
            PoolEvent::Ended(Ended::Bound(Err(why))) => JobEvent::BindFailed(why),
        };
        self.on(event, ctx);
    }
}

impl Handler<StopJob> for JobActor {
    type Result = actix::ResponseFuture<()>;

    fn handle(&mut self, _: StopJob, ctx: &mut Context<Self>) -> Self::Result {
        self.spec.cancel.cancel();
        let forgotten = self.dispatcher.send(Forget(self.spec.task));
        let mut over = self.over.subscribe();
        ctx.run_later(LAST_BILLS, |this, ctx| this.on(JobEvent::StopNow, ctx));
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
