//! The Redis store (7.0 and newer): a HASH a record, sorted sets as indexes, one Lua script a transition.
//!
//! All commands go over one multiplexed connection that reconnects by itself. It does not send a command again whose
//! answer was lost; the caller does, and every script answers a replayed operation as the first time.

mod keys;
mod scripts;

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{ConnectionAddr, IntoConnectionInfo, RedisError};
use serde_json::{Map, Value};
use uuid::Uuid;

use self::scripts::Scripts;
use super::{Cursor, ListPage, ListQuery, StoreError, TaskStore, Update};
use crate::clock::Timestamp;
use crate::task::{Revision, TaskId, TaskRecord};

/// How to reach a Redis server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisOptions {
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long to wait for an answer before the server counts as unavailable.
    pub response_timeout: Duration,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self { connect_timeout: Duration::from_secs(2), response_timeout: Duration::from_secs(5) }
    }
}

/// Task records in Redis. Cheap to clone.
#[derive(Clone)]
pub struct RedisStore {
    connection: ConnectionManager,
    scripts: std::sync::Arc<Scripts>,
    address: String,
}

impl RedisStore {
    /// Connects to the server at `url` (`redis://[[user]:password@]host[:port][/database]`).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] naming the address (never the password) when the URL cannot be read or the server
    /// does not answer.
    pub async fn connect(url: &str, options: RedisOptions) -> Result<Self, StoreError> {
        let info = url.into_connection_info().map_err(|_| {
            StoreError::Unavailable("the Redis URL cannot be read: write redis://HOST:PORT/DATABASE".into())
        })?;
        let address = match info.addr() {
            ConnectionAddr::Tcp(host, port) => format!("redis://{host}:{port}/{}", info.redis_settings().db()),
            other => other.to_string(),
        };
        let lost = |error: RedisError| unreachable_at(&address, &error);
        let client = redis::Client::open(info).map_err(lost)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(options.connect_timeout))
            .set_response_timeout(Some(options.response_timeout))
            .set_number_of_retries(1)
            .set_max_delay(Duration::from_millis(500));
        let connection = client.get_connection_manager_with_config(config).await.map_err(lost)?;
        let store = Self { connection, scripts: std::sync::Arc::new(Scripts::new()), address };
        store.ping().await?;
        Ok(store)
    }

    fn lost(&self, error: &RedisError) -> StoreError {
        unreachable_at(&self.address, error)
    }

    /// The records of `ids` in their order; those that expired in the meantime are left out.
    async fn records(&self, ids: &[TaskId]) -> Result<Vec<TaskRecord>, StoreError> {
        let mut pipe = redis::pipe();
        for id in ids {
            pipe.hgetall(keys::record(*id));
        }
        let mut connection = self.connection.clone();
        let hashes: Vec<HashMap<String, String>> =
            pipe.query_async(&mut connection).await.map_err(|e| self.lost(&e))?;
        hashes.into_iter().filter(|fields| !fields.is_empty()).map(from_fields).collect()
    }
}

#[async_trait]
impl TaskStore for RedisStore {
    async fn create(&self, record: &TaskRecord, operation: Uuid) -> Result<(), StoreError> {
        let mut call = self.scripts.create.prepare_invoke();
        call.key(keys::record(record.id)).key(keys::ALL).key(keys::by_status(record.status));
        call.arg(operation.to_string()).arg(record.created_at.as_millis()).arg(record.id.to_string());
        for (field, value) in to_fields(record, operation)? {
            call.arg(field).arg(value);
        }
        let answer: String = call.invoke_async(&mut self.connection.clone()).await.map_err(|e| self.lost(&e))?;
        if answer == "ok" { Ok(()) } else { Err(StoreError::Exists) }
    }

    async fn get(&self, id: TaskId) -> Result<TaskRecord, StoreError> {
        let mut command = redis::cmd("HGETALL");
        let fields: HashMap<String, String> =
            command.arg(keys::record(id)).query_async(&mut self.connection.clone()).await.map_err(|e| self.lost(&e))?;
        if fields.is_empty() { Err(StoreError::NotFound) } else { from_fields(fields) }
    }

    async fn update(&self, update: &Update) -> Result<(), StoreError> {
        let next = &update.next;
        let mut call = self.scripts.update.prepare_invoke();
        call.key(keys::record(next.id)).key(keys::EXPIRY).key(keys::by_status(next.status));
        for other in crate::task::TaskStatus::ALL.into_iter().filter(|status| *status != next.status) {
            call.key(keys::by_status(other));
        }
        call.arg(update.operation.to_string())
            .arg(update.expected.epoch)
            .arg(update.expected.version)
            .arg(next.epoch)
            .arg(next.version)
            .arg(next.created_at.as_millis())
            .arg(next.id.to_string())
            .arg(next.expires_at.map_or(0, Timestamp::as_millis));
        for (field, value) in to_fields(next, update.operation)? {
            call.arg(field).arg(value);
        }
        let (answer, epoch, version): (String, u64, u64) =
            call.invoke_async(&mut self.connection.clone()).await.map_err(|e| self.lost(&e))?;
        match answer.as_str() {
            "ok" => Ok(()),
            "missing" => Err(StoreError::NotFound),
            "final" => Err(StoreError::Final),
            _ => Err(StoreError::Conflict(Revision { epoch, version })),
        }
    }

