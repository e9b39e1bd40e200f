//! The Redis store (7.0 and newer): a HASH a record, sorted sets as indexes, one Lua script a transition.
//!
//! All commands go over one multiplexed connection that reconnects by itself. It does not send a command again whose
//! answer was lost; the caller does, and every script answers a replayed operation as the first time. A server that
//! says it is read-only was demoted: the connection is made again, so that a name that now leads elsewhere is looked up.
//! Where Sentinels know which server is the master ([`connect`]), they are asked after any error of the connection.

mod checks;
mod commands;
mod connect;
mod feed;
mod fields;
mod keys;
mod nodes;
mod quota;
mod scripts;
mod shares;
mod unclaimed;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use redis::RedisError;
use redis::aio::ConnectionManager;
use tokio::sync::{Semaphore, watch};
use uuid::Uuid;

use self::connect::{Target, unreachable_at};
use self::fields::{Fields, from_fields, to_fields};
use self::scripts::Scripts;
use super::{
    Create, Created, Cursor, FeedAnswer, FeedNews, FeedRound, FeedShard, Holding, LeaseChange, ListPage, ListQuery,
    Renewal, Renewed, RequestRate, Reservation, Share, ShareRequest, StoreError, StoreIdentity, TaskStore, Update,
};
use crate::clock::Timestamp;
use crate::task::{Revision, TaskId, TaskRecord, TaskStatus, UnreadableRecord};

/// Tasks handled in one script or pipeline.
const BATCH: usize = 256;
/// Records that are read at once for a list that leaves some out.
const FILTERED_AT_ONCE: usize = 64;

/// How to reach a Redis server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedisOptions {
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long to wait for an answer before the server counts as unavailable.
    pub response_timeout: Duration,
    /// How long a task stays with an owner that does not renew its lease. The shorter, the sooner the tasks of a dead
    /// process go on elsewhere; it should be several times the longest pause of a living one.
    pub lease: Duration,
    /// Certificates (PEM) that those of servers with TLS may be signed by, instead of the system's.
    pub ca_file: Option<PathBuf>,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(5),
            lease: Duration::from_secs(15),
            ca_file: None,
        }
    }
}

/// Task records in Redis. Cheap to clone.
#[derive(Clone)]
pub struct RedisStore {
    connection: Arc<watch::Sender<ConnectionManager>>,
    scripts: Arc<Scripts>,
    target: Arc<Target>,
    /// One connection is made at a time.
    reconnecting: Arc<Semaphore>,
    options: RedisOptions,
    address: Arc<str>,
}

impl RedisStore {
    /// Connects to the server at `url`: `redis://[[user]:password@]host[:port][/database]`, `rediss://…` for TLS, or
    /// `redis+sentinel://[[user]:password@]host:port,host:port/master[/database]`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] naming the address (never the password) when the URL cannot be read or the server
    /// does not answer.
    pub async fn connect(url: &str, options: RedisOptions) -> Result<Self, StoreError> {
        let target = Target::new(url, options.ca_file.as_deref()).map_err(StoreError::Unavailable)?;
        let connection = target.connect(&options).await.map_err(|error| unreachable_at(&target.address, &error))?;
        let store = Self {
            connection: Arc::new(watch::Sender::new(connection)),
            scripts: Arc::new(Scripts::new()),
            address: target.address.as_str().into(),
            target: Arc::new(target),
            reconnecting: Arc::new(Semaphore::new(1)),
            options,
        };
        store.ping().await?;
        checks::refuse_too_old(&store).await?;
        Ok(store)
    }

    fn connection(&self) -> ConnectionManager {
        self.connection.borrow().clone()
    }

    fn lost(&self, error: &RedisError) -> StoreError {
        let demoted = error.kind() == redis::ErrorKind::Server(redis::ServerErrorKind::ReadOnly);
        // What the server itself answers is no matter of the connection.
        let moved = self.target.may_move() && error.code().is_none();
        if (demoted || moved)
            && let Ok(turn) = Arc::clone(&self.reconnecting).try_acquire_owned()
        {
            let this = self.clone();
            tokio::spawn(async move {
                if let Ok(connection) = this.target.connect(&this.options).await {
                    this.connection.send_replace(connection);
                }
                drop(turn);
            });
        }
        unreachable_at(&self.address, error)
    }

