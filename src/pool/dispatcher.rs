//! Picks the next piece of work over all jobs and keeps at most as many in flight as there are workers.

mod feed;
mod hedges;
mod queries;
mod shares;
mod suspension;
mod text_layer;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::RecipientRequest;
use actix::{
    Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, MessageResult, ResponseFuture, SpawnHandle,
    SyncArbiter, WrapFuture,
};
use tokio::sync::{oneshot, watch};

use self::feed::Feed;
pub use self::shares::Peers;
pub use self::text_layer::{GetTextLayer, ReadAside};
use super::claims::{ClaimPages, Claimant, Claims};
use super::crash_journal::CrashJournal;
use super::endpoints::{Endpoints, Next};
use super::execute::Executor;
use super::fair_queue::FairQueue;
use super::hand_over::{HandedOver, hand_over};
use super::hedge::{GrantedHedge, Hedge};
use super::limiter::{Permit, Rates};
use super::messages::{Drain, DropJob, Enqueue};
use super::recent_pages::Room;
use super::suspended::Suspended;
use super::work::{JobWork, LaneName, NotBegun, PoolEvent, ShardResult, Work};
use super::worker::{Query, RunQuery, WorkerActor};
use crate::blob::LocalBlob;
use crate::document::Readers;
use crate::ledger::Ledger;
use crate::processor::CallReport;
use crate::task::{Failure, TaskId, code};

/// How often it is looked whether work has waited too long for an unavailable endpoint.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// So many outcomes a worker may wait for their jobs.
const MOST_UNTOLD: usize = 2;

/// How many workers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
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

impl PoolOptions {
    /// So many threads for work that keeps a core busy, and for work that waits for an endpoint, without rates.
    #[must_use]
    pub fn workers(cpu_workers: usize, call_workers: usize) -> Self {
        Self { cpu_workers, call_workers, ..Self::default() }
    }
}

/// The actor. Work comes in as [`Enqueue`]; news goes out as [`PoolEvent`].
pub struct Dispatcher {
    cpu: Lane,
    calls: Calls,
    quarantine: Lane,
    claims: Claims<JobWork>,
    /// Jobs of which no attempt may begin now.
    suspended: Suspended<JobWork>,
    /// Goes off when it is to be looked whether they may go on.
    suspended_timer: Option<SpawnHandle>,
    /// Present where limits are those of several servers.
    shared: Option<Peers>,
    /// Goes off when a share is to be asked for.
    shares_timer: Option<(Instant, SpawnHandle)>,
    /// Present where servers read each other's shards.
    feed: Option<Feed>,
    blob: LocalBlob,
    draining: bool,
    /// How many pieces of work are with workers; watched by who waits for the drain.
    in_flight: watch::Sender<usize>,
}

struct Lane {
    queue: FairQueue<TaskId, Item>,
    workers: Addr<WorkerActor>,
    threads: usize,
    free: usize,
    /// Outcomes that their jobs have not taken yet.
    untold: usize,
}

impl Lane {
    /// Whether work may begin. Workers do not wait for the job whose outcome they have just had, but one that cannot keep up
    /// holds back work before outcomes pile up.
    const fn may_begin(&self) -> bool {
        self.free > 0 && self.untold < self.threads * MOST_UNTOLD
    }
}

struct Calls {
    endpoints: Endpoints<JobWork>,
    /// Second calls that wait for a place. They come first: each ends a wait that has been long already, and is one of few.
    hedges: VecDeque<(String, oneshot::Sender<GrantedHedge>)>,
    workers: Addr<WorkerActor>,
    free: usize,
    /// Goes off when a call may begin that may not yet.
    timer: Option<(Instant, SpawnHandle)>,
}

enum Item {
    Job(JobWork),
    /// About a file, by someone who waits for the answer.
    Query(Query),
    /// A shard of another server, with the name of its entry.
    Import(String, Query),
}

