//! Jobs to which the world does things by chance: whatever it does, they end once, with every page accounted for.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use super::*;

/// What the world may do to a job next. Numbers choose among what is possible.
#[derive(Clone, Copy, Debug)]
enum World {
    Succeed(usize),
    FailTransient(usize),
    FailForGood(usize),
    RateLimit(usize),
    Due(usize),
    Duplicate(usize),
    Start(usize),
}

fn world() -> impl Strategy<Value = World> {
    let any = 0usize..1_000;
    prop_oneof![
        6 => any.clone().prop_map(World::Succeed),
        2 => any.clone().prop_map(World::FailTransient),
        1 => any.clone().prop_map(World::FailForGood),
        2 => any.clone().prop_map(World::RateLimit),
        4 => any.clone().prop_map(World::Due),
        2 => any.clone().prop_map(World::Duplicate),
        2 => any.prop_map(World::Start),
    ]
}

/// Plays a world to a job and then lets every attempt succeed, so that it must end.
struct Play {
    job: JobRuntime,
    /// Attempts that were asked for and not answered.
    open: Vec<(u32, u32)>,
    /// Answers already given; they may come again at any time.
    past: Vec<JobEvent>,
    waiting: Vec<(u32, u32)>,
    binds: Vec<bool>,
    ends: Vec<JobEnd>,
}

impl Play {
    fn new(pages: u32, shard_pages: u32, limit: Option<FailedPagesLimit>) -> Self {
        let job = runtime(shard_pages, limit);
        let mut play = Self { job, open: vec![], past: vec![], waiting: vec![], binds: vec![], ends: vec![] };
        play.tell(JobEvent::Planned { pages: (1..=pages).collect(), known: vec![] });
        play
    }

    fn tell(&mut self, event: JobEvent) {
        for action in self.job.on(event) {
            match action {
                JobAction::Run(indexes) => {
                    let attempts = indexes.iter().map(|index| (*index, self.job.sub_task(*index).unwrap().attempt));
                    self.open.extend(attempts.collect::<Vec<_>>());
                }
                JobAction::RetryLater { index, attempt, .. } => self.waiting.push((index, attempt)),
                JobAction::Aggregate { complete } => self.binds.push(complete),
                JobAction::End(end) => self.ends.push(end),
                JobAction::Plan | JobAction::PlanLater(_) | JobAction::StopAttempts => {}
                JobAction::Report | JobAction::ReportStart | JobAction::AggregateLater(_) => {}
            }
        }
    }

    fn answer(&mut self, choice: usize, receipts: impl Fn(Shard) -> ShardResult) {
        if self.open.is_empty() {
            return;
        }
        let (index, attempt) = self.open.swap_remove(choice % self.open.len());
        let Some(subtask) = self.job.sub_task(index) else { return };
        let event = came(index, attempt, receipts(subtask.shard));
        self.past.push(event.clone());
        self.tell(event);
    }

    fn step(&mut self, world: World) {
        match world {
            World::Succeed(choice) => self.answer(choice, read),
            World::FailTransient(choice) => self.answer(choice, |_| ShardResult::Failed(bad_answer())),
            World::FailForGood(choice) => self.answer(choice, |_| ShardResult::Failed(damage())),
            World::RateLimit(choice) => {
                self.answer(choice, |_| ShardResult::Retry { after: None, why: bad_answer() });
            }
            World::Due(choice) if !self.waiting.is_empty() => {
                let (index, attempt) = self.waiting.swap_remove(choice % self.waiting.len());
                self.tell(JobEvent::RetryDue { index, attempt });
            }
            World::Duplicate(choice) if !self.past.is_empty() => {
                let event = self.past[choice % self.past.len()].clone();
                self.tell(event);
            }
            World::Start(choice) if !self.open.is_empty() => {
                let (index, attempt) = self.open[choice % self.open.len()];
                self.tell(JobEvent::Started { index, attempt });
            }
            World::Due(_) | World::Duplicate(_) | World::Start(_) => {}
        }
    }

