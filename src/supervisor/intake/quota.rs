//! What a tenant may have on all servers of a store together.

use std::sync::Arc;

use super::tenants::{Amount, TenantLimits, refuse};
use crate::store::{Holding, Reservation, TaskStore};
use crate::supervisor::messages::RequestError;
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
