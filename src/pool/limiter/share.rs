//! One server's share of what an endpoint allows to all servers of a store: when to ask for it, what for, and what to
//! make of the answer. Pure.
//!
//! A share counts for [`LEASE`] and is asked for again long before. It says how many calls may be in flight here, and brings
//! calls and tokens where a rate is configured. The window of all servers is decided on here, from what this server saw
//! and how many calls the others have in flight; the store lets one decision from each state count.
//!
//! While the store is unavailable the last share is kept: as many calls in flight, and of the rates as much as each sharer
//! had. Each server then narrows its part by itself, and takes it back up to the share.

use std::time::{Duration, Instant};

use super::Limiter;
use crate::pool::rate::{Granted, Rate, Ready};
use crate::pool::window::Window;
use crate::store::{Share, ShareRequest, SharedWindow};

/// How long a share counts: the time after which that of a dead server comes back.
const LEASE: Duration = Duration::from_secs(2);
/// How often it is asked for; a quarter less or more, so that servers do not ask in step.
const ASK_EVERY: Duration = Duration::from_millis(250);
/// The least time between two questions.
const ASK_SOONEST: Duration = Duration::from_millis(20);
/// How soon it is asked again when there was no answer.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// Below this part of what is allowed the calls in flight of others are believed.
const ROUGH: f64 = 0.75;
/// What a server that never had a share takes for one while the store is unavailable.
const WITHOUT_STORE: (usize, f64) = (1, 0.125);

/// What a server has of an endpoint, and what it saw since it last asked.
#[derive(Debug)]
pub(super) struct ClusterShare {
    /// Calls that may be in flight.
    pub(super) in_flight: usize,
    /// Until when that counts; `None` when nothing is held.
    until: Option<Instant>,
    /// Whether the store did not answer: what was had last is kept.
    pub(super) is_kept: bool,
    /// The window of all servers, and its number.
    window: Window,
    epoch: u64,
    /// A decision that the store has not heard of.
    next_window: Option<Window>,
    elsewhere: u32,
    sharers: u32,
    seen: Seen,
    /// How many calls in flight were asked for last, and how many tokens.
    wanted: usize,
    asked_tokens: u64,
    /// Whether there were fewer calls or tokens than asked for.
    is_short: bool,
    asking_since: Option<Instant>,
    /// When it was asked last, and when it is to be asked next.
    asked_at: Option<Instant>,
    next_at: Option<Instant>,
    questions: u64,
}

/// What this server saw since it last asked.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Seen {
    /// Calls that were answered while the window was full.
    answered: u32,
    /// The fewest calls in flight here with which one was refused, once that was no chance.
    refused_with: Option<f64>,
    overloaded: bool,
    /// Until when the endpoint asked not to be called.
    paused_until: Option<Instant>,
}

/// How the share of a server stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShareLoad {
    /// Calls in flight that it may have of those that all servers may have.
    pub in_flight: usize,
    /// The most calls in flight of all servers at present.
    pub limit: usize,
    /// Calls in flight of the other servers.
    pub elsewhere: usize,
    /// Servers that call it.
    pub servers: usize,
    /// Whether the store is unavailable and the last share is kept.
    pub is_kept: bool,
}

impl ClusterShare {
    pub(super) const fn new(most: f64) -> Self {
        Self {
            in_flight: 0,
            until: None,
            is_kept: false,
            window: Window::new(most),
            epoch: 0,
            next_window: None,
            elsewhere: 0,
            sharers: 0,
            seen: Seen { answered: 0, refused_with: None, overloaded: false, paused_until: None },
            wanted: 0,
            asked_tokens: 0,
            is_short: false,
            asking_since: None,
            asked_at: None,
            next_at: None,
            questions: 0,
        }
    }

    /// Whether it allows calls at all. What a process that was stopped had may be another's by now.
    pub(super) fn counts(&self, now: Instant) -> bool {
        self.is_kept || self.until.is_some_and(|until| now < until)
    }

    pub(super) const fn answered(&mut self) {
        self.seen.answered = self.seen.answered.saturating_add(1);
    }

    pub(super) fn refused(&mut self, with: f64) {
        self.seen.refused_with = Some(self.seen.refused_with.map_or(with, |fewest| fewest.min(with)));
    }

    pub(super) const fn overloaded(&mut self) {
        self.seen.overloaded = true;
    }

    pub(super) const fn paused(&mut self, until: Instant) {
        self.seen.paused_until = Some(until);
    }

