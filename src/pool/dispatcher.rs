//! Picks the next piece of work over all jobs and keeps at most as many in flight as there are workers.

use std::sync::Arc;

use actix::{
    Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, MessageResult, Recipient, ResponseFuture,
    SyncArbiter, WrapFuture,
};
use tokio::sync::{oneshot, watch};

use super::fair_queue::FairQueue;
use super::flights::Flights;
use super::perform::Workshop;
use super::work::{Ended, JobSpec, JobWork, LaneName, PoolEvent, SourceCheck, SourcePages, Work};
use super::worker::{Perform, PerformCheck, WorkerActor};
use crate::blob::LocalBlob;
use crate::document::Readers;
use crate::ledger::Ledger;
use crate::task::{Failure, TaskId, code};

/// How many workers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolOptions {
    /// Threads for work that keeps a core busy.
    pub cpu_workers: usize,
    /// Threads for work that waits for an endpoint: the most calls in flight.
    pub call_workers: usize,
}

impl Default for PoolOptions {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { cpu_workers: cores, call_workers: 16 }
    }
}

/// The actor. Work comes in as [`Enqueue`]; news goes out as [`PoolEvent`].
pub struct Dispatcher {
    cpu: Lane,
    calls: Lane,
    suspects: Lane,
    draining: bool,
    /// How many pieces of work are with workers; watched by who waits for the drain.
    in_flight: watch::Sender<usize>,
}

struct Lane {
    queue: FairQueue<TaskId, Item>,
    workers: Addr<WorkerActor>,
    free: usize,
}

enum Item {
    Job(JobWork),
    Check(SourceCheck, oneshot::Sender<Result<SourcePages, Failure>>),
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

/// Opens a file that is not a task yet and answers how many pages it has. It takes its turn as if it
/// were a task of one piece of work.
#[derive(Message)]
#[rtype(result = "Result<SourcePages, Failure>")]
pub struct CheckSource {
    /// The id that the task will have.
    pub task: TaskId,
    /// Whose turn it takes.
    pub tenant: String,
    /// What to check.
    pub check: SourceCheck,
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
        Self {
            cpu: lane("cpu", options.cpu_workers.max(1)),
            calls: lane("call", options.call_workers.max(1)),
            suspects: lane("suspect", 1),
            draining: false,
            in_flight,
        }
    }

    fn lane(&mut self, name: LaneName) -> &mut Lane {
        match name {
            LaneName::Cpu => &mut self.cpu,
            LaneName::Calls => &mut self.calls,
            LaneName::Suspects => &mut self.suspects,
        }
    }

    fn lanes(&mut self) -> [&mut Lane; 3] {
        [&mut self.cpu, &mut self.calls, &mut self.suspects]
    }

    fn forget(&mut self, task: TaskId) {
        self.lanes().into_iter().for_each(|lane| drop(lane.queue.remove(task)));
    }

    /// Gives every free worker of a lane the work whose turn it is.
    fn pump(&mut self, kind: LaneName, ctx: &mut Context<Self>) {
        while !self.draining && self.lane(kind).free > 0 {
            let Some((_, item)) = self.lane(kind).queue.pop() else { return };
            self.lane(kind).free -= 1;
            self.in_flight.send_modify(|count| *count += 1);
            let workers = self.lane(kind).workers.clone();
            let done = async move {
                match item {
                    Item::Job(work) => perform(&workers, work).await,
                    // Who asked may have gone; then nobody needs the answer.
                    Item::Check(check, answer) => drop(answer.send(perform_check(&workers, check).await)),
                }
            };
            ctx.spawn(done.into_actor(self).map(move |(), this, ctx| {
                this.lane(kind).free += 1;
                this.in_flight.send_modify(|count| *count -= 1);
                this.pump(kind, ctx);
            }));
        }
    }
}

/// Has a worker do it and tells the job. The credit comes home only after the job has the news, so a job that cannot
/// keep up holds back its own work and nothing piles up.
async fn perform(workers: &Addr<WorkerActor>, JobWork { spec, work, events }: JobWork) {
    if let Work::Shard(shard) = &work {
        // Only a status; a job that is too busy to hear it hears the end.
        let _ = events.try_send(PoolEvent::Started { index: shard.index, attempt: shard.attempt });
    }
    let lost = lost(&work);
    let ended = workers.send(Perform { spec, work }).await.unwrap_or(lost);
    // A job that is gone has been cancelled; what was paid is in the ledger.
    let _ = events.send(PoolEvent::Ended(ended)).await;
}

async fn perform_check(workers: &Addr<WorkerActor>, check: SourceCheck) -> Result<SourcePages, Failure> {
    workers.send(PerformCheck(check)).await.unwrap_or_else(|_| Err(worker_lost()))
}

/// What a job is told when a worker's thread is gone without an answer.
fn lost(work: &Work) -> Ended {
    match work {
        Work::Plan => Ended::Planned(Err(worker_lost())),
        Work::Shard(shard) => Ended::Shard {
            index: shard.index,
            attempt: shard.attempt,
            receipts: super::work::Receipts::Failed(worker_lost()),
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
            let kind = work.lane(&spec);
            let item = Item::Job(JobWork { spec: Arc::clone(&spec), work, events: events.clone() });
            self.lane(kind).queue.push(&spec.tenant, spec.task, spec.options.priority, item);
        }
        for lane in [LaneName::Cpu, LaneName::Calls, LaneName::Suspects] {
            self.pump(lane, ctx);
        }
    }
}

impl Handler<CheckSource> for Dispatcher {
    type Result = ResponseFuture<Result<SourcePages, Failure>>;

    fn handle(&mut self, CheckSource { task, tenant, check }: CheckSource, ctx: &mut Context<Self>) -> Self::Result {
        let (answer, answered) = oneshot::channel();
        if self.draining {
            return Box::pin(async { Err(worker_lost()) });
        }
        self.cpu.queue.push(&tenant, task, 0, Item::Check(check, answer));
        self.pump(LaneName::Cpu, ctx);
        Box::pin(async move { answered.await.unwrap_or_else(|_| Err(worker_lost())) })
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
        self.lanes().into_iter().for_each(|lane| lane.queue = FairQueue::new());
        let mut in_flight = self.in_flight.subscribe();
        Box::pin(async move { drop(in_flight.wait_for(|count| *count == 0).await) })
    }
}

impl Handler<GetLoad> for Dispatcher {
    type Result = MessageResult<GetLoad>;

    fn handle(&mut self, _: GetLoad, _: &mut Context<Self>) -> Self::Result {
        let queued = self.lanes().into_iter().map(|lane| lane.queue.len()).sum();
        MessageResult(Load { queued, in_flight: *self.in_flight.borrow() })
    }
}
