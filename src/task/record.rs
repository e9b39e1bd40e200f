//! The durable record of a task.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
#[cfg(feature = "http")]
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    EndNotice, Failure, FileDigest, FindingCounts, IllegalTransition, ResultDigests, TaskOptions, TaskStatus, TaskStep,
    Usage, Webhook,
};
use crate::clock::Timestamp;

/// Messages of earlier ends that are kept until they are delivered; of more, the oldest go.
const MAX_UNDELIVERED: usize = 16;

/// The identity of a task: a UUID of version 7, so that ids sort by the time of their making.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(ToSchema))]
#[serde(transparent)]
#[cfg_attr(feature = "http", schema(value_type = String, format = Uuid))]
pub struct TaskId(Uuid);

impl TaskId {
    /// A new id.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// The sixteen bytes, in the order that sorts by time.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// When it was made, by the clock of the process that made it (RFC 9562, 5.7).
    #[must_use]
    pub fn made_at(&self) -> Timestamp {
        let mut millis = [0; 8];
        millis[2..].copy_from_slice(&self.as_bytes()[..6]);
        Timestamp::from_millis(u64::from_be_bytes(millis))
    }

    /// The id with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for TaskId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        Uuid::try_parse(text).map(Self)
    }
}

/// Which writing of a record this is. Both numbers only ever grow (invariant I6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision {
    /// The fencing number: grows whenever a node takes the task up, and with an explicit retry.
    pub epoch: u64,
    /// Grows with every write.
    pub version: u64,
}

/// The bytes a task was submitted with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Source {
    /// SHA-256 of the file, lower-case hex.
    pub sha256: String,
    /// Size of the file.
    pub bytes: u64,
    /// Pages of the file, of which the task may have chosen some.
    pub pages: u32,
}

impl Source {
    /// What its file must be.
    #[must_use]
    pub fn digest(&self) -> FileDigest {
        FileDigest { bytes: self.bytes, sha256: self.sha256.clone() }
    }
}

/// How far a task is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Counts {
    /// Pages whose Markdown is there.
    pub done: u32,
    /// Pages declared failed.
    pub failed: u32,
    /// Shards of the current job; pages found in the ledger need none.
    pub total_shards: u32,
    /// Shards that have ended.
    pub completed_shards: u32,
    /// Pages with findings that make them doubtful.
    #[serde(default)]
    pub doubtful: u32,
    /// On how many pages each of those findings stands.
    #[serde(default)]
    pub findings: FindingCounts,
}

/// One submitted PDF with its options; durable; outlives every process.
///
/// Paths are keys in the blob store (`tasks/<id>/…`), never paths of a machine, so that a record means the same on
/// every node and nothing leaks into an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TaskRecord {
    /// Identity.
    pub id: TaskId,
    /// Where it stands.
    pub status: TaskStatus,
    /// The source PDF's blob key.
    pub pdf_path: String,
    /// The Markdown's blob key, once there is one.
    pub result_path: Option<String>,
    /// The blob folder that holds all files of this task.
    pub work_dir: String,
    /// Pages this task is about, once known.
    pub total_pages: Option<u32>,
    /// Why it failed.
    pub error: Option<Failure>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When the record was last written.
    pub updated_at: Timestamp,
    /// When the first attempt of the current epoch began.
    pub started_at: Option<Timestamp>,
    /// When it became final.
    pub finished_at: Option<Timestamp>,
    /// When the record and its files go; only final tasks expire.
    pub expires_at: Option<Timestamp>,
    /// See [`Revision`].
    pub version: u64,
    /// See [`Revision`].
    pub epoch: u64,
    /// The process that runs it, by a name that no other process ever has; absent while it waits or is final.
    pub owner: Option<String>,
    /// Whether its caller gave it up through another process than the one that runs it.
    #[serde(default)]
    pub cancel_requested: bool,
    /// What was submitted, as a hash over source and options: submits of the same get the same task.
    #[serde(default)]
    pub fingerprint: Option<String>,
    /// The caller's key for this submit, as a hash.
    #[serde(default)]
    pub idempotency: Option<String>,
    /// How often the process died while it read a page, by page; the document as a whole is page 0.
    #[serde(default)]
    pub crashes: BTreeMap<u32, u32>,
    /// How often its caller asked for a retry.
    #[serde(default)]
    pub retries: u32,
    /// Whose it is: the name of the caller's key; absent where there were no keys.
    #[serde(default)]
    pub tenant: Option<String>,
    /// The file's name as its caller gave it.
    pub file_name: Option<String>,
    /// The bytes behind it.
    pub source: Source,
    /// Whether it was accepted since the ledger keeps the pages of tenants apart. One from before has paid for pages that
    /// have older names there.
    #[serde(default)]
    pub scoped_pages: bool,
    /// The processor that reads it.
    pub processor: String,
    /// What the caller chose.
    pub options: TaskOptions,
    /// How far it is.
    pub counts: Counts,
    /// What it cost.
    pub usage: Usage,
    /// The message about its end, when it has a webhook.
    #[serde(default)]
    pub webhook: Option<Webhook>,
    /// Messages of earlier ends that were not delivered when the task was retried.
    #[serde(default)]
    pub undelivered: Vec<EndNotice>,
    /// What the files of its result are; absent without one, and of results of older versions.
    #[serde(default)]
    pub result_digests: Option<ResultDigests>,
}

