//! Giving a piece of work to a worker, and its job the outcome.

use std::sync::Arc;

use actix::{Addr, Recipient};

use super::claims::Claimant;
use super::hedge::Hedge;
use super::work::{JobWork, NotBegun, PoolEvent, Work};
use super::worker::{Execute, WorkerActor, lost};
use crate::metrics;
use crate::processor::CallReport;

/// What became of a piece of work.
pub(super) enum HandedOver {
    /// It is over; its job is to be told. A job that is gone has been cancelled: what was paid is in the ledger.
    Done(Recipient<PoolEvent>, PoolEvent, Vec<CallReport>),
    /// It has to wait, and its job knows.
    Back(NotBegun, JobWork),
}

/// Has a worker do it.
pub(super) async fn hand_over(
    workers: &Addr<WorkerActor>,
    JobWork { spec, work, events, queued, stays }: JobWork,
    hedge: Option<Hedge>,
    claimant: Claimant,
) -> HandedOver {
    metrics::waited_for_worker(&spec.tenant, work.lane(&spec).as_str(), queued.elapsed());
    if let Work::Shard(shard) = &work {
        // Only a status; a job that is too busy to hear it hears the end.
        let _ = events.try_send(PoolEvent::Started { index: shard.index, attempt: shard.attempt });
    }
    let asked = Execute { spec: Arc::clone(&spec), work: work.clone(), hedge, claimant };
    match workers.send(asked).await.unwrap_or_else(|_| Ok((lost(&spec, &work), Vec::new()))) {
        Ok((event, calls)) => HandedOver::Done(events, event, calls),
        Err(why) => {
            if let Work::Shard(shard) = &work {
                let requeued = PoolEvent::Requeued { index: shard.index, attempt: shard.attempt };
                let _ = events.send(requeued).await;
            }
            HandedOver::Back(why, JobWork { spec, work, events, queued, stays })
        }
    }
}
