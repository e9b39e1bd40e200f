//! Which tasks this process runs: taking them up, keeping them, and letting go of them in time.
//!
//! Every few seconds the supervisor renews its leases in one go, looks for tasks that no process runs, and reads the records
//! of tasks that are watched here and run by another process.
//!
//! A lease is counted here from before the renewing was asked for and ends [a margin](crate::supervisor::ownership::holds::Tenure::end) before it
//! ends in the store; after that no attempt begins until it is renewed. One exception: as long as no other process is
//! known to the store, nor lives on the same blob store, no other can take the tasks over, so they go on while the
//! store is unavailable. A process that comes up during such an outage is noticed by its name's lock within one round.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use futures::future::LocalBoxFuture;

use super::holds::{Hold, attributable, hold, look_ahead};
use crate::clock::{ClockReading, Uptime};
use crate::failpoint;
use crate::pool::Lease;
use crate::processor::Processor;
use crate::store::{Renewed, StoreError};
use crate::supervisor::actor::Supervisor;
use crate::supervisor::nodes;
use crate::supervisor::rounds::Round;
use crate::task::{TaskId, TaskRecord};

/// How often a store that is not shared is looked through for tasks that no process runs.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How soon a renewing that failed is tried again.
const RENEW_AGAIN: Duration = Duration::from_millis(500);

/// Renews the leases on the tasks that run here, and looks for tasks that no process runs.
pub(in crate::supervisor) struct RenewLeases;

/// What came of a renewing.
pub(in crate::supervisor) struct Renewal {
    /// The tasks and epochs that it was asked for.
    held: Vec<(TaskId, u64)>,
    renewed: Result<Renewed, StoreError>,
    asked: Uptime,
    answered: Uptime,
    /// Whether another process lives on the same storage, where the store cannot say.
    others: bool,
}

impl Round for RenewLeases {
    type Outcome = Renewal;

    const PAUSE: Duration = LOOK_EVERY;

    fn decide(supervisor: &mut Supervisor, _: &mut Context<Supervisor>) -> Option<LocalBoxFuture<'static, Renewal>> {
        let held = supervisor.active.all_running().map(|(id, running)| (id, running.pending.record().epoch));
        let held: Vec<_> = held.collect();
        let (store, owner, asked) = (Arc::clone(&supervisor.store), supervisor.owner.clone(), Uptime::now());
        let (blob, node, storage) = (supervisor.blob.clone(), supervisor.node(), supervisor.storage.clone());
        Some(Box::pin(async move {
            let renewed = match failpoint::pass("store.renew") {
                Ok(()) => store.renew(&owner, &held).await,
                Err(error) => Err(StoreError::Unavailable(error.to_string())),
            };
            let (answered, mut others) = (Uptime::now(), false);
            if renewed.is_ok()
                && let Err(why) = nodes::announce(&store, &node.await, &storage).await
            {
                log::info!("the other servers are not told of this one: {why}");
            }
            if renewed.is_err() {
                // A store that closed itself after a failed write opens again only when it is asked to write.
                let _ = store.ping().await;
                let there = tokio::task::spawn_blocking(move || blob.has_others(&owner)).await;
                others = there.ok().and_then(Result::ok).unwrap_or(true);
            }
            Renewal { held, renewed, asked, answered, others }
        }))
    }

    fn report(supervisor: &mut Supervisor, outcome: Renewal, ctx: &mut Context<Supervisor>) -> Duration {
        let Renewal { held, renewed, asked, answered, others } = outcome;
        match renewed {
            Ok(renewed) => {
                supervisor.read_clock(&renewed, asked, answered, ctx);
                supervisor.renewed(&held, &renewed, asked, ctx);
                supervisor.scan_unclaimed(ctx);
                supervisor.store.lease().map_or(LOOK_EVERY, |length| length / 3)
            }
            Err(why) => {
                log::warn!("leases cannot be renewed, trying again: {why}");
                supervisor.ownership.store_unavailable = true;
                if others {
                    supervisor.no_longer_alone();
                }
                RENEW_AGAIN
            }
        }
    }
}

