//! What comes in: PDFs on their way, what each tenant may bring, and how a task is accepted.

pub(super) mod accept;
pub(super) mod quota;
pub(super) mod recipes;
mod resubmit;
pub(super) mod submit;
pub(super) mod tenants;

use std::collections::{HashMap, HashSet};

use self::quota::Requests;
use self::tenants::Accounts;
use crate::task::{TaskId, TaskRecord};

/// What is coming in, and whose the unfinished tasks are.
#[derive(Default)]
pub(super) struct Intake {
    accounts: Accounts,
    requests: Requests,
    /// Submits that are being accepted.
    submitting: usize,
    closed: bool,
}

impl Intake {
    /// Counts an unfinished task for its tenant.
    pub(super) fn add(&mut self, record: &TaskRecord) {
        self.accounts.add(record);
    }

    /// A task is over, or runs elsewhere.
    pub(super) fn remove(&mut self, id: TaskId) {
        self.accounts.remove(id);
    }

    /// Uploads and submits under way.
    pub(super) fn under_way(&self) -> usize {
        self.submitting + self.accounts.uploads()
    }

    /// Takes nothing in any more.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// Whether nothing is taken in, nor begun.
    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Tenants of whose tasks at least `most` are among `active`.
    pub(super) fn full_tenants(&self, active: impl Iterator<Item = TaskId>, most: usize) -> HashSet<String> {
        let mut running = HashMap::<&str, usize>::new();
        for id in active {
            *running.entry(self.accounts.tenant_of(id)).or_default() += 1;
        }
        let full = running.into_iter().filter(|(tenant, jobs)| !tenant.is_empty() && *jobs >= most);
        full.map(|(tenant, _)| tenant.to_owned()).collect()
    }
}
