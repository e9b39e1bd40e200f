//! Which tasks this process runs: taking them up, keeping them, and letting go of them in time.
//!
//! Every few seconds the supervisor renews its leases in one go, looks for tasks that nobody runs, and reads the records
//! of tasks that somebody here watches and somebody else runs.
//!
//! A lease is counted here from before the renewing was asked for and ends [a margin](super::holds::Tenure::end) before it
//! ends in the store; after that no attempt begins until it is renewed. One exception: as long as no other process is
//! known to the store, nor lives on the same blob store, no other can take the tasks over, so they go on while the
//! store is away. A process that comes up during such an outage is noticed by its name's lock within one round.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use uuid::Uuid;

use super::actor::{Slot, Supervisor};
use super::holds::{Hold, attributable, hold, look_ahead};
use super::manifest;
use super::ownership::decide::{self, Claim, as_waiting};
use super::records::{restore, write_once};
use super::registry::Processors;
use crate::blob::LocalBlob;
use crate::clock::{ClockReading, TaskClock, Uptime};
use crate::failpoint;
use crate::metrics;
use crate::pool::{Lease, read_flights};
use crate::processor::Processor;
use crate::store::{LeaseChange, Renewed, StoreError, TaskStore, Update, node_of};
use crate::task::{TaskId, TaskRecord};

/// How often a store that is not shared is looked through for tasks that nobody runs.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How soon a renewing that failed is tried again.
const RENEW_AGAIN: Duration = Duration::from_millis(500);
/// How often watched tasks that run elsewhere are read.
const WATCH_EVERY: Duration = Duration::from_secs(1);

impl Supervisor {
    /// The hold on a task that is being taken up now.
    pub(super) fn new_lease(&self, asked: Uptime) -> Lease {
        self.tenure.end(asked).map_or_else(Lease::without_end, Lease::until)
    }

    /// How often the process died while it read a page, by page, as far as the page can have been the cause: of what was
    /// counted where PDFs were opened in the process itself, or before that made a difference, nothing counts here.
    pub(super) fn crashes(&self, record: &TaskRecord, processor: &dyn Processor) -> BTreeMap<u32, u32> {
        attributable(record.crashes.clone(), self.readers.are_processes(), processor.is_isolated())
    }

    /// Begins the round of renewing and looking, and goes on with it.
    pub(super) fn keep_house(&mut self, ctx: &mut Context<Self>) {
        let held = self.active.iter().filter_map(|(id, slot)| match slot {
            Slot::Running(running) => Some((*id, running.draft.record().epoch)),
            Slot::Claiming(_) => None,
        });
        let held: Vec<_> = held.collect();
        let (store, owner, asked) = (Arc::clone(&self.store), self.owner.clone(), Uptime::now());
        let blob = self.blob.clone();
        let round = async move {
            let renewed = match failpoint::pass("store.renew") {
                Ok(()) => store.renew(&owner, &held).await,
                Err(error) => Err(StoreError::Unavailable(error.to_string())),
            };
            let (answered, mut others) = (Uptime::now(), false);
            if renewed.is_err() {
                // A store that closed itself after a failed write opens again only when it is asked to write.
                let _ = store.ping().await;
                let there = tokio::task::spawn_blocking(move || blob.has_others(&owner)).await;
                others = there.ok().and_then(Result::ok).unwrap_or(true);
            }
            (held, renewed, answered, others)
        };
        ctx.spawn(round.into_actor(self).map(move |(held, renewed, answered, others), this, ctx| match renewed {
            Ok(renewed) => {
                this.read_clock(&renewed, asked, answered, ctx);
                this.renewed(&held, &renewed, asked, ctx);
                this.look_for_tasks(ctx);
                let pause = this.store.lease().map_or(LOOK_EVERY, |length| length / 3);
                ctx.run_later(pause, Self::keep_house);
            }
            Err(why) => {
                log::warn!("leases cannot be renewed, trying again: {why}");
                this.store_was_away = true;
                if others {
                    this.no_longer_alone();
                }
                ctx.run_later(RENEW_AGAIN, Self::keep_house);
            }
        }));
    }

