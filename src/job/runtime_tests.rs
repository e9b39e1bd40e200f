use std::time::Duration;

use super::*;
use crate::pool::{PageResult, ShardResult};
use crate::processor::{FailedAttempt, Step, Steps};
use crate::task::FindingCode;

#[path = "runtime_play.rs"]
mod play;

fn runtime(shard_pages: u32, limit: Option<FailedPagesLimit>) -> JobRuntime {
    let retry = RetryPolicy { max_attempts: 3, ..RetryPolicy::default() };
    let (folder, output) = ("tasks/x".to_owned(), "tasks/x/result-1.md".to_owned());
    let route = Route { steps: steps(&["e"], shard_pages), shard_pages: None };
    JobRuntime::new(TaskId::generate(), folder, output, route, limit, retry, BTreeMap::new())
}

/// Steps that call these endpoints; the first one has shards of so many pages, the others of two.
fn steps(endpoints: &[&str], shard_pages: u32) -> Steps {
    let step = |(at, endpoint): (usize, &&str)| Step {
        shard_pages: if at == 0 { shard_pages } else { 2 },
        ..Step::call("test", *endpoint, at.into())
    };
    Steps::new(endpoints.iter().enumerate().map(step).collect()).unwrap()
}

/// The same job with a second way to read its pages.
fn with_fallback(job: JobRuntime, shard_pages: u32) -> JobRuntime {
    JobRuntime { route: Route { steps: steps(&["e", "other"], shard_pages), shard_pages: None }, ..job }
}

/// A job of `pages` pages in shards of four, after deaths of the process.
fn survivor(pages: u32, crashes: impl Into<BTreeMap<u32, u32>>) -> (JobRuntime, Vec<JobAction>) {
    let mut job = JobRuntime { crashes: crashes.into(), ..runtime(4, None) };
    let actions = job.on(JobEvent::Planned { pages: (1..=pages).collect(), known: Vec::new() });
    (job, actions)
}

fn planned(shard_pages: u32, pages: u32, limit: Option<FailedPagesLimit>) -> JobRuntime {
    let mut job = runtime(shard_pages, limit);
    job.on(JobEvent::Planned { pages: (1..=pages).collect(), known: Vec::new() });
    job
}

/// Pages of the ledger that nothing is known against.
fn known(pages: &[u32]) -> Vec<(u32, FindingSet)> {
    pages.iter().map(|page| (*page, FindingSet::default())).collect()
}

fn receipt() -> PageResult {
    let usage = crate::task::Usage { calls: 1, prompt_tokens: 5, completion_tokens: 3, ..Usage::default() };
    PageResult { usage, findings: FindingSet::default(), view: None }
}

fn done(index: u32, attempt: u32, result: ShardResult) -> ShardDone {
    let (job, epoch, spent) = (TaskId::generate(), 1, Usage::default());
    ShardDone { job, shard: index, epoch, attempt, spent, result }
}

fn came(index: u32, attempt: u32, result: ShardResult) -> JobEvent {
    JobEvent::ShardDone(done(index, attempt, result))
}

fn ok(job: &JobRuntime, index: u32, attempt: u32) -> JobEvent {
    let pages = job.sub_task(index).unwrap().shard.pages();
    let receipts = ShardResult::Done(pages.map(|page| (page, Ok(receipt()))).collect());
    came(index, attempt, receipts)
}

fn failed(index: u32, attempt: u32, why: Failure) -> JobEvent {
    came(index, attempt, ShardResult::Failed(why))
}

fn damage() -> Failure {
    Failure::permanent(code::PAGE_DAMAGED, "damaged")
}

fn bad_answer() -> Failure {
    Failure::transient(code::BAD_ANSWER, "bad")
}

fn ends(actions: &[JobAction]) -> Vec<&JobEnd> {
    actions.iter().filter_map(|action| if let JobAction::End(end) = action { Some(end) } else { None }).collect()
}

