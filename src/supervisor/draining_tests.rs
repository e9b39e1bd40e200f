//! Which tasks get a place, and what a service that goes down still does.

use std::time::Duration;

use futures::StreamExt;

use super::messages::{Accepted, BeginUpload, CheckReady, DrainTasks, RequestError, RetryTask, SubmitTask, WatchTask};
use super::test_world::{World, in_system, waiting_record};
use super::{SupervisorOptions, TenantLimits, UploadSlot};
use crate::clock::Timestamp;
use crate::store::altered::AlteredStore;
use crate::task::{TaskOptions, TaskRecord, TaskStatus, TaskStep};

const LEASE: Option<Duration> = Some(Duration::from_millis(600));

fn limited(tenant: TenantLimits) -> SupervisorOptions {
    SupervisorOptions { tenant, ..SupervisorOptions::default() }
}

fn ended(tenant: &str) -> TaskRecord {
    let mut record = waiting_record(tenant);
    record.take(TaskStep::Cancel, Timestamp::now(), Duration::from_hours(1)).unwrap();
    record
}

impl World {
    async fn begin(&self, tenant: &str) -> Result<UploadSlot, RequestError> {
        self.supervisor.send(BeginUpload { tenant: Some(tenant.into()), bytes: 1 }).await.unwrap()
    }

    /// Submits a PDF of twelve pages.
    async fn submit(&self, tenant: &str, upload: Option<UploadSlot>) -> Result<Accepted, RequestError> {
        let mut staging = self.blob.stage().unwrap();
        staging.write(include_bytes!("../../tests/data/sample.pdf")).unwrap();
        let mut options = TaskOptions::default();
        options.set("processor", "scripted").unwrap();
        options.set("reuse", "false").unwrap();
        let (source, tenant) = (staging.finish(), Some(tenant.to_owned()));
        let submit = SubmitTask { source, file_name: None, options, idempotency_key: None, tenant, upload };
        self.supervisor.send(submit).await.unwrap()
    }

    async fn retry(&self, record: &TaskRecord) -> Result<TaskRecord, RequestError> {
        self.supervisor.send(RetryTask { id: record.id, max_cost: None }).await.unwrap()
    }
}

/// Where others are on the same store one of them goes on at once; a store of this process alone waits for its next start.
#[test]
fn what_is_stopped_is_handed_back_and_not_taken_up_again() {
    for lease in [None, LEASE] {
        in_system(async {
            let (record, next) = (waiting_record("ann"), waiting_record("ben"));
            let options = SupervisorOptions { max_active: 1, ..SupervisorOptions::default() };
            let store = AlteredStore { lease, ..AlteredStore::default() };
            let mut world = World::with_options(store, options, &[&record, &next]).await;
            world.begun(record.id).await;
            world.supervisor.send(DrainTasks { stop_jobs: true }).await.unwrap();
            let stored = world.stored(record.id).await;
            assert_eq!((stored.status, stored.epoch), (TaskStatus::Processing, 2));
            assert_eq!(stored.owner.is_none(), lease.is_some());
            world.in_flight.wait_for(|count| *count == 0).await.unwrap();
            if lease.is_some() {
                world.renewed(3).await;
                assert_eq!(world.health().await.running, 0);
            }
            world.settle(record.id).await;
            assert_eq!((world.stored(record.id).await, world.stored(next.id).await), (stored, next));
        });
    }
}

#[test]
fn a_service_that_goes_down_keeps_what_it_knows_and_takes_nothing_more() {
    in_system(async {
        let (record, over) = (waiting_record("ann"), ended("ben"));
        let mut world =
            World::with_options(AlteredStore::default(), limited(TenantLimits::default()), &[&record, &over]).await;
        world.begun(record.id).await;
        let upload = world.begin("ben").await.unwrap();
        let mut watch = world.supervisor.send(WatchTask(record.id)).await.unwrap().unwrap();
        world.first.open();
        while watch.record().counts.done < 3 {
            watch.next().await.unwrap();
        }
        world.supervisor.send(DrainTasks { stop_jobs: false }).await.unwrap();
        assert_eq!(world.stored(record.id).await.counts.done, 3, "without waiting for its moment");
        for refused in [
            world.begin("ben").await.map(drop),
            world.submit("ben", None).await.map(drop),
            world.submit("ben", Some(upload)).await.map(drop),
            world.retry(&over).await.map(drop),
            world.supervisor.send(CheckReady).await.unwrap().map(drop),
        ] {
            assert!(matches!(refused, Err(RequestError::Stopping)), "{refused:?}");
        }
        world.rest.open();
        assert_eq!(watch.last().await.unwrap().status, TaskStatus::Completed, "what runs may end");
    });
}

