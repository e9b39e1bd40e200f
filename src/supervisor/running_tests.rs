//! What is seen of a job while it runs, and when its task is let go of.

use std::time::Duration;

use futures::StreamExt;
use uuid::Uuid;

use super::messages::{BeginUpload, CancelTask, DrainTasks, FollowTask, GetTask, ListTasks, RequestError, WatchTask};
use super::records::backup;
use super::test_world::{World, in_system, waiting_record};
use super::{SupervisorOptions, TenantLimits};
use crate::blob::Durability;
use crate::clock::Timestamp;
use crate::job::{JobNews, JobProgress, JobReport};
use crate::ledger::PurgeList;
use crate::store::altered::AlteredStore;
use crate::store::{LeaseChange, ListQuery, StoreError, TaskStore, Update};
use crate::task::{PageStatus, PageView, TaskId, TaskRecord, TaskStatus, TaskStep};

const LEASE: Option<Duration> = Some(Duration::from_millis(600));

/// With a place for one job.
fn one_place() -> SupervisorOptions {
    let tenant = TenantLimits { tasks: 1, ..TenantLimits::default() };
    SupervisorOptions { max_active: 1, tenant, ..SupervisorOptions::default() }
}

impl World {
    async fn seen(&self, id: TaskId) -> TaskRecord {
        self.supervisor.send(GetTask(id)).await.unwrap().unwrap()
    }

    /// Another process writes the record.
    async fn write(&self, id: TaskId, change: impl Fn(&mut TaskRecord)) -> TaskRecord {
        loop {
            let stored = self.stored(id).await;
            let mut next = TaskRecord { version: stored.version + 1, ..stored.clone() };
            change(&mut next);
            let (expected, operation) = (stored.revision(), Uuid::now_v7());
            let update = Update { expected, next: next.clone(), operation, lease: LeaseChange::Keep };
            match self.store.store.update(&update).await {
                Ok(()) => return next,
                Err(why) => assert!(matches!(why, StoreError::Conflict(_)), "{why}"),
            }
        }
    }
}

/// A store that is unavailable must not make a job look as if it stood still, nor ended before its end is kept.
#[test]
fn progress_is_shown_before_it_is_stored_and_an_end_is_not() {
    in_system(async {
        let record = waiting_record("ann");
        let id = record.id;
        let mut world = World::with(AlteredStore::default(), &[&record]).await;
        world.begun(id).await;
        let mut watch = world.supervisor.send(WatchTask(id)).await.unwrap().unwrap();
        world.store.is_unavailable.send_replace(true);
        world.first.open();
        while watch.record().counts.done < 3 {
            assert_eq!(watch.next().await.unwrap().status, TaskStatus::Processing);
        }
        let older = JobReport { task: id, epoch: 1, news: JobNews::Progress(JobProgress::default(), Vec::new()) };
        world.supervisor.send(older).await.unwrap();
        let seen = world.seen(id).await;
        assert_eq!((seen.counts.done, seen.usage.calls, seen.status), (3, 3, TaskStatus::Processing));
        let listed = world.supervisor.send(ListTasks(ListQuery { limit: 9, ..ListQuery::default() })).await.unwrap();
        assert_eq!(listed.unwrap().tasks, [seen]);
        assert_eq!(world.stored(id).await.counts.done, 0);

        world.rest.open();
        while world.seen(id).await.counts.done < 12 {}
        world.in_flight.wait_for(|count| *count == 0).await.unwrap();
        world.settle(id).await;
        let seen = world.seen(id).await;
        assert_eq!((seen.usage.calls, seen.status, seen.finished_at), (12, TaskStatus::Processing, None));
        assert_eq!(seen.owner.as_deref(), Some("one#1"));
        world.store.is_unavailable.send_replace(false);
        let ended = watch.last().await.unwrap();
        assert_eq!((ended.status, ended.counts.done), (TaskStatus::Completed, 12));
        assert_eq!(world.stored(id).await, ended);
        assert_eq!(backup::read(&world.blob, id).unwrap(), Some(ended));
    });
}

/// What this process believes of a task says nothing once another process has it, or it has ended.
#[test]
fn what_others_have_stored_is_not_covered_by_what_runs_here() {
    for step in [TaskStep::Requeue, TaskStep::Cancel] {
        in_system(async {
            let record = waiting_record("ann");
            let id = record.id;
            let mut world = World::with(AlteredStore::default(), &[&record]).await;
            world.begun(id).await;
            let mut watch = world.supervisor.send(WatchTask(id)).await.unwrap().unwrap();
            world.first.open();
            while watch.record().counts.done < 3 {
                watch.next().await.unwrap();
            }
            let theirs = world.write(id, |next| {
                next.take(step, Timestamp::now(), Duration::from_hours(1)).unwrap();
                next.counts.done = 5;
            });
            let theirs = theirs.await;
            assert_eq!(world.seen(id).await, theirs, "{step:?}");
            // What it writes is refused by now, and nothing waits for that.
            world.rest.open();
            world.supervisor.send(DrainTasks { stop_jobs: true }).await.unwrap();
            assert_eq!(world.stored(id).await, theirs, "{step:?}");
        });
    }
}

