//! What models were found not to take.
//!
//! The token limit is `max_tokens` in what Ollama and vLLM document, and `max_completion_tokens` alone for newer models of
//! OpenAI; these also take no temperature but their own. So a request begins with what all others take, and what a model
//! refuses by its name is left out or renamed from then on.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// Models that are remembered one by one; callers may name any, and those beyond share one memory.
const MODELS: usize = 16;

/// Parameters that newer models refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dislike {
    /// Any temperature.
    Temperature,
    /// The token limit by its older name.
    MaxTokens,
}

/// What each model was found to refuse. A model that refused once is not asked so again.
#[derive(Default)]
pub(super) struct Quirks {
    models: [Quirk; MODELS],
    others: Quirk,
}

#[derive(Default)]
struct Quirk {
    model: OnceLock<String>,
    dislikes: [AtomicBool; 2],
}

impl Quirks {
    pub(super) fn has(&self, model: &str, dislike: Dislike) -> bool {
        self.of(model).dislikes[dislike as usize].load(Ordering::Relaxed)
    }

    pub(super) fn found(&self, model: &str, dislike: Dislike) {
        self.of(model).dislikes[dislike as usize].store(true, Ordering::Relaxed);
    }

    fn of(&self, model: &str) -> &Quirk {
        let own = self.models.iter().find(|quirk| quirk.model.get_or_init(|| model.to_owned()) == model);
        own.unwrap_or(&self.others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_model_refuses_another_may_take() {
        let quirks = Quirks::default();
        quirks.found("a", Dislike::Temperature);
        assert!(quirks.has("a", Dislike::Temperature) && !quirks.has("a", Dislike::MaxTokens));
        assert!(!quirks.has("b", Dislike::Temperature));
        for number in 0..100 {
            quirks.has(&number.to_string(), Dislike::MaxTokens);
        }
        quirks.found("98", Dislike::MaxTokens);
        assert!(quirks.has("99", Dislike::MaxTokens), "late ones share");
        assert!(!quirks.has("0", Dislike::MaxTokens));
    }
}
