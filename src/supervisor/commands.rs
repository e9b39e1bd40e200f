//! What callers change about existing tasks.

use std::sync::Arc;
use std::time::Duration;

use actix::{ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseActFuture, ResponseFuture, WrapFuture};
use uuid::Uuid;

use super::actor::Supervisor;
use super::intake::quota;
use super::intake::submit::time_told;
use super::intake::tenants::Amount;
use super::jobs::{Running, Slot};
use super::messages::{CancelTask, DrainTasks, RequestError, RetryTask};
use super::ownership::decide::{Asked, asked, cancel};
use super::records::{Unwritten, write_kept, write_once};
use super::registry::Processors;
use crate::blob::LocalBlob;
use crate::clock::{TaskClock, Timestamp, Uptime};
use crate::job::StopJob;
use crate::metrics;
use crate::store::{LeaseChange, StoreError, TaskStore, Update};
use crate::task::{Cost, Failure, TaskId, TaskRecord, TaskStatus, TaskStep, code};

/// How often a change is tried again when another process changed the same task in between.
pub(super) const RACES: usize = 8;
/// How often a record is read while another process is asked to cancel its task.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// After so many looks it is tried whether the task can be ended from here.
const LOOKS_A_TRY: u32 = 10;
/// How long another process is waited for, beyond two lengths of a lease.
const CANCEL_GRACE: Duration = Duration::from_secs(5);

/// One try at changing a task; `None` when another process was faster and the task should be read again.
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
        match self.active.get(id) {
            Some(Slot::Running(_)) => self.cancel_running(id),
            // A job may be about to begin: look again when that is settled.
            Some(Slot::Claiming(claiming)) => {
                let mut settled = claiming.subscribe();
                let settled = async move {
                    while settled.changed().await.is_ok() {}
                    Ok(None)
                };
                Box::pin(settled.into_actor(self))
            }
            None => self.cancel_stored(id),
        }
    }
}

impl Supervisor {
    /// The job first, so that nothing begins any more; then the record; then the answer.
    fn cancel_running(&mut self, id: TaskId) -> ResponseActFuture<Self, Try> {
        let stop = self.active.running(id).and_then(|running| running.job.clone());
        let stopped = async move {
            if let Some(job) = stop {
                let _ = job.send(StopJob).await;
            }
        };
        let ended = stopped.into_actor(self).map(move |(), this, ctx| {
            this.active.running(id)?;
            let end = this.audience.watch(id);
            this.end(id, TaskStep::Cancel, None, None, ctx);
            Some(end)
        });
        Box::pin(ended.then(|end, this, _| {
            async move {
                // Finished in the very moment: look again.
                let Some(mut end) = end else { return Ok(None) };
                let is_final = |record: &Option<TaskRecord>| record.as_ref().is_some_and(|r| r.status.is_final());
                let ended = end.wait_for(is_final).await.ok().and_then(|record| record.clone());
                ended.map_or(Ok(None), end_told)
            }
            .into_actor(this)
        }))
    }

    /// A task without a job here. No process runs it, or a dead one: then a new epoch ends it. Or another process runs
    /// it: then that one is asked to end it, and the answer waits until it has.
    fn cancel_stored(&mut self, id: TaskId) -> ResponseActFuture<Self, Try> {
        let (store, blob) = (Arc::clone(&self.store), self.blob.clone());
        let (read, clock, ttl) = (self.read(id), self.clock.clone(), self.options.ttl);
        let cancelled = async move {
            let record = read.await?;
            time_told(&clock).await?;
            cancel_record(record, store, blob, &clock, ttl).await
        };
        Box::pin(cancelled.into_actor(self).map(move |cancelled, this, ctx| {
            if let Ok(Some(record)) = &cancelled {
                this.ownership.stop_waiting(id);
                this.intake.remove(id);
                metrics::task_ended(record.status.as_str());
                this.send_due(ctx);
                this.audience.end(record.clone());
            }
            cancelled
        }))
    }
}

/// The end of a task, as it is told to who wanted it cancelled.
fn end_told(ended: TaskRecord) -> Try {
    if ended.status == TaskStatus::Cancelled {
        Ok(Some(ended))
    } else {
        Err(RequestError::AlreadyFinal(Box::new(ended)))
    }
}

