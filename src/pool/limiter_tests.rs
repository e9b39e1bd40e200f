//! What the limiter makes of an endpoint over time, and by single steps.

use std::collections::BTreeMap;

use super::*;
use crate::task::Usage;

/// An endpoint that takes `cap` calls at once and answers each after a second, and a client that always has more.
struct World {
    limiter: Limiter,
    now: Instant,
    begun: Instant,
    /// By the moment they end, in microseconds.
    calls: BTreeMap<(u64, u64), (Permit, CallOutcome)>,
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

    /// So many seconds with this cap and nothing by chance.
    fn run(&mut self, seconds: u64, cap: usize) -> (usize, usize) {
        self.run_with(seconds, cap, 0)
    }

    /// The same, with so many of a hundred calls lost by chance, and as many refused; returns how many calls were
    /// answered and refused.
    fn run_with(&mut self, seconds: u64, cap: usize, lost: u64) -> (usize, usize) {
        (self.answered, self.refused) = (0, 0);
        let end = self.at() + seconds * 1_000_000;
        loop {
            while let Admission::Go(permit) = self.limiter.admit(self.now) {
                self.number += 1;
                let roll = self.number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
                let (chance, taken) = (roll % 100, self.inside < cap && roll % 100 >= lost);
                self.inside += usize::from(taken);
                // Each takes a little more or less, or all would end together for ever.
                let duration = if taken { 950_000 + self.number * 7_919 % 100_000 } else { 5_000 };
                let outcome = match chance {
                    _ if !taken => CallOutcome::RateLimited(None),
                    chance if chance >= 100 - lost => CallOutcome::Overloaded,
                    _ => CallOutcome::Success,
                };
                self.calls.insert((self.at() + duration, self.number), (permit, outcome));
            }
            let Some(((at, _), (permit, outcome))) = self.calls.pop_first() else { break };
            self.now = self.begun + Duration::from_micros(at);
            let answered = !matches!(outcome, CallOutcome::RateLimited(_));
            self.inside -= usize::from(answered);
            self.answered += usize::from(answered);
            self.refused += usize::from(!answered);
            let took = Duration::from_secs(1);
            self.limiter.ended(permit, &[CallReport { usage: Usage::default(), took, outcome }], self.now);
            if at >= end {
                break;
            }
        }
        (self.answered, self.refused)
    }
}

#[test]
fn finds_what_an_endpoint_allows_and_follows_it() {
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
    let Admission::Go(permit) = limiter.admit(now) else { panic!() };
    let outcome = CallOutcome::RateLimited(Some(Duration::from_secs(7)));
    limiter.ended(permit, &[CallReport { usage: Usage::default(), took: Duration::ZERO, outcome }], now);
    let until = now + Duration::from_secs(7);
    assert!(matches!(limiter.admit(now), Admission::Wait(Some(at)) if at == until));
    assert!(matches!(limiter.admit(until), Admission::Go(_)));
}

#[test]
fn an_endpoint_that_is_unavailable_is_probed_when_it_says() {
    for (says, waits) in [(Some(7), 7), (Some(0), 1), (Some(3_600), 30), (None, 1)] {
        let now = Instant::now();
        let mut limiter = Limiter::new(8, Rates::default(), now);
        let outcome = CallOutcome::Unavailable(says.map(Duration::from_secs));
        for _ in 0..3 {
            let Admission::Go(permit) = limiter.admit(now) else { panic!() };
            limiter.ended(permit, &[CallReport { usage: Usage::default(), took: Duration::ZERO, outcome }], now);
        }
        let until = now + Duration::from_secs(waits);
        assert!(matches!(limiter.admit(now), Admission::Wait(Some(at)) if at == until), "{says:?}");
        assert!(matches!(limiter.admit(until), Admission::Go(_)), "{says:?}");
    }
}

