//! Keeps database and files in step: removes what has expired or belongs to no task, brings back what the store lost.
//!
//! | what it finds | what it does |
//! |---|---|
//! | an expired record | files first, then the record and what leads to it |
//! | an index entry without record, or a record without entry | the entry is made to agree with the record |
//! | a folder without record, with a copy that says final | the record is made again, or the folder goes if it has expired |
//! | a folder without record, with a copy that says unfinished | the record is made again, when its owner had time to do it |
//! | a record older than its copy | the record is made to agree with the copy |
//! | a folder without record and without copy, with nothing but files of ours | it goes, when it was seen for longer than a submit can take |
//! | a record or a copy that cannot be read | it stays, and so do the files |
//! | what a dead process had in flight, of tasks that went on | it goes |
//! | a purge that was begun and not finished | it is finished |
//! | a ledger above its limits | pages that were used longest ago go |
//! | copies of what is gone from shared storage, or too many of them | they go ([`CacheKeeper`]) |

mod cache;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{AsyncContext, Context, SpawnHandle};
use futures::future::LocalBoxFuture;
use uuid::Uuid;

use self::cache::CacheKeeper;
use super::actor::Supervisor;
use super::ownership::claim::{FLIGHTS, crash_journal_key};
use super::ownership::decide::{Orphan, orphan, replacement};
use super::records::backup;
use super::records::expiry::{has_expired, set_all_expiries, set_expiry};
use super::records::restore;
use super::rounds::Round;
use crate::blob::{Durability, LocalBlob, names};
use crate::clock::{CautiousClock, TaskClock, Timestamp, Uptime};
use crate::ledger::{Ledger, LedgerLimits, Trimmed};
use crate::pool::{InFlight, read_crash_journal};
use crate::store::{LeaseChange, ListQuery, StoreError, TaskStore, Update};
use crate::task::{TaskId, TaskRecord, TaskStatus};

/// Tasks looked at in one go.
const BATCH: usize = 200;
/// How soon it is looked again whether the store has told the time.
const UNKNOWN: Duration = Duration::from_secs(1);
/// How often the ledger is measured.
const MEASURE_EVERY: Duration = Duration::from_hours(1);
/// The longest that a submit takes from its source in shared storage to its record: each request in between is tried again
/// for a minute, and there are a few.
const SHARED_SUBMIT: Duration = Duration::from_mins(15);

/// The janitor between its rounds.
pub(super) struct Rounds {
    /// Absent while it makes its round.
    janitor: Option<Box<Janitor>>,
    timer: Option<SpawnHandle>,
}

impl Rounds {
    /// The rounds of this janitor.
    pub(super) fn new(janitor: Janitor) -> Self {
        Self { janitor: Some(Box::new(janitor)), timer: None }
    }
}

/// Makes the janitor's rounds.
pub(super) struct Tidy;

impl Round for Tidy {
    type Outcome = (Box<Janitor>, Result<Swept, StoreError>);

    const PAUSE: Duration = UNKNOWN;

    fn decide(
        supervisor: &mut Supervisor,
        ctx: &mut Context<Supervisor>,
    ) -> Option<LocalBoxFuture<'static, Self::Outcome>> {
        supervisor.rounds.timer = None;
        let janitor = supervisor.rounds.janitor.take()?;
        supervisor.finish_purges(ctx);
        Some(Box::pin(janitor.round()))
    }

    fn report(supervisor: &mut Supervisor, (janitor, swept): Self::Outcome, _: &mut Context<Supervisor>) -> Duration {
        let mut pause = janitor.options.tick;
        match swept {
            Ok(swept) => {
                if swept.removed + swept.restored > 0 {
                    let (removed, restored) = (swept.removed, swept.restored);
                    log::info!(removed, restored; "put tasks and files in order");
                }
                pause = pause.min(swept.again_in.unwrap_or(pause));
            }
            Err(why) => log::warn!("tasks and files are put in order later: {why}"),
        }
        let active = &supervisor.active;
        supervisor.audience.tidy(|id| active.has(id));
        supervisor.rounds.janitor = Some(janitor);
        pause
    }

    fn keep_timer(supervisor: &mut Supervisor, timer: SpawnHandle) {
        supervisor.rounds.timer = Some(timer);
    }
}