    fn finish(&mut self) {
        for _ in 0..100_000 {
            if !self.ends.is_empty() {
                return;
            }
            if !self.open.is_empty() {
                self.step(World::Succeed(0));
            } else if !self.waiting.is_empty() {
                self.step(World::Due(0));
            } else if self.binds.pop().is_some() {
                self.tell(JobEvent::Aggregated { missing: vec![] });
            } else {
                return;
            }
        }
    }
}

fn read(shard: Shard) -> ShardResult {
    ShardResult::Done(shard.pages().map(|page| (page, Ok(receipt()))).collect())
}

/// Cases that failed once are run first.
fn with_old_failures() -> ProptestConfig {
    let kept = FileFailurePersistence::Direct("tests/data/regressions/runtime_play.txt");
    ProptestConfig { failure_persistence: Some(Box::new(kept)), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(with_old_failures())]

    /// I1, I2, I4: whatever the order of completions, duplicates, late answers and failures, the job ends once, and
    /// every page is done or declared failed.
    #[test]
    fn i1_i2_i4_every_job_ends_once_with_every_page_accounted_for(
        pages in 1u32..40,
        shard_pages in 1u32..6,
        limited in proptest::option::of(0u32..10),
        worlds in proptest::collection::vec(world(), 0..300),
    ) {
        let mut play = Play::new(pages, shard_pages, limited.map(FailedPagesLimit::Pages));
        for world in worlds {
            play.step(world);
            let counts = play.job.progress().counts;
            prop_assert!(counts.done + counts.failed <= pages);
            prop_assert!(play.ends.len() <= 1);
        }
        play.finish();
        prop_assert_eq!(play.ends.len(), 1, "the job did not end");
        let failed: BTreeSet<u32> = play.job.failures().keys().copied().collect();
        let done = play.job.progress().counts.done;
        match &play.ends[0] {
            JobEnd::Completed => {
                prop_assert_eq!(done as usize + failed.len(), pages as usize);
                if let Some(limit) = limited {
                    prop_assert!(failed.len() <= limit as usize);
                }
            }
            JobEnd::Failed { partial, .. } => {
                prop_assert!(*partial);
                let over = limited.map_or(failed.len() == pages as usize, |limit| failed.len() > limit as usize);
                prop_assert!(over, "failed without a reason");
            }
            JobEnd::Stopped => prop_assert!(false, "it was not stopped"),
        }
        // Paid once a page: duplicates are not counted again. What comes too late for a partial result is paid, too.
        let calls = play.job.progress().usage.calls;
        let most = if matches!(play.ends[0], JobEnd::Completed) { done } else { pages };
        prop_assert!((u64::from(done)..=u64::from(most)).contains(&calls), "{calls} calls, {done} pages done");
        for event in play.past.clone() {
            prop_assert!(play.job.on(event).is_empty(), "a job that is over does nothing");
        }
    }

    /// A stop at any moment ends the job for good: at once, or when what was cut off has told what it cost.
    #[test]
    fn a_stop_is_the_end(pages in 1u32..10, worlds in proptest::collection::vec(world(), 0..40)) {
        let mut play = Play::new(pages, 1, None);
        worlds.into_iter().for_each(|world| play.step(world));
        if play.ends.is_empty() {
            let running: Vec<u32> = play.job.running_pages().collect();
            let mut actions = play.job.on(JobEvent::Stop);
            prop_assert_eq!(actions.remove(0), JobAction::StopAttempts);
            if !running.is_empty() {
                prop_assert!(actions.is_empty() && play.job.on(JobEvent::Stop).is_empty());
                actions = play.job.on(JobEvent::StopNow);
                prop_assert_eq!(actions.remove(0), JobAction::StopAttempts);
            }
            prop_assert_eq!(actions, vec![JobAction::End(JobEnd::Stopped)]);
        }
        prop_assert!(play.job.on(JobEvent::Stop).is_empty() && play.job.on(JobEvent::StopNow).is_empty());
    }
}
