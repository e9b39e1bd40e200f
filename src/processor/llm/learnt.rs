//! What models were found to take, as it is shown, and kept for other servers and the next start. An endpoint may be
//! upgraded, so each is forgotten after a week, and found out again where it still holds.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// How long what was learnt of a model counts.
pub(super) const COUNTS_FOR: Duration = Duration::from_hours(7 * 24);

/// What was learnt of one model at one endpoint.
#[allow(clippy::struct_field_names, reason = "the name stands in answers")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Learnt {
    /// Its base URL, without what may be secret.
    pub(super) endpoint: String,
    pub(super) model: String,
    /// What of a request it refuses, by the names of `ModelCapabilities::refusals`. Names that are not known mean nothing.
    #[serde(default)]
    pub(super) refuses: Vec<String>,
    /// The most tokens of an answer that may be asked for.
    #[serde(default)]
    pub(super) max_tokens: Option<u32>,
    /// The most bytes of a picture,
    #[serde(default)]
    pub(super) max_image_bytes: Option<u32>,
    /// and the most pixels of its longer side.
    #[serde(default)]
    pub(super) max_image_side: Option<u32>,
    /// When the first of this was learnt.
    pub(super) learnt_at: Timestamp,
}

impl Learnt {
    /// Whether it still counts.
    pub(super) fn counts(&self, now: Timestamp) -> bool {
        now.since(self.learnt_at) < COUNTS_FOR
    }
}