impl Dispatcher {
    /// Starts the workers. Must be called on a thread of an actix system. With `shared`, the limits of endpoints are those
    /// of all servers of its store together, which also may read each other's shards. `in_flight` begins with 0, shows how many
    /// pieces of work are with workers, and closes when the actor is gone.
    #[must_use]
    pub fn new(
        options: PoolOptions,
        blob: LocalBlob,
        ledger: Ledger,
        journal: CrashJournal,
        readers: Readers,
        shared: Option<Peers>,
        in_flight: watch::Sender<usize>,
    ) -> Self {
        let (room, lookups, slots) = (Room::new(), Arc::default(), Arc::default());
        let executor = Executor { ledger, blob: blob.clone(), journal, readers, room, lookups, slots };
        let lane = |name: &'static str, threads: usize| {
            let executor = executor.clone();
            let thread = move || std::thread::Builder::new().name(format!("bindery-{name}"));
            let workers =
                SyncArbiter::start_with_thread_builder(threads, thread, move || WorkerActor::new(executor.clone()));
            Lane { queue: FairQueue::new(), workers, threads, free: threads, untold: 0 }
        };
        let most = options.call_workers.max(1);
        let Lane { workers, free, .. } = lane("call", most);
        let feed = shared.clone().and_then(|Peers { store, server, feed, .. }| {
            let lease = store.lease()?;
            Some(Feed::new(store, server, lease, feed?, executor.clone()))
        });
        Self {
            cpu: lane("cpu", options.cpu_workers.max(1)),
            calls: Calls {
                endpoints: Endpoints::new(most, options.rates, shared.is_some()),
                hedges: VecDeque::new(),
                workers,
                free,
                timer: None,
            },
            quarantine: lane("suspect", 1),
            claims: Claims::new(),
            suspended: Suspended::new(),
            suspended_timer: None,
            shared,
            shares_timer: None,
            feed,
            blob,
            draining: false,
            in_flight,
        }
    }

    fn drop_job(&mut self, task: TaskId) {
        [&mut self.cpu, &mut self.quarantine].into_iter().for_each(|lane| drop(lane.queue.remove(task)));
        drop(self.calls.endpoints.remove(task));
        self.claims.retain(|work| work.spec.task != task);
        drop(self.suspended.remove(task));
        self.withdraw(task);
    }

    fn plain(&mut self, quarantine: bool) -> &mut Lane {
        if quarantine { &mut self.quarantine } else { &mut self.cpu }
    }

    /// Gives every free worker of a lane the work whose turn it is; others may have what is left.
    fn pump(&mut self, quarantine: bool, ctx: &mut Context<Self>) {
        self.begin_work(quarantine, ctx);
        if !quarantine {
            self.feed(ctx);
        }
    }

    fn begin_work(&mut self, quarantine: bool, ctx: &mut Context<Self>) {
        while !self.draining && self.plain(quarantine).may_begin() {
            let Some((_, item)) = self.plain(quarantine).queue.pop() else { return };
            let item = match item {
                Item::Job(work) => match self.begins(work, ctx) {
                    Some(work) => Item::Job(work),
                    None => continue,
                },
                Item::Import(id, question) => {
                    self.begin_entry(&id);
                    Item::Import(id, question)
                }
                question @ Item::Query(_) => question,
            };
            self.plain(quarantine).free -= 1;
            self.in_flight.send_modify(|count| *count += 1);
            let workers = self.plain(quarantine).workers.clone();
            let claimant = self.claimant(ctx);
            let holder = claimant.holder;
            let is_import = matches!(item, Item::Import(..));
            let done = async move {
                match item {
                    Item::Job(work) => Some(hand_over(&workers, work, None, claimant).await),
                    Item::Query(question) | Item::Import(_, question) => {
                        let _ = workers.send(RunQuery(question)).await;
                        None
                    }
                }
            };
            ctx.spawn(done.into_actor(self).map(move |outcome, this, ctx| {
                this.plain(quarantine).free += 1;
                let back = match outcome {
                    Some(HandedOver::Done(job, event, _)) => {
                        this.tell(quarantine, job.send(event), ctx);
                        None
                    }
                    Some(HandedOver::Back(why, work)) => {
                        this.in_flight.send_modify(|count| *count -= 1);
                        Some((why, work))
                    }
                    None => {
                        // What is read for another server is in flight until that one has heard of it.
                        this.in_flight.send_modify(|count| *count -= usize::from(!is_import));
                        None
                    }
                };
                this.end_claims(holder, back, ctx);
                this.pump(quarantine, ctx);
            }));
        }
    }

    /// Waits until a job has taken an outcome; until then its work is in flight.
    fn tell(&mut self, quarantine: bool, told: RecipientRequest<PoolEvent>, ctx: &mut Context<Self>) {
        self.plain(quarantine).untold += 1;
        ctx.spawn(told.into_actor(self).map(move |_, this, ctx| {
            let held = !this.plain(quarantine).may_begin();
            this.plain(quarantine).untold -= 1;
            this.in_flight.send_modify(|count| *count -= 1);
            if held {
                this.pump(quarantine, ctx);
            }
        }));
    }

    fn claimant(&mut self, ctx: &mut Context<Self>) -> Claimant {
        Claimant { holder: self.claims.next_holder(), dispatcher: ctx.address().recipient() }
    }

    /// An attempt is over, whatever came of it: what waited for it takes its next turn. Work that it gave `back` waits
    /// itself, for the attempt that pays for its pages, or with its job.
    fn end_claims(&mut self, holder: u64, back: Option<(NotBegun, JobWork)>, ctx: &mut Context<Self>) {
        let mut freed = self.claims.end(holder);
        match back.filter(|(_, work)| !self.draining && !work.spec.cancel.is_cancelled()) {
            Some((NotBegun::Claimed(busy), work)) => freed.extend(self.claims.park(busy, work)),
            Some((NotBegun::Suspended(reason), work)) => self.suspend(reason, work, ctx),
            None => {}
        }
        if self.draining || freed.is_empty() {
            return;
        }
        freed.into_iter().for_each(|work| self.push(work, true));
        self.pump_all(ctx);
    }

    fn pump_all(&mut self, ctx: &mut Context<Self>) {
        self.pump(false, ctx);
        self.pump(true, ctx);
        self.pump_calls(ctx);
    }

    /// Puts work into the queue of its lane, behind what its task has there, or before it. Attempts of a suspended job
    /// wait with it.
    fn push(&mut self, work: JobWork, first: bool) {
        let held = if work.is_attempt() { self.suspended.hold(work.spec.task, work, first) } else { Some(work) };
        let Some(work) = held else { return };
        let lane = work.work.lane(&work.spec);
        let (tenant, task, priority) = (work.spec.tenant.clone(), work.spec.task, work.spec.options.priority);
        match lane {
            LaneName::Calls(name) => self.calls.endpoints.push(&name, Instant::now(), |queue| {
                let push = if first { FairQueue::push_first } else { FairQueue::push };
                push(queue, &tenant, task, priority, work);
            }),
            plain => {
                let push = if first { FairQueue::push_first } else { FairQueue::push };
                let queue = &mut self.plain(plain == LaneName::Quarantine).queue;
                push(queue, &tenant, task, priority, Item::Job(work));
            }
        }
    }

    /// Gives every free worker a call that its endpoint allows, and comes back when another one may begin.
    fn pump_calls(&mut self, ctx: &mut Context<Self>) {
        self.begin_calls(ctx);
        self.ask_shares(ctx);
    }

    fn begin_calls(&mut self, ctx: &mut Context<Self>) {
        self.grant_hedges(ctx);
        while !self.draining && self.calls.free > 0 {
            let (name, permit, work) = match self.calls.endpoints.pop(Instant::now()) {
                Next::Go(name, permit, work) => {
                    let Some(work) = self.begins(work, ctx) else {
                        self.calls.endpoints.ended(&name, permit, &[], Instant::now());
                        continue;
                    };
                    (name, permit, work)
                }
                Next::Wait(at) => {
                    let look = self.calls.endpoints.is_waited_for_in_vain().then(|| Instant::now() + LOOK_EVERY);
                    return self.pump_calls_at(at.into_iter().chain(look).min(), ctx);
                }
            };
            self.calls.free -= 1;
            self.in_flight.send_modify(|count| *count += 1);
            let workers = self.calls.workers.clone();
            let hedge = Hedge { name: name.clone(), dispatcher: ctx.address().recipient() };
            let (dispatcher, claimant) = (ctx.address(), self.claimant(ctx));
            let holder = claimant.holder;
            // No future of the actor's own: it polls all of those, up to a thousand, whenever one of them goes on.
            actix::spawn(async move {
                let (reports, back) = match hand_over(&workers, work, Some(hedge), claimant).await {
                    HandedOver::Done(job, event, reports) => {
                        let _ = job.send(event).await;
                        (reports, None)
                    }
                    HandedOver::Back(why, work) => (Vec::new(), Some((why, work))),
                };
                let _ = dispatcher.send(CallEnded { name, permit, reports, holder, back }).await;
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
            this.calls.endpoints.names().iter().for_each(|name| this.expire_waits(name));
            this.pump_calls(ctx);
        });
        self.calls.timer = Some((at, timer));
    }

    /// Ends the waits for an endpoint that has been unavailable for longer than a task allows.
    fn expire_waits(&mut self, name: &str) {
        let again = |queue: &mut FairQueue<TaskId, JobWork>, work: JobWork| {
            let spec = Arc::clone(&work.spec);
            queue.push(&spec.tenant, spec.task, spec.options.priority, work);
        };
        let waits = |work: &JobWork| {
            (work.spec.unavailable_timeout, (!work.spec.shared_unavailable_timeout).then_some(work.queued))
        };
        let over = self.calls.endpoints.expire_waits(name, Instant::now(), waits, again);
        let why = Failure::transient(code::ENDPOINT_UNAVAILABLE, "the endpoint has been unavailable for too long");
        tell_expired(over, &why);
    }
}

