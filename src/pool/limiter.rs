//! How many calls an endpoint gets, and when: adapts to what it allows. Pure; the caller says what time it is.
//!
//! *Concurrency* is a window below the configured most. A refusal (429) tells how many were too many, and the window goes
//! there at once; refusals without an answer in between, of calls that were sent after that, shrink it by a quarter each.
//! It grows by one with every round of answers; near a ceiling that was confirmed again and again ever more seldom, since
//! each try costs a refusal there, and beyond it ever faster. Timeouts and server errors shrink it; slow answers stop its growth.
//!
//! *Rates* are token buckets over five seconds. What a call takes of the tokens is known afterwards, so it is estimated by
//! the mean and corrected.
//!
//! *The circuit* opens when the endpoint was unavailable several times in a row; then one call at a time probes, ever more
//! seldom, until it is available again.

mod share;

use std::time::{Duration, Instant};

use self::share::ClusterShare;
pub use self::share::ShareLoad;
use super::bucket::Bucket;
use super::rate::{Rate, Ready};
use super::window::Window;
use crate::processor::{CallOutcome, CallReport};

/// Calls in a row that found the endpoint unavailable before the circuit opens.
const UNAVAILABLE: u32 = 3;
/// The first and the longest wait before a probe.
const PROBE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// So many marks among 32 calls are more than chance.
const MANY: u32 = 8;
/// So many refusals are remembered.
const KEPT: usize = 32;
/// Answers that take so much longer than the quickest usual ones stop the growth.
const SLOW: f64 = 3.0;
/// The share that a new figure has in a mean.
const SHARE: f64 = 0.1;

/// What an endpoint may get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rates {
    /// Calls a minute.
    pub calls: Option<u32>,
    /// Tokens a minute, both ways.
    pub tokens: Option<u64>,
}

/// The calls of one model at one endpoint.
#[derive(Debug)]
pub(super) struct Limiter {
    max_limit: f64,
    rates: Rates,
    window: Window,
    /// Present where the limits are those of several servers.
    share: Option<ClusterShare>,
    in_flight: usize,
    sent: u64,
    /// The number of the last call before the window shrank.
    shrunk_at: u64,
    /// The numbers of the last calls that were refused since the window shrank, ascending.
    refused: Vec<u64>,
    /// Which of the last calls to end overloaded the endpoint.
    overloads: u32,
    /// The fewest calls in flight with which one of them was refused.
    min_rejected_at: f64,
    paused_until: Option<Instant>,
    unavailable_in_a_row: u32,
    open_since: Option<Instant>,
    probes: u32,
    calls: Option<Rate>,
    tokens: Option<Rate>,
    usual_tokens: f64,
    latency: f64,
    usual_latency: f64,
}

/// A call on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Permit {
    number: u64,
    /// Calls in flight with it.
    in_flight: usize,
    tokens: f64,
}

/// Whether a call may begin.
#[derive(Clone, Copy, Debug)]
pub(super) enum Admission {
    Go(Permit),
    /// Not before this moment; or when one in flight has ended.
    Wait(Option<Instant>),
}

impl Limiter {
    #[allow(clippy::cast_precision_loss, reason = "counts of calls")]
    pub(super) fn new(most: usize, rates: Rates, now: Instant) -> Self {
        Self {
            max_limit: most as f64,
            rates,
            window: Window::new(most as f64),
            share: None,
            in_flight: 0,
            sent: 0,
            shrunk_at: 0,
            refused: Vec::new(),
            overloads: 0,
            min_rejected_at: f64::INFINITY,
            paused_until: None,
            unavailable_in_a_row: 0,
            open_since: None,
            probes: 0,
            calls: rates.calls.map(|calls| Rate::Own(Bucket::new(f64::from(calls), now))),
            tokens: rates.tokens.map(|tokens| Rate::Own(Bucket::new(tokens as f64, now))),
            usual_tokens: 1_000.0,
            latency: 0.0,
            usual_latency: 0.0,
        }
    }

