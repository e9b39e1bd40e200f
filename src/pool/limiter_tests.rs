//! What the limiter makes of an endpoint over time, and by single steps.

use std::collections::BTreeMap;

use super::*;
use crate::task::PageUsage;

/// An endpoint that takes `cap` calls at once and answers each after a second, and a client that always has more.
struct World {
    limiter: Limiter,
    now: Instant,
    begun: Instant,
    /// By the moment they end, in microseconds.
    calls: BTreeMap<(u64, u64), (Ticket, CallVerdict)>,
    inside: usize,
    answered: usize,
    refused: usize,
    number: u64,
}

impl World {
    fn new(most: usize) -> Self {
        let now = Instant::now();
        let limiter = Limiter::new(most, Rates::default(), now);
        let calls = BTreeMap::new();
        Self { limiter, now, begun: now, calls, inside: 0, answered: 0, refused: 0, number: 0 }
    }

    fn at(&self) -> u64 {
        u64::try_from(self.now.duration_since(self.begun).as_micros()).unwrap()
    }

    /// The same, with so many of a hundred calls lost by chance, and as many refused; answers how many calls were
    /// answered and refused.
    /// So many seconds with this cap and nothing by chance.
    fn run(&mut self, seconds: u64, cap: usize) -> (usize, usize) {
        self.run_with(seconds, cap, 0)
    }

    fn run_with(&mut self, seconds: u64, cap: usize, lost: u64) -> (usize, usize) {
        (self.answered, self.refused) = (0, 0);
        let end = self.at() + seconds * 1_000_000;
        loop {
            while let Admission::Go(ticket) = self.limiter.admit(self.now) {
                self.number += 1;
                let roll = self.number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
                let (chance, taken) = (roll % 100, self.inside < cap && roll % 100 >= lost);
                self.inside += usize::from(taken);
                // Each takes a little more or less, or all would end together for ever.
                let duration = if taken { 950_000 + self.number * 7_919 % 100_000 } else { 5_000 };
                let verdict = match chance {
                    _ if !taken => CallVerdict::Limited(None),
                    chance if chance >= 100 - lost => CallVerdict::Strained,
                    _ => CallVerdict::Answered,
                };
                self.calls.insert((self.at() + duration, self.number), (ticket, verdict));
            }
            let Some(((at, _), (ticket, verdict))) = self.calls.pop_first() else { break };
            self.now = self.begun + Duration::from_micros(at);
            let answered = !matches!(verdict, CallVerdict::Limited(_));
            self.inside -= usize::from(answered);
            self.answered += usize::from(answered);
            self.refused += usize::from(!answered);
            let took = Duration::from_secs(1);
            self.limiter.ended(ticket, &[CallReport { usage: PageUsage::default(), took, verdict }], self.now);
            if at >= end {
                break;
            }
        }
        (self.answered, self.refused)
    }
}

#[test]
fn finds_what_an_endpoint_bears_and_follows_it() {
    let mut world = World::new(256);
    for cap in [64, 16, 128, 3, 1, 64] {
        world.run(30, cap);
        let (answered, refused) = world.run(60, cap);
        assert!(answered >= 60 * cap * 95 / 100, "cap {cap}: {answered} answered, {refused} refused");
        // Of the smallest windows every tenth round is one too many.
        assert!(refused * 50 <= answered || refused <= 15, "cap {cap}: {answered} answered, {refused} refused");
    }
}

#[test]
fn what_goes_wrong_by_chance_is_not_put_down_to_the_number_of_calls() {
    let mut world = World::new(64);
    world.run_with(60, usize::MAX, 5);
    let (answered, _) = world.run_with(60, usize::MAX, 5);
    assert!(answered >= 60 * 64 * 85 / 100, "{answered} of {}", 60 * 64);
}

#[test]
fn uses_what_it_may_from_the_first_call_on() {
    let mut world = World::new(1_000);
    assert_eq!(world.run(5, usize::MAX).1, 0);
    assert!(world.number >= 5_000, "five full rounds: {}", world.number);
}

