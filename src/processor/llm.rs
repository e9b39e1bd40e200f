//! The processor that asks a language model behind any OpenAI-compatible endpoint.
//!
//! | module | job |
//! |---|---|
//! | `chain` | whose turn it is: model, fallback models, text layer |
//! | `prompt` | the request |
//! | `client` | the call |
//! | `quirks` | what models do not take |
//! | `reply` | the answer, and whether it is pages at all |
//! | `latency` | how long calls take, for those that are slow |
//! | `fidelity` | whether it is *these* pages |
//!
//! One shared HTTP client runs on a small runtime of its own; a worker thread waits for its call there, so that a call
//! can be cut off when it is cancelled or out of time, and a thousand waiting workers share two threads of I/O. A page's
//! picture is made by the reader processes, of which there are as many as cores, when its call has its turn: there are
//! never more pictures than calls in flight.

mod chain;
mod client;
mod fidelity;
mod latency;
mod prompt;
mod quirks;
mod reply;

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::Either;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use self::chain::{TEXT, Turn, turn};
use self::client::{CallError, Client};
use self::fidelity::Fidelity;
use self::latency::Latencies;
use self::prompt::{Ask, PageInput};
use self::quirks::{Dislike, Quirks};
use self::reply::Reply;
use super::figures;
use super::unread::{self, Need};
use super::{CallReport, CallVerdict, PageRead, Processor, ShardInput, ShardOutcome, TextProcessor, WorkKind};
use crate::content::{PageContent, from_markdown};
use crate::document::{ImageOptions, PageFacts, PageReader, TextOptions};
use crate::metrics;
use crate::output::markdown::{self, Forms};
use crate::task::{
    Amount, Failure, Finding, OcrLayer, PageChecks, PageInputKind, PageOutput, PageUsage, Price, TaskOptions, code,
};

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

/// The most bytes of a picture: larger ones are made smaller.
const MOST_BYTES: usize = 2 << 20;
/// The token limit that is asked for after an answer was cut off; doubled with each further time.
const FIRST_BUDGET: u32 = 8_192;
/// How freely a model is asked that strayed when it was asked for the likeliest words.
const FREER: f32 = 0.4;
/// Tokens of the answer for a page of which nothing else is known.
const USUAL_ANSWER: u64 = 700;
/// Recipes of a page, in the order of [`Processor::recipes`].
const OWN: usize = 0;
const BY_FALLBACK: usize = 1;

/// Shows each page to a model and takes its Markdown. Several pages of a shard go in one call.
pub struct LlmProcessor {
    options: LlmOptions,
    client: Client,
    quirks: Quirks,
    latencies: Latencies,
    /// Why the endpoint cannot be reached at present.
    outage: watch::Sender<Option<String>>,
    /// Taken out on drop: a runtime must not be waited for on an actor's thread.
    runtime: Option<Runtime>,
}

/// What matters of a request once it is gone.
#[derive(Clone, Copy)]
struct Sent {
    temperature: bool,
    max_tokens: bool,
    /// About how many tokens it has.
    guess: u64,
    price: Option<Price>,
}

fn sent_tokens(sent: &Sent, calls: u32) -> u64 {
    sent.guess * u64::from(calls)
}

/// A page of a shard on its way.
struct Page {
    input: PageInput,
    /// What is known of it whatever the model says.
    about: Vec<Finding>,
    /// Its text layer, where that can be trusted.
    text: Option<String>,
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
            quirks: Quirks::default(),
            latencies: Latencies::default(),
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

    fn fallback<'a>(&'a self, options: &'a TaskOptions) -> &'a [String] {
        options.fallback.as_ref().unwrap_or(&self.options.fallback)
    }

    fn price(&self, model: &str) -> Option<Price> {
        self.options.prices.get(model).or_else(|| self.options.prices.get("*")).copied()
    }

    /// Everybody who may read a page of the task, in their order.
    fn chain<'a>(&'a self, options: &'a TaskOptions) -> Vec<&'a str> {
        let fallback = self.fallback(options).iter().map(String::as_str);
        self.model(options).into_iter().chain(fallback).collect()
    }

