//! The façade: plain async methods over the supervisor's messages.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use actix::{Addr, MailboxError};
use tokio_util::sync::CancellationToken;

use super::actor::Supervisor;
use super::intake::recipes::task_recipes;
use super::intake::submit::not_stored;
use super::intake::tenants::UploadSlot;
use super::messages::{
    Accepted, CancelTask, CheckAlive, CheckReady, DeleteTask, DrawTaskPage, EstimateTask, Follow, FollowTask,
    GetSystemHealth, GetTask, ListTasks, RequestError, RetryTask, SendWebhook, SubmitTask, SystemHealth, TaskLocation,
    TaskPagesNow, Watch, WatchTask,
};
use super::options::SupervisorOptions;
use super::pages::{PageWindow, read_pages};
use super::registry::Processors;
use super::results::unreadable;
use super::role::Role;
use crate::blob::{LocalBlob, Staged, Staging};
use crate::document::{DocumentLimits, ImageOptions, PageImage};
use crate::job::{GetPages, JobPages};
use crate::ledger::{Ledger, LedgerScope, LedgerSharing, PageHashes};
use crate::notify::Notifier;
use crate::outbound::Fetcher;
use crate::pool::{Estimate, Load};
use crate::store::{ListPage, ListQuery};
use crate::task::{Cost, Failure, OptionError, PageView, TaskId, TaskOptions, TaskRecord, code};

/// A PDF to be submitted, from Rust.
#[derive(Debug)]
pub struct NewTask {
    source: NewSource,
    file_name: Option<String>,
    options: TaskOptions,
    idempotency_key: Option<String>,
    tenant: Option<String>,
}

#[derive(Debug)]
enum NewSource {
    Path(PathBuf),
    Bytes(Vec<u8>),
    Url(String),
}

impl NewSource {
    /// How many bytes there are; 0 when that is not known.
    fn len(&self) -> u64 {
        match self {
            Self::Path(path) => std::fs::metadata(path).map_or(0, |metadata| metadata.len()),
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Url(_) => 0,
        }
    }
}

impl NewTask {
    /// A PDF in a file. It is copied: the file may change or go as soon as the task is accepted.
    pub fn from_path(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let file_name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        Self { file_name, ..Self::of(NewSource::Path(path)) }
    }

    /// A PDF in memory.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::of(NewSource::Bytes(bytes.into()))
    }

    /// A PDF at an address, which is fetched when the task is submitted, where the
    /// [options](crate::outbound::FetchOptions) allow its host.
    pub fn from_url(url: impl Into<String>) -> Self {
        Self::of(NewSource::Url(url.into()))
    }

    fn of(source: NewSource) -> Self {
        Self { source, file_name: None, options: TaskOptions::default(), idempotency_key: None, tenant: None }
    }

    /// Says whose the task is: tenants share the workers alike, however many tasks each brings, and each has its own
    /// list and its own quota.
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// Says how the document is called, where its path does not.
    #[must_use]
    pub fn file_name(mut self, name: impl Into<String>) -> Self {
        self.file_name = Some(name.into());
        self
    }

    /// Replaces all options.
    #[must_use]
    pub fn options(mut self, options: TaskOptions) -> Self {
        self.options = options;
        self
    }

    /// Names this submit: the same name again, with the same PDF and options, leads to the same task, also when that one
    /// has failed. It is forgotten with its task.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Sets one option by its name, as the HTTP form does.
    ///
    /// # Errors
    /// [`OptionError`] when the name is unknown or the value does not fit.
    pub fn option(mut self, name: &str, value: &str) -> Result<Self, OptionError> {
        self.options.set(name, value)?;
        Ok(self)
    }
}

/// Talks to a running Bindery. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    pub(super) supervisor: Addr<Supervisor>,
    pub(super) blob: LocalBlob,
    ledger: Ledger,
    ledger_sharing: LedgerSharing,
    processors: Processors,
    limits: DocumentLimits,
    pub(super) counts_requests: bool,
    role: Role,
    pub(super) outside: Outside,
}

/// What reaches addresses that callers name.
#[derive(Clone)]
pub(crate) struct Outside {
    pub(super) fetcher: Fetcher,
    pub(super) notifier: Notifier,
}

impl Outside {
    pub(crate) fn new(options: &SupervisorOptions) -> Self {
        Self { fetcher: Fetcher::new(&options.fetch), notifier: Notifier::new(options.notify.clone()) }
    }
}

