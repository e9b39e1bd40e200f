//! Who may own a task, and until when.

use std::time::Duration;

use uuid::Uuid;

use super::{AN_HOUR, apply, create, step};
use crate::clock::Timestamp;
use crate::store::{LeaseChange, Renewal, StoreError, TaskStore, Update};
use crate::task::{TaskRecord, TaskStep, test_record};

/// The update by which `owner` takes the task over.
fn claim(record: &TaskRecord, owner: &str) -> Update {
    let mut update = step(record, TaskStep::Requeue);
    update.next.owner = Some(owner.into());
    update.lease = LeaseChange::Hold;
    update
}

pub(super) async fn of_racing_owners_one_wins(store: &impl TaskStore) {
    for _ in 0..20 {
        let open = create(store, 1_000).await;
        let (mut one, mut two) = (step(&open, TaskStep::Requeue), step(&open, TaskStep::Requeue));
        for (update, owner) in [(&mut one, "one#1"), (&mut two, "two#1")] {
            update.next.owner = Some(owner.into());
            update.lease = LeaseChange::Hold;
        }
        let (first, second) = futures::join!(store.update(&one), store.update(&two));
        let winner = match (first, second) {
            (Ok(()), Err(StoreError::Conflict(_))) => one.next,
            (Err(StoreError::Conflict(_)), Ok(())) => two.next,
            other => panic!("exactly one owner must win: {other:?}"),
        };
        assert_eq!(store.get(open.id).await.unwrap(), winner);
        store.delete(open.id, None).await.unwrap();
    }
}

pub(super) async fn finds_what_no_process_runs(store: &impl TaskStore) {
    let mut ids = Vec::new();
    for created in [3_000, 1_000, 2_000] {
        ids.push(create(store, created).await);
    }
    let begun = apply(store, &ids[0], TaskStep::Dispatch).await;
    let ended = create(store, 500).await;
    apply(store, &ended, TaskStep::Complete).await;
    let found = store.unclaimed("one#1", 10).await.unwrap();
    assert_eq!(found, [ids[1].id, ids[2].id, begun.id], "unfinished, oldest first");
    assert_eq!(store.unclaimed("one#1", 2).await.unwrap(), found[..2]);
    for id in ids.iter().map(|record| record.id).chain([ended.id]) {
        store.delete(id, None).await.unwrap();
    }
}

/// As far as it keeps them: where only one process uses the store nothing is kept.
pub(super) async fn living_owners_are_known_by_what_they_said(store: &impl TaskStore) {
    let said = async || {
        let mut nodes = store.nodes().await.unwrap();
        nodes.sort();
        nodes
    };
    let node = |owner: &str, about: &str| (owner.to_owned(), about.to_owned());
    for owner in ["one#1", "two#1"] {
        store.renew(owner, &[]).await.unwrap();
        store.announce(owner, "first").await.unwrap();
    }
    store.announce("one#1", "second").await.unwrap();
    // It never renewed anything.
    store.announce("dead#1", "gone").await.unwrap();
    assert_eq!(said().await, [node("one#1", "second"), node("two#1", "first")]);
    store.leave("two#1").await.unwrap();
    assert_eq!(said().await, [node("one#1", "second")]);
    store.announce("one#1", "third").await.unwrap();
    assert_eq!(said().await, [node("one#1", "third")]);
    store.leave("one#1").await.unwrap();
    assert!(said().await.is_empty());
}

pub(super) async fn renews_only_for_the_owner_of_the_epoch(store: &impl TaskStore) {
    let open = create(store, 1_000).await;
    let claimed = claim(&open, "one#1");
    store.update(&claimed).await.unwrap();
    let absent = test_record(1).id;
    let epoch = claimed.next.epoch;
    let renewed = store.renew("one#1", &[(open.id, epoch), (open.id, epoch - 1), (absent, 1)]).await.unwrap();
    let held = Renewal::Held { revision: claimed.next.revision(), cancel_requested: false };
    assert_eq!(renewed.tasks, [held, Renewal::Lost, Renewal::Missing]);
    let off = renewed.time.since(Timestamp::now()).max(Timestamp::now().since(renewed.time));
    assert!(off < AN_HOUR, "a store tells the time: {:?}", renewed.time);

    let mut asking = claimed.next.clone();
    asking.cancel_requested = true;
    asking.version += 1;
    let asked = Update {
        expected: claimed.next.revision(),
        next: asking.clone(),
        operation: Uuid::now_v7(),
        lease: LeaseChange::Keep,
    };
    store.update(&asked).await.unwrap();
    let held = Renewal::Held { revision: asking.revision(), cancel_requested: true };
    assert_eq!(store.renew("one#1", &[(open.id, epoch)]).await.unwrap().tasks, [held]);
    let ended = apply(store, &asking, TaskStep::Cancel).await;
    assert_eq!(store.renew("one#1", &[(open.id, epoch)]).await.unwrap().tasks, [Renewal::Lost]);
    store.delete(ended.id, None).await.unwrap();
}

pub(super) async fn a_lease_keeps_others_out_until_it_ends(store: &impl TaskStore, lease: Duration) {
    let open = create(store, 1_000).await;
    let first = claim(&open, "one#1");
    store.update(&first).await.unwrap();
    let taking = claim(&first.next, "two#1");
    assert!(matches!(store.update(&taking).await, Err(StoreError::Held)));
    assert_eq!(store.get(open.id).await.unwrap(), first.next);
    assert!(store.unclaimed("two#1", 10).await.unwrap().is_empty());
    assert_eq!(store.unclaimed("one#2", 10).await.unwrap(), [open.id], "its own node knows that it is dead");
    assert_eq!(store.renew("two#1", &[]).await.unwrap().others, 1);

    // It ends by itself: wait for that, not for a time.
    let ended = tokio::time::timeout(lease * 3, async {
        while store.unclaimed("two#1", 10).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    });
    ended.await.expect("a lease that is not renewed ends");
    // Until another owner takes it over, its own may come back.
    let back = store.renew("one#1", &[(open.id, first.next.epoch)]).await.unwrap();
    assert!(matches!(back.tasks[..], [Renewal::Held { .. }]), "{back:?}");
    let successor = claim(&first.next, "one#2");
    store.update(&successor).await.expect("the same node takes over at once");
    assert_eq!(store.renew("one#1", &[(open.id, first.next.epoch)]).await.unwrap().tasks, [Renewal::Lost]);
    let mut handing = Update { expected: successor.next.revision(), ..successor.clone() };
    handing.next = TaskRecord { owner: None, version: successor.next.version + 1, ..successor.next };
    (handing.operation, handing.lease) = (Uuid::now_v7(), LeaseChange::Release);
    store.update(&handing).await.unwrap();
    let handed = claim(&handing.next, "two#1");
    store.update(&handed).await.expect("what its owner handed back is free at once");
    let released = apply(store, &handed.next, TaskStep::Cancel).await;
    let retried = Update { lease: LeaseChange::Hold, ..step(&released, TaskStep::Retry) };
    store.update(&retried).await.expect("an end releases the lease");
    store.delete(open.id, None).await.unwrap();
}
