//! The processor that pays only for pages that need it.

use std::sync::Arc;

use serde_json::{Value, json};

#[cfg(feature = "llm")]
use super::LlmProcessor;
use super::text::TEXT;
use super::unread::Need;
use super::{OcrProcessor, PageRead, Processor, ShardInput, ShardOutcome, Step, TextProcessor};
use crate::document::{PageFacts, PageReader};
use crate::task::{Failure, FindingCode, OcrEngine, OcrLayer, PageChecks, PageOutput, TaskOptions, code};

/// Reads pages with a sound text layer as text, for free, and has a model look at the others; where there is none, their
/// text is recognised on this machine. Beside a model that is the last resort.
pub struct AutoProcessor {
    way: Way,
}

/// Who looks at pages that need it.
enum Way {
    #[cfg(feature = "llm")]
    Model(Arc<LlmProcessor>),
    Ocr(Arc<OcrProcessor>),
}

/// Part of the ledger's key: raise it whenever a page would be sent another way.
const VERSION: u32 = 3;
/// Its first step, which says what pages need; those after it look at pages.
const TEXT_LAYER: usize = 0;

impl AutoProcessor {
    #[cfg(feature = "llm")]
    /// A processor that has `llm` look at what needs it.
    #[must_use]
    pub const fn new(llm: Arc<LlmProcessor>) -> Self {
        Self { way: Way::Model(llm) }
    }

    /// A processor that makes no calls, and has `ocr` read what needs it.
    #[must_use]
    pub const fn without_model(ocr: Arc<OcrProcessor>) -> Self {
        Self { way: Way::Ocr(ocr) }
    }

    /// Reads what can be read as text, and says which pages cannot.
    fn divide(&self, input: &ShardInput<'_>) -> ShardOutcome {
        let mut reader = input.reader();
        let (mut text, mut calls, mut done) = (Vec::new(), Vec::new(), Vec::new());
        let layer = ocr_layer(input.options);
        for page in input.shard.pages() {
            match reader.facts(page).map(|facts| Need::of(&facts.shown, layer)) {
                Ok(None) => text.push(page),
                Ok(Some(_)) => calls.push(page),
                Err(why) if why.retryable => return ShardOutcome::Failed(why),
                Err(why) => done.push(PageRead { page, result: Err(why) }),
            }
        }
        // Recognised text comes here only when it was found to lie on the ink.
        match TextProcessor.read(input, &mut reader, text, OcrLayer::Trust) {
            ShardOutcome::Done(pages) => {
                // Text that is only blanks is none.
                let (blank, read): (Vec<_>, Vec<_>) = pages.into_iter().partition(|read| is_unread(&read.result));
                calls.extend(blank.iter().map(|read| read.page));
                done.extend(read);
            }
            other => return other,
        }
        calls.sort_unstable();
        for output in done.iter_mut().filter_map(|read| read.result.as_mut().ok()) {
            output.checks = Some(because("text layer", output.checks.take()));
        }
        match &self.way {
            _ if calls.is_empty() => ShardOutcome::Done(done),
            #[cfg(feature = "llm")]
            Way::Model(_) => ShardOutcome::Partial { done, rest: calls, step: TEXT_LAYER + 1 },
            Way::Ocr(ocr) if !ocr.is_wanted(input.options) => match Self::as_it_is(input, &mut reader, calls) {
                ShardOutcome::Done(pages) => ShardOutcome::Done(done.into_iter().chain(pages).collect()),
                other => other,
            },
            Way::Ocr(ocr) if input.shard.len() == 1 => Self::recognise(ocr, input, &mut reader, input.shard.first),
            Way::Ocr(_) => ShardOutcome::Partial { done, rest: calls, step: TEXT_LAYER + 1 },
        }
    }

    /// Takes the text layer of pages for which it will not do, where there is nothing better.
    fn as_it_is(input: &ShardInput<'_>, reader: &mut PageReader<'_>, pages: Vec<u32>) -> ShardOutcome {
        let mut outcome = TextProcessor.read(input, reader, pages, ocr_layer(input.options));
        if let ShardOutcome::Done(pages) = &mut outcome {
            // A model that is there later shall look at them.
            pages.iter_mut().filter_map(|read| read.result.as_mut().ok()).for_each(|output| output.degraded = true);
        }
        outcome
    }

    /// Recognises the text of a page, and says why. What text it has is better than none.
    fn recognise(ocr: &OcrProcessor, input: &ShardInput<'_>, reader: &mut PageReader<'_>, page: u32) -> ShardOutcome {
        let shown = match reader.facts(page) {
            Ok(facts) => facts.shown,
            Err(why) if why.retryable => return ShardOutcome::Failed(why),
            Err(why) => return ShardOutcome::Done(vec![PageRead { page, result: Err(why) }]),
        };
        let has_text = shown.visible_glyphs() > 0;
        let need = Need::of(&shown, ocr_layer(input.options)).unwrap_or(Need::NoText);
        let result = match ocr.read_page(input, reader, page) {
            Err(why) if why.retryable => return ShardOutcome::Failed(why),
            Ok(output) if has_text && output.content.is_empty() => return Self::as_it_is(input, reader, vec![page]),
            Ok(output) => {
                let checks = Some(because(need.as_str(), output.checks.clone()));
                Ok(PageOutput { checks, degraded: true, ..output })
            }
            // Kept as a page it would never be tried again.
            Err(why) => Err(failed(why, has_text)),
        };
        ShardOutcome::Done(vec![PageRead { page, result }])
    }

