//! What the dispatcher is asked.

use std::sync::Arc;

use actix::{Message, Recipient};
use tokio_util::sync::CancellationToken;

use super::endpoints::EndpointLoad;
use super::estimate::{Estimate, EstimateSource};
use super::spec::JobContext;
use super::work::{PoolEvent, SourceCheck, SourcePages, Work};
use crate::document::{ImageOptions, PageImage};
use crate::task::{Failure, TaskId};

/// Work on a task, queued behind what the task has queued already.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Enqueue {
    /// Whose work.
    pub spec: Arc<JobContext>,
    /// What to do.
    pub work: Vec<Work>,
    /// Whether it takes the place of what the task has queued, instead of going behind it.
    pub replacing: bool,
    /// Whom to tell.
    pub events: Recipient<PoolEvent>,
}

/// Opens a file that is not a task yet and returns how many pages it has.
#[derive(Message)]
#[rtype(result = "Result<SourcePages, Failure>")]
pub struct CheckSource {
    /// Whose turn it takes.
    pub tenant: String,
    /// What to check.
    pub check: SourceCheck,
}

/// Asks what a file would take.
#[derive(Message)]
#[rtype(result = "Result<Estimate, Failure>")]
pub struct GetEstimate {
    /// Whose turn it takes.
    pub tenant: String,
    /// The question.
    pub question: EstimateSource,
    /// Cancels the question.
    pub cancel: CancellationToken,
}

/// Asks what a page looks like.
#[derive(Message)]
#[rtype(result = "Result<PageImage, Failure>")]
pub struct DrawPage {
    /// Whose turn it takes.
    pub tenant: String,
    /// The file.
    pub check: SourceCheck,
    /// Which page, from 1.
    pub page: u32,
    /// How large.
    pub options: ImageOptions,
    /// Cancels the drawing.
    pub cancel: CancellationToken,
}

/// Drops what a task has waiting. What runs is the business of its cancellation token. Answered when done, and from
/// then on no work of the task begins.
#[derive(Message)]
#[rtype(result = "()")]
pub struct DropJob(pub TaskId);

/// Begins nothing from now on; returns when nothing is in flight any more.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Drain;

/// Asks how busy the pool is.
#[derive(Message)]
#[rtype(result = "Load")]
pub struct GetLoad;

/// Asks how the endpoints do that are called.
#[derive(Message)]
#[rtype(result = "Vec<EndpointLoad>")]
pub struct GetEndpoints;

/// Asks how much waits, by tenant, in no order; tenants without any are left out.
#[derive(Message)]
#[rtype(result = "Vec<(String, usize)>")]
pub struct GetQueues;

/// How busy the pool is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Load {
    /// Pieces of work that wait for a turn.
    pub queued: usize,
    /// Pieces of work that are with workers.
    pub in_flight: usize,
    /// Workers for what keeps a core busy that have nothing to do.
    pub free: usize,
    /// Shards that other servers have, or are offered.
    pub exported: usize,
    /// Shards of other servers that are here.
    pub imported: usize,
}
