//! Calls that wait, by the endpoint and model that they are for: each has its own queue and its own limiter. Pure.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::fair_queue::FairQueue;
use super::limiter::{Admission, Limiter, Permit, Rates, ShareLoad};
use crate::processor::CallReport;
use crate::store::{Share, ShareRequest, StoreError};
use crate::task::TaskId;

/// More than these are kept only while there is something to them: callers may name any model.
const KEPT: usize = 64;

/// All queues of calls.
pub(super) struct Endpoints<T> {
    most: usize,
    rates: Rates,
    /// Whether the limits are those of several servers.
    shared: bool,
    known: BTreeMap<String, Endpoint<T>>,
    /// Who was served last; the next one after it is first in turn.
    last: String,
}

struct Endpoint<T> {
    queue: FairQueue<TaskId, T>,
    limiter: Limiter,
}

/// What is to be done next.
pub(super) enum Next<T> {
    /// A call, for this endpoint.
    Go(String, Permit, T),
    /// Nothing before this moment, if there is one; until then only when something comes or ends.
    Wait(Option<Instant>),
}

/// How one model at one endpoint does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointLoad {
    /// The endpoint's name and the model.
    pub name: String,
    /// Shards that wait.
    pub queued: usize,
    /// Calls in flight.
    pub in_flight: usize,
    /// The most calls in flight that it allows at present.
    pub window: usize,
    /// How long it has been unavailable, when that is so.
    pub unavailable_for: Option<Duration>,
    /// The share in what all servers may have, where several use one store.
    pub share: Option<ShareLoad>,
}

impl<T> Endpoints<T> {
    pub(super) const fn new(most: usize, rates: Rates, shared: bool) -> Self {
        Self { most, rates, shared, known: BTreeMap::new(), last: String::new() }
    }

    pub(super) fn push(&mut self, name: &str, now: Instant, add: impl FnOnce(&mut FairQueue<TaskId, T>)) {
        if !self.known.contains_key(name) {
            if self.known.len() >= KEPT {
                self.known.retain(|_, endpoint| !endpoint.queue.is_empty() || endpoint.limiter.in_flight() > 0);
            }
            let own = Limiter::new(self.most, self.rates, now);
            let limiter = if self.shared { own.sharing() } else { own };
            self.known.insert(name.to_owned(), Endpoint { queue: FairQueue::new(), limiter });
        }
        if let Some(endpoint) = self.known.get_mut(name) {
            add(&mut endpoint.queue);
        }
    }

    /// The next call, round robin over the endpoints that allow one.
    pub(super) fn pop(&mut self, now: Instant) -> Next<T> {
        let mut soonest: Option<Instant> = None;
        let (served, mut names): (Vec<String>, Vec<String>) =
            self.known.keys().cloned().partition(|name| *name <= self.last);
        names.extend(served);
        for name in names {
            let Some(endpoint) = self.known.get_mut(&name).filter(|endpoint| !endpoint.queue.is_empty()) else {
                continue;
            };
            match endpoint.limiter.admit(now) {
                Admission::Go(permit) => {
                    if let Some((_, item)) = endpoint.queue.pop() {
                        self.last.clone_from(&name);
                        return Next::Go(name, permit, item);
                    }
                }
                Admission::Wait(at) => soonest = soonest.into_iter().chain(at).min(),
            }
        }
        Next::Wait(soonest)
    }

    /// A place for a call that stands in no queue, if there is one.
    pub(super) fn acquire(&mut self, name: &str, now: Instant) -> Option<Permit> {
        let endpoint = self.known.get_mut(name)?;
        match endpoint.limiter.admit(now) {
            Admission::Go(permit) => Some(permit),
            Admission::Wait(_) => None,
        }
    }

    /// Takes in what became of a call.
    pub(super) fn ended(&mut self, name: &str, permit: Permit, reports: &[CallReport], now: Instant) {
        if let Some(endpoint) = self.known.get_mut(name) {
            endpoint.limiter.ended(permit, reports, now);
        }
    }

