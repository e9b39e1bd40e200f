//! How many calls an endpoint gets, and when: adapts to what it bears. Pure; whoever asks says what time it is.
//!
//! *Concurrency* is a window below the configured most. A refusal (429) tells how many were too many, and the window goes
//! there at once; refusals without an answer in between, of calls that were sent after that, shrink it by a quarter each.
//! It grows by one with every round of answers; near a ceiling that was confirmed again and again ever more seldom, since
//! each try costs a refusal there, and beyond it ever faster. Timeouts and server errors shrink it; slow answers stop its growth.
//!
//! *Rates* are token buckets over five seconds. What a call takes of the tokens is known afterwards, so it is estimated by
//! the mean and corrected.
//!
//! *The circuit* opens when nobody was there several times in a row; then one call at a time probes, ever more seldom,
//! until somebody is there again.

use std::time::{Duration, Instant};

use super::bucket::Bucket;
use crate::processor::{CallReport, CallVerdict};

/// Calls in a row that found nobody before the circuit opens.
const AWAY: u32 = 3;
/// The first and the longest wait before a probe.
const PROBE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// The most rounds of answers before the window grows by one near its ceiling; and what is near, as a share.
const CAREFUL: (f64, f64) = (16.0, 0.9);
/// A refusal so near to the last ceiling confirms it.
const SAME: f64 = 2.0;
/// So many marks among 32 calls are more than chance.
const MANY: u32 = 8;
/// So many refusals are remembered.
const KEPT: usize = 32;
/// What is left of a window after a second refusal in a row, and after a call that strained the endpoint.
const SHRINK: f64 = 0.75;
/// Answers that take so much longer than the quickest usual ones stop the growth.
const SLOW: f64 = 3.0;
/// The share that a new figure has in a mean.
const SHARE: f64 = 0.1;

/// What an endpoint may get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Calls a minute.
    pub calls: Option<u32>,
    /// Tokens a minute, both ways.
    pub tokens: Option<u64>,
}

/// The calls of one model at one endpoint.
#[derive(Debug)]
pub(super) struct Limiter {
    most: f64,
    window: f64,
    ceiling: f64,
    growth: f64,
    /// Rounds of answers before the next try near the ceiling.
    care: f64,
    credit: f64,
    in_flight: usize,
    sent: u64,
    /// The number of the last call before the window shrank.
    shrunk_at: u64,
    refused_in_a_row: u32,
    /// The numbers of the last calls that were refused since the window shrank, ascending.
    refused: Vec<u64>,
    /// Which of the last calls to end strained the endpoint.
    strained: u32,
    /// The fewest calls in flight with which one of them was refused.
    lowest: f64,
    paused_until: Option<Instant>,
    away_in_a_row: u32,
    away_since: Option<Instant>,
    probes: u32,
    calls: Option<Bucket>,
    tokens: Option<Bucket>,
    usual_tokens: f64,
    latency: f64,
    usual_latency: f64,
}

/// A call on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    number: u64,
    /// Calls in flight with it.
    in_flight: usize,
    tokens: f64,
}

/// Whether a call may begin.
#[derive(Clone, Copy, Debug)]
pub(super) enum Admission {
    Go(Ticket),
    /// Not before this moment; or when one in flight has ended.
    Wait(Option<Instant>),
}

impl Limiter {
    #[allow(clippy::cast_precision_loss, reason = "counts of calls")]
    pub(super) fn new(most: usize, rates: Rates, now: Instant) -> Self {
        Self {
            most: most as f64,
            window: most as f64,
            ceiling: most as f64,
            growth: 1.0,
            care: 1.0,
            credit: 0.0,
            in_flight: 0,
            sent: 0,
            shrunk_at: 0,
            refused_in_a_row: 0,
            refused: Vec::new(),
            strained: 0,
            lowest: f64::INFINITY,
            paused_until: None,
            away_in_a_row: 0,
            away_since: None,
            probes: 0,
            calls: rates.calls.map(|calls| Bucket::new(f64::from(calls), now)),
            tokens: rates.tokens.map(|tokens| Bucket::new(tokens as f64, now)),
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
        let full = self.in_flight as f64 + 1.0 > self.window.max(1.0);
        if full || self.is_open() && self.in_flight > 0 {
            return Admission::Wait(None);
        }
        let tokens = self.usual_tokens;
        let call_at = self.calls.as_mut().and_then(|bucket| bucket.ready_at(1.0, now));
        let tokens_at = self.tokens.as_mut().and_then(|bucket| bucket.ready_at(tokens, now));
        if let Some(at) = call_at.max(tokens_at) {
            return Admission::Wait(Some(at));
        }
        self.calls.iter_mut().for_each(|bucket| bucket.take(1.0));
        self.tokens.iter_mut().for_each(|bucket| bucket.take(tokens));
        self.in_flight += 1;
        self.sent += 1;
        Admission::Go(Ticket { number: self.sent, in_flight: self.in_flight, tokens })
    }

    /// Takes in what became of what was admitted; it may have come to no call at all, or to several.
    pub(super) fn ended(&mut self, ticket: Ticket, reports: &[CallReport], now: Instant) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let Some(last) = reports.last() else {
            self.calls.iter_mut().for_each(|bucket| bucket.take(-1.0));
            self.tokens.iter_mut().for_each(|bucket| bucket.take(-ticket.tokens));
            return;
        };
        let more = reports.iter().map(|report| f64::from(report.usage.calls.max(1))).sum::<f64>() - 1.0;
        self.calls.iter_mut().for_each(|bucket| bucket.take(more));
        #[allow(clippy::cast_precision_loss, reason = "counts of tokens")]
        let used: f64 =
            reports.iter().map(|report| (report.usage.prompt_tokens + report.usage.completion_tokens) as f64).sum();
        if used > 0.0 {
            self.tokens.iter_mut().for_each(|bucket| bucket.take(used - ticket.tokens));
            self.usual_tokens = mean(self.usual_tokens, used);
        }
        if last.verdict == CallVerdict::Abandoned {
            // It tells what it cost and nothing else.
            return;
        }
        let strained = matches!(last.verdict, CallVerdict::Strained | CallVerdict::Away(_));
        self.strained = self.strained << 1 | u32::from(strained);
        match last.verdict {
            CallVerdict::Away(after) => return self.away(ticket, after, now),
            CallVerdict::Abandoned => return,
            CallVerdict::Answered => self.answered(ticket, last.took),
            CallVerdict::Limited(after) => self.refused(ticket, after, now),
            CallVerdict::Strained => self.strained(ticket),
        }
        (self.away_in_a_row, self.away_since, self.probes) = (0, None, 0);
    }