#[test]
fn a_job_runs_binds_and_completes() {
    let mut job = runtime(2, None);
    let actions = job.on(JobEvent::Planned { pages: vec![1, 2, 3], known: vec![] });
    assert_eq!(actions, [JobAction::Report, JobAction::Run(vec![0, 1])]);
    assert_eq!(job.progress().total_pages, Some(3));
    job.on(JobEvent::Started { index: 1, attempt: 1 });
    assert_eq!(job.running_pages().collect::<Vec<_>>(), [3]);
    job.on(ok(&job, 1, 1));
    let actions = job.on(ok(&job, 0, 1));
    assert_eq!(actions, [JobAction::Report, JobAction::Aggregate { complete: true }]);
    assert_eq!(job.progress().usage.calls, 3);
    let actions = job.on(JobEvent::Aggregated { missing: vec![] });
    assert_eq!(ends(&actions), [&JobEnd::Completed]);
    assert!(job.on(JobEvent::Aggregated { missing: vec![] }).is_empty(), "an end comes once");
}

#[test]
fn no_endpoint_is_waited_for_longer_than_the_timeout() {
    let mut job = planned(1, 1, None);
    let timeout = RetryPolicy::default().unavailable_timeout;
    let unavailable =
        |after| ShardResult::Retry { after, why: Failure::transient(code::RATE_LIMITED, "come back next year") };
    let year = Some(Duration::from_hours(24 * 365));
    let actions = job.on(came(0, 1, unavailable(year)));
    assert!(matches!(actions[1], JobAction::RetryLater { after, .. } if after == timeout), "{actions:?}");
    job.on(JobEvent::RetryDue { index: 0, attempt: 1 });
    job.on(came(0, 2, unavailable(year)));
    assert_eq!(job.failures().len(), 1);
}

#[test]
fn after_the_timeout_the_next_step_reads_the_page_if_there_is_one() {
    let gone = || ShardResult::WaitExpired(Failure::transient(code::ENDPOINT_UNAVAILABLE, "unreachable"));
    let mut job = planned(1, 2, None);
    job.on(came(0, 1, gone()));
    assert_eq!(&*job.failures()[&1].failure.code, code::ENDPOINT_UNAVAILABLE);
    let mut job = with_fallback(job, 1);
    let actions = job.on(came(1, 1, gone()));
    assert!(matches!(actions.last(), Some(JobAction::RetryLater { index: 1, .. })), "{actions:?}");
    let subtask = job.sub_task(1).unwrap();
    assert_eq!((&subtask.history[..], subtask.step.index), (&[FailedAttempt::wait_expired(0)][..], 1));
}

#[test]
fn an_endpoint_that_stumbles_over_one_page_alone_is_not_waited_for_without_end() {
    let unavailable = || ShardResult::Retry { after: None, why: Failure::transient(code::ENDPOINT_UNAVAILABLE, "502") };
    let mut job = planned(1, 10, None);
    for attempt in 1..=9 {
        job.on(came(0, attempt, unavailable()));
        job.on(JobEvent::RetryDue { index: 0, attempt });
    }
    assert!(job.sub_task(0).unwrap().history.is_empty(), "an unavailable endpoint is no failure of the page");
    for (attempt, other) in (10..).zip(1..=5) {
        job.on(ok(&job, other, 1));
        job.on(came(0, attempt, unavailable()));
        job.on(JobEvent::RetryDue { index: 0, attempt });
    }
    assert_eq!(&*job.failures()[&1].failure.code, code::ENDPOINT_UNAVAILABLE);
}

#[test]
fn a_processor_that_gives_up_by_itself_is_tried_again() {
    let mut job = planned(1, 1, None);
    let actions = job.on(came(0, 1, ShardResult::Cancelled));
    assert!(matches!(actions[1], JobAction::RetryLater { attempt: 1, .. }), "{actions:?}");
}

