//! A supervisor on a store that behaves as the test wants.

use std::time::Duration;

use futures::StreamExt;
use tokio::sync::watch;
use uuid::Uuid;

use super::messages::{BeginUpload, CancelTask, DeleteTask, RequestError, RetryTask, WatchTask};
use super::records::backup;
use super::test_world::{World, in_system, waiting_record};
use crate::blob::Durability;
use crate::clock::Timestamp;
use crate::ledger::{Ledger, LedgerScope, PageHashes, RecipeHash};
use crate::store::altered::AlteredStore;
use crate::store::{LeaseChange, TaskStore, Update};
use crate::task::{Cost, PageOutput, TaskId, TaskRecord, TaskStatus, TaskStep, test_record};

/// By this machine's own clock an end might be days off, and stay so.
#[test]
fn what_is_cancelled_or_retried_waits_for_the_time_that_the_store_tells() {
    in_system(async {
        let told = Timestamp::now().after(Duration::from_hours(240));
        let waiting = TaskRecord { processor: "another".into(), ..test_record(1) };
        let mut ended = test_record(2);
        ended.take(TaskStep::Cancel, Timestamp::from_millis(3), Duration::from_hours(9_999_999)).unwrap();
        let (time, is_silent) = (Some(told), watch::Sender::new(true));
        let store = AlteredStore { time, is_silent, ..AlteredStore::default() };
        let world = World::with(store, &[&waiting, &ended]).await;
        let cancelled = world.supervisor.send(CancelTask(waiting.id));
        let retried = world.supervisor.send(RetryTask { id: ended.id, max_cost: None });
        world.settle(waiting.id).await;
        world.store.is_silent.send_replace(false);
        let cancelled = cancelled.await.unwrap().unwrap();
        assert!(cancelled.finished_at.unwrap() >= told && cancelled.expires_at.unwrap() > told, "{cancelled:?}");
        let retried = retried.await.unwrap().unwrap();
        assert!(retried.updated_at >= told, "{retried:?}");
    });
}

/// A tenant whose only task turns out to be another process's, or to need a processor that is not here, may bring another.
#[test]
fn a_task_that_is_not_run_here_is_no_burden_for_its_tenant_here() {
    for processor in ["text", "another"] {
        in_system(async {
            let record = TaskRecord { tenant: Some("ann".into()), processor: processor.into(), ..test_record(1) };
            let store = AlteredStore { held: vec![record.id], ..AlteredStore::default() };
            let world = World::with(store, &[&record]).await;
            // It is read to know whose it is, and again to be taken.
            world.store.asked.subscribe().wait_for(|asked| asked.len() >= 2).await.unwrap();
            let begin = || world.supervisor.send(BeginUpload { tenant: Some("ann".into()), bytes: 1 });
            while let Err(refused) = begin().await.unwrap() {
                assert!(matches!(refused, RequestError::OverQuota(_)), "{refused}");
            }
        });
    }
}

/// An earlier version took a model beside a processor that uses none.
#[test]
fn what_was_accepted_once_can_be_retried() {
    in_system(async {
        let mut record = test_record(2);
        record.options.model = Some("m".into());
        record.take(TaskStep::Cancel, Timestamp::now(), Duration::from_hours(1)).unwrap();
        let world = World::with(AlteredStore::default(), &[&record]).await;
        let retry = |max_cost| world.supervisor.send(RetryTask { id: record.id, max_cost });
        let refused = retry(Some(Cost::of(1.0))).await.unwrap();
        assert!(matches!(refused, Err(RequestError::Rejected(_))), "{refused:?}");
        assert_eq!(retry(None).await.unwrap().unwrap().epoch, record.epoch + 1);
    });
}

/// A store that loses its record would have the earlier end come back, and the retry would be forgotten.
#[test]
fn a_retry_whose_backup_finds_no_room_is_refused_and_changes_nothing() {
    in_system(async {
        let mut record = waiting_record("ann");
        record.take(TaskStep::Cancel, Timestamp::now(), Duration::from_hours(1)).unwrap();
        let world = World::with(AlteredStore::default(), &[&record]).await;
        let retry = || world.supervisor.send(RetryTask { id: record.id, max_cost: None });
        let in_its_way = format!("{}/record-2.prepared", record.work_dir);
        world.blob.put(&format!("{in_its_way}/x"), b"", Durability::Cached).unwrap();
        for _ in 0..2 {
            let refused = retry().await.unwrap();
            assert!(matches!(refused, Err(RequestError::StorageFailed(_))), "{refused:?}");
            assert_eq!(world.stored(record.id).await, record);
        }
        std::fs::remove_dir_all(world.blob.path(&in_its_way).unwrap()).unwrap();
        let retried = retry().await.unwrap().unwrap();
        let copy = backup::read(&world.blob, record.id).unwrap().unwrap();
        assert_eq!((copy.status, copy.revision()), (TaskStatus::Pending, retried.revision()));
    });
}

