//! The running of one task on one node.
//!
//! [`JobRuntime`] decides, [`JobActor`] carries out. Both live in memory only, from the moment the supervisor starts
//! the job until its [`JobReport`] with an end has been heard.

mod actor;
mod budget;
mod delays;
mod event;
mod retry;
mod route;
mod runtime;
mod subtask;

pub use actor::{GetPages, JobActor, JobNews, JobPages, JobReport, StopJob};
pub use event::{JobEnd, JobEvent, JobProgress};
pub use retry::RetryPolicy;
pub use route::Route;
pub use runtime::JobRuntime;
