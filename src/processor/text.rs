//! The local processor: the PDF's own text, without a network.

use std::time::Instant;

use serde_json::{Value, json};

use super::ocr::NO_MODELS;
use super::{PageRead, Processor, ShardInput, ShardOutcome, Step};
use super::{figures, unread};
use crate::document::{PageFacts, PageReader, TextOptions};
use crate::task::{Failure, FigureForm, OcrEngine, OcrLayer, PageOutput, TaskOptions, code};

/// Reads the text layer of each page. Free, fast, and blind to what is only a picture.
#[derive(Clone, Copy, Debug, Default)]
pub struct TextProcessor;

/// The name that tasks choose it by, also among fallbacks.
pub(super) const TEXT: &str = "text";
/// Part of the ledger's key: raise it whenever the same page would come out differently.
const VERSION: u32 = 16;

/// The same for the files of its figures alone.
const FIGURES: u32 = 1;

impl Processor for TextProcessor {
    fn name(&self) -> &'static str {
        TEXT
    }

    fn steps(&self, options: &TaskOptions, _: Option<&PageFacts>) -> Vec<Step> {
        vec![Step::local(TEXT, Self::recipe(options))]
    }

    fn check(&self, options: &TaskOptions) -> Result<(), Failure> {
        let refuse = |message: String| Err(Failure::permanent(code::BAD_OPTION, message));
        if let Some(name) = Self::for_a_model(options) {
            return refuse(format!("option {name}: the text processor uses no model; choose processor=auto or llm"));
        }
        let recognises = options.ocr.is_some_and(|ocr| ocr != OcrEngine::Off);
        match [("ocr", recognises), ("ocr_languages", options.ocr_languages.is_some())].iter().find(|(_, given)| *given)
        {
            Some((name, _)) => refuse(format!(
                "option {name}: the text processor recognises nothing; choose processor=auto or ocr, where {NO_MODELS}"
            )),
            None => Ok(()),
        }
    }

    fn is_isolated(&self) -> bool {
        true
    }

    fn process(&self, input: &ShardInput<'_>) -> ShardOutcome {
        self.read(input, &mut input.reader(), input.shard.pages(), TextOptions::from(input.options).ocr_layer)
    }
}

impl TextProcessor {
    /// The recipe of its pages.
    pub(super) fn recipe(options: &TaskOptions) -> Value {
        let mut recipe = Self::said_recipe(options);
        // Pages with the files of their figures are kept beside those without.
        if options.images == Some(FigureForm::Extract) {
            recipe["images"] = FIGURES.into();
        }
        recipe
    }

    /// The recipe of what a page says, without the files of its figures.
    pub(super) fn said_recipe(options: &TaskOptions) -> Value {
        let TextOptions { hidden_text, ocr_layer } = options.into();
        json!({ "processor": "text", "version": VERSION, "hidden_text": hidden_text, "ocr_layer": ocr_layer })
    }

    /// An option that means something to a model alone.
    pub(super) fn for_a_model(options: &TaskOptions) -> Option<&'static str> {
        let given = [
            ("model", options.model.is_some()),
            ("prompt", options.prompt.is_some()),
            ("input", options.input.is_some()),
            ("image_side", options.image_side.is_some()),
            ("fallback", options.fallback.is_some()),
            ("service_tier", options.service_tier.is_some()),
            ("max_cost", options.max_cost.is_some()),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(name, _)| name)
    }

    /// Reads some pages of a shard; `ocr_layer` says whether recognised text is believed.
    pub(super) fn read(
        self,
        input: &ShardInput<'_>,
        reader: &mut PageReader<'_>,
        numbers: impl IntoIterator<Item = u32>,
        ocr_layer: OcrLayer,
    ) -> ShardOutcome {
        let options = TextOptions::from(input.options);
        let mut pages = Vec::new();
        for page in numbers {
            if input.cancel.is_cancelled() {
                return ShardOutcome::Cancelled;
            }
            let begun = Instant::now();
            if begun > input.deadline {
                return ShardOutcome::Failed(Failure::transient(code::TIMEOUT, "reading the pages took too long"));
            }
            let read = reader.text_layer(page, options).and_then(|layer| {
                let mut findings = unread::findings(reader, page, &layer, ocr_layer)?;
                let mut content = layer.content;
                let (files, left_out) = figures::extract(reader, page, &mut content, input.options)?;
                findings.extend(left_out);
                Ok((content, findings, files))
            });
            if let Err(why) = &read
                && why.retryable
            {
                // Not the page's fault; or it is no longer wanted, which the job knows.
                return ShardOutcome::Failed(why.clone());
            }
            let result = read.map(|(content, findings, image_files)| PageOutput {
                content,
                findings,
                image_files,
                processor: self.name().to_owned(),
                attempts: input.attempt,
                ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
                ..PageOutput::default()
            });
            pages.push(PageRead { page, result });
        }
        ShardOutcome::Done(pages)
    }
}