    /// The next window of all servers, where what was seen asks for one.
    fn decide(&self, share: &Share, most: f64) -> Option<Window> {
        let mut next = self.window;
        next.increase_credit = f64::from(share.answered);
        if share.answered > 0 {
            next.refused_in_a_row = 0;
        }
        if let Some(with) = self.seen.refused_with {
            // What is known of the calls in flight is a moment old, and a little low when all have as many as they may.
            let had = with + f64::from(share.elsewhere);
            let allowed = with.max(f64::from(share.in_flight)) + f64::from(share.held_elsewhere);
            next.refused(if had < ROUGH * allowed { had } else { allowed });
        } else if self.seen.overloaded {
            next.overloaded();
        } else if !next.grow(most) {
            return None;
        }
        Some(next)
    }

    /// A quarter sooner or later than [`ASK_EVERY`], other than the last time.
    fn pause(&self) -> Duration {
        let chance = self.questions.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
        ASK_EVERY * 3 / 4 + ASK_EVERY * u32::try_from(chance).unwrap_or(0) / 512
    }
}

impl Limiter {
    /// One whose limits are those of all servers of a store.
    pub(in crate::pool) fn sharing(mut self) -> Self {
        self.share = Some(ClusterShare::new(self.max_limit));
        let granted = |rate: Option<f64>, lasts| rate.map(|rate| Rate::Granted(Granted::new(rate, lasts)));
        self.calls = granted(self.rates.calls.map(f64::from), false);
        #[allow(clippy::cast_precision_loss, reason = "a count of tokens")]
        let tokens = self.rates.tokens.map(|tokens| tokens as f64);
        self.tokens = granted(tokens, true);
        self
    }

    /// The store shares nothing out: the limits are this server's own.
    pub(in crate::pool) fn unshared(&mut self, now: Instant) {
        let own = Self::new(1, self.rates, now);
        (self.share, self.calls, self.tokens) = (None, own.calls, own.tokens);
    }

    /// When a share is to be asked for: for as many calls as wait, with so many workers free. `None` when there is no use
    /// for one, or when it is being asked for.
    pub(in crate::pool) fn ask_at(&mut self, queued: usize, free: usize, now: Instant) -> Option<Instant> {
        let wanted = self.wanted(queued, free);
        let lacks_rate = queued > 0 && self.lacks_rate(now);
        let share = self.share.as_ref().filter(|share| share.asking_since.is_none())?;
        let gap = if share.is_kept { ASK_AGAIN } else { ASK_SOONEST };
        let soonest = share.asked_at.map_or(now, |asked| asked + gap);
        if wanted == 0 {
            // What is held is given back.
            return share.until.is_some().then_some(soonest);
        }
        // What was asked for was given, and there is use for more.
        let wants_more = wanted > share.in_flight && share.wanted <= share.in_flight;
        let tells = share.seen.refused_with.is_some() || share.seen.overloaded || share.next_window.is_some();
        let is_urgent = !share.counts(now) || wants_more || tells || lacks_rate && !share.is_short;
        let next = share.next_at.unwrap_or(now);
        Some(if is_urgent && !share.is_kept { soonest } else { next.max(soonest) })
    }