    /// Takes in the store's time. When its clock was put right, expiries are computed again, at once: a store that
    /// removes what has expired by itself goes by the same clock.
    fn read_clock(&mut self, renewed: &Renewed, asked: Uptime, answered: Uptime, ctx: &mut Context<Self>) {
        let was_known = self.clock.is_known();
        let reading = ClockReading { said: renewed.time, ahead: renewed.ahead, asked, answered };
        if self.clock.set(reading) || !was_known {
            self.sweep_soon(ctx);
        }
    }

    /// Leases that had no end while nobody else was there get the one that they have in the store.
    fn no_longer_alone(&mut self) {
        let Some(end) = self.tenure.joined() else { return };
        for slot in self.active.values() {
            if let Slot::Running(running) = slot {
                running.lease.set(Some(end));
            }
        }
    }

    /// Looks for tasks that nobody runs: also while some wait here, or those of a dead process would wait behind them.
    fn look_for_tasks(&mut self, ctx: &mut Context<Self>) {
        if self.draining {
            return;
        }
        let (running, passed_over) = (self.active.len(), self.passed_over.len());
        let most = look_ahead(!self.waiting.is_empty(), self.options.max_active, running, passed_over);
        let (store, owner) = (Arc::clone(&self.store), self.owner.clone());
        let found = async move { store.unclaimed(&owner, most).await };
        ctx.spawn(found.into_actor(self).map(move |found, this, ctx| match found {
            Ok(found) => this.take_note(found, ctx),
            Err(why) => log::warn!("tasks that nobody runs are looked for later: {why}"),
        }));
    }

    fn renewed(&mut self, held: &[(TaskId, u64)], renewed: &Renewed, asked: Uptime, ctx: &mut Context<Self>) {
        let was_away = std::mem::take(&mut self.store_was_away);
        let end = self.tenure.renewed(renewed.others, asked);
        let mut lost = false;
        for ((id, epoch), renewal) in held.iter().zip(&renewed.tasks) {
            let Some(running) = self.running_mut(*id).filter(|running| running.draft.record().epoch == *epoch) else {
                continue;
            };
            let is_writing = running.draft.writing().is_some();
            let found = hold(*renewal, running.draft.record().cancel_requested);
            match found {
                Hold::Renewed { .. } => running.lease.set(end),
                Hold::Lost => running.lease.set(Some(asked)),
                Hold::Missing => {}
            }
            lost |= found == Hold::Missing;
            if found.must_look(is_writing) {
                self.reconcile(*id, ctx);
            }
        }
        // A store that comes back may have lost more than what runs here.
        if lost || was_away {
            self.sweep_soon(ctx);
        }
    }

    /// Puts tasks that nobody runs before those that wait: they are the oldest.
    fn take_note(&mut self, found: Vec<TaskId>, ctx: &mut Context<Self>) {
        let (waiting, active) = (&self.waiting, &self.active);
        let new = self.passed_over.sift(found, |id| waiting.contains(id) || active.contains_key(&id));
        if !new.is_empty() {
            log::info!(tasks = new.len(); "taking up unfinished tasks");
            self.waiting.add_found(new.into_iter());
            self.fill_places(ctx);
        }
    }