    /// Asks for a call.
    pub(super) fn admit(&mut self, now: Instant) -> Admission {
        if let Some(until) = self.paused_until.filter(|until| *until > now) {
            return Admission::Wait(Some(until));
        }
        #[allow(clippy::cast_precision_loss, reason = "a count of calls")]
        let full = self.in_flight as f64 + 1.0 > self.limit(now);
        if full || self.is_open() && self.in_flight > 0 {
            return Admission::Wait(None);
        }
        let tokens = self.usual_tokens;
        let ready = |rate: &mut Option<Rate>, amount| rate.as_mut().map_or(Ready::Now, |rate| rate.ready(amount, now));
        match (ready(&mut self.calls, 1.0), ready(&mut self.tokens, tokens)) {
            (Ready::Now, Ready::Now) => {}
            (Ready::Granted, _) | (_, Ready::Granted) => return Admission::Wait(None),
            (Ready::At(one), Ready::At(other)) => return Admission::Wait(Some(one.max(other))),
            (Ready::At(at), Ready::Now) | (Ready::Now, Ready::At(at)) => return Admission::Wait(Some(at)),
        }
        self.calls.iter_mut().for_each(|bucket| bucket.take(1.0));
        self.tokens.iter_mut().for_each(|bucket| bucket.take(tokens));
        self.in_flight += 1;
        #[allow(clippy::cast_precision_loss, reason = "a count of calls")]
        let allowed = self.in_flight as f64 <= self.max_limit.max(1.0);
        debug_assert!(allowed, "{} calls in flight of at most {}", self.in_flight, self.max_limit);
        self.sent += 1;
        Admission::Go(Permit { number: self.sent, in_flight: self.in_flight, tokens })
    }

