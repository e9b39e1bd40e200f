//! Where a window of a listing ends.

use std::fmt;
use std::str::FromStr;

use crate::clock::Timestamp;
use crate::task::{ParseError, TaskId, TaskRecord};

/// A place in the list. It is a place in time, not a count, so inserts do not move it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// When the task at this place was accepted.
    pub created_at: Timestamp,
    /// Its id.
    pub id: TaskId,
}

impl Cursor {
    /// The place of `record`.
    #[must_use]
    pub const fn of(record: &TaskRecord) -> Self {
        Self { created_at: record.created_at, id: record.id }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.created_at.as_millis(), self.id)
    }
}

impl FromStr for Cursor {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let parts = text.split_once('.').and_then(|(ms, id)| Some((ms.parse().ok()?, id.parse().ok()?)));
        let (ms, id) =
            parts.ok_or_else(|| ParseError::new("not a cursor: pass next_cursor of the page before, unchanged"))?;
        Ok(Self { created_at: Timestamp::from_millis(ms), id })
    }
}