    /// Recognises the text of all pages of a shard.
    fn recognise_all(ocr: &OcrProcessor, input: &ShardInput<'_>) -> ShardOutcome {
        let mut reader = input.reader();
        let mut read = Vec::new();
        for page in input.shard.pages() {
            match Self::recognise(ocr, input, &mut reader, page) {
                ShardOutcome::Done(pages) => read.extend(pages),
                other => return other,
            }
        }
        ShardOutcome::Done(read)
    }

    /// The recipe of pages that come out without a model. Some come out as text for want of something better: they are not
    /// what OCR alone makes of them.
    fn recipe_by_ocr(&self, ocr: &OcrProcessor, options: &TaskOptions) -> Value {
        json!({
            "processor": self.name(),
            "version": VERSION,
            "ocr": ocr.recipe(options),
            "text": TextProcessor::recipe(options),
        })
    }

    #[cfg(feature = "llm")]
    /// Has the model look at pages that need it, and says why they did.
    fn look(llm: &LlmProcessor, input: &ShardInput<'_>) -> ShardOutcome {
        let mut outcome = llm.process(input);
        let (ShardOutcome::Done(pages) | ShardOutcome::Partial { done: pages, .. }) = &mut outcome else {
            return outcome;
        };
        let mut reader = input.reader();
        for PageRead { page, result } in pages {
            let Ok(output) = result else { continue };
            let fallback = output.checks.as_ref().is_some_and(|checks| checks.route.is_some());
            let Ok(facts) = reader.facts(*page) else { continue };
            if !fallback {
                let need = Need::of(&facts.shown, ocr_layer(input.options)).unwrap_or(Need::NoText);
                output.checks = Some(because(need.as_str(), output.checks.take()));
            }
        }
        outcome
    }
}

/// A failure to recognise a page, with what can be done where it has text.
fn failed(why: Failure, has_text: bool) -> Failure {
    let hint = if has_text { "; with ocr=off its text layer is taken as it is" } else { "" };
    Failure { message: why.message + hint, ..why }
}

fn ocr_layer(options: &TaskOptions) -> OcrLayer {
    options.ocr_layer.unwrap_or_default()
}

fn is_unread(result: &Result<PageOutput, Failure>) -> bool {
    result.as_ref().is_ok_and(|output| output.finding_set().has(FindingCode::NoTextLayer))
}

fn because(reason: &str, checks: Option<PageChecks>) -> PageChecks {
    PageChecks { route: Some(reason.to_owned()), ..checks.unwrap_or_default() }
}

