//! What callers ask about tasks, and about the service.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use actix::{ActorFutureExt, AsyncContext, Context, Handler, ResponseActFuture, ResponseFuture, WrapFuture};
use tokio::sync::broadcast;

use super::actor::Supervisor;
use super::intake::submit::storage_failure;
use super::messages::{
    CheckAlive, CheckReady, DrawTaskPage, Follow, FollowTask, GetSystemHealth, GetTask, ListTasks, RequestError,
    SystemHealth, TaskLocation, TaskPagesNow, Watch, WatchTask,
};
use super::nodes;
use super::records::backup;
use super::records::expiry::{has_expired, set_expiry};
use super::records::restore;
use crate::blob::LocalBlob;
use crate::document::PageImage;
use crate::metrics;
use crate::pool::{DrawPage, GetEndpoints, GetLoad, GetQueues, Load, SourceCheck};
use crate::store::{ListPage, StoreError};
use crate::task::{FileDigest, TaskId, TaskOptions, TaskRecord};

impl Supervisor {
    /// Lays the live progress of a running job over its stored record. A final status is never taken from memory.
    fn overlay(&self, mut stored: TaskRecord) -> TaskRecord {
        let live = self.active.running(stored.id).map(|running| running.pending.record());
        if let Some(live) = live.filter(|live| live.epoch == stored.epoch && !stored.status.is_final()) {
            stored.counts = live.counts;
            stored.usage = live.usage;
            if !live.status.is_final() {
                stored.status = live.status;
                stored.started_at = live.started_at;
                stored.updated_at = live.updated_at;
            }
        }
        stored
    }

    /// A task whose record the store has lost is not "not found": its end is brought back at once, and an unfinished
    /// one soon, by its owner or the janitor.
    pub(super) fn read(&self, id: TaskId) -> impl Future<Output = Result<TaskRecord, RequestError>> + use<> {
        let (store, blob) = (Arc::clone(&self.store), self.blob.clone());
        let (clock, ttl) = (self.clock.clone(), self.options.ttl);
        async move {
            let found = store.get(id).await;
            if !matches!(found, Err(StoreError::NotFound)) {
                return Ok(found?);
            }
            match backup::read_copy(blob, id).await? {
                Some(copy) if has_expired(&copy, &clock, ttl) => Err(RequestError::NotFound),
                Some(mut copy) if copy.status.is_final() => {
                    set_expiry(&mut copy, &clock, ttl);
                    // By a time that is not believed it may have expired, and could not be stored.
                    if copy.expires_at.is_none_or(|at| at > clock.now()) {
                        match restore(store.as_ref(), &copy).await {
                            // The janitor, or another caller's question, was faster.
                            Err(StoreError::Exists) => return Ok(store.get(id).await.unwrap_or(copy)),
                            restored => restored?,
                        }
                    }
                    Ok(copy)
                }
                Some(_) => {
                    Err(RequestError::StoreUnavailable("the store lost the record; it is being made again".into()))
                }
                None => Err(RequestError::NotFound),
            }
        }
    }
}

impl Handler<GetTask> for Supervisor {
    type Result = ResponseActFuture<Self, Result<TaskRecord, RequestError>>;

    fn handle(&mut self, GetTask(id): GetTask, _: &mut Context<Self>) -> Self::Result {
        let read = self.read(id).into_actor(self);
        Box::pin(read.map(|found, this, _| found.map(|record| this.overlay(record))))
    }
}

impl Handler<ListTasks> for Supervisor {
    type Result = ResponseActFuture<Self, Result<ListPage, RequestError>>;

    fn handle(&mut self, ListTasks(query): ListTasks, _: &mut Context<Self>) -> Self::Result {
        let store = Arc::clone(&self.store);
        let listed = async move { store.list(&query).await };
        Box::pin(listed.into_actor(self).map(|listed, this, _| {
            let mut page = listed?;
            page.tasks = page.tasks.into_iter().map(|record| this.overlay(record)).collect();
            Ok(page)
        }))
    }
}

impl Handler<TaskPagesNow> for Supervisor {
    type Result = ResponseActFuture<Self, Result<TaskLocation, RequestError>>;

    fn handle(&mut self, TaskPagesNow(id): TaskPagesNow, _: &mut Context<Self>) -> Self::Result {
        let read = self.read(id).into_actor(self);
        Box::pin(read.map(move |found, this, _| {
            let record = this.overlay(found?);
            let job = this.active.running(id).and_then(|running| running.job.clone());
            Ok(TaskLocation { job: job.filter(|_| !record.status.is_final()), record })
        }))
    }
}

impl Handler<DrawTaskPage> for Supervisor {
    type Result = ResponseActFuture<Self, Result<PageImage, RequestError>>;

    fn handle(&mut self, asked: DrawTaskPage, _: &mut Context<Self>) -> Self::Result {
        let DrawTaskPage { id, page, options, cancel } = asked;
        let (read, blob, limits) = (self.read(id), self.blob.clone(), self.options.limits);
        let dispatcher = self.dispatcher.clone();
        let drawn = async move {
            let TaskRecord { pdf_path, source, options: TaskOptions { password, .. }, tenant, .. } = read.await?;
            let path = source_path(blob, pdf_path, source.digest()).await?;
            let check = SourceCheck { path, password, selection: None, limits };
            let asked = DrawPage { tenant: tenant.unwrap_or_default(), check, page, options, cancel };
            dispatcher.send(asked).await.map_err(|_| RequestError::Stopping)?.map_err(|why| {
                if why.retryable { RequestError::StorageFailed(why) } else { RequestError::Rejected(why) }
            })
        };
        Box::pin(drawn.into_actor(self))
    }
}