/// Tells jobs of attempts that have waited for too long; one message after the other, each job as fast as it hears them.
fn tell_expired(over: Vec<JobWork>, why: &Failure) {
    let done = |JobWork { spec, work, events, .. }: JobWork| {
        let Work::Shard(shard) = work else { return None };
        Some((events, spec.shard_done(&shard, ShardResult::WaitExpired(why.clone()), &[])))
    };
    let done: Vec<_> = over.into_iter().filter_map(done).collect();
    if done.is_empty() {
        return;
    }
    actix::spawn(async move {
        for (events, done) in done {
            let _ = events.send(PoolEvent::ShardDone(done)).await;
        }
    });
}

impl Actor for Dispatcher {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.feed_round(ctx);
    }
}

impl Handler<Enqueue> for Dispatcher {
    type Result = ();

    fn handle(&mut self, Enqueue { spec, work, replacing, events }: Enqueue, ctx: &mut Context<Self>) {
        if replacing {
            self.drop_job(spec.task);
        }
        for work in work {
            // What has been asked before comes before what has not: it has cost something, and the task that waits for its page has
            // waited longest.
            let calls = matches!(work.lane(&spec), LaneName::Calls(_));
            let again = calls && matches!(&work, Work::Shard(shard) if !shard.history.is_empty());
            let work =
                JobWork { spec: Arc::clone(&spec), work, events: events.clone(), queued: Instant::now(), stays: false };
            self.push(work, again);
        }
        self.pump_all(ctx);
    }
}