#[test]
fn doubtful_pages_are_counted_once_and_not_when_they_are_read_again() {
    let of = |codes: &[FindingCode]| codes.iter().copied().collect::<FindingSet>();
    let (unread, both) = (of(&[FindingCode::NoTextLayer]), of(&[FindingCode::UnreadPicture, FindingCode::Unfaithful]));
    let mut job = runtime(1, None);
    let known = vec![(1, unread), (2, of(&[FindingCode::MarginRemoved]))];
    job.on(JobEvent::Planned { pages: vec![1, 2, 3], known });
    let counted = |job: &JobRuntime| {
        let counts = job.progress().counts;
        (counts.doubtful, counts.findings.to_string())
    };
    assert_eq!(counted(&job), (1, "1 no_text_layer".to_owned()));
    job.on(came(0, 1, ShardResult::Done(vec![(3, Ok(PageResult { findings: both, ..receipt() }))])));
    assert_eq!(counted(&job), (2, "1 no_text_layer, 1 unread_picture, 1 unfaithful".to_owned()));
    job.on(JobEvent::Aggregated { missing: vec![1] });
    assert_eq!(counted(&job), (1, "1 unread_picture, 1 unfaithful".to_owned()));
}

#[test]
fn what_is_in_the_ledger_needs_no_attempt() {
    let mut job = runtime(1, None);
    let actions = job.on(JobEvent::Planned { pages: vec![4, 5, 6], known: known(&[4, 5, 6]) });
    assert_eq!(actions, [JobAction::Report, JobAction::Aggregate { complete: true }]);
    let mut job = runtime(4, None);
    job.on(JobEvent::Planned { pages: (1..=9).collect(), known: known(&[2, 5]) });
    let shards: Vec<_> = (0..3).map(|index| job.sub_task(index).unwrap().shard).collect();
    let expected = [(1, 1), (3, 4), (6, 9)].map(|(first, last)| Shard { first, last });
    assert_eq!(shards, expected);
    assert_eq!((job.progress().usage.reused, job.progress().usage.calls), (2, 0));
}

#[test]
fn a_passing_failure_is_tried_again_and_the_last_attempt_decides() {
    let mut job = planned(1, 2, None);
    for attempt in 1..3 {
        let actions = job.on(failed(0, attempt, bad_answer()));
        assert!(matches!(actions.last(), Some(JobAction::RetryLater { index: 0, .. })), "{actions:?}");
        assert_eq!(job.on(JobEvent::RetryDue { index: 0, attempt }), [JobAction::Run(vec![0])]);
        assert!(job.on(JobEvent::RetryDue { index: 0, attempt }).is_empty());
    }
    job.on(failed(0, 3, bad_answer()));
    assert_eq!(job.failures()[&1].attempts, 3);
    assert_eq!((job.failed_tasks(), job.progress().counts.failed), (&[0][..], 1));
}

#[test]
fn a_retry_after_is_obeyed() {
    let mut job = planned(1, 1, None);
    let after = Duration::from_secs(90);
    let receipts = ShardResult::Retry { after: Some(after), why: Failure::transient(code::RATE_LIMITED, "slow down") };
    let actions = job.on(came(0, 1, receipts));
    assert!(matches!(actions.last(), Some(JobAction::RetryLater { after: wait, .. }) if *wait >= after));
}

#[test]
fn waiting_for_an_unavailable_endpoint_is_limited_by_time_and_not_by_attempts() {
    let mut job = planned(1, 1, None);
    let unavailable = |attempt| {
        let why = Failure::transient(code::ENDPOINT_UNAVAILABLE, "unavailable");
        came(0, attempt, ShardResult::Retry { after: None, why })
    };
    let mut waited = Duration::ZERO;
    let mut attempt = 1;
    while let Some(JobAction::RetryLater { after, .. }) = job.on(unavailable(attempt)).last() {
        waited += *after;
        job.on(JobEvent::RetryDue { index: 0, attempt });
        attempt += 1;
    }
    let timeout = RetryPolicy::default().unavailable_timeout;
    assert!(attempt > 100 && waited >= timeout && waited < timeout + Duration::from_mins(2), "{attempt} {waited:?}");
    assert_eq!(&job.failures()[&1].failure.code, code::ENDPOINT_UNAVAILABLE);

    // What was waited is not held against the page.
    let mut job = planned(1, 1, None);
    for attempt in 1..=20 {
        job.on(unavailable(attempt));
        job.on(JobEvent::RetryDue { index: 0, attempt });
    }
    let actions = job.on(failed(0, 21, bad_answer()));
    assert!(matches!(actions.last(), Some(JobAction::RetryLater { .. })), "the first error of three: {actions:?}");
}