    /// The question, without the names of endpoint and server. An [answer](Self::granted) has to follow, or
    /// [none](Self::not_granted).
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "counts of calls and tokens, not below 0"
    )]
    pub(in crate::pool) fn ask(&mut self, queued: usize, free: usize, now: Instant) -> Option<ShareRequest> {
        let wanted = self.wanted(queued, free);
        let (most, rates, in_flight) = (self.max_limit, self.rates, self.in_flight);
        let slots = self.share.as_ref()?.in_flight.max(1);
        // As many as may begin before the next question.
        let ends = (slots as f64 * ASK_EVERY.as_secs_f64() / self.latency.max(0.001)).min(slots as f64 * 8.0).ceil();
        let begins = queued.min(slots.saturating_sub(in_flight) + ends as usize) as f64;
        let lacks = |rate: &mut Option<Rate>, amount| match rate {
            Some(Rate::Granted(granted)) => granted.lacks(amount, now).ceil(),
            _ => 0.0,
        };
        let calls = lacks(&mut self.calls, begins);
        let tokens = lacks(&mut self.tokens, begins * self.usual_tokens);
        let share = self.share.as_mut()?;
        (share.asking_since, share.asked_at, share.next_at) = (Some(now), Some(now), None);
        share.questions += 1;
        (share.wanted, share.asked_tokens) = (wanted, tokens as u64);
        let answered = std::mem::take(&mut share.seen.answered);
        let paused = share.seen.paused_until.take().map(|until| until.saturating_duration_since(now));
        let window = share
            .next_window
            .take()
            .and_then(|window| Some(SharedWindow { limit: window.limit, state: serde_json::to_string(&window).ok()? }));
        Some(ShareRequest {
            lease: LEASE,
            max_in_flight: most as u32,
            calls_per_minute: rates.calls,
            tokens_per_minute: rates.tokens,
            in_flight: u32::try_from(in_flight).unwrap_or(u32::MAX),
            wanted: u32::try_from(wanted).unwrap_or(u32::MAX),
            calls: calls as u32,
            tokens: share.asked_tokens,
            answered,
            epoch: share.epoch,
            window,
            pause: paused.unwrap_or_default(),
            kept: share.is_kept.then(|| u32::try_from(share.in_flight).unwrap_or(u32::MAX)),
            ..ShareRequest::default()
        })
    }

    /// Takes in an answer.
    #[allow(clippy::cast_precision_loss, reason = "counts of calls and tokens")]
    pub(in crate::pool) fn granted(&mut self, got: &Share, now: Instant) {
        let (most, sent) = (self.max_limit, self.sent);
        let Some(share) = &mut self.share else { return };
        let asked = share.asking_since.take().unwrap_or(now);
        let holds = share.wanted > 0 || self.in_flight > 0;
        (share.until, share.is_kept) = (holds.then_some(asked + LEASE), false);
        (share.in_flight, share.elsewhere, share.sharers) = (got.in_flight as usize, got.elsewhere, got.sharers);
        let read = |window: &SharedWindow| serde_json::from_str::<Window>(&window.state).ok();
        let window = got.window.as_ref().and_then(read).unwrap_or_else(|| Window::new(most));
        if got.epoch != share.epoch {
            share.seen = Seen { paused_until: share.seen.paused_until, ..Seen::default() };
            if window.limit < share.window.limit {
                (self.shrunk_at, self.overloads, self.min_rejected_at) = (sent, 0, f64::INFINITY);
                self.refused.clear();
            }
        }
        (share.epoch, share.window) = (got.epoch, Window { limit: window.limit.min(most), ..window });
        share.next_window = share.decide(got, most);
        (share.seen.refused_with, share.seen.overloaded) = (None, false);
        if share.next_window.is_none_or(|next| next.limit >= share.window.limit) {
            self.window = Window::new(share.in_flight.max(1) as f64);
        }
        if !got.pause.is_zero() {
            self.paused_until = self.paused_until.max(Some(now + got.pause));
        }
        share.is_short = got.next_call.is_some() || got.tokens < share.asked_tokens;
        let next_call = got.next_call.map(|wait| wait.max(ASK_SOONEST));
        share.next_at = Some(now + next_call.unwrap_or(Duration::MAX).min(share.pause()));
        let grant = |rate: &mut Option<Rate>, amount| {
            if let Some(Rate::Granted(granted)) = rate {
                granted.grant(amount, now);
            }
        };
        grant(&mut self.calls, f64::from(got.calls));
        grant(&mut self.tokens, got.tokens as f64);
    }

    /// There was no answer: once the last share has ended it is kept nevertheless.
    pub(in crate::pool) fn not_granted(&mut self, now: Instant) {
        let Some(share) = &mut self.share else { return };
        share.asking_since = None;
        if share.until.is_some_and(|until| now < until) {
            // What it reported is not known there; another one will decide, or it sees it again.
            share.next_window = None;
            share.next_at = Some(now + ASK_EVERY);
            return;
        }
        share.next_at = Some(now + ASK_AGAIN);
        // Another one decides when the store is there again.
        share.next_window = None;
        let (in_flight, part) = WITHOUT_STORE;
        if !share.is_kept && share.until.is_none() {
            share.in_flight = in_flight;
            self.window = Window::new(1.0);
        }
        share.is_kept = true;
        let part = if share.sharers == 0 { part } else { 1.0 / f64::from(share.sharers) };
        for rate in [&mut self.calls, &mut self.tokens].into_iter().flatten() {
            if let Rate::Granted(granted) = rate {
                granted.go_on_with(part, now);
            }
        }
    }

    /// How the share stands; `None` where no limits are shared.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of calls, at least 1")]
    pub(in crate::pool) fn share_load(&self) -> Option<ShareLoad> {
        self.share.as_ref().map(|share| ShareLoad {
            in_flight: share.in_flight,
            limit: share.window.limit.max(1.0) as usize,
            elsewhere: share.elsewhere as usize,
            servers: share.sharers as usize,
            is_kept: share.is_kept,
        })
    }

    /// Calls that could be in flight here now.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of calls, at least 1")]
    fn wanted(&self, queued: usize, free: usize) -> usize {
        let most = if self.is_open() { 1 } else { self.max_limit.max(1.0) as usize };
        (self.in_flight + queued.min(free)).min(most).max(self.in_flight)
    }

    /// Whether a call would have to wait for a grant.
    fn lacks_rate(&mut self, now: Instant) -> bool {
        let tokens = self.usual_tokens;
        let waits = |rate: &mut Option<Rate>, amount| {
            rate.as_mut().is_some_and(|rate| rate.ready(amount, now) == Ready::Granted)
        };
        waits(&mut self.calls, 1.0) || waits(&mut self.tokens, tokens)
    }
}

#[cfg(test)]
#[path = "share_tests.rs"]
mod tests;