    /// The shares that are to be asked for now, with the endpoints' names, and when the next one is, as long as so many
    /// workers are free. `hedges` says how many second calls wait for an endpoint; these need no worker.
    pub(super) fn ask(
        &mut self,
        free: usize,
        hedges: impl Fn(&str) -> usize,
        now: Instant,
    ) -> (Vec<ShareRequest>, Option<Instant>) {
        let (mut asked, mut next) = (Vec::new(), None);
        for (name, endpoint) in &mut self.known {
            let second = hedges(name);
            let (queued, free) = (endpoint.queue.len() + second, free + second);
            let Some(at) = endpoint.limiter.ask_at(queued, free, now) else { continue };
            if at > now {
                next = [Some(at), next].into_iter().flatten().min();
            } else if let Some(request) = endpoint.limiter.ask(queued, free, now) {
                asked.push(ShareRequest { endpoint: name.clone(), ..request });
            }
        }
        (asked, next)
    }

    /// Takes in an answer to a question for a share; `None` when there was none.
    pub(super) fn granted(&mut self, name: &str, share: &Result<Option<Share>, StoreError>, now: Instant) {
        let Some(endpoint) = self.known.get_mut(name) else { return };
        match share {
            Ok(Some(share)) => endpoint.limiter.granted(share, now),
            Ok(None) => endpoint.limiter.unshared(now),
            Err(_) => endpoint.limiter.not_granted(now),
        }
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.known.keys().cloned().collect()
    }

    /// Whether something waits for an unavailable endpoint.
    pub(super) fn is_waited_for_in_vain(&self) -> bool {
        self.known.values().any(|endpoint| !endpoint.queue.is_empty() && endpoint.limiter.open_since().is_some())
    }

    /// Takes out what has waited for longer than `waits` says for an unavailable endpoint, with the moment since when it
    /// waits; without one it counts since any endpoint has been unavailable. `again` puts back the rest.
    pub(super) fn expire_waits(
        &mut self,
        name: &str,
        now: Instant,
        waits: impl Fn(&T) -> (Duration, Option<Instant>),
        again: impl Fn(&mut FairQueue<TaskId, T>, T),
    ) -> Vec<T> {
        let first = self.known.values().filter_map(|endpoint| endpoint.limiter.open_since()).min();
        let Some(endpoint) = self.known.get_mut(name) else { return Vec::new() };
        let Some(since) = endpoint.limiter.open_since() else { return Vec::new() };
        let waiting = std::iter::from_fn(|| endpoint.queue.pop().map(|(_, item)| item));
        let (over, rest): (Vec<T>, Vec<T>) = waiting.partition(|item| {
            let (timeout, queued) = waits(item);
            let from = queued.map_or(first.unwrap_or(since), |queued| since.max(queued));
            now.saturating_duration_since(from) >= timeout
        });
        rest.into_iter().for_each(|item| again(&mut endpoint.queue, item));
        over
    }

    /// Takes out what a task has waiting.
    pub(super) fn remove(&mut self, task: TaskId) -> Vec<T> {
        self.known.values_mut().flat_map(|endpoint| endpoint.queue.remove(task)).collect()
    }

    pub(super) fn clear(&mut self) {
        self.known.values_mut().for_each(|endpoint| endpoint.queue = FairQueue::new());
    }

    pub(super) fn len(&self) -> usize {
        self.known.values().map(|endpoint| endpoint.queue.len()).sum()
    }

    /// How much waits, by tenant; one may come several times.
    pub(super) fn lengths(&self) -> impl Iterator<Item = (&str, usize)> {
        self.known.values().flat_map(|endpoint| endpoint.queue.lengths())
    }

