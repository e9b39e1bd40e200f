//! What a result is, so that a file that is not that any more is noticed.

use serde::{Deserialize, Serialize};

use super::DocumentInfo;

/// The length and hash of a file as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FileDigest {
    /// Its length.
    pub bytes: u64,
    /// SHA-256, lower-case hex.
    pub sha256: String,
}

/// The files of a task's result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ResultDigests {
    /// The Markdown.
    pub markdown: FileDigest,
    /// The pages as JSON.
    pub json: FileDigest,
    /// What the document says of itself.
    #[serde(default, skip_serializing_if = "DocumentInfo::is_empty")]
    pub document: DocumentInfo,
}
