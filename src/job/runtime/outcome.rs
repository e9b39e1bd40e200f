//! What follows from an attempt: its pages are done, it is tried again, or its pages are declared failed.

use std::collections::BTreeMap;
use std::time::Duration;

use super::JobRuntime;
use crate::document::{Shard, plan};
use crate::job::event::JobAction;
use crate::job::subtask::{SubTask, SubTaskStep};
use crate::pool::{PageResult, ShardResult};
use crate::processor::FailedAttempt;
use crate::task::{Failure, FailureKind, Usage, code};

/// So often in a row others were answered and a subtask was not, before that counts as its own failure.
const MAX_ISOLATED_FAILURES: u32 = 3;

impl JobRuntime {
    pub(super) fn outcome(&mut self, index: u32, attempt: u32, result: ShardResult) -> Vec<JobAction> {
        let mut actions = self.began();
        let Some(subtask) = self.sub_tasks.get(index as usize) else { return actions };
        let several = subtask.shard.len() > 1;
        let step = subtask.step.index;
        let has_fallback = self.route.steps.has_fallback(step);
        let may_wait = subtask.waited < self.retry.unavailable_timeout;
        actions.extend(match result {
            ShardResult::Done(pages) => self.done(index, attempt, pages, Vec::new()),
            ShardResult::Partial { done, rest } => self.done(index, attempt, done, rest),
            ShardResult::Retry { why, .. } if self.is_isolated_failure(index, &why) => {
                self.outcome(index, attempt, ShardResult::Failed(why))
            }
            ShardResult::Retry { after, why } if may_wait => self.wait_for_others(index, attempt, after, &why),
            ShardResult::Retry { why, .. } | ShardResult::WaitExpired(why) if has_fallback && is_unavailable(&why) => {
                self.try_again(index, attempt, FailedAttempt::wait_expired(step), &why)
            }
            ShardResult::Fatal(why) => self.stop_early(why),
            // Of several pages one may be the cause; alone each has all its attempts.
            ShardResult::Failed(_) if several => self.split(index, attempt),
            ShardResult::Failed(why) => self.try_again(index, attempt, FailedAttempt::new(step, &why), &why),
            ShardResult::Retry { why, .. } | ShardResult::WaitExpired(why) => self.fail(index, attempt, &why),
            // A stopped job is over and does not get here: the processor gave up on its own account.
            ShardResult::Cancelled => {
                let why = Failure::transient(code::BAD_ANSWER, "the processor gave up without being asked to");
                self.outcome(index, attempt, ShardResult::Failed(why))
            }
        });
        actions
    }

    /// Whether the endpoint is unavailable for this subtask only: again and again, while it answers others of the job in
    /// between. Then these pages may be what it stumbles over.
    fn is_isolated_failure(&mut self, index: u32, why: &Failure) -> bool {
        let answered = self.usage.calls;
        let is_call = self.is_call(index);
        let Some(subtask) = self.sub_tasks.get_mut(index as usize) else { return false };
        if why.kind() != FailureKind::EndpointUnavailable || !is_call {
            return false;
        }
        let others_were_answered = subtask.unavailable_at.replace(answered).is_some_and(|before| before < answered);
        subtask.isolated_failures = if others_were_answered { subtask.isolated_failures + 1 } else { 0 };
        subtask.isolated_failures >= MAX_ISOLATED_FAILURES
    }

    /// Pages have their outcomes, but for the rest, which goes on with other steps.
    fn done(
        &mut self,
        index: u32,
        attempt: u32,
        pages: Vec<(u32, Result<PageResult, Failure>)>,
        rest: Vec<(u32, usize)>,
    ) -> Vec<JobAction> {
        let Some(shard) = self.take(index, SubTaskStep::Finish, attempt) else { return Vec::new() };
        self.completed_count += 1;
        for (page, result) in pages.into_iter().filter(|(page, _)| shard.pages().contains(page)) {
            match result {
                Ok(page_result) => {
                    if self.pages.finish(page, page_result.findings) {
                        self.usage += page_result.usage;
                    }
                }
                Err(failure) => self.fail_page(page, failure, attempt),
            }
        }
        // Whatever the answer left out would otherwise be waited for without end.
        let mut later: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
        for (page, step) in rest.into_iter().filter(|(page, _)| self.pages.is_open(*page)) {
            later.entry(step).or_default().push(page);
        }
        let is_later = |page: &u32| later.values().any(|pages| pages.contains(page));
        for page in shard.pages().filter(|page| !is_later(page)) {
            let silent = Failure::permanent(code::BAD_ANSWER, "the processor gave no answer for this page");
            self.fail_page(page, silent, attempt);
        }
        let mut actions = vec![JobAction::Report];
        let quarantined = self.sub_tasks.get(index as usize).is_some_and(|subtask| subtask.quarantined);
        let mut subtasks = Vec::new();
        for (step, pages) in later {
            let state = self.route.steps.begin(step);
            let shards = plan(pages, self.route.later_pages(step)).into_iter();
            subtasks.extend(shards.map(|shard| SubTask { quarantined, ..SubTask::new(shard, state) }));
        }
        actions.extend(self.add_subtasks(subtasks));
        actions.extend(self.advance());
        actions
    }