#[test]
fn one_call_at_a_time_probes_an_endpoint_that_is_unavailable() {
    let mut now = Instant::now();
    let mut limiter = Limiter::new(8, Rates::default(), now);
    let unavailable =
        CallReport { usage: Usage::default(), took: Duration::ZERO, outcome: CallOutcome::Unavailable(None) };
    let tickets: Vec<Permit> = (0..3)
        .map(|_| match limiter.admit(now) {
            Admission::Go(permit) => permit,
            Admission::Wait(_) => panic!(),
        })
        .collect();
    tickets.into_iter().for_each(|permit| limiter.ended(permit, &[unavailable], now));
    assert!(limiter.open_since().is_some());
    for wait in [1, 2, 4, 8, 16, 30, 30] {
        assert!(matches!(limiter.admit(now), Admission::Wait(Some(at)) if at == now + Duration::from_secs(wait)));
        now += Duration::from_secs(wait);
        let Admission::Go(probe) = limiter.admit(now) else { panic!("a probe after {wait} s") };
        assert!(matches!(limiter.admit(now), Admission::Wait(None)), "only one");
        limiter.ended(probe, &[unavailable], now);
    }
    now += Duration::from_secs(30);
    let Admission::Go(probe) = limiter.admit(now) else { panic!() };
    limiter.ended(probe, &[CallReport { outcome: CallOutcome::Success, ..unavailable }], now);
    assert!(limiter.open_since().is_none() && matches!(limiter.admit(now), Admission::Go(_)));
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
                Admission::Go(permit) => {
                    calls += 1;
                    let usage = Usage { calls: 1, prompt_tokens: tokens, completion_tokens: 0, ..Usage::default() };
                    let report = CallReport { usage, took: Duration::ZERO, outcome: CallOutcome::Success };
                    limiter.ended(permit, &[report], now);
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
        let Admission::Go(permit) = limiter.admit(now) else { panic!() };
        limiter.ended(permit, &[], now);
    }
    assert_eq!((limiter.in_flight(), limiter.window(now)), (0, 4));
}

/// One of at most a hundred calls, whose last answers took a second.
fn at_work(window: f64, ssthresh: f64, in_flight: usize) -> Limiter {
    let new = Limiter::new(100, Rates::default(), Instant::now());
    let window = Window { limit: window, ssthresh, ..new.window };
    Limiter { window, in_flight, latency: 1.0, usual_latency: 1.0, ..new }
}

fn permit(number: u64, in_flight: usize) -> Permit {
    Permit { number, in_flight, tokens: 0.0 }
}

fn report(outcome: CallOutcome) -> CallReport {
    CallReport { usage: Usage::default(), took: Duration::from_secs(1), outcome }
}

#[track_caller]
fn assert_near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
}

#[test]
fn what_calls_took_of_the_rates_is_corrected_when_it_is_known() {
    let now = Instant::now();
    let mut limiter = Limiter::new(8, Rates { calls: Some(6_000), tokens: Some(600_000) }, now);
    let used = |calls, prompt_tokens, completion_tokens| CallReport {
        usage: Usage { calls, prompt_tokens, completion_tokens, ..Usage::default() },
        ..report(CallOutcome::Success)
    };
    // What was reported; what is left of 500 calls and 50,000 tokens; what the next call is expected to take.
    let cases: [(&[CallReport], f64, f64, f64); 4] = [
        (&[used(2, 300, 200), used(0, 100, 0)], 497.0, 49_400.0, 960.0),
        // Without a figure the estimate stays what it was.
        (&[used(1, 0, 0)], 496.0, 48_440.0, 960.0),
        (&[used(1, 0, 60)], 495.0, 48_380.0, 870.0),
        // No call was made.
        (&[], 495.0, 48_380.0, 870.0),
    ];
    for (reports, calls, tokens, usual) in cases {
        let Admission::Go(permit) = limiter.admit(now) else { panic!() };
        limiter.ended(permit, reports, now);
        assert_near(limiter.calls.as_ref().unwrap().content(), calls);
        assert_near(limiter.tokens.as_ref().unwrap().content(), tokens);
        assert_near(limiter.usual_tokens, usual);
    }
}

#[test]
fn a_quicker_answer_counts_at_once_and_a_slower_one_little_by_little() {
    // Mean and usual seconds before, how long the answer took; mean and usual seconds after.
    let cases = [
        ((0.0, 0.0), 2, (2.0, 2.0)),
        ((2.0, 2.0), 4, (2.2, 2.02)),
        ((3.0, 5.0), 1, (2.8, 2.8)),
        ((4.0, 1.0), 1, (3.7, 1.0)),
    ];
    for (before, took, after) in cases {
        let mut limiter = at_work(10.0, 10.0, 9);
        (limiter.latency, limiter.usual_latency) = before;
        limiter.answered(permit(1, 1), Duration::from_secs(took));
        assert_near(limiter.latency, after.0);
        assert_near(limiter.usual_latency, after.1);
    }
}

