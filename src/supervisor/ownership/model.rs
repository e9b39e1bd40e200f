//! Every interleaving of two owners, three shards, one crash, one pause past the lease, and one cancel.
//!
//! The world is small and complete: breadth first over all states that can be reached. What a store allows is decided by
//! the rule that the stores use, [`check_update`]; the steps of a status by [`TaskStatus::next`].

use std::collections::{HashSet, VecDeque};

use crate::store::{Head, check_update};
use crate::task::{Revision, TaskStatus, TaskStep};

const SHARDS: u32 = 3;

/// What a running owner knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Job {
    /// The revision it believes the store to have.
    at: Revision,
    /// Its shards: bits of those that are with a worker, and of those it was told are done.
    flying: u8,
    done: u8,
    /// Whether it has bound a result of its epoch.
    bound: bool,
    /// Whether it has stopped beginning calls, because it was told to cancel.
    stopped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct State {
    at: Revision,
    status: TaskStatus,
    owner: Option<usize>,
    cancel_requested: bool,
    /// Who holds the lease in the store, and who believes to hold it.
    lease: Option<usize>,
    believes: [bool; 2],
    jobs: [Option<Job>; 2],
    /// Pages that are paid and kept.
    ledger: u8,
    /// Calls begun, and those whose owner died or lost its lease while they flew.
    calls: u8,
    lost: u32,
    crashes_left: u8,
    pauses_left: u8,
    cancels_left: u8,
    cancel_answered: bool,
    /// The status that was final once, and the pages that its result was bound from.
    ended: Option<TaskStatus>,
    result: Option<u8>,
}

impl State {
    const fn new() -> Self {
        Self {
            at: Revision { epoch: 1, version: 1 },
            status: TaskStatus::Pending,
            owner: None,
            cancel_requested: false,
            lease: None,
            believes: [false; 2],
            jobs: [None; 2],
            ledger: 0,
            calls: 0,
            lost: 0,
            crashes_left: 1,
            pauses_left: 1,
            cancels_left: 1,
            cancel_answered: false,
            ended: None,
            result: None,
        }
    }

    /// The write of `who`, if the store takes it.
    fn write(&self, who: usize, expected: Revision, epoch: u64, step: Option<TaskStep>) -> Option<Self> {
        let head = Head { revision: self.at, status: self.status };
        let at = Revision { epoch, version: expected.version + 1 };
        let status = match step {
            Some(step) => self.status.next(step).ok()?,
            None => self.status,
        };
        let elsewhere = self.lease.is_some_and(|holder| holder != who);
        check_update(head, expected, Head { revision: at, status }, elsewhere).ok()?;
        Some(Self { at, status, ..*self })
    }

    /// Everything that can happen next, for one of the owners.
    fn owner_steps(&self, who: usize, next: &mut Vec<Self>) {
        match self.jobs[who] {
            None => next.extend(self.claim(who)),
            Some(job) => {
                self.job_steps(who, job, next);
                if self.crashes_left > 0 {
                    let mut dead = *self;
                    dead.jobs[who] = None;
                    dead.believes[who] = false;
                    dead.lost += job.flying.count_ones();
                    dead.crashes_left -= 1;
                    next.push(dead);
                }
                // Paused: its lease ends in the store. It believes in it no longer when it looks at its clock.
                if self.pauses_left > 0 && self.lease == Some(who) {
                    let mut paused = *self;
                    paused.lease = None;
                    paused.believes[who] = false;
                    paused.lost += job.flying.count_ones();
                    paused.pauses_left -= 1;
                    next.push(paused);
                }
            }
        }
        // The lease of the dead ends.
        if self.lease == Some(who) && self.jobs[who].is_none() {
            next.push(Self { lease: None, ..*self });
        }
    }

    fn claim(&self, who: usize) -> Option<Self> {
        if self.lease.is_some() || self.status.is_final() {
            return None;
        }
        if self.cancel_requested {
            let ended = self.write(who, self.at, self.at.epoch + 1, Some(TaskStep::Cancel))?;
            return Some(Self { owner: None, ended: Some(ended.status), ..ended });
        }
        let mut claimed = self.write(who, self.at, self.at.epoch + 1, Some(TaskStep::Requeue))?;
        claimed.owner = Some(who);
        claimed.lease = Some(who);
        claimed.believes[who] = true;
        claimed.jobs[who] = Some(Job { at: claimed.at, flying: 0, done: claimed.ledger, bound: false, stopped: false });
        Some(claimed)
    }

