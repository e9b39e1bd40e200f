//! The state of one job and every decision about it: events in, actions out. No clock, no I/O, no actor.

mod outcome;
mod pages;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::pages::Pages;
use super::budget::Budget;
use super::event::{JobAction, JobEnd, JobEvent, JobProgress};
use super::retry::{RetryPolicy, Tries};
use super::route::Route;
use super::subtask::{SubTask, SubTaskState, SubTaskStep};
use crate::document::{Shard, plan};
use crate::pool::ShardDone;
use crate::processor::WorkKind;
use crate::task::{Cost, Counts, FailedPagesLimit, Failure, FindingSet, PageFailure, TaskId, Usage, code};

/// What the job is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Planning,
    Running,
    Aggregating,
    /// Waiting for what was cut off.
    Stopping,
    /// Writing what there is of a task that fails for this reason.
    AggregatingPartial(Failure),
    Over,
}

/// Everything a job knows. Its size grows with the pages of its own task only, a few bytes each.
#[derive(Debug)]
pub struct JobRuntime {
    task_id: TaskId,
    work_dir: String,
    output_path: String,
    route: Route,
    limit: Option<FailedPagesLimit>,
    retry: RetryPolicy,
    phase: Phase,
    started: bool,
    pages: Pages,
    sub_tasks: Vec<SubTask>,
    completed_count: u32,
    failed_count: u32,
    split_count: u32,
    failed_tasks: Vec<u32>,
    usage: Usage,
    plan_tries: Tries,
    aggregate_tries: Tries,
    crashes: BTreeMap<u32, u32>,
    budget: Option<Budget>,
}

impl JobRuntime {
    /// A job that waits for its first [`JobEvent::PlanDue`]. `crashes` tells how often the process died over each page,
    /// and as page 0 over the document.
    #[must_use]
    pub fn new(
        task_id: TaskId,
        work_dir: String,
        output_path: String,
        route: Route,
        limit: Option<FailedPagesLimit>,
        retry: RetryPolicy,
        crashes: BTreeMap<u32, u32>,
    ) -> Self {
        Self {
            task_id,
            work_dir,
            output_path,
            route,
            limit,
            retry,
            phase: Phase::Planning,
            started: false,
            pages: Pages::default(),
            sub_tasks: Vec::new(),
            completed_count: 0,
            failed_count: 0,
            split_count: 0,
            failed_tasks: Vec::new(),
            usage: Usage::default(),
            plan_tries: Tries::default(),
            aggregate_tries: Tries::default(),
            crashes,
            budget: None,
        }
    }

    /// The same job with at most so much money, where the task has cost `before` already.
    #[must_use]
    pub fn with_budget(self, most: Cost, before: Usage) -> Self {
        Self { budget: Some(Budget::new(most, before.cost.unwrap_or_default(), before.calls)), ..self }
    }

    /// The task this job runs.
    #[must_use]
    pub const fn task_id(&self) -> TaskId {
        self.task_id
    }

    /// The blob folder of the task.
    #[must_use]
    pub fn work_dir(&self) -> &str {
        &self.work_dir
    }

    /// Where the result goes.
    #[must_use]
    pub fn output_path(&self) -> &str {
        &self.output_path
    }

    /// The subtask of `index`.
    #[must_use]
    pub fn sub_task(&self, index: u32) -> Option<&SubTask> {
        self.sub_tasks.get(index as usize)
    }

    /// Shards that take part: those that were split are replaced by their parts.
    #[must_use]
    pub fn total_shards(&self) -> u32 {
        u32::try_from(self.sub_tasks.len()).unwrap_or(u32::MAX) - self.split_count
    }

    /// Indexes of the subtasks that were given up.
    #[must_use]
    pub fn failed_tasks(&self) -> &[u32] {
        &self.failed_tasks
    }

    /// The pages of the task, ascending.
    #[must_use]
    pub const fn pages(&self) -> &Arc<Vec<u32>> {
        self.pages.numbers()
    }

    /// The pages declared failed.
    #[must_use]
    pub const fn failures(&self) -> &BTreeMap<u32, PageFailure> {
        self.pages.failures()
    }