#[test]
fn an_answer_widens_the_window_by_the_whole_table() {
    // Window, ceiling, calls in flight, rounds near the ceiling, growth, answers since the last try; the same of
    // window, growth and answers afterwards.
    let cases = [
        // Near the ceiling as many rounds as it was confirmed.
        ((10.0, 10.0, 9, 4.0, 1.0, 38.0), (10.0, 1.0, 39.0)),
        ((10.0, 10.0, 9, 4.0, 1.0, 39.0), (11.0, 1.0, 0.0)),
        // Below it one round, the more at once the farther it goes.
        ((8.0, 10.0, 8, 4.0, 1.0, 7.0), (9.0, 1.0, 0.0)),
        ((4.0, 10.0, 4, 4.0, 4.0, 3.0), (8.0, 8.0, 0.0)),
        // Above it, too.
        ((12.0, 10.0, 12, 4.0, 1.0, 10.0), (12.0, 1.0, 11.0)),
        ((12.0, 10.0, 12, 4.0, 1.0, 11.0), (13.0, 2.0, 0.0)),
        // Never above the most.
        ((98.0, 50.0, 98, 1.0, 8.0, 97.0), (100.0, 16.0, 0.0)),
        ((100.0, 50.0, 100, 1.0, 8.0, 3.0), (100.0, 8.0, 3.0)),
        // What is not used is not widened.
        ((10.0, 10.0, 8, 4.0, 1.0, 39.0), (10.0, 1.0, 39.0)),
    ];
    for (before, after) in cases {
        let (window, ssthresh, in_flight, probe_interval, increase_step, increase_credit) = before;
        let mut limiter = at_work(window, ssthresh, in_flight);
        limiter.window = Window { increase_step, probe_interval, increase_credit, ..limiter.window };
        limiter.answered(permit(1, 1), Duration::from_secs(1));
        assert_eq!(
            (limiter.window.limit, limiter.window.increase_step, limiter.window.increase_credit),
            after,
            "{before:?}"
        );
    }
}

#[test]
fn slow_answers_stop_the_growth() {
    // Milliseconds that answers take and usually took; whether the window may go on growing.
    for (takes, usually, grows) in
        [(1_000, 1_000, true), (10_000, 1_000, false), (1_000, 100, false), (20_000, 10_000, true)]
    {
        let (takes, usually) = (Duration::from_millis(takes), Duration::from_millis(usually));
        let mut limiter = at_work(10.0, 10.0, 9);
        (limiter.latency, limiter.usual_latency) = (takes.as_secs_f64(), usually.as_secs_f64());
        limiter.answered(permit(1, 1), takes);
        assert_eq!(limiter.window.increase_credit > 0.0, grows, "{takes:?} instead of {usually:?}");
    }
}

#[test]
fn many_overloaded_calls_among_the_last_shrink_the_window() {
    // How many calls overloaded the endpoint, how many were then answered, how many overloaded it after that; their
    // number, where the window shrank at the fifth; the window afterwards.
    let cases = [
        (7, 0, 0, 6, 20.0),
        (8, 0, 0, 6, 15.0),
        (7, 10, 1, 6, 15.0),
        // More than 32 calls ago is long ago.
        (7, 26, 1, 6, 20.0),
        // What was sent before the window shrank says nothing of it.
        (8, 0, 0, 5, 20.0),
        (8, 0, 0, 4, 20.0),
    ];
    for (overloaded, answered, again, number, window) in cases {
        // Calls that do not fill the window do not widen it.
        let mut limiter = Limiter { shrunk_at: 5, ..at_work(20.0, 20.0, 0) };
        for (count, outcome) in
            [(overloaded, CallOutcome::Overloaded), (answered, CallOutcome::Success), (again, CallOutcome::Overloaded)]
        {
            (0..count).for_each(|_| limiter.ended(permit(number, 1), &[report(outcome)], Instant::now()));
        }
        assert_near(limiter.window.limit, window);
    }
}

