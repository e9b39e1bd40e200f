//! What a server makes of its share, step by step and as tables.

use super::*;
use crate::pool::limiter::{Admission, Permit, Rates};
use crate::processor::{CallOutcome, CallReport};
use crate::task::Usage;

const RATES: Rates = Rates { calls: Some(600), tokens: None };

fn at(begun: Instant, ms: u64) -> Instant {
    begun + Duration::from_millis(ms)
}

fn got(in_flight: u32) -> Share {
    Share { in_flight, sharers: 2, ..Share::default() }
}

fn sharing(most: usize, rates: Rates, now: Instant) -> Limiter {
    Limiter::new(most, rates, now).sharing()
}

fn report(outcome: CallOutcome) -> CallReport {
    CallReport { usage: Usage { calls: 1, ..Usage::default() }, took: Duration::from_millis(1), outcome }
}

/// Begins as many calls as it may.
fn begin_all(limiter: &mut Limiter, now: Instant) -> Vec<Permit> {
    std::iter::from_fn(|| match limiter.admit(now) {
        Admission::Go(permit) => Some(permit),
        Admission::Wait(_) => None,
    })
    .collect()
}

#[test]
fn it_asks_when_there_is_use_for_it_and_gives_back_what_there_is_none_for() {
    let now = Instant::now();
    let mut limiter = sharing(64, Rates::default(), now);
    assert_eq!(limiter.ask_at(0, 64, now), None, "there is nothing to do");
    assert!(begin_all(&mut limiter, now).is_empty(), "no share, no call");
    assert_eq!(limiter.ask_at(30, 64, now), Some(now));
    let asked = limiter.ask(30, 64, now).unwrap();
    assert_eq!((asked.wanted, asked.in_flight, asked.max_in_flight, asked.lease), (30, 0, 64, LEASE));
    assert_eq!(limiter.ask_at(30, 64, at(now, 900)), None, "it is being asked");
    limiter.granted(&got(10), at(now, 5));
    assert_eq!(begin_all(&mut limiter, at(now, 5)).len(), 10);
    // It was given less than it wanted: that others have it changes only by and by.
    let next = limiter.ask_at(20, 54, at(now, 5)).unwrap();
    assert!(next >= at(now, 5 + 187) && next <= at(now, 5 + 313), "{:?}", next.duration_since(now));
    limiter.ask(0, 54, next).unwrap();
    limiter.granted(&got(10), next);
    // It was given all that it wanted, and there is more to do.
    assert_eq!(limiter.ask_at(1, 54, next), Some(next + ASK_SOONEST));
    // Without workers there is no use for more.
    assert!(limiter.ask_at(1, 0, next).unwrap() > next + ASK_SOONEST);

    let mut limiter = sharing(64, Rates::default(), now);
    limiter.ask(1, 64, now).unwrap();
    limiter.granted(&got(1), now);
    let permit = begin_all(&mut limiter, now).remove(0);
    limiter.ended(permit, &[report(CallOutcome::Success)], now);
    assert_eq!(limiter.ask_at(0, 64, now), Some(now + ASK_SOONEST));
    assert_eq!(limiter.ask(0, 64, now + ASK_SOONEST).unwrap().wanted, 0);
    limiter.granted(&got(0), now + ASK_SOONEST);
    assert_eq!(limiter.ask_at(0, 64, at(now, 5_000)), None, "nothing is held");
}