impl Supervisor {
    /// Has a round begin now, unless one is going on: that one, or the next, will see it.
    pub(super) fn sweep_soon(&mut self, ctx: &mut Context<Self>) {
        if let Some(timer) = self.rounds.timer.take() {
            ctx.cancel_future(timer);
            self.go_round::<Tidy>(ctx);
        }
    }
}

/// What the janitor goes by.
#[derive(Clone, Copy, Debug)]
pub(super) struct JanitorOptions {
    /// How often it makes its round.
    pub(super) tick: Duration,
    /// How long ended tasks stay that do not say.
    pub(super) ttl: Duration,
    /// What the ledger may have.
    pub(super) limits: LedgerLimits,
    /// The most bytes of copies of what is in shared storage.
    pub(super) cache_bytes: u64,
}

/// What the janitor needs and remembers.
pub(super) struct Janitor {
    options: JanitorOptions,
    store: Arc<dyn TaskStore>,
    blob: LocalBlob,
    ledger: Ledger,
    /// Lent to a thread while it works.
    cache: Option<CacheKeeper>,
    owner: String,
    /// How often the clock had been put right when all expiries were last looked at.
    corrected: u64,
    /// When the record of an unfinished task, or of a folder that says nothing, was first seen missing.
    missing: HashMap<TaskId, Uptime>,
    measured: Option<Uptime>,
    /// Whether all records were compared with their copies.
    compared: bool,
    /// When the oldest task was made whose record cannot be read.
    unreadable_since: Option<Timestamp>,
    clock: TaskClock,
    /// For files, whose times are by this machine's clock; begins with the store's time, which that may not be far ahead of.
    wall_clock: Option<CautiousClock>,
}

#[derive(Default)]
pub(super) struct Swept {
    removed: usize,
    restored: usize,
    /// When something is to be looked at before the next round is due.
    again_in: Option<Duration>,
}

impl Swept {
    fn look_again(&mut self, after: Duration) {
        self.again_in = Some(self.again_in.map_or(after, |sooner| sooner.min(after)));
    }
}

impl Janitor {
    /// A janitor that has seen nothing yet.
    pub(super) fn new(
        options: JanitorOptions,
        store: Arc<dyn TaskStore>,
        blob: LocalBlob,
        ledger: Ledger,
        owner: String,
        clock: TaskClock,
    ) -> Self {
        let cache = CacheKeeper::new(blob.clone(), ledger.clone(), options.cache_bytes);
        Self {
            options,
            store,
            blob,
            ledger,
            cache: Some(cache),
            owner,
            corrected: 0,
            missing: HashMap::new(),
            measured: None,
            compared: false,
            unreadable_since: None,
            clock,
            wall_clock: None,
        }
    }

    async fn round(mut self: Box<Self>) -> (Box<Self>, Result<Swept, StoreError>) {
        let swept = self.sweep().await;
        (self, swept)
    }

    async fn sweep(&mut self) -> Result<Swept, StoreError> {
        if !self.clock.is_known() {
            // By this machine's own clock things might go that should not. It starts again when the store has told the time.
            return Ok(Swept { again_in: Some(UNKNOWN), ..Swept::default() });
        }
        let changes = self.clock.changes();
        if self.corrected != changes {
            let wrong = set_all_expiries(&self.store, &self.blob, &self.clock, self.options.ttl).await?;
            log::warn!(tasks = wrong; "the clock was put right: ended tasks expire later or sooner by the difference");
            self.corrected = changes;
        }
        let now = self.clock.now();
        let mut swept = Swept::default();
        self.remove_expired(self.clock.certain(), &mut swept).await?;
        self.store.repair_indexes().await?;
        self.look_through_folders(&mut swept).await?;
        self.clear_flights().await?;
        self.tidy_cache().await;
        if self.measured.is_none_or(|last| Uptime::now().since(last) >= MEASURE_EVERY) {
            self.measured = Some(Uptime::now());
            self.trim_ledger(now).await?;
        }
        Ok(swept)
    }

