//! Picks the next piece of work over all jobs and keeps at most as many in flight as there are workers.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{
    Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, MessageResult, Recipient, ResponseFuture,
    SpawnHandle, SyncArbiter, WrapFuture,
};
use sha2::{Digest, Sha256};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::another::{Another, GivenPlace, TakePlace};
use super::claims::{Busy, ClaimPages, Claimant, Claims};
use super::endpoints::{EndpointLoad, Endpoints, Next};
use super::estimate::{Estimate, EstimateSource};
use super::fair_queue::FairQueue;
use super::flights::Flights;
use super::limiter::{Rates, Ticket};
use super::perform::Workshop;
use super::work::{Ended, JobSpec, JobWork, LaneName, PoolEvent, Receipts, SourceCheck, SourcePages, Work};
use super::worker::{Perform, PerformQuestion, Question, WorkerActor, careful};
use crate::blob::LocalBlob;
use crate::document::{ImageOptions, PageImage, Readers};
use crate::ledger::Ledger;
use crate::metrics;
use crate::processor::CallReport;
use crate::task::{Failure, TaskId, code};

/// How often it is looked whether somebody has waited too long for an endpoint that is away.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How many workers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolOptions {
    /// Threads for work that keeps a core busy.
    pub cpu_workers: usize,
    /// Threads for work that waits for an endpoint: the most calls in flight.
    pub call_workers: usize,
    /// What each model of an endpoint may get.
    pub rates: Rates,
}

impl Default for PoolOptions {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { cpu_workers: cores, call_workers: 16, rates: Rates::default() }
    }
}

/// The actor. Work comes in as [`Enqueue`]; news goes out as [`PoolEvent`].
pub struct Dispatcher {
    cpu: Lane,
    calls: Calls,
    suspects: Lane,
    claims: Claims<JobWork>,
    draining: bool,
    /// How many pieces of work are with workers; watched by who waits for the drain.
    in_flight: watch::Sender<usize>,
}

struct Lane {
    queue: FairQueue<TaskId, Item>,
    workers: Addr<WorkerActor>,
    free: usize,
}

struct Calls {
    endpoints: Endpoints<JobWork>,
    /// Second calls that wait for a place. They come first: each ends a wait that has been long already, and is one of few.
    hedges: VecDeque<(String, oneshot::Sender<GivenPlace>)>,
    workers: Addr<WorkerActor>,
    free: usize,
    /// Goes off when a call may begin that may not yet.
    timer: Option<(Instant, SpawnHandle)>,
}

enum Item {
    Job(JobWork),
    /// About a file, by someone who waits for the answer.
    Question(Question),
}

/// Work on a task, queued behind what the task has queued already.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Enqueue {
    /// Whose work.
    pub spec: Arc<JobSpec>,
    /// What to do.
    pub work: Vec<Work>,
    /// Whether it takes the place of what the task has queued, instead of going behind it.
    pub replacing: bool,
    /// Whom to tell.
    pub events: Recipient<PoolEvent>,
}

/// Opens a file that is not a task yet and answers how many pages it has.
#[derive(Message)]
#[rtype(result = "Result<SourcePages, Failure>")]
pub struct CheckSource {
    /// Whose turn it takes.
    pub tenant: String,
    /// What to check.
    pub check: SourceCheck,
}

/// Asks what a file would take.
#[derive(Message)]
#[rtype(result = "Result<Estimate, Failure>")]
pub struct GetEstimate {
    /// Whose turn it takes.
    pub tenant: String,
    /// The question.
    pub question: EstimateSource,
    /// Fires when nobody wants to know any more.
    pub unwanted: CancellationToken,
}

/// Asks what a page looks like.
#[derive(Message)]
#[rtype(result = "Result<PageImage, Failure>")]
pub struct DrawPage {
    /// Whose turn it takes.
    pub tenant: String,
    /// The file.
    pub check: SourceCheck,
    /// Which page, from 1.
    pub page: u32,
    /// How large.
    pub options: ImageOptions,
    /// Fires when nobody wants to see it any more.
    pub unwanted: CancellationToken,
}

/// Drops what a task has waiting. What runs is the business of its cancellation token. Answered when done, and from
/// then on no work of the task begins.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Forget(pub TaskId);

/// Begins nothing from now on; answers when nothing is in flight any more.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Drain;

/// Asks how busy the pool is.
#[derive(Message)]
#[rtype(result = "Load")]
pub struct GetLoad;

/// Asks how the endpoints do that are called.
#[derive(Message)]
#[rtype(result = "Vec<EndpointLoad>")]
pub struct GetEndpoints;

