//! Text that is recognised on this machine where no model could read a page.

use std::sync::Arc;

use super::LlmProcessor;
use crate::document::PageReader;
use crate::processor::ocr::{NO_MODELS, OCR};
use crate::processor::text::TEXT;
use crate::processor::{OcrProcessor, PageRead, Processor, ShardInput, ShardOutcome};
use crate::task::{Failure, OcrEngine, PageChecks, PageOutput, TaskOptions, code};

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

    /// As [`Processor::pin_defaults`], and OCR is the last resort of tasks that have no other.
    pub(in crate::processor) fn pin_with_ocr(&self, options: &mut TaskOptions) {
        let chosen = options.fallback.is_some() || !self.options.fallback.is_empty();
        if !chosen && self.ocr.as_ref().is_some_and(|ocr| ocr.is_wanted(options)) {
            options.fallback = Some(vec![OCR.to_owned()]);
        }
        self.pin_defaults(options);
    }

    /// As [`Processor::check`] of options that [`Self::pin_with_ocr`] is yet to complete.
    ///
    /// # Errors
    /// `bad_option`.
    pub(in crate::processor) fn check_with_ocr(&self, options: &TaskOptions) -> Result<(), Failure> {
        let mut pinned = options.clone();
        self.pin_with_ocr(&mut pinned);
        self.check(&pinned)
    }

    /// Whether there is something that recognises text as a task wants it, and a task that says how wants it at all.
    ///
    /// # Errors
    /// `bad_option`.
    pub(super) fn check_ocr(&self, options: &TaskOptions) -> Result<(), Failure> {
        let refuse = |message: String| Err(Failure::permanent(code::BAD_OPTION, message));
        let recognises = options.ocr.is_some_and(|ocr| ocr != OcrEngine::Off);
        let given = [("ocr", recognises), ("ocr_languages", options.ocr_languages.is_some())];
        let given = given.iter().find(|(_, given)| *given);
        match (&self.ocr, self.fallback(options).contains(&OCR), given) {
            // Also where it reads no page it is the witness of answers about scans.
            (Some(ocr), true, _) | (Some(ocr), false, Some(_)) => ocr.check_means(options),
            (None, true, _) => refuse(format!("option fallback: ocr: {NO_MODELS}")),
            (_, false, None) => Ok(()),
            (None, false, Some((name, _))) => refuse(format!("option {name}: {NO_MODELS}")),
        }
    }

    /// Recognises the text of pages that no model could read.
    pub(super) fn recognise(&self, input: &ShardInput<'_>) -> ShardOutcome {
        let why = input.history.last().map_or("", |failed| failed.code.as_ref());
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
        Ok(PageOutput { checks: Some(checks), degraded: true, ..output })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::processor::ocr::tests::processor;
    use crate::processor::{AutoProcessor, LlmOptions, TextProcessor};

    #[test]
    fn what_is_said_about_ocr_is_refused_without_it() {
        let llm = |models: bool, fallback: &[&str]| {
            let options = LlmOptions {
                base_url: "http://127.0.0.1:1/v1".to_owned(),
                model: Some("m".to_owned()),
                fallback: fallback.iter().map(ToString::to_string).collect(),
                ..LlmOptions::default()
            };
            Arc::new(LlmProcessor::new(options).unwrap().with_ocr(models.then(|| Arc::new(processor(true, false)))))
        };
        for (given, models, server, by_llm, by_auto) in [
            (&[][..], true, &[][..], true, true),
            (&[("ocr", "pp")], true, &[], true, true),
            (&[("ocr_languages", "de")], true, &[], true, true),
            (&[("ocr_languages", "ko")], true, &[], false, false),
            (&[("ocr", "pp")], true, &[OCR], true, true),
            (&[("ocr", "pp"), ("fallback", "ocr")], true, &[], true, true),
            (&[("ocr", "pp"), ("fallback", "text")], true, &[], true, true),
            (&[("ocr", "pp")], false, &[], false, false),
            (&[("ocr", "off")], false, &[], true, true),
            (&[("ocr", "off")], true, &[OCR], true, true),
            (&[("ocr", "off"), ("fallback", "ocr")], true, &[], false, false),
        ] {
            let mut options = TaskOptions::default();
            given.iter().for_each(|(name, value)| options.set(name, value).unwrap());
            let llm = llm(models, server);
            let auto = AutoProcessor::new(Arc::clone(&llm));
            let checks = [llm.check(&options), auto.check(&options)];
            assert_eq!([by_llm, by_auto], [checks[0].is_ok(), checks[1].is_ok()], "{given:?} {server:?}: {checks:?}");
            if by_auto {
                let mut pinned = options.clone();
                auto.pin_defaults(&mut pinned);
                assert_eq!(auto.check(&pinned), Ok(()), "{given:?} {server:?}");
                let off = options.ocr == Some(OcrEngine::Off);
                assert!(!off || !pinned.fallback.unwrap().contains(&OCR.to_owned()), "{given:?} {server:?}");
            }
        }
    }

    #[test]
    fn without_ocr_every_default_processor_takes_a_task() {
        let off = TaskOptions { ocr: Some(OcrEngine::Off), ..TaskOptions::default() };
        let auto = AutoProcessor::without_model(Arc::new(processor(true, false)));
        assert_eq!([TextProcessor.check(&off), auto.check(&off)], [Ok(()), Ok(())]);
    }
}
