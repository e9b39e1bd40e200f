//! The processor that asks a language model behind any OpenAI-compatible endpoint.
//!
//! One shared HTTP client runs on a small runtime of its own; a worker thread waits for its call there, so that a call
//! can be cut off when it is cancelled or out of time, and a thousand waiting workers share two threads of I/O.

mod client;
mod prompt;
mod reply;

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::runtime::Runtime;

use self::client::{CallError, Client};
use super::{PageRead, Processor, ShardInput, ShardOutcome, WorkKind};
use crate::task::{Failure, PageOutput, PageUsage, TaskOptions, code};

/// How to reach the endpoint and what to ask of it.
#[derive(Clone)]
pub struct LlmOptions {
    /// The endpoint up to and without `/chat/completions`, for example `https://api.openai.com/v1`.
    pub base_url: String,
    /// Sent as a bearer token when given.
    pub api_key: Option<String>,
    /// The model of tasks that name none.
    pub model: Option<String>,
    /// Instructions of tasks that bring none; the built-in prompt when absent.
    pub prompt: Option<String>,
}

/// Written by hand so that the key cannot reach a log.
impl std::fmt::Debug for LlmOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LlmOptions")
            .field("base_url", &self.base_url)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

/// Sends the text of each page to a model and takes its Markdown. Several pages of a shard go in one call.
pub struct LlmProcessor {
    options: LlmOptions,
    client: Client,
    /// Taken out on drop: a runtime must not be waited for on an actor's thread.
    runtime: Option<Runtime>,
}

impl LlmProcessor {
    /// A processor for one endpoint.
    ///
    /// # Errors
    /// A sentence saying what is wrong with the base URL or the key, or that no HTTP client can be made.
    pub fn new(options: LlmOptions) -> Result<Self, String> {
        let client = Client::new(&options.base_url, options.api_key.as_deref())?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("bindery-llm")
            .enable_all()
            .build()
            .map_err(|error| format!("no threads for calls: {error}"))?;
        Ok(Self { options, client, runtime: Some(runtime) })
    }

    fn model<'a>(&'a self, options: &'a TaskOptions) -> Option<&'a str> {
        options.model.as_deref().or(self.options.model.as_deref())
    }

    fn prompt<'a>(&'a self, options: &'a TaskOptions) -> &'a str {
        options.prompt.as_deref().or(self.options.prompt.as_deref()).unwrap_or(prompt::DEFAULT)
    }

    fn call(&self, input: &ShardInput<'_>, model: &str, pages: &[(u32, String)]) -> ShardOutcome {
        let Some(runtime) = &self.runtime else { return ShardOutcome::Cancelled };
        let request = prompt::request(model, self.prompt(input.options), input.file_name, pages);
        let begun = Instant::now();
        let waiting = input.waiting();
        let answer = runtime.block_on(async {
            tokio::select! {
                biased;
                () = input.cancel.cancelled() => None,
                answer = self.client.complete(&request) => Some(answer),
                () = tokio::time::sleep_until(input.deadline.into()) => Some(Err(CallError::timeout())),
            }
        });
        drop(waiting);
        match answer {
            None => ShardOutcome::Cancelled,
            Some(Err(error)) => error.into_outcome(),
            Some(Ok(reply)) => match reply::pages(&reply, pages) {
                Ok(markdown) => self.done(input, model, &reply, markdown, begun.elapsed()),
                Err(why) => ShardOutcome::Failed(why),
            },
        }
    }

    fn done(
        &self,
        input: &ShardInput<'_>,
        model: &str,
        reply: &reply::Reply,
        markdown: Vec<(u32, String)>,
        took: Duration,
    ) -> ShardOutcome {
        let mut usage =
            PageUsage { calls: 1, prompt_tokens: reply.prompt_tokens, completion_tokens: reply.completion_tokens };
        let read = |(page, markdown)| {
            let output = PageOutput {
                markdown,
                processor: self.name().to_owned(),
                model: Some(reply.model.clone().unwrap_or_else(|| model.to_owned())),
                attempts: input.attempt,
                ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                // The first page carries the call, so that sums come out right.
                usage: std::mem::take(&mut usage),
            };
            PageRead { page, result: Ok(output) }
        };
        ShardOutcome::Done(markdown.into_iter().map(read).collect())
    }
}

impl Processor for LlmProcessor {
    fn name(&self) -> &'static str {
        "llm"
    }

    fn kind(&self) -> WorkKind {
        WorkKind::Call
    }

    fn recipe(&self, options: &TaskOptions) -> serde_json::Value {
        json!({
            "processor": self.name(),
            "version": prompt::VERSION,
            "model": self.model(options),
            "prompt": self.prompt(options),
        })
    }

    fn settle(&self, options: &mut TaskOptions) {
        options.model = self.model(options).map(str::to_owned);
        options.prompt = Some(self.prompt(options).to_owned());
    }

    fn check(&self, options: &TaskOptions) -> Result<(), Failure> {
        if self.model(options).is_some() {
            return Ok(());
        }
        let message = "option model: none is configured; name one, or set BINDERY_LLM_MODEL on the server";
        Err(Failure::permanent(code::BAD_OPTION, message))
    }

    fn process(&self, input: &ShardInput<'_>) -> ShardOutcome {
        let Some(model) = self.model(input.options) else {
            return ShardOutcome::Failed(Failure::permanent(code::BAD_OPTION, "no model is configured"));
        };
        let mut reader = input.reader();
        let (mut pages, mut read) = (Vec::new(), Vec::new());
        for page in input.shard.pages() {
            match reader.markdown(page) {
                // Nothing to transcribe: no call, and no invented text.
                Ok(text) if text.is_empty() => {
                    let output = PageOutput {
                        processor: self.name().to_owned(),
                        attempts: input.attempt,
                        ..PageOutput::default()
                    };
                    read.push(PageRead { page, result: Ok(output) });
                }
                Ok(text) => pages.push((page, text)),
                Err(why) if why.retryable => return ShardOutcome::Failed(why),
                Err(why) => read.push(PageRead { page, result: Err(why) }),
            }
        }
        drop(reader);
        if pages.is_empty() {
            return ShardOutcome::Done(read);
        }
        match self.call(input, model, &pages) {
            ShardOutcome::Done(called) => {
                read.extend(called);
                ShardOutcome::Done(read)
            }
            other => other,
        }
    }
}

impl Drop for LlmProcessor {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