    pub(super) fn loads(&self, now: Instant) -> Vec<EndpointLoad> {
        let load = |(name, endpoint): (&String, &Endpoint<T>)| EndpointLoad {
            name: name.clone(),
            queued: endpoint.queue.len(),
            in_flight: endpoint.limiter.in_flight(),
            window: endpoint.limiter.window(now),
            unavailable_for: endpoint.limiter.open_since().map(|since| now.saturating_duration_since(since)),
            share: endpoint.limiter.share_load(),
        };
        self.known.iter().map(load).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::processor::CallOutcome;
    use crate::task::Usage;

    fn unavailable() -> CallReport {
        let usage = Usage::default();
        CallReport { usage, took: Duration::ZERO, outcome: CallOutcome::Unavailable(None) }
    }

    fn go(endpoints: &mut Endpoints<u32>, now: Instant) -> (String, Permit, u32) {
        match endpoints.pop(now) {
            Next::Go(name, permit, item) => (name, permit, item),
            Next::Wait(at) => panic!("waits until {at:?}"),
        }
    }

    #[test]
    fn an_unavailable_model_blocks_no_other_and_is_given_up_in_time() {
        let mut now = Instant::now();
        let mut endpoints = Endpoints::new(4, Rates::default(), false);
        let task = TaskId::generate();
        for item in 0..6 {
            endpoints.push("a", now, |queue| queue.push("", task, 0, item));
            endpoints.push("b", now, |queue| queue.push("", task, 0, 10 + item));
        }
        for _ in 0..3 {
            let (name, permit, _) = go(&mut endpoints, now);
            let (other, _, _) = go(&mut endpoints, now);
            assert_eq!((name.as_str(), other.as_str()), ("a", "b"), "in turns");
            endpoints.ended(&name, permit, &[unavailable()], now);
        }
        assert_eq!(go(&mut endpoints, now).0, "b", "a is unavailable");
        let Next::Wait(Some(at)) = endpoints.pop(now) else { panic!("b is full, a is unavailable") };
        assert_eq!(at, now + Duration::from_secs(1));
        now += Duration::from_secs(10);
        let begun = now.checked_sub(Duration::from_secs(10)).unwrap();
        let timeout = |item: &u32| match item {
            4 => (Duration::from_secs(5), Some(begun)),
            // It came but now.
            5 => (Duration::from_secs(5), Some(now)),
            _ => (Duration::from_secs(60), Some(begun)),
        };
        let again = |queue: &mut FairQueue<TaskId, u32>, item| queue.push("", task, 0, item);
        assert_eq!(endpoints.expire_waits("a", now, timeout, again), [4]);
        let shared = |item: &u32| {
            if *item == 5 { (Duration::from_secs(11), None) } else { timeout(item) }
        };
        assert_eq!(endpoints.expire_waits("a", now, shared, again), Vec::<u32>::new());
        assert_eq!(
            endpoints.expire_waits("a", now + Duration::from_secs(1), shared, again),
            [5],
            "since it is unavailable"
        );
        endpoints.push("a", now, |queue| queue.push("", task, 0, 5));
        assert_eq!(endpoints.expire_waits("b", now, timeout, again), Vec::<u32>::new());
        let loads = endpoints.loads(now);
        assert_eq!((loads[0].queued, loads[0].window), (2, 1));
        assert_eq!(loads[0].unavailable_for, Some(Duration::from_secs(10)));
        assert_eq!((loads[1].queued, loads[1].in_flight, loads[1].window), (2, 4, 4));
    }

    #[test]
    fn a_share_is_asked_for_second_calls_too() {
        let now = Instant::now();
        let mut endpoints = Endpoints::new(4, Rates::default(), true);
        endpoints.push("a", now, |queue| queue.push("", TaskId::generate(), 0, 1));
        let (asked, _) = endpoints.ask(1, |_| 0, now);
        assert_eq!((asked.len(), asked[0].endpoint.as_str(), asked[0].wanted), (1, "a", 1));
        endpoints.granted("a", &Ok(Some(Share { in_flight: 1, ..Share::default() })), now);
        assert_eq!(go(&mut endpoints, now).0, "a");
        assert!(endpoints.acquire("a", now).is_none(), "it has one place");
        let later = now + Duration::from_secs(1);
        let (asked, _) = endpoints.ask(0, |name| usize::from(name == "a"), later);
        assert_eq!(asked[0].wanted, 2, "also without a free worker");
        endpoints.granted("a", &Ok(Some(Share { in_flight: 2, ..Share::default() })), later);
        assert!(endpoints.acquire("a", later).is_some());
    }

    #[test]
    fn unused_names_are_forgotten() {
        let now = Instant::now();
        let mut endpoints = Endpoints::new(4, Rates::default(), false);
        for name in 0..1_000 {
            endpoints.push(&format!("model {name}"), now, |queue| queue.push("", TaskId::generate(), 0, name));
            let (name, permit, _) = go(&mut endpoints, now);
            endpoints.ended(&name, permit, &[], now);
        }
        assert!(endpoints.loads(now).len() <= KEPT);
    }
}