/// One try at cancelling a task that has no job in this process.
async fn cancel_record(
    current: TaskRecord,
    store: Arc<dyn TaskStore>,
    blob: LocalBlob,
    clock: &TaskClock,
    ttl: Duration,
) -> Try {
    if current.status.is_final() {
        return Err(RequestError::AlreadyFinal(Box::new(current)));
    }
    let expected = current.revision();
    let update = ending(&current, (clock, ttl)).ok_or(RequestError::NotFinal)?;
    match write_once(store.as_ref(), blob.clone(), &update).await {
        Ok(()) => return Ok(Some(update.next)),
        Err(StoreError::Conflict(_) | StoreError::Final) => return Ok(None),
        Err(StoreError::Held) => {}
        Err(other) => return Err(other.into()),
    }
    let id = current.id;
    if !current.cancel_requested {
        let next = TaskRecord { cancel_requested: true, version: current.version + 1, ..current };
        let ask = Update { expected, next, operation: Uuid::now_v7(), lease: LeaseChange::Keep };
        match store.update(&ask).await {
            Ok(()) => log::info!(task:% = id; "asked the process that runs the task to cancel it"),
            Err(StoreError::Conflict(_) | StoreError::Final) => return Ok(None),
            Err(other) => return Err(other.into()),
        }
    }
    let until = Uptime::now().after(store.lease().unwrap_or_default() * 2 + CANCEL_GRACE);
    for look in 1_u32.. {
        tokio::time::sleep(LOOK_AGAIN).await;
        let record = store.get(id).await?;
        match asked(&record, expected.epoch) {
            Asked::Ended => return end_told(record),
            Asked::Moved => return Ok(None),
            Asked::NotYet => {}
        }
        // Its owner may have died, which changes nothing in the record: when the lease has ended, it is ended from here.
        if look % LOOKS_A_TRY == 0
            && let Some(update) = ending(&record, (clock, ttl))
        {
            match write_once(store.as_ref(), blob.clone(), &update).await {
                Ok(()) => return Ok(Some(update.next)),
                Err(StoreError::Held) => {}
                Err(StoreError::Conflict(_) | StoreError::Final) => return Ok(None),
                Err(other) => return Err(other.into()),
            }
        }
        if Uptime::now().since(until) > Duration::ZERO {
            break;
        }
    }
    let message = "the process that runs the task does not answer; it is asked to cancel it: look at the task later";
    Err(RequestError::StoreUnavailable(message.into()))
}

/// Ends a task that has no job in this process as cancelled.
fn ending(current: &TaskRecord, clock: (&TaskClock, Duration)) -> Option<Update> {
    let next = cancel(current, clock).ok()?;
    Some(Update { expected: current.revision(), next, operation: Uuid::now_v7(), lease: LeaseChange::Release })
}

impl Handler<RetryTask> for Supervisor {
    type Result = ResponseActFuture<Self, Result<TaskRecord, RequestError>>;

    /// The record first: whose it is decides whether it may come back, and whether there is a place.
    fn handle(&mut self, RetryTask { id, max_cost }: RetryTask, _: &mut Context<Self>) -> Self::Result {
        let refused = if self.intake.is_closed() {
            Some(RequestError::Stopping)
        } else if self.active.has(id) {
            Some(RequestError::NotFinal)
        } else {
            self.admission().err()
        };
        let (read, clock) = (self.read(id), self.clock.clone());
        let found = async move {
            if let Some(refused) = refused {
                return Err(refused);
            }
            let record = read.await?;
            time_told(&clock).await?;
            Ok(record)
        };
        let changed = found.into_actor(self).then(move |found, this, _| {
            let asked = Uptime::now();
            let reserved = found.and_then(|record| this.reserve_again(record));
            let (store, blob, processors) = (Arc::clone(&this.store), this.blob.clone(), this.processors.clone());
            let (at, limits) = ((this.clock.now(), this.options.ttl), this.options.tenant);
            async move {
                match reserved {
                    Ok((record, owner)) => {
                        let tenant = record.tenant.clone();
                        let retried = match quota::reserve(&store, &record, limits).await {
                            Ok(()) => retry_settled(record, max_cost, &store, &blob, &processors, at, owner).await,
                            Err(refused) => Err(refused),
                        };
                        if retried.is_err() {
                            quota::unreserve(&store, tenant.as_deref(), id, limits).await;
                        }
                        (true, retried, asked)
                    }
                    Err(refused) => (false, Err(refused), asked),
                }
            }
            .into_actor(this)
        });
        Box::pin(changed.map(move |(reserved, changed, asked), this, ctx| {
            if reserved {
                this.active.remove(id);
            }
            match &changed {
                Ok(record) if record.owner.is_some() => this.start_job(record.clone(), asked, ctx),
                Ok(record) => this.wait_for_slot(record),
                // The answer was lost: a claim finds out, and drops a task that is still final.
                Err(RequestError::StoreUnavailable(_)) if reserved && this.options.role.runs_tasks() => {
                    this.ownership.wait_first(id);
                }
                Err(_) if reserved => this.intake.remove(id),
                Err(_) => {}
            }
            this.start_waiting_jobs(ctx);
            changed
        }))
    }
}

impl Supervisor {
    /// Counts an ended task for its tenant again and, when there is one, gives it a place.
    fn reserve_again(&mut self, record: TaskRecord) -> Result<(TaskRecord, Option<String>), RequestError> {
        if !record.status.is_final() || self.active.has(record.id) {
            return Err(RequestError::NotFinal);
        }
        self.quota(record.tenant.as_deref(), Amount::of(&record))?;
        let is_full = record.tenant.as_ref().is_some_and(|tenant| self.full_tenants().contains(tenant));
        self.intake.add(&record);
        let has_slot = self.has_slot() && !is_full && self.processors.get(&record.processor).is_some();
        let owner = has_slot.then(|| self.owner.clone());
        if has_slot {
            self.active.reserve(record.id);
        }
        Ok((record, owner))
    }
}