    /// Since when nobody has been there, while that is so.
    pub(super) fn away_since(&self) -> Option<Instant> {
        self.away_since.filter(|_| self.is_open())
    }

    /// The most calls in flight at present, and whether anybody is there.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of calls, at least 1")]
    pub(super) fn window(&self) -> usize {
        if self.is_open() { 1 } else { self.window.max(1.0) as usize }
    }

    pub(super) const fn in_flight(&self) -> usize {
        self.in_flight
    }

    const fn is_open(&self) -> bool {
        self.away_in_a_row >= AWAY
    }

    fn away(&mut self, ticket: Ticket, after: Option<Duration>, now: Instant) {
        self.away_in_a_row = self.away_in_a_row.saturating_add(1);
        self.away_since.get_or_insert(now);
        if !self.is_open() {
            return self.strained(ticket);
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
    fn answered(&mut self, ticket: Ticket, took: Duration) {
        if self.is_open() {
            // Who comes back is not to be overrun.
            (self.window, self.growth, self.credit) = (1.0, 1.0, 0.0);
            self.ceiling = 1.0;
        }
        let took = took.as_secs_f64();
        self.latency = if self.latency == 0.0 { took } else { mean(self.latency, took) };
        // Quicker ones count at once, slower ones little by little.
        let slowly = self.usual_latency + (took - self.usual_latency) * SHARE / 10.0;
        self.usual_latency = if self.usual_latency == 0.0 { took } else { slowly.min(self.latency.max(took)) };
        if ticket.number <= self.shrunk_at {
            return;
        }
        self.refused_in_a_row = 0;
        let wanted = self.in_flight as f64 + 2.0 > self.window;
        if self.window >= self.most || !wanted || self.latency > SLOW * self.usual_latency {
            return;
        }
        self.credit += 1.0;
        let (_, near) = CAREFUL;
        let careful = self.window >= near * self.ceiling && self.window <= self.ceiling;
        if self.credit >= self.window * if careful { self.care } else { 1.0 } {
            self.credit = 0.0;
            self.window = (self.window + self.growth).min(self.most);
            let far = self.window > self.ceiling + 1.0 || self.window < near * self.ceiling;
            self.growth = if far { self.growth * 2.0 } else { 1.0 };
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "a count of calls")]
    fn refused(&mut self, ticket: Ticket, after: Option<Duration>, now: Instant) {
        if let Some(after) = after.filter(|after| !after.is_zero()) {
            let (_, longest) = PROBE;
            self.paused_until = self.paused_until.max(Some(now + after.min(longest)));
        }
        if ticket.number <= self.shrunk_at {
            return;
        }
        self.lowest = self.lowest.min(ticket.in_flight as f64);
        let at = self.refused.partition_point(|number| *number < ticket.number);
        self.refused.insert(at, ticket.number);
        if !are_refused(&self.refused) {
            let oldest = usize::from(self.refused.len() > KEPT);
            self.refused.drain(..oldest);
            return;
        }
        self.refused_in_a_row += 1;
        let below = (self.lowest - 1.0).max(1.0);
        let (most, _) = CAREFUL;
        let confirmed = self.refused_in_a_row == 1 && (below - self.ceiling).abs() <= SAME;
        self.care = if confirmed { (self.care * 2.0).min(most) } else { 1.0 };
        self.shrink(if self.refused_in_a_row == 1 { below } else { (self.window * SHRINK).floor().min(below) });
        self.ceiling = self.window;
    }

    fn strained(&mut self, ticket: Ticket) {
        if ticket.number > self.shrunk_at && self.strained.count_ones() >= MANY {
            self.shrink((self.window * SHRINK).floor());
        }
    }

    fn shrink(&mut self, to: f64) {
        self.window = self.window.min(to).max(1.0);
        (self.growth, self.credit, self.shrunk_at) = (1.0, 0.0, self.sent);
        self.refused.clear();
        (self.strained, self.lowest) = (0, f64::INFINITY);
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
