//! Taking tasks up: a new epoch, so that whatever an older owner still writes bounces.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use uuid::Uuid;

use crate::blob::LocalBlob;
use crate::clock::{TaskClock, Uptime};
use crate::failpoint;
use crate::metrics;
use crate::pool::read_crash_journal;
use crate::store::{LeaseChange, StoreError, TaskStore, Update, node_of};
use crate::supervisor::actor::Supervisor;
use crate::supervisor::ownership::decide::{self, Claim, as_waiting};
use crate::supervisor::records::{backup, restore, write_once};
use crate::supervisor::registry::Processors;
use crate::task::{TaskId, TaskRecord};

impl Supervisor {
    /// Takes a stored task over for a new job. Whose it is must be known before: the tenant may run enough already.
    pub(in crate::supervisor) fn claim(&mut self, id: TaskId, ctx: &mut Context<Self>) {
        self.active.reserve(id);
        let store = Arc::clone(&self.store);
        let read = async move { store.get(id).await };
        ctx.spawn(read.into_actor(self).map(move |found, this, ctx| {
            if let Ok(record) = &found {
                let tenant = record.tenant.as_deref().unwrap_or_default();
                let slot = this.active.remove(id);
                this.intake.add(record);
                if this.full_tenants().contains(tenant) {
                    this.ownership.waiting.put_back(id, tenant);
                    return this.start_waiting_jobs(ctx);
                }
                if let Some(slot) = slot {
                    this.active.put_back(id, slot);
                }
            }
            this.begin_epoch(id, ctx);
        }));
    }

    fn begin_epoch(&mut self, id: TaskId, ctx: &mut Context<Self>) {
        let (asked, ttl) = (Uptime::now(), self.options.ttl);
        let (store, blob, owner) = (Arc::clone(&self.store), self.blob.clone(), self.owner.clone());
        let claim = claim(store, blob, id, owner, (self.clock.clone(), ttl), self.processors.clone());
        ctx.spawn(claim.into_actor(self).map(move |claimed, this, ctx| this.claimed(id, claimed, asked, ctx)));
    }

    fn claimed(&mut self, id: TaskId, claimed: Result<Claimed, StoreError>, asked: Uptime, ctx: &mut Context<Self>) {
        self.active.remove(id);
        match claimed {
            Ok(Claimed::Ended(record)) => return self.finish(*record, ctx),
            Ok(Claimed::Taken(record)) => self.start_job(*record, asked, ctx),
            Ok(Claimed::NoProcessor(name)) => {
                log::warn!(task:% = id; "task waits for a server with the processor {name:?}, which this one has not");
                self.ownership.passed_over.add_missing_processor(id, name);
                // It counts for no tenant here.
                self.intake.remove(id);
            }
            Err(StoreError::Unavailable(why)) => {
                log::warn!(task:% = id; "task waits, its store is unavailable: {why}");
                self.ownership.wait_first(id);
                ctx.run_later(Duration::from_secs(1), Self::start_waiting_jobs);
                return;
            }
            Err(StoreError::Unreadable(why)) => {
                log::error!(task:% = id; "task stays as it is, its record cannot be read: {why}");
                self.ownership.passed_over.add_unreadable(id);
                self.intake.remove(id);
            }
            // Cancelled, deleted or taken up by someone else meanwhile.
            Err(other) => {
                log::debug!(task:% = id; "task is not ours to run: {other}");
                self.intake.remove(id);
            }
        }
        self.start_waiting_jobs(ctx);
    }
}

