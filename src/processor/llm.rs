//! The processor that asks a language model behind any OpenAI-compatible endpoint.
//!
//! | module | job |
//! |---|---|
//! | `last_resort` | OCR in their place |
//! | `look` | what of a page is shown; pages that need no call |
//! | `parts` | long and wide pages: their parts, and how these are joined |
//! | `prompt` | the request |
//! | `call` | one call: asked, paid, retried |
//! | `kept` | answers that are safe before their pages are |
//! | `client`, `address`, `endpoint_error` | HTTP, where it goes, and why it cannot |
//! | `refused` | what a refusal means |
//! | `capabilities`, `picture_limit`, `learnt` | what models were found to take, the size of pictures; the same as it is kept |
//! | `latency` | how long calls take, for those that are slow |
//! | `reply` | the answer, and whether it is pages at all |
//! | `fidelity` | whether it is *these* pages |
//! | `witness`, `comparison` | the same of pages without text of their own: what OCR says of it |
//! | `repetition` | pages that an answer has several times over |
//! | `early` | OCR that looks while the model still reads |
//! | `judge` | which answers are taken, and what is said against them |
//!
//! One shared HTTP client runs on a small runtime of its own; a worker thread waits for its call there, so that a call
//! can be cut off when it is cancelled or out of time, and a thousand waiting workers share two threads of I/O. A page's
//! picture is made by the reader processes, of which there are as many as cores, when its call has its turn: there are
//! never more pictures than calls in flight.

mod address;
mod call;
mod capabilities;
mod client;
mod comparison;
mod early;
mod endpoint_error;
mod fidelity;
mod judge;
mod kept;
mod last_resort;
mod latency;
mod learnt;
mod look;
mod parts;
mod picture_limit;
mod prompt;
mod refused;
mod repetition;
mod reply;
#[cfg(test)]
mod reports_tests;
mod witness;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use self::capabilities::Capabilities;
use self::client::Client;
pub use self::endpoint_error::EndpointError;
use self::last_resort::is_local;
use self::latency::Latencies;
use self::learnt::Learnt;
use super::ocr::OCR;
use super::text::TEXT;
use super::{CallOutcome, OcrProcessor, PageRead, Processor, ShardInput, ShardOutcome, Step, TextProcessor};
use crate::clock::Timestamp;
use crate::document::{ImageOptions, PageFacts};
use crate::task::{Failure, Finding, OcrEngine, PageInputKind, Price, TaskOptions, Tokens, Usage, code};

/// How to reach the endpoint and what to ask of it.
#[derive(Clone)]
#[non_exhaustive]
pub struct LlmOptions {
    /// The endpoint up to and without `/chat/completions`, for example `https://api.openai.com/v1`. A query, such as
    /// Azure's `?api-version=…`, is kept.
    pub base_url: String,
    /// Sent as a bearer token when given.
    pub api_key: Option<String>,
    /// The model of tasks that name none.
    pub model: Option<String>,
    /// Instructions of tasks that bring none; the built-in prompt when absent. `{page}` and `{file_name}` stand for what
    /// they say.
    pub prompt: Option<String>,
    /// The models that read a page after the first has failed, of tasks that name none; `text` stands for the text layer.
    pub fallback: Vec<String>,
    /// What the model is given of a page, of tasks that do not say.
    pub input: PageInputKind,
    /// The most pixels of the longer side of a picture, of tasks that do not say; 256 to 8192.
    pub image_side: u32,
    /// What models cost; `*` stands for all others.
    pub prices: BTreeMap<String, Price>,
    /// Whether a call that takes longer than 95 of 100 of the last ones is made a second time, and the first good answer
    /// of both is taken. Both are paid.
    pub hedge: bool,
    /// A file with certificates, in PEM form, that the endpoint's may be signed by besides the usual ones.
    pub ca_file: Option<PathBuf>,
}

impl Default for LlmOptions {
    /// No endpoint: the base URL is still to be given.
    fn default() -> Self {
        Self {
            base_url: String::new(),
            api_key: None,
            model: None,
            prompt: None,
            fallback: Vec::new(),
            input: PageInputKind::Image,
            image_side: 1_600,
            prices: BTreeMap::new(),
            hedge: false,
            ca_file: None,
        }
    }
}