    /// What the model is given of each page, and the pages that need no call: empty ones, and those that cannot be read.
    fn look(&self, input: &ShardInput<'_>) -> Result<(Vec<Page>, Vec<PageRead>), Failure> {
        let kind = self.input_kind(input.options);
        let image_options = ImageOptions {
            longest_side: self.image_side(input.options),
            max_bytes: MOST_BYTES,
            ..ImageOptions::default()
        };
        let mut reader = input.reader();
        let (mut pages, mut read) = (Vec::new(), Vec::new());
        for page in input.shard.pages() {
            let mut look = || {
                let facts = reader.facts(page)?;
                // Of what is only in its picture, its text is no measure.
                let sound = Need::of(&facts.shown, OcrLayer::Reread).is_none();
                let text = if sound || kind != PageInputKind::Image {
                    markdown::page_with(&reader.text_layer(page, input.options.into())?.content, Forms::SAID)
                } else {
                    String::new()
                };
                let image = (kind != PageInputKind::Text).then(|| reader.image(page, &image_options)).transpose()?;
                let empty = facts.shown.visible_glyphs() == 0 && facts.shown.image_coverage == 0.0;
                // Of a page without text a model that is given only text would see nothing.
                let unread = kind == PageInputKind::Text
                    && text.is_empty()
                    && unread::shows_something(&mut reader, page, facts.shown.image_coverage)?;
                let about = unread::of_document(&facts.shown, &facts.attached);
                Ok::<_, Failure>((sound, empty, text, image, unread, about))
            };
            match look() {
                Ok((sound, empty, text, image, unread, about)) => {
                    let unseen = image.as_ref().is_none_or(|image| image.blank);
                    // Nothing to transcribe: no call, and no invented text. But a picture that is white although
                    // something should be on it proves nothing.
                    let nothing = if kind == PageInputKind::Text { text.is_empty() } else { unseen && empty };
                    if nothing {
                        let findings = about.into_iter().chain(unread.then(Finding::no_text_layer)).collect();
                        let output = PageOutput { findings, ..self.output(input, PageContent::default()) };
                        read.push(PageRead { page, result: Ok(output) });
                        continue;
                    }
                    let given = ((kind != PageInputKind::Image || unseen) && !text.is_empty()).then(|| text.clone());
                    let text = Some(text).filter(|_| sound);
                    pages.push(Page { input: PageInput { page, text: given, image }, about, text });
                }
                Err(why) if why.retryable => return Err(why),
                // No model will see it, but its text may be read all the same.
                Err(why) if self.fallback(input.options).iter().any(|reader| reader == TEXT) => {
                    let result = self.text_of(input, &mut reader, page, &why.code);
                    read.push(PageRead { page, result: result.map_err(|_| why) });
                }
                Err(why) => read.push(PageRead { page, result: Err(why) }),
            }
        }
        Ok((pages, read))
    }

    fn output(&self, input: &ShardInput<'_>, content: PageContent) -> PageOutput {
        PageOutput { content, processor: self.name().to_owned(), attempts: input.attempt, ..PageOutput::default() }
    }

