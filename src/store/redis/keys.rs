//! Every key that Bindery has in Redis.
//!
//! | key | type | holds |
//! |---|---|---|
//! | `task:<uuid>` | hash | one record; expires with it |
//! | `tasks:all` | sorted set | every task, scored by its creation, ms |
//! | `tasks:by-status:<status>` | sorted set | the tasks of one status, scored likewise |
//! | `tasks:gc` | sorted set | final tasks, scored by their expiry, ms |

use crate::task::{TaskId, TaskStatus};

pub(super) const ALL: &str = "tasks:all";
pub(super) const EXPIRY: &str = "tasks:gc";

pub(super) fn record(id: TaskId) -> String {
    format!("task:{id}")
}

pub(super) fn by_status(status: TaskStatus) -> String {
    format!("tasks:by-status:{status}")
}
