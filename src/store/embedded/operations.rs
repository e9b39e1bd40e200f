//! What a write does to the tables, within one transaction: records and every index entry that follows from them.

use redb::{ReadableTable, WriteTransaction};
use uuid::Uuid;

use super::encoding::{cursor_key, decode, encode, status_byte, tenant_prefix};
use super::{
    ALL, Answer, BY_STATUS, Create, EXPIRY, Head, NOTES, OF_TENANT, OUTBOX, RECORDS, Revision, SAME, StoreError,
    TaskId, TaskRecord, TaskStatus, Timestamp, Update, check_update, is_expired, unavailable,
};

pub(super) fn create(transaction: &WriteTransaction, create: &Create, now: Timestamp) -> Result<Answer, StoreError> {
    let record = &create.record;
    match read(transaction, record.id) {
        Ok(Some((last, _))) if last == create.operation => return Ok(Answer::Done),
        Ok(Some(_)) | Err(StoreError::Unreadable(_)) => return Err(StoreError::Exists),
        Ok(None) => {}
        Err(other) => return Err(other),
    }
    let (records, pointers) = (transaction.open_table(RECORDS), transaction.open_table(SAME));
    let equal = equal(&records.map_err(unavailable)?, &pointers.map_err(unavailable)?, create, now)?;
    match equal {
        Some(Equal { id, is_named: true }) => return Ok(Answer::Existing(id)),
        Some(Equal { id, .. }) if create.reuse => return Ok(Answer::Existing(id)),
        // The pointer stays with the older one.
        Some(_) => {}
        None => point(transaction, b'r', record.fingerprint.as_deref(), record.id)?,
    }
    point(transaction, b'k', record.idempotency.as_deref(), record.id)?;
    write_record(transaction, None, record, create.operation).map(|()| Answer::Done)
}

/// Keeps a note, or forgets it.
pub(super) fn write_note(transaction: &WriteTransaction, name: &str, note: Option<&str>) -> Result<Answer, StoreError> {
    let mut notes = transaction.open_table(NOTES).map_err(unavailable)?;
    match note {
        Some(note) => notes.insert(name.as_bytes(), note.as_bytes()).map(drop),
        None => notes.remove(name.as_bytes()).map(drop),
    }
    .map_err(unavailable)?;
    Ok(Answer::Done)
}

/// Whether a later submit of the same can be answered with this task.
pub(super) fn will_do(record: &TaskRecord) -> bool {
    let lives = matches!(record.status, TaskStatus::Pending | TaskStatus::Processing | TaskStatus::Completed);
    lives && !record.cancel_requested
}

pub(super) fn pointer_key(kind: u8, hash: &str) -> Vec<u8> {
    [&[kind], hash.as_bytes()].concat()
}

/// A task that a new one is equal to.
pub(super) struct Equal {
    pub(super) id: TaskId,
    /// By its idempotency key, which counts also where an equal task would not do.
    pub(super) is_named: bool,
}

/// The task that a new one is equal to.
pub(super) fn equal(
    records: &impl ReadableTable<&'static [u8], &'static [u8]>,
    pointers: &impl ReadableTable<&'static [u8], &'static [u8]>,
    create: &Create,
    now: Timestamp,
) -> Result<Option<Equal>, StoreError> {
    let record = &create.record;
    if let Some(key) = &record.idempotency
        && let Some(known) = same(records, pointers, b'k', key, now)?
    {
        let is_equal = known.fingerprint == record.fingerprint;
        return if is_equal { Ok(Some(Equal { id: known.id, is_named: true })) } else { Err(StoreError::KeyTaken) };
    }
    let Some(fingerprint) = &record.fingerprint else { return Ok(None) };
    let known = same(records, pointers, b'r', fingerprint, now)?.filter(will_do);
    Ok(known.map(|known| Equal { id: known.id, is_named: false }))
}

/// The task that a pointer leads to, if it is still there. One that cannot be read does not block others.
fn same(
    records: &impl ReadableTable<&'static [u8], &'static [u8]>,
    pointers: &impl ReadableTable<&'static [u8], &'static [u8]>,
    kind: u8,
    hash: &str,
    now: Timestamp,
) -> Result<Option<TaskRecord>, StoreError> {
    let Some(id) = pointers.get(&pointer_key(kind, hash)[..]).map_err(unavailable)? else { return Ok(None) };
    let Some(bytes) = records.get(id.value()).map_err(unavailable)? else { return Ok(None) };
    match decode(bytes.value()) {
        Ok((_, record)) => Ok(Some(record).filter(|record| !is_expired(record, now))),
        Err(StoreError::Unreadable(_)) => Ok(None),
        Err(other) => Err(other),
    }
}

pub(super) fn point(
    transaction: &WriteTransaction,
    kind: u8,
    hash: Option<&str>,
    id: TaskId,
) -> Result<(), StoreError> {
    let Some(hash) = hash else { return Ok(()) };
    let mut table = transaction.open_table(SAME).map_err(unavailable)?;
    table.insert(&pointer_key(kind, hash)[..], &id.as_bytes()[..]).map_err(unavailable)?;
    Ok(())
}