    /// Removes every expired task. A task that is found again by `get` is not expired, whatever its index entry says; nor
    /// is one whose copy says that it only looks so because the clock was put right.
    async fn remove_expired(&self, now: Timestamp, swept: &mut Swept) -> Result<(), StoreError> {
        let mut staying = 0;
        loop {
            // What stays is found again, and must not stand before the others.
            let most = BATCH + staying;
            let expired = self.store.expired(now, most).await?;
            let found = expired.len();
            staying = 0;
            for id in expired {
                let gone = match self.store.get(id).await {
                    Err(StoreError::NotFound) => true,
                    // Where records and indexes change together, the index is right about its end.
                    Err(StoreError::Unreadable(_)) => self.store.lease().is_none(),
                    Err(other) => return Err(other),
                    Ok(_) => false,
                };
                if !gone {
                    staying += 1;
                    continue;
                }
                let copy = backup::read_copy(self.blob.clone(), id).await.ok().flatten();
                let stays =
                    copy.filter(|copy| copy.status.is_final() && !has_expired(copy, &self.clock, self.options.ttl));
                if let Some(copy) = stays {
                    let is_back = self.bring_back(&copy).await?;
                    swept.restored += usize::from(is_back);
                    staying += usize::from(!is_back);
                } else if self.remove_folder(id).await {
                    self.store.delete(id, None).await?;
                    swept.removed += 1;
                } else {
                    staying += 1;
                }
            }
            if found < most {
                return Ok(());
            }
        }
    }

    async fn look_through_folders(&mut self, swept: &mut Swept) -> Result<(), StoreError> {
        let blob = self.blob.clone();
        let names = tokio::task::spawn_blocking(move || blob.names("tasks")).await;
        let names = names.map_or_else(|_| Vec::new(), Result::unwrap_or_default);
        let ours = names.iter().filter(|name| names::is_task_folder(name));
        let ids: Vec<TaskId> = ours.filter_map(|name| name.parse().ok()).collect();
        self.unreadable_since = None;
        let mut still_missing = HashMap::new();
        for batch in ids.chunks(BATCH) {
            let there = self.store.repair(batch).await?;
            for (id, epoch) in batch.iter().zip(there) {
                match epoch {
                    None => self.plan_orphan(*id, &mut still_missing, swept).await?,
                    Some(u64::MAX) => {
                        let since = self.unreadable_since.map_or(id.made_at(), |since| since.min(id.made_at()));
                        self.unreadable_since = Some(since);
                    }
                    // A database that this process has for itself was restored to older data before it was opened, or not.
                    Some(epoch) if self.store.lease().is_some() || !self.compared => {
                        self.check_stale_backup(*id, epoch, swept).await?;
                    }
                    Some(_) => {}
                }
            }
        }
        self.missing = still_missing;
        self.compared = true;
        Ok(())
    }

    async fn plan_orphan(
        &self,
        id: TaskId,
        still_missing: &mut HashMap<TaskId, Uptime>,
        swept: &mut Swept,
    ) -> Result<(), StoreError> {
        let copy = match backup::read_copy(self.blob.clone(), id).await {
            Err(StoreError::Unreadable(why)) => {
                log::debug!(task:% = id; "neither a record nor a copy that can be read: its files stay: {why}");
                return Ok(());
            }
            copy => copy?,
        };
        if copy.is_none() {
            let blob = self.blob.clone();
            let asked = tokio::task::spawn_blocking(move || is_leftover(&blob, id)).await;
            if !asked.is_ok_and(|asked| asked.unwrap_or(false)) {
                return Ok(());
            }
        }
        // How long it is seen counts: by its time, a folder of this moment is old when the clock has just been set.
        let first = self.missing.get(&id).copied().unwrap_or_else(Uptime::now);
        let was_accepted = copy.is_some();
        let grace = (self.store.lease().unwrap_or_default(), submit_grace(&self.blob, self.options.tick));
        match orphan(copy, Uptime::now().since(first), grace, (&self.clock, self.options.ttl)) {
            Orphan::Restore(record) => swept.restored += usize::from(self.bring_back(&record).await?),
            Orphan::Wait(left) => {
                still_missing.insert(id, first);
                swept.look_again(left);
            }
            Orphan::Remove if self.remove_folder(id).await => {
                if !was_accepted {
                    log::warn!(task:% = id; "removed a folder that belongs to no task: a submit that was never answered");
                }
                swept.removed += 1;
            }
            Orphan::Remove => {}
        }
        Ok(())
    }

