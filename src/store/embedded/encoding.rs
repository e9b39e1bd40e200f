//! How records and keys of the indexes are bytes.

use uuid::Uuid;

use super::{FORMAT, StoreError, TaskId, TaskRecord, TaskStatus, Timestamp, UnreadableRecord, corrupt};

/// A name holds no zero byte, so none is the beginning of another.
pub(super) fn tenant_prefix(tenant: &str, status: Option<TaskStatus>) -> Vec<u8> {
    [tenant.as_bytes(), &[0, status.map_or(0, status_byte)]].concat()
}

/// Keys compare as bytes, so big-endian time comes first.
pub(super) fn cursor_key(at: Timestamp, id: TaskId) -> [u8; 24] {
    let mut key = [0; 24];
    key[..8].copy_from_slice(&at.as_millis().to_be_bytes());
    key[8..].copy_from_slice(id.as_bytes());
    key
}

/// Part of the file format: never renumber.
pub(super) const fn status_byte(status: TaskStatus) -> u8 {
    match status {
        TaskStatus::Pending => 1,
        TaskStatus::Processing => 2,
        TaskStatus::Completed => 3,
        TaskStatus::Failed => 4,
        TaskStatus::Cancelled => 5,
    }
}

pub(super) fn encode(record: &TaskRecord, operation: Uuid) -> Result<Vec<u8>, StoreError> {
    let mut bytes = vec![FORMAT];
    bytes.extend(operation.as_bytes());
    serde_json::to_writer(&mut bytes, record).map_err(corrupt)?;
    Ok(bytes)
}

pub(super) fn decode(bytes: &[u8]) -> Result<(Uuid, TaskRecord), StoreError> {
    let json = bytes.get(17..).unwrap_or_default();
    let unreadable = |why: &dyn std::fmt::Display| {
        // Whose it is can be read more often than not.
        let object = serde_json::from_slice::<serde_json::Value>(json).unwrap_or_default();
        let tenant = object.get("tenant").and_then(serde_json::Value::as_str).map(str::to_owned);
        StoreError::Unreadable(match bytes.first() {
            Some(format) if *format != FORMAT => UnreadableRecord::of_format(format, tenant),
            _ => UnreadableRecord { why: why.to_string(), tenant },
        })
    };
    if bytes.first() != Some(&FORMAT) {
        return Err(unreadable(&""));
    }
    let operation = bytes.get(1..17).and_then(|operation| Uuid::from_slice(operation).ok());
    let operation = operation.ok_or_else(|| unreadable(&"it is cut short"))?;
    Ok((operation, serde_json::from_slice(json).map_err(|error| unreadable(&error))?))
}
