//! The embedded store: one file in the data directory, no server. Also the in-memory store, on the same code.
//!
//! One thread owns all writing. It takes what waits in its queue, up to a bound, does it all in one transaction and
//! answers after the commit: a commit is durable, costs milliseconds, and is shared by everyone who waited (group
//! commit). Reads run on the caller's thread on a snapshot; they do not wait for the writer.
//!
//! On a full disk nothing is written, and what is there can be read. After a write that failed all the same the database
//! refuses everything until it is opened again, which the writer does at once; readers wait for it. Where that fails,
//! everyone is told that the store is unavailable, and each further write first tries to open it: it heals by itself.

mod encoding;
mod file;
mod handle;
mod operations;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use redb::backends::InMemoryBackend;
use redb::{Database, ReadableTable, TableDefinition};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use self::encoding::{cursor_key, decode, status_byte, tenant_prefix};
use self::handle::{ReadHandle, WriteHandle, check_place};
use self::operations::{create, remove, update, write_note};
use super::{
    Create, Created, Cursor, Head, ListPage, ListQuery, Renewal, Renewed, StoreError, StoreIdentity, TaskStore, Update,
    check_update,
};
use crate::clock::{CautiousClock, CautiousReading, Timestamp};
use crate::failpoint;
use crate::private_fs;
use crate::task::{RECORD_FORMAT, Revision, TaskId, TaskRecord, TaskStatus, UnreadableRecord};

/// id → format byte, operation, record as JSON.
const RECORDS: Table = TableDefinition::new("records");
/// created ms, id → nothing.
const ALL: Table = TableDefinition::new("all");
/// status, created ms, id → nothing.
const BY_STATUS: Table = TableDefinition::new("by-status");
/// tenant, 0, status or 0 for all, created ms, id → nothing.
const OF_TENANT: Table = TableDefinition::new("of-tenant");
/// ms at which the message about a task's end is due, id → nothing.
const OUTBOX: Table = TableDefinition::new("outbox");
/// expiry ms, id → nothing.
const EXPIRY: Table = TableDefinition::new("expiry");
/// `r` and a fingerprint → id; `k` and an idempotency key → id.
const SAME: Table = TableDefinition::new("same");

/// Name → what was learnt.
const NOTES: Table = TableDefinition::new("notes");

const TABLES: [Table; 8] = [RECORDS, ALL, BY_STATUS, OF_TENANT, OUTBOX, EXPIRY, SAME, NOTES];

type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// The first byte of every record.
#[allow(clippy::cast_possible_truncation, reason = "a small number")]
const FORMAT: u8 = RECORD_FORMAT as u8;
/// Operations that share one commit.
const GROUP: usize = 512;
/// Operations that may wait; a caller past that waits for a place.
const QUEUE: usize = 4_096;
/// Task records in one file of the local disk, or in memory.
#[derive(Clone)]
pub struct EmbeddedStore {
    database: ReadHandle,
    writer: mpsc::Sender<Write>,
    clock: CautiousClock,
    /// Its file; absent in memory.
    path: Option<Arc<Path>>,
}

struct Write {
    operation: Operation,
    answer: oneshot::Sender<Result<Answer, StoreError>>,
}

/// What a write came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Done,
    NothingThere,
    /// Nothing was written; this task is the same one.
    Existing(TaskId),
    /// What the store is called.
    Named(Uuid),
}

enum Operation {
    Create(Box<Create>),
    Update(Box<Update>),
    Delete(TaskId, Option<Revision>),
    /// Gives the store a name, unless it has one.
    Name(Uuid),
    /// Keeps a note, or forgets it.
    Note(String, Option<String>),
    /// Changes nothing; answered when the database takes writes.
    Ping,
}

