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
//! 2. a page is in the ledger, then its outcome is told (`pool`);
//! 3. the result stands whole under its key, then the copy says how the task ended, then the record does;
//! 4. a delete removes the copy, then the record, then the folder; a purge notes before them what else is to go, and
//!    removes that.
//!
//! So whatever a reader finds in a record is already there, and whatever a death in between leaves behind can be told
//! from what is still needed: the janitor's table in `supervisor/janitor.rs` has every case.

mod actor;
#[cfg(test)]
mod actor_tests;
mod arrival;
mod audience;
mod commands;
mod deletion;
#[cfg(test)]
mod draining_tests;
mod handle;
mod intake;
mod janitor;
mod jobs;
mod lessons;
mod messages;
mod nodes;
mod options;
mod ownership;
mod pages;
mod pairing;
mod queries;
mod records;
mod registry;
mod results;
mod role;
mod rounds;
#[cfg(test)]
mod running_tests;
#[cfg(test)]
mod test_world;
mod text_layer;

pub use actor::Supervisor;
pub(crate) use actor::SupervisorParts;
pub(crate) use handle::Outside;
pub use handle::{Handle, NewTask};
pub use intake::tenants::{TenantLimits, UploadSlot};
pub(crate) use lessons::recall;
pub use messages::{
    Accepted, BeginUpload, CancelTask, CheckAlive, CheckReady, CountRequest, DeleteTask, DrainTasks, DrawTaskPage,
    EstimateTask, Follow, FollowTask, GetSystemHealth, GetTask, ListTasks, RequestError, RetryTask, SendWebhook,
    SubmitTask, SystemHealth, Watch, WatchTask,
};
pub use nodes::Node;
pub use options::SupervisorOptions;
pub(crate) use ownership::claim::crash_journal_key;
pub(crate) use pages::PageParts;
pub use pages::PageWindow;
pub use pairing::PairingError;
pub(crate) use pairing::pair;
pub(crate) use records::rebuild::{Rebuilt, rebuild};
pub(crate) use registry::Processors;
pub(crate) use results::ResultFile;
#[cfg(feature = "http")]
pub(crate) use results::unreadable as not_readable;
pub use role::Role;
pub use text_layer::GetTaskTextLayer;
