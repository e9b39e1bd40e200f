//! Removes what has expired: files first, then the index entries that would find them again.

use std::sync::Arc;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};

use super::actor::Supervisor;
use crate::blob::LocalBlob;
use crate::clock::Timestamp;
use crate::store::{StoreError, TaskStore};

/// Tasks removed in one go.
const BATCH: usize = 200;

impl Supervisor {
    pub(super) fn schedule_retention(&mut self, ctx: &mut Context<Self>) {
        let sweep = sweep(Arc::clone(&self.store), self.blob.clone());
        ctx.spawn(sweep.into_actor(self).map(|swept, this, ctx| {
            match swept {
                Ok(0) => {}
                Ok(removed) => log::info!(tasks = removed; "removed expired tasks"),
                Err(why) => log::warn!("expired tasks stay for now: {why}"),
            }
            // Watchers that nobody listens to.
            this.watchers.retain(|id, watcher| !watcher.is_closed() || this.active.contains_key(id));
            ctx.run_later(this.options.retention_tick, Self::schedule_retention);
        }));
    }
}

/// Removes every expired task; answers how many. A task that is found again by `get` is not expired, whatever its
/// index entry says.
async fn sweep(store: Arc<dyn TaskStore>, blob: LocalBlob) -> Result<usize, StoreError> {
    let mut removed = 0;
    loop {
        let expired = store.expired(Timestamp::now(), BATCH).await?;
        let (found, before) = (expired.len(), removed);
        for id in expired {
            if !matches!(store.get(id).await, Err(StoreError::NotFound)) {
                continue;
            }
            let blob = blob.clone();
            let gone = tokio::task::spawn_blocking(move || blob.remove_folder(&format!("tasks/{id}"))).await;
            if let Ok(Err(why)) = gone {
                log::warn!(task:% = id; "files of an expired task stay for now: {why}");
                continue;
            }
            store.delete(id).await?;
            removed += 1;
        }
        // What could not be removed would come again and again; it waits for the next tick.
        if found < BATCH || removed == before {
            return Ok(removed);
        }
    }
}
