//! One call: asked, paid, and what an endpoint's refusal leads to.

use std::cell::Cell;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::Either;
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;

use super::LlmProcessor;
use super::capabilities::{Lesson, Sent};
use super::kept::Question;
use super::prompt::{self, Ask, PageInput};
use super::refused::{CallError, Concerns};
use super::reply::Reply;
use crate::metrics;
use crate::processor::{CallOutcome, CallReport, ShardInput, ShardOutcome};
use crate::task::{Failure, Price, ServiceTier, Tokens, Usage, code};

/// The token limit that is asked for after an answer was cut off; doubled with each further time.
const FIRST_BUDGET: u32 = 8_192;
/// How freely a model is asked that gave no page when it was asked for the likeliest words.
const RETRY_TEMPERATURE: f32 = 0.4;

/// What a call brought.
pub(super) struct CallAnswer {
    pub(super) reply: Reply,
    pub(super) usage: Usage,
    pub(super) took: Duration,
    /// What was asked, where the answer is kept until its pages are safe.
    pub(super) question: Option<Question>,
}

/// What matters of a request once it is gone.
#[derive(Clone, Copy)]
struct Bill {
    /// About how many tokens it has.
    guess: u64,
    price: Option<Price>,
    /// What was asked for.
    tier: ServiceTier,
}

/// How long one waits for room in a tier, where the endpoint does not say.
const TIER_WAIT: Duration = Duration::from_secs(10);

impl Bill {
    /// What calls cost, which all brought the same. Who tells no figures is paid all the same.
    fn usage(self, reply: &Reply, calls: u32) -> Usage {
        let told = [reply.prompt_tokens, reply.completion_tokens].map(|tokens| tokens.filter(|tokens| *tokens > 0));
        let [sent, received] = match told {
            [None, None] => [Some(self.guess), Some(prompt::tokens_of(&reply.text))],
            // Nothing received may be so, nothing sent cannot.
            [sent, received] => [sent.or(Some(self.guess)), received],
        }
        .map(|tokens| tokens.unwrap_or(0) * u64::from(calls));
        // An endpoint that does not say has perhaps not heard of tiers.
        let tier = reply.service_tier.as_deref().and_then(|tier| tier.parse().ok()).unwrap_or_default();
        let tokens = Tokens { prompt: sent, completion: received, cached: reply.cached_tokens * u64::from(calls) };
        let [prompt_tokens, completion_tokens] = told.map(|tokens| tokens.unwrap_or(0) * u64::from(calls));
        Usage {
            calls: calls.into(),
            prompt_tokens,
            completion_tokens,
            cost: self.price.map(|price| price.of_call(tokens, tier)),
            reused: 0,
        }
    }

    /// What calls cost of which nothing came back.
    fn lost(self, calls: u32) -> Usage {
        let tokens = Tokens { prompt: self.guess * u64::from(calls), ..Tokens::default() };
        let cost = self.price.filter(|_| calls > 0).map(|price| price.of_call(tokens, self.tier));
        Usage { calls: calls.into(), cost, ..Usage::default() }
    }
}

/// What of a request may teach something.
fn sent(ask: &Ask<'_>, pages: &[PageInput]) -> Sent {
    let images = || pages.iter().filter_map(|page| page.image.as_ref());
    let bytes = images().map(|image| u32::try_from(image.bytes.len()).unwrap_or(u32::MAX)).max();
    let side = images().map(|image| image.width.max(image.height)).max();
    Sent {
        temperature: ask.temperature.is_some(),
        max_tokens: ask.max_tokens,
        newer_name: ask.newer_name,
        system_role: ask.system_role,
        service_tier: ask.service_tier.is_some(),
        picture: bytes.zip(side),
        pages: pages.len(),
    }
}

