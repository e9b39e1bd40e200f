//! What a server offers to others, takes from them, and takes back. Pure.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::store::FeedReply;
use crate::task::TaskId;

/// How long a server waits between its rounds while nothing is offered and nothing wanted,
const IDLE: Duration = Duration::from_millis(500);
/// and while something is: a quarter of what a shard takes, but not less than the one nor more than the other.
const BUSY: Duration = Duration::from_millis(50);
const SLOW: Duration = Duration::from_millis(250);
/// A shard that takes less is read sooner than the next one can be asked for.
const QUICK: Duration = Duration::from_millis(500);
/// The most entries that wait for each worker elsewhere.
const MOST_AHEAD: u32 = 8;

/// How the workers of a server stand that keep a core busy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::pool) struct Here {
    /// Workers without work.
    pub(in crate::pool) free: usize,
    /// Pieces of its own work that wait.
    pub(in crate::pool) queued: usize,
    /// Shards of others that are with workers,
    pub(in crate::pool) reading: usize,
    /// and that wait for one.
    pub(in crate::pool) ahead: usize,
}

impl Here {
    /// Workers for the shards of others: none, while its own work waits.
    pub(in crate::pool) const fn capacity(self) -> usize {
        if self.queued == 0 { self.free + self.reading } else { 0 }
    }

    /// Whether it has work that its own workers leave.
    pub(in crate::pool) const fn offers(self) -> bool {
        self.queued > 0 && self.free == 0
    }

    /// How many more shards of others it takes now: as many as it has workers without work, and, where a shard takes less
    /// than asking for it, one more for each that is busy with such.
    pub(in crate::pool) fn wanted(self, shard: Option<Duration>) -> usize {
        let is_quick = shard.is_some_and(|took| took < QUICK);
        let most = if is_quick { self.capacity() * 2 } else { self.capacity() };
        most.saturating_sub(self.reading + self.ahead)
    }
}

/// How many shards to offer: none while a worker here is free; else so many that each worker elsewhere has one ahead, or a few
/// where one takes less than the next round.
pub(in crate::pool) fn offered(here: Here, elsewhere: u32, waiting: u32, shard: Option<Duration>) -> usize {
    if here.free > 0 {
        return 0;
    }
    let per_round = shard.map_or(1, |took| (2 * BUSY).as_micros() / took.as_micros().max(1));
    let ahead = u32::try_from(per_round).unwrap_or(MOST_AHEAD).clamp(1, MOST_AHEAD);
    let room = elsewhere.saturating_mul(ahead).saturating_sub(waiting);
    usize::try_from(room).unwrap_or(usize::MAX).min(here.queued)
}

/// When the next round is. `elsewhere` is `None` while it is not known.
pub(in crate::pool) fn pause(here: Here, elsewhere: Option<u32>, out: usize, shard: Option<Duration>) -> Duration {
    let busy = shard.map_or(BUSY, |took| (took / 4).clamp(BUSY, SLOW));
    match elsewhere {
        _ if out > 0 || here.reading + here.ahead > 0 => busy,
        None if here.offers() => Duration::ZERO,
        Some(1..) if here.offers() => busy,
        _ => IDLE,
    }
}

/// What the owner does with a shard of which there is news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) enum Fate {
    /// Keeps the pages and tells the job.
    Keep,
    /// Has it read again, here or elsewhere.
    Again,
    /// Reads it itself.
    Here,
    /// Reads it itself, page by page.
    Quarantine,
}

impl Fate {
    /// What becomes of an entry with this answer, or of one that is gone without any.
    pub(in crate::pool) const fn of(reply: Option<&FeedReply>) -> Self {
        match reply {
            Some(FeedReply::Answer(_)) => Self::Keep,
            Some(FeedReply::Refused) => Self::Here,
            Some(FeedReply::Unanswered) => Self::Quarantine,
            None => Self::Again,
        }
    }
}

/// The shards that are out, by their entries.
#[derive(Debug)]
pub(in crate::pool) struct Out<W>(HashMap<String, Offered<W>>);

#[derive(Debug)]
struct Offered<W> {
    task: TaskId,
    work: W,
    since: Instant,
}

impl<W> Out<W> {
    pub(in crate::pool) fn new() -> Self {
        Self(HashMap::new())
    }

    pub(in crate::pool) fn len(&self) -> usize {
        self.0.len()
    }

    pub(in crate::pool) fn add(&mut self, id: String, task: TaskId, work: W, now: Instant) {
        self.0.insert(id, Offered { task, work, since: now });
    }

    /// Takes a shard out; an entry has one answer that counts.
    pub(in crate::pool) fn take(&mut self, id: &str) -> Option<W> {
        self.0.remove(id).map(|offered| offered.work)
    }

    /// Takes out the shards of a task, with the names of their entries.
    pub(in crate::pool) fn take_task(&mut self, task: TaskId) -> Vec<(String, W)> {
        self.0.extract_if(|_, offered| offered.task == task).map(|(id, offered)| (id, offered.work)).collect()
    }

    /// Takes all out.
    pub(in crate::pool) fn take_all(&mut self) -> Vec<(String, W)> {
        self.0.drain().map(|(id, offered)| (id, offered.work)).collect()
    }