impl Handler<WatchTask> for Supervisor {
    type Result = ResponseActFuture<Self, Result<Watch, RequestError>>;

    /// Listens first and reads then, so that no change falls in between.
    fn handle(&mut self, WatchTask(id): WatchTask, _: &mut Context<Self>) -> Self::Result {
        let mut changes = self.audience.watch(id);
        changes.mark_unchanged();
        let read = self.read(id).into_actor(self);
        Box::pin(read.map(move |found, this, _| Ok(Watch::new(this.overlay(found?), changes))))
    }
}

impl Handler<FollowTask> for Supervisor {
    type Result = ResponseActFuture<Self, Result<Follow, RequestError>>;

    fn handle(&mut self, FollowTask(id): FollowTask, ctx: &mut Context<Self>) -> Self::Result {
        let own = ctx.address();
        let watch = async move { own.send(WatchTask(id)).await.map_err(|_| RequestError::Stopping)? };
        // Pages that get their outcomes in between are told of by the ledger.
        Box::pin(watch.into_actor(self).map(move |watch, this, _| {
            let watch = watch?;
            let goes_on = !watch.record().status.is_final();
            let pages = if goes_on { this.audience.follow(id) } else { broadcast::channel(1).1 };
            Ok(Follow { watch, pages })
        }))
    }
}

impl Handler<CheckReady> for Supervisor {
    type Result = ResponseFuture<Result<Load, RequestError>>;

    fn handle(&mut self, _: CheckReady, _: &mut Context<Self>) -> Self::Result {
        let (store, load, draining) = (Arc::clone(&self.store), self.dispatcher.send(GetLoad), self.intake.is_closed());
        let blob = self.blob.clone();
        Box::pin(async move {
            if draining {
                return Err(RequestError::Stopping);
            }
            let looked = tokio::task::spawn_blocking(move || blob.check()).await.map_err(|_| RequestError::Stopping)?;
            let not_now = |error| RequestError::StorageFailed(storage_failure("files cannot be written", &error));
            looked.map_err(not_now)?;
            store.ping().await?;
            load.await.map_err(|_| RequestError::Stopping)
        })
    }
}

impl Handler<CheckAlive> for Supervisor {
    type Result = ResponseFuture<Result<Load, RequestError>>;

    fn handle(&mut self, _: CheckAlive, _: &mut Context<Self>) -> Self::Result {
        let load = self.dispatcher.send(GetLoad);
        Box::pin(async move { load.await.map_err(|_| RequestError::Stopping) })
    }
}

impl Handler<GetSystemHealth> for Supervisor {
    type Result = ResponseFuture<Result<SystemHealth, RequestError>>;

    fn handle(&mut self, _: GetSystemHealth, _: &mut Context<Self>) -> Self::Result {
        let (store, load, owner) = (Arc::clone(&self.store), self.dispatcher.send(GetLoad), self.owner.clone());
        let (endpoints, queues) = (self.dispatcher.send(GetEndpoints), self.dispatcher.send(GetQueues));
        let (others, running, waiting) = (self.ownership.others(), self.active.len(), self.ownership.waiting());
        let (own, storage) = (self.node(), self.storage.clone());
        let of_storage = self.blob.warnings();
        let (unreadable, missing_processor) = self.ownership.passed_over();
        Box::pin(async move {
            let mut warnings = store.warnings().await?;
            warnings.extend(of_storage);
            let said = store.nodes().await?;
            let apart = nodes::apart(&said, &storage);
            if !apart.is_empty() {
                warnings.push(format!(
                    "{} has its files elsewhere: each server misses those of the others",
                    apart.join(", ")
                ));
            }
            warnings.extend(missing_processor.iter().map(|(name, tasks)| {
                format!(
                    "{tasks} tasks wait for a server with the processor {name:?}: configure it here, or cancel them"
                )
            }));
            if unreadable > 0 {
                warnings.push(format!(
                    "{unreadable} unfinished tasks have records that this version cannot read: use the version that wrote \
                     them, or delete them"
                ));
            }
            let asked = Instant::now();
            let load = load.await.map_err(|_| RequestError::Stopping)?;
            metrics::mailbox("dispatcher", asked.elapsed());
            let (endpoints, queues) = futures::join!(endpoints, queues);
            let (endpoints, queues) = (endpoints.unwrap_or_default(), queues.unwrap_or_default());
            let nodes = nodes::nodes(&said, own.await);
            Ok(SystemHealth { load, owner, others, nodes, running, waiting, queues, endpoints, warnings })
        })
    }
}

/// The file of a source, which is fetched when it is in shared storage and not on this machine.
pub(super) async fn source_path(blob: LocalBlob, key: String, digest: FileDigest) -> Result<PathBuf, RequestError> {
    let found = tokio::task::spawn_blocking(move || {
        blob.ensure(&key, &digest)?;
        blob.path(&key)
    });
    let found = found.await.map_err(|_| RequestError::Stopping)?;
    found.map_err(|error| RequestError::StorageFailed(storage_failure("the source cannot be read", &error)))
}
