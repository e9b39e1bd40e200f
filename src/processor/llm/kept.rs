//! Answers that are safe before their pages are: what a witness says takes seconds of a core, the parts of a long page are
//! paid one by one, and the process may die meanwhile.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::LlmProcessor;
use super::call::CallAnswer;
use super::prompt::{self, PageInput};
use super::reply::Reply;
use crate::processor::ShardInput;
use crate::task::Usage;

/// What decides an answer, by the page that it is kept with: the first one of a call.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Question {
    page: u32,
    asks: Value,
}

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    reply: Reply,
    usage: Usage,
    ms: u64,
}

impl LlmProcessor {
    /// The question that a model is asked about these pages. How it is put is no part of it, also where it is put otherwise
    /// than the last time: what is kept has not been judged, and answers it as well as the next one.
    pub(super) fn question(&self, input: &ShardInput<'_>, model: &str, pages: &[PageInput]) -> Option<Question> {
        let hash = |bytes: &[u8]| STANDARD.encode(Sha256::digest(bytes));
        let shown = |page: &PageInput| {
            let image = page.image.as_ref().map(|image| hash(&image.bytes));
            json!([page.page, page.text.as_deref().map(|text| hash(text.as_bytes())), image, page.part])
        };
        let asks = json!({
            "version": prompt::VERSION,
            "endpoint": self.client.base_url(),
            "model": model,
            "prompt": hash(self.prompt(input.options).as_bytes()),
            "pages": pages.iter().map(shown).collect::<Vec<_>>(),
        });
        pages.first().map(|first| Question { page: first.page, asks })
    }
}

impl Question {
    /// The answer, where it was paid before this process died and no page came of it.
    pub(super) fn find(&self, input: &ShardInput<'_>) -> Option<CallAnswer> {
        let found = input.kept_answers.find(self.page, &self.asks)?;
        let Kept { reply, usage, ms } = serde_json::from_value(found.answer).ok()?;
        log::info!(page = self.page; "an answer that was paid for already is used");
        let usage = if found.is_uncounted { usage } else { Usage::default() };
        Some(CallAnswer { reply, usage, took: Duration::from_millis(ms), question: Some(self.clone()) })
    }

    /// Keeps the answer until its pages are safe.
    pub(super) fn keep(&self, input: &ShardInput<'_>, reply: &Reply, usage: Usage, took: Duration) {
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let kept = serde_json::to_value(Kept { reply: reply.clone(), usage, ms });
        // Strings and numbers only: nothing that could fail.
        input.kept_answers.keep(self.page, &self.asks, &kept.unwrap_or_default());
    }

    /// Forgets an answer that is no page.
    pub(super) fn forget(&self, input: &ShardInput<'_>) {
        input.kept_answers.forget(self.page, &self.asks);
    }
}
