//! Text that is recognised on this machine where no model could read a page.

use std::sync::Arc;

use super::{BY_FALLBACK, LlmProcessor, TEXT};
use crate::document::PageReader;
use crate::processor::ocr::{NO_MODELS, OCR};
use crate::processor::{OcrProcessor, PageRead, Processor, ShardInput, ShardOutcome};
use crate::task::{Failure, PageChecks, PageOutput, TaskOptions, code};

/// Whether a reader of a chain makes no calls.
pub(super) fn is_local(reader: &str) -> bool {
    [TEXT, OCR].contains(&reader)
}

impl LlmProcessor {
    /// The same with what recognises text on pictures of pages, for tasks that name it among their fallbacks.
    #[must_use]
    pub fn with_ocr(mut self, ocr: Option<Arc<OcrProcessor>>) -> Self {
        self.ocr = ocr;
        self
    }

    /// As [`Processor::settle`], and OCR is the last resort of tasks for which nobody has chosen another.
    pub(in crate::processor) fn settle_with_ocr(&self, options: &mut TaskOptions) {
        let chosen = options.fallback.is_some() || !self.options.fallback.is_empty();
        if !chosen && self.ocr.as_ref().is_some_and(|ocr| ocr.is_wanted(options)) {
            options.fallback = Some(vec![OCR.to_owned()]);
        }
        self.settle(options);
    }

    /// Whether there is something that recognises text as a task wants it.
    ///
    /// # Errors
    /// `bad_option`.
    pub(super) fn check_ocr(&self, options: &TaskOptions) -> Result<(), Failure> {
        match &self.ocr {
            Some(ocr) => ocr.check(options),
            None => Err(Failure::permanent(code::BAD_OPTION, format!("option fallback: ocr: {NO_MODELS}"))),
        }
    }

    /// Recognises the text of pages that no model could read.
    pub(super) fn recognise(&self, input: &ShardInput<'_>) -> ShardOutcome {
        let why = input.earlier.last().map_or("", |code| code.as_ref());
        let mut reader = input.reader();
        let mut read = Vec::new();
        for page in input.shard.pages() {
            match self.recognised(input, &mut reader, page, why) {
                Err(why) if why.retryable => return ShardOutcome::Failed(why),
                result => read.push(PageRead { page, result }),
            }
        }
        ShardOutcome::Done(read)
    }

    /// The same of one page; `why` stands with it.
    ///
    /// # Errors
    /// Of the page, or one that may pass; `bad_answer` where no text is found.
    pub(super) fn recognised(
        &self,
        input: &ShardInput<'_>,
        reader: &mut PageReader<'_>,
        page: u32,
        why: &str,
    ) -> Result<PageOutput, Failure> {
        let ocr = self.ocr.as_ref().ok_or_else(|| Failure::permanent(code::BAD_OPTION, NO_MODELS))?;
        let output = ocr.read_page(input, reader, page)?;
        if output.content.is_empty() {
            let message = "no model could read the page, and OCR finds no text on it";
            return Err(Failure::permanent(code::BAD_ANSWER, message));
        }
        let checks = PageChecks { route: Some(format!("fallback: {why}")), ..PageChecks::default() };
        Ok(PageOutput { checks: Some(checks), recipe: BY_FALLBACK, ..output })
    }
}