#[test]
fn pages_that_need_calls_come_back_as_subtasks_for_calls() {
    let mut job = with_fallback(planned(6, 6, None), 6);
    let done = [1, 4].map(|page| (page, Ok(receipt()))).to_vec();
    let receipts = ShardResult::Partial { done, rest: [2, 3, 5, 6, 99].map(|page| (page, 1)).into() };
    let actions = job.on(came(0, 1, receipts));
    assert!(actions.contains(&JobAction::Run(vec![1, 2])), "{actions:?}");
    let shards = [1, 2].map(|index| job.sub_task(index).unwrap()).map(|s| (s.shard.first, s.shard.last, s.step.index));
    assert_eq!(shards, [(2, 3, 1), (5, 6, 1)]);
    assert!(job.on(ok(&job, 1, 1)).iter().all(|action| !matches!(action, JobAction::Aggregate { .. })));
    assert!(job.on(ok(&job, 2, 1)).contains(&JobAction::Aggregate { complete: true }));
}

#[test]
fn what_no_attempt_can_mend_ends_the_task_with_its_words() {
    let mut job = planned(1, 3, None);
    job.on(ok(&job, 0, 1));
    let why = Failure::permanent(code::ENDPOINT_UNAUTHORIZED, "no such key");
    let receipts = ShardResult::Fatal(why.clone());
    let actions = job.on(came(1, 1, receipts));
    assert!(actions.contains(&JobAction::StopAttempts) && actions.contains(&JobAction::Aggregate { complete: false }));
    let actions = job.on(JobEvent::Aggregated { missing: vec![2, 3] });
    assert!(actions.contains(&JobAction::End(JobEnd::Failed { why, partial: true })), "{actions:?}");
}

#[test]
fn what_attempts_cost_counts_also_when_they_came_to_nothing() {
    let mut job = planned(2, 2, None);
    let spent = Usage { calls: 1, prompt_tokens: 50, completion_tokens: 7, ..Usage::default() };
    let lost = |index, attempt| {
        JobEvent::ShardDone(ShardDone { spent, ..done(index, attempt, ShardResult::Failed(bad_answer())) })
    };
    job.on(lost(0, 1));
    job.on(lost(1, 1));
    // The page takes over what its shard had cost.
    assert_eq!(job.sub_task(1).unwrap().spent, spent + spent);
    assert_eq!(job.sub_task(2).unwrap().spent, Usage::default());
    job.on(ok(&job, 2, 1));
    assert_eq!((job.progress().usage.calls, job.progress().usage.prompt_tokens), (3, 105));
}

#[test]
fn a_budget_lets_calls_begin_as_far_as_it_goes() {
    let mut job = with_fallback(runtime(8, None), 8).with_budget(Cost::of(1.0), Usage::default());
    job.on(JobEvent::Planned { pages: (1..=8).collect(), known: Vec::new() });
    // The first shard goes alone, and turns out to be two calls, of which one begins.
    let divided = ShardResult::Partial { done: Vec::new(), rest: (1..=8).map(|page| (page, 1)).collect() };
    let actions = job.on(came(0, 1, divided));
    let run = |actions: &[JobAction]| -> Vec<u32> {
        let runs =
            actions.iter().filter_map(|action| if let JobAction::Run(run) = action { Some(run.clone()) } else { None });
        runs.flatten().collect()
    };
    assert_eq!(run(&actions), [1]);
    let paid = |job: &JobRuntime, index, cost| {
        let usage = Usage { calls: 1, cost: Some(Cost::of(cost)), ..Usage::default() };
        let pages = job.sub_task(index).unwrap().shard.pages();
        let first = |page| usize::from(page == job.sub_task(index).unwrap().shard.first);
        let receipt = |page| PageResult { usage: [Usage::default(), usage][first(page)], ..receipt() };
        let receipts = ShardResult::Done(pages.map(|page| (page, Ok(receipt(page)))).collect());
        came(index, 1, receipts)
    };
    let actions = job.on(paid(&job, 1, 0.4));
    assert_eq!(run(&actions), [2], "a third call could be one too many");
    assert_eq!(job.on(paid(&job, 2, 0.4)).len(), 3, "report, stop, bind, and no more");
    let end = job.on(JobEvent::Aggregated { missing: Vec::new() });
    assert!(
        matches!(&end[..], [_, JobAction::End(JobEnd::Failed { why, partial: true })] if why.code == "budget_exhausted")
    );
}