/// Asks how much waits, by tenant, in no order; tenants without any are left out.
#[derive(Message)]
#[rtype(result = "Vec<(String, usize)>")]
pub struct GetQueues;

/// How busy the pool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Pieces of work that wait for a turn.
    pub queued: usize,
    /// Pieces of work that are with workers.
    pub in_flight: usize,
}

impl Dispatcher {
    /// Starts the workers. Must be called on a thread of an actix system. `in_flight` begins with 0, shows how many
    /// pieces of work are with workers, and closes when the actor is gone.
    #[must_use]
    pub fn new(
        options: PoolOptions,
        blob: LocalBlob,
        ledger: Ledger,
        flights: Flights,
        readers: Readers,
        in_flight: watch::Sender<usize>,
    ) -> Self {
        let workshop = Workshop { ledger, blob, flights, readers, slots: Arc::default() };
        let lane = |name: &'static str, threads: usize| {
            let workshop = workshop.clone();
            let thread = move || std::thread::Builder::new().name(format!("bindery-{name}"));
            let workers =
                SyncArbiter::start_with_thread_builder(threads, thread, move || WorkerActor::new(workshop.clone()));
            Lane { queue: FairQueue::new(), workers, free: threads }
        };
        let most = options.call_workers.max(1);
        let Lane { workers, free, .. } = lane("call", most);
        Self {
            cpu: lane("cpu", options.cpu_workers.max(1)),
            calls: Calls {
                endpoints: Endpoints::new(most, options.rates),
                hedges: VecDeque::new(),
                workers,
                free,
                timer: None,
            },
            suspects: lane("suspect", 1),
            claims: Claims::new(),
            draining: false,
            in_flight,
        }
    }

    fn forget(&mut self, task: TaskId) {
        [&mut self.cpu, &mut self.suspects].into_iter().for_each(|lane| drop(lane.queue.remove(task)));
        self.calls.endpoints.remove(task);
        self.claims.retain(|work| work.spec.task != task);
    }

    fn plain(&mut self, suspects: bool) -> &mut Lane {
        if suspects { &mut self.suspects } else { &mut self.cpu }
    }

    /// Gives every free worker of a lane the work whose turn it is.
    fn pump(&mut self, suspects: bool, ctx: &mut Context<Self>) {
        while !self.draining && self.plain(suspects).free > 0 {
            let Some((_, item)) = self.plain(suspects).queue.pop() else { return };
            self.plain(suspects).free -= 1;
            self.in_flight.send_modify(|count| *count += 1);
            let workers = self.plain(suspects).workers.clone();
            let claimant = self.claimant(ctx);
            let holder = claimant.holder;
            let done = async move {
                match item {
                    Item::Job(work) => perform(&workers, work, None, claimant).await.1,
                    Item::Question(question) => {
                        let _ = workers.send(PerformQuestion(question)).await;
                        None
                    }
                }
            };
            ctx.spawn(done.into_actor(self).map(move |busy, this, ctx| {
                this.plain(suspects).free += 1;
                this.in_flight.send_modify(|count| *count -= 1);
                this.end_claims(holder, busy, ctx);
                this.pump(suspects, ctx);
            }));
        }
    }

    fn claimant(&mut self, ctx: &mut Context<Self>) -> Claimant {
        Claimant { holder: self.claims.next_holder(), dispatcher: ctx.address().recipient() }
    }

    /// An attempt is over, whatever came of it, or found that another one pays for its pages: what waited for it takes its
    /// next turn, and it waits itself.
    fn end_claims(&mut self, holder: u64, busy: Option<(Busy, JobWork)>, ctx: &mut Context<Self>) {
        let freed = self.claims.end(holder);
        let busy = busy.filter(|(_, work)| !self.draining && !work.spec.cancel.is_cancelled());
        let freed: Vec<JobWork> =
            freed.into_iter().chain(busy.and_then(|(busy, work)| self.claims.park(busy, work))).collect();
        if self.draining || freed.is_empty() {
            return;
        }
        freed.into_iter().for_each(|work| self.push(work, true));
        self.pump(false, ctx);
        self.pump(true, ctx);
        self.pump_calls(ctx);
    }

    /// Puts work into the queue of its lane, behind what its task has there, or before it.
    fn push(&mut self, work: JobWork, first: bool) {
        let lane = work.work.lane(&work.spec);
        let (tenant, task, priority) = (work.spec.tenant.clone(), work.spec.task, work.spec.options.priority);
        match lane {
            LaneName::Calls(name) => self.calls.endpoints.push(&name, Instant::now(), |queue| {
                let push = if first { FairQueue::push_first } else { FairQueue::push };
                push(queue, &tenant, task, priority, work);
            }),
            plain => {
                let push = if first { FairQueue::push_first } else { FairQueue::push };
                let queue = &mut self.plain(plain == LaneName::Suspects).queue;
                push(queue, &tenant, task, priority, Item::Job(work));
            }
        }
    }

    /// Gives every free worker a call that its endpoint bears, and comes back when another one may begin.
    fn pump_calls(&mut self, ctx: &mut Context<Self>) {
        self.give_places(ctx);
        while !self.draining && self.calls.free > 0 {
            let (name, ticket, work) = match self.calls.endpoints.pop(Instant::now()) {
                Next::Go(name, ticket, work) => (name, ticket, work),
                Next::Wait(at) => {
                    let look = self.calls.endpoints.is_waited_for_in_vain().then(|| Instant::now() + LOOK_EVERY);
                    return self.pump_calls_at(at.into_iter().chain(look).min(), ctx);
                }
            };
            self.calls.free -= 1;
            self.in_flight.send_modify(|count| *count += 1);
            let workers = self.calls.workers.clone();
            let another = Another { name: name.clone(), dispatcher: ctx.address().recipient() };
            let (dispatcher, claimant) = (ctx.address(), self.claimant(ctx));
            let holder = claimant.holder;
            // No future of the actor's own: it polls all of those, up to a thousand, whenever one of them goes on.
            actix::spawn(async move {
                let (reports, busy) = perform(&workers, work, Some(another), claimant).await;
                let _ = dispatcher.send(CallEnded { name, ticket, reports, holder, busy }).await;
            });
        }
    }

    fn pump_calls_at(&mut self, at: Option<Instant>, ctx: &mut Context<Self>) {
        let Some(at) = at else { return };
        if let Some((earlier, timer)) = self.calls.timer.take() {
            if earlier <= at && earlier > Instant::now() {
                self.calls.timer = Some((earlier, timer));
                return;
            }
            ctx.cancel_future(timer);
        }
        let wait = at.saturating_duration_since(Instant::now());
        let timer = ctx.run_later(wait, |this, ctx| {
            this.calls.timer = None;
            this.calls.endpoints.names().iter().for_each(|name| this.give_up(name, ctx));
            this.pump_calls(ctx);
        });
        self.calls.timer = Some((at, timer));
    }

    /// Ends the waiting for an endpoint where nobody has been for longer than a task bears.
    fn give_up(&mut self, name: &str, ctx: &mut Context<Self>) {
        let again = |queue: &mut FairQueue<TaskId, JobWork>, work: JobWork| {
            let spec = Arc::clone(&work.spec);
            queue.push(&spec.tenant, spec.task, spec.options.priority, work);
        };
        let waits = |work: &JobWork| (work.spec.patience, (!work.spec.shared_patience).then_some(work.queued));
        let over = self.calls.endpoints.give_up(name, Instant::now(), waits, again);
        for JobWork { work, events, .. } in over {
            let Work::Shard(shard) = work else { continue };
            let why = Failure::passing(code::ENDPOINT_UNAVAILABLE, "the endpoint has been away for too long");
            let (index, attempt, receipts) = (shard.index, shard.attempt, Receipts::GaveUp(why));
            let told = events.send(PoolEvent::Ended(Ended::Shard { index, attempt, receipts, calls: Vec::new() }));
            ctx.spawn(
                async move {
                    let _ = told.await;
                }
                .into_actor(self),
            );
        }
    }
}

