//! Tasks that were accepted without an owner: servers with room for them take them up at once, and need not wait for the
//! next renewing of their leases.

use std::sync::Arc;
use std::time::Duration;

use actix::Context;
use futures::future::LocalBoxFuture;

use crate::store::StoreError;
use crate::supervisor::actor::Supervisor;
use crate::supervisor::rounds::Round;

/// How often it is asked whether there are new ones.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Looks for tasks that no process runs when new ones have come.
pub(in crate::supervisor) struct LookForArrivals;

impl Round for LookForArrivals {
    type Outcome = Result<Option<u64>, StoreError>;

    const PAUSE: Duration = LOOK_EVERY;

    fn decide(
        supervisor: &mut Supervisor,
        _: &mut Context<Supervisor>,
    ) -> Option<LocalBoxFuture<'static, Self::Outcome>> {
        if !supervisor.has_slot() {
            return None;
        }
        let store = Arc::clone(&supervisor.store);
        Some(Box::pin(async move { store.arrivals().await }))
    }

    fn report(supervisor: &mut Supervisor, outcome: Self::Outcome, ctx: &mut Context<Supervisor>) -> Duration {
        if let Ok(Some(count)) = outcome
            && supervisor.ownership.arrivals.replace(count) != Some(count)
        {
            supervisor.scan_unclaimed(ctx);
        }
        LOOK_EVERY
    }
}
