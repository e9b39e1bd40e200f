//! Giving a piece of work to a worker, and its job the outcome.

use std::sync::Arc;

use actix::Addr;

use super::claims::Claimant;
use super::hedge::Hedge;
use super::work::{JobWork, NotBegun, PoolEvent, Work};
use super::worker::{Execute, WorkerActor, lost};
use crate::metrics;
use crate::processor::CallReport;

/// Has a worker do it and tells the job. The credit comes home only after the job has the outcome, so a job that cannot
/// keep up holds back its own work and nothing piles up. Returns the calls that were made, or the work when it has to wait.
pub(super) async fn hand_over(
    workers: &Addr<WorkerActor>,
    JobWork { spec, work, events, queued, stays }: JobWork,
    hedge: Option<Hedge>,
    claimant: Claimant,
) -> (Vec<CallReport>, Option<(NotBegun, JobWork)>) {
    metrics::waited_for_worker(&spec.tenant, work.lane(&spec).as_str(), queued.elapsed());
    if let Work::Shard(shard) = &work {
        // Only a status; a job that is too busy to hear it hears the end.
        let _ = events.try_send(PoolEvent::Started { index: shard.index, attempt: shard.attempt });
    }
    let asked = Execute { spec: Arc::clone(&spec), work: work.clone(), hedge, claimant };
    match workers.send(asked).await.unwrap_or_else(|_| Ok((lost(&spec, &work), Vec::new()))) {
        Ok((event, calls)) => {
            // A job that is gone has been cancelled; what was paid is in the ledger.
            let _ = events.send(event).await;
            (calls, None)
        }
        Err(why) => {
            if let Work::Shard(shard) = &work {
                let requeued = PoolEvent::Requeued { index: shard.index, attempt: shard.attempt };
                let _ = events.send(requeued).await;
            }
            (Vec::new(), Some((why, JobWork { spec, work, events, queued, stays })))
        }
    }
}
