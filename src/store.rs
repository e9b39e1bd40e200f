//! Task records and their indexes.
//!
//! [`TaskStore`] is the seam between Bindery and a database. Every implementation passes the same
//! contract suite (feature `testing`). A store knows nothing of what a step means: the caller decides on the record it read
//! and the store writes the next one only if the record is still that one. That makes every transition conditional on
//! the version and the epoch, and every implementation small.
//!
//! # Owners and leases
//! A task has one owner at a time, the process that runs it. A store that several processes share keeps a *lease* for
//! each owned task: it ends by itself when its owner does not [renew](TaskStore::renew) it, and as long as it is there
//! no other process can begin a new epoch. A store that only one process can open ([`TaskStore::lease`] is `None`) needs
//! none: the process that opened it owns everything, and any owner in a record is of a process that is gone.
//!
//! The lease says who may *begin*; the epoch says whose writes count. An owner that was paused past its lease finds
//! that its writes are refused, because the one who took over began a new epoch.

use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::task::{Revision, TaskId, TaskRecord, TaskStatus, UnreadableRecord};

#[cfg(any(test, feature = "testing"))]
pub(crate) mod altered;
#[cfg(any(test, feature = "testing"))]
pub mod contract;
mod cursor;
mod embedded;
mod feed;
mod measured;
mod quota;
#[cfg(feature = "redis")]
mod redis;
mod rules;
mod shares;

pub use cursor::Cursor;
pub use embedded::EmbeddedStore;
pub use feed::{FeedAnswer, FeedEntry, FeedNews, FeedReply, FeedRound, FeedShard, HeldEntry};
pub(crate) use measured::MeasuredStore;
pub use quota::{Holding, RequestRate, Reservation};
#[cfg(feature = "redis")]
pub use redis::{RedisOptions, RedisStore};
pub use rules::node_of;
pub(crate) use rules::{Head, check_update};
pub use shares::{Share, ShareRequest, SharedWindow};

/// A replacement of one record by its next version.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Update {
    /// The revision that `next` was made from.
    pub expected: Revision,
    /// The record to write. Its version is above `expected.version`, its epoch not below `expected.epoch`.
    pub next: TaskRecord,
    /// Names this writing: the same operation sent again (because its answer was lost) has no second effect and the
    /// same answer.
    pub operation: Uuid,
    /// What becomes of the task's lease.
    pub lease: LeaseChange,
}

impl Update {
    /// Replaces the record of revision `expected` by `next`, and leaves its lease as it is.
    #[must_use]
    pub fn new(expected: Revision, next: TaskRecord) -> Self {
        Self { expected, next, operation: Uuid::now_v7(), lease: LeaseChange::Keep }
    }
}

/// What an update does to the lease of its task. Stores that are not shared have none and ignore it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseChange {
    /// The owner in the record takes it, or goes on holding it.
    Hold,
    /// No process holds it from now on.
    Release,
    /// It stays as it is: the write is not the owner's.
    Keep,
}

/// A first writing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Create {
    /// The record. When it has an owner, the owner gets the lease.
    pub record: TaskRecord,
    /// Names this writing, as in [`Update::operation`].
    pub operation: Uuid,
    /// Whether a task of the same fingerprint that is unfinished or completed will do as well.
    pub reuse: bool,
}

impl Create {
    /// Writes a record for the first time, whatever other tasks there are.
    #[must_use]
    pub fn new(record: TaskRecord) -> Self {
        Self { record, operation: Uuid::now_v7(), reuse: false }
    }
}

/// What a [`Create`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// The record was written.
    New,
    /// Nothing was written: this task is the same one.
    Existing(TaskId),
}

/// What a renewing says of one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// The lease is held for another while.
    Held {
        /// Where the record is now.
        revision: Revision,
        /// Whether a caller asks the owner to cancel.
        cancel_requested: bool,
    },
    /// The record belongs to someone else, or is final.
    Lost,
    /// There is no record.
    Missing,
}

/// The answer to a renewing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Renewed {
    /// One answer for each task, in the order of the question.
    pub tasks: Vec<Renewal>,
    /// How many other processes are known to use this store now.
    pub others: usize,
    /// What time it is by the store's clock, the one that its records expire by.
    pub time: Timestamp,
    /// How much later it is by a clock that the store does not believe yet.
    pub ahead: Duration,
    /// What time it is for what cannot be undone, where that is another one: no process had the store for long, or the clock
    /// is wrong.
    pub certain: Option<Timestamp>,
}

/// A window on the tasks, newest first.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ListQuery {
    /// Only tasks of this tenant.
    pub tenant: Option<String>,
    /// Only tasks of this status.
    pub status: Option<TaskStatus>,
    /// Only tasks with doubtful pages.
    pub doubtful: bool,
    /// Only tasks with failed pages.
    pub failed_pages: bool,
    /// Only tasks strictly older than this place; where the last window ended.
    pub after: Option<Cursor>,
    /// At most so many.
    pub limit: usize,
}