    /// Pages that are with a worker now.
    pub fn running_pages(&self) -> impl Iterator<Item = u32> + '_ {
        let running = self.sub_tasks.iter().filter(|subtask| subtask.state == SubTaskState::Running);
        running.flat_map(|subtask| subtask.shard.pages())
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> JobProgress {
        JobProgress {
            total_pages: Some(self.pages.total()).filter(|pages| *pages > 0),
            started: self.started,
            counts: Counts {
                done: self.pages.done(),
                failed: self.pages.failed(),
                total_shards: self.total_shards(),
                completed_shards: self.completed_count + self.failed_count,
                doubtful: self.pages.doubtful(),
                findings: self.pages.finding_counts(),
            },
            usage: self.usage,
        }
    }

    /// Takes news and says what to do about it. News that is late, doubled or about a job that is over changes nothing.
    pub fn on(&mut self, event: JobEvent) -> Vec<JobAction> {
        match (&self.phase, event) {
            (Phase::Over, _) => Vec::new(),
            (Phase::Stopping, JobEvent::Stop) => Vec::new(),
            (_, JobEvent::Stop) => self.stop(),
            (_, JobEvent::StopNow) => self.end(JobEnd::Stopped),
            (Phase::Stopping, JobEvent::ShardDone(done)) => {
                self.count_late(&done);
                self.stop()
            }
            (phase, JobEvent::Requeued { index, attempt }) => {
                let stopping = *phase == Phase::Stopping;
                self.take(index, SubTaskStep::Requeue, attempt);
                if stopping { self.stop() } else { Vec::new() }
            }
            (Phase::Planning, JobEvent::PlanDue) => self.plan(),
            (Phase::Planning, JobEvent::Planned { pages, known }) => self.planned(pages, &known),
            (Phase::Planning, JobEvent::PlanFailed(why)) => self.plan_failed(why),
            (Phase::Running, JobEvent::Started { index, attempt }) => self.started(index, attempt),
            (Phase::Running, JobEvent::ShardDone(done)) => self.shard_done(done),
            (Phase::AggregatingPartial(_), JobEvent::ShardDone(done)) => {
                self.count_late(&done);
                Vec::new()
            }
            (Phase::Running, JobEvent::RetryDue { index, attempt }) => self.retry_due(index, attempt),
            (Phase::Aggregating, JobEvent::Aggregated { missing }) if missing.is_empty() => self.end(JobEnd::Completed),
            (Phase::Aggregating, JobEvent::Aggregated { missing }) => self.read_again(&missing),
            (Phase::AggregatingPartial(why), JobEvent::Aggregated { .. }) => {
                let why = why.clone();
                self.end(JobEnd::Failed { why, partial: true })
            }
            (Phase::Aggregating | Phase::AggregatingPartial(_), JobEvent::AggregateFailed(why)) => {
                self.aggregate_failed(why)
            }
            (Phase::Aggregating, JobEvent::AggregateDue) => vec![JobAction::Aggregate { complete: true }],
            (Phase::AggregatingPartial(_), JobEvent::AggregateDue) => {
                vec![JobAction::Aggregate { complete: false }]
            }
            _ => Vec::new(),
        }
    }

    /// Too late for anything, but it was paid, and is in the ledger.
    fn count_late(&mut self, done: &ShardDone) {
        if self.take(done.shard, SubTaskStep::Finish, done.attempt).is_some() {
            self.usage += done.spent + done.result.usage();
        }
    }

    fn shard_done(&mut self, done: ShardDone) -> Vec<JobAction> {
        let ShardDone { shard: index, attempt, spent, result, .. } = done;
        let is_out = self.sub_tasks.get(index as usize).is_some_and(|subtask| subtask.is_out(attempt));
        let (was_call, before) = (self.is_call(index), self.usage.cost.unwrap_or_default());
        self.spend(index, attempt, spent);
        let mut actions = self.outcome(index, attempt, result);
        if is_out {
            actions.extend(self.reconcile_budget(was_call, before));
        }
        actions
    }

    fn stop(&mut self) -> Vec<JobAction> {
        if self.sub_tasks.iter().any(|subtask| subtask.state == SubTaskState::Running) {
            let first = !matches!(self.phase, Phase::Stopping);
            self.phase = Phase::Stopping;
            return if first { vec![JobAction::StopAttempts] } else { Vec::new() };
        }
        self.end(JobEnd::Stopped)
    }

    fn plan(&mut self) -> Vec<JobAction> {
        let crashes = self.crashes.get(&0).copied().unwrap_or(0);
        if crashes < self.retry.max_crashes {
            return vec![JobAction::Plan];
        }
        let message = format!("the process died {crashes} times while opening this PDF");
        self.end(JobEnd::Failed { why: Failure::permanent(code::PAGE_CRASH, message), partial: false })
    }