#[test]
fn who_follows_a_task_is_shown_each_of_its_pages_once() {
    in_system(async {
        let record = waiting_record("ann");
        let id = record.id;
        let mut world = World::with(AlteredStore::default(), &[&record]).await;
        world.begun(id).await;
        let mut follow = world.supervisor.send(FollowTask(id)).await.unwrap().unwrap();
        let older = vec![PageView::unfinished(99, PageStatus::Failed)];
        let older = JobReport { task: id, epoch: 1, news: JobNews::Progress(JobProgress::default(), older) };
        world.supervisor.send(older).await.unwrap();
        world.first.open();
        world.rest.open();
        let mut pages = Vec::new();
        while let Ok(some) = follow.pages.recv().await {
            assert!(!some.is_empty(), "no listener is woken for nothing");
            pages.extend(some.iter().map(|page| page.page));
        }
        pages.sort_unstable();
        assert!(pages.into_iter().eq(1..=12), "and the feed ends with the task");
    });
}

/// The process that takes a task over pays for its pages: here nothing goes on, and there is room for another task.
#[test]
fn a_task_that_is_taken_over_is_let_go_of_and_the_next_one_begins() {
    in_system(async {
        let (record, next) = (waiting_record("ann"), waiting_record("ben"));
        let id = record.id;
        let mut world = World::with_options(
            AlteredStore { lease: LEASE, ..AlteredStore::default() },
            one_place(),
            &[&record, &next],
        )
        .await;
        world.begun(id).await;
        assert_eq!((world.health().await.running, world.stored(next.id).await.owner), (1, None));
        let begin = || world.supervisor.send(BeginUpload { tenant: Some("ann".into()), bytes: 1 });
        assert!(begin().await.unwrap().is_err(), "she has her task");
        let take = |next: &mut TaskRecord| (next.epoch, next.owner) = (next.epoch + 1, Some("two#1".into()));
        let theirs = world.write(id, take).await;
        let mut watch = world.supervisor.send(WatchTask(next.id)).await.unwrap().unwrap();
        while watch.record().status == TaskStatus::Pending {
            watch.next().await.unwrap();
        }
        assert!(begin().await.unwrap().is_ok(), "it counts for her where it runs");
        assert_eq!((world.health().await.running, world.stored(id).await), (1, theirs));
        world.in_flight.wait_for(|count| *count == 2).await.unwrap();
        world.first.open();
        world.rest.open();
        assert_eq!(watch.last().await.unwrap().status, TaskStatus::Completed);
    });
}

/// A caller cancels through another process, which can only write down that it is wanted.
#[test]
fn a_cancel_that_another_process_was_asked_for_is_heard_by_the_owner() {
    in_system(async {
        let record = waiting_record("ann");
        let id = record.id;
        let mut world = World::with(AlteredStore { lease: LEASE, ..AlteredStore::default() }, &[&record]).await;
        world.begun(id).await;
        let watch = world.supervisor.send(WatchTask(id)).await.unwrap().unwrap();
        world.write(id, |next| next.cancel_requested = true).await;
        let ended = watch.last().await.unwrap();
        assert_eq!((ended.status, ended.epoch), (TaskStatus::Cancelled, 2));
        world.in_flight.wait_for(|count| *count == 0).await.unwrap();
    });
}

/// The store was restored to older data, or lost its last writes; or the task was deleted while this process slept.
#[test]
fn a_record_that_is_lost_under_a_running_job_is_made_again_unless_it_was_deleted() {
    for (newest, comes_back) in [(Some(2), true), (Some(3), false), (None, false)] {
        in_system(async {
            let record = waiting_record("ann");
            let id = record.id;
            let mut world = World::with(AlteredStore { lease: LEASE, ..AlteredStore::default() }, &[&record]).await;
            world.begun(id).await;
            let stored = world.stored(id).await;
            match newest {
                Some(epoch) => {
                    backup::keep(&world.blob, &TaskRecord { epoch, ..stored.clone() }, Durability::Cached).unwrap();
                }
                None => backup::forget(&world.blob, id).unwrap(),
            }
            world.store.store.delete(id, None).await.unwrap();
            if comes_back {
                while world.store.store.get(id).await.is_err() {
                    world.renewed(1).await;
                }
                let again = world.stored(id).await;
                assert_eq!((again.epoch, again.owner), (stored.epoch, stored.owner));
                let watch = world.supervisor.send(WatchTask(id)).await.unwrap().unwrap();
                world.first.open();
                world.rest.open();
                assert_eq!(watch.last().await.unwrap().status, TaskStatus::Completed);
            } else {
                world.in_flight.wait_for(|count| *count == 0).await.unwrap();
            }
        });
    }
}

