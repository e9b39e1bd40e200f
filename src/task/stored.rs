//! A record as it is stored: with the number of its format, so that a version that does not know it says so.

use serde::Serialize;
use serde_json::{Map, Value};

use super::TaskRecord;

/// The format of records that this version writes. A later version that changes what fields mean counts up; new fields
/// with defaults need no new number.
pub(crate) const RECORD_FORMAT: u32 = 1;
/// The field that holds the format. Records without it are of the first one.
pub(crate) const FORMAT_FIELD: &str = "format";

/// Why a stored record cannot be read as one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnreadableRecord {
    /// What is wrong with it.
    pub why: String,
    /// Whose it is, as far as that can be read.
    pub tenant: Option<String>,
}

impl std::fmt::Display for UnreadableRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

impl UnreadableRecord {
    /// A record of another format than this version knows.
    pub(crate) fn of_format(format: impl std::fmt::Display, tenant: Option<String>) -> Self {
        let why = format!("it is of format {format}, and this version of Bindery knows {RECORD_FORMAT}");
        Self { why, tenant }
    }
}

/// The record as JSON with its format.
pub(crate) fn to_json(record: &TaskRecord) -> serde_json::Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Stored<'a> {
        format: u32,
        #[serde(flatten)]
        record: &'a TaskRecord,
    }
    serde_json::to_vec(&Stored { format: RECORD_FORMAT, record })
}

/// The record in this JSON.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn from_json(json: &[u8]) -> Result<TaskRecord, UnreadableRecord> {
    match serde_json::from_slice(json) {
        Ok(Value::Object(object)) => from_object(object),
        Ok(_) => Err(UnreadableRecord { why: "it is not an object".into(), tenant: None }),
        Err(error) => Err(UnreadableRecord { why: error.to_string(), tenant: None }),
    }
}

/// The record with these fields.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn from_object(mut object: Map<String, Value>) -> Result<TaskRecord, UnreadableRecord> {
    let tenant = object.get("tenant").and_then(Value::as_str).map(str::to_owned);
    match object.remove(FORMAT_FIELD).filter(|format| !format.is_null()) {
        Some(format) if format.as_u64().is_none_or(|format| format > RECORD_FORMAT.into()) => {
            return Err(UnreadableRecord::of_format(format, tenant));
        }
        _ => {}
    }
    serde_json::from_value(Value::Object(object)).map_err(|error| UnreadableRecord { why: error.to_string(), tenant })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::test_record;

    #[test]
    fn a_record_says_its_format_and_one_of_a_later_format_is_not_guessed_at() {
        let record = TaskRecord { tenant: Some("ann".into()), ..test_record(1) };
        let json = to_json(&record).unwrap();
        assert_eq!(from_json(&json).unwrap(), record);
        let without = serde_json::to_vec(&record).unwrap();
        assert_eq!(from_json(&without).unwrap(), record, "earlier versions wrote none");
        let mut object: Map<String, Value> = serde_json::from_slice(&json).unwrap();
        assert_eq!(object["format"], RECORD_FORMAT);
        object.insert("format".into(), (RECORD_FORMAT + 1).into());
        let later = from_object(object.clone()).unwrap_err();
        assert!(later.why.contains("format 2") && later.tenant.as_deref() == Some("ann"), "{later:?}");
        object.insert("format".into(), RECORD_FORMAT.into());
        object.insert("status".into(), "paused".into());
        assert_eq!(from_object(object).unwrap_err().tenant.as_deref(), Some("ann"));
        for torn in [&b""[..], b"[]", &json[..json.len() / 2]] {
            assert_eq!(from_json(torn).unwrap_err().tenant, None);
        }
    }
}
