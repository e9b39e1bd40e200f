//! How an endpoint's limits are shared out between servers.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::clock::Timestamp;
use crate::store::{Share, ShareRequest, SharedWindow, TaskStore};

/// Longer than any check takes.
const LEASE: Duration = Duration::from_mins(5);
/// What has not come by then does not come.
const TEST_TIMEOUT: Duration = Duration::from_mins(1);

fn request(endpoint: &str, server: &str) -> ShareRequest {
    ShareRequest {
        endpoint: endpoint.into(),
        server: server.into(),
        lease: LEASE,
        max_in_flight: 10,
        ..ShareRequest::default()
    }
}

async fn share(store: &impl TaskStore, asked: &ShareRequest) -> Share {
    store.share(asked).await.unwrap().expect("a store that several servers use shares out")
}

/// The clock by which shares end and rates come in: it need not go as the one of this process does.
async fn now(store: &impl TaskStore) -> Timestamp {
    store.renew("one#1", &[]).await.unwrap().time
}

#[allow(clippy::cast_precision_loss, reason = "a count of tokens")]
fn hundreds(tokens: u64) -> f64 {
    tokens as f64 / 100.0
}

/// An endpoint that no other check knows.
fn fresh() -> String {
    format!("contract {}", Uuid::now_v7())
}

pub(super) async fn divides_what_is_allowed_by_what_is_wanted(store: &impl TaskStore) {
    // The most in flight; what each server wants; what each has in the end.
    let cases: [(u32, &[u32], &[u32]); 7] = [
        (10, &[4], &[4]),
        (10, &[40], &[10]),
        (10, &[40, 40], &[5, 5]),
        // Who wants little gets it, and the others have the rest.
        (10, &[1, 40, 2, 40], &[1, 4, 2, 3]),
        (10, &[1, 1, 1], &[1, 1, 1]),
        (64, &[64, 64, 64, 64], &[16, 16, 16, 16]),
        // Fewer than servers: some have one.
        (2, &[9, 9, 9], &[1, 1, 0]),
    ];
    for (most, wanted, expected) in cases {
        let endpoint = fresh();
        let asked = |(server, wanted): (usize, &u32)| ShareRequest {
            max_in_flight: most,
            wanted: *wanted,
            ..request(&endpoint, &format!("server {server}"))
        };
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        let (mut as_expected, begun) = (0, Instant::now());
        // The first ones give back in the second round what is too much once the others are there; and of what the division
        // leaves over each has one more in turn, which may change in mid-round.
        while as_expected < 2 {
            let mut got = Vec::new();
            for asked in wanted.iter().enumerate().map(asked) {
                got.push(share(store, &asked).await.in_flight);
            }
            assert!(got.iter().sum::<u32>() <= most, "{wanted:?}: {got:?}");
            got.sort_unstable();
            as_expected = if got == expected { as_expected + 1 } else { 0 };
            assert!(begun.elapsed() < TEST_TIMEOUT, "{most} for {wanted:?}: {got:?}");
        }
    }
}

/// Servers come and go, begin and end calls, by chance: what they hold together never exceeds the limit.
pub(super) async fn never_shares_out_more_than_there_is(store: &impl TaskStore) {
    for seed in 0..8_u64 {
        let endpoint = fresh();
        let mut chance = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut roll = |sides: u32| {
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            u32::try_from(chance >> 33).unwrap_or(0) % sides
        };
        let (mut held, mut last) = (HashMap::<u32, (u32, u32)>::new(), 0);
        for step in 0..200 {
            let server = roll(5);
            let (in_flight, allowed) = held.get(&server).copied().unwrap_or_default();
            // Of its calls some end, and it begins as many as it may.
            let in_flight = (in_flight - roll(in_flight + 1)).max(allowed.min(in_flight + roll(4)));
            let wanted = if in_flight == 0 && roll(4) == 0 { 0 } else { in_flight + roll(20) };
            let asked = ShareRequest { in_flight, wanted, ..request(&endpoint, &format!("server {server}")) };
            last = share(store, &asked).await.in_flight;
            held.insert(server, (in_flight, last));
            let sum: u32 = held.values().map(|(in_flight, allowed)| in_flight.max(allowed)).sum();
            assert!(sum <= 10, "seed {seed}, step {step}: {held:?}");
        }
        let alone =
            format!("server {}", (0..5).max_by_key(|server| held.get(server).map_or(0, |held| held.0)).unwrap());
        for server in 0..5 {
            share(store, &request(&endpoint, &format!("server {server}"))).await;
        }
        let asked = ShareRequest { wanted: 40, ..request(&endpoint, &alone) };
        last = last.max(share(store, &asked).await.in_flight);
        assert_eq!(last, 10, "what was given back is there again");
    }
}