    fn plan_failed(&mut self, why: Failure) -> Vec<JobAction> {
        match self.plan_tries.next(&self.retry, &why) {
            Some(wait) => vec![JobAction::PlanLater(wait)],
            None => self.end(JobEnd::Failed { why, partial: false }),
        }
    }

    fn planned(&mut self, pages: Vec<u32>, known: &[(u32, FindingSet)]) -> Vec<JobAction> {
        self.pages = Pages::open(pages);
        for &(page, findings) in known {
            self.pages.finish(page, findings);
            self.usage.reused += 1;
        }
        self.phase = Phase::Running;
        let (crashes, most) = (std::mem::take(&mut self.crashes), self.retry.max_crashes);
        for (page, deaths) in crashes.iter().filter(|(_, deaths)| **deaths >= most) {
            let message = format!("the process died {deaths} times while reading this page");
            self.fail_page(*page, Failure::permanent(code::PAGE_CRASH, message), *deaths);
        }
        let (quarantine, sound): (Vec<u32>, Vec<u32>) =
            self.pages.unfinished().into_iter().partition(|page| crashes.contains_key(page));
        let mut actions = vec![JobAction::Report];
        let first = self.route.steps.begin(0);
        let shards = plan(sound, self.route.first_pages()).into_iter().map(|shard| SubTask::new(shard, first));
        let quarantine = quarantine.into_iter().map(|page| SubTask::quarantined(page, first));
        actions.extend(self.add_subtasks(quarantine.chain(shards)));
        actions.extend(self.advance());
        actions
    }

    fn started(&mut self, index: u32, attempt: u32) -> Vec<JobAction> {
        if let Some(subtask) = self.sub_tasks.get_mut(index as usize) {
            subtask.take(SubTaskStep::Start, attempt);
        }
        self.began()
    }

    /// The first sign of an attempt, whichever arrives first, is reported at once.
    fn began(&mut self) -> Vec<JobAction> {
        if std::mem::replace(&mut self.started, true) { Vec::new() } else { vec![JobAction::ReportStart] }
    }

    /// What is paid for nothing is paid all the same.
    fn spend(&mut self, index: u32, attempt: u32, spent: Usage) {
        self.usage += spent;
        if let Some(subtask) = self.sub_tasks.get_mut(index as usize).filter(|subtask| subtask.attempt == attempt) {
            subtask.spent += spent;
        }
    }

    /// Goes on with what there is money for, or ends the job when there is not enough for anything.
    fn reconcile_budget(&mut self, was_call: bool, before: Cost) -> Vec<JobAction> {
        let cost = self.usage.cost.unwrap_or_default().without(before);
        let Some(budget) = &mut self.budget else { return Vec::new() };
        if was_call {
            budget.ended(cost);
        }
        if self.phase == Phase::Running { self.go_on() } else { Vec::new() }
    }

    /// Begins what there is money for.
    fn go_on(&mut self) -> Vec<JobAction> {
        let Some(budget) = &mut self.budget else { return Vec::new() };
        let released = budget.release();
        if !released.is_empty() {
            return vec![JobAction::Run(released)];
        }
        let Some(spent) = budget.exhausted() else { return Vec::new() };
        // What costs nothing is read to its end.
        let is_free = |subtask: &SubTask| self.route.kind(subtask) == WorkKind::Cpu;
        if self.sub_tasks.iter().any(|subtask| is_free(subtask) && !subtask.state.is_final()) {
            return Vec::new();
        }
        let open = self.pages.unfinished().len();
        let message =
            format!("{spent} are spent and {open} pages are not read: retry the task with a higher max_cost to go on");
        self.stop_early(Failure::permanent(code::BUDGET_EXHAUSTED, message))
    }

    /// Has subtasks begun, as far as the money goes.
    fn run(&mut self, indexes: Vec<u32>) -> Vec<JobAction> {
        let (calls, free): (Vec<u32>, Vec<u32>) = indexes.into_iter().partition(|index| self.is_call(*index));
        let Some(budget) = &mut self.budget else {
            let run = [free, calls].concat();
            return if run.is_empty() { Vec::new() } else { vec![JobAction::Run(run)] };
        };
        budget.hold(calls);
        let mut actions = if free.is_empty() { Vec::new() } else { vec![JobAction::Run(free)] };
        actions.extend(self.go_on());
        actions
    }

