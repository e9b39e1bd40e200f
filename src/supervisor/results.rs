//! Stored results: found by their records, and served only as what was written.

use std::path::PathBuf;

use super::handle::Handle;
use super::intake::submit::storage_failure;
use super::messages::RequestError;
use crate::blob::{LocalBlob, names};
use crate::task::{ImageName, TaskId, TaskRecord, TaskStatus};

/// Which file of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultFile {
    /// The Markdown.
    Markdown,
    /// The pages as JSON.
    Json,
}

impl Handle {
    /// The complete Markdown of a completed task.
    ///
    /// # Errors
    /// As [`Self::result_path`].
    pub async fn result(&self, id: TaskId) -> Result<String, RequestError> {
        let (_, path) = self.result_path(id).await?;
        let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(path)).await;
        read.map_err(|_| RequestError::Stopping)?.map_err(|error| unreadable(&error))
    }

    /// The file of a figure of a task, as far as its pages are read; `None` when it has none of this name.
    ///
    /// # Errors
    /// [`RequestError::ResultDamaged`] when the file is not what was written, and as [`Self::get`].
    pub async fn image(&self, id: TaskId, name: ImageName) -> Result<Option<Vec<u8>>, RequestError> {
        let record = self.get(id).await?;
        let (blob, key) = (self.blob.clone(), format!("{}/{}", record.work_dir, names::task_image(&name)));
        let read = tokio::task::spawn_blocking(move || blob.get(&key)).await;
        match read.map_err(|_| RequestError::Stopping)?.map_err(|error| unreadable(&error))? {
            Some(bytes) if !name.names(&bytes) => Err(RequestError::ResultDamaged(Box::new(record))),
            found => Ok(found),
        }
    }

    /// The figures of a task that has ended, and where their files are.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn image_paths(&self, id: TaskId) -> Result<Vec<(ImageName, PathBuf)>, RequestError> {
        let folder = self.get(id).await?.work_dir;
        let blob = self.blob.clone();
        let listed = tokio::task::spawn_blocking(move || {
            let names = blob.names(&folder)?;
            let images = names.iter().filter_map(|name| Some((names::image_of(name)?, name)));
            let place = |name| blob.local_copy(&format!("{folder}/{name}"));
            images.map(|(image, name)| Ok((image, place(name)?))).collect::<std::io::Result<Vec<_>>>()
        });
        listed.await.map_err(|_| RequestError::Stopping)?.map_err(|error| unreadable(&error))
    }

    /// The record of a completed task and its Markdown file.
    ///
    /// # Errors
    /// [`RequestError::ResultNotReady`] when the task is not completed, [`RequestError::ResultDamaged`] when the file is
    /// not what was written, and as [`Self::get`].
    pub async fn result_path(&self, id: TaskId) -> Result<(TaskRecord, PathBuf), RequestError> {
        self.stored_result(id, ResultFile::Markdown, false).await
    }

    /// The record of an ended task and a file of its result; with `partial` also of one that was not completed.
    ///
    /// # Errors
    /// [`RequestError::ResultNotReady`] when there is no such file, and as [`Self::result_path`].
    pub(crate) async fn stored_result(
        &self,
        id: TaskId,
        which: ResultFile,
        partial: bool,
    ) -> Result<(TaskRecord, PathBuf), RequestError> {
        let mut damaged = None;
        // Read again once: the task may have been retried or deleted in between.
        for _ in 0..2 {
            let record = self.get(id).await?;
            let ended = record.status == TaskStatus::Completed || (partial && record.status.is_final());
            if !ended || record.result_path.is_none() {
                return Err(RequestError::ResultNotReady(Box::new(record)));
            }
            match self.whole_file(&record, which).await? {
                Some(path) => return Ok((record, path)),
                None => damaged = Some(record),
            }
        }
        Err(damaged.map_or(RequestError::NotFound, |record| RequestError::ResultDamaged(Box::new(record))))
    }

    async fn whole_file(&self, record: &TaskRecord, which: ResultFile) -> Result<Option<PathBuf>, RequestError> {
        let (blob, record) = (self.blob.clone(), record.clone());
        let looked = tokio::task::spawn_blocking(move || whole_file(&blob, &record, which)).await;
        looked.map_err(|_| RequestError::Stopping)?.map_err(|error| unreadable(&error))
    }
}

/// Where a file of a task's result is; `None` when there is none, or it is not what was written. What older versions wrote
/// is taken as it is.
///
/// # Errors
/// When the file is there and cannot be read.
pub(super) fn whole_file(blob: &LocalBlob, record: &TaskRecord, which: ResultFile) -> std::io::Result<Option<PathBuf>> {
    let digests = record.result_digests.as_ref();
    let (key, digest) = match which {
        ResultFile::Markdown => (record.markdown_key(), digests.map(|digests| &digests.markdown)),
        ResultFile::Json => (record.json_key(), digests.map(|digests| &digests.json)),
    };
    let whole = match digest {
        Some(digest) => blob.is_whole(&key, digest)?,
        None => blob.modified_and_size(&key)?.is_some(),
    };
    whole.then(|| blob.local_copy(&key)).transpose()
}

/// A file that is there and cannot be read now, such as one without permission.
pub(crate) fn unreadable(error: &std::io::Error) -> RequestError {
    log::warn!("a stored result cannot be read: {error}");
    RequestError::StorageFailed(storage_failure("a stored result cannot be read", error))
}