    async fn list(&self, query: &ListQuery) -> Result<ListPage, StoreError> {
        let index = query.status.map_or_else(|| keys::ALL.to_owned(), keys::by_status);
        let mut page = ListPage::default();
        let mut place = query.after;
        // One more than asked for tells whether there is a next window; expired records leave holes, so go on.
        while page.tasks.len() <= query.limit {
            let wanted = query.limit + 1 - page.tasks.len();
            let places = self.places(&index, place, wanted).await?;
            let Some(last) = places.last().copied() else { break };
            let ids: Vec<TaskId> = places.iter().map(|place| place.id).collect();
            let records = self.records(&ids).await?;
            // An index entry may be ahead of the record by one script; the record is the truth.
            page.tasks.extend(records.into_iter().filter(|r| query.status.is_none_or(|s| s == r.status)));
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

    async fn delete(&self, id: TaskId) -> Result<bool, StoreError> {
        let mut call = self.scripts.delete.prepare_invoke();
        call.key(keys::record(id)).key(keys::ALL).key(keys::EXPIRY);
        for status in crate::task::TaskStatus::ALL {
            call.key(keys::by_status(status));
        }
        call.arg(id.to_string());
        call.invoke_async(&mut self.connection.clone()).await.map_err(|e| self.lost(&e))
    }

    async fn expired(&self, now: Timestamp, limit: usize) -> Result<Vec<TaskId>, StoreError> {
        let mut command = redis::cmd("ZRANGE");
        command.arg(keys::EXPIRY).arg("-inf").arg(now.as_millis()).arg("BYSCORE").arg("LIMIT").arg(0).arg(limit);
        let ids: Vec<String> = command.query_async(&mut self.connection.clone()).await.map_err(|e| self.lost(&e))?;
        Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let pong: Result<String, _> = redis::cmd("PING").query_async(&mut self.connection.clone()).await;
        pong.map(drop).map_err(|e| self.lost(&e))
    }
}

impl RedisStore {
    /// Up to `wanted` places of `index` that are strictly older than `after`, newest first.
    async fn places(&self, index: &str, after: Option<Cursor>, wanted: usize) -> Result<Vec<Cursor>, StoreError> {
        let newest = after.map_or_else(|| "+inf".to_owned(), |place| place.created_at.as_millis().to_string());
        let mut places = Vec::new();
        let mut offset = 0;
        while places.len() < wanted {
            let mut command = redis::cmd("ZRANGE");
            command.arg(index).arg(&newest).arg("-inf").arg("BYSCORE").arg("REV");
            command.arg("LIMIT").arg(offset).arg(wanted).arg("WITHSCORES");
            let window: Vec<(String, f64)> =
                command.query_async(&mut self.connection.clone()).await.map_err(|e| self.lost(&e))?;
            let seen = window.len();
            offset += seen;
            // Tasks of the same millisecond as the cursor's stand in the order of their ids.
            let older = window.into_iter().filter_map(place).filter(|place| after.is_none_or(|a| *place < a));
            places.extend(older);
            if seen < wanted {
                break;
            }
        }
        places.truncate(wanted);
        Ok(places)
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "scores are whole milliseconds below 2^53")]
fn place((id, score): (String, f64)) -> Option<Cursor> {
    Some(Cursor { created_at: Timestamp::from_millis(score as u64), id: id.parse().ok()? })
}

fn unreachable_at(address: &str, error: &RedisError) -> StoreError {
    // READONLY, LOADING, OOM, MISCONF and the like: the server's own name for its state says most.
    let why = error.code().map_or_else(|| error.to_string(), |code| format!("the server answers {code}"));
    StoreError::Unavailable(format!("{address}: {why}"))
}

/// Fields whose value is text as it is; all others are JSON. Absent values are empty.
const TEXT_FIELDS: [&str; 14] = [
    "id",
    "status",
    "pdf_path",
    "result_path",
    "work_dir",
    "created_at",
    "updated_at",
    "started_at",
    "finished_at",
    "expires_at",
    "owner",
    "file_name",
    "processor",
    OPERATION,
];

/// The field that names the last writing.
const OPERATION: &str = "operation";

fn to_fields(record: &TaskRecord, operation: Uuid) -> Result<Vec<(String, String)>, StoreError> {
    let Ok(Value::Object(fields)) = serde_json::to_value(record) else {
        return Err(StoreError::Corrupt("a record is not a JSON object".into()));
    };
    let text = |value: Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    };
    let mut fields: Vec<_> = fields.into_iter().map(|(name, value)| (name, text(value))).collect();
    fields.push((OPERATION.to_owned(), operation.to_string()));
    Ok(fields)
}

fn from_fields(fields: HashMap<String, String>) -> Result<TaskRecord, StoreError> {
    let corrupt = |error: serde_json::Error| StoreError::Corrupt(error.to_string());
    let mut object = Map::new();
    for (name, text) in fields {
        let value = match text.as_str() {
            "" => Value::Null,
            _ if TEXT_FIELDS.contains(&name.as_str()) => Value::String(text),
            json => serde_json::from_str(json).map_err(corrupt)?,
        };
        object.insert(name, value);
    }
    serde_json::from_value(Value::Object(object)).map_err(corrupt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_from_its_fields() {
        let mut record = crate::task::TaskRecord { file_name: None, ..crate::task::test_record(1_000) };
        record.options.metadata = Some(serde_json::json!({"a": [1, "x"]}));
        record.error = Some(crate::task::Failure::permanent("bad_option", "no"));
        let fields = to_fields(&record, Uuid::nil()).unwrap();
        assert_eq!(from_fields(fields.into_iter().collect()).unwrap(), record);
    }
}
