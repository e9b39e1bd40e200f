//! The way of a running task's record into the store, and what happens when the store does not agree.
//!
//! | the store says | that means | so |
//! |---|---|---|
//! | unavailable | whether it landed is not known | the same write again, until its fate is known |
//! | conflict, its revision is behind ours | it lost its last writes | our record replaces it |
//! | conflict, in our epoch | a cancel was asked for, or a message of an earlier end sent | we go on from its revision, and do |
//! | conflict, a greater epoch; held; final | the task is another process's | the job stops without a word |
//! | not found | it lost the record, or the task was deleted | the record is made again, if its copy is there |

pub(super) mod backup;
pub(super) mod expiry;
pub(super) mod pending;
pub(super) mod rebuild;

use std::sync::Arc;
use std::time::Duration;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use tokio::sync::watch;

use super::actor::Supervisor;
use crate::blob::{Durability, LocalBlob};
use crate::failpoint;
use crate::metrics;
use crate::store::{Create, Created, StoreError, TaskStore, Update};
use crate::task::{TaskId, TaskRecord, TaskStatus};

/// The longest wait before a write that did not land is sent again.
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

/// How many records differ from the store.
#[derive(Debug)]
pub(super) struct PendingWrites(watch::Sender<usize>);

impl Default for PendingWrites {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl PendingWrites {
    /// One more is to be written.
    pub(super) fn begin(&self) {
        self.0.send_modify(|count| *count += 1);
    }

    /// One is written, or need not be any more.
    pub(super) fn end(&self) {
        self.0.send_modify(|count| {
            debug_assert!(*count > 0, "a write ends that had not begun");
            *count = count.saturating_sub(1);
        });
    }

    /// Shows how many there are.
    pub(super) fn subscribe(&self) -> watch::Receiver<usize> {
        self.0.subscribe()
    }
}

impl Supervisor {
    /// Sends the pending record of a running task to the store, unless that is under way already.
    pub(super) fn persist(&mut self, id: TaskId, ctx: &mut Context<Self>) {
        let update = self.active.running_mut(id).and_then(|running| running.pending.begin_write());
        if let Some(update) = update {
            self.pending_writes.begin();
            self.write(id, update, 0, ctx);
        }
    }

    fn write(&mut self, id: TaskId, update: Update, tries: u32, ctx: &mut Context<Self>) {
        let (store, blob) = (Arc::clone(&self.store), self.blob.clone());
        let write = async move {
            if !update.next.status.is_final() {
                return store.update(&update).await;
            }
            let broken = |error: std::io::Error| StoreError::Unavailable(error.to_string());
            if tries == 0 {
                let _ = failpoint::pass("end.begin");
            }
            backup::keep_end(blob, update.next.clone(), durability(&update.next)).await?;
            failpoint::pass("end.copy-kept").map_err(broken)?;
            store.update(&update).await?;
            failpoint::pass("end.written").map_err(broken)
        };
        ctx.spawn(write.into_actor(self).map(move |result, this, ctx| this.written(id, result, tries, ctx)));
    }

    fn written(&mut self, id: TaskId, result: Result<(), StoreError>, tries: u32, ctx: &mut Context<Self>) {
        match result {
            Ok(()) => self.landed(id, ctx),
            Err(StoreError::Unavailable(why)) => {
                if tries == 0 {
                    log::warn!(task:% = id; "record cannot be written, trying until it lands: {why}");
                }
                let backoff = Duration::from_millis(50 << tries.min(10)).min(LONGEST_BACKOFF);
                ctx.run_later(backoff, move |this, ctx| {
                    let again = this.active.running(id).and_then(|running| running.pending.writing().cloned());
                    match again {
                        Some(update) => this.write(id, update, tries + 1, ctx),
                        None => this.pending_writes.end(),
                    }
                });
            }
            Err(refused) => {
                self.pending_writes.end();
                log::debug!(task:% = id; "record was not written: {refused}");
                if let Some(running) = self.active.running_mut(id) {
                    running.pending.refused();
                }
                // Held: it lost its last writes, and another process began from what was left.
                if matches!(refused, StoreError::Held) { self.abandon_lease(id, ctx) } else { self.reconcile(id, ctx) }
            }
        }
    }

    fn landed(&mut self, id: TaskId, ctx: &mut Context<Self>) {
        self.pending_writes.end();
        let landed = self.active.running_mut(id).and_then(|running| running.pending.landed());
        match landed {
            Some(record) if record.status.is_final() => self.finish(record, ctx),
            // Handed back to the store, for the process that takes it up next.
            Some(record) if record.owner.is_none() => {
                self.intake.remove(id);
                self.active.remove(id);
            }
            _ => self.persist(id, ctx),
        }
    }