/// A store that finds out too late that it lost a record gets it back from the process that asks for it.
#[test]
fn a_lost_record_is_answered_for_by_its_copy() {
    in_system(async {
        let lease = Some(Duration::from_secs(600));
        let world = World::with(AlteredStore { lease, ..AlteredStore::default() }, &[]).await;
        let (waiting, mut ended, mut expired) = (waiting_record("ann"), waiting_record("ann"), waiting_record("ann"));
        world.settle(waiting.id).await;
        let ttl = SupervisorOptions::default().ttl;
        ended.take(TaskStep::Complete, Timestamp::now(), ttl).unwrap();
        expired.take(TaskStep::Complete, Timestamp::now().before(ttl * 2), ttl).unwrap();
        for record in [&waiting, &ended, &expired] {
            world.blob.put(&record.pdf_path, b"pdf", Durability::Cached).unwrap();
            backup::keep(&world.blob, record, Durability::Cached).unwrap();
        }
        let get = async |record: &TaskRecord| world.supervisor.send(GetTask(record.id)).await.unwrap();
        assert!(matches!(get(&waiting).await, Err(RequestError::StoreUnavailable(_))));
        assert_eq!(get(&ended).await.unwrap(), ended);
        assert_eq!(world.stored(ended.id).await, ended, "it is there again");
        assert!(matches!(get(&expired).await, Err(RequestError::NotFound)));
        assert!(matches!(get(&waiting_record("ann")).await, Err(RequestError::NotFound)));
    });
}

/// No other process may run them either, so the operator has to be told.
#[test]
fn tasks_that_cannot_be_run_here_are_among_the_warnings() {
    for is_torn in [false, true] {
        in_system(async {
            let torn = waiting_record("ann");
            let foreign = TaskRecord { processor: "another".into(), ..waiting_record("ben") };
            let unreadable = if is_torn { vec![torn.id] } else { Vec::new() };
            let store = AlteredStore { unreadable, ..AlteredStore::default() };
            let world = World::with(store, &[&torn, &foreign]).await;
            let said = async |what: &str| world.health().await.warnings.iter().any(|said| said.contains(what));
            while !said("1 tasks wait for a server with the processor \"another\"").await {}
            world.settle(foreign.id).await;
            while is_torn && !said("1 unfinished tasks have records that this version cannot read").await {}
            assert_eq!(said("cannot read").await, is_torn);
        });
    }
}

/// The janitor forgets watchers that have gone, and no others.
#[test]
fn who_watches_hears_of_the_end_however_many_rounds_the_janitor_makes() {
    in_system(async {
        let (runs, waits) =
            (waiting_record("ann"), TaskRecord { processor: "another".into(), ..waiting_record("ben") });
        let janitor_tick = Duration::from_millis(10);
        let options = SupervisorOptions { janitor_tick, ..SupervisorOptions::default() };
        let mut world = World::with_options(AlteredStore::default(), options, &[&runs, &waits]).await;
        world.begun(runs.id).await;
        let mut follow = world.supervisor.send(FollowTask(runs.id)).await.unwrap().unwrap();
        let watch = world.supervisor.send(WatchTask(waits.id)).await.unwrap().unwrap();
        let mut swept = world.store.swept.subscribe();
        let until = *swept.borrow() + 3;
        swept.wait_for(|count| *count >= until).await.unwrap();
        world.supervisor.send(CancelTask(waits.id)).await.unwrap().unwrap();
        assert_eq!(watch.last().await.unwrap().status, TaskStatus::Cancelled);
        world.first.open();
        assert!(!follow.pages.recv().await.unwrap().is_empty());
        world.rest.open();
        assert_eq!(follow.watch.last().await.unwrap().status, TaskStatus::Completed);
    });
}

/// By a process that died before it got further than the note of it.
#[test]
fn a_purge_that_was_begun_is_finished() {
    in_system(async {
        let mut record = waiting_record("ann");
        record.take(TaskStep::Cancel, Timestamp::now(), SupervisorOptions::default().ttl).unwrap();
        let janitor_tick = Duration::from_millis(10);
        let options = SupervisorOptions { janitor_tick, ..SupervisorOptions::default() };
        let world = World::with_options(AlteredStore::default(), options, &[&record]).await;
        PurgeList::default().begin(&world.blob, record.id).unwrap();
        while !PurgeList::unfinished(&world.blob, Timestamp::now()).unwrap().is_empty() {
            world.settle(record.id).await;
        }
        assert!(matches!(world.store.store.get(record.id).await, Err(StoreError::NotFound)));
        assert!(!world.blob.path(&record.pdf_path).unwrap().exists());
    });
}