/// Has a worker do it and tells the job. The credit comes home only after the job has the news, so a job that cannot
/// keep up holds back its own work and nothing piles up. Answers the calls that were made, or the work when it has to wait.
async fn perform(
    workers: &Addr<WorkerActor>,
    JobWork { spec, work, events, queued }: JobWork,
    another: Option<Another>,
    claimant: Claimant,
) -> (Vec<CallReport>, Option<(Busy, JobWork)>) {
    metrics::waited_for_worker(&spec.tenant, queued.elapsed());
    if let Work::Shard(shard) = &work {
        // Only a status; a job that is too busy to hear it hears the end.
        let _ = events.try_send(PoolEvent::Started { index: shard.index, attempt: shard.attempt });
    }
    let (lost, asked) = (lost(&work), (Arc::clone(&spec), work.clone()));
    let ended = match workers.send(Perform { spec, work, another, claimant }).await.unwrap_or(Ok(lost)) {
        Ok(ended) => ended,
        Err(busy) => {
            let (spec, work) = asked;
            if let Work::Shard(shard) = &work {
                let requeued = PoolEvent::Requeued { index: shard.index, attempt: shard.attempt };
                let _ = events.send(requeued).await;
            }
            return (Vec::new(), Some((busy, JobWork { spec, work, events, queued })));
        }
    };
    let calls = if let Ended::Shard { calls, .. } = &ended { calls.clone() } else { Vec::new() };
    // A job that is gone has been cancelled; what was paid is in the ledger.
    let _ = events.send(PoolEvent::Ended(ended)).await;
    (calls, None)
}