/// A call is over, and its job knows: its worker is free again.
#[derive(Message)]
#[rtype(result = "()")]
struct CallEnded {
    name: String,
    permit: Permit,
    reports: Vec<CallReport>,
    holder: u64,
    /// The work, when nothing of it was done.
    back: Option<(NotBegun, JobWork)>,
}

impl Handler<CallEnded> for Dispatcher {
    type Result = ();

    fn handle(&mut self, CallEnded { name, permit, reports, holder, back }: CallEnded, ctx: &mut Context<Self>) {
        self.calls.free += 1;
        self.in_flight.send_modify(|count| *count -= 1);
        self.calls.endpoints.ended(&name, permit, &reports, Instant::now());
        self.end_claims(holder, back, ctx);
        self.expire_waits(&name);
        self.pump_calls(ctx);
    }
}

impl Handler<ClaimPages> for Dispatcher {
    type Result = MessageResult<ClaimPages>;

    fn handle(&mut self, ClaimPages { holder, keys }: ClaimPages, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.claims.claim(holder, keys))
    }
}

impl Handler<DropJob> for Dispatcher {
    type Result = ();

    fn handle(&mut self, DropJob(task): DropJob, _: &mut Context<Self>) {
        self.drop_job(task);
    }
}

impl Handler<Drain> for Dispatcher {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Drain, ctx: &mut Context<Self>) -> Self::Result {
        let again = std::mem::replace(&mut self.draining, true);
        // Jobs resume from the ledger at the next start; a check that waits fails.
        [&mut self.cpu, &mut self.quarantine].into_iter().for_each(|lane| lane.queue = FairQueue::new());
        self.calls.endpoints.clear();
        self.claims.retain(|_| false);
        self.suspended.clear();
        self.drain_feed(again, ctx);
        let mut in_flight = self.in_flight.subscribe();
        Box::pin(async move { drop(in_flight.wait_for(|count| *count == 0).await) })
    }
}
