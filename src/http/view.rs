//! What answers hold, as callers see it: what the server writes and its own command line reads.
//!
//! Readers pass over fields that they do not know, and do without those that a server of an older version leaves out.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::clock::Timestamp;
use crate::task::{DocumentInfo, Failure, FindingCounts, TaskId, TaskRecord, TaskStatus, Usage, Webhook};

/// What every answer about a task holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[non_exhaustive]
pub struct TaskView {
    /// Its id.
    pub id: TaskId,
    /// How it stands.
    pub status: TaskStatus,
    /// The name of the file that was submitted, where it has one.
    pub file_name: Option<String>,
    /// How many pages are read, once they are counted.
    pub total_pages: Option<u32>,
    /// How its pages stand.
    #[serde(default)]
    #[schema(required)]
    pub pages: PageCounts,
    /// On how many pages each finding stands that makes a page doubtful.
    #[serde(default)]
    #[schema(required)]
    pub findings: FindingCounts,
    /// How many shards the job has.
    #[serde(default)]
    #[schema(required)]
    pub total_shards: u32,
    /// How many of them are done.
    #[serde(default)]
    #[schema(required)]
    pub completed_shards: u32,
    /// Why it failed, when it failed.
    pub error: Option<Failure>,
    /// The processor that reads it.
    #[serde(default)]
    #[schema(required)]
    pub processor: String,
    /// What it has cost.
    #[serde(default)]
    #[schema(required)]
    pub usage: Usage,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When its first shard began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// When its record was last written.
    pub updated_at: Timestamp,
    /// When it and its files are removed.
    pub expires_at: Option<Timestamp>,
    /// How the message about its end stands, when it has a webhook and has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
    /// The caller's own, as it was submitted.
    pub metadata: Option<Value>,
    /// What the document says of itself, once the task is completed and where it says something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<DocumentInfo>,
    /// Where more of it is.
    #[serde(default)]
    #[schema(required)]
    pub links: TaskLinks,
    /// Only said where it is true: the submit led to a task that was there before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reused: bool,
}

impl TaskView {
    /// A task as callers see it; links begin with `base`.
    pub(super) fn new(record: TaskRecord, base: &str) -> Self {
        let this = format!("{base}/v1/tasks/{}", record.id);
        Self {
            pages: PageCounts {
                done: record.counts.done,
                failed: record.counts.failed,
                pending: record.pending_pages().unwrap_or(0),
                doubtful: record.counts.doubtful,
            },
            findings: record.counts.findings,
            id: record.id,
            status: record.status,
            file_name: record.file_name,
            total_pages: record.total_pages,
            total_shards: record.counts.total_shards,
            completed_shards: record.counts.completed_shards,
            error: record.error,
            processor: record.processor,
            usage: record.usage,
            created_at: record.created_at,
            started_at: record.started_at,
            finished_at: record.finished_at,
            updated_at: record.updated_at,
            expires_at: record.expires_at,
            webhook: record.webhook,
            metadata: record.options.metadata,
            document: record.result_digests.map(|result| result.document).filter(|document| !document.is_empty()),
            links: TaskLinks { result: format!("{this}/result"), pages: format!("{this}/pages"), this },
            reused: false,
        }
    }

    pub(super) fn reused(self, reused: bool) -> Self {
        Self { reused, ..self }
    }
}

/// How the pages of a task stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[non_exhaustive]
pub struct PageCounts {
    /// Those that are read.
    #[serde(default)]
    #[schema(required)]
    pub done: u32,
    /// Those that are declared failed.
    #[serde(default)]
    #[schema(required)]
    pub failed: u32,
    /// Those that have no outcome yet.
    #[serde(default)]
    #[schema(required)]
    pub pending: u32,
    /// Those of the done ones that have findings against them.
    #[serde(default)]
    #[schema(required)]
    pub doubtful: u32,
}

/// Where more of a task is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[non_exhaustive]
pub struct TaskLinks {
    /// The task.
    #[serde(rename = "self")]
    pub this: String,
    /// Its result.
    pub result: String,
    /// Its pages.
    pub pages: String,
}

/// A window of the caller's tasks, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[non_exhaustive]
pub struct TaskListView {
    /// The tasks.
    pub tasks: Vec<TaskView>,
    /// The `cursor` of the window after this one; nothing where this is the last.
    pub next_cursor: Option<String>,
}

/// An error, as RFC 9457 has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[non_exhaustive]
pub struct Problem {
    /// What names the kind of problem: an address of the code.
    #[serde(default)]
    #[schema(required)]
    pub r#type: String,
    /// The name of the status.
    #[serde(default)]
    #[schema(required)]
    pub title: String,
    /// The HTTP status.
    #[serde(default)]
    #[schema(required)]
    pub status: u16,
    /// What happened, and what to do.
    pub detail: String,
    /// The machine code.
    pub code: String,
    /// The task that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// The request that it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}