impl LlmOptions {
    /// The endpoint at this URL, and the model of tasks that name none.
    #[must_use]
    pub fn new(base_url: impl Into<String>, model: impl Into<String>) -> Self {
        Self { base_url: base_url.into(), model: Some(model.into()), ..Self::default() }
    }
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

/// Tokens of the answer for a page of which nothing else is known.
const USUAL_ANSWER: u64 = 700;
/// The name that tasks choose it by.
const LLM: &str = "llm";

/// Shows each page to a model and takes its Markdown. Several pages of a shard go in one call.
pub struct LlmProcessor {
    options: LlmOptions,
    client: Arc<Client>,
    capabilities: Capabilities,
    latencies: Latencies,
    ocr: Option<Arc<OcrProcessor>>,
    /// Why the endpoint cannot be reached at present.
    outage: watch::Sender<Option<String>>,
    /// Taken out on drop: a runtime must not be waited for on an actor's thread.
    runtime: Option<Runtime>,
}

impl LlmProcessor {
    /// A processor for one endpoint.
    ///
    /// # Errors
    /// [`EndpointError`] for the base URL, the key or the CA file, or when no HTTP client can be made.
    pub fn new(options: LlmOptions) -> Result<Self, EndpointError> {
        let client = Client::new(&options.base_url, options.api_key.as_deref(), options.ca_file.as_deref())?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("bindery-llm")
            .enable_all()
            .build()
            .map_err(EndpointError::Threads)?;
        Ok(Self {
            options,
            client: Arc::new(client),
            capabilities: Capabilities::default(),
            latencies: Latencies::default(),
            ocr: None,
            outage: watch::Sender::new(None),
            runtime: Some(runtime),
        })
    }

    /// Why the endpoint cannot be reached, as soon as a call has found that; nothing once one has been answered.
    #[must_use]
    pub fn outage(&self) -> watch::Receiver<Option<String>> {
        self.outage.subscribe()
    }

    /// Sends another key from the next call on.
    ///
    /// # Errors
    /// [`EndpointError::ApiKey`] when a header cannot carry it.
    pub fn set_api_key(&self, key: Option<&str>) -> Result<(), EndpointError> {
        self.client.set_api_key(key)
    }

    fn note_outage(&self, outcome: CallOutcome, why: Option<&Failure>) {
        let outage = match (outcome, why) {
            (CallOutcome::Unavailable(_), Some(why)) => Some(format!("{}: {}", self.client.base_url(), why.message)),
            (CallOutcome::Success | CallOutcome::RateLimited(_), _) => None,
            _ => return,
        };
        self.outage.send_if_modified(|known| {
            let changed = known.is_some() != outage.is_some();
            if changed {
                *known = outage;
            }
            changed
        });
    }

    fn model<'a>(&'a self, options: &'a TaskOptions) -> Option<&'a str> {
        options.model.as_deref().or(self.options.model.as_deref())
    }

    fn prompt<'a>(&'a self, options: &'a TaskOptions) -> &'a str {
        options.prompt.as_deref().or(self.options.prompt.as_deref()).unwrap_or(prompt::DEFAULT)
    }

    fn input_kind(&self, options: &TaskOptions) -> PageInputKind {
        options.input.unwrap_or(self.options.input)
    }

    fn image_side(&self, options: &TaskOptions) -> u32 {
        options.image_side.unwrap_or(self.options.image_side)
    }

    /// The task's, or the server's: of these without OCR where a task turns it off.
    fn fallback<'a>(&'a self, options: &'a TaskOptions) -> Vec<&'a str> {
        let off = options.fallback.is_none() && options.ocr == Some(OcrEngine::Off);
        let readers = options.fallback.as_ref().unwrap_or(&self.options.fallback).iter().map(String::as_str);
        readers.filter(|reader| !(off && *reader == OCR)).collect()
    }

    fn price(&self, model: &str) -> Option<Price> {
        self.options.prices.get(model).or_else(|| self.options.prices.get("*")).copied()
    }

    /// Everybody who may read a page of the task, in their order.
    fn chain<'a>(&'a self, options: &'a TaskOptions) -> Vec<&'a str> {
        self.model(options).into_iter().chain(self.fallback(options)).collect()
    }

