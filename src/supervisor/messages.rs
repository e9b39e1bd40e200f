//! What the supervisor can be asked.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix::{Addr, Message};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

use super::intake::tenants::UploadSlot;
use super::nodes::Node;
use super::role::Role;
use crate::blob::Staged;
use crate::document::{ImageOptions, PageImage};
use crate::job::JobActor;
use crate::pool::{EndpointLoad, Estimate, Load};
use crate::store::{ListPage, ListQuery, StoreError};
use crate::task::{Cost, Failure, PageView, TaskId, TaskOptions, TaskRecord, UnreadableRecord};

/// Why a request was not carried out.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The PDF or an option cannot be accepted; nothing was kept.
    #[error("{0}")]
    Rejected(Failure),
    /// An address that the caller names is not allowed, or what is there does not answer as it should.
    #[error("{0}")]
    AddressUnavailable(Failure),
    /// There is no such task, or it has expired.
    #[error("there is no such task")]
    NotFound,
    /// The task must be final for this, and is not.
    #[error("the task is not finished: wait for it, or cancel it first")]
    NotFinal,
    /// The task must be unfinished for this, and is final.
    #[error("the task is {} already", .0.status)]
    AlreadyFinal(Box<TaskRecord>),
    /// There is no complete result, now or ever.
    #[error("the task is {}: there is no complete result; ask for the partial one", .0.status)]
    ResultNotReady(Box<TaskRecord>),
    /// A file of the result is not what was written: cut off, altered or gone.
    #[error("the stored result is damaged: retry the task, which writes it again from the pages that are kept")]
    ResultDamaged(Box<TaskRecord>),
    /// Too many unfinished tasks.
    #[error("too many tasks are waiting: try again later")]
    QueueFull,
    /// The tenant has as much as it may have.
    #[error("{0}")]
    OverQuota(String),
    /// The tenant makes more requests than it may; there is room for one after this time.
    #[error("more requests a minute than this key may make: try again in {} s", .0.as_secs() + 1)]
    OverRate(Duration),
    /// The task has no webhook.
    #[error("the task has no webhook_url")]
    NoWebhook,
    /// The idempotency key came before, with another PDF or other options.
    #[error("this idempotency key was used for another PDF or other options: use a new key")]
    KeyTaken,
    /// The task is there and its record cannot be read.
    #[error(
        "the record of this task cannot be read by this version of Bindery: use the version that wrote it, or delete the \
         task and submit its PDF again"
    )]
    RecordUnreadable(UnreadableRecord),
    /// The store does not answer.
    #[error("{0}")]
    StoreUnavailable(String),
    /// The disk does not take the bytes, or does not give them.
    #[error("{0}")]
    StorageFailed(Failure),
    /// The server leaves accepting tasks to others.
    #[error("this server has the role {0} and accepts no tasks: send them to one with the role all or api")]
    WrongRole(Role),
    /// The service is going down.
    #[error("the service is stopping: try again when it is back")]
    Stopping,
    /// Something that should be there cannot be read.
    #[error("{0}")]
    Internal(String),
}

impl RequestError {
    /// The stable code of the HTTP API for it, such as `queue_full`. It stays when the message changes.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Rejected(failure) | Self::AddressUnavailable(failure) | Self::StorageFailed(failure) => &failure.code,
            Self::NotFound => "task_not_found",
            Self::NotFinal => "task_not_final",
            Self::AlreadyFinal(_) => "task_final",
            Self::ResultNotReady(_) => "result_not_ready",
            Self::ResultDamaged(_) => "result_damaged",
            Self::QueueFull => "queue_full",
            Self::OverQuota(_) => "quota_exceeded",
            Self::OverRate(_) => "rate_limited",
            Self::NoWebhook => "no_webhook",
            Self::KeyTaken => "idempotency_conflict",
            Self::RecordUnreadable(_) => "record_unreadable",
            Self::StoreUnavailable(_) => "store_unavailable",
            Self::WrongRole(_) => "wrong_role",
            Self::Stopping => "stopping",
            Self::Internal(_) => "internal",
        }
    }
}

impl From<StoreError> for RequestError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::NotFound,
            StoreError::Unavailable(why) => Self::StoreUnavailable(why),
            // Another process is changing the same task right now; the same request will find that done.
            StoreError::KeyTaken => Self::KeyTaken,
            StoreError::Conflict(_) | StoreError::Final | StoreError::Exists | StoreError::Held => {
                Self::StoreUnavailable("the task is being changed by someone else".into())
            }
            StoreError::Unreadable(record) => Self::RecordUnreadable(record),
            StoreError::Damaged(why) => Self::StoreUnavailable(why),
            StoreError::Corrupt(why) => Self::Internal(why),
        }
    }
}

/// Accepts a task. When this is answered, the task survives whatever dies.
#[derive(Message)]
#[rtype(result = "Result<Accepted, RequestError>")]
#[non_exhaustive]
pub struct SubmitTask {
    /// The PDF, safe on the disk of the supervisor's blob store.
    pub source: Staged,
    /// The file's name as its caller gave it.
    pub file_name: Option<String>,
    /// What the caller chose.
    pub options: TaskOptions,
    /// The caller's own name for this submit: the same again leads to the same task.
    pub idempotency_key: Option<String>,
    /// The tenant whose task it is; `None` where there are no keys.
    pub tenant: Option<String>,
    /// The slot that it came in on; without one it is admitted now.
    pub upload: Option<UploadSlot>,
}

