//! The feed: how servers that share a store read each other's shards.
//!
//! A server whose own workers are all busy offers shards; others that have free workers take them, read them, and answer. What
//! they say to each other is theirs; the store passes it on, and keeps these rules:
//! - An entry is with one server at a time. It is that server's for as long as a lease lasts since it last said so; after
//!   that, any server that asks for work gets it.
//! - An answer counts only from the server that holds the entry, and takes the entry out in the same step. So of two servers that
//!   read one entry, because the first was paused past its lease, one answers.
//! - An entry that was given out [three times](FeedRound::MAX_DELIVERIES) without an answer is not given out again: its owner is told.
//! - An entry of a task that is in another epoch by now, or at its end, is dropped.
//! - Answers wait until their owner asks, but not without end: they are worth a moment of computing.
//! - What is left behind by servers that are gone goes by itself.
//!
//! The store may lose all of it at any time. Then the owner finds its entries missing and has the shards read again.

use crate::task::TaskId;

/// What a server does at the feed at regular times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeedRound {
    /// Servers with the same value understand each other; others see nothing of their entries.
    pub group: String,
    /// This server: the owner in records.
    pub server: String,
    /// Workers that it has for the shards of others, those that read some already included; the others hear of it.
    pub capacity: u32,
    /// Whether it asks for the workers of the others. Those that have nothing to offer need not, and it is work for the store.
    pub looks: bool,
    /// How many entries it takes now, those first that were given out longer ago than a lease.
    pub wanted: u32,
    /// The entries that it is reading, whose leases begin again.
    pub held: Vec<HeldEntry>,
    /// Entries that it holds and gives back unread, for others at once.
    pub given_back: Vec<String>,
    /// Its own entries that are not to be read any more.
    pub withdrawn: Vec<String>,
    /// Its own entries of which it asks whether they are still there.
    pub asked: Vec<String>,
    /// Its own entries that it takes back unless another server is reading them.
    pub overdue: Vec<String>,
}

impl FeedRound {
    /// How often an entry is given out.
    pub const MAX_DELIVERIES: u32 = 3;
}

/// An entry that a server is reading.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeldEntry {
    /// The name of the entry.
    pub id: String,
    /// The task whose shard it is.
    pub task: TaskId,
    /// The epoch of the job.
    pub epoch: u64,
}

impl HeldEntry {
    /// An entry of that name, of a job.
    #[must_use]
    pub const fn new(id: String, task: TaskId, epoch: u64) -> Self {
        Self { id, task, epoch }
    }
}

/// What a server hears in a round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeedNews {
    /// The same of all other servers, as each said last; `None` when it was not asked for.
    pub capacity_elsewhere: Option<u32>,
    /// Entries that no server has taken yet.
    pub waiting: u32,
    /// Of the entries that it held: those that are not its any more, or whose task has gone on.
    pub lost: Vec<String>,
    /// Answers to its own entries.
    pub replies: Vec<(String, FeedReply)>,
    /// Of its own entries those that are not there any more, and have no answer, or that it has taken back now.
    pub gone: Vec<String>,
    /// Entries for it to read.
    pub entries: Vec<FeedEntry>,
}

/// What an owner hears of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FeedReply {
    /// What a server made of it.
    Answer(Vec<u8>),
    /// A server could not read it, and another one would not either.
    Refused,
    /// It was given out as often as an entry is, and no server answered: it may end whatever reads it.
    Unanswered,
}

/// A shard that is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeedShard {
    /// Who offers it and gets the answer.
    pub owner: String,
    /// The task.
    pub task: TaskId,
    /// The epoch of its job.
    pub epoch: u64,
    /// What a server needs to read it.
    pub body: Vec<u8>,
}

impl FeedShard {
    /// A shard of a job of `owner`.
    #[must_use]
    pub const fn new(owner: String, task: TaskId, epoch: u64, body: Vec<u8>) -> Self {
        Self { owner, task, epoch, body }
    }
}

/// A shard to read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeedEntry {
    /// The name of the entry.
    pub id: String,
    /// What was offered.
    pub shard: FeedShard,
}

impl FeedEntry {
    /// An entry of that name.
    #[must_use]
    pub const fn new(id: String, shard: FeedShard) -> Self {
        Self { id, shard }
    }
}

/// What a server made of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeedAnswer {
    /// As in [`FeedRound::group`].
    pub group: String,
    /// The server that answers.
    pub server: String,
    /// The entry.
    pub held: HeldEntry,
    /// What its owner is to hear.
    pub reply: FeedReply,
}

impl FeedAnswer {
    /// The answer of `server` to an entry that it holds.
    #[must_use]
    pub const fn new(group: String, server: String, held: HeldEntry, reply: FeedReply) -> Self {
        Self { group, server, held, reply }
    }
}