    /// A copy is written after its record, so one of a later epoch means that the store went back in time.
    async fn check_stale_backup(&self, id: TaskId, epoch: u64, swept: &mut Swept) -> Result<(), StoreError> {
        let blob = self.blob.clone();
        let newest = tokio::task::spawn_blocking(move || backup::newest_epoch(&blob, id)).await;
        if newest.ok().and_then(Result::ok).flatten().is_none_or(|newest| newest <= epoch) {
            return Ok(());
        }
        let (found, copy) = (self.store.get(id).await, backup::read_if_possible(self.blob.clone(), id).await?);
        let (Ok(record), Some(copy)) = (found, copy) else { return Ok(()) };
        let Some(next) = replacement(&record, copy) else { return Ok(()) };
        let (expected, operation) = (record.revision(), Uuid::now_v7());
        let update = Update { expected, next, operation, lease: LeaseChange::Release };
        match self.store.update(&update).await {
            Ok(()) => {
                log::warn!(task:% = id; "the store had gone back in time: a task is again where it was");
                swept.restored += 1;
                Ok(())
            }
            // A process runs it, or was faster.
            Err(StoreError::Unavailable(why)) => Err(StoreError::Unavailable(why)),
            Err(_) => Ok(()),
        }
    }

    async fn bring_back(&self, copy: &TaskRecord) -> Result<bool, StoreError> {
        let mut record = copy.clone();
        if set_expiry(&mut record, &self.clock, self.options.ttl) {
            // The copy would be brought back again and again.
            backup::keep_copy(self.blob.clone(), record.clone(), Durability::Cached).await;
        }
        if record.expires_at.is_some_and(|at| at <= self.clock.now()) {
            // Only by a time that is not believed; until it is, the copy answers for the record.
            return Ok(false);
        }
        match restore(self.store.as_ref(), &record).await {
            Ok(()) => {
                log::warn!(task:% = record.id, status:% = record.status; "the store had lost a record: it was made again");
                Ok(true)
            }
            Err(StoreError::Exists) => Ok(false),
            Err(other) => Err(other),
        }
    }

    async fn remove_folder(&self, id: TaskId) -> bool {
        let blob = self.blob.clone();
        let removed = tokio::task::spawn_blocking(move || blob.remove_folder(&format!("tasks/{id}"))).await;
        if let Ok(Err(why)) = &removed {
            log::warn!(task:% = id; "files of a task that is gone stay for now: {why}");
        }
        matches!(removed, Ok(Ok(())))
    }

    /// What a dead process had in flight is needed until each of its tasks went on or ended.
    async fn clear_flights(&self) -> Result<(), StoreError> {
        let (blob, own) = (self.blob.clone(), self.owner.clone());
        let dead = tokio::task::spawn_blocking(move || flights_of_the_dead(&blob, &own)).await;
        for (owner, flights) in dead.unwrap_or_default() {
            let mut needed = false;
            for flight in flights {
                needed |= match self.store.get(flight.task).await {
                    Ok(record) => record.epoch <= flight.epoch && !record.status.is_final(),
                    Err(StoreError::NotFound) => false,
                    Err(StoreError::Unreadable(_)) => true,
                    Err(other) => return Err(other),
                };
            }
            if !needed && let Err(why) = self.blob.remove(&crash_journal_key(&owner)) {
                log::warn!("what a dead process had in flight cannot be removed: {why}");
            }
        }
        Ok(())
    }