impl LlmProcessor {
    /// Asks a model for some pages. Whatever else comes of it than an answer is the outcome. With `keeps`, the answer is safe
    /// from then on, and one that was paid and kept is not asked for again.
    pub(super) fn call(
        &self,
        input: &ShardInput<'_>,
        model: &str,
        pages: Vec<PageInput>,
        keeps: bool,
    ) -> Result<CallAnswer, ShardOutcome> {
        let Some(runtime) = &self.runtime else { return Err(ShardOutcome::Cancelled) };
        let question = keeps.then(|| self.question(input, model, &pages)).flatten();
        if let Some(answer) = question.as_ref().and_then(|question| question.find(input)) {
            return Ok(answer);
        }
        let ask = self.ask_for(input, model)?;
        let sent = sent(&ask, &pages);
        let bill = Bill {
            guess: prompt::tokens(&ask, &pages),
            price: self.price(model),
            tier: input.options.service_tier.unwrap_or_default(),
        };
        let request = prompt::request(&ask, &pages);
        // The request has its own copy of the pictures.
        drop(pages);
        let (begun, calls_begun) = (Instant::now(), Cell::new(0));
        let waiting = input.waiting();
        let answer = runtime.block_on(async {
            tokio::select! {
                biased;
                () = input.cancel.cancelled() => None,
                answer = self.send(input, request.into(), &calls_begun) => Some(answer),
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
            let usage = Usage::default();
            self.report(input, model, CallReport { usage, took, outcome: lost.outcome });
        }
        match answer {
            None if calls == 0 => Err(ShardOutcome::Cancelled),
            // What the endpoint has been given is likely to be paid, even if the answer is not read.
            None => {
                let usage = bill.lost(calls);
                self.report(input, model, CallReport { usage, took, outcome: CallOutcome::Cancelled });
                Err(ShardOutcome::Cancelled)
            }
            Some((Err(error), _)) => Err(self.refused(input, model, error, (sent, bill), (took, calls))),
            Some((Ok(reply), _)) => {
                self.latencies.add(took);
                self.note_outage(CallOutcome::Success, None);
                // Of a second call nothing comes back but its bill, which is like the first one's.
                let usage = bill.usage(&reply, calls);
                // Before anything else: the endpoint has been paid.
                if let Some(question) = &question {
                    question.keep(input, &reply, usage, took);
                }
                self.report(input, model, CallReport { usage, took, outcome: CallOutcome::Success });
                Ok(CallAnswer { reply, usage, took, question })
            }
        }
    }

    /// Waits; returns false when the attempt is cancelled meanwhile.
    pub(super) fn pause(&self, input: &ShardInput<'_>, pause: Duration) -> bool {
        let Some(runtime) = &self.runtime else { return false };
        let _waiting = input.waiting();
        runtime.block_on(async {
            tokio::select! {
                biased;
                () = input.cancel.cancelled() => false,
                () = tokio::time::sleep(pause) => true,
            }
        })
    }

    /// How a model is asked, by what is known of it and of its answers before.
    fn ask_for<'a>(&'a self, input: &'a ShardInput<'_>, model: &'a str) -> Result<Ask<'a>, ShardOutcome> {
        let known = self.capabilities.of(model);
        let asked_for = input.options.service_tier.unwrap_or_default();
        let is_full = asked_for == ServiceTier::FlexElseAuto && known.is_tier_full();
        let tier = asked_for.asked_for().filter(|_| known.takes_service_tier() && !is_full);
        let temperature = if input.state.vary { RETRY_TEMPERATURE } else { 0.0 };
        let budget = |truncated: u32| known.tokens(FIRST_BUDGET << (truncated - 1).min(4));
        let budget = |truncated: u32| if truncated > 0 { budget(truncated) } else { known.affordable() };
        let max_tokens = budget(input.state.truncated);
        // With no more room than the last time it would be cut off at the same place.
        if input.state.truncated > 0 && max_tokens <= budget(input.state.truncated - 1) {
            let most = max_tokens.map(|most| format!(" of {most}")).unwrap_or_default();
            let message =
                format!("the answer was cut off at the model's limit{most} tokens, and it takes no larger one");
            return Err(ShardOutcome::Failed(Failure::permanent(code::ANSWER_TRUNCATED, message)));
        }
        Ok(Ask {
            model,
            prompt: self.prompt(input.options),
            temperature: known.takes_temperature().then_some(temperature),
            max_tokens,
            newer_name: known.wants_newer_name(),
            system_role: known.takes_system_role(),
            service_tier: tier,
        })
    }

    /// Makes a call on the client's own threads: of those that wait for an answer there may be a thousand, each of which would
    /// need the stack for it. One that is dropped is ended.
    async fn complete(&self, request: Bytes) -> Result<Reply, CallError> {
        let client = Arc::clone(&self.client);
        let call = tokio::spawn(async move { client.complete(request).await });
        match AbortOnDropHandle::new(call).await.map_err(JoinError::try_into_panic) {
            Ok(answer) => answer,
            Err(Ok(panic)) => resume_unwind(panic),
            // The client's threads end; the attempt is told by its own token.
            Err(Err(_)) => std::future::pending().await,
        }
    }

    /// One call, or two where the first is slow, that is wanted, and the endpoint has room. `begun` counts them. Answers also
    /// what became of one that lost.
    async fn send(
        &self,
        input: &ShardInput<'_>,
        request: Bytes,
        begun: &Cell<u32>,
    ) -> (Result<Reply, CallError>, Option<CallError>) {
        begun.set(1);
        let Some(p95) = self.latencies.p95().filter(|_| self.options.hedge) else {
            return (self.complete(request).await, None);
        };
        let mut first = std::pin::pin!(self.complete(request.clone()));
        if let Ok(answer) = tokio::time::timeout(p95, first.as_mut()).await {
            return (answer, None);
        }
        let place = std::pin::pin!(input.hedge_permit());
        let _place = match futures::future::select(first.as_mut(), place).await {
            Either::Left((answer, _)) => return (answer, None),
            Either::Right((Some(place), _)) => place,
            Either::Right((None, _)) => return (first.await, None),
        };
        begun.set(2);
        let second = std::pin::pin!(self.complete(request));
        match futures::future::select(first, second).await {
            Either::Left((Err(lost), other)) => (other.await, Some(lost)),
            Either::Right((Err(lost), other)) => (other.await, Some(lost)),
            Either::Left((answer, _)) | Either::Right((answer, _)) => (answer, None),
        }
    }

    /// Tells the pool and the metrics of a call. Callers may name any model; only configured ones have a row of their own.
    fn report(&self, input: &ShardInput<'_>, model: &str, report: CallReport) {
        let known = self.options.model.iter().chain(&self.options.fallback).any(|known| known == model);
        metrics::call(if known { model } else { "other" }, report.outcome.as_str(), report.took);
        input.called(report);
    }

    fn refused(
        &self,
        input: &ShardInput<'_>,
        model: &str,
        error: CallError,
        (sent, bill): (Sent, Bill),
        (took, calls): (Duration, u32),
    ) -> ShardOutcome {
        let CallError { why, mut outcome, paid, concerns, lesson } = error;
        let mut room = None;
        if let (CallOutcome::RateLimited(after), true) = (outcome, concerns == Concerns::Tier && sent.service_tier) {
            // It says nothing about how much the endpoint takes otherwise.
            (outcome, room) = (CallOutcome::Success, Some(after.unwrap_or(TIER_WAIT)));
        }
        self.note_outage(outcome, Some(&why));
        let usage = bill.lost(if paid { calls } else { 0 });
        self.report(input, model, CallReport { usage, took, outcome });
        if let CallOutcome::Unavailable(after) | CallOutcome::RateLimited(after) = outcome {
            return ShardOutcome::Retry { after, why };
        }
        let known = self.capabilities.of(model);
        if room.is_some() && input.options.service_tier == Some(ServiceTier::FlexElseAuto) {
            known.tier_is_full();
            return ShardOutcome::Retry { after: Some(Duration::ZERO), why };
        }
        if room.is_some() {
            return ShardOutcome::Retry { after: room, why };
        }
        if let Some(lesson @ (Lesson::SmallerPicture { .. } | Lesson::OnePicture)) = &lesson
            && sent.pages > 1
        {
            // Each of them may be small enough: they are asked for one by one.
            if *lesson == Lesson::OnePicture {
                known.learn(lesson, sent);
            }
            return ShardOutcome::Failed(why);
        }
        if let Some(lesson) = lesson {
            // The request is sent again without it; when that does not help, the attempt fails.
            let helps = known.learn(&lesson, sent);
            log::info!(model, code:% = why.code; "learnt what the model takes: {}", why.message);
            return match concerns {
                _ if helps => ShardOutcome::Retry { after: Some(Duration::ZERO), why },
                Concerns::Task => ShardOutcome::Fatal(why),
                _ => ShardOutcome::Failed(why),
            };
        }
        match concerns {
            Concerns::Task => ShardOutcome::Fatal(why),
            Concerns::Model => self.for_all(input, why),
            Concerns::PerhapsAll if known.strike_untold(&why.message) => self.for_all(input, why),
            Concerns::PerhapsAll | Concerns::Page | Concerns::Tier => ShardOutcome::Failed(why),
        }
    }

    /// What all pages would get of this model. A fallback that is not there costs the pages that need it, and no others.
    pub(super) fn for_all(&self, input: &ShardInput<'_>, why: Failure) -> ShardOutcome {
        if self.chain(input.options).len() == 1 {
            return ShardOutcome::Fatal(Failure { retryable: false, ..why });
        }
        ShardOutcome::Failed(why)
    }
}