/// Begins a new epoch of a stored task, so that whatever an older owner still writes bounces; or ends it, when its end
/// was decided and only the record does not say so yet.
async fn claim(
    store: Arc<dyn TaskStore>,
    blob: LocalBlob,
    id: TaskId,
    owner: String,
    (clock, ttl): (TaskClock, Duration),
    processors: Processors,
) -> Result<Claimed, StoreError> {
    // The record first: a delete removes the copy first, and must not be undone.
    let found = store.get(id).await;
    let copy = backup::read_if_possible(blob.clone(), id).await?;
    let current = match (found, &copy) {
        (Err(StoreError::NotFound), Some(copy)) if !copy.status.is_final() => {
            log::warn!(task:% = id; "the store had lost the record of a waiting task: it was made again");
            let unowned = as_waiting(copy.clone());
            restore(store.as_ref(), &unowned).await?;
            unowned
        }
        (found, _) => found?,
    };
    // A store that was restored to older data may be behind the copies.
    let newest = newest_epoch(blob.clone(), id).await;
    let has_processor = processors.get(&current.processor).is_some();
    let claimed = decide::claim(&current, copy.as_ref(), newest, &owner, has_processor, (&clock, ttl));
    let (next, lease) = match claimed.map_err(|_| StoreError::Final)? {
        Claim::Over => return Err(StoreError::Final),
        Claim::NoProcessor => return Ok(Claimed::NoProcessor(current.processor)),
        Claim::End(next) => (next, LeaseChange::Release),
        Claim::Run(mut next) => {
            for (page, deaths) in deaths(blob.clone(), &current).await {
                *next.crashes.entry(page).or_default() += deaths;
            }
            (next, LeaseChange::Hold)
        }
    };
    let update = Update { expected: current.revision(), next, operation: Uuid::now_v7(), lease };
    let broken = |error: std::io::Error| StoreError::Unavailable(error.to_string());
    failpoint::pass("claim.begin").map_err(broken)?;
    write_once(store.as_ref(), blob, &update).await?;
    metrics::task_recovered(match (&current.owner, &update.next.owner) {
        (Some(before), Some(now)) if node_of(before) == node_of(now) => "restart",
        (Some(_), _) => "other",
        (None, _) => "none",
    });
    failpoint::pass("claim.written").map_err(broken)?;
    let next = Box::new(update.next);
    Ok(if next.status.is_final() { Claimed::Ended(next) } else { Claimed::Taken(next) })
}

/// The greatest epoch that ever had a copy, also one that cannot be read.
async fn newest_epoch(blob: LocalBlob, id: TaskId) -> u64 {
    let newest = tokio::task::spawn_blocking(move || backup::newest_epoch(&blob, id)).await;
    newest.ok().and_then(Result::ok).flatten().unwrap_or(0)
}

/// What trying to take a task over came to.
enum Claimed {
    /// It is ours.
    Taken(Box<TaskRecord>),
    /// It ended just now.
    Ended(Box<TaskRecord>),
    /// This process has no processor of that name; another one may.
    NoProcessor(String),
}

/// The pages of this task that its former owner was reading when it died, or when it was last seen. The claim that
/// counts them begins a new epoch, so each death counts once.
async fn deaths(blob: LocalBlob, record: &TaskRecord) -> BTreeMap<u32, u32> {
    let Some(owner) = record.owner.clone() else { return BTreeMap::new() };
    let (id, epoch) = (record.id, record.epoch);
    let read = tokio::task::spawn_blocking(move || {
        let file = blob.reader(&crash_journal_key(&owner))?;
        file.map_or_else(|| Ok(Vec::new()), read_crash_journal)
    });
    let flights = read.await.map_or_else(|_| Vec::new(), Result::unwrap_or_default);
    let ours = flights.into_iter().filter(|flight| flight.task == id && flight.epoch == epoch);
    ours.flat_map(|flight| flight.first..=flight.last).map(|page| (page, 1)).collect()
}

/// How the names of files end that tell what a process has in flight.
pub(in crate::supervisor) const FLIGHTS: &str = ".flights";

