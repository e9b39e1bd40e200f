//! The state of one job and every decision about it: news in, actions out. No clock, no I/O, no actor.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::budget::Budget;
use super::retry::{RetryPolicy, Tries};
use super::subtask::{SubTask, SubTaskState, SubTaskStep};
use crate::document::{Shard, plan};
use crate::pool::{Cut, PageReceipt, Receipts};
use crate::processor::WorkKind;
use crate::task::{
    Cost, Counts, FailedPagesLimit, Failure, FindingCounts, FindingSet, PageFailure, PageUsage, TaskId, Usage, code,
};

/// What a job hears.
#[derive(Clone, Debug)]
pub enum JobEvent {
    /// The job begins, or tries to plan again.
    PlanDue,
    /// The pages are known; `known` are in the ledger already, with what is known against them.
    Planned {
        /// The pages of this task, ascending.
        pages: Vec<u32>,
        /// Those that need no attempt.
        known: Vec<(u32, FindingSet)>,
    },
    /// The PDF cannot be opened.
    PlanFailed(Failure),
    /// A worker has the subtask.
    Started {
        /// The subtask.
        index: u32,
        /// The attempt.
        attempt: u32,
    },
    /// A worker gave the subtask back before it began.
    Requeued {
        /// The subtask.
        index: u32,
        /// The attempt.
        attempt: u32,
    },
    /// An attempt is over.
    Outcome {
        /// The subtask.
        index: u32,
        /// The attempt.
        attempt: u32,
        /// What became of it.
        receipts: Receipts,
        /// What it cost beyond what stands with the pages that are done.
        spent: PageUsage,
        /// Whether it found nobody at its endpoint, and there is another way to read its pages.
        elsewhere: bool,
    },
    /// The wait before the next attempt is over.
    RetryDue {
        /// The subtask.
        index: u32,
        /// The attempt that went wrong.
        attempt: u32,
    },
    /// The result was written; or pages that should be in the ledger are not, and nothing was written.
    Bound {
        /// The missing pages.
        missing: Vec<u32>,
    },
    /// The result could not be written.
    BindFailed(Failure),
    /// The wait before the next try at writing is over.
    BindDue,
    /// Whoever is in charge ends the job. What is with workers is cut off, and waited for: it may have cost something.
    Stop,
    /// It has been waited for long enough.
    StopNow,
}

/// What a job wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum JobAction {
    /// Have the PDF opened and its pages looked up.
    Plan,
    /// Say [`JobEvent::PlanDue`] after the wait.
    PlanLater(Duration),
    /// Hand these subtasks' attempts to the dispatcher.
    Run(Vec<u32>),
    /// Say [`JobEvent::RetryDue`] after the wait.
    RetryLater {
        /// The subtask.
        index: u32,
        /// The attempt that went wrong.
        attempt: u32,
        /// The wait.
        after: Duration,
    },
    /// Stop attempts that wait or run: nobody wants their answers.
    StopAttempts,
    /// Have the result written.
    Bind {
        /// Whether all pages must be there.
        complete: bool,
    },
    /// Say [`JobEvent::BindDue`] after the wait.
    BindLater(Duration),
    /// Tell the supervisor how far it is, when it has not been told for a moment.
    Report,
    /// Tell the supervisor at once: the first attempt has begun.
    ReportStart,
    /// The job is over; this is the last action of its life, and comes once.
    End(JobEnd),
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobEnd {
    /// The result is safe.
    Completed,
    /// The task failed. `partial` tells whether a partial result is there.
    Failed {
        /// Why.
        why: Failure,
        /// Whether a partial result was written.
        partial: bool,
    },
    /// It was stopped from outside; the task's fate is the stopper's business.
    Stopped,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobProgress {
    /// Pages of the task, once known.
    pub total_pages: Option<u32>,
    /// Whether an attempt has begun.
    pub started: bool,
    /// Pages and shards.
    pub counts: Counts,
    /// What this job has cost so far.
    pub usage: Usage,
}

/// So often in a row others were answered and a subtask was not, before that counts as its own failure.
const AWAY_ALONE: u32 = 3;

/// What the job is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Planning,
    Running,
    Binding,
    /// Waiting for what was cut off.
    Stopping,
    /// Writing what there is of a task that fails for this reason.
    BindingPartial(Failure),
    Over,
}