impl SubmitTask {
    /// A task of this PDF with these options, without a name, a key, a tenant or an upload's slot.
    #[must_use]
    pub const fn new(source: Staged, options: TaskOptions) -> Self {
        Self { source, file_name: None, options, idempotency_key: None, tenant: None, upload: None }
    }
}

/// Asks whether a tenant may bring a PDF now, before it is taken in, and counts it from now on.
#[derive(Message)]
#[rtype(result = "Result<UploadSlot, RequestError>")]
#[non_exhaustive]
pub struct BeginUpload {
    /// Who asks.
    pub tenant: Option<String>,
    /// How many bytes it says to have; 0 when that is not known.
    pub bytes: u64,
}

impl BeginUpload {
    /// An upload of so many bytes, 0 when that is not known.
    #[must_use]
    pub const fn new(tenant: Option<String>, bytes: u64) -> Self {
        Self { tenant, bytes }
    }
}

/// Has a PDF be taken in although its tenant has too much, for it may be equal to a task that is there.
#[derive(Message)]
#[rtype(result = "Result<UploadSlot, RequestError>")]
pub(super) struct BeginTrial {
    pub(super) tenant: Option<String>,
    pub(super) bytes: u64,
    /// Why it was refused.
    pub(super) refused: String,
}

/// Counts one more request of a tenant among those that it may make.
#[derive(Message)]
#[rtype(result = "Result<(), RequestError>")]
#[non_exhaustive]
pub struct CountRequest {
    /// Whose.
    pub tenant: String,
}

impl CountRequest {
    /// A request of this tenant.
    #[must_use]
    pub const fn new(tenant: String) -> Self {
        Self { tenant }
    }
}

/// Asks whether an upload may have more bytes than are counted for it, and counts them.
#[derive(Message)]
#[rtype(result = "Result<(), RequestError>")]
pub(super) struct GrowUpload {
    pub(super) upload: UploadSlot,
    /// How many it has in all.
    pub(super) bytes: u64,
}

/// Answer to [`SubmitTask`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Accepted {
    /// The task.
    pub record: TaskRecord,
    /// Whether it was there before.
    pub reused: bool,
}

/// The record, with the live progress of a running job laid over it.
#[derive(Message)]
#[rtype(result = "Result<TaskRecord, RequestError>")]
pub struct GetTask(pub TaskId);

/// A window of the records.
#[derive(Message)]
#[rtype(result = "Result<ListPage, RequestError>")]
pub struct ListTasks(pub ListQuery);

/// Gives a task up. When this is answered, none of its calls begins any more.
#[derive(Message)]
#[rtype(result = "Result<TaskRecord, RequestError>")]
pub struct CancelTask(pub TaskId);

/// Runs the pages of a final task again that have no output or are marked unfaithful, in a new epoch.
#[derive(Message)]
#[rtype(result = "Result<TaskRecord, RequestError>")]
#[non_exhaustive]
pub struct RetryTask {
    /// The task.
    pub id: TaskId,
    /// What it may cost from now on, what it has cost included; as before when absent.
    pub max_cost: Option<Cost>,
}

impl RetryTask {
    /// At no more cost than the task may have.
    #[must_use]
    pub const fn new(id: TaskId) -> Self {
        Self { id, max_cost: None }
    }
}

/// Asks what a task would take, without making one.
#[derive(Message)]
#[rtype(result = "Result<Estimate, RequestError>")]
#[non_exhaustive]
pub struct EstimateTask {
    /// The PDF.
    pub source: Staged,
    /// What the caller chooses.
    pub options: TaskOptions,
    /// Who asks.
    pub tenant: Option<String>,
    /// The slot that it came in on; without one it is admitted now.
    pub upload: Option<UploadSlot>,
    /// Fires when the caller has gone.
    pub cancel: CancellationToken,
}

impl EstimateTask {
    /// What this PDF would take with these options, without a tenant or an upload's slot.
    #[must_use]
    pub fn new(source: Staged, options: TaskOptions) -> Self {
        Self { source, options, tenant: None, upload: None, cancel: CancellationToken::new() }
    }
}

/// Sends the message about a task's end again.
#[derive(Message)]
#[rtype(result = "Result<TaskRecord, RequestError>")]
pub struct SendWebhook(pub TaskId);

/// Cancels a task if needed and removes its record and files.
#[derive(Message)]
#[rtype(result = "Result<(), RequestError>")]
#[non_exhaustive]
pub struct DeleteTask {
    /// The task.
    pub id: TaskId,
    /// Whether what was read of it goes from the ledger, too. A purge that was begun is finished whatever dies.
    pub purge: bool,
}

impl DeleteTask {
    /// Leaves what was read of it in the ledger.
    #[must_use]
    pub const fn new(id: TaskId) -> Self {
        Self { id, purge: false }
    }
}