/// What a job is told when a worker's thread is gone without an answer.
fn lost(work: &Work) -> Ended {
    match work {
        Work::Plan => Ended::Planned(Err(worker_lost())),
        Work::Shard(shard) => Ended::Shard {
            index: shard.index,
            attempt: shard.attempt,
            receipts: Receipts::Failed(worker_lost()),
            calls: Vec::new(),
        },
        Work::Bind(_) => Ended::Bound(Err(worker_lost())),
    }
}

fn worker_lost() -> Failure {
    Failure::passing(code::PROCESSOR_CRASHED, "the worker's thread ended without an answer")
}

impl Actor for Dispatcher {
    type Context = Context<Self>;
}

impl Handler<Enqueue> for Dispatcher {
    type Result = ();

    fn handle(&mut self, Enqueue { spec, work, replacing, events }: Enqueue, ctx: &mut Context<Self>) {
        if replacing {
            self.forget(spec.task);
        }
        for work in work {
            // What has been asked before comes before what has not: it has cost something, and the task that waits for its page has
            // waited longest.
            let calls = matches!(work.lane(&spec), LaneName::Calls(_));
            let again = calls && matches!(&work, Work::Shard(shard) if !shard.earlier.is_empty());
            let work = JobWork { spec: Arc::clone(&spec), work, events: events.clone(), queued: Instant::now() };
            self.push(work, again);
        }
        self.pump(false, ctx);
        self.pump(true, ctx);
        self.pump_calls(ctx);
    }
}

/// A call is over, and its job knows: its worker is free again.
#[derive(Message)]
#[rtype(result = "()")]
struct CallEnded {
    name: String,
    ticket: Ticket,
    reports: Vec<CallReport>,
    holder: u64,
    /// The work, when it has to wait for another call.
    busy: Option<(Busy, JobWork)>,
}

impl Handler<CallEnded> for Dispatcher {
    type Result = ();

    fn handle(&mut self, CallEnded { name, ticket, reports, holder, busy }: CallEnded, ctx: &mut Context<Self>) {
        self.calls.free += 1;
        self.in_flight.send_modify(|count| *count -= 1);
        self.calls.endpoints.ended(&name, ticket, &reports, Instant::now());
        self.end_claims(holder, busy, ctx);
        self.give_up(&name, ctx);
        self.pump_calls(ctx);
    }
}

impl Handler<ClaimPages> for Dispatcher {
    type Result = MessageResult<ClaimPages>;

    fn handle(&mut self, ClaimPages { holder, keys }: ClaimPages, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.claims.claim(holder, keys))
    }
}

impl Handler<TakePlace> for Dispatcher {
    type Result = ResponseFuture<Option<GivenPlace>>;

    fn handle(&mut self, TakePlace(name): TakePlace, ctx: &mut Context<Self>) -> Self::Result {
        let (answer, place) = oneshot::channel();
        if !self.draining {
            self.calls.hedges.push_back((name, answer));
            self.give_places(ctx);
        }
        Box::pin(async move { place.await.ok() })
    }
}

impl Dispatcher {
    /// Gives second calls the places that are free.
    fn give_places(&mut self, ctx: &mut Context<Self>) {
        for (name, answer) in std::mem::take(&mut self.calls.hedges) {
            if answer.is_closed() || self.draining {
                continue;
            }
            let Some(ticket) = self.calls.endpoints.take_place(&name, Instant::now()) else {
                self.calls.hedges.push_back((name, answer));
                continue;
            };
            let (place, given_back) = oneshot::channel::<()>();
            let _ = answer.send(GivenPlace(place));
            let until = async move { drop(given_back.await) };
            ctx.spawn(until.into_actor(self).map(move |(), this, ctx| {
                // What it came to stands in the report of the first call.
                this.calls.endpoints.ended(&name, ticket, &[], Instant::now());
                this.pump_calls(ctx);
            }));
        }
    }
}

