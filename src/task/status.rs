//! The status machine of a task, written once.
//!
//! ```text
//!            Dispatch             Complete
//!  pending ────────────▶ processing ──────▶ completed ─┐
//!    ▲  │ Complete, Fail,  │   │ Fail                   │
//!    │  │ Cancel           │   ├──────────▶ failed ─────┤
//!    │  └───────▶ …        │   │ Cancel                 │
//!    │     Requeue         │   └──────────▶ cancelled ──┤
//!    ├─────────────────────┘                            │
//!    └──────────────────────── Retry (new epoch) ───────┘
//! ```

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
#[cfg(feature = "http")]
use utoipa::ToSchema;

use super::ParseError;

/// Where a task stands. The last three are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum TaskStatus {
    /// Accepted; no attempt has begun since it was (last) queued.
    Pending,
    /// At least one attempt has begun.
    Processing,
    /// The result is there, perhaps with declared failed pages.
    Completed,
    /// Ended without a complete result.
    Failed,
    /// Ended by its caller.
    Cancelled,
}

/// What may happen to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskStep {
    /// The first attempt of this job went to a worker.
    Dispatch,
    /// The result is safe.
    Complete,
    /// The task cannot be completed.
    Fail,
    /// The caller gave it up.
    Cancel,
    /// A node takes an unfinished task up again.
    Requeue,
    /// The caller wants the pages that are missing.
    Retry,
}

/// A step that the current status does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a task that is {from} cannot take the step {step:?}")]
#[non_exhaustive]
pub struct IllegalTransition {
    /// The status it had.
    pub from: TaskStatus,
    /// The step that was asked for.
    pub step: TaskStep,
}

impl TaskStatus {
    /// Every status, in the order of a task's life.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Processing, Self::Completed, Self::Failed, Self::Cancelled];

    /// The status after `step`.
    ///
    /// # Errors
    /// [`IllegalTransition`] when the step does not lead anywhere from here; a final status is left only by
    /// [`TaskStep::Retry`] (invariant I6).
    pub fn next(self, step: TaskStep) -> Result<Self, IllegalTransition> {
        use TaskStatus as S;
        use TaskStep as T;
        match (self, step) {
            (S::Pending | S::Processing, T::Dispatch) => Ok(S::Processing),
            (S::Pending | S::Processing, T::Complete) => Ok(S::Completed),
            (S::Pending | S::Processing, T::Fail) => Ok(S::Failed),
            (S::Pending | S::Processing, T::Cancel) => Ok(S::Cancelled),
            (S::Pending | S::Processing, T::Requeue) => Ok(S::Pending),
            (S::Completed | S::Failed | S::Cancelled, T::Retry) => Ok(S::Pending),
            (from, step) => Err(IllegalTransition { from, step }),
        }
    }

    /// Whether nothing but a retry changes it any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The name used in records, URLs and keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for TaskStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TaskStatus {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| {
            ParseError::new(format!("unknown status {text:?}: use pending, processing, completed, failed or cancelled"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_table() {
        use TaskStatus as S;
        use TaskStep as T;
        let steps = [T::Dispatch, T::Complete, T::Fail, T::Cancel, T::Requeue, T::Retry];
        let unfinished =
            [Some(S::Processing), Some(S::Completed), Some(S::Failed), Some(S::Cancelled), Some(S::Pending), None];
        let finished = [None, None, None, None, None, Some(S::Pending)];
        for status in S::ALL {
            let row = if status.is_final() { finished } else { unfinished };
            for (step, expected) in steps.into_iter().zip(row) {
                assert_eq!(status.next(step).ok(), expected, "{status} {step:?}");
            }
        }
    }

    #[test]
    fn names_read_back() {
        for status in TaskStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
        assert!("done".parse::<TaskStatus>().is_err());
    }
}