    /// The names of all entries.
    pub(in crate::pool) fn ids(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// The names of the entries that are older than a lease: those that wait still are taken back.
    pub(in crate::pool) fn overdue(&self, now: Instant, lease: Duration) -> Vec<String> {
        let is_overdue = |offered: &Offered<W>| now.saturating_duration_since(offered.since) > lease;
        self.0.iter().filter(|(_, offered)| is_overdue(offered)).map(|(id, _)| id.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here(free: usize, queued: usize, reading: usize, ahead: usize) -> Here {
        Here { free, queued, reading, ahead }
    }

    const FAST: Option<Duration> = Some(Duration::from_millis(20));
    const LONG: Option<Duration> = Some(Duration::from_secs(5));

    #[test]
    fn a_server_takes_as_many_as_it_has_workers_for() {
        // Free, queued, reading, ahead; how long a shard takes; capacity, wanted.
        for (state, shard, capacity, wanted) in [
            (here(2, 0, 0, 0), None, 2, 2),
            (here(0, 0, 0, 0), None, 0, 0),
            // Its own work comes first.
            (here(0, 5, 0, 0), None, 0, 0),
            (here(0, 1, 2, 0), FAST, 0, 0),
            // Workers that read for others are for others.
            (here(1, 0, 1, 0), LONG, 2, 1),
            (here(0, 0, 2, 0), LONG, 2, 0),
            (here(0, 0, 2, 0), FAST, 2, 2),
            (here(0, 0, 2, 1), FAST, 2, 1),
            (here(0, 0, 2, 2), FAST, 2, 0),
        ] {
            assert_eq!((state.capacity(), state.wanted(shard)), (capacity, wanted), "{state:?} {shard:?}");
        }
    }

    #[test]
    fn a_server_offers_what_its_busy_workers_leave_and_others_have_workers_for() {
        // Free and queued here; workers elsewhere, entries that wait; how long a shard takes; how many are offered.
        for (free, queued, elsewhere, waiting, shard, expected) in [
            (0, 100, 3, 0, None, 3),
            (0, 100, 3, 2, None, 1),
            (0, 100, 3, 4, None, 0),
            (0, 2, 3, 0, None, 2),
            (0, 0, 3, 0, None, 0),
            // It has a worker of its own, or no other has.
            (1, 100, 3, 0, None, 0),
            (0, 100, 0, 0, FAST, 0),
            (0, 100, 2, 0, LONG, 2),
            // Five in two rounds, each.
            (0, 100, 2, 1, FAST, 9),
            (0, 100, 2, 0, Some(Duration::from_micros(1)), 16),
        ] {
            let offers = offered(here(free, queued, 0, 0), elsewhere, waiting, shard);
            assert_eq!(offers, expected, "{free} {queued} {elsewhere} {waiting} {shard:?}");
        }
    }

    #[test]
    fn rounds_are_seldom_where_nothing_happens() {
        for (state, elsewhere, out, expected) in [
            (here(2, 0, 0, 0), None, 0, IDLE),
            (here(0, 0, 0, 0), None, 0, IDLE),
            (here(2, 0, 0, 0), Some(3), 0, IDLE),
            // What it could offer, it looks for takers of.
            (here(0, 1, 0, 0), None, 0, Duration::ZERO),
            (here(0, 1, 0, 0), Some(0), 0, IDLE),
            (here(0, 1, 0, 0), Some(3), 0, BUSY),
            (here(2, 0, 0, 0), None, 1, BUSY),
            (here(1, 0, 1, 0), None, 0, BUSY),
            (here(0, 0, 0, 1), None, 0, BUSY),
        ] {
            assert_eq!(pause(state, elsewhere, out, FAST), expected, "{state:?} {elsewhere:?} {out}");
        }
        for (shard, expected) in [(None, BUSY), (Some(4 * SLOW / 2), SLOW / 2), (LONG, SLOW)] {
            assert_eq!(pause(here(0, 0, 1, 0), None, 0, shard), expected, "{shard:?}");
        }
    }

    #[test]
    fn what_becomes_of_a_shard() {
        assert_eq!(Fate::of(Some(&FeedReply::Answer(Vec::new()))), Fate::Keep);
        assert_eq!(Fate::of(Some(&FeedReply::Refused)), Fate::Here);
        assert_eq!(Fate::of(Some(&FeedReply::Unanswered)), Fate::Quarantine);
        assert_eq!(Fate::of(None), Fate::Again);
    }

    #[test]
    fn a_shard_that_is_out_comes_back_once() {
        let (begun, [one, two]) = (Instant::now(), [TaskId::generate(), TaskId::generate()]);
        let (mut out, lease) = (Out::new(), Duration::from_secs(15));
        for (id, task, after) in [("a", one, 0), ("b", one, 10), ("c", two, 10)] {
            out.add(id.to_owned(), task, id, begun + Duration::from_secs(after));
        }
        assert_eq!(out.overdue(begun + lease, lease), [""; 0]);
        assert_eq!(out.overdue(begun + lease + Duration::from_secs(1), lease), ["a"]);
        assert_eq!((out.take("a"), out.take("a"), out.len()), (Some("a"), None, 2));
        assert_eq!(out.take_task(one), [("b".to_owned(), "b")]);
        assert_eq!((out.take_all(), out.len()), (vec![("c".to_owned(), "c")], 0));
    }
}