impl Handle {
    pub(crate) fn new(
        supervisor: Addr<Supervisor>,
        blob: LocalBlob,
        (ledger, ledger_sharing): (Ledger, LedgerSharing),
        processors: Processors,
        (limits, counts_requests, role, outside): (DocumentLimits, bool, Role, Outside),
    ) -> Self {
        Self { supervisor, blob, ledger, ledger_sharing, processors, limits, counts_requests, role, outside }
    }

    /// The actor itself, for those who would rather send the messages.
    #[must_use]
    pub const fn supervisor(&self) -> &Addr<Supervisor> {
        &self.supervisor
    }

    /// What this server does of the work of all that share its store.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// What processors have learnt of the models that they ask, as JSON objects that name one.
    #[must_use]
    pub fn learnt(&self) -> Vec<serde_json::Value> {
        self.processors.each().flat_map(|one| one.learnt()).collect()
    }

    /// The names of the processors that tasks can choose; the first is the default.
    #[must_use]
    pub fn processor_names(&self) -> Vec<String> {
        self.processors.names().map(str::to_owned).collect()
    }

    /// What a document may be.
    #[must_use]
    pub const fn limits(&self) -> DocumentLimits {
        self.limits
    }

    /// Submits a PDF; on return the task survives whatever dies. The same PDF with the same options that is being worked
    /// on, or was completed, is the same task, unless the option `reuse` says no.
    ///
    /// # Errors
    /// [`RequestError::Rejected`] with the reason when the PDF or an option is not acceptable, and whatever else keeps
    /// a task from being kept.
    pub async fn submit(&self, task: NewTask) -> Result<TaskRecord, RequestError> {
        let NewTask { source, mut file_name, options, idempotency_key, tenant } = task;
        let upload = self.begin_submit(tenant.clone(), source.len()).await?;
        let source = if let NewSource::Url(url) = &source {
            let (source, called) = self.fetch(url, &[], &upload).await?;
            file_name = file_name.or(called);
            source
        } else {
            let (staging, limit) = (self.stage()?, self.limits.max_bytes);
            let staged = tokio::task::spawn_blocking(move || copy(staging, &source, limit));
            staged.await.map_err(|_| RequestError::Stopping)??
        };
        let upload = Some(upload);
        self.submit_staged(SubmitTask { source, file_name, options, idempotency_key, tenant, upload })
            .await
            .map(|task| task.record)
    }

    /// Submits an upload that is on disk already.
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub async fn submit_staged(&self, submit: SubmitTask) -> Result<Accepted, RequestError> {
        self.supervisor.send(submit).await.map_err(gone)?
    }

    /// The task's record with live progress.
    ///
    /// # Errors
    /// [`RequestError::NotFound`], or that the store does not answer.
    pub async fn get(&self, id: TaskId) -> Result<TaskRecord, RequestError> {
        self.supervisor.send(GetTask(id)).await.map_err(gone)?
    }

    /// Whether tasks can be accepted and worked on now.
    ///
    /// # Errors
    /// What keeps them from it.
    pub async fn ready(&self) -> Result<Load, RequestError> {
        self.supervisor.send(CheckReady).await.map_err(gone)?
    }

    /// Whether the process works at all, for what starts it again when it does not: a store or a disk that does not answer is
    /// no reason for that.
    ///
    /// # Errors
    /// That a part of it has ended. One that hangs does not answer.
    pub async fn alive(&self) -> Result<Load, RequestError> {
        self.supervisor.send(CheckAlive).await.map_err(gone)?
    }

    /// What an operator wants to know.
    ///
    /// # Errors
    /// That the store does not answer.
    pub async fn condition(&self) -> Result<SystemHealth, RequestError> {
        self.supervisor.send(GetSystemHealth).await.map_err(gone)?
    }

    /// A window of the tasks, newest first.
    ///
    /// # Errors
    /// That the store does not answer.
    pub async fn list(&self, query: ListQuery) -> Result<ListPage, RequestError> {
        self.supervisor.send(ListTasks(query)).await.map_err(gone)?
    }