    /// The recipe of pages that the first model read as it should.
    fn recipe(&self, options: &TaskOptions) -> Value {
        let (prompt, input) = (self.prompt(options), self.input_kind(options));
        let mut recipe = json!({
            "processor": LLM,
            "version": prompt::VERSION,
            "model": self.model(options),
            "prompt": prompt,
            "input": input,
            "image_side": self.image_side(options),
        });
        if prompt::names_page(prompt) {
            recipe["by_number"] = json!(true);
        }
        if input != PageInputKind::Image {
            recipe["text"] = TextProcessor::said_recipe(options);
        }
        recipe
    }

    /// The recipe of all others.
    fn fallback_recipe(&self, options: &TaskOptions) -> Value {
        let mut recipe = self.recipe(options);
        recipe["fallback"] = json!(self.fallback(options));
        // The text layer may be one of them, and OCR.
        recipe["text"] = TextProcessor::recipe(options);
        if let Some(ocr) = self.ocr.as_ref().filter(|_| self.fallback(options).contains(&OCR)) {
            recipe["ocr"] = ocr.recipe(options);
        }
        recipe
    }

    /// What a call for a page would take. Tokens as they usually come out: one for every three and a half characters, and
    /// for every 750 pixels.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate"
    )]
    fn expected(&self, model: &str, facts: &PageFacts, options: &TaskOptions) -> Usage {
        if facts.shown.glyphs == 0 && self.input_kind(options) == PageInputKind::Text {
            return Usage::default();
        }
        let (long, short) = (facts.width.max(facts.height), facts.width.min(facts.height));
        let scale = (self.image_side(options) as f32 / long.max(1.0)).min(ImageOptions::default().dpi / 72.0);
        let tokens_of = |characters: f32| characters / 3.5;
        let text = tokens_of(facts.shown.glyphs as f32);
        let (image, given) = match self.input_kind(options) {
            PageInputKind::Image => (long * short * scale * scale / 750.0, 0.0),
            PageInputKind::Text => (0.0, text),
            PageInputKind::Both => (long * short * scale * scale / 750.0, text),
        };
        let prompt = tokens_of(self.prompt(options).len() as f32) + 20.0;
        let prompt_tokens = (prompt + image + given) as u64;
        // A scan has as much text as other pages.
        let completion_tokens = if facts.shown.glyphs == 0 { USUAL_ANSWER } else { text as u64 + 20 };
        let tokens = Tokens { prompt: prompt_tokens, completion: completion_tokens, cached: 0 };
        let tier = options.service_tier.unwrap_or_default();
        let cost = self.price(model).map(|price| price.of_call(tokens, tier));
        Usage { calls: 1, reused: 0, prompt_tokens, completion_tokens, cost }
    }

    /// Takes the text layer of pages that no model could read.
    fn text_layer(&self, input: &ShardInput<'_>) -> ShardOutcome {
        let why = input.history.last().map_or("", |failed| failed.code.as_ref());
        let mut reader = input.reader();
        let mut read = Vec::new();
        for page in input.shard.pages() {
            match self.text_of(input, &mut reader, page, why) {
                Err(why) if why.retryable => return ShardOutcome::Failed(why),
                result => read.push(PageRead { page, result }),
            }
        }
        ShardOutcome::Done(read)
    }
}

fn is_paid(read: &PageRead) -> bool {
    read.result.as_ref().is_ok_and(|output| output.usage.calls > 0 || output.model.is_some())
}