impl TaskRecord {
    /// The revision of this writing.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        Revision { epoch: self.epoch, version: self.version }
    }

    /// Takes `step` at `now`: changes the status and the moments that go with it.
    ///
    /// `ttl` is the retention used when the task names none; it matters only for steps into a final status.
    ///
    /// # Errors
    /// [`IllegalTransition`], leaving the record as it was.
    pub fn take(&mut self, step: TaskStep, now: Timestamp, ttl: Duration) -> Result<(), IllegalTransition> {
        let before = self.end_notice();
        self.status = self.status.next(step)?;
        // A clock that was set back must not end a task in its past, or it would expire at once.
        let now = now.max(self.updated_at).max(self.created_at);
        self.updated_at = now;
        match step {
            TaskStep::Dispatch => self.started_at = self.started_at.or(Some(now)),
            TaskStep::Requeue => self.epoch += 1,
            TaskStep::Retry => {
                let undelivered = before.filter(|notice| notice.webhook.due_at().is_some());
                self.undelivered.extend(undelivered);
                let excess = self.undelivered.len().saturating_sub(MAX_UNDELIVERED);
                self.undelivered.drain(..excess);
                self.epoch += 1;
                self.retries = self.retries.saturating_add(1);
                self.error = None;
                self.result_path = None;
                self.result_digests = None;
                self.started_at = None;
                self.finished_at = None;
                self.expires_at = None;
                self.counts = Counts::default();
                self.cancel_requested = false;
                self.crashes.clear();
                self.webhook = None;
            }
            TaskStep::Complete | TaskStep::Fail | TaskStep::Cancel => {
                let ttl = self.options.ttl.map_or(ttl, Duration::from_secs);
                // A task whose pages were all in the ledger is done without an attempt.
                if step == TaskStep::Complete {
                    self.started_at = self.started_at.or(Some(now));
                }
                self.finished_at = Some(now);
                self.expires_at = Some(now.after(ttl));
                self.owner = None;
                let told = self.options.webhook_url.is_some();
                self.webhook = told.then(|| Webhook::new(self.id, self.epoch, self.status, now));
            }
        }
        Ok(())
    }

    /// The blob key of the Markdown that a job of this epoch writes.
    ///
    /// Each epoch has its own: an owner that was paused while another took over may still finish its writing, and must
    /// not replace what is there by then.
    #[must_use]
    pub fn markdown_key(&self) -> String {
        format!("{}/result-{}.md", self.work_dir, self.epoch)
    }

    /// The blob key of the pages as JSON, beside [`Self::markdown_key`].
    #[must_use]
    pub fn json_key(&self) -> String {
        format!("{}/result-{}.json", self.work_dir, self.epoch)
    }

    /// The numbers of the task's pages, ascending.
    #[must_use]
    pub fn page_numbers(&self) -> Vec<u32> {
        let all = || (1..=self.source.pages).collect();
        let chosen = self.options.pages.as_ref().map(|selection| selection.resolve(self.source.pages));
        chosen.map_or_else(all, Result::unwrap_or_default)
    }

    /// When the next message about an end of it is to be sent, if there is one to send.
    #[must_use]
    pub fn message_due_at(&self) -> Option<Timestamp> {
        let earlier = self.undelivered.iter().map(|notice| &notice.webhook);
        earlier.chain(&self.webhook).filter_map(Webhook::due_at).min()
    }

    /// The message that is to be sent next, with what it tells.
    #[must_use]
    pub fn next_notice(&self) -> Option<EndNotice> {
        let all = self.undelivered.iter().cloned().chain(self.end_notice());
        all.filter(|notice| notice.webhook.due_at().is_some()).min_by_key(|notice| notice.webhook.due_at())
    }

    /// The message about its end, with what it tells.
    fn end_notice(&self) -> Option<EndNotice> {
        Some(EndNotice {
            webhook: self.webhook.clone()?,
            status: self.status,
            finished_at: self.finished_at,
            done: self.counts.done,
            failed: self.counts.failed,
            doubtful: self.counts.doubtful,
            error: self.error.clone(),
            cost: self.usage.cost,
        })
    }

    /// The message of this name.
    #[must_use]
    pub fn message(&self, name: &str) -> Option<&Webhook> {
        let earlier = self.undelivered.iter().map(|notice| &notice.webhook);
        earlier.chain(&self.webhook).find(|webhook| webhook.id == name)
    }

    /// Writes down how a message of this task stands. One of an earlier end goes when it is delivered or given up.
    pub fn set_message(&mut self, webhook: Webhook) {
        if self.webhook.as_ref().is_some_and(|own| own.id == webhook.id) {
            self.webhook = Some(webhook);
        } else if let Some(notice) = self.undelivered.iter_mut().find(|notice| notice.webhook.id == webhook.id) {
            notice.webhook = webhook;
            self.undelivered.retain(|notice| notice.webhook.due_at().is_some());
        }
    }

    /// Pages without an outcome, or `None` while the page count is not known.
    #[must_use]
    pub fn pending_pages(&self) -> Option<u32> {
        let total = self.total_pages?;
        Some(total.saturating_sub(self.counts.done).saturating_sub(self.counts.failed))
    }
}