    /// The record now and whenever it changes, up to its final one.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn watch(&self, id: TaskId) -> Result<Watch, RequestError> {
        self.supervisor.send(WatchTask(id)).await.map_err(gone)?
    }

    /// The same with each page that gets its outcome here.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn follow(&self, id: TaskId) -> Result<Follow, RequestError> {
        self.supervisor.send(FollowTask(id)).await.map_err(gone)?
    }

    /// Waits until the task is final.
    ///
    /// # Errors
    /// As [`Self::get`]; [`RequestError::Stopping`] when the service ends before the task does.
    pub async fn wait(&self, id: TaskId) -> Result<TaskRecord, RequestError> {
        loop {
            // Without a last record the task is gone, or the service is; asking again tells which.
            if let Some(last) = self.watch(id).await?.last().await {
                return Ok(last);
            }
        }
    }

    /// Waits until the task is final, but no longer than `limit`; then answers how it stands.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn wait_at_most(&self, id: TaskId, limit: Duration) -> Result<TaskRecord, RequestError> {
        match tokio::time::timeout(limit, self.wait(id)).await {
            Ok(waited) => waited,
            Err(_) => self.get(id).await,
        }
    }

    /// Cancels the task.
    ///
    /// # Errors
    /// [`RequestError::AlreadyFinal`], and as [`Self::get`].
    pub async fn cancel(&self, id: TaskId) -> Result<TaskRecord, RequestError> {
        self.supervisor.send(CancelTask(id)).await.map_err(gone)?
    }

    /// Runs the pages without output again.
    ///
    /// # Errors
    /// [`RequestError::NotFinal`], and as [`Self::get`].
    pub async fn retry(&self, id: TaskId) -> Result<TaskRecord, RequestError> {
        self.supervisor.send(RetryTask { id, max_cost: None }).await.map_err(gone)?
    }

    /// The same with another limit of what the task may cost, what it has cost already included.
    ///
    /// # Errors
    /// As [`Self::retry`].
    pub async fn retry_for(&self, id: TaskId, max_cost: Cost) -> Result<TaskRecord, RequestError> {
        self.supervisor.send(RetryTask { id, max_cost: Some(max_cost) }).await.map_err(gone)?
    }

    /// What a task would take: pages, calls, tokens and money, without spending any. Each page is looked at. `upload` is
    /// the slot that the PDF came in on, if it has one.
    ///
    /// # Errors
    /// [`RequestError::Rejected`] with the reason when the PDF or an option is not acceptable.
    pub async fn estimate(
        &self,
        source: Staged,
        options: TaskOptions,
        tenant: Option<String>,
        upload: Option<UploadSlot>,
    ) -> Result<Estimate, RequestError> {
        let cancel = CancellationToken::new();
        let _wanted = cancel.clone().drop_guard();
        self.supervisor.send(EstimateTask { source, options, tenant, upload, cancel }).await.map_err(gone)?
    }

    /// [`Self::estimate`] of a file.
    ///
    /// # Errors
    /// As [`Self::estimate`].
    pub async fn estimate_file(&self, path: PathBuf, options: TaskOptions) -> Result<Estimate, RequestError> {
        let (staging, limit) = (self.stage()?, self.limits.max_bytes);
        let staged = tokio::task::spawn_blocking(move || copy(staging, &NewSource::Path(path), limit)).await;
        let source = staged.map_err(|_| RequestError::Stopping)??;
        self.estimate(source, options, None, None).await
    }

    /// Sends the message about the task's end again.
    ///
    /// # Errors
    /// [`RequestError::NotFinal`], [`RequestError::NoWebhook`], and as [`Self::get`].
    pub async fn send_webhook(&self, id: TaskId) -> Result<TaskRecord, RequestError> {
        self.supervisor.send(SendWebhook(id)).await.map_err(gone)?
    }

    /// Removes the task and its files. What was read stays in the ledger.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn delete(&self, id: TaskId) -> Result<(), RequestError> {
        self.supervisor.send(DeleteTask { id, purge: false }).await.map_err(gone)?
    }

    /// Removes the task, its files, and all that was read of it, but for pages that another tenant's task counts on.
    /// On return no text of the PDF is left; once begun it is finished at the next start, should this process die.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn purge(&self, id: TaskId) -> Result<(), RequestError> {
        self.supervisor.send(DeleteTask { id, purge: true }).await.map_err(gone)?
    }

    /// Pages of the task as they stand now, with the text of those that are done.
    ///
    /// # Errors
    /// [`RequestError::ResultDamaged`] when they are not what was written, and as [`Self::get`].
    pub async fn pages(&self, id: TaskId, window: PageWindow) -> Result<(TaskRecord, Vec<PageView>), RequestError> {
        let mut damaged = None;
        // Read again once: the task may have been retried or deleted in between.
        for _ in 0..2 {
            match self.pages_now(id, window.clone()).await? {
                (record, Some(views)) => return Ok((record, views)),
                (record, None) => damaged = Some(record),
            }
        }
        Err(damaged.map_or(RequestError::NotFound, |record| RequestError::ResultDamaged(Box::new(record))))
    }

    async fn pages_now(
        &self,
        id: TaskId,
        window: PageWindow,
    ) -> Result<(TaskRecord, Option<Vec<PageView>>), RequestError> {
        let TaskLocation { record, job } = self.supervisor.send(TaskPagesNow(id)).await.map_err(gone)??;
        let live = match job {
            Some(job) => job.send(GetPages).await.unwrap_or_default(),
            None => JobPages::default(),
        };
        let recipes = self.processors.get(&record.processor);
        let recipes = recipes.map_or_else(Vec::new, |processor| task_recipes(processor.as_ref(), &record));
        let (blob, ledger) = (self.blob.clone(), self.ledger.clone());
        let scope = LedgerScope::of(self.ledger_sharing, record.tenant.as_deref());
        let read = tokio::task::spawn_blocking(move || {
            let hashes = PageHashes::new(blob.clone(), &record.work_dir, &record.source.sha256, scope);
            read_pages(&blob, &ledger, &record, &live, (&hashes, &recipes), &window).map(|views| (record, views))
        });
        read.await.map_err(|_| RequestError::Stopping)?.map_err(|error| unreadable(&error))
    }
}