    fn lease_ms(&self) -> u64 {
        u64::try_from(self.options.lease.as_millis()).unwrap_or(u64::MAX)
    }
}

fn wrong_type() -> StoreError {
    let why = "another kind of value has its key".into();
    StoreError::Unreadable(UnreadableRecord { why, tenant: None })
}

#[async_trait]
impl TaskStore for RedisStore {
    fn lease(&self) -> Option<Duration> {
        Some(self.options.lease)
    }

    async fn identity(&self) -> Result<Option<StoreIdentity>, StoreError> {
        let mut command = redis::cmd("GET");
        let id: Option<String> =
            command.arg(keys::STORE).query_async(&mut self.connection()).await.map_err(|e| self.lost(&e))?;
        let id = id.and_then(|id| id.parse().ok());
        Ok(Some(StoreIdentity { kind: "redis", place: self.address.to_string(), id }))
    }

    async fn name(&self, id: Uuid) -> Result<Uuid, StoreError> {
        let mut command = redis::cmd("SET");
        command.arg(keys::STORE).arg(id.to_string()).arg("NX").arg("GET");
        let known: Option<String> = command.query_async(&mut self.connection()).await.map_err(|e| self.lost(&e))?;
        Ok(known.and_then(|known| known.parse().ok()).unwrap_or(id))
    }

    async fn create(&self, create: &Create) -> Result<Created, StoreError> {
        let known = self.create_once(create).await?;
        let Created::Existing(id) = known else { return Ok(known) };
        if !matches!(self.get(id).await, Err(StoreError::Unreadable(_))) {
            return Ok(known);
        }
        // Nothing can be answered with a task that cannot be read: the PDF makes a new one.
        let pointer = |hash: Option<&String>, key: fn(&str) -> String| hash.map(|hash| key(hash)).unwrap_or_default();
        let mut call = self.scripts.unpoint.prepare_invoke();
        call.key(pointer(create.record.fingerprint.as_ref(), keys::same));
        call.key(pointer(create.record.idempotency.as_ref(), keys::idempotency)).arg(id.to_string());
        let _: usize = call.invoke_async(&mut self.connection()).await.map_err(|e| self.lost(&e))?;
        self.create_once(create).await
    }

    async fn find_equal(&self, create: &Create) -> Result<Option<TaskId>, StoreError> {
        self.equal_of(create).await
    }

    async fn get(&self, id: TaskId) -> Result<TaskRecord, StoreError> {
        let mut command = redis::cmd("HGETALL");
        let found = command.arg(keys::record(id)).query_async(&mut self.connection()).await;
        let fields: Fields = self.unless_wrong_type(found)?.ok_or_else(wrong_type)?;
        if fields.is_empty() { Err(StoreError::NotFound) } else { from_fields(fields) }
    }

    async fn update(&self, update: &Update) -> Result<(), StoreError> {
        let next = &update.next;
        let mut call = self.scripts.update.prepare_invoke();
        call.key(keys::record(next.id)).key(keys::lease(next.id)).key(keys::EXPIRY);
        for index in status_keys(next.status) {
            call.key(index);
        }
        let lease = match update.lease {
            LeaseChange::Hold => "hold",
            LeaseChange::Release => "release",
            LeaseChange::Keep => "keep",
        };
        call.arg(update.operation.to_string())
            .arg(update.expected.epoch)
            .arg(update.expected.version)
            .arg(next.epoch)
            .arg(next.version)
            .arg(next.created_at.as_millis())
            .arg(next.id.to_string())
            .arg(next.expires_at.map_or(0, Timestamp::as_millis))
            .arg(next.owner.as_deref().unwrap_or_default())
            .arg(self.lease_ms())
            .arg(lease)
            .arg(next.status.as_str())
            .arg(next.message_due_at().map_or(0, Timestamp::as_millis));
        for (field, value) in to_fields(next, update.operation)? {
            call.arg(field).arg(value);
        }
        let (answer, epoch, version): (String, u64, u64) =
            call.invoke_async(&mut self.connection()).await.map_err(|e| self.lost(&e))?;
        match answer.as_str() {
            "ok" => Ok(()),
            "missing" => Err(StoreError::NotFound),
            "final" => Err(StoreError::Final),
            "held" => Err(StoreError::Held),
            _ => Err(StoreError::Conflict(Revision { epoch, version })),
        }
    }

