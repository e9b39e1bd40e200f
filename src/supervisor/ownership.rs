//! Whose a task is: which tasks this process runs, how it keeps them, and which ones wait. What becomes of a task is
//! [decided](decide) without store, files and actor, which carry it out.

pub(super) mod arrivals;
pub(super) mod claim;
pub(super) mod decide;
pub(super) mod holds;
pub(super) mod leases;
#[cfg(test)]
mod model;
pub(super) mod passed_over;
pub(super) mod watched;

use std::collections::BTreeMap;
use std::time::Duration;

use self::holds::Tenure;
use self::passed_over::PassedOver;
use super::intake::tenants::Waiting;
use crate::task::{TaskId, TaskRecord};

/// What this process knows of unfinished tasks without a job here, and of its leases on those with one.
pub(super) struct Ownership {
    /// Known tasks without a job.
    waiting: Waiting,
    /// How many tasks wait for another server, where this one runs none.
    left_to_others: usize,
    /// What the store last said of tasks that came without an owner.
    arrivals: Option<u64>,
    /// How long it may count on its leases.
    tenure: Tenure,
    /// Unfinished tasks that this process cannot run.
    passed_over: PassedOver,
    /// Whether the store did not answer since it was last heard of.
    store_unavailable: bool,
}

impl Ownership {
    /// Nothing is known yet; leases in the store have this length, where there are some.
    pub(super) fn new(lease: Option<Duration>) -> Self {
        Self {
            waiting: Waiting::default(),
            left_to_others: 0,
            arrivals: None,
            tenure: Tenure::new(lease),
            passed_over: PassedOver::default(),
            store_unavailable: false,
        }
    }

    /// How many tasks wait for a job.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len() + self.left_to_others
    }

    /// One task more waits for another server.
    pub(super) const fn leave_to_others(&mut self) {
        self.left_to_others += 1;
    }

    /// Has a task wait for its turn.
    pub(super) fn wait(&mut self, record: &TaskRecord) {
        self.waiting.push(record.id, record.tenant.as_deref().unwrap_or_default());
    }

    /// Has a task be looked at before all others.
    pub(super) fn wait_first(&mut self, id: TaskId) {
        self.waiting.add_found(std::iter::once(id));
    }

    /// A task waits no more.
    pub(super) fn stop_waiting(&mut self, id: TaskId) {
        self.waiting.remove(id);
    }

    /// The next task of a tenant that may have one more job.
    pub(super) fn next(&mut self, may_run: impl Fn(&str) -> bool) -> Option<TaskId> {
        self.waiting.pop(may_run)
    }

    /// How many other processes there are on the same store.
    pub(super) const fn others(&self) -> usize {
        self.tenure.others()
    }

    /// How many tasks have records that cannot be read, and how many need which processor that is not here.
    pub(super) fn passed_over(&self) -> (usize, BTreeMap<String, usize>) {
        (self.passed_over.unreadable(), self.passed_over.by_processor())
    }
}
