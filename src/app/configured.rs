//! A Bindery as its configuration wants it.

use std::sync::Arc;

use super::{Bindery, Builder};
use crate::config::Config;
use crate::document::Tesseract;
use crate::processor::{AutoProcessor, EndpointError, LlmProcessor, OcrProcessor, TextProcessor};

impl Builder {
    /// A builder with the workers, limits and processors of `config`; store and blobs are still to be given.
    ///
    /// # Errors
    /// [`EndpointError`] when the LLM endpoint cannot be used.
    pub fn configured(config: &Config) -> Result<Self, EndpointError> {
        let mut builder =
            Bindery::builder().pool(config.pool).options(config.supervisor.clone()).processor(TextProcessor);
        let tesseract = std::env::var_os("PATH").and_then(|path| Tesseract::find(&path));
        let models = config.ocr_models();
        let ocr = OcrProcessor::new(models.as_ref(), tesseract).map(Arc::new);
        if let Some(llm) = &config.llm {
            let llm = Arc::new(LlmProcessor::new(llm.clone())?.with_ocr(ocr.clone()));
            let auto = Arc::new(AutoProcessor::new(Arc::clone(&llm)));
            // Tasks that name no processor get the one that pays only where it must, unless it could not pay at all.
            if config.llm.as_ref().is_some_and(|llm| llm.model.is_some()) {
                builder.parts.processors.add_first(auto);
            } else {
                builder.parts.processors.add(auto);
            }
            builder.parts.processors.add(llm.clone());
            builder.parts.llm = Some(llm);
        } else if let Some(ocr) = &ocr {
            let auto = Arc::new(AutoProcessor::without_model(Arc::clone(ocr)));
            // What is only found on the machine reads nothing unasked.
            if ocr.has_models() {
                builder.parts.processors.add_first(auto);
            } else {
                builder.parts.processors.add(auto);
            }
        }
        if let Some(ocr) = ocr {
            builder.parts.processors.add(ocr);
        }
        Ok(builder)
    }
}
