//! Work that may not begin costs nothing: a job of 20,000 shards waits as one thing, however long it waits.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bindery::PoolOptions;
use bindery::blob::LocalBlob;
use bindery::internal::AlteredStore;
use bindery::processor::{Gate, Scripted, ScriptedProcessor, WorkKind};
use bindery::task::TaskId;
use bindery::{Bindery, NewTask};
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;

use crate::support::disk::SmallDisk;
use crate::support::pdf::book;
use crate::support::{soon, until};

const SHARDS: u32 = 20_000;
/// How long leases last.
const LEASE: Duration = Duration::from_secs(2);
/// So many renewals, of which there are about two a second, long a waiting job is watched.
const WATCHED: usize = 10;

/// A store of several processes that can lose sight of its leases.
fn shared_store() -> AlteredStore {
    AlteredStore { lease: Some(LEASE), others: 1, ..AlteredStore::default() }
}

/// Waits for so many more renewals, failed ones included.
async fn renewals(renewed: &watch::Sender<usize>, more: usize) {
    let mut renewed = renewed.subscribe();
    let wanted = *renewed.borrow_and_update() + more;
    soon("leases to be renewed", renewed.wait_for(|count| *count >= wanted)).await.unwrap();
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
    until("the first shards", async || calls.load(Ordering::SeqCst) >= workers).await;
    task.id
}

fn processor(kind: WorkKind, gate: &Gate) -> ScriptedProcessor {
    let slow = |processor: ScriptedProcessor, page| processor.page(page, [Scripted::Slow(gate.clone())]);
    (1..=SHARDS).fold(ScriptedProcessor::new(kind), slow)
}

const WORKERS: usize = 4;

fn start(store: AlteredStore, data: &Path, processor: ScriptedProcessor) -> Bindery {
    let pool = PoolOptions::workers(WORKERS, WORKERS);
    let blob = LocalBlob::open(data).unwrap();
    Bindery::builder().store(store).blob(blob).processor(processor).pool(pool).start()
}

#[actix::test]
async fn a_job_whose_lease_is_late_waits_as_one_thing_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = shared_store();
    let (renewed, fails) = (store.renewed.clone(), store.fails_to_renew.clone());
    let gate = Gate::default();
    let processor = processor(WorkKind::Call, &gate);
    let calls = processor.calls();
    let bindery = start(store, dir.path(), processor);
    let id = begun(&bindery, &calls, WORKERS as u64).await;
    fails.send_replace(true);
    // Until the lease has ended.
    renewals(&renewed, 6).await;
    gate.open();
    // Those that had begun end.
    renewals(&renewed, 4).await;
    let before = calls.load(Ordering::SeqCst);
    let Seen { cpu, wait, busy } = watched(&bindery, id, renewals(&renewed, WATCHED)).await;
    println!("lease late, {SHARDS} shards: {:.1} % of a core, p99 {wait:?}", cpu * 100.0);
    assert_eq!(calls.load(Ordering::SeqCst), before, "nothing begins without a lease");
    assert_eq!(busy, 0, "what may not begin goes to no worker");
    // As soon as the lease is held again it goes on.
    fails.send_replace(false);
    until("the job to go on", async || calls.load(Ordering::SeqCst) > before).await;
    bindery.cancel(id).await.unwrap();
    soon("the stop", bindery.stop(Duration::ZERO)).await;
}

#[actix::test]
async fn a_job_without_room_waits_as_one_thing_and_goes_on() {
    let Some(disk) = SmallDisk::mount("256m") else {
        println!("skipped: no file system can be mounted");
        return;
    };
    let (store, gate) = (shared_store(), Gate::default());
    let renewed = store.renewed.clone();
    let processor = processor(WorkKind::Cpu, &gate);
    let calls = processor.calls();
    let bindery = start(store, disk.path(), processor);
    let id = begun(&bindery, &calls, WORKERS as u64).await;
    let filler = disk.fill();
    gate.open();
    let are_over = async || bindery.condition().await.unwrap().load.in_flight == 0;
    until("the shards that had begun", are_over).await;
    let before = calls.load(Ordering::SeqCst);
    let Seen { cpu, wait, busy } = watched(&bindery, id, renewals(&renewed, WATCHED)).await;
    println!("disk full, {SHARDS} shards: {:.1} % of a core, p99 {wait:?}", cpu * 100.0);
    assert_eq!(calls.load(Ordering::SeqCst), before, "nothing begins without room");
    assert_eq!(busy, 0, "what may not begin goes to no worker");
    drop(filler);
    until("the job to go on", async || calls.load(Ordering::SeqCst) > before).await;
    bindery.cancel(id).await.unwrap();
    soon("the stop", bindery.stop(Duration::ZERO)).await;
}
