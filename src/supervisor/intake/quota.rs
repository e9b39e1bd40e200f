//! What a tenant may have, and may ask, on all servers of a store together.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{ActorFutureExt, Context, Handler, ResponseActFuture, WrapFuture};

use super::tenants::{Amount, TenantLimits, refuse};
use crate::store::{Holding, RequestRate, Reservation, TaskStore};
use crate::supervisor::actor::Supervisor;
use crate::supervisor::messages::{CountRequest, RequestError};
use crate::task::{TaskId, TaskRecord};

/// Counts a task for its tenant among those of all servers.
///
/// # Errors
/// [`RequestError::OverQuota`] when the tenant would have too much.
pub(in crate::supervisor) async fn reserve(
    store: &Arc<dyn TaskStore>,
    record: &TaskRecord,
    limits: TenantLimits,
) -> Result<(), RequestError> {
    let (Some(tenant), true) = (&record.tenant, limits.has_quota()) else { return Ok(()) };
    let more = Amount::of(record);
    let most = Holding { tasks: limits.tasks as u64, pages: limits.pages, bytes: limits.bytes };
    let asked = Reservation { tenant: tenant.clone(), task: record.id, more: holding(more), most };
    let Some(Holding { tasks, pages, bytes }) = store.reserve(&asked).await? else { return Ok(()) };
    let held = Amount { tasks: usize::try_from(tasks).unwrap_or(usize::MAX), pages, bytes };
    refuse(held, more, limits).map_err(RequestError::OverQuota)
}

/// Takes back what came to nothing; what cannot be taken back now is counted again when it matters.
pub(in crate::supervisor) async fn unreserve(
    store: &Arc<dyn TaskStore>,
    tenant: Option<&str>,
    task: TaskId,
    limits: TenantLimits,
) {
    let (Some(tenant), true) = (tenant, limits.has_quota()) else { return };
    if let Err(why) = store.unreserve(tenant, task).await {
        log::info!(task:%; "a task that came to nothing counts for its tenant for a while: {why}");
    }
}

const fn holding(Amount { tasks, pages, bytes }: Amount) -> Holding {
    Holding { tasks: tasks as u64, pages, bytes }
}

/// The longest that a request waits for the store to count it.
const COUNTED: Duration = Duration::from_millis(500);

/// The requests of each tenant that this process counts by itself: where it alone has the store, and while that does not answer.
pub(in crate::supervisor) struct Requests {
    begun: Instant,
    taken: HashMap<String, Duration>,
}

impl Default for Requests {
    fn default() -> Self {
        Self { begun: Instant::now(), taken: HashMap::new() }
    }
}

impl Requests {
    fn count(&mut self, tenant: String, rate: RequestRate) -> Duration {
        let now = self.begun.elapsed();
        let taken = self.taken.entry(tenant).or_default();
        match rate.count(*taken, now) {
            Ok(until) => {
                *taken = until;
                Duration::ZERO
            }
            Err(early) => early,
        }
    }
}

impl Handler<CountRequest> for Supervisor {
    type Result = ResponseActFuture<Self, Result<(), RequestError>>;

    fn handle(&mut self, CountRequest { tenant }: CountRequest, _: &mut Context<Self>) -> Self::Result {
        let (store, rate) = (Arc::clone(&self.store), self.options.tenant.requests_per_minute);
        let counted = async move {
            let Some(rate) = rate.map(RequestRate::a_minute) else { return Ok(Duration::ZERO) };
            // A store that does not answer lets each server allow what all of them may.
            let counted = tokio::time::timeout(COUNTED, store.count_request(&tenant, rate)).await;
            let early = counted.ok().and_then(Result::ok).flatten();
            early.ok_or((tenant, rate))
        };
        Box::pin(counted.into_actor(self).map(|early, this, _| {
            let early = early.unwrap_or_else(|(tenant, rate)| this.intake.requests.count(tenant, rate));
            if early.is_zero() { Ok(()) } else { Err(RequestError::OverRate(early)) }
        }))
    }
}
