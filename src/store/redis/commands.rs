//! Single commands and pipelines, of which the store's methods are made.

use super::fields::{Fields, from_fields, to_fields};
use super::{BATCH, RedisStore, keys, place, status_keys, wrong_type};
use crate::clock::Timestamp;
use crate::store::{Create, Created, Cursor, StoreError};
use crate::task::{TaskId, TaskRecord, TaskStatus};

impl RedisStore {
    /// The fields of the records of `ids` in their order, none where there is no record; `None` where something else has
    /// its key.
    pub(super) async fn hashes(&self, ids: &[TaskId]) -> Result<Vec<Option<Fields>>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        for id in ids {
            pipe.hgetall(keys::record(*id));
        }
        // One wrong answer must not hide the others.
        let found = pipe.ignore_errors().query_async(&mut self.connection()).await;
        let answers: Vec<redis::RedisResult<Fields>> = found.map_err(|e| self.lost(&e))?;
        answers.into_iter().map(|answer| self.unless_wrong_type(answer)).collect()
    }

    /// `None` where something else than a record has its key.
    pub(super) fn unless_wrong_type<T>(&self, answer: redis::RedisResult<T>) -> Result<Option<T>, StoreError> {
        match answer {
            Err(error) if error.code() == Some("WRONGTYPE") => Ok(None),
            answer => answer.map(Some).map_err(|e| self.lost(&e)),
        }
    }

    /// The records of `ids` in their order; those that expired in the meantime are left out.
    pub(super) async fn records(&self, ids: &[TaskId]) -> Result<Vec<TaskRecord>, StoreError> {
        let read = |fields: Option<Fields>| {
            let record = fields.map_or_else(|| Err(wrong_type()), from_fields);
            record.inspect_err(|why| log::warn!("a record is left out of a list: {why}")).ok()
        };
        let hashes = self.hashes(ids).await?.into_iter();
        Ok(hashes.filter(|fields| fields.as_ref().is_none_or(|fields| !fields.is_empty())).filter_map(read).collect())
    }

    /// Writes a new record, unless an equal one is known.
    pub(super) async fn create_once(&self, create: &Create) -> Result<Created, StoreError> {
        let record = &create.record;
        let mut call = self.scripts.create.prepare_invoke();
        call.key(keys::record(record.id))
            .key(keys::lease(record.id))
            .key(keys::ALL)
            .key(keys::by_status(record.status));
        call.key(record.fingerprint.as_deref().map(keys::same).unwrap_or_default());
        call.key(record.idempotency.as_deref().map(keys::idempotency).unwrap_or_default());
        call.arg(create.operation.to_string()).arg(record.created_at.as_millis()).arg(record.id.to_string());
        call.key(keys::EXPIRY);
        call.arg(record.owner.as_deref().unwrap_or_default()).arg(self.lease_ms());
        call.arg(record.fingerprint.as_deref().unwrap_or_default()).arg(u8::from(create.reuse));
        call.arg(record.expires_at.map_or(0, Timestamp::as_millis));
        call.arg(record.tenant.as_deref().unwrap_or_default()).arg(record.status.as_str());
        call.arg(record.message_due_at().map_or(0, Timestamp::as_millis));
        for (field, value) in to_fields(record, create.operation)? {
            call.arg(field).arg(value);
        }
        let (answer, known): (String, String) =
            call.invoke_async(&mut self.connection()).await.map_err(|e| self.lost(&e))?;
        match (answer.as_str(), known.parse()) {
            ("new", _) => Ok(Created::New),
            ("known" | "named", Ok(id)) => Ok(Created::Existing(id)),
            ("taken", _) => Err(StoreError::KeyTaken),
            _ => Err(StoreError::Exists),
        }
    }

    /// Finds the task that a new record is equal to.
    pub(super) async fn equal_of(&self, create: &Create) -> Result<Option<TaskId>, StoreError> {
        let record = &create.record;
        let mut call = self.scripts.find_equal.prepare_invoke();
        call.key(record.fingerprint.as_deref().map(keys::same).unwrap_or_default());
        call.key(record.idempotency.as_deref().map(keys::idempotency).unwrap_or_default());
        call.arg(record.fingerprint.as_deref().unwrap_or_default()).arg(u8::from(create.reuse));
        let (answer, known): (String, String) =
            call.invoke_async(&mut self.connection()).await.map_err(|e| self.lost(&e))?;
        if answer == "taken" { Err(StoreError::KeyTaken) } else { Ok(known.parse().ok()) }
    }

    /// Tasks of an index by time that are not after `now`, the first ones but for `offset`.
    pub(super) async fn until(
        &self,
        index: &str,
        now: Timestamp,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<TaskId>, StoreError> {
        let mut command = redis::cmd("ZRANGE");
        command.arg(index).arg("-inf").arg(now.as_millis()).arg("BYSCORE").arg("LIMIT").arg(offset).arg(limit);
        let ids: Vec<String> = command.query_async(&mut self.connection()).await.map_err(|e| self.lost(&e))?;
        Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// A window of an index, oldest first, from a rank on.
    pub(super) async fn window(&self, index: &str, start: usize) -> Result<Vec<Cursor>, StoreError> {
        let mut command = redis::cmd("ZRANGE");
        command.arg(index).arg(start).arg(start + BATCH - 1).arg("WITHSCORES");
        let window: Vec<(String, f64)> =
            command.query_async(&mut self.connection()).await.map_err(|e| self.lost(&e))?;
        Ok(window.into_iter().filter_map(place).collect())
    }

    /// Who holds the lease of each of these tasks.
    pub(super) async fn holders(&self, ids: &[TaskId]) -> Result<Vec<Option<String>>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        for id in ids {
            pipe.get(keys::lease(*id));
        }
        pipe.query_async(&mut self.connection()).await.map_err(|e| self.lost(&e))
    }

    /// Whether the tasks stand in the indexes of their tenants, where they have one. Each answer begins with the record.
    pub(super) async fn listed_by_tenant(
        &self,
        ids: &[TaskId],
        answers: &[&[redis::Value]],
    ) -> Result<Vec<bool>, StoreError> {
        let mut pipe = redis::pipe();
        let mut asked = Vec::with_capacity(ids.len());
        for (id, answer) in ids.iter().zip(answers) {
            let fields = answer.first().map(redis::from_redis_value_ref::<Fields>);
            let fields = fields.and_then(Result::ok).unwrap_or_default();
            let value = |name: &str| fields.iter().find(|(of, _)| of == name).map(|(_, value)| value);
            let tenant = value("tenant").filter(|tenant| !tenant.is_empty());
            let status = value("status").and_then(|status| status.parse::<TaskStatus>().ok());
            asked.push(tenant.is_some());
            if let Some(tenant) = tenant {
                pipe.cmd("ZSCORE").arg(keys::of_tenant(tenant, None)).arg(id.to_string());
                pipe.cmd("ZSCORE").arg(keys::of_tenant(tenant, status)).arg(id.to_string());
            }
        }
        if !asked.contains(&true) {
            return Ok(vec![true; ids.len()]);
        }
        let scores: Vec<Option<f64>> = pipe.query_async(&mut self.connection()).await.map_err(|e| self.lost(&e))?;
        let mut scores = scores.chunks(2);
        let listed = |asked: bool| !asked || scores.next().is_some_and(|two| two.iter().all(Option::is_some));
        Ok(asked.into_iter().map(listed).collect())
    }

    /// Looks whether the entries of one task are right and mends them if not. `answer` is the record, its scores in
    /// `tasks:all` and `tasks:outbox`, and those by status; `of_tenant` says whether it stands where its tenant finds it.
    pub(super) async fn repair_one(
        &self,
        id: TaskId,
        answer: &[redis::Value],
        of_tenant: bool,
    ) -> Result<Option<u64>, StoreError> {
        let broken = |e: redis::ParsingError| StoreError::Corrupt(e.to_string());
        let [fields, all, outbox, by_status @ ..] = answer else {
            return Err(StoreError::Corrupt("a short answer".into()));
        };
        if *fields == redis::Value::Boolean(false) {
            return Ok(Some(u64::MAX));
        }
        let fields: Fields = redis::from_redis_value_ref(fields).map_err(broken)?;
        let listed = *all != redis::Value::Nil;
        let in_status = |status: TaskStatus| {
            let at = TaskStatus::ALL.iter().position(|s| *s == status).unwrap_or_default();
            by_status.get(at).is_some_and(|score| *score != redis::Value::Nil)
        };
        let record = match from_fields(fields.clone()) {
            Ok(record) => Some(record),
            Err(_) if fields.is_empty() => None,
            Err(why) => {
                log::warn!(task:% = id; "a record stays as it is: {why}");
                return Ok(Some(u64::MAX));
            }
        };
        let right = match &record {
            Some(record) => {
                let told = record.message_due_at().is_some() == (*outbox != redis::Value::Nil);
                told && of_tenant && listed && TaskStatus::ALL.iter().all(|s| in_status(*s) == (*s == record.status))
            }
            None => !listed && TaskStatus::ALL.iter().all(|s| !in_status(*s)),
        };
        if !right {
            let mut call = self.scripts.index.prepare_invoke();
            call.key(keys::record(id)).key(keys::ALL).key(keys::EXPIRY);
            for index in status_keys(record.as_ref().map_or(TaskStatus::Pending, |record| record.status)) {
                call.key(index);
            }
            call.arg(id.to_string()).arg(record.as_ref().map(|r| r.version.to_string()).unwrap_or_default());
            call.arg(record.as_ref().map_or(0, |r| r.created_at.as_millis()));
            call.arg(record.as_ref().and_then(|r| r.expires_at).map_or(0, Timestamp::as_millis));
            call.arg(record.as_ref().and_then(TaskRecord::message_due_at).map_or(0, Timestamp::as_millis));
            let changed: usize = call.invoke_async(&mut self.connection()).await.map_err(|e| self.lost(&e))?;
            log::info!(task:% = id, entries = changed; "index entries mended");
        }
        Ok(record.map(|record| record.epoch))
    }

    /// Up to `wanted` places of `index` that are strictly older than `after`, newest first.
    pub(super) async fn places(
        &self,
        index: &str,
        after: Option<Cursor>,
        wanted: usize,
    ) -> Result<Vec<Cursor>, StoreError> {
        let newest = after.map_or_else(|| "+inf".to_owned(), |place| place.created_at.as_millis().to_string());
        let mut places = Vec::new();
        let mut offset = 0;
        while places.len() < wanted {
            let mut command = redis::cmd("ZRANGE");
            command.arg(index).arg(&newest).arg("-inf").arg("BYSCORE").arg("REV");
            command.arg("LIMIT").arg(offset).arg(wanted).arg("WITHSCORES");
            let window: Vec<(String, f64)> =
                command.query_async(&mut self.connection()).await.map_err(|e| self.lost(&e))?;
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