    async fn list(&self, query: &ListQuery) -> Result<ListPage, StoreError> {
        let index = match (&query.tenant, query.status) {
            (Some(tenant), status) => keys::of_tenant(tenant, status),
            (None, Some(status)) => keys::by_status(status),
            (None, None) => keys::ALL.to_owned(),
        };
        let mut page = ListPage::default();
        let mut place = query.after;
        let filtered = query.doubtful || query.failed_pages;
        // One more than asked for tells whether there is a next window; expired records leave holes, so go on.
        while page.tasks.len() <= query.limit {
            let wanted = (query.limit + 1 - page.tasks.len()).max(if filtered { FILTERED_AT_ONCE } else { 0 });
            let places = self.places(&index, place, wanted).await?;
            let Some(last) = places.last().copied() else { break };
            let ids: Vec<TaskId> = places.iter().map(|place| place.id).collect();
            let records = self.records(&ids).await?;
            // An index entry may be ahead of the record by one script; the record is the truth.
            let is_wanted = |r: &TaskRecord| query.status.is_none_or(|s| s == r.status) && query.has_pages(r);
            page.tasks.extend(records.into_iter().filter(is_wanted));
            place = Some(last);
            if places.len() < wanted {
                break;
            }
        }
        if page.tasks.len() > query.limit {
            page.tasks.truncate(query.limit);
            page.next = page.tasks.last().map(Cursor::of);
        }
        Ok(page)
    }

    async fn delete(&self, id: TaskId, expected: Option<Revision>) -> Result<bool, StoreError> {
        let mut call = self.scripts.delete.prepare_invoke();
        call.key(keys::record(id)).key(keys::lease(id)).key(keys::ALL).key(keys::EXPIRY);
        for status in TaskStatus::ALL {
            call.key(keys::by_status(status));
        }
        call.arg(id.to_string());
        call.arg(expected.map_or_else(String::new, |at| at.epoch.to_string()));
        call.arg(expected.map_or_else(String::new, |at| at.version.to_string()));
        let (answer, epoch, version): (i8, u64, u64) =
            call.invoke_async(&mut self.connection()).await.map_err(|e| self.lost(&e))?;
        if answer < 0 { Err(StoreError::Conflict(Revision { epoch, version })) } else { Ok(answer > 0) }
    }