pub(super) async fn what_a_dead_server_had_comes_back(store: &impl TaskStore) {
    let endpoint = fresh();
    let lease = Duration::from_secs(1);
    let dying = ShareRequest { wanted: 40, lease, ..request(&endpoint, "dying") };
    assert_eq!(share(store, &dying).await.in_flight, 10);
    let (asked_at, begun) = (now(store).await, Instant::now());
    assert_eq!(share(store, &ShareRequest { in_flight: 7, ..dying }).await.in_flight, 10);
    let living = ShareRequest { wanted: 40, ..request(&endpoint, "living") };
    loop {
        let Share { in_flight, sharers, elsewhere, .. } = share(store, &living).await;
        if in_flight > 0 {
            assert_eq!((in_flight, sharers, elsewhere), (10, 1, 0));
            break;
        }
        assert_eq!((sharers, elsewhere), (2, 7));
        assert!(begun.elapsed() < TEST_TIMEOUT, "it never comes back");
    }
    let held = now(store).await.since(asked_at);
    assert!(held >= lease, "as long as the lease counts it is held: {held:?}");
}

pub(super) async fn a_server_that_starts_again_has_what_it_had(store: &impl TaskStore) {
    let endpoint = fresh();
    let asked = |server: &str, predecessor: Option<&str>| ShareRequest {
        wanted: 40,
        predecessor: predecessor.map(str::to_owned),
        ..request(&endpoint, server)
    };
    assert_eq!(share(store, &asked("quay#1", None)).await.in_flight, 10);
    // One of the same name that is not said to be dead keeps what it has.
    for predecessor in [None, Some("pier#1")] {
        assert_eq!(share(store, &asked("quay#2", predecessor)).await.in_flight, 0, "{predecessor:?}");
    }
    let again = share(store, &asked("quay#2", Some("quay#1"))).await;
    assert_eq!((again.in_flight, again.sharers), (10, 1), "none of them is the dead one's");
}

pub(super) async fn rates_hold_over_all_servers(store: &impl TaskStore) {
    let endpoint = fresh();
    let greedy = |server: &str| ShareRequest {
        wanted: 5,
        calls: 1_000,
        tokens: 1_000_000,
        calls_per_minute: Some(6_000),
        tokens_per_minute: Some(600_000),
        ..request(&endpoint, server)
    };
    // A hundred calls a second, and half a second's worth that is there at first.
    let (mut calls, mut tokens, first) = (0, 0, now(store).await);
    let mut draw = async || {
        for server in ["one", "two", "three"] {
            let share = share(store, &greedy(server)).await;
            (calls, tokens) = (calls + share.calls, tokens + share.tokens);
            let next = share.next_call.expect("a thousand are never there at once");
            assert!(next <= Duration::from_millis(11), "a hundred a second: {next:?}");
        }
        let now = now(store).await;
        let most = 100.0 * (now.since(first) + Duration::from_millis(500)).as_secs_f64() + 2.0;
        assert!(f64::from(calls) <= most && hundreds(tokens) <= most, "{calls} calls, {tokens} tokens of {most}");
        (now, calls, tokens)
    };
    // What comes in while no server asks for half a second is lost, and so is what goes out with an answer that is late and
    // asked for again: some stretches of time may lack something, but not all.
    let (mut before, begun) = (draw().await, Instant::now());
    let mut is_complete = false;
    while !is_complete {
        let mut after = draw().await;
        while after.0.since(before.0) < Duration::from_millis(600) {
            after = draw().await;
        }
        let least = 90.0 * after.0.since(before.0).as_secs_f64();
        let drawn = (f64::from(after.1 - before.1), hundreds(after.2 - before.2));
        is_complete = drawn.0 >= least && drawn.1 >= least;
        assert!(begun.elapsed() < TEST_TIMEOUT, "{drawn:?} of {least}");
        before = after;
    }
    let unlimited = ShareRequest { calls_per_minute: None, tokens_per_minute: None, ..greedy("one") };
    let unlimited = share(store, &unlimited).await;
    assert_eq!((unlimited.calls, unlimited.tokens, unlimited.next_call), (0, 0, None), "there is nothing to count");
}

