//! Who works on what next: the dispatcher, its fair queue and the workers.
//!
//! ```text
//!  JobActor ──Enqueue──▶ Dispatcher ──Execute──▶ WorkerActor × N (SyncArbiter) ──▶ Processor
//!      ▲                  FairQueue, credits         │
//!      └──── PoolEvent ───┴────── ShardDone (reply) ◀┘
//! ```
//!
//! A SyncArbiter's own queue is first come first served and has no end, so nothing waits there: the dispatcher sends a
//! worker's message only when a worker is free (a credit is there), and everything else waits in the [`FairQueue`],
//! where it can be ordered, counted and taken back.
//!
//! A job of which no attempt may begin, because its lease has ended or there is no room for its pages, is *suspended*: its
//! attempts leave the queues and wait as one state of the job, which is looked at once a second. None of them goes to a
//! worker meanwhile, and none has a timer.
//!
//! What keeps a core busy and waits while workers of other servers are free is offered to them: [`feed`].

mod aggregate;
mod bucket;
mod claims;
mod crash_journal;
mod dispatcher;
mod endpoints;
mod estimate;
mod execute;
mod fair_queue;
mod feed;
mod hand_over;
mod hedge;
mod kept_answers;
mod lease;
mod limiter;
mod messages;
mod rate;
mod recent_pages;
mod spec;
mod suspended;
#[cfg(test)]
mod test_context;
mod window;
pub(crate) mod work;
mod worker;

pub use crash_journal::{CrashJournal, InFlight, read_crash_journal};
pub use dispatcher::{Dispatcher, GetTextLayer, Peers, PoolOptions, ReadAside};
pub use endpoints::EndpointLoad;
pub use estimate::{Estimate, EstimateSource};
pub use fair_queue::FairQueue;
pub use feed::FeedProcessors;
pub use lease::Lease;
pub use limiter::{Rates, ShareLoad};
pub use messages::{
    CheckSource, Drain, DrawPage, DropJob, Enqueue, GetEndpoints, GetEstimate, GetLoad, GetQueues, Load,
};
pub use spec::{JobContext, JobSpec};
#[cfg(test)]
pub(crate) use test_context::test_context;
pub use work::{
    Aggregate, AggregateOutcome, PageResult, PoolEvent, ShardDone, ShardResult, ShardWork, SourceCheck, SourcePages,
    Work,
};