    async fn tidy_cache(&mut self) {
        let Some(mut cache) = self.cache.take() else { return };
        let tidied = tokio::task::spawn_blocking(move || {
            let tidied = cache.tidy();
            (cache, tidied)
        });
        if let Ok((cache, tidied)) = tidied.await {
            self.cache = Some(cache);
            if let Err(why) = tidied {
                log::warn!("copies of what is in shared storage are put in order later: {why}");
            }
        }
    }

    /// Pages that were used since the oldest unfinished task was accepted stay: it may count on them.
    async fn trim_ledger(&mut self, now: Timestamp) -> Result<(), StoreError> {
        if self.options.limits.are_none() {
            return Ok(());
        }
        // What a task counts on is unknown when its record cannot be read.
        let mut needed = self.unreadable_since.map_or(now, |since| since.min(now));
        for status in [TaskStatus::Pending, TaskStatus::Processing] {
            let mut query = ListQuery { status: Some(status), limit: BATCH, ..ListQuery::default() };
            loop {
                let page = self.store.list(&query).await?;
                needed = page.tasks.iter().map(|task| task.created_at).fold(needed, Timestamp::min);
                query.after = page.next;
                if query.after.is_none() {
                    break;
                }
            }
        }
        let (ledger, limits) = (self.ledger.clone(), self.options.limits);
        // What is needed was told by the store's clock.
        let certain = self.clock.certain();
        let wall = self.wall_clock.get_or_insert_with(|| CautiousClock::after(certain)).now();
        let (needed, now) = (wall.before(now.since(needed)), wall);
        let trimmed = tokio::task::spawn_blocking(move || {
            let here = ledger.trim(limits, now, needed)?;
            let shared = ledger.trim_shared(limits, now, needed, MEASURE_EVERY)?;
            Ok::<_, std::io::Error>(Trimmed { pages: here.pages + shared.pages, bytes: here.bytes + shared.bytes })
        });
        match trimmed.await {
            Ok(Ok(trimmed)) if trimmed.pages > 0 => {
                log::info!(pages = trimmed.pages, bytes = trimmed.bytes; "the ledger let go of pages unused for long");
            }
            Ok(Err(why)) => log::warn!("the ledger cannot be kept within its limits: {why}"),
            _ => {}
        }
        Ok(())
    }
}

/// How long a folder is seen before it is no longer that of a submit under way.
fn submit_grace(blob: &LocalBlob, tick: Duration) -> Duration {
    if blob.is_shared() { tick.max(SHARED_SUBMIT) } else { tick }
}

/// Whether a task's folder has nothing but files of ours.
fn is_leftover(blob: &LocalBlob, id: TaskId) -> std::io::Result<bool> {
    let found = blob.names(&format!("tasks/{id}"))?;
    if found.is_empty() && blob.is_shared() {
        // Some object storage goes on naming folders of which nothing is left: copies of what was there go all the same.
        blob.forget_task(&id.to_string())?;
    }
    Ok(found.iter().all(|name| names::is_task_file(name)))
}

fn flights_of_the_dead(blob: &LocalBlob, own: &str) -> Vec<(String, Vec<InFlight>)> {
    let names = blob.names("nodes").unwrap_or_default().into_iter();
    let owners =
        names.filter(|name| names::is_node_file(name)).filter_map(|name| name.strip_suffix(FLIGHTS).map(str::to_owned));
    let dead = owners.filter(|owner| owner != own && !blob.is_alive(owner).unwrap_or(true));
    dead.map(|owner| {
        let file = blob.reader(&crash_journal_key(&owner)).ok().flatten();
        let flights = file.and_then(|file| read_crash_journal(file).ok()).unwrap_or_default();
        (owner, flights)
    })
    .collect()
}

#[cfg(test)]
mod tests;
