//! The processor that asks a language model behind any OpenAI-compatible endpoint.
//!
//! | module | job |
//! |---|---|
//! | `chain` | whose turn it is: model, fallback models, text layer |
//! | `last_resort` | OCR in their place |
//! | `look` | what of a page is shown; pages that need no call |
//! | `parts` | long pages: their parts, and how these are joined |
//! | `prompt` | the request |
//! | `call` | one call: asked, paid, retried |
//! | `client`, `address` | HTTP, and where it goes |
//! | `refused` | what a refusal means |
//! | `capabilities` | what models were found to take |
//! | `latency` | how long calls take, for those that are slow |
//! | `reply` | the answer, and whether it is pages at all |
//! | `fidelity` | whether it is *these* pages |
//! | `judge` | which answers are taken, and what is said against them |
//!
//! One shared HTTP client runs on a small runtime of its own; a worker thread waits for its call there, so that a call
//! can be cut off when it is cancelled or out of time, and a thousand waiting workers share two threads of I/O. A page's
//! picture is made by the reader processes, of which there are as many as cores, when its call has its turn: there are
//! never more pictures than calls in flight.

mod address;
mod call;
mod capabilities;
mod chain;
mod client;
mod fidelity;
mod judge;
mod last_resort;
mod latency;
mod look;
mod parts;
mod prompt;
mod refused;
mod reply;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use self::capabilities::Capabilities;
use self::chain::{TEXT, Turn, turn};
use self::client::Client;
use self::last_resort::is_local;
use self::latency::Latencies;
use super::ocr::OCR;
use super::{CallVerdict, OcrProcessor, PageRead, Processor, ShardInput, ShardOutcome, TextProcessor, WorkKind};
use crate::document::{ImageOptions, PageFacts};
use crate::task::{Amount, Failure, Finding, OcrEngine, PageInputKind, Price, TaskOptions, Tokens, code};

/// How to reach the endpoint and what to ask of it.
#[derive(Clone)]
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
/// Recipes of a page, in the order of [`Processor::recipes`].
const OWN: usize = 0;
const BY_FALLBACK: usize = 1;

/// Shows each page to a model and takes its Markdown. Several pages of a shard go in one call.
pub struct LlmProcessor {
    options: LlmOptions,
    client: Client,
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
    /// A sentence saying what is wrong with the base URL, the key or the CA file, or that no HTTP client can be made.
    pub fn new(options: LlmOptions) -> Result<Self, String> {
        let client = Client::new(&options.base_url, options.api_key.as_deref(), options.ca_file.as_deref())?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("bindery-llm")
            .enable_all()
            .build()
            .map_err(|error| format!("no threads for calls: {error}"))?;
        Ok(Self {
            options,
            client,
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
    /// A sentence saying why a header cannot carry it.
    pub fn set_api_key(&self, key: Option<&str>) -> Result<(), String> {
        self.client.set_api_key(key)
    }

    fn note_outage(&self, verdict: CallVerdict, why: Option<&Failure>) {
        let outage = match (verdict, why) {
            (CallVerdict::Away(_), Some(why)) => Some(format!("{}: {}", self.client.base_url(), why.message)),
            (CallVerdict::Answered | CallVerdict::Limited(_), _) => None,
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

    /// Takes the text layer of pages that no model could read.
    fn text_layer(&self, input: &ShardInput<'_>) -> ShardOutcome {
        let why = input.earlier.last().map_or("", |code| code.as_ref());
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
    read.result.as_ref().is_ok_and(|output| output.usage.calls > 0)
}

/// What is permanent for one reader is not for the next.
fn failed(why: Failure, turn: Turn) -> ShardOutcome {
    ShardOutcome::Failed(Failure { retryable: why.retryable || turn.more_readers, ..why })
}

impl Processor for LlmProcessor {
    fn name(&self) -> &'static str {
        "llm"
    }

    fn kind(&self) -> WorkKind {
        WorkKind::Call
    }

    fn recipe(&self, options: &TaskOptions) -> Value {
        let (prompt, input) = (self.prompt(options), self.input_kind(options));
        let mut recipe = json!({
            "processor": self.name(),
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

    fn is_isolated(&self) -> bool {
        true
    }

    /// A page that a fallback read is nobody's who does not want the same fallbacks.
    fn recipes(&self, options: &TaskOptions) -> Vec<Value> {
        let own = self.recipe(options);
        let mut by_fallback = own.clone();
        by_fallback["fallback"] = json!(self.fallback(options));
        // The text layer may be one of them, and OCR.
        by_fallback["text"] = TextProcessor.recipe(options);
        if let Some(ocr) = self.ocr.as_ref().filter(|_| self.fallback(options).contains(&OCR)) {
            by_fallback["ocr"] = ocr.recipe(options);
        }
        vec![own, by_fallback]
    }

    fn endpoint(&self, options: &TaskOptions, earlier: &[Cow<'static, str>], usual: u32) -> Option<String> {
        let readers = self.chain(options);
        let model = readers.get(turn(readers.len(), usual, earlier).reader)?;
        (!is_local(model)).then(|| format!("{} {model}", self.client.host()))
    }

    /// Tokens as they usually come out: one for every three and a half characters, and for every 750 pixels.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate"
    )]
    fn estimate(&self, facts: &PageFacts, options: &TaskOptions) -> (String, Amount) {
        let model = self.model(options).unwrap_or_default();
        let route = self.name().to_owned();
        if facts.shown.glyphs == 0 && self.input_kind(options) == PageInputKind::Text {
            return (route, Amount::default());
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
        (route, Amount { calls: 1, prompt_tokens, completion_tokens, cost, ..Amount::default() })
    }

    fn attempts(&self, options: &TaskOptions, usual: u32) -> u32 {
        let readers = self.chain(options);
        let models = readers.iter().filter(|reader| !is_local(reader)).count();
        let texts = readers.len() - models;
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        usual.saturating_mul(count(models)).saturating_add(count(texts))
    }

    fn settle(&self, options: &mut TaskOptions) {
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

    fn process(&self, input: &ShardInput<'_>) -> ShardOutcome {
        let readers = self.chain(input.options);
        let turn = turn(readers.len(), input.max_attempts, input.earlier);
        let Some(model) = readers.get(turn.reader) else {
            return ShardOutcome::Failed(Failure::permanent(code::BAD_OPTION, "no model is configured"));
        };
        match *model {
            TEXT => return self.text_layer(input),
            OCR => return self.recognise(input),
            _ => {}
        }
        let limit = input.deadline.saturating_duration_since(Instant::now());
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
        let mut calls = Vec::new();
        let long = long.into_iter().map(|page| self.read_parts(input, model, turn, page, limit));
        let whole = (!whole.is_empty()).then_some(whole).into_iter();
        for outcome in long.chain(whole.map(|whole| self.read_whole(input, model, turn, whole))) {
            match outcome {
                ShardOutcome::Done(done) => read.extend(done),
                ShardOutcome::Divided { done, calls: strayed } => {
                    read.extend(done);
                    calls = strayed;
                }
                // What is paid is kept, and the others are asked for by themselves.
                _ if read.iter().any(is_paid) => {
                    calls = input.shard.pages().filter(|page| read.iter().all(|read| read.page != *page)).collect();
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
        if calls.is_empty() { ShardOutcome::Done(read) } else { ShardOutcome::Divided { done: read, calls } }
    }
}

impl Drop for LlmProcessor {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