impl Supervisor {
    /// The hold on a task that is being taken up now.
    pub(in crate::supervisor) fn new_lease(&self, asked: Uptime) -> Lease {
        self.ownership.tenure.end(asked).map_or_else(Lease::without_end, Lease::until)
    }

    /// How often the process died while it read a page, by page, as far as the page can have been the cause: of what was
    /// counted where PDFs were opened in the process itself, or before that made a difference, nothing counts here.
    pub(in crate::supervisor) fn crashes(&self, record: &TaskRecord, processor: &dyn Processor) -> BTreeMap<u32, u32> {
        attributable(record.crashes.clone(), self.readers.are_processes(), processor.is_isolated())
    }

    /// Takes in the store's time. When its clock was put right, expiries are computed again, at once: a store that
    /// removes what has expired by itself goes by the same clock.
    fn read_clock(&mut self, renewed: &Renewed, asked: Uptime, answered: Uptime, ctx: &mut Context<Self>) {
        let was_known = self.clock.is_known();
        let Renewed { time: said, ahead, certain, .. } = *renewed;
        let reading = ClockReading { said, ahead, certain, asked, answered };
        if self.clock.set(reading) || !was_known {
            self.sweep_soon(ctx);
        }
    }

    /// Leases that had no end while no other process was there get the one that they have in the store.
    fn no_longer_alone(&mut self) {
        let Some(end) = self.ownership.tenure.joined() else { return };
        self.active.all_running().for_each(|(_, running)| running.lease.set(Some(end)));
    }

    /// Looks for tasks that no process runs: also while some wait here, or those of a dead process would wait behind them.
    pub(in crate::supervisor) fn scan_unclaimed(&mut self, ctx: &mut Context<Self>) {
        if self.intake.is_closed() {
            return;
        }
        let (running, passed_over) = (self.active.len(), self.ownership.passed_over.len());
        let most = if self.options.role.runs_tasks() {
            look_ahead(!self.ownership.waiting.is_empty(), self.options.max_active, running, passed_over)
        } else {
            self.options.max_queued
        };
        let (store, owner) = (Arc::clone(&self.store), self.owner.clone());
        let found = async move { store.unclaimed(&owner, most).await };
        ctx.spawn(found.into_actor(self).map(move |found, this, ctx| match found {
            Ok(found) => this.enqueue_found(found, ctx),
            Err(why) => log::warn!("tasks that no process runs are looked for later: {why}"),
        }));
    }

    fn renewed(&mut self, held: &[(TaskId, u64)], renewed: &Renewed, asked: Uptime, ctx: &mut Context<Self>) {
        let was_unavailable = std::mem::take(&mut self.ownership.store_unavailable);
        let end = self.ownership.tenure.renewed(renewed.others, asked);
        let mut lost = false;
        for ((id, epoch), renewal) in held.iter().zip(&renewed.tasks) {
            let Some(running) = self.active.running_mut(*id).filter(|running| running.pending.record().epoch == *epoch)
            else {
                continue;
            };
            let is_writing = running.pending.writing().is_some();
            let found = hold(*renewal, running.pending.record().cancel_requested);
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
        if lost || was_unavailable {
            self.sweep_soon(ctx);
        }
    }

    /// Puts tasks that no process runs before those that wait: they are the oldest. A server that runs none counts them, for
    /// it may accept only so many.
    fn enqueue_found(&mut self, found: Vec<TaskId>, ctx: &mut Context<Self>) {
        if !self.options.role.runs_tasks() {
            self.ownership.left_to_others = found.len();
            return;
        }
        let (waiting, active) = (&self.ownership.waiting, &self.active);
        let new = self.ownership.passed_over.sift(found, |id| waiting.contains(id) || active.has(id));
        if !new.is_empty() {
            log::info!(tasks = new.len(); "taking up unfinished tasks");
            self.ownership.waiting.add_found(new.into_iter());
            self.start_waiting_jobs(ctx);
        }
    }
}