/// Restarts a task, however often another process changes its record meanwhile.
async fn retry_settled(
    mut record: TaskRecord,
    max_cost: Option<Cost>,
    store: &Arc<dyn TaskStore>,
    blob: &LocalBlob,
    processors: &Processors,
    at: (Timestamp, Duration),
    owner: Option<String>,
) -> Result<TaskRecord, RequestError> {
    let id = record.id;
    for _ in 0..RACES {
        record.options.max_cost = max_cost.or(record.options.max_cost);
        // Its other options were accepted once, perhaps by a version that refused fewer; what it may cost must be kept to.
        if let Some(processor) = processors.get(&record.processor).filter(|_| record.options.max_cost.is_some()) {
            processor.check(&record.options).map_err(RequestError::Rejected)?;
        }
        if let Some(retried) = retry_record(record, store, blob.clone(), at, owner.clone()).await? {
            return Ok(retried);
        }
        record = store.get(id).await?;
    }
    Err(RequestError::StoreUnavailable("the task is being changed by someone else".into()))
}

/// One try at restarting a task.
async fn retry_record(
    current: TaskRecord,
    store: &Arc<dyn TaskStore>,
    blob: LocalBlob,
    (now, ttl): (Timestamp, Duration),
    owner: Option<String>,
) -> Try {
    let mut next = current.clone();
    next.take(TaskStep::Retry, now, ttl).map_err(|_| RequestError::NotFinal)?;
    let lease = if owner.is_some() { LeaseChange::Hold } else { LeaseChange::Release };
    next.owner = owner;
    next.version += 1;
    let update = Update { expected: current.revision(), next, operation: Uuid::now_v7(), lease };
    match write_kept(store.as_ref(), blob, &update).await {
        Ok(()) => Ok(Some(update.next)),
        Err(Unwritten::Refused(StoreError::Conflict(_) | StoreError::Final)) => Ok(None),
        Err(Unwritten::Refused(other)) => Err(other.into()),
        Err(Unwritten::NoCopy(error)) => Err(RequestError::StorageFailed(not_kept(&error))),
    }
}

/// An accepted retry survives the loss of its record, so without its backup it is refused.
fn not_kept(error: &std::io::Error) -> Failure {
    if error.kind() == std::io::ErrorKind::StorageFull {
        return Failure::transient(code::DISK_FULL, "the disk is full: free some space and retry the task again");
    }
    Failure::transient(code::STORAGE_FAILED, format!("the retry cannot be kept now: {}", error.kind()))
}

impl Supervisor {
    /// Lets another process go on with a task whose job here is over, at once instead of when the lease has ended. In
    /// the same epoch: the process that takes it up begins the next one.
    fn hand_back(&mut self, id: TaskId) {
        let unfinished = |running: &&mut Running| !running.pending.record().status.is_final();
        if let Some(running) = self.active.running_mut(id).filter(unfinished) {
            running.pending.change().owner = None;
        }
    }
}

impl Handler<DrainTasks> for Supervisor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, DrainTasks { stop_jobs }: DrainTasks, ctx: &mut Context<Self>) -> Self::Result {
        self.intake.close();
        for id in self.active.ids().collect::<Vec<_>>() {
            let job = self.active.running(id).and_then(|running| running.job.clone());
            if !stop_jobs {
                self.persist(id, ctx);
                continue;
            }
            // Counted as a write until the job has stopped, after which there may be one.
            self.pending_writes.begin();
            let stopped = async move {
                if let Some(job) = job {
                    let _ = job.send(StopJob).await;
                }
            };
            ctx.spawn(stopped.into_actor(self).map(move |(), this, ctx| {
                if this.store.lease().is_some() {
                    this.hand_back(id);
                }
                this.persist(id, ctx);
                this.pending_writes.end();
            }));
        }
        let mut pending = self.flushed();
        Box::pin(async move { drop(pending.wait_for(|count| *count == 0).await) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::test_record;

    #[test]
    fn a_retry_that_finds_no_room_says_what_to_do() {
        use std::io::ErrorKind;
        for (kind, expected) in
            [(ErrorKind::StorageFull, code::DISK_FULL), (ErrorKind::PermissionDenied, code::STORAGE_FAILED)]
        {
            let why = not_kept(&kind.into());
            assert!(why.code == expected && why.retryable, "{why:?}");
        }
    }

    #[test]
    fn who_cancels_hears_when_the_task_ended_otherwise() {
        for status in [TaskStatus::Cancelled, TaskStatus::Completed, TaskStatus::Failed] {
            let ended = TaskRecord { status, ..test_record(1) };
            match end_told(ended.clone()) {
                Ok(told) => assert_eq!((status, told), (TaskStatus::Cancelled, Some(ended))),
                Err(RequestError::AlreadyFinal(told)) => {
                    assert!(status != TaskStatus::Cancelled && *told == ended);
                }
                Err(other) => panic!("{status}: {other}"),
            }
        }
    }
}
