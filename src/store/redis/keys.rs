//! Every key that Bindery has in Redis.
//!
//! | key | type | holds |
//! |---|---|---|
//! | `task:<uuid>` | hash | one record; expires with it |
//! | `{task:<uuid>}:lease` | string | the owner of a running task; ends by itself unless renewed |
//! | `tasks:all` | sorted set | every task, scored by its creation, ms |
//! | `tasks:by-status:<status>` | sorted set | the tasks of one status, scored likewise |
//! | `tasks:tenants` | set | the names of the tenants that have tasks |
//! | `tasks:of:<tenant>` | sorted set | the tasks of one tenant, scored likewise |
//! | `tasks:of:<tenant>:<status>` | sorted set | those of one status |
//! | `tasks:gc` | sorted set | final tasks, scored by their expiry, ms |
//! | `tasks:arrivals` | string | when the last task came that has no owner, µs: a change has servers look for it; ends an hour later |
//! | `tasks:outbox` | sorted set | tasks with a message about their end to be sent, scored by when, ms |
//! | `tasks:owners` | sorted set | living processes, scored by when they count as gone, ms |
//! | `tasks:nodes` | hash | what each living process says of itself, by its name; JSON |
//! | `tasks:notes` | hash | what servers learnt that others can use, such as what models take, by its name; JSON |
//! | `tasks:store` | string | the name of this database that no other one has |
//! | `tasks:same:<hash>` | string | the task with this fingerprint that later equal submits get; expires with it |
//! | `tasks:key:<hash>` | string | the task and fingerprint of an idempotency key; expires with the task |
//! | `tasks:held:<tenant>` | hash | pages, bytes and since when of each unfinished task of a tenant, by its id; and their sums |
//! | `tasks:rate:<tenant>` | string | until when the requests of a tenant take that it has made, µs; ends then |
//! | `feed:<group>` | stream | shards that servers of one group offer each other, with the consumer group `readers`; gone when empty |
//! | `feed:<group>:servers` | hash | how many workers each of them has free, and until when that counts |
//! | `feed:replies:<owner>` | list | name, kind and body of what was made of the shards of an owner; ends by itself |
//! | `{limits:<endpoint>}` | hash | the window and rates of an endpoint, of all servers together; ends an hour after its last use |
//! | `{limits:<endpoint>}:servers` | hash | what each server holds of them and until when |
//!
//! A lease's name has the record's name in braces, so that both are in one slot of a cluster. The names of
//! a tenant's indexes are made by the scripts from what the record says.

use crate::task::{TaskId, TaskStatus};

pub(super) const ALL: &str = "tasks:all";
pub(super) const EXPIRY: &str = "tasks:gc";
pub(super) const TENANTS: &str = "tasks:tenants";
pub(super) const ARRIVALS: &str = "tasks:arrivals";
pub(super) const OUTBOX: &str = "tasks:outbox";
pub(super) const STORE: &str = "tasks:store";
pub(super) const OWNERS: &str = "tasks:owners";
pub(super) const NODES: &str = "tasks:nodes";
pub(super) const NOTES: &str = "tasks:notes";

pub(super) fn record(id: TaskId) -> String {
    format!("task:{id}")
}

pub(super) fn lease(id: TaskId) -> String {
    format!("{{task:{id}}}:lease")
}

pub(super) fn by_status(status: TaskStatus) -> String {
    format!("tasks:by-status:{status}")
}

pub(super) fn of_tenant(tenant: &str, status: Option<TaskStatus>) -> String {
    let status = status.map_or_else(String::new, |status| format!(":{status}"));
    format!("tasks:of:{tenant}{status}")
}

pub(super) fn held(tenant: &str) -> String {
    format!("tasks:held:{tenant}")
}

pub(super) fn rate(tenant: &str) -> String {
    format!("tasks:rate:{tenant}")
}

pub(super) fn same(fingerprint: &str) -> String {
    format!("tasks:same:{fingerprint}")
}

pub(super) fn idempotency(hash: &str) -> String {
    format!("tasks:key:{hash}")
}

pub(super) fn endpoint(name: &str) -> String {
    format!("{{limits:{name}}}")
}

pub(super) fn sharers(endpoint: &str) -> String {
    format!("{{limits:{endpoint}}}:servers")
}

pub(super) fn feed(group: &str) -> String {
    format!("feed:{group}")
}

pub(super) fn feeders(group: &str) -> String {
    format!("feed:{group}:servers")
}

pub(super) fn replies(server: &str) -> String {
    format!("feed:replies:{server}")
}
