//! Task records and their indexes.
//!
//! [`TaskStore`] is the seam between Bindery and a database. Every implementation passes the same
//! [contract suite](contract). A store knows nothing of what a step means: the caller decides on the record it read
//! and the store writes the next one only if the record is still that one. That makes every transition conditional on
//! the version and the epoch, and every implementation small.

use async_trait::async_trait;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::task::{Revision, TaskId, TaskRecord, TaskStatus};

pub mod contract;
mod embedded;
mod redis;

pub use embedded::EmbeddedStore;
pub use redis::{RedisOptions, RedisStore};

/// A replacement of one record by its next version.
#[derive(Clone, Debug)]
pub struct Update {
    /// The revision that `next` was made from.
    pub expected: Revision,
    /// The record to write. Its version is `expected.version + 1`, its epoch not below `expected.epoch`.
    pub next: TaskRecord,
    /// Names this writing: the same operation sent again (because its answer was lost) has no second effect and the
    /// same answer.
    pub operation: Uuid,
}

/// A window on the tasks, newest first.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Only tasks of this status.
    pub status: Option<TaskStatus>,
    /// Only tasks strictly older than this place; where the last window ended.
    pub after: Option<Cursor>,
    /// At most so many.
    pub limit: usize,
}

/// A place in the list. It is a place in time, not a count, so inserts do not move it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// When the task at this place was accepted.
    pub created_at: Timestamp,
    /// Its id.
    pub id: TaskId,
}

impl Cursor {
    /// The place of `record`.
    #[must_use]
    pub const fn of(record: &TaskRecord) -> Self {
        Self { created_at: record.created_at, id: record.id }
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.created_at.as_millis(), self.id)
    }
}

impl std::str::FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('.').and_then(|(ms, id)| Some((ms.parse().ok()?, id.parse().ok()?)));
        let (ms, id) = parts.ok_or("not a cursor: pass next_cursor of the page before, unchanged")?;
        Ok(Self { created_at: Timestamp::from_millis(ms), id })
    }
}

/// One window of a listing.
#[derive(Clone, Debug, Default)]
pub struct ListPage {
    /// The records, newest first.
    pub tasks: Vec<TaskRecord>,
    /// Where to go on, when there may be more.
    pub next: Option<Cursor>,
}

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such record, or it has expired.
    #[error("there is no such task")]
    NotFound,
    /// There is a record of this id already, written by another operation.
    #[error("a task with this id exists already")]
    Exists,
    /// The record is not at the expected revision any more. Nothing was written.
    #[error("the task was changed by someone else: it is at epoch {} version {}", .0.epoch, .0.version)]
    Conflict(Revision),
    /// The record is final and the update does not start a new epoch. Nothing was written.
    #[error("the task is final")]
    Final,
    /// The store cannot be reached or cannot write now. Whether an update happened is unknown; send the same
    /// operation again.
    #[error("the task store is unavailable: {0}")]
    Unavailable(String),
    /// A record cannot be read as one.
    #[error("the stored record cannot be read: {0}")]
    Corrupt(String),
}

/// Where task records live. Implementations are shared between threads; what takes longer than a short read must
/// not block them.
#[async_trait]
pub trait TaskStore: Send + Sync + 'static {
    /// Writes the first version of a record and its index entries.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the id is taken; the same `operation` again is answered as the first time.
    async fn create(&self, record: &TaskRecord, operation: Uuid) -> Result<(), StoreError>;

    /// The record of `id`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none or it has expired.
    async fn get(&self, id: TaskId) -> Result<TaskRecord, StoreError>;

    /// Replaces a record and moves its index entries, in one step, if it still is at the expected revision.
    ///
    /// A final record is replaced only by one of a greater epoch. A final next record gets its expiry, any other
    /// loses it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`], [`StoreError::Final`] or [`StoreError::NotFound`]; nothing is written then.
    async fn update(&self, update: &Update) -> Result<(), StoreError>;

    /// A window of the records, newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn list(&self, query: &ListQuery) -> Result<ListPage, StoreError>;

    /// Removes a record and its index entries; `false` when there was none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn delete(&self, id: TaskId) -> Result<bool, StoreError>;

    /// Up to `limit` tasks whose expiry is not after `now` and whose index entries are still there. Whoever asks
    /// removes their files, then [deletes](Self::delete) them.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn expired(&self, now: Timestamp, limit: usize) -> Result<Vec<TaskId>, StoreError>;

    /// Whether the store answers.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn ping(&self) -> Result<(), StoreError>;
}

/// The rule of [`TaskStore::update`], for implementations that decide in Rust.
fn check_update(current: &TaskRecord, update: &Update) -> Result<(), StoreError> {
    if current.revision() != update.expected {
        return Err(StoreError::Conflict(current.revision()));
    }
    if update.next.epoch < current.epoch || update.next.version != current.version + 1 {
        return Err(StoreError::Conflict(current.revision()));
    }
    if current.status.is_final() && update.next.epoch == current.epoch {
        return Err(StoreError::Final);
    }
    Ok(())
}