#[test]
fn refusals_move_the_window_by_the_whole_table() {
    // Ceiling, rounds near it, whether it was refused before, calls in flight with the refused one; window and rounds.
    let cases = [
        // Near the old ceiling it is confirmed.
        ((12.0, 4.0, 0, 12), (11.0, 8.0)),
        ((12.0, 16.0, 0, 12), (11.0, 16.0)),
        // Elsewhere it is a new one.
        ((20.0, 4.0, 0, 12), (11.0, 1.0)),
        // Refused again without an answer in between: a quarter less at least.
        ((20.0, 4.0, 1, 19), (15.0, 1.0)),
        ((20.0, 4.0, 1, 6), (5.0, 1.0)),
    ];
    for (before, after) in cases {
        let (ssthresh, probe_interval, refused_in_a_row, in_flight) = before;
        let mut limiter = Limiter { refused: vec![1, 2], ..at_work(20.0, ssthresh, 19) };
        limiter.window = Window { probe_interval, refused_in_a_row, ..limiter.window };
        limiter.refused(permit(3, in_flight), None, Instant::now());
        assert_eq!((limiter.window.limit, limiter.window.probe_interval), after, "{before:?}");
        assert_near(limiter.window.ssthresh, after.0);
    }
}

#[test]
fn who_comes_back_is_not_overrun() {
    let mut limiter = Limiter { unavailable_in_a_row: UNAVAILABLE, ..at_work(20.0, 20.0, 0) };
    limiter.window = Window { increase_step: 8.0, increase_credit: 5.0, ..limiter.window };
    limiter.answered(permit(1, 1), Duration::from_secs(1));
    // One call, and after its answer two; the next step is one again, since nothing is known of a ceiling.
    let Window { limit, increase_step, increase_credit, ssthresh, .. } = limiter.window;
    assert_eq!((limit, increase_step, increase_credit, ssthresh), (2.0, 1.0, 0.0, 1.0));
}

#[test]
fn what_was_sent_before_the_window_shrank_says_nothing_of_it() {
    for (number, counts) in [(4, false), (5, false), (6, true)] {
        let before = || {
            let limiter = at_work(10.0, 10.0, 9);
            Limiter { shrunk_at: 5, window: Window { refused_in_a_row: 1, ..limiter.window }, ..limiter }
        };
        let mut limiter = before();
        limiter.answered(permit(number, 1), Duration::from_secs(1));
        assert_eq!(
            (limiter.window.refused_in_a_row == 0, limiter.window.increase_credit > 0.0),
            (counts, counts),
            "{number} is answered"
        );
        let mut limiter = before();
        limiter.refused(permit(number, 7), None, Instant::now());
        assert_eq!(
            (limiter.refused.len(), limiter.min_rejected_at.is_finite()),
            (counts.into(), counts),
            "{number} is refused"
        );
    }
    let mut limiter = Limiter { refused: vec![1, 2], sent: 9, ..at_work(20.0, 20.0, 19) };
    limiter.window.increase_credit = 3.0;
    limiter.refused(permit(3, 12), None, Instant::now());
    assert_eq!(
        (limiter.shrunk_at, limiter.window.increase_credit, limiter.refused.len(), limiter.overloads),
        (9, 0.0, 0, 0)
    );
    assert!(limiter.min_rejected_at.is_infinite(), "the next refusal is the first one");
}

#[test]
fn refusals_now_and_then_are_chance() {
    let spread = |span: u64| -> Vec<u64> { (0..7).map(|n| n * 4).chain([span]).collect() };
    let cases = [
        (vec![1, 2], false),
        (vec![1, 2, 3], true),
        (vec![1, 2, 4], false),
        (spread(31), true),
        (spread(32), false),
        (spread(31)[..7].to_vec(), false),
    ];
    for (numbers, are) in cases {
        assert_eq!(are_refused(&numbers), are, "{numbers:?}");
    }
    // Only so many are kept, the latest.
    let mut limiter = at_work(20.0, 20.0, 19);
    for number in 1..=40 {
        limiter.refused(permit(number * 100, 5), None, Instant::now());
        let oldest = number.saturating_sub(KEPT as u64) + 1;
        let kept: Vec<u64> = (oldest..=number).map(|number| number * 100).collect();
        assert_eq!(limiter.refused, kept);
    }
    assert_near(limiter.window.limit, 20.0);
}
