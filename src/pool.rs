//! Who works on what next: the dispatcher, its fair queue and the workers.
//!
//! ```text
//!  JobActor ──Enqueue──▶ Dispatcher ──Perform──▶ WorkerActor × N (SyncArbiter) ──▶ Processor
//!      ▲                  FairQueue, credits         │
//!      └──── PoolEvent ───┴──────── Ended (reply) ◀──┘
//! ```
//!
//! A SyncArbiter's own queue is first come first served and has no end, so nothing waits there: the dispatcher sends a
//! worker's message only when a worker is free (a credit is there), and everything else waits in the [`FairQueue`],
//! where it can be ordered, counted and taken back.

mod another;
mod bind;
mod bucket;
mod claims;
mod dispatcher;
mod endpoints;
mod estimate;
mod fair_queue;
mod flights;
mod lease;
mod limiter;
mod perform;
mod work;
mod worker;

pub use dispatcher::{
    CheckSource, Dispatcher, Drain, DrawPage, Enqueue, Forget, GetEndpoints, GetEstimate, GetLoad, GetQueues, Load,
    PoolOptions,
};
pub use endpoints::EndpointLoad;
pub use estimate::{Estimate, EstimateSource};
pub use fair_queue::FairQueue;
pub use flights::{Flights, InFlight, read_flights};
pub use lease::Lease;
pub use limiter::Rates;
pub use work::{
    Bind, BindOutcome, Cut, Ended, JobSpec, PageReceipt, Plan, PoolEvent, Receipts, ShardWork, SourceCheck,
    SourcePages, Work,
};