    fn call(&self, input: &ShardInput<'_>, model: &str, turn: Turn, pages: Vec<Page>) -> ShardOutcome {
        let Some(runtime) = &self.runtime else { return ShardOutcome::Cancelled };
        let temperature = if turn.strayed { FREER } else { 0.0 };
        let ask = Ask {
            model,
            prompt: self.prompt(input.options),
            temperature: (!self.quirks.has(model, Dislike::Temperature)).then_some(temperature),
            max_tokens: (turn.truncated > 0).then(|| FIRST_BUDGET << (turn.truncated - 1).min(4)),
            newer_name: self.quirks.has(model, Dislike::MaxTokens),
        };
        let (inputs, texts): (Vec<_>, Vec<_>) = pages.into_iter().map(|page| (page.input, page.text)).unzip();
        let request = prompt::request(&ask, &inputs);
        let sent = Sent {
            temperature: ask.temperature.is_some(),
            max_tokens: ask.max_tokens.is_some() && !ask.newer_name,
            guess: prompt::tokens(&ask, &inputs),
            price: self.price(model),
        };
        let numbers: Vec<u32> = inputs.iter().map(|page| page.page).collect();
        let is_plain = |page: &&PageInput| page.image.as_ref().is_some_and(|image| image.plain);
        let plain: Vec<u32> = inputs.iter().filter(is_plain).map(|page| page.page).collect();
        let shows = |page: &&PageInput| page.image.as_ref().is_some_and(|image| !image.plain);
        let with_ink: Vec<u32> = inputs.iter().filter(shows).map(|page| page.page).collect();
        // The request has its own copy of the pictures.
        drop(inputs);
        let (begun, calls_begun) = (Instant::now(), Cell::new(0));
        let waiting = input.waiting();
        let answer = runtime.block_on(async {
            tokio::select! {
                biased;
                () = input.cancel.cancelled() => None,
                answer = self.ask(input, request.into(), &calls_begun) => Some(answer),
                () = tokio::time::sleep_until(input.deadline.into()) => Some((Err(CallError::timeout()), None)),
            }
        });
        drop(waiting);
        let (took, mut calls) = (begun.elapsed(), calls_begun.get());
        if let Some((_, Some(lost))) = &answer
            && !lost.paid
        {
            // It was refused: only the other one is paid.
            calls -= 1;
            let usage = PageUsage::default();
            self.report(input, model, CallReport { usage, took, verdict: lost.verdict });
        }
        match answer {
            None if calls == 0 => ShardOutcome::Cancelled,
            None => {
                // What the endpoint has been given is likely to be paid, whoever hears the answer.
                let cost = sent.price.map(|price| price.of(sent_tokens(&sent, calls), 0));
                let usage = PageUsage { calls, cost, ..PageUsage::default() };
                self.report(input, model, CallReport { usage, took, verdict: CallVerdict::Abandoned });
                ShardOutcome::Cancelled
            }
            Some((Err(error), _)) => self.refused(input, model, error, turn, sent, (took, calls)),
            Some((Ok(reply), _)) => {
                self.latencies.add(took);
                self.note_outage(CallVerdict::Answered, None);
                // Of a second call nothing comes back but its bill, which is like the first one's.
                let [prompt_tokens, completion_tokens] =
                    [reply.prompt_tokens, reply.completion_tokens].map(|tokens| tokens * u64::from(calls));
                // Who tells no figures is paid all the same.
                let billed = match prompt_tokens + completion_tokens {
                    0 => (sent_tokens(&sent, calls), prompt::tokens_of(&reply.text)),
                    _ => (prompt_tokens, completion_tokens),
                };
                let cost = sent.price.map(|price| price.of(billed.0, billed.1));
                let usage = PageUsage { calls, prompt_tokens, completion_tokens, cost };
                self.report(input, model, CallReport { usage, took, verdict: CallVerdict::Answered });
                match reply::pages(&reply, &numbers, &plain) {
                    Ok(markdown) => {
                        let model = reply.model.as_deref().unwrap_or(model);
                        self.judged(
                            input,
                            turn,
                            markdown,
                            (&texts, &with_ink),
                            PageOutput {
                                model: Some(model.to_owned()),
                                ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                                usage,
                                recipe: if turn.reader == 0 { OWN } else { BY_FALLBACK },
                                ..self.output(input, PageContent::default())
                            },
                        )
                    }
                    Err(why) => failed(why, turn),
                }
            }
        }
    }

    /// One call, or two where the first is slow, that is wanted, and the endpoint has room. `begun` counts them. Answers also
    /// what became of one that lost.
    async fn ask(
        &self,
        input: &ShardInput<'_>,
        request: Bytes,
        begun: &Cell<u32>,
    ) -> (Result<Reply, CallError>, Option<CallError>) {
        begun.set(1);
        let Some(p95) = self.latencies.p95().filter(|_| self.options.hedge) else {
            return (self.client.complete(request).await, None);
        };
        let mut first = std::pin::pin!(self.client.complete(request.clone()));
        if let Ok(answer) = tokio::time::timeout(p95, first.as_mut()).await {
            return (answer, None);
        }
        let place = std::pin::pin!(input.place_for_another());
        let _place = match futures::future::select(first.as_mut(), place).await {
            Either::Left((answer, _)) => return (answer, None),
            Either::Right((Some(place), _)) => place,
            Either::Right((None, _)) => return (first.await, None),
        };
        begun.set(2);
        let second = std::pin::pin!(self.client.complete(request));
        match futures::future::select(first, second).await {
            Either::Left((Err(lost), other)) => (other.await, Some(lost)),
            Either::Right((Err(lost), other)) => (other.await, Some(lost)),
            Either::Left((answer, _)) | Either::Right((answer, _)) => (answer, None),
        }
    }

