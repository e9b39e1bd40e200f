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
//! 1. the source is synced and stands under its key, then the record is created, then the task is acknowledged;
//! 2. a page is in the ledger, then its outcome is told ([`pool`](crate::pool));
//! 3. the result stands whole under its key, then the record says `completed`.
//!
//! So whatever a reader finds in a record is already there.

mod actor;
mod commands;
mod draft;
mod handle;
mod messages;
mod options;
mod pages;
mod registry;
mod retention;
mod submit;

pub use actor::Supervisor;
pub use handle::{Handle, NewTask};
pub use messages::{
    CancelTask, CheckReady, DeleteTask, DrainTasks, GetTask, ListTasks, RequestError, RetryTask, SubmitTask,
    TaskPagesNow, Watch, WatchTask, Whereabouts,
};
pub use options::SupervisorOptions;
pub use pages::PageWindow;
pub use registry::Processors;
pub(crate) use submit::storage_failure;
