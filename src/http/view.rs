//! A task as callers see it.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::clock::Timestamp;
use crate::task::{DocumentInfo, Failure, FindingCounts, TaskId, TaskRecord, TaskStatus, Usage, Webhook};

/// What every answer about a task holds.
#[derive(Serialize, ToSchema)]
pub(super) struct TaskView {
    id: TaskId,
    status: TaskStatus,
    file_name: Option<String>,
    total_pages: Option<u32>,
    pages: PageCounts,
    /// On how many pages each finding stands that makes a page doubtful.
    findings: FindingCounts,
    total_shards: u32,
    completed_shards: u32,
    error: Option<Failure>,
    processor: String,
    usage: Usage,
    created_at: Timestamp,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    updated_at: Timestamp,
    expires_at: Option<Timestamp>,
    /// How the message about its end stands, when it has a webhook and has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook: Option<Webhook>,
    metadata: Option<Value>,
    /// What the document says of itself, once the task is completed and where it says something.
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<DocumentInfo>,
    links: Links,
    /// Only said where it is true: the submit led to a task that was there before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    reused: bool,
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
            links: Links { result: format!("{this}/result"), pages: format!("{this}/pages"), this },
            reused: false,
        }
    }

    pub(super) fn reused(self, reused: bool) -> Self {
        Self { reused, ..self }
    }
}

#[derive(Serialize, ToSchema)]
struct PageCounts {
    done: u32,
    failed: u32,
    pending: u32,
    /// Those of the done ones that have findings against them.
    doubtful: u32,
}

#[derive(Serialize, ToSchema)]
struct Links {
    #[serde(rename = "self")]
    this: String,
    result: String,
    pages: String,
}
