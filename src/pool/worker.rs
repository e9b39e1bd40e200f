//! One thread of a SyncArbiter, doing one piece of work at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix::{Actor, Handler, Message, SyncContext};

use super::another::Another;
use super::estimate::{Estimate, EstimateSource};
use super::perform::Workshop;
use super::work::{Ended, JobSpec, Receipts, SourceCheck, SourcePages, Work};
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
#[rtype(result = "Ended")]
pub(super) struct Perform {
    pub(super) spec: Arc<JobSpec>,
    pub(super) work: Work,
    pub(super) another: Option<Another>,
}

#[derive(Message)]
#[rtype(result = "Result<SourcePages, Failure>")]
pub(super) struct PerformCheck(pub(super) SourceCheck);

#[derive(Message)]
#[rtype(result = "Result<Estimate, Failure>")]
pub(super) struct PerformEstimate(pub(super) EstimateSource);

/// A panic would end the worker's thread for good, so it ends here, as a failed attempt.
impl Handler<Perform> for WorkerActor {
    type Result = actix::MessageResult<Perform>;

    fn handle(&mut self, Perform { spec, work, another }: Perform, _: &mut Self::Context) -> Self::Result {
        let again = work.clone();
        let performed =
            catch_unwind(AssertUnwindSafe(|| self.workshop.perform(&spec, work, self.slot, another.as_ref())));
        actix::MessageResult(performed.unwrap_or_else(|_| crashed(&spec, &again)))
    }
}

impl Handler<PerformCheck> for WorkerActor {
    type Result = Result<SourcePages, Failure>;

    fn handle(&mut self, PerformCheck(check): PerformCheck, _: &mut Self::Context) -> Self::Result {
        let opened = catch_unwind(AssertUnwindSafe(|| self.workshop.open(&check)));
        let (document, pages) = opened.map_err(|_| unreadable())??;
        let selected = u32::try_from(pages.len()).unwrap_or(u32::MAX);
        Ok(SourcePages { all: document.page_count(), selected })
    }
}

impl Handler<PerformEstimate> for WorkerActor {
    type Result = Result<Estimate, Failure>;

    fn handle(&mut self, PerformEstimate(question): PerformEstimate, _: &mut Self::Context) -> Self::Result {
        catch_unwind(AssertUnwindSafe(|| self.workshop.estimate(&question))).map_err(|_| unreadable())?
    }
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
