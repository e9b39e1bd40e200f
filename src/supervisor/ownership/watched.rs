//! Tasks that run elsewhere and are watched here: their records are read now and then.

use std::sync::Arc;
use std::time::Duration;

use actix::Context;
use futures::future::LocalBoxFuture;

use crate::store::StoreError;
use crate::supervisor::actor::Supervisor;
use crate::supervisor::rounds::Round;
use crate::task::{TaskId, TaskRecord};

/// How often they are read.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// Reads the records of tasks that are watched here and run elsewhere.
pub(in crate::supervisor) struct WatchElsewhere;

impl Round for WatchElsewhere {
    /// Their records, and those that are not there any more.
    type Outcome = (Vec<TaskRecord>, Vec<TaskId>);

    const PAUSE: Duration = WATCH_EVERY;

    fn decide(
        supervisor: &mut Supervisor,
        _: &mut Context<Supervisor>,
    ) -> Option<LocalBoxFuture<'static, Self::Outcome>> {
        let elsewhere = |id: &TaskId| !supervisor.active.has(*id);
        let ids: Vec<TaskId> = supervisor.audience.watched().filter(elsewhere).collect();
        let store = Arc::clone(&supervisor.store);
        Some(Box::pin(async move {
            let (mut records, mut gone) = (Vec::new(), Vec::new());
            for id in ids {
                match store.get(id).await {
                    Ok(record) => records.push(record),
                    Err(StoreError::NotFound) => gone.push(id),
                    Err(_) => {}
                }
            }
            (records, gone)
        }))
    }

    fn report(supervisor: &mut Supervisor, (records, gone): Self::Outcome, _: &mut Context<Supervisor>) -> Duration {
        for id in gone.into_iter().filter(|id| !supervisor.active.has(*id)) {
            supervisor.audience.gone(id);
        }
        for record in records.into_iter().filter(|record| !supervisor.active.has(record.id)) {
            supervisor.audience.show_stored(record);
        }
        WATCH_EVERY
    }
}