    fn wait(&mut self, index: u32, attempt: u32, after: Duration) -> Vec<JobAction> {
        match self.take(index, SubTaskStep::Wait, attempt) {
            Some(_) => vec![JobAction::RetryLater { index, attempt, after }],
            None => Vec::new(),
        }
    }

    fn wait_for_others(&mut self, index: u32, attempt: u32, after: Option<Duration>, why: &Failure) -> Vec<JobAction> {
        log::debug!(task:% = self.task_id, shard = index, attempt, code:% = why.code; "unavailable, waiting");
        let mut after = self.retry.delay(attempt, after, self.jitter_seed(index));
        if let Some(subtask) = self.sub_tasks.get_mut(index as usize).filter(|subtask| subtask.attempt == attempt) {
            // An endpoint that asks for a year is asked once more when its wait ends.
            after = after.min(self.retry.unavailable_timeout.saturating_sub(subtask.waited));
            subtask.waited += after;
        }
        self.wait(index, attempt, after)
    }

    /// Goes on with the step that is next after this attempt, or declares the pages failed when there is none.
    fn try_again(&mut self, index: u32, attempt: u32, failed: FailedAttempt, why: &Failure) -> Vec<JobAction> {
        let Some(subtask) = self.sub_tasks.get_mut(index as usize).filter(|subtask| subtask.is_out(attempt)) else {
            return Vec::new();
        };
        subtask.history.push(failed);
        let errors = u32::try_from(subtask.history.len()).unwrap_or(u32::MAX);
        let Some(next) = self.route.steps.after(&subtask.history, self.retry.max_attempts) else {
            return self.fail(index, attempt, why);
        };
        subtask.step = next;
        log::debug!(task:% = self.task_id, shard = index, attempt, code:% = why.code; "attempt failed, trying again");
        self.wait(index, attempt, self.retry.delay(errors, None, self.jitter_seed(index)))
    }

    /// Spreads the waits of subtasks that failed together.
    fn jitter_seed(&self, index: u32) -> u64 {
        let task = u64::from_be_bytes(self.task_id.as_bytes()[8..].try_into().unwrap_or_default());
        task ^ (u64::from(index) << 32)
    }

    pub(super) fn retry_due(&mut self, index: u32, attempt: u32) -> Vec<JobAction> {
        match self.take(index, SubTaskStep::Due, attempt) {
            Some(_) => self.run(vec![index]),
            None => Vec::new(),
        }
    }

    fn split(&mut self, index: u32, attempt: u32) -> Vec<JobAction> {
        let Some(shard) = self.take(index, SubTaskStep::Split, attempt) else { return Vec::new() };
        self.split_count += 1;
        let whole = self.sub_tasks.get(index as usize);
        let (mut spent, step) = whole.map_or((Usage::default(), 0), |whole| (whole.spent, whole.step.index));
        let step = self.route.steps.begin(step);
        let alone = |page| SubTask { spent: std::mem::take(&mut spent), ..SubTask::new(Shard::single(page), step) };
        let mut actions = self.add_subtasks(shard.pages().map(alone));
        actions.push(JobAction::Report);
        actions
    }

    fn fail(&mut self, index: u32, attempt: u32, why: &Failure) -> Vec<JobAction> {
        let Some(shard) = self.take(index, SubTaskStep::Fail, attempt) else { return Vec::new() };
        self.failed_count += 1;
        self.failed_tasks.push(index);
        for page in shard.pages() {
            self.fail_page(page, why.clone(), attempt);
        }
        let mut actions = vec![JobAction::Report];
        actions.extend(self.advance());
        actions
    }
}

/// Whether an endpoint could not be reached, or is asked too often.
fn is_unavailable(why: &Failure) -> bool {
    matches!(why.kind(), FailureKind::EndpointUnavailable | FailureKind::RateLimited)
}
