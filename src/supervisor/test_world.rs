//! A supervisor on a store that behaves as the test wants, with a pool that reads.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, System};
use futures::StreamExt;
use tempfile::TempDir;
use tokio::sync::watch;
use uuid::Uuid;

use super::handle::Outside;
use super::messages::{GetSystemHealth, GetTask, SystemHealth, WatchTask};
use super::{Handle, Processors, Role, Supervisor, SupervisorOptions, SupervisorParts, TenantLimits};
use crate::blob::{Durability, LocalBlob};
use crate::document::{DocumentLimits, Readers};
use crate::ledger::{Ledger, LedgerSharing};
use crate::pool::{CrashJournal, Dispatcher, PoolOptions};
use crate::processor::{Gate, Scripted, ScriptedProcessor, TextProcessor, WorkKind};
use crate::store::altered::AlteredStore;
use crate::store::{Create, TaskStore};
use crate::task::{TaskId, TaskRecord, TaskStatus, test_record};

const TEST_TIMEOUT: Duration = Duration::from_secs(60);

pub(super) struct World {
    _dir: TempDir,
    pub(super) store: Arc<AlteredStore>,
    pub(super) blob: LocalBlob,
    pub(super) supervisor: Addr<Supervisor>,
    processors: Processors,
    /// What the first three pages of the scripted processor wait for.
    pub(super) first: Gate,
    /// What the others wait for.
    pub(super) rest: Gate,
    /// How many pieces of work are with workers.
    pub(super) in_flight: watch::Receiver<usize>,
}

impl World {
    /// A supervisor with a processor for text and a scripted one, whose tenants may have one task each.
    pub(super) async fn with(store: AlteredStore, records: &[&TaskRecord]) -> Self {
        let tenant = TenantLimits { tasks: 1, ..TenantLimits::default() };
        Self::with_options(store, SupervisorOptions { tenant, ..SupervisorOptions::default() }, records).await
    }

    /// The same with other options. Each task has its source and the backup of its record.
    pub(super) async fn with_options(store: AlteredStore, options: SupervisorOptions, records: &[&TaskRecord]) -> Self {
        let (dir, store) = (tempfile::tempdir().unwrap(), Arc::new(store));
        let blob = LocalBlob::open(dir.path()).unwrap();
        for record in records {
            let create = Create { record: (*record).clone(), operation: Uuid::now_v7(), reuse: false };
            store.create(&create).await.unwrap();
            if record.processor == SCRIPTED {
                let source = include_bytes!("../../tests/data/sample.pdf");
                blob.put(&record.pdf_path, source, Durability::Cached).unwrap();
                super::records::backup::keep(&blob, record, Durability::Cached).unwrap();
            }
        }
        let (ledger, readers) = (Ledger::new(blob.clone()), Readers::in_process());
        let (mut processors, first, rest) = (Processors::default(), Gate::default(), Gate::default());
        processors.add(Arc::new(TextProcessor));
        let slow = |processor: ScriptedProcessor, page| {
            processor.page(page, [Scripted::Slow(if page <= 3 { first.clone() } else { rest.clone() })])
        };
        processors.add(Arc::new((1..=12).fold(ScriptedProcessor::new(WorkKind::Call), slow)));
        let (count, in_flight) = watch::channel(0);
        let (pool, journal) = (PoolOptions { call_workers: 2, ..PoolOptions::default() }, CrashJournal::none());
        let dispatcher =
            Dispatcher::new(pool, blob.clone(), ledger.clone(), journal, readers.clone(), None, count).start();
        let supervisor = Supervisor::new(SupervisorParts {
            store: Arc::clone(&store) as Arc<dyn TaskStore>,
            blob: blob.clone(),
            ledger,
            processors: processors.clone(),
            dispatcher,
            jobs: actix::Arbiter::current(),
            readers,
            owner: "one#1".into(),
            options,
        });
        Self { _dir: dir, store, blob, supervisor: supervisor.start(), processors, first, rest, in_flight }
    }

    pub(super) fn handle(&self) -> Handle {
        let (blob, processors) = (self.blob.clone(), self.processors.clone());
        let ledger = (Ledger::new(blob.clone()), LedgerSharing::default());
        let outside = (DocumentLimits::default(), true, Role::All, Outside::new(&SupervisorOptions::default()));
        Handle::new(self.supervisor.clone(), blob, ledger, processors, outside)
    }

    /// Has the supervisor do all that it can do now.
    pub(super) async fn settle(&self, id: TaskId) {
        for _ in 0..50 {
            let _ = self.supervisor.send(GetTask(id)).await.unwrap();
        }
    }

    /// Waits until the pages of a task wait, and the store says that it has begun.
    pub(super) async fn begun(&mut self, id: TaskId) {
        let mut watch = self.supervisor.send(WatchTask(id)).await.unwrap().unwrap();
        while watch.record().status == TaskStatus::Pending {
            watch.next().await.unwrap();
        }
        self.in_flight.wait_for(|count| *count == 2).await.unwrap();
        while self.stored(id).await.status == TaskStatus::Pending {
            self.settle(id).await;
        }
    }

    /// The task as the store has it.
    pub(super) async fn stored(&self, id: TaskId) -> TaskRecord {
        self.store.store.get(id).await.unwrap()
    }

    pub(super) async fn health(&self) -> SystemHealth {
        self.supervisor.send(GetSystemHealth).await.unwrap().unwrap()
    }

    /// Waits until so many more renewings were answered.
    pub(super) async fn renewed(&self, more: usize) {
        let mut renewed = self.store.renewed.subscribe();
        let until = *renewed.borrow() + more;
        renewed.wait_for(|count| *count >= until).await.unwrap();
    }
}

/// The name of the processor whose pages wait.
const SCRIPTED: &str = "scripted";

/// A task of the processor whose pages wait, with two of them in flight at once.
pub(super) fn waiting_record(tenant: &str) -> TaskRecord {
    TaskRecord { processor: SCRIPTED.into(), tenant: Some(tenant.into()), ..test_record(1) }
}

pub(super) fn in_system<T>(test: impl Future<Output = T>) -> T {
    System::new().block_on(async { tokio::time::timeout(TEST_TIMEOUT, test).await.expect("it takes too long") })
}