impl ListQuery {
    /// Whether a record has the pages that are asked for; no index knows of them.
    #[must_use]
    pub const fn has_pages(&self, record: &TaskRecord) -> bool {
        (!self.doubtful || record.counts.doubtful > 0) && (!self.failed_pages || record.counts.failed > 0)
    }
}

/// One window of a listing.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ListPage {
    /// The records, newest first.
    pub tasks: Vec<TaskRecord>,
    /// Where to go on, when there may be more.
    pub next: Option<Cursor>,
}

impl ListPage {
    /// These records, and where to go on.
    #[must_use]
    pub const fn new(tasks: Vec<TaskRecord>, next: Option<Cursor>) -> Self {
        Self { tasks, next }
    }
}

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
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
    /// The record is final, and the update changes its status without a new epoch. Nothing was written.
    #[error("the task is final")]
    Final,
    /// Another process holds the task's lease, so no new epoch can begin. Nothing was written.
    #[error("another process runs the task")]
    Held,
    /// The idempotency key came before, with another source or other options.
    #[error("the idempotency key was used for something else")]
    KeyTaken,
    /// The store cannot be reached or cannot write now. Whether an update happened is unknown; send the same
    /// operation again.
    #[error("the task store is unavailable: {0}")]
    Unavailable(String),
    /// There is a record, and it cannot be read as one: a later version wrote it, or it is damaged. It can be deleted.
    #[error("the stored record cannot be read: {0}")]
    Unreadable(UnreadableRecord),
    /// The database as a whole cannot be read.
    #[error("the task store is damaged: {0}")]
    Damaged(String),
    /// An answer of the database makes no sense.
    #[error("the task store's answer cannot be read: {0}")]
    Corrupt(String),
}

/// What a store is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreIdentity {
    /// What it is: `embedded`, `redis`.
    pub kind: &'static str,
    /// Where it is. Several names may lead to one store, and one name to several, one after the other.
    pub place: String,
    /// The name that no other store has; absent until it is [given](TaskStore::name), and when the store was emptied.
    pub id: Option<Uuid>,
}

impl StoreIdentity {
    /// A store of this kind at this place; `id` once it has one.
    #[must_use]
    pub const fn new(kind: &'static str, place: String, id: Option<Uuid>) -> Self {
        Self { kind, place, id }
    }
}