pub(super) async fn of_two_windows_that_were_decided_from_one_state_one_counts(store: &impl TaskStore) {
    let endpoint = fresh();
    let asked = |server: &str, epoch, answered, limit: Option<f64>| {
        let window = limit.map(|limit| SharedWindow { limit, state: format!("decided by {server}") });
        ShareRequest { wanted: 40, epoch, answered, window, ..request(&endpoint, server) }
    };
    let first = share(store, &asked("one", 0, 3, None)).await;
    assert_eq!((first.epoch, first.answered, first.window), (0, 3, None));
    assert_eq!(share(store, &asked("two", 0, 4, None)).await.answered, 7, "of both");
    let narrowed = share(store, &asked("one", 0, 1, Some(6.0))).await;
    let window = Some(SharedWindow { limit: 6.0, state: "decided by one".into() });
    assert_eq!((narrowed.epoch, narrowed.answered, narrowed.window.as_ref()), (1, 0, window.as_ref()));
    let late = share(store, &asked("two", 0, 2, Some(3.0))).await;
    assert_eq!((late.epoch, late.answered, late.window), (1, 0, window), "it was decided from an older state");
    // Both keep to it from their next share on.
    let halves = [share(store, &asked("one", 1, 0, None)).await, share(store, &asked("two", 1, 0, None)).await];
    assert_eq!(halves.map(|share| share.in_flight), [3, 3]);
}

pub(super) async fn a_pause_is_for_all_servers(store: &impl TaskStore) {
    let endpoint = fresh();
    let (pause, begun) = (Duration::from_secs(7), now(store).await);
    let refused = ShareRequest { wanted: 1, pause, ..request(&endpoint, "refused") };
    assert!(share(store, &refused).await.pause <= pause);
    let shorter = ShareRequest { pause: Duration::from_secs(1), ..request(&endpoint, "other") };
    let left = share(store, &shorter).await.pause;
    // The shorter one has no effect: it would leave a second at most.
    let least = pause.saturating_sub(now(store).await.since(begun)).saturating_sub(Duration::from_millis(1));
    assert!(left >= least && left <= pause, "{left:?} of {least:?}");
}

/// What they held has ended in the store by then, and the first server to ask must not take it all.
pub(super) async fn after_an_outage_each_goes_on_with_what_it_kept(store: &impl TaskStore) {
    let endpoint = fresh();
    let asked = |server: &str, kept| ShareRequest { wanted: 40, kept, ..request(&endpoint, server) };
    let begun = Instant::now();
    assert_eq!(share(store, &asked("one", Some(6))).await.in_flight, 6);
    let first = now(store).await;
    assert_eq!(share(store, &asked("two", Some(4))).await.in_flight, 4);
    assert_eq!(share(store, &asked("one", None)).await.in_flight, 5, "half of it, as it has use for less than it kept");
    while share(store, &asked("new", None)).await.in_flight == 0 {
        share(store, &asked("one", None)).await;
        share(store, &asked("two", None)).await;
        assert!(begun.elapsed() < TEST_TIMEOUT, "it never ends");
    }
    assert!(now(store).await.since(first) > Duration::from_secs(1), "the others had no time to come back");
    // A store that lost everything knows nothing of the calls in flight.
    let endpoint = fresh();
    let running = ShareRequest { wanted: 40, in_flight: 5, ..request(&endpoint, "running") };
    assert_eq!(share(store, &running).await.in_flight, 5, "none begins before the others have said what they have");
}
