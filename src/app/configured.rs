//! A Bindery as its configuration wants it.

use std::sync::Arc;

use super::{Bindery, Builder};
use crate::config::Config;
use crate::document::Tesseract;
use crate::processor::{AutoProcessor, EndpointError, LlmProcessor, OcrProcessor, Processor, TextProcessor};
use crate::task::TaskOptions;

/// Whether a task with these options may have anything recognised. What is only found on the machine reads nothing unasked.
fn needs_tesseract(config: &Config, options: &TaskOptions) -> bool {
    let options = options.clone().over(&config.supervisor.task_defaults);
    let is_text = options
        .processor
        .as_deref()
        .map_or(config.llm.is_none() && config.ocr_models().is_none(), |name| name == TextProcessor.name());
    !is_text || options.ocr.is_some() || options.ocr_languages.is_some() || options.fallback.is_some()
}

impl Builder {
    /// A builder with the workers, limits and processors of `config`; store and blobs are still to be given.
    ///
    /// # Errors
    /// [`EndpointError`] when the LLM endpoint cannot be used.
    pub fn configured(config: &Config) -> Result<Self, EndpointError> {
        let tesseract = std::env::var_os("PATH").and_then(|path| Tesseract::find(&path));
        Self::with_tesseract(config, tesseract)
    }

    /// The same for tasks with these options alone. Tesseract takes a moment to say what it is: where they can do without it, it
    /// is not there.
    ///
    /// # Errors
    /// As [`Self::configured`].
    pub fn configured_for(config: &Config, options: &TaskOptions) -> Result<Self, EndpointError> {
        if needs_tesseract(config, options) { Self::configured(config) } else { Self::with_tesseract(config, None) }
    }

    fn with_tesseract(config: &Config, tesseract: Option<Tesseract>) -> Result<Self, EndpointError> {
        let mut builder =
            Bindery::builder().pool(config.pool).options(config.supervisor.clone()).processor(TextProcessor);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    #[test]
    fn tesseract_is_asked_where_a_task_may_need_it() {
        let config = Settings::default().resolve(|name| (name == "HOME").then(|| "/home/x".to_owned())).unwrap();
        for (given, needed) in [
            (&[][..], false),
            (&[("processor", "text")], false),
            (&[("processor", "ocr")], true),
            (&[("processor", "auto")], true),
            (&[("ocr", "tesseract")], true),
            (&[("ocr_languages", "deu")], true),
            (&[("processor", "text"), ("ocr", "off")], true),
        ] {
            let mut options = TaskOptions::default();
            given.iter().for_each(|(name, value)| options.set(name, value).unwrap());
            assert_eq!(needs_tesseract(&config, &options), needed, "{given:?}");
            let mut with_defaults = config.clone();
            with_defaults.supervisor.task_defaults = options;
            assert_eq!(needs_tesseract(&with_defaults, &TaskOptions::default()), needed, "{given:?} by default");
        }
    }
}