/// The record now and whenever it changes.
#[derive(Message)]
#[rtype(result = "Result<Watch, RequestError>")]
pub struct WatchTask(pub TaskId);

/// The record and its changes, and each page that gets its outcome in this process.
#[derive(Message)]
#[rtype(result = "Result<Follow, RequestError>")]
pub struct FollowTask(pub TaskId);

/// Answer to [`FollowTask`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Follow {
    /// The record and its changes.
    pub watch: Watch,
    /// Pages with their outcomes, without their Markdown, in groups. A listener that does not keep up misses some. Silent while
    /// the task runs elsewhere, and about pages that were known when the job began.
    pub pages: broadcast::Receiver<Arc<[PageView]>>,
}

/// A view on one task that follows its changes up to the final one. Changes in between may be seen together.
///
/// As a [`Stream`] it has each change as it comes, and ends behind the final record or when the service ends.
pub struct Watch {
    latest: TaskRecord,
    changes: BoxStream<'static, TaskRecord>,
}

impl Watch {
    pub(super) fn new(latest: TaskRecord, changes: watch::Receiver<Option<TaskRecord>>) -> Self {
        let changes = futures::stream::unfold(changes, |mut changes| async move {
            loop {
                changes.changed().await.ok()?;
                let record = changes.borrow_and_update().clone();
                if let Some(record) = record {
                    return Some((record, changes));
                }
            }
        });
        Self { latest, changes: changes.fuse().boxed() }
    }

    /// The task as last seen.
    #[must_use]
    pub const fn record(&self) -> &TaskRecord {
        &self.latest
    }

    /// Waits for the final record; `None` when the service ends before.
    pub async fn last(mut self) -> Option<TaskRecord> {
        while !self.latest.status.is_final() {
            self.next().await?;
        }
        Some(self.latest)
    }
}

impl Stream for Watch {
    type Item = TaskRecord;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<TaskRecord>> {
        if self.latest.status.is_final() {
            return Poll::Ready(None);
        }
        let next = ready!(self.changes.poll_next_unpin(context));
        if let Some(record) = &next {
            self.latest.clone_from(record);
        }
        Poll::Ready(next)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("latest", &self.latest).finish_non_exhaustive()
    }
}

/// Whether the store answers and the dispatcher lives.
#[derive(Message)]
#[rtype(result = "Result<Load, RequestError>")]
pub struct CheckReady;

/// Whether the supervisor and the dispatcher take messages, whatever store and files are like.
#[derive(Message)]
#[rtype(result = "Result<Load, RequestError>")]
pub struct CheckAlive;

/// What an operator wants to know beyond whether tasks can be worked on.
#[derive(Message)]
#[rtype(result = "Result<SystemHealth, RequestError>")]
pub struct GetSystemHealth;

/// Answer to [`GetSystemHealth`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SystemHealth {
    /// How busy the pool is.
    pub load: Load,
    /// The name of this process among those that share its store.
    pub owner: String,
    /// Other processes on the same store, when it was last heard of.
    pub others: usize,
    /// All processes on the same store, as each says of itself.
    pub nodes: Vec<Node>,
    /// Tasks with a job here.
    pub running: usize,
    /// Tasks known here that wait for a place.
    pub waiting: usize,
    /// Pieces of work that wait, by tenant.
    pub queues: Vec<(String, usize)>,
    /// How the endpoints do that are called.
    pub endpoints: Vec<EndpointLoad>,
    /// What about the database puts tasks at risk.
    pub warnings: Vec<String>,
}

/// The record and, while a job runs, whom to ask about its pages.
#[derive(Message)]
#[rtype(result = "Result<TaskLocation, RequestError>")]
pub struct TaskPagesNow(pub TaskId);

/// Answer to [`TaskPagesNow`].
pub struct TaskLocation {
    /// The record.
    pub record: TaskRecord,
    /// The job, if one runs here.
    pub job: Option<Addr<JobActor>>,
}

/// Asks what a page of a task's PDF looks like.
#[derive(Message)]
#[rtype(result = "Result<PageImage, RequestError>")]
#[non_exhaustive]
pub struct DrawTaskPage {
    /// The task.
    pub id: TaskId,
    /// Which page of its PDF, from 1.
    pub page: u32,
    /// How large.
    pub options: ImageOptions,
    /// Fires when the caller has gone.
    pub cancel: CancellationToken,
}

impl DrawTaskPage {
    /// Page `page` (from 1) of a task.
    #[must_use]
    pub fn new(id: TaskId, page: u32, options: ImageOptions) -> Self {
        Self { id, page, options, cancel: CancellationToken::new() }
    }
}

/// Takes no new task from now on. With `stop_jobs`, tells running attempts to stop, too. Answers when everything known
/// is written to the store.
#[derive(Message)]
#[rtype(result = "()")]
#[non_exhaustive]
pub struct DrainTasks {
    /// Whether running attempts are told to stop.
    pub stop_jobs: bool,
}

impl DrainTasks {
    /// Whether running attempts are told to stop, too.
    #[must_use]
    pub const fn new(stop_jobs: bool) -> Self {
        Self { stop_jobs }
    }
}