#[test]
fn pages_that_were_being_read_at_a_death_go_on_alone() {
    let (job, _) = survivor(10, [(5, 1), (6, 2)]);
    let subtasks = (0..4).map(|index| job.sub_task(index).unwrap());
    let subtasks: Vec<_> = subtasks.map(|s| (s.shard.first, s.shard.last, s.quarantined)).collect();
    assert_eq!(subtasks, [(5, 5, true), (6, 6, true), (1, 4, false), (7, 10, false)]);
}

#[test]
fn a_page_that_kills_the_process_again_and_again_is_declared_failed() {
    let (mut job, actions) = survivor(3, [(2, 3)]);
    assert_eq!(actions.last(), Some(&JobAction::Run(vec![0, 1])));
    assert_eq!((&*job.failures()[&2].failure.code, job.failures()[&2].attempts), (code::PAGE_CRASH, 3));
    job.on(ok(&job, 0, 1));
    let actions = job.on(ok(&job, 1, 1));
    assert_eq!(actions.last(), Some(&JobAction::Aggregate { complete: true }));
}

#[test]
fn a_document_that_kills_the_process_whenever_it_is_opened_fails_the_task() {
    let mut job = JobRuntime { crashes: [(0, 2)].into(), ..runtime(4, None) };
    assert_eq!(job.on(JobEvent::PlanDue), [JobAction::Plan]);
    let mut job = JobRuntime { crashes: [(0, 3)].into(), ..runtime(4, None) };
    let actions = job.on(JobEvent::PlanDue);
    let [JobEnd::Failed { why, partial: false }] = ends(&actions)[..] else { panic!("{actions:?}") };
    assert_eq!(why.code, code::PAGE_CRASH);
}

#[test]
fn a_plan_that_fails_by_chance_is_made_again() {
    let mut job = runtime(1, None);
    let trouble = || JobEvent::PlanFailed(Failure::transient(code::PROCESSOR_CRASHED, "crash"));
    for _ in 0..2 {
        assert!(matches!(job.on(trouble())[..], [JobAction::PlanLater(_)]));
        assert_eq!(job.on(JobEvent::PlanDue), [JobAction::Plan]);
    }
    assert_eq!(ends(&job.on(trouble())).len(), 1, "the last attempt decides");
    assert_eq!(ends(&runtime(1, None).on(JobEvent::PlanFailed(damage()))).len(), 1);
}

#[test]
fn a_shard_that_fails_as_a_whole_goes_on_page_by_page() {
    let mut job = planned(3, 3, None);
    let actions = job.on(failed(0, 1, bad_answer()));
    assert_eq!(actions[1..], [JobAction::Run(vec![1, 2, 3]), JobAction::Report]);
    assert_eq!(job.total_shards(), 3);
    job.on(ok(&job, 1, 1));
    job.on(failed(2, 1, damage()));
    let actions = job.on(ok(&job, 3, 1));
    assert_eq!(actions.last(), Some(&JobAction::Aggregate { complete: true }));
    assert_eq!(job.failures().keys().copied().collect::<Vec<_>>(), [2]);
    assert_eq!(job.progress().counts.completed_shards, 3);
}

#[test]
fn more_failed_pages_than_allowed_end_the_job_with_a_partial_result() {
    let mut job = planned(1, 10, Some(FailedPagesLimit::Percent(10)));
    assert!(ends(&job.on(failed(0, 1, damage()))).is_empty());
    let actions = job.on(failed(1, 1, damage()));
    assert_eq!(actions[1..], [JobAction::StopAttempts, JobAction::Aggregate { complete: false }]);
    assert!(job.on(ok(&job, 2, 1)).is_empty(), "no outcome changes it now");
    let actions = job.on(JobEvent::Aggregated { missing: vec![3] });
    let [JobEnd::Failed { why, partial: true }] = ends(&actions)[..] else { panic!("{actions:?}") };
    assert_eq!(why.code, code::TOO_MANY_FAILED_PAGES);
}

