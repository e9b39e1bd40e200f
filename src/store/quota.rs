//! How much a tenant has accepted and unfinished on all servers of a store, and how much it may have.

use crate::task::TaskId;

/// Unfinished tasks of a tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holding {
    /// How many.
    pub tasks: u64,
    /// Their pages.
    pub pages: u64,
    /// The bytes of their PDFs.
    pub bytes: u64,
}

/// A task that is about to be one of a tenant's unfinished ones.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reservation {
    /// Whose.
    pub tenant: String,
    /// The task.
    pub task: TaskId,
    /// What it adds; one task.
    pub more: Holding,
    /// What the tenant may have; the greatest number is no limit.
    pub most: Holding,
}