    /// Pages that were done are not in the ledger any more: they are open again.
    fn read_again(&mut self, missing: &[u32]) -> Vec<JobAction> {
        for page in missing {
            self.pages.reopen(*page);
        }
        self.phase = Phase::Running;
        let mut actions = vec![JobAction::Report];
        let first = self.route.steps.begin(0);
        let shards = plan(missing.iter().copied(), self.route.first_pages());
        actions.extend(self.add_subtasks(shards.into_iter().map(|shard| SubTask::new(shard, first))));
        actions
    }

    fn aggregate_failed(&mut self, why: Failure) -> Vec<JobAction> {
        match (self.aggregate_tries.next(&self.retry, &why), &self.phase) {
            (Some(wait), _) => vec![JobAction::AggregateLater(wait)],
            (None, Phase::AggregatingPartial(first)) => {
                let why = first.clone();
                self.end(JobEnd::Failed { why, partial: false })
            }
            (None, _) => self.end(JobEnd::Failed { why, partial: false }),
        }
    }

    /// The task cannot be read: what is there of it is kept.
    fn stop_early(&mut self, why: Failure) -> Vec<JobAction> {
        self.phase = Phase::AggregatingPartial(why);
        vec![JobAction::StopAttempts, JobAction::Aggregate { complete: false }]
    }

    /// Ends the running phase when there is nothing left to wait for, or no point in going on.
    fn advance(&mut self) -> Vec<JobAction> {
        if self.phase != Phase::Running {
            return Vec::new();
        }
        if let Some(why) = self.too_many_failed() {
            return self.stop_early(why);
        }
        if !self.pages.are_finished() {
            return Vec::new();
        }
        let ended = self.completed_count + self.failed_count + self.split_count;
        debug_assert!(ended as usize <= self.sub_tasks.len(), "{ended} of {} subtasks ended", self.sub_tasks.len());
        self.phase = Phase::Aggregating;
        vec![JobAction::Aggregate { complete: true }]
    }

    fn too_many_failed(&self) -> Option<Failure> {
        let (total, failed) = (self.pages.total(), self.pages.failed());
        let (last_page, last) = self.pages.failures().last_key_value()?;
        let all = failed == total;
        let over = self.limit.is_some_and(|limit| failed > limit.allowed(total));
        let none_read = all && self.limit.is_none();
        if !(over || none_read) {
            return None;
        }
        let message = format!(
            "{failed} of {total} pages failed, more than the task allows; page {last_page}: {}",
            last.failure.message
        );
        let retryable = self.pages.failures().values().any(|page| page.failure.retryable);
        Some(Failure { code: code::TOO_MANY_FAILED_PAGES.into(), message, retryable })
    }

    fn end(&mut self, end: JobEnd) -> Vec<JobAction> {
        debug_assert!(end != JobEnd::Completed || self.pages.are_finished(), "I1: {} pages", self.pages.total());
        debug_assert!(self.phase != Phase::Over, "I4: a job ends once");
        self.phase = Phase::Over;
        vec![JobAction::StopAttempts, JobAction::End(end)]
    }

    fn add_subtasks(&mut self, subtasks: impl IntoIterator<Item = SubTask>) -> Vec<JobAction> {
        let first = u32::try_from(self.sub_tasks.len()).unwrap_or(u32::MAX);
        self.sub_tasks.extend(subtasks);
        let end = u32::try_from(self.sub_tasks.len()).unwrap_or(u32::MAX);
        self.run((first..end).collect())
    }

    /// Whether the attempt that runs or comes next makes calls.
    fn is_call(&self, index: u32) -> bool {
        self.sub_tasks.get(index as usize).is_some_and(|subtask| self.route.kind(subtask) == WorkKind::Call)
    }

    fn take(&mut self, index: u32, step: SubTaskStep, attempt: u32) -> Option<Shard> {
        let subtask = self.sub_tasks.get_mut(index as usize)?;
        subtask.take(step, attempt).then_some(subtask.shard)
    }

    fn fail_page(&mut self, page: u32, failure: Failure, attempts: u32) {
        if self.pages.is_open(page) {
            log::warn!(task:% = self.task_id, page, attempts, code:% = failure.code; "page failed: {}", failure.message);
            self.pages.fail(page, PageFailure { failure, attempts });
        }
    }
}

#[cfg(test)]
#[path = "runtime_tests.rs"]
mod tests;
