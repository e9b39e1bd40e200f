//! A task's document submitted again, with other options.

use crate::supervisor::handle::copy_file;
use crate::supervisor::queries::source_path;
use crate::supervisor::{Accepted, Handle, RequestError, SubmitTask};
use crate::task::{TaskId, TaskOptions, TaskRecord};

impl Handle {
    /// Submits the document of a task again with `given` options, and with the task's own where these say nothing. With
    /// another processor only the options that every processor takes are kept. Its end is announced only when
    /// `given` says so.
    ///
    /// # Errors
    /// As [`Self::get`] and [`Self::submit`].
    pub async fn resubmit(&self, id: TaskId, given: TaskOptions) -> Result<Accepted, RequestError> {
        let TaskRecord { pdf_path, file_name, options, tenant, source, .. } = self.get(id).await?;
        let path = source_path(self.blob.clone(), pdf_path, source.digest()).await?;
        let upload = self.begin_submit(tenant.clone(), source.bytes).await?;
        let (staging, limit) = (self.stage()?, self.limits().max_bytes);
        let staged = tokio::task::spawn_blocking(move || copy_file(staging, &path, limit)).await;
        let source = staged.map_err(|_| RequestError::Stopping)??;
        let own = if given.processor.is_some() || given.model.is_some() { options.without_reader() } else { options };
        let own = TaskOptions { webhook_url: None, webhook_secret: None, reuse: None, ..own };
        let options = given.over(&own);
        let upload = Some(upload);
        self.submit_staged(SubmitTask { source, file_name, options, idempotency_key: None, tenant, upload }).await
    }
}