impl EmbeddedStore {
    /// Opens the store in `directory`, making both when they are missing. What was answered is durable.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the file cannot be opened, for example because another process has it, and
    /// [`StoreError::Damaged`] when it cannot be read.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, StoreError> {
        private_fs::make_folder(directory.as_ref()).map_err(unavailable)?;
        let path = file::path_in(directory.as_ref());
        Self::start(file::open(&path)?, Some(path))
    }

    /// Moves a file in `directory` that cannot be read out of the way, so that [`Self::open`] begins with an empty store;
    /// returns where it is now, or `None` when there is nothing wrong. Reads the whole file.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the file is in use, was written by a later version, or cannot be moved.
    pub fn move_damaged_aside(directory: impl AsRef<Path>) -> Result<Option<PathBuf>, StoreError> {
        file::move_damaged_aside(&file::path_in(directory.as_ref()))
    }

    /// A store that forgets everything when it is dropped.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the thread that writes cannot be started.
    pub fn in_memory() -> Result<Self, StoreError> {
        let database = Database::builder().create_with_backend(InMemoryBackend::new()).map_err(unavailable)?;
        Self::start(file::with_tables(database)?, None)
    }

    fn start(database: Database, path: Option<PathBuf>) -> Result<Self, StoreError> {
        let last = file::last_time(&database)?;
        let clock = last.map_or_else(CautiousClock::default, CautiousClock::after);
        let (writer, queue) = mpsc::channel(QUEUE);
        let (shared, own) = (clock.clone(), path.as_deref().map(Arc::from));
        let (owned, database) = handle::handles(database, path);
        std::thread::Builder::new()
            .name("bindery-store".into())
            .spawn(move || write_in_groups(owned, queue, &shared))
            .map_err(unavailable)?;
        Ok(Self { database, writer, clock, path: own })
    }

    /// The first tasks of an index by time that are not after `now`.
    async fn until(&self, table: Table, now: Timestamp, limit: usize) -> Result<Vec<TaskId>, StoreError> {
        let snapshot = self.database.snapshot().await?;
        let index = snapshot.open_table(table).map_err(unavailable)?;
        let end = cursor_key(now.after(std::time::Duration::from_millis(1)), TaskId::from_bytes([0; 16]));
        let mut ids = Vec::new();
        for entry in index.range(..&end[..]).map_err(unavailable)?.take(limit) {
            let (key, _) = entry.map_err(unavailable)?;
            ids.push(id_of_place(key.value())?);
        }
        Ok(ids)
    }

    async fn write(&self, operation: Operation) -> Result<Answer, StoreError> {
        let (answer, answered) = oneshot::channel();
        let gone = || StoreError::Unavailable("its writing thread has ended".into());
        self.writer.send(Write { operation, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

#[async_trait]
impl TaskStore for EmbeddedStore {
    async fn identity(&self) -> Result<Option<StoreIdentity>, StoreError> {
        let Some(path) = &self.path else { return Ok(None) };
        let path = path.canonicalize().map_err(unavailable)?;
        let place = path.parent().unwrap_or(&path).to_string_lossy().into_owned();
        let snapshot = self.database.snapshot().await?;
        let id = file::id(&snapshot)?;
        Ok(Some(StoreIdentity { kind: "embedded", place, id }))
    }

    async fn name(&self, id: Uuid) -> Result<Uuid, StoreError> {
        let answer = self.write(Operation::Name(id)).await?;
        Ok(if let Answer::Named(id) = answer { id } else { id })
    }

    async fn create(&self, create: &Create) -> Result<Created, StoreError> {
        let answer = self.write(Operation::Create(Box::new(create.clone()))).await?;
        Ok(if let Answer::Existing(id) = answer { Created::Existing(id) } else { Created::New })
    }

    async fn find_equal(&self, create: &Create) -> Result<Option<TaskId>, StoreError> {
        let snapshot = self.database.snapshot().await?;
        let records = snapshot.open_table(RECORDS).map_err(unavailable)?;
        let pointers = snapshot.open_table(SAME).map_err(unavailable)?;
        let equal = operations::equal(&records, &pointers, create, self.clock.now())?;
        Ok(equal.filter(|equal| equal.is_named || create.reuse).map(|equal| equal.id))
    }

    async fn get(&self, id: TaskId) -> Result<TaskRecord, StoreError> {
        let snapshot = self.database.snapshot().await?;
        let records = snapshot.open_table(RECORDS).map_err(unavailable)?;
        let bytes = records.get(&id.as_bytes()[..]).map_err(unavailable)?.ok_or(StoreError::NotFound)?;
        let (_, record) = decode(bytes.value())?;
        if is_expired(&record, self.clock.now()) { Err(StoreError::NotFound) } else { Ok(record) }
    }

    async fn update(&self, update: &Update) -> Result<(), StoreError> {
        self.write(Operation::Update(Box::new(update.clone()))).await.map(drop)
    }

    async fn list(&self, query: &ListQuery) -> Result<ListPage, StoreError> {
        let snapshot = self.database.snapshot().await?;
        let records = snapshot.open_table(RECORDS).map_err(unavailable)?;
        let (table, prefix) = match (&query.tenant, query.status) {
            (Some(tenant), status) => (OF_TENANT, tenant_prefix(tenant, status)),
            (None, Some(status)) => (BY_STATUS, vec![status_byte(status)]),
            (None, None) => (ALL, Vec::new()),
        };
        let index = snapshot.open_table(table).map_err(unavailable)?;
        let place = |at: Option<Cursor>, fill: u8| {
            let mut key = prefix.clone();
            match at {
                Some(cursor) => key.extend(cursor_key(cursor.created_at, cursor.id)),
                None => key.extend([fill; 24]),
            }
            key
        };
        let (first, end) = (place(None, 0), place(query.after, 0xff));
        let now = self.clock.now();
        let mut page = ListPage::default();
        for entry in index.range(&first[..]..&end[..]).map_err(unavailable)?.rev() {
            let (key, _) = entry.map_err(unavailable)?;
            let id = &key.value()[prefix.len() + 8..];
            let Some(bytes) = records.get(id).map_err(unavailable)? else { continue };
            // One that cannot be read must not hide the others.
            let record = match decode(bytes.value()) {
                Ok((_, record)) if is_expired(&record, now) || !query.has_pages(&record) => continue,
                Ok((_, record)) => record,
                Err(why) => {
                    log::warn!("a record is left out of a list: {why}");
                    continue;
                }
            };
            if page.tasks.len() == query.limit {
                page.next = page.tasks.last().map(Cursor::of);
                break;
            }
            page.tasks.push(record);
        }
        Ok(page)
    }

    async fn delete(&self, id: TaskId, expected: Option<Revision>) -> Result<bool, StoreError> {
        self.write(Operation::Delete(id, expected)).await.map(|answer| answer == Answer::Done)
    }

    async fn expired(&self, now: Timestamp, limit: usize) -> Result<Vec<TaskId>, StoreError> {
        self.until(EXPIRY, now, limit).await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<TaskId>, StoreError> {
        let mut ids = self.until(OUTBOX, now, usize::MAX).await?;
        // What has expired and waits for the janitor must not stand before the others.
        let snapshot = self.database.snapshot().await?;
        let records = snapshot.open_table(RECORDS).map_err(unavailable)?;
        let clock = self.clock.now();
        let lives = |id: &TaskId| {
            let bytes = records.get(&id.as_bytes()[..]).ok().flatten();
            bytes.is_some_and(|bytes| decode(bytes.value()).is_ok_and(|(_, record)| !is_expired(&record, clock)))
        };
        let mut found = 0;
        ids.retain(|id| {
            let wanted = found < limit && lives(id);
            found += usize::from(wanted);
            wanted
        });
        Ok(ids)
    }

    /// Costs no commit while the database is open.
    async fn ping(&self) -> Result<(), StoreError> {
        if !self.database.is_open() {
            self.write(Operation::Ping).await?;
        }
        self.path.as_deref().map_or(Ok(()), check_place)
    }

    async fn unclaimed(&self, _: &str, limit: usize) -> Result<Vec<TaskId>, StoreError> {
        let snapshot = self.database.snapshot().await?;
        let index = snapshot.open_table(BY_STATUS).map_err(unavailable)?;
        let mut places = Vec::new();
        for status in [TaskStatus::Processing, TaskStatus::Pending] {
            let byte = status_byte(status);
            for entry in index.range(&[byte][..]..&[byte + 1][..]).map_err(unavailable)?.take(limit) {
                let (key, _) = entry.map_err(unavailable)?;
                places.push(<[u8; 24]>::try_from(&key.value()[1..]).map_err(corrupt)?);
            }
        }
        places.sort_unstable();
        places.truncate(limit);
        places.iter().map(|place| id_of_place(place)).collect()
    }

    /// One process has the file, so no task can be lost to another: only the records count.
    async fn renew(&self, _: &str, tasks: &[(TaskId, u64)]) -> Result<Renewed, StoreError> {
        let snapshot = self.database.snapshot().await?;
        let records = snapshot.open_table(RECORDS).map_err(unavailable)?;
        let CautiousReading { time, ahead, certain } = self.clock.read();
        let mut renewed = Renewed { time, ahead, certain, ..Renewed::default() };
        for (id, epoch) in tasks {
            let bytes = records.get(&id.as_bytes()[..]).map_err(unavailable)?;
            let record = bytes.map(|bytes| decode(bytes.value()).map(|(_, record)| record));
            renewed.tasks.push(match record {
                None => Renewal::Missing,
                Some(Ok(record)) if record.epoch == *epoch && !record.status.is_final() => {
                    let cancel_requested = record.cancel_requested;
                    Renewal::Held { revision: record.revision(), cancel_requested }
                }
                Some(_) => Renewal::Lost,
            });
        }
        Ok(renewed)
    }

    async fn leave(&self, _: &str) -> Result<(), StoreError> {
        Ok(())
    }

    async fn keep_note(&self, name: &str, note: Option<&str>) -> Result<(), StoreError> {
        self.write(Operation::Note(name.to_owned(), note.map(str::to_owned))).await.map(drop)
    }

    async fn notes(&self) -> Result<Vec<(String, String)>, StoreError> {
        let snapshot = self.database.snapshot().await?;
        let notes = snapshot.open_table(NOTES).map_err(unavailable)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let entries = notes.iter().map_err(unavailable)?;
        let pair = |entry: Result<(redb::AccessGuard<'_, &[u8]>, redb::AccessGuard<'_, &[u8]>), redb::StorageError>| {
            entry.map(|(name, note)| (text(name.value()), text(note.value()))).map_err(unavailable)
        };
        entries.map(pair).collect()
    }

    /// Record and index entries change in one transaction, so they always agree.
    async fn repair(&self, ids: &[TaskId]) -> Result<Vec<Option<u64>>, StoreError> {
        let snapshot = self.database.snapshot().await?;
        let records = snapshot.open_table(RECORDS).map_err(unavailable)?;
        let epoch = |id: &TaskId| {
            let bytes = records.get(&id.as_bytes()[..]).map_err(unavailable)?;
            // One that cannot be read is there all the same, and ahead of everything.
            Ok(bytes.map(|bytes| decode(bytes.value()).map_or(u64::MAX, |(_, record)| record.epoch)))
        };
        ids.iter().map(epoch).collect()
    }

    async fn repair_indexes(&self) -> Result<usize, StoreError> {
        Ok(0)
    }
}

fn id_of_place(place: &[u8]) -> Result<TaskId, StoreError> {
    <[u8; 16]>::try_from(&place[8..]).map(TaskId::from_bytes).map_err(corrupt)
}

/// Does a group on the database; one that fails has it opened again.
fn write_or_reopen(
    handle: &mut WriteHandle,
    operations: &[Operation],
    now: Timestamp,
) -> Result<Vec<Result<Answer, StoreError>>, StoreError> {
    let database = handle.database()?;
    // A panic would end the thread, and with it the store, for good.
    let written = catch_unwind(AssertUnwindSafe(|| write_group(&database, operations, now)));
    drop(database);
    let written = written.unwrap_or_else(|_| Err(StoreError::Unavailable("writing crashed".into())));
    if let Err(why) = &written {
        handle.reopen(why);
    }
    written
}

fn write_in_groups(mut handle: WriteHandle, mut queue: mpsc::Receiver<Write>, clock: &CautiousClock) {
    let mut group = Vec::with_capacity(GROUP);
    while queue.blocking_recv_many(&mut group, GROUP) > 0 {
        let (operations, answers): (Vec<_>, Vec<_>) = group.drain(..).map(|w| (w.operation, w.answer)).unzip();
        let failed = |why: StoreError| answers_of_failed_group(operations.len(), &why);
        let results = write_or_reopen(&mut handle, &operations, clock.now()).unwrap_or_else(failed);
        for (result, answer) in results.into_iter().zip(answers) {
            // A caller that has gone does not need the answer.
            let _ = answer.send(result);
        }
    }
}

fn answers_of_failed_group(operations: usize, why: &StoreError) -> Vec<Result<Answer, StoreError>> {
    (0..operations).map(|_| Err(unavailable(why))).collect()
}

/// Does all operations in one commit. One that is refused changes nothing; a failing disk fails them all.
fn write_group(
    database: &Database,
    operations: &[Operation],
    now: Timestamp,
) -> Result<Vec<Result<Answer, StoreError>>, StoreError> {
    let transaction = database.begin_write().map_err(unavailable)?;
    let mut results = Vec::with_capacity(operations.len());
    for operation in operations {
        let result = match operation {
            Operation::Create(new) => create(&transaction, new, now),
            Operation::Update(change) => update(&transaction, change, now),
            Operation::Delete(id, expected) => remove(&transaction, *id, *expected),
            Operation::Name(wanted) => file::name(&transaction, *wanted).map(Answer::Named),
            Operation::Note(name, note) => write_note(&transaction, name, note.as_deref()),
            Operation::Ping => Ok(Answer::Done),
        };
        match result {
            Err(error @ StoreError::Unavailable(_)) => return Err(error),
            settled => results.push(settled),
        }
    }
    file::note_time(&transaction, now)?;
    failpoint::pass("store.commit").map_err(unavailable)?;
    transaction.commit().map_err(unavailable)?;
    failpoint::pass("store.committed").map_err(unavailable)?;
    Ok(results)
}

fn is_expired(record: &TaskRecord, now: Timestamp) -> bool {
    record.expires_at.is_some_and(|at| at <= now)
}

fn unavailable(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

fn corrupt(error: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(error.to_string())
}

#[cfg(test)]
mod tests;