impl Processor for AutoProcessor {
    fn name(&self) -> &'static str {
        "auto"
    }

    /// What a model has read before, for whichever processor, is not paid again.
    fn steps(&self, options: &TaskOptions, facts: Option<&PageFacts>) -> Vec<Step> {
        let look = match &self.way {
            #[cfg(feature = "llm")]
            Way::Model(llm) => llm.steps(options, facts),
            Way::Ocr(ocr) if ocr.is_wanted(options) => vec![OcrProcessor::step(self.recipe_by_ocr(ocr, options))],
            Way::Ocr(_) => Vec::new(),
        };
        let text = |reason| {
            let recipe =
                json!({ "processor": self.name(), "version": VERSION, "text": TextProcessor::recipe(options) });
            let degraded_recipe = match &self.way {
                #[cfg(feature = "llm")]
                Way::Model(_) => None,
                Way::Ocr(ocr) => Some(self.recipe_by_ocr(ocr, options)),
            };
            Step { degraded_recipe, reason, ..Step::local(TEXT, recipe) }
        };
        match facts.map(|facts| Need::of(&facts.shown, ocr_layer(options)).map(Need::as_str)) {
            Some(Some(need)) if look.is_empty() => vec![text(Some(need))],
            Some(Some(need)) => look.into_iter().map(|step| Step { reason: Some(need), ..step }).collect(),
            route => {
                let reason = route.map(|_| "text layer");
                std::iter::once(text(reason)).chain(look).collect()
            }
        }
    }

    fn is_isolated(&self) -> bool {
        true
    }

    #[cfg(feature = "llm")]
    fn pin_defaults(&self, options: &mut TaskOptions) {
        if let Way::Model(llm) = &self.way {
            llm.pin_with_ocr(options);
        }
    }

    fn check(&self, options: &TaskOptions) -> Result<(), Failure> {
        match &self.way {
            #[cfg(feature = "llm")]
            Way::Model(llm) => llm.check_with_ocr(options),
            Way::Ocr(ocr) => {
                if let Some(name) = TextProcessor::for_a_model(options) {
                    let message = format!("option {name}: this server has no endpoint with a model");
                    return Err(Failure::permanent(code::BAD_OPTION, message));
                }
                // Without OCR the text layer is there all the same.
                if options.ocr == Some(OcrEngine::Off) { Ok(()) } else { ocr.check_means(options) }
            }
        }
    }

    fn process(&self, input: &ShardInput<'_>) -> ShardOutcome {
        match &self.way {
            _ if input.state.index == TEXT_LAYER => self.divide(input),
            #[cfg(feature = "llm")]
            Way::Model(llm) => Self::look(llm, input),
            Way::Ocr(ocr) => Self::recognise_all(ocr, input),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ocr::tests::processor;
    use super::*;
    use crate::document::Shown;

    #[test]
    fn what_comes_out_without_a_model_is_kept_apart() {
        let options = |given: &[(&str, &str)]| {
            let mut options = TaskOptions::default();
            given.iter().for_each(|(name, value)| options.set(name, value).unwrap());
            options
        };
        let auto = AutoProcessor::without_model(Arc::new(processor(true, false)));
        let mut known: Vec<Value> = vec![processor(true, false).recipe(&TaskOptions::default())];
        for given in [
            &[][..],
            &[("hidden_text", "keep")],
            &[("ocr_layer", "reread")],
            &[("images", "extract")],
            &[("ocr", "off")],
        ] {
            let recipe = auto.steps(&options(given), None).swap_remove(TEXT_LAYER).degraded_recipe.unwrap();
            assert!(!known.contains(&recipe), "{given:?}: {recipe}");
            known.push(recipe);
        }
    }

    #[test]
    fn which_pages_are_looked_at() {
        let page = |glyphs, unreadable_glyphs, hidden_glyphs, image_coverage| Shown {
            glyphs,
            hidden_glyphs,
            unreadable_glyphs,
            image_coverage,
            recognised_glyphs: if image_coverage > 0.0 { hidden_glyphs } else { 0 },
            ..Shown::default()
        };
        let pictured = |glyphs, image_coverage, letters, detail| Shown {
            pictured_letters: Some(letters),
            picture_detail: Some(detail),
            ..page(glyphs, 0, 0, image_coverage)
        };
        let outlined = |glyphs, outlined_letters| Shown { outlined_letters, ..page(glyphs, 0, 0, 0.0) };
        let lost = |glyphs, lost_letters| Shown { lost_letters, ..page(glyphs, 0, 0, 0.0) };
        let sound = |shown: Shown| Shown { recognised_is_sound: true, ..shown };
        for (shown, need) in [
            (page(2_000, 0, 0, 0.0), None),
            (page(2_000, 7, 0, 0.3), None),
            (page(2_000, 36, 0, 0.0), Some(Need::Undecodable)),
            (page(20_000, 36, 0, 0.0), None),
            (lost(1_500, 5), Some(Need::Undecodable)),
            (lost(200, 4), None),
            (lost(9_000, 20), None),
            (page(0, 0, 0, 1.0), Some(Need::NoText)),
            (page(0, 0, 0, 0.0), Some(Need::NoText)),
            (page(60, 0, 60, 0.0), Some(Need::NoText)),
            (page(2_000, 0, 900, 0.0), None),
            (page(2_000, 0, 2_000, 1.0), Some(Need::Recognised)),
            (page(2_000, 0, 1_960, 1.0), Some(Need::Recognised)),
            (sound(page(2_000, 0, 2_000, 1.0)), None),
            (page(900, 0, 0, 1.0), None),
            (page(120, 0, 0, 1.0), Some(Need::Picture)),
            (page(120, 0, 0, 0.6), None),
            (page(30, 0, 0, 0.6), Some(Need::Picture)),
            (page(3, 0, 0, 0.0), None),
            // Pictures that were looked at: a plain one, a photograph, a document, a figure beside text.
            (pictured(120, 1.0, 0, 0.01), None),
            (pictured(20, 1.0, 0, 0.01), None),
            (pictured(20, 0.6, 5, 0.7), Some(Need::Picture)),
            (pictured(120, 0.5, 20, 0.7), None),
            (pictured(20, 0.25, 300, 0.4), Some(Need::Picture)),
            (pictured(900, 0.4, 250, 0.6), None),
            (Shown { unread_letters: Some(250), ..pictured(3_000, 0.3, 250, 0.6) }, Some(Need::Picture)),
            (Shown { unread_letters: Some(150), ..pictured(3_000, 0.3, 250, 0.6) }, None),
            (outlined(11, 60), Some(Need::Outlined)),
            (outlined(11, 18), Some(Need::Outlined)),
            (outlined(900, 120), None),
            (outlined(60, 18), None),
        ] {
            assert_eq!(Need::of(&shown, OcrLayer::Auto), need, "{shown:?}");
        }
        let scan = page(2_000, 0, 2_000, 1.0);
        assert_eq!(Need::of(&scan, OcrLayer::Trust), None);
        assert_eq!(Need::of(&sound(scan), OcrLayer::Reread), Some(Need::Recognised));
    }
}