#[test]
fn a_share_that_has_ended_allows_nothing_until_the_store_is_known_to_be_unavailable() {
    let now = Instant::now();
    let mut limiter = sharing(64, RATES, now);
    limiter.ask(30, 64, now).unwrap();
    limiter.granted(&Share { calls: 4, ..got(10) }, now);
    let (last, over) = (at(now, 1_999), now + LEASE);
    assert_eq!((limiter.window(last), limiter.window(over)), (10, 0));
    assert!(matches!(limiter.admit(over), Admission::Wait(None)), "others may have it by now");
    assert_eq!(limiter.ask_at(30, 64, over), Some(now + ASK_SOONEST), "at once");
    limiter.ask(30, 64, last).unwrap();
    limiter.not_granted(last);
    assert!(!limiter.share_load().unwrap().is_kept, "as long as it counts the others keep to it, too");
    assert_eq!(limiter.window(over), 0);
    limiter.ask(30, 64, over).unwrap();
    limiter.not_granted(over);
    assert_eq!(limiter.window(over), 10);
    assert_eq!(limiter.ask_at(30, 64, over), Some(over + ASK_AGAIN));
    // Half of 600 a minute are five a second, for there were two servers.
    let mut calls = 0;
    for ms in 0..1_990 {
        let permits = begin_all(&mut limiter, at(over, ms));
        calls += permits.len();
        permits.into_iter().for_each(|permit| {
            limiter.ended(permit, &[report(CallOutcome::Success)], at(over, ms));
        });
    }
    assert_eq!(calls, 9);
    let load = limiter.share_load().unwrap();
    assert_eq!((load.is_kept, load.in_flight, load.servers, load.limit), (true, 10, 2, 64));
    assert_eq!(limiter.ask(30, 64, at(over, 2_000)).unwrap().kept, Some(10));
    limiter.granted(&got(3), at(over, 2_000));
    assert_eq!((limiter.window(at(over, 2_000)), limiter.share_load().unwrap().is_kept), (3, false));
}

#[test]
fn without_a_share_and_without_a_store_there_is_one_call_at_a_time() {
    let now = Instant::now();
    let mut limiter = sharing(64, RATES, now);
    limiter.ask(30, 64, now).unwrap();
    limiter.not_granted(now);
    assert_eq!(limiter.window(now), 1);
    // An eighth of ten a second.
    let Admission::Wait(Some(first)) = limiter.admit(now) else { panic!() };
    assert_eq!(first, at(now, 800));
    assert_eq!(begin_all(&mut limiter, first).len(), 1);
}

#[test]
fn calls_are_drawn_for_those_that_can_begin() {
    // The share, calls in flight, how many wait; calls that are drawn. An answer takes 50 ms, so each place is free
    // five times before the next question.
    let cases = [(10, 0, 100, 60), (10, 10, 100, 50), (10, 10, 7, 7), (1, 1, 100, 5), (10, 0, 0, 0)];
    for (share, in_flight, queued, drawn) in cases {
        let now = Instant::now();
        let mut limiter = sharing(64, Rates { calls: Some(6_000), tokens: Some(1_000) }, now);
        limiter.ask(queued, 64, now).unwrap();
        limiter.granted(&got(share), now);
        (limiter.in_flight, limiter.latency) = (in_flight, 0.05);
        let asked = limiter.ask(queued, 64, now).unwrap();
        assert_eq!((asked.calls, asked.tokens), (drawn, u64::from(drawn) * 1_000), "{share} {in_flight} {queued}");
        limiter.granted(&Share { calls: 3, tokens: 900, ..got(share) }, now);
        let asked = limiter.ask(queued, 64, now).unwrap();
        let lacks = u64::from(drawn) * 1_000;
        assert_eq!((asked.calls, asked.tokens), (drawn.saturating_sub(3), lacks.saturating_sub(900)), "of the rest");
    }
}