    /// Tells the pool and the metrics of a call. Callers may name any model; only configured ones have a row of their own.
    fn report(&self, input: &ShardInput<'_>, model: &str, report: CallReport) {
        let known = self.options.model.iter().chain(&self.options.fallback).any(|known| known == model);
        metrics::call(if known { model } else { "other" }, report.verdict.as_str(), report.took);
        input.called(report);
    }

    fn refused(
        &self,
        input: &ShardInput<'_>,
        model: &str,
        error: CallError,
        turn: Turn,
        sent: Sent,
        (took, calls): (Duration, u32),
    ) -> ShardOutcome {
        let CallError { why, verdict, paid, dislikes } = error;
        self.note_outage(verdict, Some(&why));
        let calls = if paid { calls } else { 0 };
        let cost = sent.price.filter(|_| paid).map(|price| price.of(sent_tokens(&sent, calls), 0));
        let usage = PageUsage { calls, cost, ..PageUsage::default() };
        self.report(input, model, CallReport { usage, took, verdict });
        match (verdict, dislikes) {
            (CallVerdict::Away(after) | CallVerdict::Limited(after), _) => ShardOutcome::Retry { after, why },
            (_, Some(dislike)) => {
                let had = match dislike {
                    Dislike::Temperature => sent.temperature,
                    Dislike::MaxTokens => sent.max_tokens,
                };
                self.quirks.found(model, dislike);
                // Whoever sent it asks again without it; when that does not help, that is that.
                if had { ShardOutcome::Retry { after: Some(Duration::ZERO), why } } else { failed(why, turn) }
            }
            _ if *why.code == *code::ENDPOINT_UNAUTHORIZED => ShardOutcome::Fatal(why),
            // A fallback that is not there costs the pages that need it, and no others.
            _ if *why.code == *code::MODEL_NOT_FOUND && turn.reader == 0 && !turn.more_readers => {
                ShardOutcome::Fatal(why)
            }
            _ => failed(why, turn),
        }
    }

    /// Takes the answers that are true to their pages. Those of a prompt that is not ours may be meant to differ. Of several
    /// pages, those that are not are asked for once more by themselves.
    fn judged(
        &self,
        input: &ShardInput<'_>,
        turn: Turn,
        markdown: Vec<(u32, String)>,
        (texts, shown): (&[Option<String>], &[u32]),
        first: PageOutput,
    ) -> ShardOutcome {
        let faithful = self.prompt(input.options) == prompt::DEFAULT;
        // A second answer that strays settles it, as far as this model goes.
        let last = turn.strayed && !turn.more_readers;
        let mut output = first;
        let (mut read, mut bad, mut why) = (Vec::with_capacity(markdown.len()), Vec::new(), None);
        for ((page, markdown), text) in markdown.into_iter().zip(texts) {
            let known = text.as_deref().unwrap_or_default();
            let measured = fidelity::fidelity(known, &markdown);
            if let Some(fault) = fault(&markdown, known, faithful, measured.as_ref(), last) {
                bad.push(page);
                why = Some(fault);
                continue;
            }
            let strays = faithful && measured.as_ref().is_some_and(|measured| !measured.holds());
            let checks = measured.map(|measured| PageChecks {
                recall: Some(measured.recall),
                invented_numbers: Some(u32::try_from(measured.invented).unwrap_or(u32::MAX)),
                unfaithful: strays,
                route: None,
            });
            let denied = markdown.is_empty() && shown.contains(&page);
            let findings =
                strays.then(Finding::unfaithful).into_iter().chain(denied.then(Finding::said_empty)).collect();
            // Whoever has other fallbacks shall not be served with a page that strays.
            let recipe = if strays { BY_FALLBACK } else { output.recipe };
            let rest = PageOutput { usage: PageUsage::default(), ..output.clone() };
            // The first page carries the call, so that sums come out right.
            let content = from_markdown(markdown);
            let page_output = PageOutput { content, checks, findings, recipe, ..std::mem::replace(&mut output, rest) };
            read.push(PageRead { page, result: Ok(page_output) });
        }
        match why {
            Some(why) if read.is_empty() => failed(why, turn),
            _ if bad.is_empty() => ShardOutcome::Done(read),
            _ => ShardOutcome::Divided { done: read, calls: bad },
        }
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

    fn text_of(
        &self,
        input: &ShardInput<'_>,
        reader: &mut PageReader<'_>,
        page: u32,
        why: &str,
    ) -> Result<PageOutput, Failure> {
        let options = TextOptions::from(input.options);
        let mut layer = reader.text_layer(page, options)?;
        if layer.content.is_empty() {
            let message = "no model could read the page, and it has no text layer";
            return Err(Failure::permanent(code::BAD_ANSWER, message));
        }
        let mut findings = unread::findings(reader, page, &layer, options.ocr_layer)?;
        let (image_files, left_out) = figures::extract(reader, page, &mut layer.content, input.options)?;
        findings.extend(left_out);
        let checks = PageChecks { route: Some(format!("fallback: {why}")), ..PageChecks::default() };
        let output =
            PageOutput { checks: Some(checks), recipe: BY_FALLBACK, findings, ..self.output(input, layer.content) };
        Ok(PageOutput { processor: TEXT.to_owned(), image_files, ..output })
    }
}

/// What keeps an answer from being taken as its page, whose own text is `known` where it can be trusted.
fn fault(markdown: &str, known: &str, faithful: bool, measured: Option<&Fidelity>, last: bool) -> Option<Failure> {
    if fidelity::loops(markdown) && !fidelity::loops(known) {
        return Some(Failure::passing(code::ANSWER_REPETITIVE, "the answer repeats itself without end"));
    }
    if measured.is_none() && faithful && fidelity::refuses(markdown) && !fidelity::refuses(known) {
        return Some(Failure::permanent(code::ANSWER_REFUSED, "the model refused"));
    }
    let strays = faithful && measured.is_some_and(|measured| !measured.holds());
    (strays && !last).then(|| {
        let message = "the answer has too little of the page's text, or numbers that are not on the page";
        Failure::passing(code::ANSWER_UNFAITHFUL, message)
    })
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
        // The text layer may be one of them.
        by_fallback["text"] = TextProcessor.recipe(options);
        vec![own, by_fallback]
    }