    /// Takes a stored task over for a new job. Whose it is must be known before: the tenant may run enough already.
    pub(super) fn claim(&mut self, id: TaskId, ctx: &mut Context<Self>) {
        self.active.insert(id, Slot::claiming());
        let store = Arc::clone(&self.store);
        let read = async move { store.get(id).await };
        ctx.spawn(read.into_actor(self).map(move |found, this, ctx| {
            if let Ok(record) = &found {
                let tenant = record.tenant.as_deref().unwrap_or_default();
                let place = this.active.remove(&id);
                this.accounts.add(record);
                if this.full_tenants().contains(tenant) {
                    this.waiting.put_back(id, tenant);
                    return this.fill_places(ctx);
                }
                this.active.extend(place.map(|place| (id, place)));
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
        self.active.remove(&id);
        match claimed {
            Ok(Claimed::Ended(record)) => return self.finish(*record, ctx),
            Ok(Claimed::Taken(record)) => self.start_job(*record, asked, ctx),
            Ok(Claimed::NoProcessor(name)) => {
                log::warn!(task:% = id; "task waits for a server with the processor {name:?}, which this one has not");
                self.passed_over.add_missing_processor(id, name);
                // It is nobody's burden here.
                self.accounts.remove(id);
            }
            Err(StoreError::Unavailable(why)) => {
                log::warn!(task:% = id; "task waits, its store is away: {why}");
                self.waiting.add_found(std::iter::once(id));
                ctx.run_later(Duration::from_secs(1), Self::fill_places);
                return;
            }
            Err(StoreError::Unreadable(why)) => {
                log::error!(task:% = id; "task stays as it is, its record cannot be read: {why}");
                self.passed_over.add_unreadable(id);
                self.accounts.remove(id);
            }
            // Cancelled, deleted or taken up by someone else meanwhile.
            Err(other) => {
                log::debug!(task:% = id; "task is not ours to run: {other}");
                self.accounts.remove(id);
            }
        }
        self.fill_places(ctx);
    }

    /// Reads the records of tasks that are watched here and run elsewhere.
    pub(super) fn watch_others(&mut self, ctx: &mut Context<Self>) {
        let elsewhere = |(id, watcher): (&TaskId, &tokio::sync::watch::Sender<_>)| {
            (!watcher.is_closed() && !self.active.contains_key(id)).then_some(*id)
        };
        let ids: Vec<TaskId> = self.watchers.iter().filter_map(elsewhere).collect();
        let store = Arc::clone(&self.store);
        let read = async move {
            let (mut records, mut gone) = (Vec::new(), Vec::new());
            for id in ids {
                match store.get(id).await {
                    Ok(record) => records.push(record),
                    Err(StoreError::NotFound) => gone.push(id),
                    Err(_) => {}
                }
            }
            (records, gone)
        };
        ctx.spawn(read.into_actor(self).map(|(records, gone), this, ctx| {
            // Who waits for one that is not there any more asks again, and hears so.
            for id in gone.iter().filter(|id| !this.active.contains_key(id)) {
                this.watchers.remove(id);
            }
            for record in records.into_iter().filter(|record| !this.active.contains_key(&record.id)) {
                let (id, is_final) = (record.id, record.status.is_final());
                if let Some(watcher) = this.watchers.get(&id) {
                    let same = |seen: &Option<TaskRecord>| seen.as_ref().map(TaskRecord::revision);
                    if same(&watcher.borrow()) != Some(record.revision()) {
                        watcher.send_replace(Some(record));
                    }
                }
                if is_final {
                    this.watchers.remove(&id);
                }
            }
            ctx.run_later(WATCH_EVERY, Self::watch_others);
        }));
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
    // The record first: a delete takes the copy away first, and must not be undone.
    let found = store.get(id).await;
    let copy = manifest::read_if_possible(blob.clone(), id).await?;
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
    metrics::task_taken_up(match (&current.owner, &update.next.owner) {
        (Some(before), Some(now)) if node_of(before) == node_of(now) => "restart",
        (Some(_), _) => "other",
        (None, _) => "nobody",
    });
    failpoint::pass("claim.written").map_err(broken)?;
    let next = Box::new(update.next);
    Ok(if next.status.is_final() { Claimed::Ended(next) } else { Claimed::Taken(next) })
}

/// The greatest epoch that ever had a copy, also one that cannot be read.
async fn newest_epoch(blob: LocalBlob, id: TaskId) -> u64 {
    let newest = tokio::task::spawn_blocking(move || manifest::newest_epoch(&blob, id)).await;
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
        let file = blob.reader(&flights_key(&owner))?;
        file.map_or_else(|| Ok(Vec::new()), read_flights)
    });
    let flights = read.await.map_or_else(|_| Vec::new(), Result::unwrap_or_default);
    let ours = flights.into_iter().filter(|flight| flight.task == id && flight.epoch == epoch);
    ours.flat_map(|flight| flight.first..=flight.last).map(|page| (page, 1)).collect()
}

/// How the names of files end that tell what a process has in flight.
pub(super) const FLIGHTS: &str = ".flights";

/// Where a process keeps what it has in flight.
pub(crate) fn flights_key(owner: &str) -> String {
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
        manifest::keep(&blob, copy, Durability::Cached).unwrap();
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
        assert_eq!(manifest::read(&blob, record.id).unwrap(), Some(record));
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
        blob.put(&flights_key("dead#1"), &slots.concat(), Durability::Cached).unwrap();
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
