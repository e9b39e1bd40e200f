//! One thread of a SyncArbiter, doing one piece of work at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix::{Actor, Handler, Message, SyncContext};

use super::claims::Claimant;
use super::execute::Executor;
use super::hedge::Hedge;
use super::spec::JobContext;
use super::work::{NotBegun, PoolEvent, ShardResult, Work};
use crate::processor::CallReport;
use crate::task::{Failure, code};

pub(super) struct WorkerActor {
    executor: Executor,
    slot: usize,
}

impl WorkerActor {
    pub(super) fn new(executor: Executor) -> Self {
        let slot = executor.slots.fetch_add(1, Ordering::Relaxed);
        Self { executor, slot }
    }
}

impl Actor for WorkerActor {
    type Context = SyncContext<Self>;
}

/// What a job is to be told, and the calls that were made; or why nothing was done.
pub(super) type Executed = Result<(PoolEvent, Vec<CallReport>), NotBegun>;

#[derive(Message)]
#[rtype(result = "Executed")]
pub(super) struct Execute {
    pub(super) spec: Arc<JobContext>,
    pub(super) work: Work,
    pub(super) hedge: Option<Hedge>,
    pub(super) claimant: Claimant,
}

/// Computes something with what workers have, and sends it to who waits for it.
pub(super) type Query = Box<dyn FnOnce(&Executor) + Send>;

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct RunQuery(pub(super) Query);

/// A panic would end the worker's thread for good, so it ends here, as a failed attempt.
impl Handler<Execute> for WorkerActor {
    type Result = actix::MessageResult<Execute>;

    fn handle(&mut self, asked: Execute, _: &mut Self::Context) -> Self::Result {
        let Execute { spec, work, hedge, claimant } = asked;
        let again = work.clone();
        let execute = || self.executor.execute(&spec, work, self.slot, hedge.as_ref(), &claimant);
        let executed = catch_unwind(AssertUnwindSafe(execute));
        actix::MessageResult(executed.unwrap_or_else(|_| Ok((crashed(&spec, &again), Vec::new()))))
    }
}

impl Handler<RunQuery> for WorkerActor {
    type Result = ();

    fn handle(&mut self, RunQuery(question): RunQuery, _: &mut Self::Context) {
        question(&self.executor);
    }
}

/// What reads a PDF in this process may panic; that is the PDF's fault.
pub(super) fn catch_panic<T>(read: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(unreadable()))
}

fn crashed(spec: &JobContext, work: &Work) -> PoolEvent {
    let why = |what: String| Failure::transient(code::PROCESSOR_CRASHED, what);
    match work {
        Work::Plan => PoolEvent::Planned(Err(unreadable())),
        Work::Shard(work) => {
            let why = why(format!("the processor {} crashed on this page", spec.processor.name()));
            PoolEvent::ShardDone(spec.shard_done(work, ShardResult::Failed(why), &[]))
        }
        Work::Aggregate(_) => PoolEvent::Aggregated(Err(why("writing the result crashed".to_owned()))),
    }
}

/// What a job is told when a worker's thread is gone without an answer.
pub(super) fn lost(spec: &JobContext, work: &Work) -> PoolEvent {
    match work {
        Work::Plan => PoolEvent::Planned(Err(worker_lost())),
        Work::Shard(work) => PoolEvent::ShardDone(spec.shard_done(work, ShardResult::Failed(worker_lost()), &[])),
        Work::Aggregate(_) => PoolEvent::Aggregated(Err(worker_lost())),
    }
}

fn unreadable() -> Failure {
    Failure::permanent(code::PDF_DAMAGED, "the PDF is damaged in a way that crashes its reader")
}

pub(super) fn worker_lost() -> Failure {
    Failure::transient(code::PROCESSOR_CRASHED, "the worker's thread ended without an answer")
}