/// The outcome of one page, written once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PageState {
    Open,
    Done,
    Failed,
}

/// Everything a job knows. Its size grows with the pages of its own task only, a few bytes each.
#[derive(Debug)]
pub struct JobRuntime {
    task_id: TaskId,
    work_dir: String,
    output_path: String,
    shards: Cut,
    limit: Option<FailedPagesLimit>,
    retry: RetryPolicy,
    phase: Phase,
    started: bool,
    pages: Arc<Vec<u32>>,
    states: Vec<PageState>,
    failures: BTreeMap<u32, PageFailure>,
    /// What is known against pages that are done, where there is something.
    findings: BTreeMap<u32, FindingSet>,
    sub_tasks: Vec<SubTask>,
    completed_count: u32,
    failed_count: u32,
    split_count: u32,
    failed_tasks: Vec<u32>,
    done_pages: u32,
    usage: Usage,
    plan_tries: Tries,
    bind_tries: Tries,
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
        shards: Cut,
        limit: Option<FailedPagesLimit>,
        retry: RetryPolicy,
        crashes: BTreeMap<u32, u32>,
    ) -> Self {
        Self {
            task_id,
            work_dir,
            output_path,
            shards,
            limit,
            retry,
            phase: Phase::Planning,
            started: false,
            pages: Arc::default(),
            states: Vec::new(),
            failures: BTreeMap::new(),
            findings: BTreeMap::new(),
            sub_tasks: Vec::new(),
            completed_count: 0,
            failed_count: 0,
            split_count: 0,
            failed_tasks: Vec::new(),
            done_pages: 0,
            usage: Usage::default(),
            plan_tries: Tries::default(),
            bind_tries: Tries::default(),
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
        &self.pages
    }

    /// The pages declared failed.
    #[must_use]
    pub const fn failures(&self) -> &BTreeMap<u32, PageFailure> {
        &self.failures
    }

    /// Pages that are with a worker now.
    pub fn running_pages(&self) -> impl Iterator<Item = u32> + '_ {
        let running = self.sub_tasks.iter().filter(|subtask| subtask.state == SubTaskState::Running);
        running.flat_map(|subtask| subtask.shard.pages())
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> JobProgress {
        let planned = !self.pages.is_empty();
        let mut findings = FindingCounts::default();
        self.findings.values().for_each(|set| findings.add(*set));
        let doubtful = self.findings.values().filter(|set| set.is_doubtful()).count();
        JobProgress {
            total_pages: planned.then(|| u32::try_from(self.pages.len()).unwrap_or(u32::MAX)),
            started: self.started,
            counts: Counts {
                done: self.done_pages,
                failed: u32::try_from(self.failures.len()).unwrap_or(u32::MAX),
                total_shards: self.total_shards(),
                completed_shards: self.completed_count + self.failed_count,
                doubtful: u32::try_from(doubtful).unwrap_or(u32::MAX),
                findings,
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
            (Phase::Stopping, JobEvent::Outcome { index, attempt, receipts, spent, .. }) => {
                self.count_late(index, attempt, &receipts, spent);
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
            (Phase::Running, JobEvent::Outcome { index, attempt, receipts, spent, elsewhere }) => {
                let begun = self.sub_tasks.get(index as usize).is_some_and(|subtask| subtask.is_out(attempt));
                let before = self.usage.cost.unwrap_or_default();
                self.spend(index, attempt, spent);
                let mut actions = self.outcome(index, attempt, receipts, elsewhere);
                if begun {
                    actions.extend(self.settle_up(index, before));
                }
                actions
            }
            (Phase::BindingPartial(_), JobEvent::Outcome { index, attempt, receipts, spent, .. }) => {
                self.count_late(index, attempt, &receipts, spent);
                Vec::new()
            }
            (Phase::Running, JobEvent::RetryDue { index, attempt }) => self.retry_due(index, attempt),
            (Phase::Binding, JobEvent::Bound { missing }) if missing.is_empty() => self.end(JobEnd::Completed),
            (Phase::Binding, JobEvent::Bound { missing }) => self.read_again(&missing),
            (Phase::BindingPartial(why), JobEvent::Bound { .. }) => {
                let why = why.clone();
                self.end(JobEnd::Failed { why, partial: true })
            }
            (Phase::Binding | Phase::BindingPartial(_), JobEvent::BindFailed(why)) => self.bind_failed(why),
            (Phase::Binding, JobEvent::BindDue) => vec![JobAction::Bind { complete: true }],
            (Phase::BindingPartial(_), JobEvent::BindDue) => vec![JobAction::Bind { complete: false }],
            _ => Vec::new(),
        }
    }

    /// Too late for anything, but it was paid, and is in the ledger.
    fn count_late(&mut self, index: u32, attempt: u32, receipts: &Receipts, spent: PageUsage) {
        if self.take(index, SubTaskStep::Finish, attempt).is_some() {
            self.count(spent.and(receipts.usage()), false);
        }
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
        self.states = vec![PageState::Open; pages.len()];
        self.pages = Arc::new(pages);
        for &(page, findings) in known {
            self.settle_done(page, findings);
            self.usage.reused += 1;
        }
        self.phase = Phase::Running;
        let (crashes, most) = (std::mem::take(&mut self.crashes), self.retry.max_crashes);
        for (page, deaths) in crashes.iter().filter(|(_, deaths)| **deaths >= most) {
            let message = format!("the process died {deaths} times while reading this page");
            self.fail_page(*page, Failure::permanent(code::PAGE_CRASH, message), *deaths);
        }
        let (suspects, sound): (Vec<u32>, Vec<u32>) =
            self.open_pages().into_iter().partition(|page| crashes.contains_key(page));
        let mut actions = vec![JobAction::Report];
        let Cut { pages, kind, .. } = self.shards;
        let shards = plan(sound, pages).into_iter().map(|shard| SubTask::new(shard, kind));
        let suspects = suspects.into_iter().map(|page| SubTask::suspect(page, kind));
        actions.extend(self.add_subtasks(suspects.chain(shards)));
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
    fn spend(&mut self, index: u32, attempt: u32, spent: PageUsage) {
        self.count(spent, false);
        if let Some(subtask) = self.sub_tasks.get_mut(index as usize).filter(|subtask| subtask.attempt == attempt) {
            subtask.spent = subtask.spent.and(spent);
        }
    }

    /// Goes on with what there is money for, or ends the job when there is not enough for anything.
    fn settle_up(&mut self, index: u32, before: Cost) -> Vec<JobAction> {
        let calls = self.sub_tasks.get(index as usize).is_some_and(|subtask| subtask.kind == WorkKind::Call);
        let cost = self.usage.cost.unwrap_or_default().without(before);
        let Some(budget) = &mut self.budget else { return Vec::new() };
        if calls {
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
        if self.sub_tasks.iter().any(|subtask| subtask.kind == WorkKind::Cpu && !subtask.state.is_final()) {
            return Vec::new();
        }
        let open = self.open_pages().len();
        let message =
            format!("{spent} are spent and {open} pages are not read: retry the task with a higher max_cost to go on");
        self.give_up(Failure::permanent(code::BUDGET_EXHAUSTED, message))
    }

    /// Has subtasks begun, as far as the money goes.
    fn run(&mut self, indexes: Vec<u32>) -> Vec<JobAction> {
        let (calls, free): (Vec<u32>, Vec<u32>) = indexes.into_iter().partition(|index| {
            self.sub_tasks.get(*index as usize).is_some_and(|subtask| subtask.kind == WorkKind::Call)
        });
        let Some(budget) = &mut self.budget else {
            let run = [free, calls].concat();
            return if run.is_empty() { Vec::new() } else { vec![JobAction::Run(run)] };
        };
        budget.hold(calls);
        let mut actions = if free.is_empty() { Vec::new() } else { vec![JobAction::Run(free)] };
        actions.extend(self.go_on());
        actions
    }

    fn outcome(&mut self, index: u32, attempt: u32, receipts: Receipts, elsewhere: bool) -> Vec<JobAction> {
        let mut actions = self.began();
        let Some(subtask) = self.sub_tasks.get(index as usize) else { return actions };
        let several = subtask.shard.len() > 1;
        let errors = u32::try_from(subtask.errors.len()).unwrap_or(u32::MAX).saturating_add(1);
        let patient = subtask.waited < self.retry.patience;
        actions.extend(match receipts {
            Receipts::Done(pages) => self.done(index, attempt, pages, [&[], &[]]),
            Receipts::Divided { done, calls, alone } => self.done(index, attempt, done, [&calls, &alone]),
            Receipts::NotNow(after) => self.wait(index, attempt, after),
            Receipts::Retry { why, .. } if self.is_singled_out(index, &why) => {
                self.outcome(index, attempt, Receipts::Failed(why), false)
            }
            Receipts::Retry { after, why } if patient => self.wait_for_others(index, attempt, after, &why),
            Receipts::Retry { why, .. } | Receipts::GaveUp(why) if elsewhere => {
                let why = Failure { code: code::ENDPOINT_AWAY.into(), ..why };
                self.try_again(index, attempt, errors, &why)
            }
            Receipts::Fatal(why) => self.give_up(why),
            // Of several pages one may be the cause; alone each has all its attempts.
            Receipts::Failed(_) if several => self.split(index, attempt),
            Receipts::Failed(why) if why.retryable && !self.retry.is_last(errors) => {
                self.try_again(index, attempt, errors, &why)
            }
            Receipts::Retry { why, .. } | Receipts::GaveUp(why) | Receipts::Failed(why) => {
                self.fail(index, attempt, &why)
            }
            // A stopped job is over and does not get here: the processor gave up on its own account.
            Receipts::Cancelled => {
                let why = Failure::passing(code::BAD_ANSWER, "the processor gave up although nobody asked it to");
                self.outcome(index, attempt, Receipts::Failed(why), false)
            }
        });
        actions
    }

    /// Whether the endpoint is away for this subtask only: again and again, while it answers others of the job in
    /// between. Then these pages may be what it stumbles over.
    fn is_singled_out(&mut self, index: u32, why: &Failure) -> bool {
        let answered = self.usage.calls;
        let Some(subtask) = self.sub_tasks.get_mut(index as usize) else { return false };
        if *why.code != *code::ENDPOINT_UNAVAILABLE || subtask.kind != WorkKind::Call {
            return false;
        }
        let others_were_answered = subtask.away_at.replace(answered).is_some_and(|before| before < answered);
        subtask.away_alone = if others_were_answered { subtask.away_alone + 1 } else { 0 };
        subtask.away_alone >= AWAY_ALONE
    }

    /// Pages have their outcomes, but for some that need calls, and some that are read alone.
    fn done(
        &mut self,
        index: u32,
        attempt: u32,
        pages: Vec<(u32, Result<PageReceipt, Failure>)>,
        [calls, alone]: [&[u32]; 2],
    ) -> Vec<JobAction> {
        let Some(shard) = self.take(index, SubTaskStep::Finish, attempt) else { return Vec::new() };
        self.completed_count += 1;
        for (page, result) in pages.into_iter().filter(|(page, _)| shard.pages().contains(page)) {
            match result {
                Ok(receipt) => {
                    if self.settle_done(page, receipt.findings) {
                        self.count(receipt.usage, receipt.reused);
                    }
                }
                Err(failure) => self.fail_page(page, failure, attempt),
            }
        }
        // Whatever the answer left out would otherwise be waited for without end.
        let open = |pages: &[u32]| pages.iter().copied().filter(|page| self.is_open(*page)).collect::<Vec<u32>>();
        let (calls, alone) = (open(calls), open(alone));
        for page in shard.pages().filter(|page| !calls.contains(page) && !alone.contains(page)) {
            let silent = Failure::permanent(code::BAD_ANSWER, "the processor gave no answer for this page");
            self.fail_page(page, silent, attempt);
        }
        let mut actions = vec![JobAction::Report];
        let suspect = self.sub_tasks.get(index as usize).is_some_and(|subtask| subtask.suspect);
        let calls = plan(calls, self.shards.call_pages).into_iter().map(|shard| (shard, WorkKind::Call));
        let shards = calls.chain(plan(alone, 1).into_iter().map(|shard| (shard, WorkKind::Cpu)));
        actions.extend(self.add_subtasks(shards.map(|(shard, kind)| SubTask { suspect, ..SubTask::new(shard, kind) })));
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
        log::debug!(task:% = self.task_id, shard = index, attempt, code:% = why.code; "nobody there, waiting");
        let mut after = self.retry.delay(attempt, after, self.salt(index));
        if let Some(subtask) = self.sub_tasks.get_mut(index as usize).filter(|subtask| subtask.attempt == attempt) {
            // Whoever asks for a year is asked once more when the patience ends.
            after = after.min(self.retry.patience.saturating_sub(subtask.waited));
            subtask.waited += after;
        }
        self.wait(index, attempt, after)
    }

    fn try_again(&mut self, index: u32, attempt: u32, errors: u32, why: &Failure) -> Vec<JobAction> {
        log::debug!(task:% = self.task_id, shard = index, attempt, code:% = why.code; "attempt failed, trying again");
        if let Some(subtask) = self.sub_tasks.get_mut(index as usize).filter(|subtask| subtask.attempt == attempt) {
            subtask.errors.push(why.code.clone());
        }
        self.wait(index, attempt, self.retry.delay(errors, None, self.salt(index)))
    }

    /// Spreads the waits of subtasks that failed together.
    fn salt(&self, index: u32) -> u64 {
        let task = u64::from_be_bytes(self.task_id.as_bytes()[8..].try_into().unwrap_or_default());
        task ^ (u64::from(index) << 32)
    }

    fn retry_due(&mut self, index: u32, attempt: u32) -> Vec<JobAction> {
        match self.take(index, SubTaskStep::Due, attempt) {
            Some(_) => self.run(vec![index]),
            None => Vec::new(),
        }
    }

    fn split(&mut self, index: u32, attempt: u32) -> Vec<JobAction> {
        let Some(shard) = self.take(index, SubTaskStep::Split, attempt) else { return Vec::new() };
        self.split_count += 1;
        let whole = self.sub_tasks.get(index as usize);
        let (mut spent, kind) = whole.map_or_else(|| (PageUsage::default(), self.shards.kind), |w| (w.spent, w.kind));
        let alone = |page| SubTask { spent: std::mem::take(&mut spent), ..SubTask::new(Shard::single(page), kind) };
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

    /// Pages that were done are not in the ledger any more: they are open again.
    fn read_again(&mut self, missing: &[u32]) -> Vec<JobAction> {
        for page in missing {
            if let Some(position) = self.position(*page).filter(|at| self.states[*at] == PageState::Done) {
                self.states[position] = PageState::Open;
                self.done_pages -= 1;
                self.findings.remove(page);
            }
        }
        self.phase = Phase::Running;
        let mut actions = vec![JobAction::Report];
        let Cut { pages, kind, .. } = self.shards;
        let shards = plan(missing.iter().copied(), pages);
        actions.extend(self.add_subtasks(shards.into_iter().map(|shard| SubTask::new(shard, kind))));
        actions
    }

    fn bind_failed(&mut self, why: Failure) -> Vec<JobAction> {
        match (self.bind_tries.next(&self.retry, &why), &self.phase) {
            (Some(wait), _) => vec![JobAction::BindLater(wait)],
            (None, Phase::BindingPartial(first)) => {
                let why = first.clone();
                self.end(JobEnd::Failed { why, partial: false })
            }
            (None, _) => self.end(JobEnd::Failed { why, partial: false }),
        }
    }

    /// The task cannot be read: what is there of it is kept.
    fn give_up(&mut self, why: Failure) -> Vec<JobAction> {
        self.phase = Phase::BindingPartial(why);
        vec![JobAction::StopAttempts, JobAction::Bind { complete: false }]
    }

    /// Ends the running phase when there is nothing left to wait for, or no point in going on.
    fn advance(&mut self) -> Vec<JobAction> {
        if self.phase != Phase::Running {
            return Vec::new();
        }
        if let Some(why) = self.too_many_failed() {
            return self.give_up(why);
        }
        if self.done_pages as usize + self.failures.len() < self.pages.len() {
            return Vec::new();
        }
        self.phase = Phase::Binding;
        vec![JobAction::Bind { complete: true }]
    }

    fn too_many_failed(&self) -> Option<Failure> {
        let total = u32::try_from(self.pages.len()).unwrap_or(u32::MAX);
        let failed = u32::try_from(self.failures.len()).unwrap_or(u32::MAX);
        let (last_page, last) = self.failures.last_key_value()?;
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
        let retryable = self.failures.values().any(|page| page.failure.retryable);
        Some(Failure { code: code::TOO_MANY_FAILED_PAGES.into(), message, retryable })
    }

    fn end(&mut self, end: JobEnd) -> Vec<JobAction> {
        self.phase = Phase::Over;
        vec![JobAction::StopAttempts, JobAction::End(end)]
    }

    fn add_subtasks(&mut self, subtasks: impl IntoIterator<Item = SubTask>) -> Vec<JobAction> {
        let first = u32::try_from(self.sub_tasks.len()).unwrap_or(u32::MAX);
        self.sub_tasks.extend(subtasks);
        let end = u32::try_from(self.sub_tasks.len()).unwrap_or(u32::MAX);
        self.run((first..end).collect())
    }

    fn take(&mut self, index: u32, step: SubTaskStep, attempt: u32) -> Option<Shard> {
        let subtask = self.sub_tasks.get_mut(index as usize)?;
        subtask.take(step, attempt).then_some(subtask.shard)
    }

    /// Gives an open page its outcome; answers whether it was open.
    fn settle(&mut self, page: u32, state: PageState) -> bool {
        let Some(position) = self.position(page) else { return false };
        if self.states[position] != PageState::Open {
            return false;
        }
        self.states[position] = state;
        self.done_pages += u32::from(state == PageState::Done);
        true
    }

    /// The same for one that was read.
    fn settle_done(&mut self, page: u32, findings: FindingSet) -> bool {
        let settled = self.settle(page, PageState::Done);
        if settled && !findings.is_empty() {
            self.findings.insert(page, findings);
        }
        settled
    }

    fn fail_page(&mut self, page: u32, failure: Failure, attempts: u32) {
        if self.settle(page, PageState::Failed) {
            log::warn!(task:% = self.task_id, page, attempts, code:% = failure.code; "page failed: {}", failure.message);
            self.failures.insert(page, PageFailure { failure, attempts });
        }
    }

    fn count(&mut self, usage: PageUsage, reused: bool) {
        self.usage.calls += u64::from(usage.calls);
        self.usage.reused += u64::from(reused);
        self.usage.prompt_tokens += usage.prompt_tokens;
        self.usage.completion_tokens += usage.completion_tokens;
        self.usage.cost = Cost::sum(self.usage.cost, usage.cost);
    }

    fn position(&self, page: u32) -> Option<usize> {
        self.pages.binary_search(&page).ok()
    }

    fn is_open(&self, page: u32) -> bool {
        self.position(page).is_some_and(|position| self.states[position] == PageState::Open)
    }

    fn open_pages(&self) -> Vec<u32> {
        let pages = self.pages.iter().zip(&self.states);
        pages.filter(|(_, state)| **state == PageState::Open).map(|(page, _)| *page).collect()
    }
}

#[cfg(test)]
#[path = "runtime_tests.rs"]
mod tests;
