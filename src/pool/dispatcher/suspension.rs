//! Suspending jobs of which no attempt may begin, and resuming them.

use std::time::{Duration, Instant};

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};

use super::{Dispatcher, Item, tell_expired};
use crate::pool::execute::storage_failed;
use crate::pool::suspended::SuspendReason;
use crate::pool::work::JobWork;

/// How often it is looked whether suspended jobs may go on.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Dispatcher {
    /// Returns work that may go to a worker; otherwise suspends its job.
    pub(super) fn begins(&mut self, work: JobWork, ctx: &mut Context<Self>) -> Option<JobWork> {
        if !work.is_attempt() || work.spec.lease.holds() {
            return Some(work);
        }
        self.suspend(SuspendReason::LeaseEnded, work, ctx);
        None
    }

    /// Takes all attempts of a job out of the queues, `first` before the others.
    pub(super) fn suspend(&mut self, reason: SuspendReason, first: JobWork, ctx: &mut Context<Self>) {
        let task = first.spec.task;
        let is_new = self.suspended.suspend(task, reason, Instant::now());
        let queued = self.calls.endpoints.remove(task).into_iter();
        let queued: Vec<JobWork> = queued
            .chain(
                [false, true].into_iter().flat_map(|quarantine| self.plain(quarantine).queue.remove(task)).filter_map(
                    |item| match item {
                        Item::Job(work) => Some(work),
                        Item::Query(_) | Item::Import(..) => None,
                    },
                ),
            )
            .collect();
        self.push(first, true);
        let held = queued.len() + 1;
        queued.into_iter().for_each(|work| self.push(work, false));
        if is_new {
            log::warn!(task:%, reason = reason.as_str(), held; "the job is suspended: no attempt of it begins");
        }
        self.look_at_suspended_later(ctx);
    }

    fn look_at_suspended_later(&mut self, ctx: &mut Context<Self>) {
        if self.suspended_timer.is_none() && !self.suspended.is_empty() {
            self.suspended_timer = Some(ctx.run_later(LOOK_EVERY, |this, ctx| {
                this.suspended_timer = None;
                this.look_at_suspended(ctx);
            }));
        }
    }

    /// Resumes what may go on. Whether there is room is asked on a thread that may wait for the disk.
    fn look_at_suspended(&mut self, ctx: &mut Context<Self>) {
        let blob = self.suspended.any(SuspendReason::NoRoom).then(|| self.blob.clone());
        let has_room = async move {
            match blob {
                Some(blob) => tokio::task::spawn_blocking(move || blob.has_room()).await.unwrap_or(false),
                None => false,
            }
        };
        ctx.spawn(has_room.into_actor(self).map(|has_room, this, ctx| this.resume(has_room, ctx)));
    }

    fn resume(&mut self, has_room: bool, ctx: &mut Context<Self>) {
        let resumed = self.suspended.resume(|reason, work| match reason {
            SuspendReason::LeaseEnded => work.spec.lease.holds(),
            SuspendReason::NoRoom => has_room,
        });
        for (task, work) in resumed {
            log::info!(task:%, held = work.len(); "the job goes on");
            work.into_iter().for_each(|work| self.push(work, false));
        }
        let expired = self.suspended.expire(Instant::now(), |work| work.spec.unavailable_timeout);
        tell_expired(expired, &storage_failed(&std::io::ErrorKind::StorageFull.into()));
        self.look_at_suspended_later(ctx);
        self.pump_all(ctx);
    }
}
