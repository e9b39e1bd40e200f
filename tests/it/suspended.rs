//! Work that may not begin costs nothing: a job of 20,000 shards waits as one thing, however long it waits.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bindery::PoolOptions;
use bindery::blob::LocalBlob;
use bindery::clock::Timestamp;
use bindery::processor::{Gate, Scripted, ScriptedProcessor, WorkKind};
use bindery::store::{
    Create, Created, EmbeddedStore, ListPage, ListQuery, Renewed, StoreError, StoreIdentity, TaskStore, Update,
};
use bindery::task::{Revision, TaskId, TaskRecord};
use bindery::{Bindery, NewTask};
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;
use uuid::Uuid;

use crate::support::disk::SmallDisk;
use crate::support::pdf::book;
use crate::support::soon;

const SHARDS: u32 = 20_000;
/// How long leases last.
const LEASE: Duration = Duration::from_secs(2);
/// So many renewals, of which there are about two a second, long a waiting job is watched.
const WATCHED: u32 = 10;

/// A store of several processes, which says so, and that can lose sight of its leases.
#[derive(Clone)]
struct SharedStore {
    store: EmbeddedStore,
    /// Whether renewing fails, and how often it was asked for.
    renewals: Arc<watch::Sender<(bool, u32)>>,
}

impl SharedStore {
    fn new() -> Self {
        Self { store: EmbeddedStore::in_memory().unwrap(), renewals: Arc::new(watch::Sender::new((false, 0))) }
    }

    fn fail(&self, fails: bool) {
        self.renewals.send_modify(|(failing, _)| *failing = fails);
    }

    /// Waits for so many more renewals.
    async fn renewals(&self, more: u32) {
        let mut renewals = self.renewals.subscribe();
        let wanted = renewals.borrow_and_update().1 + more;
        soon("leases to be renewed", renewals.wait_for(|(_, count)| *count >= wanted)).await.unwrap();
    }
}

#[async_trait]
impl TaskStore for SharedStore {
    fn lease(&self) -> Option<Duration> {
        Some(LEASE)
    }

    async fn renew(&self, owner: &str, tasks: &[(TaskId, u64)]) -> Result<Renewed, StoreError> {
        self.renewals.send_modify(|(_, count)| *count += 1);
        if self.renewals.borrow().0 {
            return Err(StoreError::Unavailable("the test says so".into()));
        }
        Ok(Renewed { others: 1, ..self.store.renew(owner, tasks).await? })
    }

    async fn identity(&self) -> Result<Option<StoreIdentity>, StoreError> {
        self.store.identity().await
    }

    async fn name(&self, id: Uuid) -> Result<Uuid, StoreError> {
        self.store.name(id).await
    }

    async fn create(&self, create: &Create) -> Result<Created, StoreError> {
        self.store.create(create).await
    }

    async fn get(&self, id: TaskId) -> Result<TaskRecord, StoreError> {
        self.store.get(id).await
    }

    async fn update(&self, update: &Update) -> Result<(), StoreError> {
        self.store.update(update).await
    }

    async fn list(&self, query: &ListQuery) -> Result<ListPage, StoreError> {
        self.store.list(query).await
    }

    async fn delete(&self, id: TaskId, expected: Option<Revision>) -> Result<bool, StoreError> {
        self.store.delete(id, expected).await
    }

    async fn expired(&self, now: Timestamp, limit: usize) -> Result<Vec<TaskId>, StoreError> {
        self.store.expired(now, limit).await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<TaskId>, StoreError> {
        self.store.due(now, limit).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }

    async fn unclaimed(&self, owner: &str, limit: usize) -> Result<Vec<TaskId>, StoreError> {
        self.store.unclaimed(owner, limit).await
    }

    async fn leave(&self, owner: &str) -> Result<(), StoreError> {
        self.store.leave(owner).await
    }

    async fn repair(&self, ids: &[TaskId]) -> Result<Vec<Option<u64>>, StoreError> {
        self.store.repair(ids).await
    }

    async fn repair_indexes(&self) -> Result<usize, StoreError> {
        self.store.repair_indexes().await
    }
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// What was seen of a Bindery while one of its jobs waited.
struct Seen {
    /// The share of a core that this process took, other tests beside this one included.
    cpu: f64,
    /// The wait that 99 of 100 answers of the supervisor were quicker than.
    wait: Duration,
    /// How often work was with workers.
    busy: usize,
}

/// Asks fifty times a second until `end`.
async fn watched(bindery: &Bindery, id: TaskId, end: impl Future<Output = ()>) -> Seen {
    let (begun, cpu) = (Instant::now(), cpu_time());
    let (mut waits, mut busy, mut tick) = (Vec::new(), 0, tokio::time::interval(Duration::from_millis(20)));
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => break,
            _ = tick.tick() => {
                let asked = Instant::now();
                bindery.get(id).await.unwrap();
                waits.push(asked.elapsed());
                busy += usize::from(bindery.condition().await.unwrap().load.in_flight > 0);
            }
        }
    }
    let cpu = cpu_time().saturating_sub(cpu).as_secs_f64() / begun.elapsed().as_secs_f64();
    waits.sort_unstable();
    Seen { cpu, wait: waits[waits.len() * 99 / 100], busy }
}