impl Handle {
    /// What a page of the task's PDF looks like, whether it has been read or not.
    ///
    /// # Errors
    /// [`RequestError::Rejected`] when there is no such page or it cannot be drawn, and as [`Self::get`].
    pub async fn page_image(&self, id: TaskId, page: u32, options: ImageOptions) -> Result<PageImage, RequestError> {
        // Fires when the caller that waits here goes.
        let cancel = CancellationToken::new();
        let _wanted = cancel.clone().drop_guard();
        self.supervisor.send(DrawTaskPage { id, page, options, cancel }).await.map_err(gone)?
    }
}

pub(super) fn gone(_: MailboxError) -> RequestError {
    RequestError::Stopping
}

/// Copies a file of our own, whose path no error names.
pub(super) fn copy_file(staging: Staging, path: &Path, limit: u64) -> Result<Staged, RequestError> {
    std::fs::File::open(path).map_err(|error| unreadable(&error))?;
    copy(staging, &NewSource::Path(path.to_owned()), limit)
}

fn copy(mut staging: Staging, source: &NewSource, limit: u64) -> Result<Staged, RequestError> {
    let storage = |error: std::io::Error| not_stored(&error);
    let too_large = || RequestError::Rejected(crate::document::too_large(limit));
    match source {
        NewSource::Bytes(bytes) if bytes.len() as u64 > limit => return Err(too_large()),
        NewSource::Bytes(bytes) => staging.write(bytes).map_err(storage)?,
        // Fetched, not copied.
        NewSource::Url(_) => {}
        NewSource::Path(path) => {
            let mut file = open(path)?;
            let mut buffer = vec![0; 256 * 1024];
            loop {
                let read = file.read(&mut buffer).map_err(|error| cannot_read(path, &error))?;
                if read == 0 {
                    break;
                }
                if staging.written() + read as u64 > limit {
                    return Err(too_large());
                }
                staging.write(&buffer[..read]).map_err(storage)?;
            }
        }
    }
    Ok(staging.finish())
}

fn open(path: &Path) -> Result<std::fs::File, RequestError> {
    std::fs::File::open(path).map_err(|error| cannot_read(path, &error))
}

/// The path is the caller's own, so naming it reveals nothing.
fn cannot_read(path: &Path, error: &std::io::Error) -> RequestError {
    let why = match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        kind => kind.to_string(),
    };
    RequestError::Rejected(Failure::permanent(code::NOT_A_PDF, format!("{}: {why}", path.display())))
}

#[cfg(test)]
#[path = "handle_tests.rs"]
mod tests;
