//! The supervisor's state, and which tasks have a place.

use std::collections::HashSet;
use std::sync::Arc;

use actix::{Actor, Addr, ArbiterHandle, Context};
use tokio::sync::watch;

use super::audience::Audience;
use super::audience::outbox::{Outgoing, SendMessages};
use super::intake::Intake;
use super::janitor::{Janitor, JanitorOptions, Rounds, Tidy};
use super::jobs::ActiveTasks;
use super::lessons::ShareLessons;
use super::options::SupervisorOptions;
use super::ownership::Ownership;
use super::ownership::arrivals::LookForArrivals;
use super::ownership::leases::RenewLeases;
use super::ownership::watched::WatchElsewhere;
use super::records::PendingWrites;
use super::registry::Processors;
use crate::blob::LocalBlob;
use crate::clock::TaskClock;
use crate::document::Readers;
use crate::ledger::Ledger;
use crate::notify::Notifier;
use crate::pool::Dispatcher;
use crate::store::TaskStore;

/// The actor that owns the task store. See the [module](super).
pub struct Supervisor {
    pub(super) store: Arc<dyn TaskStore>,
    pub(super) blob: LocalBlob,
    /// What tells where its files are from where those of other servers are; empty where there are none.
    pub(super) storage: String,
    pub(super) ledger: Ledger,
    pub(super) processors: Processors,
    pub(super) dispatcher: Addr<Dispatcher>,
    /// The thread of the jobs.
    pub(super) job_thread: ArbiterHandle,
    pub(super) options: SupervisorOptions,
    /// Where PDFs are opened.
    pub(super) readers: Readers,
    /// The name of this process in leases and records.
    pub(super) owner: String,
    pub(super) clock: TaskClock,
    /// What comes in, and whose it is.
    pub(super) intake: Intake,
    /// Tasks with a job, or about to have one.
    pub(super) active: ActiveTasks,
    /// Its leases, and tasks without a job.
    pub(super) ownership: Ownership,
    /// Records on their way to the store.
    pub(super) pending_writes: PendingWrites,
    /// Who watches and follows tasks.
    pub(super) audience: Audience,
    /// Messages to other servers.
    pub(super) outgoing: Outgoing,
    /// The janitor between its rounds.
    pub(super) rounds: Rounds,
}

/// What a supervisor works with.
pub struct SupervisorParts {
    /// Where task records live.
    pub store: Arc<dyn TaskStore>,
    /// Where sources and results live.
    pub blob: LocalBlob,
    /// Where pages live.
    pub ledger: Ledger,
    /// Who reads pages.
    pub processors: Processors,
    /// Who hands out work.
    pub dispatcher: Addr<Dispatcher>,
    /// The thread that the jobs run on: one whose load does not keep the supervisor from renewing its leases.
    pub jobs: ArbiterHandle,
    /// Where PDFs are opened: in processes of their own none can end this one.
    pub readers: Readers,
    /// The name of this process; no other ever had it.
    pub owner: String,
    /// Limits and times.
    pub options: SupervisorOptions,
}

impl Supervisor {
    /// A supervisor that begins with the unfinished tasks of its store when it is started.
    #[must_use]
    pub(crate) fn new(parts: SupervisorParts) -> Self {
        let SupervisorParts { store, blob, ledger, processors, dispatcher, jobs, readers, owner, options } = parts;
        let clock = TaskClock::default();
        let janitor_options = JanitorOptions {
            tick: options.janitor_tick,
            ttl: options.ttl,
            limits: options.ledger,
            cache_bytes: options.cache_bytes,
        };
        let (files, pages) = (blob.clone(), ledger.clone());
        let store_has_others = store.lease().is_some();
        let janitor = Janitor::new(janitor_options, Arc::clone(&store), files, pages, owner.clone(), clock.clone());
        Self {
            ownership: Ownership::new(store.lease()),
            outgoing: Outgoing::new(Notifier::new(options.notify.clone())),
            rounds: Rounds::new(janitor),
            intake: Intake::default(),
            active: ActiveTasks::default(),
            pending_writes: PendingWrites::default(),
            audience: Audience::default(),
            store,
            storage: store_has_others.then(|| blob.storage().ok()).flatten().unwrap_or_default(),
            blob,
            ledger,
            processors,
            dispatcher,
            job_thread: jobs,
            options,
            readers,
            owner,
            clock,
        }
    }

    /// Unfinished tasks that this process knows of, with those that are on their way in.
    pub(super) fn unfinished(&self) -> usize {
        self.active.len() + self.ownership.waiting() + self.intake.under_way()
    }

    /// Whether there is a slot for one more job.
    pub(super) fn has_slot(&self) -> bool {
        self.options.role.runs_tasks() && self.active.len() < self.options.max_active && !self.intake.is_closed()
    }

    /// Fills free slots with waiting tasks.
    pub(super) fn start_waiting_jobs(&mut self, ctx: &mut Context<Self>) {
        while self.has_slot() {
            let full = self.full_tenants();
            let Some(id) = self.ownership.next(|tenant| !full.contains(tenant)) else { return };
            if !self.active.has(id) {
                self.claim(id, ctx);
            }
        }
    }

    /// Tenants that run as many jobs as one may.
    pub(super) fn full_tenants(&self) -> HashSet<String> {
        self.intake.full_tenants(self.active.ids(), self.options.tenant.running)
    }

    /// Shows how many records are still to be written.
    pub(crate) fn flushed(&self) -> watch::Receiver<usize> {
        self.pending_writes.subscribe()
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.go_round::<RenewLeases>(ctx);
        self.go_round::<Tidy>(ctx);
        self.go_round::<SendMessages>(ctx);
        self.go_round::<ShareLessons>(ctx);
        if self.store.lease().is_some() {
            self.go_round::<WatchElsewhere>(ctx);
            self.go_round::<LookForArrivals>(ctx);
        }
    }
}
