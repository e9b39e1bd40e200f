//! A record as the fields of a hash.

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::store::StoreError;
use crate::task::{FORMAT_FIELD, RECORD_FORMAT, TaskRecord, from_object};

/// Fields whose value is text as it is; all others are JSON. Absent values are empty.
const TEXT_FIELDS: [&str; 17] = [
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
    "tenant",
    "processor",
    "fingerprint",
    "idempotency",
    OPERATION,
];

/// Names and values.
pub(super) type Fields = Vec<(String, String)>;

/// The field that names the last writing.
const OPERATION: &str = "operation";

/// The fields of a record, and the operation that writes it.
///
/// # Errors
/// When the record is no object, which it always is.
pub(super) fn to_fields(record: &TaskRecord, operation: Uuid) -> Result<Fields, StoreError> {
    let Ok(Value::Object(fields)) = serde_json::to_value(record) else {
        return Err(StoreError::Corrupt("a record is not a JSON object".into()));
    };
    let text = |value: Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    };
    let mut fields: Fields = fields.into_iter().map(|(name, value)| (name, text(value))).collect();
    fields.push((OPERATION.to_owned(), operation.to_string()));
    fields.push((FORMAT_FIELD.to_owned(), RECORD_FORMAT.to_string()));
    Ok(fields)
}

/// The record with these fields.
///
/// # Errors
/// [`StoreError::Unreadable`].
pub(super) fn from_fields(fields: Fields) -> Result<TaskRecord, StoreError> {
    let mut object = Map::new();
    for (name, text) in fields {
        let value = match text.as_str() {
            "" => Value::Null,
            _ if TEXT_FIELDS.contains(&name.as_str()) => Value::String(text),
            // What is no JSON is no value of the record either, and is refused as such.
            json => serde_json::from_str(json).unwrap_or(Value::String(text)),
        };
        object.insert(name, value);
    }
    from_object(object).map_err(StoreError::Unreadable)
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
        assert_eq!(from_fields(fields).unwrap(), record);
    }
}
