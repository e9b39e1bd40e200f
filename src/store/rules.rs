//! What owners are called, and what decides whether an update is written, for stores that decide in Rust.

use super::StoreError;
use crate::task::{Revision, TaskRecord, TaskStatus};

/// What an update is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) revision: Revision,
    pub(crate) status: TaskStatus,
}

impl Head {
    pub(crate) const fn of(record: &TaskRecord) -> Self {
        Self { revision: record.revision(), status: record.status }
    }
}

/// The rule of [`TaskStore::update`](super::TaskStore::update), for implementations that decide in Rust. `held` tells whether the task's lease is
/// with another process than the one that writes.
pub(crate) fn check_update(current: Head, expected: Revision, next: Head, held: bool) -> Result<(), StoreError> {
    let (at, Head { revision: next, status }) = (current.revision, next);
    if at != expected || next.epoch < at.epoch || next.version <= at.version {
        return Err(StoreError::Conflict(at));
    }
    if current.status.is_final() && next.epoch == at.epoch && status != current.status {
        return Err(StoreError::Final);
    }
    if held && next.epoch > at.epoch {
        return Err(StoreError::Held);
    }
    Ok(())
}

/// The name of the machine or slot that an owner runs in: what stands before the `#`. No two living processes share it,
/// so an owner of the same node is the dead predecessor of who asks.
#[must_use]
pub fn node_of(owner: &str) -> &str {
    owner.split_once('#').map_or(owner, |(node, _)| node)
}
