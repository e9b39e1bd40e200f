//! What a tenant may have on all servers together.

use std::time::Duration;

use uuid::Uuid;

use super::{apply, creating};
use crate::store::{Created, Holding, RequestRate, Reservation, TaskStore};
use crate::task::{Source, TaskId, TaskRecord, TaskStep, test_record};

const MOST: Holding = Holding { tasks: 3, pages: 25, bytes: 1_000 };

/// A task of `tenant` with so many pages and bytes that is about to be written.
fn asked(tenant: &str, pages: u32, bytes: u64) -> (Reservation, TaskRecord) {
    let new = test_record(1_000);
    let source = Source { bytes, ..new.source.clone() };
    let record = TaskRecord { tenant: Some(tenant.into()), total_pages: Some(pages), source, ..new };
    let more = Holding { tasks: 1, pages: pages.into(), bytes };
    (Reservation { tenant: tenant.into(), task: record.id, more, most: MOST }, record)
}

pub(super) async fn a_tenant_has_no_more_unfinished_than_it_may(store: &impl TaskStore) {
    let tenant = format!("tenant {}", Uuid::now_v7());
    let (first, record) = asked(&tenant, 10, 100);
    assert_eq!(store.reserve(&first).await.unwrap(), None);
    assert_eq!(store.reserve(&first).await.unwrap(), None, "the same again has no second effect");
    assert_eq!(store.create(&creating(&record)).await.unwrap(), Created::New);
    let (second, _) = asked(&tenant, 10, 200);
    assert_eq!(store.reserve(&second).await.unwrap(), None);
    let held = Holding { tasks: 2, pages: 20, bytes: 300 };
    for (pages, bytes) in [(6, 1), (1, 701)] {
        let (more, _) = asked(&tenant, pages, bytes);
        assert_eq!(store.reserve(&more).await.unwrap(), Some(held), "{pages} pages, {bytes} bytes");
    }
    let (other, _) = asked(&format!("other {tenant}"), 25, 1_000);
    assert_eq!(store.reserve(&other).await.unwrap(), None, "each has its own");
    let (fits, _) = asked(&tenant, 5, 700);
    assert_eq!(store.reserve(&fits).await.unwrap(), None);
    let (one_more, _) = asked(&tenant, 0, 0);
    assert_eq!(store.reserve(&one_more).await.unwrap(), Some(Holding { tasks: 3, pages: 25, bytes: 1_000 }));
    // What came to nothing goes, what is there stays until it ends.
    for task in [second.task, fits.task, record.id] {
        store.unreserve(&tenant, task).await.unwrap();
    }
    let (large, _) = asked(&tenant, 16, 0);
    assert_eq!(store.reserve(&large).await.unwrap(), Some(Holding { tasks: 1, pages: 10, bytes: 100 }));
    let begun = apply(store, &record, TaskStep::Dispatch).await;
    assert_eq!(store.reserve(&large).await.unwrap(), Some(Holding { tasks: 1, pages: 10, bytes: 100 }), "once");
    let ended = apply(store, &begun, TaskStep::Complete).await;
    assert_eq!(store.reserve(&large).await.unwrap(), None);
    store.delete(ended.id, None).await.unwrap();
    store.unreserve(&tenant, large.task).await.unwrap();
    store.unreserve(&other.tenant, other.task).await.unwrap();
}

pub(super) async fn of_racing_submits_as_many_are_admitted_as_may_be(store: &impl TaskStore) {
    let tenant = format!("tenant {}", Uuid::now_v7());
    let all: Vec<Reservation> = (0..20).map(|_| asked(&tenant, 1, 1).0).collect();
    let answers = futures::future::join_all(all.iter().map(|asked| store.reserve(asked))).await;
    let admitted = |answer: &Result<Option<Holding>, _>| matches!(answer, Ok(None));
    let ids: Vec<TaskId> = all.iter().zip(&answers).filter(|(_, a)| admitted(a)).map(|(r, _)| r.task).collect();
    assert_eq!(ids.len(), 3);
    for id in ids {
        store.unreserve(&tenant, id).await.unwrap();
    }
}

/// A task may be written by a server that reserves nothing, and deleted before it ends.
pub(super) async fn what_was_not_reserved_counts_and_what_is_deleted_does_not(store: &impl TaskStore) {
    let tenant = format!("tenant {}", Uuid::now_v7());
    let (_, record) = asked(&tenant, 20, 100);
    store.create(&creating(&record)).await.unwrap();
    let (more, _) = asked(&tenant, 10, 100);
    assert_eq!(store.reserve(&more).await.unwrap(), Some(Holding { tasks: 1, pages: 20, bytes: 100 }));
    store.delete(record.id, None).await.unwrap();
    assert_eq!(store.reserve(&more).await.unwrap(), None);
    store.unreserve(&tenant, more.task).await.unwrap();
}

/// Of a store that counts them.
pub(super) async fn a_tenant_makes_no_more_requests_than_it_may(store: &impl TaskStore) {
    let [ann, bob] = ["ann", "bob"].map(|name| format!("{name} {}", Uuid::now_v7()));
    // So slow that none comes free while this runs.
    let rate = RequestRate::new(Duration::from_secs(1_200), 3);
    let asked = futures::future::join_all((0..10).map(|_| store.count_request(&ann, rate))).await;
    let early: Vec<Duration> = asked.into_iter().map(|answer| answer.unwrap().unwrap()).collect();
    assert_eq!(early.iter().filter(|early| early.is_zero()).count(), 3, "{early:?}");
    let minutes = Duration::from_mins(15)..=Duration::from_mins(20);
    assert!(early.iter().all(|early| early.is_zero() || minutes.contains(early)), "{early:?}");
    assert_eq!(store.count_request(&bob, rate).await.unwrap(), Some(Duration::ZERO), "each has its own");
    // One that comes often enough: no more at once than come free.
    let rate = RequestRate::new(Duration::from_millis(20), 1);
    let one = format!("cid {}", Uuid::now_v7());
    assert_eq!(store.count_request(&one, rate).await.unwrap(), Some(Duration::ZERO));
    loop {
        match store.count_request(&one, rate).await.unwrap().unwrap() {
            Duration::ZERO => break,
            early => assert!(early <= Duration::from_millis(20), "{early:?}"),
        }
    }
}