/// Whose pages they were cannot be told when the record and its copies are torn: then a purge would leave some in silence.
#[test]
fn what_cannot_be_read_is_purged_unless_its_pages_may_be_any_tenants() {
    for tenant in [None, Some("ann".to_owned())] {
        in_system(async {
            let [torn, other] = [1, 2].map(test_record);
            let other = TaskRecord { tenant: tenant.clone(), ..other };
            let store = AlteredStore { unreadable: vec![torn.id], held: vec![torn.id], ..AlteredStore::default() };
            let world = World::with(store, &[&torn, &other]).await;
            let (blob, ledger) = (&world.blob, Ledger::new(world.blob.clone()));
            blob.put(&torn.pdf_path, b"pdf", Durability::Cached).unwrap();
            let source = blob.sha256(&torn.pdf_path).unwrap().unwrap();
            let hashes = PageHashes::new(blob.clone(), &torn.work_dir, &source, LedgerScope::SHARED);
            hashes.set(1, None).unwrap();
            hashes.set(2, Some(&[7; 32])).unwrap();
            let keys = [1, 2].map(|page| hashes.page_key(page, RecipeHash::of(&"any")).unwrap());
            keys.iter().for_each(|key| ledger.put(*key, &PageOutput::default(), Durability::Cached).unwrap());
            let purged = world.supervisor.send(DeleteTask { id: torn.id, purge: true }).await.unwrap();
            let is_refused = matches!(purged, Err(RequestError::RecordUnreadable(_)));
            assert_eq!((is_refused, purged.is_ok()), (tenant.is_some(), tenant.is_none()));
            assert_eq!(keys.map(|key| ledger.has(key)), [tenant.is_some(); 2]);
            assert_eq!(blob.path(&torn.pdf_path).unwrap().exists(), tenant.is_some());
        });
    }
}

/// Who watches hears of changes that others make, and of nothing else; and what is not watched any more is not read.
#[test]
fn a_task_that_runs_elsewhere_is_read_while_it_is_watched() {
    in_system(async {
        let elsewhere =
            |id: u64| TaskRecord { owner: Some("two#2".into()), status: TaskStatus::Processing, ..test_record(id) };
        let (watched, left) = (elsewhere(1), elsewhere(2));
        let lease = Some(Duration::from_secs(600));
        let held = vec![watched.id, left.id];
        let world = World::with(AlteredStore { lease, held, ..AlteredStore::default() }, &[&watched, &left]).await;
        let watch = async |id| world.supervisor.send(WatchTask(id)).await.unwrap().unwrap();
        let mut watching = watch(watched.id).await;
        let rounds = |count: usize| {
            let (mut asked, seen) = (world.store.asked.subscribe(), world.store.asked.borrow().len());
            let is_over =
                move |asked: &Vec<TaskId>| asked[seen..].iter().filter(|id| **id == watched.id).count() >= count;
            async move { asked.wait_for(is_over).await.map(drop).unwrap() }
        };
        rounds(1).await;
        assert_eq!(watching.next().await.unwrap().revision(), watched.revision(), "as it is at first");
        // After the first rounds of the janitor, which forgets those without listeners.
        drop(watch(left.id).await);
        let asked = world.store.asked.borrow().len();
        rounds(2).await;
        let asked = world.store.asked.borrow()[asked..].to_vec();
        assert!(asked.iter().all(|id| *id == watched.id), "the other one is not watched");
        assert!(futures::FutureExt::now_or_never(watching.next()).is_none(), "nothing has changed");
        let mut next = watched.clone();
        next.take(TaskStep::Complete, Timestamp::now(), Duration::from_hours(1)).unwrap();
        next.version += 1;
        let (expected, operation) = (watched.revision(), Uuid::now_v7());
        let update = Update { expected, next: next.clone(), operation, lease: LeaseChange::Release };
        world.store.store.update(&update).await.unwrap();
        assert_eq!(watching.next().await, Some(next));
    });
}