/// A job with its first shards with workers, all others waiting, and a gate that these workers wait for.
async fn begun(bindery: &Bindery, calls: &std::sync::atomic::AtomicU64, workers: u64) -> TaskId {
    let task = bindery.submit(NewTask::from_bytes(book("Waiting", SHARDS))).await.unwrap();
    soon("the first shards", async {
        while calls.load(Ordering::SeqCst) < workers {
            tokio::task::yield_now().await;
        }
    })
    .await;
    task.id
}

fn processor(kind: WorkKind, gate: &Gate) -> ScriptedProcessor {
    let slow = |processor: ScriptedProcessor, page| processor.page(page, [Scripted::Slow(gate.clone())]);
    (1..=SHARDS).fold(ScriptedProcessor::new(kind), slow)
}

const WORKERS: usize = 4;

fn pool() -> PoolOptions {
    PoolOptions::workers(WORKERS, WORKERS)
}

#[actix::test]
async fn a_job_whose_lease_is_late_waits_as_one_thing_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = SharedStore::new();
    let gate = Gate::default();
    let processor = processor(WorkKind::Call, &gate);
    let calls = processor.calls();
    let bindery = Bindery::builder()
        .store(store.clone())
        .blob(LocalBlob::open(dir.path()).unwrap())
        .processor(processor)
        .pool(pool())
        .start();
    let id = begun(&bindery, &calls, WORKERS as u64).await;
    store.fail(true);
    // Until the lease has ended.
    store.renewals(6).await;
    gate.open();
    // Those that had begun end.
    store.renewals(4).await;
    let before = calls.load(Ordering::SeqCst);
    let Seen { cpu, wait, busy } = watched(&bindery, id, store.renewals(WATCHED)).await;
    println!("lease late, {SHARDS} shards: {:.1} % of a core, p99 {wait:?}", cpu * 100.0);
    assert_eq!(calls.load(Ordering::SeqCst), before, "nothing begins without a lease");
    assert_eq!(busy, 0, "what may not begin goes to no worker");
    // As soon as the lease is held again it goes on.
    store.fail(false);
    soon("the job to go on", async {
        while calls.load(Ordering::SeqCst) == before {
            tokio::task::yield_now().await;
        }
    })
    .await;
    bindery.cancel(id).await.unwrap();
    soon("the stop", bindery.stop(Duration::ZERO)).await;
}

#[actix::test]
async fn a_job_without_room_waits_as_one_thing_and_goes_on() {
    let Some(disk) = SmallDisk::mount("256m") else {
        println!("skipped: no file system can be mounted");
        return;
    };
    let (store, gate) = (SharedStore::new(), Gate::default());
    let processor = processor(WorkKind::Cpu, &gate);
    let calls = processor.calls();
    let bindery = Bindery::builder()
        .store(store.clone())
        .blob(LocalBlob::open(disk.path()).unwrap())
        .processor(processor)
        .pool(pool())
        .start();
    let id = begun(&bindery, &calls, WORKERS as u64).await;
    let filler = disk.fill();
    gate.open();
    soon("the shards that had begun", async {
        while bindery.condition().await.unwrap().load.in_flight > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let before = calls.load(Ordering::SeqCst);
    let Seen { cpu, wait, busy } = watched(&bindery, id, store.renewals(WATCHED)).await;
    println!("disk full, {SHARDS} shards: {:.1} % of a core, p99 {wait:?}", cpu * 100.0);
    assert_eq!(calls.load(Ordering::SeqCst), before, "nothing begins without room");
    assert_eq!(busy, 0, "what may not begin goes to no worker");
    drop(filler);
    soon("the job to go on", async {
        while calls.load(Ordering::SeqCst) == before {
            tokio::task::yield_now().await;
        }
    })
    .await;
    bindery.cancel(id).await.unwrap();
    soon("the stop", bindery.stop(Duration::ZERO)).await;
}
