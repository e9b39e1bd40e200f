//! The façade: plain async methods over the supervisor's messages.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use actix::{Addr, MailboxError};
use tokio_util::sync::CancellationToken;

use super::actor::{Supervisor, task_recipes};
use super::messages::{
    Accepted, BeginUpload, CancelTask, CheckReady, Condition, DeleteTask, DrawTaskPage, EstimateTask, Follow,
    FollowTask, GetCondition, GetTask, GrowUpload, ListTasks, RequestError, RetryTask, SendWebhook, SubmitTask,
    TaskPagesNow, Watch, WatchTask, Whereabouts,
};
use super::pages::{PageWindow, read_pages};
use super::registry::Processors;
use super::results::unreadable;
use super::submit::not_stored;
use super::tenants::UploadSlot;
use crate::blob::{LocalBlob, Staged, Staging};
use crate::document::{DocumentLimits, ImageOptions, PageImage};
use crate::job::{GetPages, JobPages};
use crate::ledger::{Ledger, LedgerScope, LedgerSharing, PageHashes};
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
}

impl NewSource {
    /// How many bytes there are; 0 when that is not known.
    fn len(&self) -> u64 {
        match self {
            Self::Path(path) => std::fs::metadata(path).map_or(0, |metadata| metadata.len()),
            Self::Bytes(bytes) => bytes.len() as u64,
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
    supervisor: Addr<Supervisor>,
    pub(super) blob: LocalBlob,
    ledger: Ledger,
    ledger_sharing: LedgerSharing,
    processors: Processors,
    limits: DocumentLimits,
}

impl Handle {
    pub(crate) fn new(
        supervisor: Addr<Supervisor>,
        blob: LocalBlob,
        (ledger, ledger_sharing): (Ledger, LedgerSharing),
        processors: Processors,
        limits: DocumentLimits,
    ) -> Self {
        Self { supervisor, blob, ledger, ledger_sharing, processors, limits }
    }

    /// The actor itself, for those who would rather send the messages.
    #[must_use]
    pub const fn supervisor(&self) -> &Addr<Supervisor> {
        &self.supervisor
    }

    /// What a document may be.
    #[must_use]
    pub const fn limits(&self) -> DocumentLimits {
        self.limits
    }

    /// Starts an upload: bytes go to disk as they come. Blocks briefly.
    ///
    /// # Errors
    /// [`RequestError::StorageFailed`] when no file can be made, or the disk is as good as full.
    pub fn stage(&self) -> Result<Staging, RequestError> {
        let full = || Err(std::io::ErrorKind::StorageFull.into());
        let staged = if self.blob.has_room() { self.blob.stage() } else { full() };
        staged.map_err(|error| not_stored(&error))
    }

    /// Submits a PDF; on return the task survives whatever dies. The same PDF with the same options that is being worked
    /// on, or was completed, is the same task, unless the option `reuse` says no.
    ///
    /// # Errors
    /// [`RequestError::Rejected`] with the reason when the PDF or an option is not acceptable, and whatever else keeps
    /// a task from being kept.
    pub async fn submit(&self, task: NewTask) -> Result<TaskRecord, RequestError> {
        let upload = self.begin_upload(task.tenant.clone(), task.source.len()).await?;
        let staging = self.stage()?;
        let limit = self.limits.max_bytes;
        let staged =
            tokio::task::spawn_blocking(move || copy(staging, &task.source, limit).map(|staged| (staged, task)));
        let (source, task) = staged.await.map_err(|_| RequestError::Stopping)??;
        let NewTask { file_name, options, idempotency_key, tenant, .. } = task;
        let upload = Some(upload);
        self.submit_staged(SubmitTask { source, file_name, options, idempotency_key, tenant, upload })
            .await
            .map(|task| task.record)
    }

    /// Asks whether `tenant` may bring a PDF of `bytes` bytes now, 0 when that is not known. It counts for the tenant as
    /// long as what is returned lives.
    ///
    /// # Errors
    /// [`RequestError::QueueFull`], [`RequestError::OverQuota`] or [`RequestError::Stopping`].
    pub async fn begin_upload(&self, tenant: Option<String>, bytes: u64) -> Result<UploadSlot, RequestError> {
        self.supervisor.send(BeginUpload { tenant, bytes }).await.map_err(gone)?
    }

    /// Counts an upload with `bytes` bytes in all, before they are kept.
    ///
    /// # Errors
    /// [`RequestError::OverQuota`].
    pub async fn grow_upload(&self, upload: &UploadSlot, bytes: u64) -> Result<(), RequestError> {
        if bytes <= upload.bytes() {
            return Ok(());
        }
        self.supervisor.send(GrowUpload { upload: upload.share(), bytes }).await.map_err(gone)?
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

    /// What an operator wants to know.
    ///
    /// # Errors
    /// That the store does not answer.
    pub async fn condition(&self) -> Result<Condition, RequestError> {
        self.supervisor.send(GetCondition).await.map_err(gone)?
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

    /// Gives the task up.
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
        let unwanted = CancellationToken::new();
        let _wanted = unwanted.clone().drop_guard();
        self.supervisor.send(EstimateTask { source, options, tenant, upload, unwanted }).await.map_err(gone)?
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

    /// Has the message about the task's end sent anew.
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
        let Whereabouts { record, job } = self.supervisor.send(TaskPagesNow(id)).await.map_err(gone)??;
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
        // Fires when whoever waits here goes.
        let unwanted = CancellationToken::new();
        let _wanted = unwanted.clone().drop_guard();
        self.supervisor.send(DrawTaskPage { id, page, options, unwanted }).await.map_err(gone)?
    }
}

fn gone(_: MailboxError) -> RequestError {
    RequestError::Stopping
}

fn copy(mut staging: Staging, source: &NewSource, limit: u64) -> Result<Staged, RequestError> {
    let storage = |error: std::io::Error| not_stored(&error);
    let too_large = || RequestError::Rejected(crate::document::too_large(limit));
    match source {
        NewSource::Bytes(bytes) if bytes.len() as u64 > limit => return Err(too_large()),
        NewSource::Bytes(bytes) => staging.write(bytes).map_err(storage)?,
        NewSource::Path(path) => {
            let mut file = open(path)?;
            let mut buffer = vec![0; 256 * 1024];
            loop {
                let read = file.read(&mut buffer).map_err(|error| cannot_read(path, &error))?;
                if read == 0 {
                    break;
                }
                if staging.len() + read as u64 > limit {
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

/// The path is the caller's own, so naming it gives nothing away.
fn cannot_read(path: &Path, error: &std::io::Error) -> RequestError {
    let why = match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        kind => kind.to_string(),
    };
    RequestError::Rejected(Failure::permanent(code::NOT_A_PDF, format!("{}: {why}", path.display())))
}
