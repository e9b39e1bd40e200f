//! Accepting a task: check the PDF, make the source safe, write the record.

use std::sync::Arc;

use actix::{ActorFutureExt, Addr, Context, Handler, ResponseActFuture, WrapFuture};
use uuid::Uuid;

use super::actor::Supervisor;
use super::messages::{RequestError, SubmitTask};
use crate::blob::{LocalBlob, Staged};
use crate::clock::Timestamp;
use crate::pool::{CheckSource, Dispatcher, SourceCheck};
use crate::store::{StoreError, TaskStore};
use crate::task::{Counts, Failure, Source, TaskId, TaskRecord, TaskStatus, Usage, code};

/// How often the record's first write is tried before the submit is answered with an error.
const CREATE_TRIES: u32 = 3;

impl Handler<SubmitTask> for Supervisor {
    type Result = ResponseActFuture<Self, Result<TaskRecord, RequestError>>;

    fn handle(&mut self, submit: SubmitTask, _: &mut Context<Self>) -> Self::Result {
        let refused = if self.draining {
            Some(RequestError::Stopping)
        } else if self.unfinished() >= self.options.max_queued {
            Some(RequestError::QueueFull)
        } else {
            None
        };
        let processor = self.processors.choose(&submit.options).map(|processor| processor.name().to_owned());
        let (processor, refused) = match (refused, processor) {
            (None, Ok(processor)) => (processor, None),
            (Some(refused), _) => (String::new(), Some(refused)),
            (None, Err(why)) => (String::new(), Some(RequestError::Rejected(why))),
        };
        if let Some(refused) = refused {
            return Box::pin(async move { Err(refused) }.into_actor(self));
        }
        let acceptance = Acceptance {
            store: Arc::clone(&self.store),
            blob: self.blob.clone(),
            dispatcher: self.dispatcher.clone(),
            node: self.options.node.clone(),
            limits: self.options.limits,
            processor,
        };
        self.submitting += 1;
        Box::pin(acceptance.accept(submit).into_actor(self).map(|accepted, this, ctx| {
            this.submitting -= 1;
            if let Ok(record) = &accepted {
                log::info!(task:% = record.id, pages = record.source.pages, bytes = record.source.bytes; "task accepted");
                this.admit(record.clone(), ctx);
            }
            accepted
        }))
    }
}

struct Acceptance {
    store: Arc<dyn TaskStore>,
    blob: LocalBlob,
    dispatcher: Addr<Dispatcher>,
    node: String,
    limits: crate::document::DocumentLimits,
    processor: String,
}

impl Acceptance {
    /// Whatever fails on the way, nothing is left behind: the staged file goes with its owner, and a source whose
    /// record could not be written is removed.
    async fn accept(self, submit: SubmitTask) -> Result<TaskRecord, RequestError> {
        let id = TaskId::generate();
        let check = CheckSource {
            task: id,
            tenant: String::new(),
            check: SourceCheck {
                path: submit.source.path().to_owned(),
                password: submit.options.password.clone(),
                selection: submit.options.pages.clone(),
                limits: self.limits,
            },
        };
        let checked = self.dispatcher.send(check).await.map_err(|_| RequestError::Stopping)?;
        let pages = checked.map_err(|why| {
            if why.retryable { RequestError::StorageFailed(why) } else { RequestError::Rejected(why) }
        })?;
        let source = Source { sha256: submit.source.sha256().to_owned(), bytes: submit.source.len(), pages: pages.all };
        let now = Timestamp::now();
        let record = TaskRecord {
            id,
            status: TaskStatus::Pending,
            pdf_path: format!("tasks/{id}/source.pdf"),
            result_path: None,
            work_dir: format!("tasks/{id}"),
            total_pages: Some(pages.selected),
            error: None,
            created_at: now,
            updated_at: now,
            started_at: None,
            finished_at: None,
            expires_at: None,
            version: 1,
            epoch: 1,
            owner: Some(self.node.clone()),
            file_name: submit.file_name,
            source,
            processor: self.processor.clone(),
            options: submit.options,
            counts: Counts::default(),
            usage: Usage::default(),
        };
        self.keep_source(submit.source, &record).await?;
        match self.create(&record).await {
            Ok(()) => Ok(record),
            Err(error) => {
                self.forget(&record).await;
                Err(error.into())
            }
        }
    }

    async fn keep_source(&self, source: Staged, record: &TaskRecord) -> Result<(), RequestError> {
        let (blob, key, folder) = (self.blob.clone(), record.pdf_path.clone(), record.work_dir.clone());
        let kept = tokio::task::spawn_blocking(move || {
            blob.commit(source, &key).inspect_err(|_| drop(blob.remove_folder(&folder)))
        });
        let kept = kept.await.map_err(|_| RequestError::Stopping)?;
        kept.map_err(|error| RequestError::StorageFailed(storage_failure(&error)))
    }

    /// The same operation until its fate is known.
    async fn create(&self, record: &TaskRecord) -> Result<(), StoreError> {
        let operation = Uuid::now_v7();
        let mut tries = 0;
        loop {
            tries += 1;
            match self.store.create(record, operation).await {
                Err(StoreError::Unavailable(_)) if tries < CREATE_TRIES => {}
                settled => return settled,
            }
        }
    }

    /// The record's first write may have landed unseen, so it is taken back before the source goes.
    async fn forget(&self, record: &TaskRecord) {
        let taken_back = self.store.delete(record.id).await;
        let (blob, folder) = (self.blob.clone(), record.work_dir.clone());
        let removed = tokio::task::spawn_blocking(move || blob.remove_folder(&folder)).await;
        if let (Err(why), _) | (Ok(_), Err(why)) =
            (&taken_back.map_err(|e| e.to_string()), &removed.map_err(|e| e.to_string()))
        {
            log::warn!(task:% = record.id; "a submit that failed may have left something behind: {why}");
        }
    }
}

/// What the disk says, in the words of a request.
pub(crate) fn storage_failure(error: &std::io::Error) -> Failure {
    if error.kind() == std::io::ErrorKind::StorageFull {
        return Failure::passing(code::DISK_FULL, "the disk is full: free some space and submit again");
    }
    Failure::passing(code::STORAGE_FAILED, format!("the PDF cannot be stored: {}", error.kind()))
}
