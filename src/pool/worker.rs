//! One thread of a SyncArbiter, doing one piece of work at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix::{Actor, Handler, Message, SyncContext};

use super::another::Another;
use super::claims::{Busy, Claimant};
use super::perform::Workshop;
use super::work::{Ended, JobSpec, Receipts, Work};
use crate::task::{Failure, code};

pub(super) struct WorkerActor {
    workshop: Workshop,
    slot: usize,
}

impl WorkerActor {
    pub(super) fn new(workshop: Workshop) -> Self {
        let slot = workshop.slots.fetch_add(1, Ordering::Relaxed);
        Self { workshop, slot }
    }
}

impl Actor for WorkerActor {
    type Context = SyncContext<Self>;
}

#[derive(Message)]
#[rtype(result = "Result<Ended, Busy>")]
pub(super) struct Perform {
    pub(super) spec: Arc<JobSpec>,
    pub(super) work: Work,
    pub(super) another: Option<Another>,
    pub(super) claimant: Claimant,
}

/// Answers something with what workers have, and tells whoever asked.
pub(super) type Question = Box<dyn FnOnce(&Workshop) + Send>;

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct PerformQuestion(pub(super) Question);

/// A panic would end the worker's thread for good, so it ends here, as a failed attempt.
impl Handler<Perform> for WorkerActor {
    type Result = actix::MessageResult<Perform>;

    fn handle(&mut self, asked: Perform, _: &mut Self::Context) -> Self::Result {
        let Perform { spec, work, another, claimant } = asked;
        let again = work.clone();
        let perform = || self.workshop.perform(&spec, work, self.slot, another.as_ref(), &claimant);
        let performed = catch_unwind(AssertUnwindSafe(perform));
        actix::MessageResult(performed.unwrap_or_else(|_| Ok(crashed(&spec, &again))))
    }
}

impl Handler<PerformQuestion> for WorkerActor {
    type Result = ();

    fn handle(&mut self, PerformQuestion(question): PerformQuestion, _: &mut Self::Context) {
        question(&self.workshop);
    }
}

/// What reads a PDF in this process may panic; that is the PDF's fault.
pub(super) fn careful<T>(read: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(unreadable()))
}

fn crashed(spec: &JobSpec, work: &Work) -> Ended {
    match work {
        Work::Plan => Ended::Planned(Err(unreadable())),
        Work::Shard(work) => {
            let message = format!("the processor {} crashed on this page", spec.processor.name());
            let why = Failure::passing(code::PROCESSOR_CRASHED, message);
            Ended::Shard {
                index: work.index,
                attempt: work.attempt,
                receipts: Receipts::Failed(why),
                calls: Vec::new(),
            }
        }
        Work::Bind(_) => Ended::Bound(Err(Failure::passing(code::PROCESSOR_CRASHED, "writing the result crashed"))),
    }
}

fn unreadable() -> Failure {
    Failure::permanent(code::PDF_DAMAGED, "the PDF is damaged in a way that crashes its reader")
}