/// A pending record as a submit makes it, for the contract suite and tests.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn test_record(created_ms: u64) -> TaskRecord {
    let id = TaskId::generate();
    let now = Timestamp::from_millis(created_ms);
    TaskRecord {
        id,
        status: TaskStatus::Pending,
        pdf_path: format!("tasks/{id}/source.pdf"),
        result_path: None,
        work_dir: format!("tasks/{id}"),
        total_pages: Some(12),
        error: None,
        created_at: now,
        updated_at: now,
        started_at: None,
        finished_at: None,
        expires_at: None,
        version: 1,
        epoch: 1,
        owner: None,
        cancel_requested: false,
        fingerprint: Some(format!("print-{id}")),
        idempotency: None,
        crashes: BTreeMap::new(),
        retries: 0,
        tenant: None,
        file_name: Some("a \"quoted\" näme.pdf".into()),
        source: Source { sha256: "00".repeat(32), bytes: 4, pages: 12 },
        scoped_pages: true,
        processor: "text".into(),
        options: TaskOptions::default(),
        counts: Counts::default(),
        usage: Usage::default(),
        webhook: None,
        undelivered: Vec::new(),
        result_digests: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_final_step_sets_the_end_and_the_expiry() {
        let mut task = test_record(1_000);
        task.options.ttl = Some(60);
        task.take(TaskStep::Dispatch, Timestamp::from_millis(2_000), Duration::ZERO).unwrap();
        task.take(TaskStep::Complete, Timestamp::from_millis(3_000), Duration::ZERO).unwrap();
        assert_eq!(task.started_at, Some(Timestamp::from_millis(2_000)));
        assert_eq!(task.finished_at, Some(Timestamp::from_millis(3_000)));
        assert_eq!(task.expires_at, Some(Timestamp::from_millis(63_000)));
        let before = task.clone();
        assert!(task.take(TaskStep::Cancel, Timestamp::from_millis(4_000), Duration::ZERO).is_err());
        assert_eq!(task, before);
    }

    #[test]
    fn an_id_says_when_it_was_made() {
        let (before, id, after) = (Timestamp::now(), TaskId::generate(), Timestamp::now());
        assert!(before <= id.made_at() && id.made_at() <= after);
    }

    #[test]
    fn nothing_is_stamped_before_what_came_before_it() {
        for step in [TaskStep::Complete, TaskStep::Fail, TaskStep::Cancel] {
            let mut task = test_record(9_000);
            task.updated_at = Timestamp::from_millis(1);
            if step == TaskStep::Complete {
                task.take(TaskStep::Dispatch, Timestamp::from_millis(2_000), Duration::ZERO).unwrap();
                assert_eq!(task.started_at, Some(task.created_at));
            }
            task.take(step, Timestamp::from_millis(3_000), Duration::from_secs(60)).unwrap();
            assert_eq!((task.finished_at, task.updated_at), (Some(task.created_at), task.created_at));
            assert_eq!(task.expires_at, Some(Timestamp::from_millis(69_000)));
        }
    }

    #[test]
    fn a_retry_is_a_new_epoch_without_an_end() {
        let mut task = test_record(1_000);
        task.take(TaskStep::Fail, Timestamp::from_millis(2_000), Duration::ZERO).unwrap();
        task.take(TaskStep::Retry, Timestamp::from_millis(3_000), Duration::ZERO).unwrap();
        assert_eq!((task.status, task.epoch, task.retries), (TaskStatus::Pending, 2, 1));
        assert_eq!((task.finished_at, task.expires_at, task.error), (None, None, None));
    }

    #[test]
    fn a_message_that_was_not_delivered_survives_retries() {
        let at = Timestamp::from_millis;
        let mut task = test_record(1_000);
        task.options.webhook_url = Some("https://example.org".into());
        task.counts.done = 3;
        task.take(TaskStep::Fail, at(2_000), Duration::ZERO).unwrap();
        let first = task.webhook.clone().unwrap();
        task.take(TaskStep::Retry, at(3_000), Duration::ZERO).unwrap();
        assert_eq!((task.message_due_at(), &task.webhook), (Some(at(2_000)), &None));
        let notice = task.next_notice().unwrap();
        assert_eq!((notice.status, notice.done, notice.finished_at), (TaskStatus::Failed, 3, Some(at(2_000))));
        assert_eq!(task.message(&first.id), Some(&first));
        task.take(TaskStep::Complete, at(4_000), Duration::ZERO).unwrap();
        let second = task.webhook.clone().unwrap();
        assert_eq!(task.next_notice().unwrap().webhook, first, "the longest due first");
        let mut delivered = first.clone();
        delivered.delivered(at(5_000));
        task.set_message(delivered);
        assert!(task.undelivered.is_empty() && task.message(&first.id).is_none());
        assert_eq!(task.next_notice().unwrap().webhook, second);
        let mut delivered = second.clone();
        delivered.delivered(at(6_000));
        task.set_message(delivered.clone());
        assert_eq!((&task.webhook, task.next_notice()), (&Some(delivered), None));
        task.take(TaskStep::Retry, at(7_000), Duration::ZERO).unwrap();
        assert!(task.undelivered.is_empty(), "what was delivered is not sent again");
        for time in 10..50 {
            task.take(TaskStep::Cancel, at(time * 1_000), Duration::ZERO).unwrap();
            task.take(TaskStep::Retry, at(time * 1_000), Duration::ZERO).unwrap();
        }
        assert_eq!(task.undelivered.len(), MAX_UNDELIVERED);
    }
}
