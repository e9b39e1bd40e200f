//! What callers ask of existing tasks.

use std::sync::Arc;
use std::time::Duration;

use actix::{ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseActFuture, ResponseFuture, WrapFuture};
use tokio::sync::watch;
use uuid::Uuid;

use super::actor::{Slot, Supervisor};
use super::messages::{
    CancelTask, CheckReady, DeleteTask, DrainTasks, GetTask, ListTasks, RequestError, RetryTask, TaskPagesNow, Watch,
    WatchTask, Whereabouts,
};
use crate::clock::Timestamp;
use crate::job::StopJob;
use crate::pool::{GetLoad, Load};
use crate::store::{ListPage, StoreError, TaskStore, Update};
use crate::task::{TaskId, TaskRecord, TaskStatus, TaskStep};

/// How often a change is tried anew when somebody else changed the same task in between.
const RACES: usize = 8;

impl Supervisor {
    /// Lays the live progress of a running job over its stored record. A final status is never taken from memory.
    fn overlay(&self, mut stored: TaskRecord) -> TaskRecord {
        let live = self.running(stored.id).map(|running| running.draft.record());
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

    fn listen(&mut self, id: TaskId) -> watch::Receiver<Option<TaskRecord>> {
        self.watchers.entry(id).or_insert_with(|| watch::Sender::new(None)).subscribe()
    }

    fn read(&self, id: TaskId) -> impl Future<Output = Result<TaskRecord, RequestError>> + use<> {
        let store = Arc::clone(&self.store);
        async move { store.get(id).await.map_err(RequestError::from) }
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
    type Result = ResponseActFuture<Self, Result<Whereabouts, RequestError>>;

    fn handle(&mut self, TaskPagesNow(id): TaskPagesNow, _: &mut Context<Self>) -> Self::Result {
        let read = self.read(id).into_actor(self);
        Box::pin(read.map(move |found, this, _| {
            let record = this.overlay(found?);
            let job = this.running(id).and_then(|running| running.job.clone());
            Ok(Whereabouts { job: job.filter(|_| !record.status.is_final()), record })
        }))
    }
}

impl Handler<WatchTask> for Supervisor {
    type Result = ResponseActFuture<Self, Result<Watch, RequestError>>;

    /// Listens first and reads then, so that no change falls in between.
    fn handle(&mut self, WatchTask(id): WatchTask, _: &mut Context<Self>) -> Self::Result {
        let mut changes = self.listen(id);
        changes.mark_unchanged();
        let read = self.read(id).into_actor(self);
        Box::pin(read.map(move |found, this, _| Ok(Watch::new(this.overlay(found?), changes))))
    }
}

impl Handler<CheckReady> for Supervisor {
    type Result = ResponseFuture<Result<Load, RequestError>>;

    fn handle(&mut self, _: CheckReady, _: &mut Context<Self>) -> Self::Result {
        let (store, load, draining) = (Arc::clone(&self.store), self.dispatcher.send(GetLoad), self.draining);
        Box::pin(async move {
            if draining {
                return Err(RequestError::Stopping);
            }
            store.ping().await?;
            load.await.map_err(|_| RequestError::Internal("the dispatcher is gone".into()))
        })
    }
}

/// One try at changing a task; `None` when somebody else was faster and it should be looked at anew.
type Try = Result<Option<TaskRecord>, RequestError>;

#[derive(Message)]
#[rtype(result = "Try")]
struct TryCancel(TaskId);

impl Handler<CancelTask> for Supervisor {
    type Result = ResponseFuture<Result<TaskRecord, RequestError>>;

    fn handle(&mut self, CancelTask(id): CancelTask, ctx: &mut Context<Self>) -> Self::Result {
        let own = ctx.address();
        Box::pin(async move {
            for _ in 0..RACES {
                if let Some(record) = own.send(TryCancel(id)).await.map_err(|_| RequestError::Stopping)?? {
                    return Ok(record);
                }
            }
            Err(RequestError::StoreUnavailable("the task is being changed by someone else".into()))
        })
    }
}

impl Handler<TryCancel> for Supervisor {
    type Result = ResponseActFuture<Self, Try>;

    fn handle(&mut self, TryCancel(id): TryCancel, _: &mut Context<Self>) -> Self::Result {
        if self.running(id).is_some() { self.cancel_running(id) } else { self.cancel_stored(id) }
    }
}

impl Supervisor {
    /// The job first, so that nothing begins any more; then the record; then the answer.
    fn cancel_running(&mut self, id: TaskId) -> ResponseActFuture<Self, Try> {
        let stop = self.running(id).and_then(|running| running.job.clone());
        let stopped = async move {
            if let Some(job) = stop {
                let _ = job.send(StopJob).await;
            }
        };
        let ended = stopped.into_actor(self).map(move |(), this, ctx| {
            this.running(id)?;
            let end = this.listen(id);
            this.end(id, TaskStep::Cancel, None, None, ctx);
            Some(end)
        });
        Box::pin(ended.then(|end, this, _| {
            async move {
                // Finished in the very moment: look again.
                let Some(mut end) = end else { return Ok(None) };
                let is_final = |record: &Option<TaskRecord>| record.as_ref().is_some_and(|r| r.status.is_final());
                match end.wait_for(is_final).await.ok().and_then(|record| record.clone()) {
                    Some(record) if record.status == TaskStatus::Cancelled => Ok(Some(record)),
                    Some(record) => Err(RequestError::AlreadyFinal(Box::new(record))),
                    None => Ok(None),
                }
            }
            .into_actor(this)
        }))
    }

    /// A task without a job here: its record alone.
    fn cancel_stored(&mut self, id: TaskId) -> ResponseActFuture<Self, Try> {
        let (store, ttl) = (Arc::clone(&self.store), self.options.ttl);
        let cancelled = async move { change(store.as_ref(), id, TaskStep::Cancel, ttl, None).await };
        Box::pin(cancelled.into_actor(self).map(move |cancelled, this, ctx| match cancelled {
            Err(ChangeError::Illegal(record)) => Err(RequestError::AlreadyFinal(record)),
            Err(ChangeError::Store(StoreError::Conflict(_) | StoreError::Final)) => Ok(None),
            Err(ChangeError::Store(error)) => Err(error.into()),
            Ok(record) => {
                this.waiting.retain(|waiting| *waiting != id);
                // A claim that landed in between has lost the record again.
                if matches!(this.active.get(&id), Some(Slot::Running(_))) {
                    this.give_up(id, ctx);
                }
                if let Some(watcher) = this.watchers.remove(&id) {
                    watcher.send_replace(Some(record.clone()));
                }
                Ok(Some(record))
            }
        }))
    }
}

impl Handler<RetryTask> for Supervisor {
    type Result = ResponseActFuture<Self, Result<TaskRecord, RequestError>>;

    fn handle(&mut self, RetryTask(id): RetryTask, _: &mut Context<Self>) -> Self::Result {
        let refused = if self.draining {
            Some(RequestError::Stopping)
        } else if self.active.contains_key(&id) {
            Some(RequestError::NotFinal)
        } else if self.unfinished() >= self.options.max_queued {
            Some(RequestError::QueueFull)
        } else {
            None
        };
        if let Some(refused) = refused {
            return Box::pin(async move { Err(refused) }.into_actor(self));
        }
        let (store, ttl, node) = (Arc::clone(&self.store), self.options.ttl, self.options.node.clone());
        let changed = async move { change(store.as_ref(), id, TaskStep::Retry, ttl, Some(node)).await };
        Box::pin(changed.into_actor(self).map(move |changed, this, ctx| match changed {
            Ok(record) => {
                this.admit(record.clone(), ctx);
                Ok(record)
            }
            Err(ChangeError::Illegal(_) | ChangeError::Store(StoreError::Conflict(_) | StoreError::Final)) => {
                Err(RequestError::NotFinal)
            }
            Err(ChangeError::Store(error)) => {
                // It may have landed unseen; a claim finds out, and drops a task that is still final.
                if matches!(error, StoreError::Unavailable(_)) {
                    this.waiting.push_back(id);
                    this.fill_places(ctx);
                }
                Err(error.into())
            }
        }))
    }
}

impl Handler<DeleteTask> for Supervisor {
    type Result = ResponseFuture<Result<(), RequestError>>;

    fn handle(&mut self, DeleteTask(id): DeleteTask, ctx: &mut Context<Self>) -> Self::Result {
        let (own, store, blob) = (ctx.address(), Arc::clone(&self.store), self.blob.clone());
        Box::pin(async move {
            let ended = own.send(CancelTask(id)).await.map_err(|_| RequestError::Stopping)?;
            let folder = match ended {
                Ok(record) => record.work_dir,
                Err(RequestError::AlreadyFinal(record)) => record.work_dir,
                // An earlier delete may have got no further than the record.
                Err(RequestError::NotFound) => {
                    let _ = tokio::task::spawn_blocking(move || blob.remove_folder(&format!("tasks/{id}"))).await;
                    return Err(RequestError::NotFound);
                }
                Err(other) => return Err(other),
            };
            // The record first: files without a record are garbage, a record without files is a lie.
            store.delete(id).await?;
            let removed = tokio::task::spawn_blocking(move || blob.remove_folder(&folder)).await;
            match removed {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(RequestError::Internal(format!("its files cannot be removed: {}", error.kind()))),
                Err(_) => Err(RequestError::Stopping),
            }
        })
    }
}

impl Handler<DrainTasks> for Supervisor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, DrainTasks { stop_jobs }: DrainTasks, ctx: &mut Context<Self>) -> Self::Result {
        self.draining = true;
        for id in self.active.keys().copied().collect::<Vec<_>>() {
            let job = self.running(id).and_then(|running| running.job.clone()).filter(|_| stop_jobs);
            if let Some(job) = job {
                ctx.spawn(
                    async move {
                        let _ = job.send(StopJob).await;
                    }
                    .into_actor(self),
                );
            }
            self.persist(id, ctx);
        }
        let mut settled = self.settled();
        Box::pin(async move {
            let _ = settled.wait_for(|unsettled| *unsettled == 0).await;
        })
    }
}

enum ChangeError {
    Illegal(Box<TaskRecord>),
    Store(StoreError),
}

impl From<StoreError> for ChangeError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Reads a record, takes `step` on it and writes it back, if nobody was faster.
async fn change(
    store: &dyn TaskStore,
    id: TaskId,
    step: TaskStep,
    ttl: Duration,
    owner: Option<String>,
) -> Result<TaskRecord, ChangeError> {
    let current = store.get(id).await?;
    let mut next = current.clone();
    if next.take(step, Timestamp::now(), ttl).is_err() {
        return Err(ChangeError::Illegal(Box::new(current)));
    }
    next.owner = owner;
    next.version += 1;
    let update = Update { expected: current.revision(), next, operation: Uuid::now_v7() };
    store.update(&update).await?;
    Ok(update.next)
}