impl Dispatcher {
    /// Has a worker answer a question in its turn, unless nobody wants to know any more by then. The questions of a tenant
    /// with the same `turn` come one after the other, as if they were one task.
    fn ask<T: Send + 'static>(
        &mut self,
        tenant: &str,
        turn: TaskId,
        unwanted: CancellationToken,
        answered_by: impl FnOnce(&Workshop) -> Result<T, Failure> + Send + 'static,
        ctx: &mut Context<Self>,
    ) -> ResponseFuture<Result<T, Failure>> {
        let (answer, answered) = oneshot::channel();
        let question = Box::new(move |workshop: &Workshop| {
            if !unwanted.is_cancelled() {
                drop(answer.send(careful(|| answered_by(workshop))));
            }
        });
        if !self.draining {
            self.cpu.queue.push(tenant, turn, 0, Item::Question(question));
            self.pump(false, ctx);
        }
        Box::pin(async move { answered.await.unwrap_or_else(|_| Err(worker_lost())) })
    }
}

/// The name under which all questions of one kind and tenant take their turns.
fn turn_of(kind: &str, tenant: &str) -> TaskId {
    let hash = Sha256::new().chain_update(kind).chain_update([0]).chain_update(tenant).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    TaskId::from_bytes(bytes)
}

impl Handler<CheckSource> for Dispatcher {
    type Result = ResponseFuture<Result<SourcePages, Failure>>;

    fn handle(&mut self, CheckSource { tenant, check }: CheckSource, ctx: &mut Context<Self>) -> Self::Result {
        self.ask(&tenant, TaskId::generate(), CancellationToken::new(), move |workshop| workshop.check(&check), ctx)
    }
}

impl Handler<GetEstimate> for Dispatcher {
    type Result = ResponseFuture<Result<Estimate, Failure>>;

    fn handle(&mut self, asked: GetEstimate, ctx: &mut Context<Self>) -> Self::Result {
        let GetEstimate { tenant, question, unwanted } = asked;
        let turn = turn_of("estimates", &tenant);
        self.ask(&tenant, turn, unwanted, move |workshop| workshop.estimate(&question), ctx)
    }
}

impl Handler<DrawPage> for Dispatcher {
    type Result = ResponseFuture<Result<PageImage, Failure>>;

    fn handle(&mut self, asked: DrawPage, ctx: &mut Context<Self>) -> Self::Result {
        let DrawPage { tenant, check, page, options, unwanted } = asked;
        let turn = turn_of("pictures", &tenant);
        let cut_off = unwanted.clone();
        self.ask(&tenant, turn, unwanted, move |workshop| workshop.draw(&check, page, &options, &cut_off), ctx)
    }
}

impl Handler<Forget> for Dispatcher {
    type Result = ();

    fn handle(&mut self, Forget(task): Forget, _: &mut Context<Self>) {
        self.forget(task);
    }
}

impl Handler<Drain> for Dispatcher {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Drain, _: &mut Context<Self>) -> Self::Result {
        self.draining = true;
        // Jobs resume from the ledger at the next start; who waits for a check is told that there will be none.
        [&mut self.cpu, &mut self.suspects].into_iter().for_each(|lane| lane.queue = FairQueue::new());
        self.calls.endpoints.clear();
        self.claims.retain(|_| false);
        let mut in_flight = self.in_flight.subscribe();
        Box::pin(async move { drop(in_flight.wait_for(|count| *count == 0).await) })
    }
}

impl Handler<GetLoad> for Dispatcher {
    type Result = MessageResult<GetLoad>;

    fn handle(&mut self, _: GetLoad, _: &mut Context<Self>) -> Self::Result {
        let in_lanes = self.cpu.queue.len() + self.suspects.queue.len() + self.calls.endpoints.len();
        let queued = in_lanes + self.claims.parked().count();
        MessageResult(Load { queued, in_flight: *self.in_flight.borrow() })
    }
}

impl Handler<GetEndpoints> for Dispatcher {
    type Result = MessageResult<GetEndpoints>;

    fn handle(&mut self, _: GetEndpoints, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.calls.endpoints.loads(Instant::now()))
    }
}

impl Handler<GetQueues> for Dispatcher {
    type Result = MessageResult<GetQueues>;

    fn handle(&mut self, _: GetQueues, _: &mut Context<Self>) -> Self::Result {
        let mut sums = HashMap::<String, usize>::new();
        let queues =
            self.cpu.queue.lengths().chain(self.suspects.queue.lengths()).chain(self.calls.endpoints.lengths());
        let parked = self.claims.parked().map(|work| (work.spec.tenant.as_str(), 1));
        queues.chain(parked).for_each(|(tenant, pieces)| *sums.entry(tenant.to_owned()).or_default() += pieces);
        MessageResult(sums.into_iter().collect())
    }
}