    async fn expired(&self, now: Timestamp, limit: usize) -> Result<Vec<TaskId>, StoreError> {
        self.until(keys::EXPIRY, now, 0, limit).await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<TaskId>, StoreError> {
        let (mut due, mut offset) = (Vec::new(), 0);
        while due.len() < limit {
            let ids = self.until(keys::OUTBOX, now, offset, limit).await?;
            let mut gone = Vec::new();
            for (id, fields) in ids.iter().zip(self.hashes(&ids).await?) {
                match fields {
                    Some(fields) if fields.is_empty() => gone.push(*id),
                    Some(fields) => due.extend(from_fields(fields).ok().map(|record| record.id)),
                    // What cannot be read must not stand before the others.
                    None => {}
                }
            }
            offset += ids.len() - gone.len();
            if !gone.is_empty() {
                // Nor what has expired.
                let mut command = redis::cmd("ZREM");
                command.arg(keys::OUTBOX);
                for id in &gone {
                    command.arg(id.to_string());
                }
                let _: usize = command.query_async(&mut self.connection()).await.map_err(|e| self.lost(&e))?;
            }
            if ids.len() < limit {
                break;
            }
        }
        due.truncate(limit);
        Ok(due)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let pong: Result<String, _> = redis::cmd("PING").query_async(&mut self.connection()).await;
        pong.map(drop).map_err(|e| self.lost(&e))
    }

    async fn unclaimed(&self, owner: &str, limit: usize) -> Result<Vec<TaskId>, StoreError> {
        self.find_unclaimed(owner, limit).await
    }

    async fn arrivals(&self) -> Result<Option<u64>, StoreError> {
        self.last_arrival().await.map(Some)
    }

    async fn renew(&self, owner: &str, tasks: &[(TaskId, u64)]) -> Result<Renewed, StoreError> {
        let mut renewed = Renewed::default();
        let none: &[(TaskId, u64)] = &[];
        // Without tasks, too: it says that the owner lives.
        let batches = tasks.chunks(BATCH).chain(tasks.is_empty().then_some(none));
        for batch in batches {
            let mut call = self.scripts.renew.prepare_invoke();
            call.key(keys::OWNERS).arg(owner).arg(self.lease_ms());
            for (id, epoch) in batch {
                call.key(keys::record(*id)).key(keys::lease(*id)).arg(*epoch);
            }
            let answer: Vec<redis::Value> =
                call.invoke_async(&mut self.connection()).await.map_err(|e| self.lost(&e))?;
            let mut answer = answer.into_iter();
            let mut number = || answer.next().and_then(|count| redis::from_redis_value::<u64>(count).ok());
            renewed.others = number().and_then(|others| usize::try_from(others).ok()).unwrap_or(0);
            renewed.time = number().map(Timestamp::from_millis).unwrap_or_default();
            for task in answer {
                let (word, epoch, version, cancel): (String, u64, u64, u8) =
                    redis::from_redis_value(task).map_err(|e| StoreError::Corrupt(e.to_string()))?;
                renewed.tasks.push(match word.as_str() {
                    "held" => Renewal::Held { revision: Revision { epoch, version }, cancel_requested: cancel == 1 },
                    "missing" => Renewal::Missing,
                    _ => Renewal::Lost,
                });
            }
        }
        Ok(renewed)
    }

    async fn leave(&self, owner: &str) -> Result<(), StoreError> {
        let mut pipe = redis::pipe();
        pipe.zrem(keys::OWNERS, owner).ignore().hdel(keys::NODES, owner).ignore();
        pipe.del(keys::replies(owner)).ignore();
        pipe.query_async(&mut self.connection()).await.map_err(|e| self.lost(&e))
    }

    async fn announce(&self, owner: &str, about: &str) -> Result<(), StoreError> {
        self.announce_node(owner, about).await
    }

    async fn nodes(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.living_nodes().await
    }

    async fn keep_note(&self, name: &str, note: Option<&str>) -> Result<(), StoreError> {
        self.write_note(name, note).await
    }

    async fn notes(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.all_notes().await
    }

    async fn repair(&self, ids: &[TaskId]) -> Result<Vec<Option<u64>>, StoreError> {
        let mut there = Vec::with_capacity(ids.len());
        for batch in ids.chunks(BATCH) {
            let mut pipe = redis::pipe();
            for id in batch {
                pipe.hgetall(keys::record(*id));
                pipe.cmd("ZSCORE").arg(keys::ALL).arg(id.to_string());
                pipe.cmd("ZSCORE").arg(keys::OUTBOX).arg(id.to_string());
                for status in TaskStatus::ALL {
                    pipe.cmd("ZSCORE").arg(keys::by_status(status)).arg(id.to_string());
                }
            }
            let answers = pipe.ignore_errors().query_async(&mut self.connection()).await;
            let answers: Vec<redis::RedisResult<redis::Value>> = answers.map_err(|e| self.lost(&e))?;
            let answers = answers.into_iter().map(|answer| {
                // Something else than a record has its key.
                Ok(self.unless_wrong_type(answer)?.unwrap_or(redis::Value::Boolean(false)))
            });
            let answers = answers.collect::<Result<Vec<redis::Value>, StoreError>>()?;
            let answers: Vec<&[redis::Value]> = answers.chunks(3 + TaskStatus::ALL.len()).collect();
            let listed = self.listed_by_tenant(batch, &answers).await?;
            for ((id, answer), listed) in batch.iter().zip(answers).zip(listed) {
                there.push(self.repair_one(*id, answer, listed).await?);
            }
        }
        Ok(there)
    }

    async fn repair_indexes(&self) -> Result<usize, StoreError> {
        let mut changed = 0;
        let mut command = redis::cmd("SMEMBERS");
        let tenants: Vec<String> =
            command.arg(keys::TENANTS).query_async(&mut self.connection()).await.map_err(|e| self.lost(&e))?;
        let mut indexes = vec![(None, keys::ALL.to_owned())];
        indexes.extend(TaskStatus::ALL.map(|status| (Some(status), keys::by_status(status))));
        for tenant in tenants {
            indexes.push((None, keys::of_tenant(&tenant, None)));
            indexes.extend(TaskStatus::ALL.map(|status| (Some(status), keys::of_tenant(&tenant, Some(status)))));
        }
        for (status, index) in indexes {
            let mut start = 0;
            loop {
                let places = self.window(&index, start).await?;
                if places.is_empty() {
                    break;
                }
                let mut pipe = redis::pipe();
                for place in &places {
                    pipe.hget(keys::record(place.id), "status");
                }
                let answers = pipe.ignore_errors().query_async(&mut self.connection()).await;
                let answers: Vec<redis::RedisResult<Option<String>>> = answers.map_err(|e| self.lost(&e))?;
                let status_of = |answer| Ok(self.unless_wrong_type(answer)?.unwrap_or_else(|| Some(String::new())));
                let statuses = answers.into_iter().map(status_of).collect::<Result<Vec<_>, StoreError>>()?;
                let wrong = |found: &Option<String>| match (found, status) {
                    (None, _) => true,
                    (Some(found), Some(status)) => found != status.as_str(),
                    (Some(_), None) => false,
                };
                let wrong: Vec<TaskId> =
                    places.iter().zip(&statuses).filter(|(_, s)| wrong(s)).map(|(place, _)| place.id).collect();
                // What cannot be read stays where it is.
                let mended = self.repair(&wrong).await?.into_iter().filter(|epoch| *epoch != Some(u64::MAX)).count();
                changed += mended;
                // What was removed does not stand in the way of the next window any more.
                start += places.len() - mended;
            }
        }
        Ok(changed)
    }

    async fn reserve(&self, asked: &Reservation) -> Result<Option<Holding>, StoreError> {
        self.reserve_quota(asked).await
    }

    async fn unreserve(&self, tenant: &str, task: TaskId) -> Result<(), StoreError> {
        self.unreserve_quota(tenant, task).await
    }

    async fn count_request(&self, tenant: &str, rate: RequestRate) -> Result<Option<Duration>, StoreError> {
        self.count_one(tenant, rate).await.map(Some)
    }

    async fn share(&self, asked: &ShareRequest) -> Result<Option<Share>, StoreError> {
        self.share_out(asked).await.map(Some)
    }

    async fn feed_export(&self, group: &str, shards: &[FeedShard]) -> Result<Vec<String>, StoreError> {
        self.export_shards(group, shards).await
    }

    async fn feed_round(&self, round: &FeedRound) -> Result<Option<FeedNews>, StoreError> {
        self.go_feed_round(round).await.map(Some)
    }

    async fn feed_answer(&self, answer: &FeedAnswer) -> Result<bool, StoreError> {
        self.answer_shard(answer).await
    }

    async fn warnings(&self) -> Result<Vec<String>, StoreError> {
        checks::warnings(self).await
    }
}

/// The index of `status`, then those of the four others.
fn status_keys(status: TaskStatus) -> impl Iterator<Item = String> {
    let others = TaskStatus::ALL.into_iter().filter(move |other| *other != status);
    std::iter::once(status).chain(others).map(keys::by_status)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "scores are whole milliseconds below 2^53")]
fn place((id, score): (String, f64)) -> Option<Cursor> {
    Some(Cursor { created_at: Timestamp::from_millis(score as u64), id: id.parse().ok()? })
}