/// Where a process keeps what it has in flight.
pub(crate) fn crash_journal_key(owner: &str) -> String {
    format!("nodes/{owner}{FLIGHTS}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::Durability;
    use crate::clock::Timestamp;
    use crate::store::EmbeddedStore;
    use crate::task::{TaskStatus, TaskStep, test_record};

    const DAY: Duration = Duration::from_hours(24);

    /// Claims a task whose record is lost, in a process that has no processor for it.
    async fn claimed_without_record(
        copy: &TaskRecord,
    ) -> (Result<Claimed, StoreError>, Result<TaskRecord, StoreError>) {
        let dir = tempfile::tempdir().unwrap();
        let blob = LocalBlob::open(dir.path()).unwrap();
        let store: Arc<dyn TaskStore> = Arc::new(EmbeddedStore::in_memory().unwrap());
        blob.put(&copy.pdf_path, b"pdf", Durability::Cached).unwrap();
        backup::keep(&blob, copy, Durability::Cached).unwrap();
        let clock = (TaskClock::default(), DAY);
        let claimed = claim(Arc::clone(&store), blob, copy.id, "new#1".into(), clock, Processors::default()).await;
        (claimed, store.get(copy.id).await)
    }

    #[tokio::test]
    async fn a_claim_begins_an_epoch_above_every_copy_also_one_that_cannot_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let blob = LocalBlob::open(dir.path()).unwrap();
        let store: Arc<dyn TaskStore> = Arc::new(EmbeddedStore::in_memory().unwrap());
        let mut record = TaskRecord { cancel_requested: true, ..test_record(1) };
        restore(store.as_ref(), &record).await.unwrap();
        blob.put(&format!("{}/record-9.json", record.work_dir), b"{torn", Durability::Cached).unwrap();
        let clock = (TaskClock::default(), DAY);
        let claimed = claim(Arc::clone(&store), blob.clone(), record.id, "new#1".into(), clock, Processors::default());
        assert!(matches!(claimed.await, Ok(Claimed::Ended(_))));
        record = store.get(record.id).await.unwrap();
        assert_eq!((record.status, record.epoch), (TaskStatus::Cancelled, 10));
        assert_eq!(backup::read(&blob, record.id).unwrap(), Some(record));
    }

    #[tokio::test]
    async fn each_death_counts_once_for_the_pages_that_were_read() {
        let dir = tempfile::tempdir().unwrap();
        let blob = LocalBlob::open(dir.path()).unwrap();
        let store: Arc<dyn TaskStore> = Arc::new(EmbeddedStore::in_memory().unwrap());
        let mut record = TaskRecord { owner: Some("dead#1".into()), epoch: 3, ..test_record(1) };
        record.crashes = BTreeMap::from([(2, 1), (9, 2)]);
        restore(store.as_ref(), &record).await.unwrap();
        // Of this task in this epoch, of it in an earlier one, of another task.
        let flights = [(record.id, 3_u64, 2_u32, 3_u32), (record.id, 2, 4, 4), (TaskId::generate(), 3, 5, 5)];
        let slots = flights.map(|(task, epoch, first, last)| {
            [task.as_bytes(), &epoch.to_le_bytes()[..], &first.to_le_bytes(), &last.to_le_bytes()].concat()
        });
        blob.put(&crash_journal_key("dead#1"), &slots.concat(), Durability::Cached).unwrap();
        let mut processors = Processors::default();
        processors.add(Arc::new(crate::processor::TextProcessor));
        let claimed = claim(store, blob, record.id, "new#1".into(), (TaskClock::default(), DAY), processors).await;
        let Ok(Claimed::Taken(taken)) = claimed else { panic!("it is free") };
        assert_eq!((taken.epoch, taken.owner.as_deref()), (4, Some("new#1")));
        assert_eq!(taken.crashes, BTreeMap::from([(2, 2), (3, 1), (9, 2)]));
    }

    #[tokio::test]
    async fn a_waiting_task_whose_record_is_lost_is_made_again_and_one_that_ended_is_not() {
        let begun = TaskRecord { owner: Some("dead#1".into()), status: TaskStatus::Processing, ..test_record(1) };
        let (claimed, stored) = claimed_without_record(&begun).await;
        assert!(matches!(claimed, Ok(Claimed::NoProcessor(_))));
        let stored = stored.unwrap();
        assert_eq!((stored.id, stored.status, stored.owner), (begun.id, TaskStatus::Pending, None));
        let mut ended = test_record(1);
        ended.take(TaskStep::Cancel, Timestamp::now(), DAY).unwrap();
        let (claimed, stored) = claimed_without_record(&ended).await;
        assert!(matches!(claimed, Err(StoreError::NotFound)), "the janitor brings it back as what it is");
        assert!(matches!(stored, Err(StoreError::NotFound)));
    }
}