impl Processor for LlmProcessor {
    fn name(&self) -> &'static str {
        LLM
    }

    /// A page that a fallback read is of no use to a task that does not want the same fallbacks.
    fn steps(&self, options: &TaskOptions, facts: Option<&PageFacts>) -> Vec<Step> {
        let (own, by_fallback) = (self.recipe(options), self.fallback_recipe(options));
        let step = |(index, reader): (usize, &str)| {
            let recipe = if index == 0 { &own } else { &by_fallback }.clone();
            let degraded_recipe = (index == 0).then(|| by_fallback.clone());
            let step = if is_local(reader) {
                Step::local(reader.to_owned(), recipe)
            } else {
                let expected = facts.map(|facts| self.expected(reader, facts, options)).unwrap_or_default();
                let step = Step::call(LLM, format!("{} {reader}", self.client.host()), recipe);
                Step { model: Some(reader.to_owned()), expected, ..step }
            };
            Step { degraded_recipe, ..step }
        };
        let steps: Vec<Step> = self.chain(options).into_iter().enumerate().map(step).collect();
        if steps.is_empty() { vec![Step::local(LLM, own)] } else { steps }
    }

    fn is_isolated(&self) -> bool {
        true
    }

    fn pin_defaults(&self, options: &mut TaskOptions) {
        options.model = self.model(options).map(str::to_owned);
        options.prompt = Some(self.prompt(options).to_owned());
        options.input = Some(self.input_kind(options));
        options.image_side = Some(self.image_side(options));
        options.fallback = Some(self.fallback(options).into_iter().map(str::to_owned).collect());
    }

    fn check(&self, options: &TaskOptions) -> Result<(), Failure> {
        let refuse = |message: String| Err(Failure::permanent(code::BAD_OPTION, message));
        if self.model(options).is_none() {
            let message = "option model: none is configured; name one, or set BINDERY_LLM_MODEL on the server";
            return refuse(message.to_owned());
        }
        self.check_ocr(options)?;
        let models = self.chain(options).into_iter().filter(|reader| !is_local(reader));
        match models.into_iter().find(|model| self.price(model).is_none()) {
            Some(model) if options.max_cost.is_some() => refuse(format!(
                "option max_cost: the price of {model} is not known; set BINDERY_LLM_PRICES on the server"
            )),
            _ => Ok(()),
        }
    }

    fn learnt(&self) -> Vec<Value> {
        let learnt = self.capabilities.learnt(&self.client.base_url());
        learnt.iter().filter_map(|learnt| serde_json::to_value(learnt).ok()).collect()
    }

    fn take_learnt(&self, learnt: &[Value]) {
        let (own, now) = (self.client.base_url(), Timestamp::now());
        let known = learnt.iter().filter_map(|known| Learnt::deserialize(known).ok());
        known
            .filter(|known| known.endpoint == own && known.counts(now))
            .for_each(|known| self.capabilities.take(&known));
    }

    fn process(&self, input: &ShardInput<'_>) -> ShardOutcome {
        let Some(model) = input.step.model.as_deref() else {
            return match &*input.step.reader {
                TEXT => self.text_layer(input),
                OCR => self.recognise(input),
                _ => ShardOutcome::Failed(Failure::permanent(code::BAD_OPTION, "no model is configured")),
            };
        };
        let limit = input.deadline.saturating_duration_since(Instant::now());
        self.capabilities.of(model).forget_old(Timestamp::now());
        let _under_way = self.capabilities.of(model).begin();
        let (pages, mut read) = match self.look(input, model) {
            Ok(looked) => looked,
            Err(why) => return ShardOutcome::Failed(why),
        };
        let mut about: BTreeMap<u32, Vec<Finding>> = BTreeMap::new();
        let (mut whole, mut long) = (Vec::new(), Vec::new());
        for mut page in pages {
            about.insert(page.input.page, std::mem::take(&mut page.about));
            if page.parts.is_empty() { whole.push(page) } else { long.push(page) }
        }
        let mut rest = Vec::new();
        let long = long.into_iter().map(|page| self.read_parts(input, model, page, limit));
        let each = if self.capabilities.of(model).takes_several_pictures() { whole.len() } else { 1 };
        let mut whole = whole.into_iter().peekable();
        let whole = std::iter::from_fn(|| whole.peek().is_some().then(|| whole.by_ref().take(each.max(1)).collect()));
        for outcome in long.chain(whole.map(|whole| self.read_whole(input, model, whole))) {
            match outcome {
                ShardOutcome::Done(done) => read.extend(done),
                ShardOutcome::Partial { done, rest: diverged, .. } => {
                    read.extend(done);
                    rest.extend(diverged);
                }
                // What is paid is kept, and the others are asked for by themselves.
                _ if read.iter().any(is_paid) => {
                    rest = input.shard.pages().filter(|page| read.iter().all(|read| read.page != *page)).collect();
                    break;
                }
                other => return other,
            }
        }
        for PageRead { page, result } in &mut read {
            if let (Ok(output), Some(about)) = (result, about.remove(page)) {
                output.findings.extend(about);
            }
        }
        let step = input.state.index;
        if rest.is_empty() { ShardOutcome::Done(read) } else { ShardOutcome::Partial { done: read, rest, step } }
    }
}

impl Drop for LlmProcessor {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
