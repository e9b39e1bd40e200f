//! Owns the tasks: accepts them, starts their jobs, writes their records, and answers for them.
//!
//! ```text
//!  Handle ──SubmitTask · GetTask · ListTasks · CancelTask · RetryTask · DeleteTask · WatchTask──▶ Supervisor
//!                                                                        spawns │   ▲ JobReport
//!                                                                               ▼   │
//!                                                                             JobActor
//! ```
//!
//! Only the supervisor changes a task's status (invariant I12), and only through its store.
//!
//! **Write order**, from the submit to the end:
//! 1. the source and the first copy of the record are synced, then the record is created, then the copy gets the name
//!    under which it counts, then the task is acknowledged;
//! 2. a page is in the ledger, then its outcome is told ([`pool`](crate::pool));
//! 3. the result stands whole under its key, then the copy says how the task ended, then the record does;
//! 4. a delete removes the copy, then the record, then the folder; a purge notes before them what else is to go, and
//!    removes that.
//!
//! So whatever a reader finds in a record is already there, and whatever a death in between leaves behind can be told
//! from what is still needed: the janitor's table in `supervisor/janitor.rs` has every case.

mod accept;
mod actor;
mod commands;
mod deletion;
mod draft;
mod expiry;
mod handle;
mod holds;
mod janitor;
mod leases;
mod manifest;
mod messages;
#[cfg(test)]
mod model;
mod options;
mod outbox;
mod ownership;
mod pages;
mod pairing;
mod passed_over;
mod queries;
mod rebuild;
mod records;
mod registry;
mod results;
mod submit;
mod tenants;

pub use actor::{Supervisor, SupervisorParts};
pub use handle::{Handle, NewTask};
pub(crate) use leases::flights_key;
pub use messages::{
    Accepted, BeginUpload, CancelTask, CheckReady, Condition, DeleteTask, DrainTasks, DrawTaskPage, EstimateTask,
    Follow, FollowTask, GetCondition, GetTask, ListTasks, RequestError, RetryTask, SendWebhook, SubmitTask,
    TaskPagesNow, Watch, WatchTask, Whereabouts,
};
pub use options::SupervisorOptions;
pub use pages::PageWindow;
pub use pairing::{PairingError, pair};
pub use rebuild::{Rebuilt, rebuild};
pub use registry::Processors;
pub use results::ResultFile;
pub(crate) use results::unreadable as not_readable;
pub(crate) use submit::not_stored;
pub use tenants::{TenantLimits, UploadSlot};