    fn endpoint(&self, options: &TaskOptions, earlier: &[Cow<'static, str>], usual: u32) -> Option<String> {
        let readers = self.chain(options);
        let model = readers.get(turn(readers.len(), usual, earlier).reader)?;
        (*model != TEXT).then(|| format!("{} {model}", self.client.host()))
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
        let cost = self.price(model).map(|price| price.of(prompt_tokens, completion_tokens));
        (route, Amount { calls: 1, prompt_tokens, completion_tokens, cost, ..Amount::default() })
    }

    fn attempts(&self, options: &TaskOptions, usual: u32) -> u32 {
        let readers = self.chain(options);
        let models = readers.iter().filter(|reader| **reader != TEXT).count();
        let texts = readers.len() - models;
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        usual.saturating_mul(count(models)).saturating_add(count(texts))
    }

    fn settle(&self, options: &mut TaskOptions) {
        options.model = self.model(options).map(str::to_owned);
        options.prompt = Some(self.prompt(options).to_owned());
        options.input = Some(self.input_kind(options));
        options.image_side = Some(self.image_side(options));
        options.fallback = Some(self.fallback(options).to_vec());
    }

    fn check(&self, options: &TaskOptions) -> Result<(), Failure> {
        let refuse = |message: String| Err(Failure::permanent(code::BAD_OPTION, message));
        if self.model(options).is_none() {
            let message = "option model: none is configured; name one, or set BINDERY_LLM_MODEL on the server";
            return refuse(message.to_owned());
        }
        let models = self.chain(options).into_iter().filter(|reader| *reader != TEXT);
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
        if *model == TEXT {
            return self.text_layer(input);
        }
        let (mut pages, mut read) = match self.look(input) {
            Ok(looked) => looked,
            Err(why) => return ShardOutcome::Failed(why),
        };
        if pages.is_empty() {
            return ShardOutcome::Done(read);
        }
        let mut about: BTreeMap<u32, Vec<Finding>> =
            pages.iter_mut().map(|page| (page.input.page, std::mem::take(&mut page.about))).collect();
        let mut outcome = self.call(input, model, turn, pages);
        if let ShardOutcome::Done(done) | ShardOutcome::Divided { done, .. } = &mut outcome {
            for PageRead { page, result } in done.iter_mut() {
                if let (Ok(output), Some(about)) = (result, about.remove(page)) {
                    output.findings.extend(about);
                }
            }
            done.append(&mut read);
        }
        outcome
    }
}

impl Drop for LlmProcessor {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
