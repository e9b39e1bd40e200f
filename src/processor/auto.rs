//! The processor that pays only for pages that need it.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{LlmProcessor, PageRead, Processor, ShardInput, ShardOutcome, TextProcessor, WorkKind};
use crate::document::PageFacts;
use crate::task::{Amount, Failure, PageChecks, TaskOptions};

/// Reads pages with a sound text layer as text, for free, and has a model look at the others.
pub struct AutoProcessor {
    llm: Arc<LlmProcessor>,
}

/// Part of the ledger's key: raise it whenever a page would be sent another way.
const VERSION: u32 = 1;

/// Why a page needs to be looked at; `None` when its text layer will do. Pure.
///
/// A scan whose text was recognised by somebody's program has that text hidden behind its picture: as good or bad as that
/// program was, so it is looked at. A picture that fills the page behind plenty of text is decoration.
fn route(facts: &PageFacts) -> Option<&'static str> {
    let visible = facts.glyphs.saturating_sub(facts.hidden_glyphs);
    if facts.glyphs == 0 {
        Some("no text layer")
    } else if !facts.has_sound_text() {
        Some("text that cannot be decoded")
    } else if facts.hidden_glyphs > visible {
        Some("a scan with recognised text")
    } else if facts.image_coverage >= 0.8 && visible < 400 || facts.image_coverage >= 0.5 && visible < 100 {
        Some("mostly a picture")
    } else {
        None
    }
}

impl AutoProcessor {
    /// A processor that has `llm` look at what needs it.
    #[must_use]
    pub const fn new(llm: Arc<LlmProcessor>) -> Self {
        Self { llm }
    }

    /// Reads what can be read as text, and says which pages cannot.
    fn divide(input: &ShardInput<'_>) -> ShardOutcome {
        let mut reader = input.reader();
        let (mut text, mut calls, mut done) = (Vec::new(), Vec::new(), Vec::new());
        for page in input.shard.pages() {
            match reader.facts(page).map(|facts| route(&facts)) {
                Ok(None) => text.push(page),
                Ok(Some(_)) => calls.push(page),
                Err(why) if why.retryable => return ShardOutcome::Failed(why),
                Err(why) => done.push(PageRead { page, result: Err(why) }),
            }
        }
        match TextProcessor.read(input, &mut reader, text) {
            ShardOutcome::Done(pages) => done.extend(pages),
            other => return other,
        }
        for output in done.iter_mut().filter_map(|read| read.result.as_mut().ok()) {
            output.checks = Some(because("text layer", output.checks.take()));
        }
        if calls.is_empty() { ShardOutcome::Done(done) } else { ShardOutcome::Divided { done, calls } }
    }

    /// Has the model look at pages that need it, and says why they did.
    fn look(&self, input: &ShardInput<'_>) -> ShardOutcome {
        let mut outcome = self.llm.process(input);
        let (ShardOutcome::Done(pages) | ShardOutcome::Divided { done: pages, .. }) = &mut outcome else {
            return outcome;
        };
        let mut reader = input.reader();
        for PageRead { page, result } in pages {
            let Ok(output) = result else { continue };
            // Its recipes come after the one of the text layer.
            output.recipe += 1;
            let fallback = output.checks.as_ref().is_some_and(|checks| checks.route.is_some());
            let reason = reader.facts(*page).ok().and_then(|facts| route(&facts));
            if let Some(reason) = reason.filter(|_| !fallback) {
                output.checks = Some(because(reason, output.checks.take()));
            }
        }
        outcome
    }
}

fn because(reason: &str, checks: Option<PageChecks>) -> PageChecks {
    PageChecks { route: Some(reason.to_owned()), ..checks.unwrap_or_default() }
}

impl Processor for AutoProcessor {
    fn name(&self) -> &'static str {
        "auto"
    }

    /// Where it begins; calls come after.
    fn kind(&self) -> WorkKind {
        WorkKind::Cpu
    }

    fn recipe(&self, options: &TaskOptions) -> Value {
        json!({ "processor": self.name(), "version": VERSION, "text": TextProcessor.recipe(options) })
    }

    /// What a model has read before, for whichever processor, is not paid again.
    fn recipes(&self, options: &TaskOptions) -> Vec<Value> {
        std::iter::once(self.recipe(options)).chain(self.llm.recipes(options)).collect()
    }

    fn is_paid(&self) -> bool {
        true
    }

    fn is_isolated(&self) -> bool {
        true
    }

    fn endpoint(&self, options: &TaskOptions, earlier: &[Cow<'static, str>], usual: u32) -> Option<String> {
        self.llm.endpoint(options, earlier, usual)
    }

    fn estimate(&self, facts: &PageFacts, options: &TaskOptions) -> (String, Amount) {
        match route(facts) {
            None => ("text: text layer".to_owned(), Amount::default()),
            Some(why) => (format!("llm: {why}"), self.llm.estimate(facts, options).1),
        }
    }

    fn attempts(&self, options: &TaskOptions, usual: u32) -> u32 {
        self.llm.attempts(options, usual)
    }

    fn settle(&self, options: &mut TaskOptions) {
        self.llm.settle(options);
    }

    fn check(&self, options: &TaskOptions) -> Result<(), Failure> {
        self.llm.check(options)
    }

    fn process(&self, input: &ShardInput<'_>) -> ShardOutcome {
        match input.kind {
            WorkKind::Cpu => Self::divide(input),
            WorkKind::Call => self.look(input),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_pages_are_looked_at() {
        let page = |glyphs, unmapped_glyphs, hidden_glyphs, image_coverage| PageFacts {
            page: 1,
            label: None,
            titles: Vec::new(),
            width: 595.0,
            height: 842.0,
            rotation: 0,
            glyphs,
            unmapped_glyphs,
            hidden_glyphs,
            image_coverage,
            content_hash: None,
        };
        for (facts, looked_at) in [
            (page(2_000, 0, 0, 0.0), false),
            (page(2_000, 150, 0, 0.3), false),
            (page(2_000, 500, 0, 0.0), true),
            (page(0, 0, 0, 1.0), true),
            (page(0, 0, 0, 0.0), true),
            (page(2_000, 0, 2_000, 1.0), true),
            (page(900, 0, 0, 1.0), false),
            (page(120, 0, 0, 1.0), true),
            (page(120, 0, 0, 0.6), false),
            (page(30, 0, 0, 0.6), true),
            (page(3, 0, 0, 0.0), false),
        ] {
            assert_eq!(route(&facts).is_some(), looked_at, "{facts:?}");
        }
    }
}