    /// Takes in what became of what was admitted; it may have come to no call at all, or to several.
    pub(super) fn ended(&mut self, permit: Permit, reports: &[CallReport], now: Instant) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let Some(last) = reports.last() else {
            self.calls.iter_mut().for_each(|bucket| bucket.take(-1.0));
            self.tokens.iter_mut().for_each(|bucket| bucket.take(-permit.tokens));
            return;
        };
        #[allow(clippy::cast_precision_loss, reason = "counts of calls")]
        let more = reports.iter().map(|report| report.usage.calls.max(1)).sum::<u64>() as f64 - 1.0;
        self.calls.iter_mut().for_each(|bucket| bucket.take(more));
        #[allow(clippy::cast_precision_loss, reason = "counts of tokens")]
        let used: f64 =
            reports.iter().map(|report| (report.usage.prompt_tokens + report.usage.completion_tokens) as f64).sum();
        if used > 0.0 {
            self.tokens.iter_mut().for_each(|bucket| bucket.take(used - permit.tokens));
            self.usual_tokens = mean(self.usual_tokens, used);
        }
        if last.outcome == CallOutcome::Cancelled {
            // It tells what it cost and nothing else.
            return;
        }
        let overloaded = matches!(last.outcome, CallOutcome::Overloaded | CallOutcome::Unavailable(_));
        self.overloads = self.overloads << 1 | u32::from(overloaded);
        match last.outcome {
            CallOutcome::Unavailable(after) => return self.unavailable(permit, after, now),
            CallOutcome::Cancelled => return,
            CallOutcome::Success => self.answered(permit, last.took),
            CallOutcome::RateLimited(after) => self.refused(permit, after, now),
            CallOutcome::Overloaded => self.overloaded(permit),
        }
        (self.unavailable_in_a_row, self.open_since, self.probes) = (0, None, 0);
    }

    /// The most calls in flight now: none without a share, where there are shares.
    #[allow(clippy::cast_precision_loss, reason = "a count of calls")]
    fn limit(&self, now: Instant) -> f64 {
        let own = self.window.limit.max(1.0);
        match &self.share {
            None => own,
            Some(share) if share.counts(now) => own.min(share.in_flight as f64),
            Some(_) => 0.0,
        }
    }

    /// Since when it has been unavailable, while that is so.
    pub(super) fn open_since(&self) -> Option<Instant> {
        self.open_since.filter(|_| self.is_open())
    }

    /// The most calls in flight at present, and whether anybody is there.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of calls")]
    pub(super) fn window(&self, now: Instant) -> usize {
        let limit = self.limit(now) as usize;
        if self.is_open() { limit.min(1) } else { limit }
    }

    pub(super) const fn in_flight(&self) -> usize {
        self.in_flight
    }

    const fn is_open(&self) -> bool {
        self.unavailable_in_a_row >= UNAVAILABLE
    }

    fn unavailable(&mut self, permit: Permit, after: Option<Duration>, now: Instant) {
        self.unavailable_in_a_row = self.unavailable_in_a_row.saturating_add(1);
        self.open_since.get_or_insert(now);
        if !self.is_open() {
            return self.overloaded(permit);
        }
        let (first, longest) = PROBE;
        let wait = (first * (1 << self.probes.min(10))).min(longest);
        let until = now + after.map_or(wait, |after| after.clamp(first, longest));
        // Of calls that were in flight together each says the same; the waits grow with the probes alone.
        if self.paused_until.is_none_or(|paused| paused <= now) {
            self.probes += 1;
            self.paused_until = Some(until);
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "a count of calls")]
    fn answered(&mut self, permit: Permit, took: Duration) {
        if self.is_open() {
            self.window.reopen();
        }
        let took = took.as_secs_f64();
        self.latency = if self.latency == 0.0 { took } else { mean(self.latency, took) };
        // Quicker ones count at once, slower ones little by little.
        let slowly = self.usual_latency + (took - self.usual_latency) * SHARE / 10.0;
        self.usual_latency = if self.usual_latency == 0.0 { took } else { slowly.min(self.latency.max(took)) };
        if permit.number <= self.shrunk_at {
            return;
        }
        self.window.refused_in_a_row = 0;
        let wanted = self.in_flight as f64 + 2.0 > self.window.limit;
        if !wanted || self.latency > SLOW * self.usual_latency {
            return;
        }
        let most = match &mut self.share {
            // All servers decide on it together.
            Some(share) if !share.is_kept => return share.answered(),
            Some(share) => self.max_limit.min(share.in_flight as f64),
            None => self.max_limit,
        };
        if self.window.limit < most {
            self.window.increase_credit += 1.0;
            self.window.grow(most);
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "a count of calls")]
    fn refused(&mut self, permit: Permit, after: Option<Duration>, now: Instant) {
        if let Some(after) = after.filter(|after| !after.is_zero()) {
            let (_, longest) = PROBE;
            let until = now + after.min(longest);
            self.paused_until = self.paused_until.max(Some(until));
            self.share.iter_mut().for_each(|share| share.paused(until));
        }
        if permit.number <= self.shrunk_at {
            return;
        }
        self.min_rejected_at = self.min_rejected_at.min(permit.in_flight as f64);
        let at = self.refused.partition_point(|number| *number < permit.number);
        self.refused.insert(at, permit.number);
        if !are_refused(&self.refused) {
            let oldest = usize::from(self.refused.len() > KEPT);
            self.refused.drain(..oldest);
            return;
        }
        self.share.iter_mut().for_each(|share| share.refused(self.min_rejected_at));
        self.window.refused(self.min_rejected_at);
        self.narrowed();
    }

    fn overloaded(&mut self, permit: Permit) {
        if permit.number > self.shrunk_at && self.overloads.count_ones() >= MANY {
            self.share.iter_mut().for_each(ClusterShare::overloaded);
            self.window.overloaded();
            self.narrowed();
        }
    }

    /// What was sent before says nothing of the window that is.
    fn narrowed(&mut self) {
        self.shrunk_at = self.sent;
        self.refused.clear();
        (self.overloads, self.min_rejected_at) = (0, f64::INFINITY);
    }
}

/// Whether calls of these numbers are more than chance: some endpoints refuse one now and then, whatever is in flight.
/// One that has enough refuses those that are sent one after the other.
fn are_refused(numbers: &[u64]) -> bool {
    let within = |count: usize, span: u64| numbers.windows(count).any(|some| some[count - 1] - some[0] < span);
    within(3, 3) || within(MANY as usize, 32)
}

fn mean(mean: f64, new: f64) -> f64 {
    mean + (new - mean) * SHARE
}

#[cfg(test)]
#[path = "limiter_tests.rs"]
mod tests;