    /// Looks at what the store has of a running task, and acts on it.
    pub(super) fn reconcile(&mut self, id: TaskId, ctx: &mut Context<Self>) {
        let store = Arc::clone(&self.store);
        let read = async move { store.get(id).await };
        ctx.spawn(read.into_actor(self).map(move |found, this, ctx| this.compare(id, found, ctx)));
    }

    fn compare(&mut self, id: TaskId, found: Result<TaskRecord, StoreError>, ctx: &mut Context<Self>) {
        let Some(running) = self.active.running(id) else { return };
        if running.pending.writing().is_some() {
            // A write has begun in between; what becomes of it will tell.
            return;
        }
        match found {
            Ok(stored) => match compare(running.pending.record(), &stored, &self.owner) {
                Verdict::Ended => self.finish(stored, ctx),
                Verdict::Ours { cancel } => {
                    if let Some(running) = self.active.running_mut(id) {
                        running.pending.rebase(stored.revision());
                        let pending = running.pending.change();
                        pending.cancel_requested = stored.cancel_requested;
                        // Who sends messages of earlier ends knows better how they stand.
                        pending.undelivered = stored.undelivered;
                    }
                    if cancel {
                        self.stop_and_cancel(id, ctx);
                    }
                    self.persist(id, ctx);
                }
                Verdict::Theirs => {
                    log::warn!(task:% = id; "job is stopped, its task belongs to another process now");
                    metrics::task_lost();
                    self.abandon_lease(id, ctx);
                }
            },
            Err(StoreError::NotFound) => self.make_again(id, ctx),
            Err(StoreError::Unreadable(why)) => {
                log::error!(task:% = id; "job is stopped, its record cannot be read any more: {why}");
                self.abandon_lease(id, ctx);
            }
            Err(why) => {
                log::debug!(task:% = id; "record cannot be looked at, trying again: {why}");
                ctx.run_later(Duration::from_secs(1), move |this, ctx| this.reconcile(id, ctx));
            }
        }
    }

    /// The store has lost the record of a task that runs here; or the task was deleted while this process slept.
    fn make_again(&mut self, id: TaskId, ctx: &mut Context<Self>) {
        let Some(record) = self.active.running(id).map(|running| running.pending.record().clone()) else { return };
        let (store, blob) = (Arc::clone(&self.store), self.blob.clone());
        let made = async move {
            // The name of a copy says enough: what it holds is behind what is known here.
            let newest = tokio::task::spawn_blocking(move || backup::newest_epoch(&blob, id)).await;
            let newest = newest.map_err(std::io::Error::other).and_then(|newest| newest);
            match newest.map_err(|why| StoreError::Unavailable(why.to_string()))? {
                Some(newest) if newest <= record.epoch => restore(store.as_ref(), &record).await.map(|()| record),
                _ => Err(StoreError::Final),
            }
        };
        ctx.spawn(made.into_actor(self).map(move |made, this, ctx| match made {
            Ok(record) => {
                log::warn!(task:% = id; "the store had lost the record of a running task: it was made again");
                if let Some(running) = this.active.running_mut(id) {
                    running.pending.rebase(record.revision());
                }
                this.persist(id, ctx);
            }
            Err(StoreError::Final) => this.abandon_lease(id, ctx),
            Err(StoreError::Exists | StoreError::Conflict(_)) => this.reconcile(id, ctx),
            Err(_) => {
                ctx.run_later(Duration::from_secs(1), move |this, ctx| this.reconcile(id, ctx));
            }
        }));
    }
}

/// Whose a running task is, seen by who runs it.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Ours, at the store's revision; perhaps it is to be cancelled.
    Ours {
        cancel: bool,
    },
    /// Ours, and its end is stored.
    Ended,
    Theirs,
}

/// Compares the record as it should be with the stored one, as the process `me`. Pure.
fn compare(pending: &TaskRecord, stored: &TaskRecord, me: &str) -> Verdict {
    let behind = stored.epoch < pending.epoch;
    let same = stored.epoch == pending.epoch;
    let ours = same && !stored.status.is_final() && stored.owner.as_deref() == Some(me);
    if behind || ours {
        Verdict::Ours { cancel: ours && stored.cancel_requested && !pending.status.is_final() }
    } else if same && stored.status.is_final() && stored.status == pending.status {
        Verdict::Ended
    } else {
        Verdict::Theirs
    }
}

/// Writes a lost record. Whatever it is equal to by now does not matter: it was accepted once.
///
/// # Errors
/// [`StoreError::Exists`] when another process was faster, and as [`TaskStore::create`].
pub(super) async fn restore(store: &dyn TaskStore, record: &TaskRecord) -> Result<(), StoreError> {
    let mut create = Create { record: record.clone(), operation: uuid::Uuid::now_v7(), reuse: false };
    match store.create(&create).await {
        // Its idempotency key leads to a later task.
        Ok(Created::Existing(_)) | Err(StoreError::KeyTaken) => {
            create.record.idempotency = None;
            store.create(&create).await.map(drop)
        }
        other => other.map(drop),
    }
}