#[test]
fn what_it_saw_moves_the_window_of_all() {
    // The limit and ceiling of all, answers in it of all, what this server saw, calls of others in flight, and those that they
    // may have; the next limit.
    let seen = |refused_with, overloaded| Seen { refused_with, overloaded, ..Seen::default() };
    let cases = [
        ((20.0, 64.0), 19, seen(None, false), (9, 9), None),
        ((20.0, 64.0), 20, seen(None, false), (9, 9), Some(21.0)),
        ((64.0, 64.0), 1_000, seen(None, false), (9, 9), None),
        ((40.0, 64.0), 5, seen(Some(10.0), false), (27, 30), Some(39.0)),
        ((40.0, 64.0), 5, seen(Some(10.0), false), (20, 30), Some(39.0)),
        ((40.0, 64.0), 5, seen(Some(10.0), false), (19, 30), Some(28.0)),
        ((40.0, 64.0), 5, seen(Some(1.0), false), (0, 0), Some(1.0)),
        ((40.0, 64.0), 5, seen(None, true), (20, 20), Some(30.0)),
    ];
    for ((limit, ssthresh), answered, seen, (elsewhere, held_elsewhere), next) in cases {
        let window = Window { limit, ssthresh, ..Window::new(64.0) };
        let share = ClusterShare { window, seen, ..ClusterShare::new(64.0) };
        let decided = share.decide(&Share { answered, elsewhere, held_elsewhere, ..Share::default() }, 64.0);
        assert_eq!(decided.map(|window| window.limit), next, "{limit} {answered} {seen:?}");
    }
    // Refused again without an answer in between: a quarter less at least.
    let again = Window { limit: 40.0, refused_in_a_row: 1, ..Window::new(64.0) };
    let share = ClusterShare { window: again, seen: seen(Some(39.0), false), ..ClusterShare::new(64.0) };
    for (answered, next) in [(0, 30.0), (1, 38.0)] {
        let decided = share.decide(&Share { answered, ..Share::default() }, 64.0).unwrap();
        assert_eq!((decided.limit, decided.ssthresh), (next, next), "{answered}");
    }
}

#[test]
fn a_refusal_here_is_told_at_once_and_one_elsewhere_is_kept_to() {
    let now = Instant::now();
    let [mut refused, mut other] = [sharing(64, Rates::default(), now), sharing(64, Rates::default(), now)];
    for limiter in [&mut refused, &mut other] {
        limiter.ask(64, 64, now).unwrap();
        limiter.granted(&got(32), now);
        assert_eq!(begin_all(limiter, now).len(), 32);
    }
    let after = Some(Duration::from_secs(3));
    for (number, outcome) in
        [CallOutcome::RateLimited(None), CallOutcome::RateLimited(None), CallOutcome::RateLimited(after)]
            .into_iter()
            .enumerate()
    {
        let permit = Permit { number: number as u64 + 10, in_flight: 20, tokens: 0.0 };
        refused.ended(permit, &[report(outcome)], at(now, 10));
    }
    assert_eq!(refused.window(at(now, 10)), 19, "it does not wait for the others");
    assert_eq!(refused.ask_at(64, 64, at(now, 30)), Some(at(now, 20)), "and does not wait with it");
    let told = refused.ask(64, 64, at(now, 30)).unwrap();
    assert_eq!((told.pause, told.window), (Duration::from_millis(2_980), None));
    // With the calls of the others as they are now it decides.
    refused.granted(&Share { elsewhere: 32, held_elsewhere: 32, ..got(32) }, at(now, 31));
    assert_eq!(refused.window(at(now, 31)), 19, "its own is not widened meanwhile");
    let decided = refused.ask(64, 64, at(now, 51)).unwrap().window.unwrap();
    assert!((decided.limit - 63.0).abs() < 1e-9, "{}", decided.limit);

    other.ask(64, 64, at(now, 60)).unwrap();
    let pause = Duration::from_millis(2_950);
    other.granted(&Share { epoch: 1, window: Some(decided), pause, ..got(25) }, at(now, 61));
    assert_eq!((other.window(at(now, 61)), other.share_load().unwrap().limit), (25, 63));
    assert!(matches!(other.admit(at(now, 61)), Admission::Wait(Some(until)) if until == at(now, 61) + pause));
    // What was sent before says nothing of the new window.
    for number in [1, 2, 3] {
        let permit = Permit { number, in_flight: 20, tokens: 0.0 };
        other.ended(permit, &[report(CallOutcome::RateLimited(None))], at(now, 62));
    }
    assert_eq!(other.window(at(now, 62)), 25);
}

#[test]
fn a_store_that_shares_nothing_out_leaves_a_server_all_of_it() {
    let now = Instant::now();
    let mut limiter = sharing(8, RATES, now);
    limiter.ask(30, 64, now).unwrap();
    limiter.unshared(now);
    assert_eq!((begin_all(&mut limiter, now).len(), limiter.ask_at(30, 64, now)), (8, None));
    assert_eq!(limiter.share_load(), None);
}