/// No tenant can take all places, or exceed its quota by retrying tasks that have ended.
#[test]
fn a_retried_task_counts_as_one_that_was_submitted() {
    in_system(async {
        let (record, first, second) = (waiting_record("ann"), ended("ann"), ended("ann"));
        let elsewhere = TaskRecord { processor: "another".into(), ..ended("ben") };
        let limits = TenantLimits { running: 1, tasks: 2, ..TenantLimits::default() };
        let records = [&record, &first, &second, &elsewhere];
        let mut world = World::with_options(AlteredStore::default(), limited(limits), &records).await;
        world.begun(record.id).await;
        assert!(matches!(world.retry(&record).await, Err(RequestError::NotFinal)));
        let waits = world.retry(&first).await.unwrap();
        assert_eq!((waits.status, waits.epoch, waits.owner.as_deref()), (TaskStatus::Pending, 2, None));
        let refused = world.retry(&second).await;
        assert!(matches!(refused, Err(RequestError::OverQuota(_))), "{refused:?}");
        assert_eq!(world.stored(second.id).await, second);
        assert_eq!(world.retry(&elsewhere).await.unwrap().owner, None, "its processor is not here");
        let watch = world.supervisor.send(WatchTask(first.id)).await.unwrap().unwrap();
        world.first.open();
        world.rest.open();
        assert_eq!(watch.last().await.unwrap().status, TaskStatus::Completed);
        let again = world.retry(&second).await.unwrap();
        assert_eq!((again.owner.as_deref(), again.epoch), (Some("one#1"), 2), "there is room, and a place");
    });
}

#[test]
fn a_submitted_task_has_its_place_from_the_first_moment_or_waits() {
    in_system(async {
        let limits = TenantLimits { running: 1, tasks: 2, pages: 24, ..TenantLimits::default() };
        let world = World::with_options(AlteredStore::default(), limited(limits), &[]).await;
        let upload = world.begin("ann").await.unwrap();
        let (second, third) = (world.begin("ann").await.unwrap(), world.begin("ann").await);
        assert!(matches!(third, Err(RequestError::OverQuota(_))));
        let runs = world.submit("ann", Some(upload)).await.unwrap();
        let waits = world.submit("ann", Some(second)).await.unwrap();
        let owners = [&runs, &waits].map(|accepted| accepted.record.owner.as_deref());
        assert_eq!((owners, runs.reused), ([Some("one#1"), None], false));
        assert!(matches!(world.submit("ann", None).await, Err(RequestError::OverQuota(_))));
        let other = world.submit("ben", None).await.unwrap();
        assert_eq!(other.record.owner.as_deref(), Some("one#1"));
        let health = world.health().await;
        assert_eq!((health.running, health.waiting), (2, 1));
        world.first.open();
        world.rest.open();
        for accepted in [runs, waits, other] {
            let watch = world.supervisor.send(WatchTask(accepted.record.id)).await.unwrap().unwrap();
            assert_eq!(watch.last().await.unwrap().status, TaskStatus::Completed);
        }
    });
}

/// How many pages a PDF has is known only when it is in.
#[test]
fn a_pdf_with_more_pages_than_its_tenant_may_have_leaves_nothing() {
    in_system(async {
        let limits = TenantLimits { tasks: 1, pages: 11, ..TenantLimits::default() };
        let world = World::with_options(AlteredStore::default(), limited(limits), &[]).await;
        for _ in 0..2 {
            let upload = world.begin("ann").await.unwrap();
            let refused = world.submit("ann", Some(upload)).await;
            assert!(matches!(refused, Err(RequestError::OverQuota(_))), "{refused:?}");
        }
        assert_eq!(world.blob.names("tasks").unwrap(), Vec::<String>::new());
        let health = world.health().await;
        assert_eq!((health.running, health.waiting), (0, 0));
    });
}

/// Running, waiting, and on their way in: each counts for the whole service.
#[test]
fn a_service_that_has_as_much_as_it_may_have_takes_nothing_more() {
    in_system(async {
        let (runs, waits, over) = (waiting_record("ann"), waiting_record("ben"), ended("cem"));
        let options = SupervisorOptions { max_active: 1, max_queued: 6, ..SupervisorOptions::default() };
        let mut world = World::with_options(AlteredStore::default(), options, &[&runs, &waits, &over]).await;
        world.begun(runs.id).await;
        let mut uploads = Vec::new();
        for _ in 0..4 {
            uploads.push(world.begin("dan").await.unwrap());
        }
        for refused in [
            world.begin("dan").await.map(drop),
            world.submit("dan", None).await.map(drop),
            world.retry(&over).await.map(drop),
        ] {
            assert!(matches!(refused, Err(RequestError::QueueFull)), "{refused:?}");
        }
        let accepted = world.submit("dan", uploads.pop()).await.unwrap();
        assert_eq!((accepted.record.owner, accepted.reused), (None, false), "it was let in before, and waits");
        assert!(matches!(world.begin("dan").await, Err(RequestError::QueueFull)));
        drop(uploads.pop());
        assert!(world.begin("dan").await.is_ok());
    });
}