/// Removes the pointers that lead to this record and not to a later one.
pub(super) fn unpoint(transaction: &WriteTransaction, record: &TaskRecord) -> Result<(), StoreError> {
    let mut table = transaction.open_table(SAME).map_err(unavailable)?;
    for (kind, hash) in [(b'r', &record.fingerprint), (b'k', &record.idempotency)] {
        let Some(key) = hash.as_ref().map(|hash| pointer_key(kind, hash)) else { continue };
        let ours = table.get(&key[..]).map_err(unavailable)?.is_some_and(|id| id.value() == record.id.as_bytes());
        if ours {
            table.remove(&key[..]).map_err(unavailable)?;
        }
    }
    Ok(())
}

pub(super) fn update(transaction: &WriteTransaction, change: &Update, now: Timestamp) -> Result<Answer, StoreError> {
    let (last, current) = read(transaction, change.next.id)?.ok_or(StoreError::NotFound)?;
    if last == change.operation {
        return Ok(Answer::Done);
    }
    // The janitor may be removing its files.
    if is_expired(&current, now) {
        return Err(StoreError::NotFound);
    }
    check_update(Head::of(&current), change.expected, Head::of(&change.next), false)?;
    write_record(transaction, Some(&current), &change.next, change.operation).map(|()| Answer::Done)
}

pub(super) fn remove(
    transaction: &WriteTransaction,
    id: TaskId,
    expected: Option<Revision>,
) -> Result<Answer, StoreError> {
    let current = match read(transaction, id) {
        Ok(Some((_, current))) => current,
        Ok(None) => return Ok(Answer::NothingThere),
        Err(StoreError::Unreadable(_)) if expected.is_none() => return remove_unreadable(transaction, id),
        Err(other) => return Err(other),
    };
    if expected.is_some_and(|expected| expected != current.revision()) {
        return Err(StoreError::Conflict(current.revision()));
    }
    change_index(transaction, &current, false)?;
    unpoint(transaction, &current)?;
    let mut records = transaction.open_table(RECORDS).map_err(unavailable)?;
    records.remove(&id.as_bytes()[..]).map_err(unavailable)?;
    Ok(Answer::Done)
}

/// The index entries of a record that cannot be read are unknown, so all indexes are searched.
pub(super) fn remove_unreadable(transaction: &WriteTransaction, id: TaskId) -> Result<Answer, StoreError> {
    for table in [ALL, BY_STATUS, OF_TENANT, OUTBOX, EXPIRY] {
        let mut table = transaction.open_table(table).map_err(unavailable)?;
        table.retain(|key, _| !key.ends_with(id.as_bytes())).map_err(unavailable)?;
    }
    let mut same = transaction.open_table(SAME).map_err(unavailable)?;
    same.retain(|_, task| task != id.as_bytes()).map_err(unavailable)?;
    let mut records = transaction.open_table(RECORDS).map_err(unavailable)?;
    records.remove(&id.as_bytes()[..]).map_err(unavailable)?;
    Ok(Answer::Done)
}

pub(super) fn read(transaction: &WriteTransaction, id: TaskId) -> Result<Option<(Uuid, TaskRecord)>, StoreError> {
    let records = transaction.open_table(RECORDS).map_err(unavailable)?;
    let bytes = records.get(&id.as_bytes()[..]).map_err(unavailable)?;
    bytes.map(|bytes| decode(bytes.value())).transpose()
}

pub(super) fn write_record(
    transaction: &WriteTransaction,
    current: Option<&TaskRecord>,
    next: &TaskRecord,
    operation: Uuid,
) -> Result<(), StoreError> {
    if let Some(current) = current {
        change_index(transaction, current, false)?;
    }
    change_index(transaction, next, true)?;
    let mut records = transaction.open_table(RECORDS).map_err(unavailable)?;
    records.insert(&next.id.as_bytes()[..], &encode(next, operation)?[..]).map_err(unavailable)?;
    Ok(())
}

pub(super) fn change_index(
    transaction: &WriteTransaction,
    record: &TaskRecord,
    present: bool,
) -> Result<(), StoreError> {
    let place = cursor_key(record.created_at, record.id);
    let by_status = [&[status_byte(record.status)], &place[..]].concat();
    let expiry = record.expires_at.map(|at| cursor_key(at, record.id).to_vec());
    let mut entries = vec![(ALL, place.to_vec()), (BY_STATUS, by_status)];
    entries.extend(expiry.map(|key| (EXPIRY, key)));
    entries.extend(record.message_due_at().map(|at| (OUTBOX, cursor_key(at, record.id).to_vec())));
    if let Some(tenant) = &record.tenant {
        let of_tenant = |status| [&tenant_prefix(tenant, status), &place[..]].concat();
        entries.extend([None, Some(record.status)].map(|status| (OF_TENANT, of_tenant(status))));
    }
    for (table, key) in entries {
        let mut table = transaction.open_table(table).map_err(unavailable)?;
        let changed = if present { table.insert(&key[..], &[][..]) } else { table.remove(&key[..]) };
        changed.map_err(unavailable)?;
    }
    Ok(())
}