#[test]
fn without_a_limit_a_task_fails_only_when_no_page_was_read() {
    let mut job = planned(1, 2, None);
    job.on(failed(0, 1, damage()));
    assert!(job.on(ok(&job, 1, 1)).contains(&JobAction::Aggregate { complete: true }));
    let mut job = planned(1, 2, None);
    job.on(failed(0, 1, damage()));
    assert!(job.on(failed(1, 1, damage())).contains(&JobAction::Aggregate { complete: false }));
    let mut job = planned(1, 1, Some(FailedPagesLimit::Percent(100)));
    assert!(job.on(failed(0, 1, damage())).contains(&JobAction::Aggregate { complete: true }), "asked for, so allowed");
}

#[test]
fn pages_lost_from_the_ledger_are_read_again() {
    let mut job = planned(1, 3, None);
    (0..3).for_each(|index| drop(job.on(ok(&job, index, 1))));
    let actions = job.on(JobEvent::Aggregated { missing: vec![2] });
    assert_eq!(actions, [JobAction::Report, JobAction::Run(vec![3])]);
    assert_eq!(job.progress().counts.done, 2);
    assert!(job.on(ok(&job, 3, 1)).contains(&JobAction::Aggregate { complete: true }));
}

#[test]
fn a_result_that_cannot_be_written_is_tried_again_then_fails() {
    let mut job = planned(1, 1, None);
    job.on(ok(&job, 0, 1));
    let full = || JobEvent::AggregateFailed(Failure::transient(code::DISK_FULL, "full"));
    let mut waited = Duration::ZERO;
    let actions = loop {
        match job.on(full()) {
            actions if !ends(&actions).is_empty() => break actions,
            actions => {
                let [JobAction::AggregateLater(wait)] = actions[..] else { panic!("{actions:?}") };
                waited += wait;
            }
        }
        assert_eq!(job.on(JobEvent::AggregateDue), [JobAction::Aggregate { complete: true }]);
    };
    assert_eq!(waited, RetryPolicy::default().unavailable_timeout, "room is waited for as long as an endpoint");
    assert!(matches!(ends(&actions)[..], [JobEnd::Failed { partial: false, .. }]));
}

#[test]
fn a_processor_that_leaves_pages_out_leaves_no_gap() {
    let mut job = planned(3, 3, None);
    let receipts = ShardResult::Done(vec![(2, Ok(receipt())), (99, Ok(receipt()))]);
    let actions = job.on(came(0, 1, receipts));
    assert!(actions.contains(&JobAction::Aggregate { complete: true }));
    assert_eq!(job.failures().keys().copied().collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn what_was_cut_off_is_counted_before_a_stopped_job_ends() {
    let mut job = planned(1, 3, None);
    job.on(ok(&job, 2, 1));
    for index in [0, 1] {
        job.on(JobEvent::Started { index, attempt: 1 });
    }
    assert_eq!(job.on(JobEvent::Stop), [JobAction::StopAttempts]);
    let spent = Usage { calls: 1, cost: Some(Cost::of(0.5)), ..Usage::default() };
    let cut_off = JobEvent::ShardDone(ShardDone { spent, ..done(1, 1, ShardResult::Cancelled) });
    assert!(job.on(cut_off.clone()).is_empty() && job.on(cut_off).is_empty(), "the other one is still out");
    let divided = ShardResult::Partial { done: vec![(1, Ok(receipt()))], rest: vec![] };
    let end = job.on(came(0, 1, divided));
    assert_eq!(end.last(), Some(&JobAction::End(JobEnd::Stopped)));
    let usage = job.progress().usage;
    assert_eq!((usage.calls, usage.cost), (3, Some(Cost::of(0.5))));
}