#[test]
fn a_pause_that_is_asked_for_is_made() {
    let now = Instant::now();
    let mut limiter = Limiter::new(8, Rates::default(), now);
    let Admission::Go(ticket) = limiter.admit(now) else { panic!() };
    let verdict = CallVerdict::Limited(Some(Duration::from_secs(7)));
    limiter.ended(ticket, &[CallReport { usage: PageUsage::default(), took: Duration::ZERO, verdict }], now);
    let until = now + Duration::from_secs(7);
    assert!(matches!(limiter.admit(now), Admission::Wait(Some(at)) if at == until));
    assert!(matches!(limiter.admit(until), Admission::Go(_)));
}

#[test]
fn an_endpoint_that_is_away_is_probed_when_it_says() {
    for (says, waits) in [(Some(7), 7), (Some(0), 1), (Some(3_600), 30), (None, 1)] {
        let now = Instant::now();
        let mut limiter = Limiter::new(8, Rates::default(), now);
        let verdict = CallVerdict::Away(says.map(Duration::from_secs));
        for _ in 0..3 {
            let Admission::Go(ticket) = limiter.admit(now) else { panic!() };
            limiter.ended(ticket, &[CallReport { usage: PageUsage::default(), took: Duration::ZERO, verdict }], now);
        }
        let until = now + Duration::from_secs(waits);
        assert!(matches!(limiter.admit(now), Admission::Wait(Some(at)) if at == until), "{says:?}");
        assert!(matches!(limiter.admit(until), Admission::Go(_)), "{says:?}");
    }
}

#[test]
fn one_call_at_a_time_probes_an_endpoint_that_is_away() {
    let mut now = Instant::now();
    let mut limiter = Limiter::new(8, Rates::default(), now);
    let away = CallReport { usage: PageUsage::default(), took: Duration::ZERO, verdict: CallVerdict::Away(None) };
    let tickets: Vec<Ticket> = (0..3)
        .map(|_| match limiter.admit(now) {
            Admission::Go(ticket) => ticket,
            Admission::Wait(_) => panic!(),
        })
        .collect();
    tickets.into_iter().for_each(|ticket| limiter.ended(ticket, &[away], now));
    assert!(limiter.away_since().is_some());
    for wait in [1, 2, 4, 8, 16, 30, 30] {
        assert!(matches!(limiter.admit(now), Admission::Wait(Some(at)) if at == now + Duration::from_secs(wait)));
        now += Duration::from_secs(wait);
        let Admission::Go(probe) = limiter.admit(now) else { panic!("a probe after {wait} s") };
        assert!(matches!(limiter.admit(now), Admission::Wait(None)), "only one");
        limiter.ended(probe, &[away], now);
    }
    now += Duration::from_secs(30);
    let Admission::Go(probe) = limiter.admit(now) else { panic!() };
    limiter.ended(probe, &[CallReport { verdict: CallVerdict::Answered, ..away }], now);
    assert!(limiter.away_since().is_none() && matches!(limiter.admit(now), Admission::Go(_)));
}

#[test]
fn rates_hold_over_minutes() {
    let begun = Instant::now();
    let rates = Rates { calls: Some(120), tokens: Some(60_000) };
    for (tokens, expected) in [(0, 120), (1_000, 60)] {
        let mut limiter = Limiter::new(1_000, rates, begun);
        let (mut now, mut calls) = (begun, 0);
        while now < begun + Duration::from_mins(10) {
            match limiter.admit(now) {
                Admission::Go(ticket) => {
                    calls += 1;
                    let usage = PageUsage { calls: 1, prompt_tokens: tokens, completion_tokens: 0, cost: None };
                    let report = CallReport { usage, took: Duration::ZERO, verdict: CallVerdict::Answered };
                    limiter.ended(ticket, &[report], now);
                }
                Admission::Wait(at) => now = at.unwrap(),
            }
        }
        let most = 10 * expected + 12;
        // Without a figure the usual thousand is assumed to be right.
        let least = if tokens == 0 { 10 * 60 - 1 } else { 10 * expected - 1 };
        assert!((least..=most).contains(&calls), "{tokens}: {calls}");
    }
}

#[test]
fn what_came_to_no_call_takes_nothing() {
    let now = Instant::now();
    let mut limiter = Limiter::new(4, Rates { calls: Some(60), tokens: None }, now);
    for _ in 0..1_000 {
        let Admission::Go(ticket) = limiter.admit(now) else { panic!() };
        limiter.ended(ticket, &[], now);
    }
    assert_eq!((limiter.in_flight(), limiter.window()), (0, 4));
}