/// Where task records live. Implementations are shared between threads; what takes longer than a short read must
/// not block them.
#[async_trait]
pub trait TaskStore: Send + Sync + 'static {
    /// How long a lease lasts that is not renewed; `None` when only one process can have this store open.
    fn lease(&self) -> Option<Duration> {
        None
    }

    /// What this store is known by, so that files are never used with the records of another one; `None` when it ends
    /// with its process.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn identity(&self) -> Result<Option<StoreIdentity>, StoreError> {
        Ok(None)
    }

    /// Gives the store `id` as the name that no other one has, unless it has one; returns the one that it has then.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn name(&self, id: Uuid) -> Result<Uuid, StoreError> {
        Ok(id)
    }

    /// Writes the first version of a record and its index entries, unless the caller's key or a task of the same
    /// fingerprint leads to a task that is there already. All in one step: of many equal ones at the same moment, one
    /// is written.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the id is taken; the same `operation` again is answered as the first time.
    /// [`StoreError::KeyTaken`] when the idempotency key belongs to another fingerprint.
    async fn create(&self, create: &Create) -> Result<Created, StoreError>;

    /// The task that [`create`](Self::create) would answer with instead of writing this one, if there is one; nothing is written. A
    /// store that cannot look for it says that there is none: then a tenant with too much is refused what it has already.
    ///
    /// # Errors
    /// [`StoreError::KeyTaken`], [`StoreError::Unavailable`].
    async fn find_equal(&self, create: &Create) -> Result<Option<TaskId>, StoreError> {
        let _ = create;
        Ok(None)
    }

    /// The record of `id`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none or it has expired, [`StoreError::Unreadable`] when it cannot be read.
    async fn get(&self, id: TaskId) -> Result<TaskRecord, StoreError>;

    /// Replaces a record and moves its index entries, in one step, if it still is at the expected revision.
    ///
    /// A final record is replaced only by one of the same status or of a greater epoch, and a greater epoch begins only
    /// when no other process holds the lease. A final next record gets its expiry, any other loses it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`], [`StoreError::Final`], [`StoreError::Held`] or [`StoreError::NotFound`]; nothing is
    /// written then.
    async fn update(&self, update: &Update) -> Result<(), StoreError>;

    /// A window of the records, newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn list(&self, query: &ListQuery) -> Result<ListPage, StoreError>;

    /// Removes a record, if it still is at the `expected` revision, and its index entries; `false` when there was none.
    /// Without a revision, also one that cannot be read.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another process changed it in between; nothing is removed then.
    async fn delete(&self, id: TaskId, expected: Option<Revision>) -> Result<bool, StoreError>;

    /// Up to `limit` tasks whose expiry is not after `now` and whose index entries are still there. The caller that asks
    /// removes their files, then [deletes](Self::delete) them.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn expired(&self, now: Timestamp, limit: usize) -> Result<Vec<TaskId>, StoreError>;

    /// Up to `limit` tasks whose message about their end is due at `now`
    /// ([`message_due_at`](TaskRecord::message_due_at)), the longest due first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<TaskId>, StoreError>;

    /// Whether the store answers.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn ping(&self) -> Result<(), StoreError>;

    /// Up to `limit` unfinished tasks that no other process runs, oldest first. They may include those of `owner` itself.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn unclaimed(&self, owner: &str, limit: usize) -> Result<Vec<TaskId>, StoreError>;

    /// A number that changes when a task is created, or comes back after its end, without an owner: then servers look for what
    /// is [unclaimed](Self::unclaimed), sooner than they would. `None` from a store that only one process uses.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn arrivals(&self) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }

    /// Says that `owner` lives, and extends its leases on these tasks, given with the epochs it runs them in. A lease
    /// that has ended is taken again if no process took the task over in between.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn renew(&self, owner: &str, tasks: &[(TaskId, u64)]) -> Result<Renewed, StoreError>;

    /// Says that `owner` stops of its own accord.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn leave(&self, owner: &str) -> Result<(), StoreError>;

    /// Says something about `owner` to those who ask for the [nodes](Self::nodes), until it leaves or its last
    /// [renewing](Self::renew) ends. A store that only one process uses need not keep it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn announce(&self, owner: &str, about: &str) -> Result<(), StoreError> {
        let _ = (owner, about);
        Ok(())
    }

    /// The living owners that have said something about themselves, and what, in no order.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn nodes(&self) -> Result<Vec<(String, String)>, StoreError> {
        Ok(Vec::new())
    }

    /// Makes the index entries of these tasks agree with their records, and tells in which epoch each record is; `None`
    /// where there is no record.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn repair(&self, ids: &[TaskId]) -> Result<Vec<Option<u64>>, StoreError>;

    /// Removes index entries that lead to no record, or to one of another status; answers how many. Entries of expired
    /// records stay until [`Self::delete`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn repair_indexes(&self) -> Result<usize, StoreError>;

    /// Counts a task that is about to be written, or to go on after its end, among what its tenant has unfinished on all servers;
    /// returns what the tenant has when that would be too much. A store that only one process uses has nothing to add to
    /// what that process counts, and refuses nothing. The count ends with the task.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn reserve(&self, asked: &Reservation) -> Result<Option<Holding>, StoreError> {
        let _ = asked;
        Ok(None)
    }

    /// Takes a reservation back that came to nothing. Of a task that is there and unfinished it stays.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn unreserve(&self, tenant: &str, task: TaskId) -> Result<(), StoreError> {
        let _ = (tenant, task);
        Ok(())
    }

    /// Counts one more request of a tenant among those that it makes of all servers; returns how long it comes too early, zero
    /// when it was counted. `None` from a store that only one process uses, which counts by itself.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn count_request(&self, tenant: &str, rate: RequestRate) -> Result<Option<Duration>, StoreError> {
        let _ = (tenant, rate);
        Ok(None)
    }

    /// Gives a server its share of what an endpoint allows to all that use this store, and takes in what it learnt.
    /// `None` from a store that shares nothing out: then each server has everything.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn share(&self, asked: &ShareRequest) -> Result<Option<Share>, StoreError> {
        let _ = asked;
        Ok(None)
    }

    /// Offers shards to the other servers of a [feed](FeedRound); returns the names of their entries, in the same order.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; then some of them may be there all the same, and their answers are to be ignored.
    async fn feed_export(&self, group: &str, shards: &[FeedShard]) -> Result<Vec<String>, StoreError> {
        let _ = (group, shards);
        Err(StoreError::Unavailable("this store has no feed".to_owned()))
    }

    /// Does what a server has to do at the feed at regular times, in one step. `None` from a store that has no feed: then each
    /// server reads the pages of its own tasks alone.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn feed_round(&self, round: &FeedRound) -> Result<Option<FeedNews>, StoreError> {
        let _ = round;
        Ok(None)
    }

    /// Takes an entry out of the feed and gives its owner what came of it, in one step, if this server still holds it and
    /// the task is still in that epoch; `false` when nothing was done.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn feed_answer(&self, answer: &FeedAnswer) -> Result<bool, StoreError> {
        let _ = answer;
        Ok(false)
    }

    /// Keeps something that a server learnt and others can use, under a name, in place of what was there; without anything, it
    /// is forgotten. It outlives the server. For a few short notes: all are read together.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn keep_note(&self, name: &str, note: Option<&str>) -> Result<(), StoreError> {
        let _ = (name, note);
        Ok(())
    }

    /// All that was kept so and not forgotten: names and notes, in no order.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn notes(&self) -> Result<Vec<(String, String)>, StoreError> {
        Ok(Vec::new())
    }

    /// What about the database itself puts tasks at risk: one sentence each, with what to do.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn warnings(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }
}