/// What a lost end would cost: pages are in the ledger, but a cancelled task that runs again makes calls.
fn durability(record: &TaskRecord) -> Durability {
    if record.status == TaskStatus::Cancelled { Durability::Synced } else { Durability::Cached }
}

/// Writes a change that no job makes, and the copy after it.
///
/// # Errors
/// As [`TaskStore::update`].
pub(super) async fn write_once(store: &dyn TaskStore, blob: LocalBlob, update: &Update) -> Result<(), StoreError> {
    store.update(update).await?;
    let _ = failpoint::pass("change.written");
    backup::keep_change(blob, update.next.clone(), durability(&update.next)).await;
    Ok(())
}

/// Writes a change that its caller counts on: its copy finds its room before the record is written, and counts after it.
///
/// # Errors
/// [`Unwritten`]; without room for the copy nothing is changed.
pub(super) async fn write_kept(store: &dyn TaskStore, blob: LocalBlob, update: &Update) -> Result<(), Unwritten> {
    let (id, epoch) = (update.next.id, update.next.epoch);
    let (place, next) = (blob.clone(), update.next.clone());
    let prepared = tokio::task::spawn_blocking(move || backup::prepare_epoch(&place, &next)).await;
    prepared.map_err(std::io::Error::other).flatten().map_err(Unwritten::NoCopy)?;
    // Where this is refused, another process may have prepared the same epoch, so what was prepared stays; it does not count.
    store.update(update).await.map_err(Unwritten::Refused)?;
    let _ = failpoint::pass("change.written");
    backup::confirm_copy(blob, id, epoch).await;
    Ok(())
}

/// Why a change was not written.
pub(super) enum Unwritten {
    NoCopy(std::io::Error),
    Refused(StoreError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::EmbeddedStore;
    use crate::task::test_record;

    /// Its key was used again while its record was lost, for the same or for something else: the later task has it.
    #[tokio::test]
    async fn a_record_comes_back_without_a_key_that_leads_to_a_later_task() {
        let keyed = |fingerprint: &str| TaskRecord {
            fingerprint: Some(fingerprint.into()),
            idempotency: Some("key".into()),
            ..test_record(1)
        };
        for later in ["same", "other"] {
            let store = EmbeddedStore::in_memory().unwrap();
            let (lost, later) = (keyed("same"), keyed(later));
            restore(&store, &later).await.unwrap();
            restore(&store, &lost).await.unwrap();
            assert_eq!(store.get(lost.id).await.unwrap(), TaskRecord { idempotency: None, ..lost.clone() });
            assert_eq!(store.get(later.id).await.unwrap(), later);
            assert!(matches!(restore(&store, &lost).await, Err(StoreError::Exists)));
        }
    }

    /// After a power cut nothing may begin again that was cancelled; any other end is found again without a call.
    #[test]
    fn the_end_of_a_cancelled_task_is_safe_before_it_is_told() {
        for (status, expected) in [
            (TaskStatus::Cancelled, Durability::Synced),
            (TaskStatus::Completed, Durability::Cached),
            (TaskStatus::Failed, Durability::Cached),
            (TaskStatus::Pending, Durability::Cached),
        ] {
            assert_eq!(durability(&TaskRecord { status, ..test_record(1) }), expected, "{status}");
        }
    }

    #[test]
    fn whose_a_task_is() {
        let pending = TaskRecord { owner: Some("a#1".into()), epoch: 3, version: 7, ..test_record(1) };
        let with = |change: &dyn Fn(&mut TaskRecord)| {
            let mut stored = pending.clone();
            change(&mut stored);
            compare(&pending, &stored, "a#1")
        };
        let ours = Verdict::Ours { cancel: false };
        assert_eq!(with(&|s| s.version = 2), ours, "the store went back");
        assert_eq!(with(&|s| (s.epoch, s.owner) = (2, None)), ours, "the store went back to before our claim");
        assert_eq!(with(&|s| s.version = 9), ours);
        assert_eq!(with(&|s| s.cancel_requested = true), Verdict::Ours { cancel: true });
        assert_eq!(with(&|s| s.epoch = 4), Verdict::Theirs);
        assert_eq!(with(&|s| s.owner = Some("b#1".into())), Verdict::Theirs);
        assert_eq!(with(&|s| s.status = TaskStatus::Cancelled), Verdict::Theirs);
        let done = TaskRecord { status: TaskStatus::Completed, owner: None, ..pending.clone() };
        let newer = |record: &TaskRecord| TaskRecord { version: 8, ..record.clone() };
        assert_eq!(compare(&done, &newer(&done), "a#1"), Verdict::Ended, "our own end, whose answer was lost");
        assert_eq!(compare(&done, &newer(&pending), "a#1"), ours, "an end on top of a cancel that came too late");
    }
}