    fn job_steps(&self, who: usize, job: Job, next: &mut Vec<Self>) {
        let mut with = |change: &dyn Fn(&mut Self, &mut Job)| {
            let (mut state, mut job) = (*self, job);
            change(&mut state, &mut job);
            state.jobs[who] = Some(job);
            next.push(state);
        };
        for shard in 0..SHARDS {
            let bit = 1 << shard;
            // A call begins only under a lease that is believed in, and only when the ledger has no such page.
            if job.flying & bit == 0 && job.done & bit == 0 && self.believes[who] && !job.stopped {
                if self.ledger & bit == 0 {
                    with(&|state, job| (state.calls, job.flying) = (state.calls + 1, job.flying | bit));
                } else {
                    with(&|_, job| job.done |= bit);
                }
            }
            // The answer: ledger first, then the news.
            if job.flying & bit != 0 {
                with(&|state, job| {
                    state.ledger |= bit;
                    (job.flying, job.done) = (job.flying & !bit, job.done | bit);
                });
            }
        }
        let all = (1 << SHARDS) - 1;
        if job.done == all && !job.bound {
            with(&|_, job| job.bound = true);
        }
        if job.bound
            && let Some(mut ended) = self.write(who, job.at, job.at.epoch, Some(TaskStep::Complete))
        {
            (ended.owner, ended.lease, ended.ended) = (None, None, Some(ended.status));
            ended.result = Some(job.done);
            (ended.jobs[who], ended.believes[who]) = (None, false);
            next.push(ended);
        }
        if self.at.epoch > job.at.epoch || self.status.is_final() {
            // Its write bounced, or its renewing said so: it lets go.
            let mut gone = *self;
            (gone.jobs[who], gone.believes[who]) = (None, false);
            next.push(gone);
        } else if self.owner == Some(who) && self.lease.is_none_or(|holder| holder == who) {
            // Renewing; it hears of a wish to cancel, and of the version that it came with.
            let mut renewed = *self;
            (renewed.lease, renewed.believes[who]) = (Some(who), true);
            renewed.jobs[who] = Some(Job { at: self.at, stopped: job.stopped || self.cancel_requested, ..job });
            next.push(renewed);
        }
        if job.stopped
            && let Some(mut ended) = self.write(who, job.at, job.at.epoch, Some(TaskStep::Cancel))
        {
            (ended.owner, ended.lease, ended.ended) = (None, None, Some(ended.status));
            (ended.jobs[who], ended.believes[who]) = (None, false);
            ended.lost += job.flying.count_ones();
            next.push(ended);
        }
    }

    /// A caller cancels through a process that does not run the task.
    fn caller_steps(&self, next: &mut Vec<Self>) {
        if self.cancels_left > 0 && !self.status.is_final() {
            let asked = Self { cancel_requested: true, cancels_left: 0, ..*self };
            next.extend(asked.write(2, self.at, self.at.epoch, None));
        }
        if self.status == TaskStatus::Cancelled && !self.cancel_answered {
            next.push(Self { cancel_answered: true, ..*self });
        }
    }

    fn next(&self) -> Vec<Self> {
        let mut next = Vec::new();
        (0..2).for_each(|who| self.owner_steps(who, &mut next));
        self.caller_steps(&mut next);
        next.retain(|state| state != self);
        next
    }

    fn must_hold(&self, before: &Self) {
        let grown = self.at.epoch >= before.at.epoch && self.at.version >= before.at.version;
        assert!(grown, "I6: epoch and version only grow: {before:?} {self:?}");
        if let Some(ended) = before.ended {
            assert_eq!(self.status, ended, "I6: a final status never changes: {self:?}");
        }
        if self.status == TaskStatus::Completed {
            assert_eq!(self.result, Some((1 << SHARDS) - 1), "I1, I4: a result has every page: {self:?}");
        }
        assert!(u32::from(self.calls) <= SHARDS + self.lost, "I5: paid twice: {before:?} {self:?}");
        if before.cancel_answered {
            assert_eq!(self.calls, before.calls, "I8: a call after the cancel was answered: {self:?}");
        }
    }
}

#[test]
fn i2_i6_i8_i10_every_interleaving_keeps_the_invariants_and_can_end() {
    let (mut seen, mut queue) = (HashSet::from([State::new()]), VecDeque::from([State::new()]));
    let mut ends = HashSet::new();
    while let Some(state) = queue.pop_front() {
        let next = state.next();
        if state.status.is_final() {
            ends.insert(state.status);
        } else {
            assert!(!next.is_empty(), "I2, I10: stuck: {state:?}");
        }
        for after in next {
            after.must_hold(&state);
            if seen.insert(after) {
                queue.push_back(after);
            }
        }
    }
    assert_eq!(ends, HashSet::from([TaskStatus::Completed, TaskStatus::Cancelled]));
    assert!(seen.len() > 10_000, "too small a world to prove anything: {} states", seen.len());
}
