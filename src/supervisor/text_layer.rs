//! What a page of a task's document says by itself, and what OCR reads on it.

use actix::{Context, Handler, Message, ResponseFuture};
use tokio_util::sync::CancellationToken;

use super::queries::source_path;
use super::{Handle, RequestError, Supervisor};
use crate::content::PageContent;
use crate::document::TextOptions;
use crate::pool::{GetTextLayer, ReadAside, SourceCheck};
use crate::processor::OCR;
use crate::task::{Failure, OcrEngine, TaskId, TaskOptions, TaskRecord, code};

/// Asks for the text layer of a page of a task's document.
#[derive(Message)]
#[rtype(result = "Result<PageContent, RequestError>")]
#[non_exhaustive]
pub struct GetTaskTextLayer {
    /// The task.
    pub id: TaskId,
    /// Which page of its document, from 1.
    pub page: u32,
    /// Whether OCR reads its picture instead.
    pub ocr: bool,
    /// Fires when the caller is gone.
    pub cancel: CancellationToken,
}

impl GetTaskTextLayer {
    /// The text layer of page `page` (from 1) of a task.
    #[must_use]
    pub fn new(id: TaskId, page: u32) -> Self {
        Self { id, page, ocr: false, cancel: CancellationToken::new() }
    }
}

impl Handler<GetTaskTextLayer> for Supervisor {
    type Result = ResponseFuture<Result<PageContent, RequestError>>;

    fn handle(&mut self, asked: GetTaskTextLayer, _: &mut Context<Self>) -> Self::Result {
        let GetTaskTextLayer { id, page, ocr, cancel } = asked;
        let (read, blob, limits) = (self.read(id), self.blob.clone(), self.options.limits);
        let dispatcher = self.dispatcher.clone();
        let recogniser = self.processors.get(OCR).cloned();
        Box::pin(async move {
            let TaskRecord { pdf_path, source, options, tenant, .. } = read.await?;
            let path = source_path(blob, pdf_path, source.digest()).await?;
            let (tenant, password) = (tenant.unwrap_or_default(), options.password.clone());
            let check = SourceCheck { path, password, selection: None, limits };
            let content = if ocr {
                let processor = recogniser.ok_or_else(|| {
                    let why = "no text is recognised here: bindery models install";
                    RequestError::Rejected(Failure::permanent(code::BAD_OPTION, why))
                })?;
                let TaskOptions { ocr, ocr_languages, password, .. } = options;
                // A task that wants none recognised is compared all the same.
                let ocr = ocr.filter(|engine| *engine != OcrEngine::Off);
                let options = TaskOptions { password, ocr, ocr_languages, ..TaskOptions::default() };
                dispatcher.send(ReadAside { tenant, check, page, processor, options, cancel }).await
            } else {
                let options = TextOptions::from(&options);
                dispatcher.send(GetTextLayer { tenant, check, page, options, cancel }).await
            };
            content.map_err(|_| RequestError::Stopping)?.map_err(|why| {
                if why.retryable { RequestError::StorageFailed(why) } else { RequestError::Rejected(why) }
            })
        })
    }
}

impl Handle {
    /// The text layer of a page of the task's document, whether the page has been read or not.
    ///
    /// # Errors
    /// [`RequestError::Rejected`] when there is no such page or it cannot be read, and as [`Self::get`].
    pub async fn text_layer(&self, id: TaskId, page: u32) -> Result<PageContent, RequestError> {
        self.said_by_itself(id, page, false).await
    }

    /// What OCR on this machine reads on the picture of a page of the task's document. It takes seconds of a core, and nothing
    /// of it is kept.
    ///
    /// # Errors
    /// [`RequestError::Rejected`] when nothing recognises text here, and as [`Self::text_layer`].
    pub async fn recognised_text(&self, id: TaskId, page: u32) -> Result<PageContent, RequestError> {
        self.said_by_itself(id, page, true).await
    }

    async fn said_by_itself(&self, id: TaskId, page: u32, ocr: bool) -> Result<PageContent, RequestError> {
        let cancel = CancellationToken::new();
        let _cancelled_with_this = cancel.clone().drop_guard();
        let asked = self.supervisor().send(GetTaskTextLayer { id, page, ocr, cancel });
        asked.await.map_err(|_| RequestError::Stopping)?
    }
}
