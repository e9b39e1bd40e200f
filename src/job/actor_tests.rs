//! A job between a pool and a supervisor that only listen, in a time that passes when nothing is left to do.

use actix::System;
use tokio::sync::mpsc;
use tokio::time::Instant as PausedInstant;

use super::*;
use crate::document::{DocumentLimits, Readers};
use crate::job::{RetryPolicy, Route};
use crate::pool::work::Plan;
use crate::pool::{PageResult, ShardDone, ShardResult, test_context};
use crate::task::{FindingSet, Usage};

const SAMPLE: &str = "tests/data/sample.pdf";

/// What the pool and the supervisor of a job hear.
enum Heard {
    Work(Enqueue),
    Dropped,
    News(JobNews),
}

struct Neighbour(mpsc::UnboundedSender<Heard>);

impl Actor for Neighbour {
    type Context = Context<Self>;
}

impl Handler<Enqueue> for Neighbour {
    type Result = ();

    fn handle(&mut self, work: Enqueue, _: &mut Context<Self>) {
        let _ = self.0.send(Heard::Work(work));
    }
}

impl Handler<DropJob> for Neighbour {
    type Result = ();

    fn handle(&mut self, _: DropJob, _: &mut Context<Self>) {
        let _ = self.0.send(Heard::Dropped);
    }
}

impl Handler<JobReport> for Neighbour {
    type Result = ();

    fn handle(&mut self, report: JobReport, _: &mut Context<Self>) {
        let _ = self.0.send(Heard::News(report.news));
    }
}

struct World {
    _dir: tempfile::TempDir,
    job: Addr<JobActor>,
    task: TaskId,
    heard: mpsc::UnboundedReceiver<Heard>,
}

impl World {
    /// A job of four pages, one a shard, all of which have gone to the pool.
    async fn running() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let context = test_context(dir.path());
        let task = context.task;
        let route = Route { steps: context.steps.clone(), shard_pages: Some(1) };
        let runtime =
            JobRuntime::new(task, String::new(), String::new(), route, None, RetryPolicy::default(), BTreeMap::new());
        let (sender, heard) = mpsc::unbounded_channel();
        let neighbour = Neighbour(sender).start();
        let pool = JobPool { enqueue: neighbour.clone().recipient(), drop_job: neighbour.clone().recipient() };
        let job = JobActor::new(Arc::new(context), runtime, pool, neighbour.recipient()).start();
        let mut world = Self { _dir: dir, job, task, heard };
        let Heard::Work(plan) = world.next().await else { panic!("it begins with a plan") };
        assert!(matches!(plan.work[..], [Work::Plan]));
        let document = Readers::in_process().open(SAMPLE.as_ref(), None, &DocumentLimits::default()).unwrap();
        let plan = Plan { document: Arc::new(document), pages: (1..=4).collect(), known: Vec::new() };
        world.job.send(PoolEvent::Planned(Ok(plan))).await.unwrap();
        let mut shards = 0;
        while shards == 0 {
            if let Heard::Work(work) = world.next().await {
                shards = work.work.len();
            }
        }
        assert_eq!(shards, 4, "all at once");
        world
    }

    async fn next(&mut self) -> Heard {
        self.heard.recv().await.unwrap()
    }

    async fn news(&mut self) -> JobNews {
        loop {
            if let Heard::News(news) = self.next().await {
                return news;
            }
        }
    }

    fn done(&self, shard: u32) -> PoolEvent {
        let page = PageResult { usage: Usage::default(), findings: FindingSet::default(), view: None };
        let result = ShardResult::Done(vec![(shard + 1, Ok(page))]);
        let (job, spent) = (self.task, Usage::default());
        PoolEvent::ShardDone(ShardDone { job, shard, epoch: 1, attempt: 1, spent, result })
    }
}

fn in_paused_time(test: impl Future<Output = ()>) {
    System::new().block_on(async {
        tokio::time::pause();
        test.await;
    });
}

/// Timers of a paused clock are exact to a millisecond or two.
fn is_about(elapsed: Duration, expected: Duration) -> bool {
    (expected..expected + Duration::from_millis(5)).contains(&elapsed)
}

#[test]
fn many_pages_that_end_together_are_reported_together() {
    in_paused_time(async {
        let mut world = World::running().await;
        // What planning has to report is over.
        tokio::time::sleep(REPORT_EVERY * 2).await;
        while world.heard.try_recv().is_ok() {}
        let begun = PausedInstant::now();
        for shard in 0..3 {
            world.job.send(PoolEvent::Started { index: shard, attempt: 1 }).await.unwrap();
            world.job.send(world.done(shard)).await.unwrap();
        }
        let mut counts = Vec::new();
        while counts.last() != Some(&3) {
            let JobNews::Progress(progress, _) = world.news().await else { panic!("it goes on") };
            counts.push(progress.counts.done);
        }
        assert!(counts.len() <= 3, "the start, the first page, and then all: {counts:?}");
        assert!(is_about(begun.elapsed(), REPORT_EVERY), "{:?}", begun.elapsed());
    });
}

#[test]
fn i8_a_job_that_is_stopped_forgets_its_work_and_waits_for_costs_only_for_a_while() {
    in_paused_time(async {
        let mut world = World::running().await;
        world.job.send(PoolEvent::Started { index: 0, attempt: 1 }).await.unwrap();
        let begun = PausedInstant::now();
        let stopping = world.job.send(StopJob);
        let listening = async {
            let mut dropped = None;
            loop {
                match world.next().await {
                    Heard::Dropped => {
                        dropped.get_or_insert(begun.elapsed());
                    }
                    Heard::News(JobNews::Ended(_, _, end, _)) => break (dropped, end),
                    Heard::News(_) | Heard::Work(_) => {}
                }
            }
        };
        let (stopped, (dropped, end)) = futures::join!(stopping, listening);
        stopped.unwrap();
        assert_eq!((dropped, end), (Some(Duration::ZERO), JobEnd::Stopped));
        assert!(
            is_about(begun.elapsed(), FINAL_USAGE_GRACE),
            "the attempt never says what it cost: {:?}",
            begun.elapsed()
        );
    });
}
