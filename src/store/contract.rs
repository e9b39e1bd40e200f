//! What every [`TaskStore`] must do, as checks that panic where one does not.
//!
//! Bindery runs them on its own stores; an implementation of yours should pass them too:
//!
//! ```no_run
//! # async fn check(my_store: impl bindery::store::TaskStore + Clone) {
//! bindery::store::contract::check_all(&my_store).await;
//! # }
//! ```

#![allow(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a check reports by panicking"
)]

use std::collections::BTreeSet;
use std::time::Duration;

use uuid::Uuid;

use super::{Create, Created, LeaseChange, ListQuery, Renewal, StoreError, TaskStore, Update};
use crate::clock::Timestamp;
use crate::task::{Revision, TaskId, TaskRecord, TaskStatus, TaskStep, Webhook, WebhookState, test_record};

/// Every check, one after the other, on one empty store; it is empty again afterwards.
pub async fn check_all(store: &(impl TaskStore + Clone)) {
    creates_once_and_reads_back(store).await;
    updates_only_from_the_expected_revision(store).await;
    final_is_final_but_for_a_new_epoch(store).await;
    a_replayed_operation_has_no_second_effect(store).await;
    of_racing_owners_one_wins(store).await;
    lists_newest_first_and_stays_stable_under_inserts(store).await;
    lists_by_status(store).await;
    lists_what_a_tenant_has(store).await;
    lists_by_what_pages_have_against_them(store).await;
    deletes_record_and_index(store).await;
    expires_only_final_records(store).await;
    tells_whose_message_is_due(store).await;
    equal_submits_are_one_task(store).await;
    an_idempotency_key_is_for_one_thing(store).await;
    finds_what_nobody_runs(store).await;
    renews_only_for_the_owner_of_the_epoch(store).await;
    if let Some(lease) = store.lease() {
        a_lease_keeps_others_out_until_it_ends(store, lease).await;
    }
    repairs_find_nothing_wrong(store).await;
    store.leave("one#1").await.unwrap();
    store.leave("two#1").await.unwrap();
    assert!(store.list(&window(10)).await.unwrap().tasks.is_empty(), "the checks left records behind");
}

const AN_HOUR: Duration = Duration::from_hours(1);

fn window(limit: usize) -> ListQuery {
    ListQuery { limit, ..ListQuery::default() }
}

async fn create(store: &impl TaskStore, created_ms: u64) -> TaskRecord {
    let record = test_record(created_ms);
    assert_eq!(store.create(&creating(&record)).await.unwrap(), Created::New);
    record
}

fn creating(record: &TaskRecord) -> Create {
    Create { record: record.clone(), operation: Uuid::now_v7(), reuse: true }
}

/// The update that takes `step` on `record` now.
fn step(record: &TaskRecord, step: TaskStep) -> Update {
    let mut next = record.clone();
    next.take(step, Timestamp::now(), AN_HOUR).unwrap();
    next.version += 1;
    let lease = if next.owner.is_some() { LeaseChange::Hold } else { LeaseChange::Release };
    Update { expected: record.revision(), next, operation: Uuid::now_v7(), lease }
}

async fn apply(store: &impl TaskStore, record: &TaskRecord, taken: TaskStep) -> TaskRecord {
    let update = step(record, taken);
    store.update(&update).await.unwrap();
    update.next
}

async fn creates_once_and_reads_back(store: &impl TaskStore) {
    let mut record = test_record(1_000);
    record.options.metadata = Some(serde_json::json!({"case": [1, null, "ü"]}));
    record.crashes = [(0, 1), (7, 2)].into();
    let first = creating(&record);
    assert!(matches!(store.get(record.id).await, Err(StoreError::NotFound)));
    store.create(&first).await.unwrap();
    assert_eq!(store.get(record.id).await.unwrap(), record);
    let again = store.create(&first).await.expect("the same operation again is answered as the first time");
    assert_eq!(again, Created::New);
    assert!(matches!(store.create(&creating(&record)).await, Err(StoreError::Exists)));
    store.delete(record.id, None).await.unwrap();
}

async fn updates_only_from_the_expected_revision(store: &impl TaskStore) {
    let first = create(store, 1_000).await;
    let second = apply(store, &first, TaskStep::Dispatch).await;
    assert_eq!(store.get(first.id).await.unwrap(), second);

    let stale = store.update(&step(&first, TaskStep::Cancel)).await;
    assert!(matches!(stale, Err(StoreError::Conflict(at)) if at == second.revision()), "{stale:?}");

    let mut standing = step(&second, TaskStep::Cancel);
    standing.next.version = second.version;
    assert!(matches!(store.update(&standing).await, Err(StoreError::Conflict(_))));

    // The same version of another epoch: what a restored backup can hold.
    let mut other_epoch = step(&second, TaskStep::Cancel);
    other_epoch.expected.epoch -= 1;
    assert!(matches!(store.update(&other_epoch).await, Err(StoreError::Conflict(_))));

    let mut backwards = step(&second, TaskStep::Cancel);
    backwards.next.epoch -= 1;
    assert!(matches!(store.update(&backwards).await, Err(StoreError::Conflict(_))));
    assert_eq!(store.get(first.id).await.unwrap(), second, "a refused update writes nothing");

    let taken_over = apply(store, &second, TaskStep::Requeue).await;
    assert!(matches!(store.update(&step(&second, TaskStep::Complete)).await, Err(StoreError::Conflict(_))));
    assert_eq!(store.get(first.id).await.unwrap(), taken_over, "the stale owner's end bounces");

    assert!(matches!(store.update(&step(&test_record(1), TaskStep::Cancel)).await, Err(StoreError::NotFound)));
    store.delete(first.id, None).await.unwrap();
}

async fn final_is_final_but_for_a_new_epoch(store: &impl TaskStore) {
    for end in [TaskStep::Complete, TaskStep::Fail, TaskStep::Cancel] {
        let open = create(store, 1_000).await;
        let ended = apply(store, &open, end).await;
        let mut next = ended.clone();
        next.status = TaskStatus::Processing;
        next.version += 1;
        let reopen =
            Update { expected: ended.revision(), next, operation: Uuid::now_v7(), lease: LeaseChange::Release };
        assert!(matches!(store.update(&reopen).await, Err(StoreError::Final)), "{end:?}");
        assert_eq!(store.get(open.id).await.unwrap(), ended);

        let retried = apply(store, &ended, TaskStep::Retry).await;
        assert_eq!(store.get(open.id).await.unwrap(), retried);
        let far = Timestamp::now().after(AN_HOUR * 2);
        assert!(!store.expired(far, 10).await.unwrap().contains(&open.id), "an unfinished task does not expire");
        store.delete(open.id, None).await.unwrap();
    }
}

async fn a_replayed_operation_has_no_second_effect(store: &impl TaskStore) {
    let open = create(store, 1_000).await;
    let update = step(&open, TaskStep::Complete);
    store.update(&update).await.unwrap();
    store.update(&update).await.expect("a lost answer is asked for again");
    assert_eq!(store.get(open.id).await.unwrap(), update.next);
    store.delete(open.id, None).await.unwrap();
}

async fn of_racing_owners_one_wins(store: &impl TaskStore) {
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

async fn lists_newest_first_and_stays_stable_under_inserts(store: &impl TaskStore) {
    let mut old = Vec::new();
    // Several in the same millisecond: their order must still be total.
    for created in [1_000, 1_000, 1_000, 2_000, 3_000, 3_000, 4_000] {
        old.push(create(store, created).await.id);
    }
    let mut seen = Vec::new();
    let mut query = window(2);
    loop {
        let page = store.list(&query).await.unwrap();
        assert!(page.tasks.len() <= 2);
        seen.extend(page.tasks.iter().map(|task| (task.created_at, task.id)));
        // A newer task comes in between two windows and must not move them.
        old.push(create(store, 9_000).await.id);
        let Some(next) = page.next else { break };
        query.after = Some(next);
    }
    assert!(seen.is_sorted_by(|a, b| a > b), "newest first, no repeats: {seen:?}");
    let expected: BTreeSet<TaskId> = old.iter().take(7).copied().collect();
    assert_eq!(seen.iter().map(|(_, id)| *id).collect::<BTreeSet<_>>(), expected);
    assert!(store.list(&window(old.len())).await.unwrap().next.is_none(), "a full last window has no next");
    for id in old {
        store.delete(id, None).await.unwrap();
    }
}

async fn lists_by_status(store: &impl TaskStore) {
    let mut expected = Vec::new();
    for (end, status) in [
        (None, TaskStatus::Pending),
        (Some(TaskStep::Dispatch), TaskStatus::Processing),
        (Some(TaskStep::Complete), TaskStatus::Completed),
        (Some(TaskStep::Fail), TaskStatus::Failed),
        (Some(TaskStep::Cancel), TaskStatus::Cancelled),
    ] {
        let mut record = create(store, 1_000).await;
        if let Some(end) = end {
            record = apply(store, &record, end).await;
        }
        expected.push((status, record.id));
    }
    for (status, id) in &expected {
        let query = ListQuery { status: Some(*status), ..window(10) };
        let found: Vec<_> = store.list(&query).await.unwrap().tasks.iter().map(|task| task.id).collect();
        assert_eq!(found, [*id], "{status}");
    }
    for (_, id) in expected {
        store.delete(id, None).await.unwrap();
    }
}

async fn lists_by_what_pages_have_against_them(store: &impl TaskStore) {
    let mut made = Vec::new();
    for at in 0..7_u32 {
        let mut record = test_record(7_000 + u64::from(at));
        (record.counts.doubtful, record.counts.failed) = (u32::from(at % 2 == 0), u32::from(at % 3 == 0));
        assert_eq!(store.create(&creating(&record)).await.unwrap(), Created::New);
        made.push(record);
    }
    let listed = async |mut query: ListQuery| {
        let mut found = Vec::new();
        loop {
            let page = store.list(&query).await.unwrap();
            found.extend(page.tasks.iter().map(|task| task.created_at.as_millis() - 7_000));
            query.after = page.next;
            if query.after.is_none() {
                return found;
            }
        }
    };
    for (doubtful, failed_pages, limit, expected) in
        [(true, false, 2, &[6, 4, 2, 0][..]), (false, true, 1, &[6, 3, 0]), (true, true, 2, &[6, 0])]
    {
        assert_eq!(listed(ListQuery { doubtful, failed_pages, ..window(limit) }).await, expected);
    }
    for record in made {
        store.delete(record.id, None).await.unwrap();
    }
}

async fn lists_what_a_tenant_has(store: &impl TaskStore) {
    let mut made = Vec::new();
    for (created_ms, tenant) in [(1_000, Some("ann")), (2_000, Some("an")), (3_000, None), (4_000, Some("ann"))] {
        let record = TaskRecord { tenant: tenant.map(str::to_owned), ..test_record(created_ms) };
        store.create(&creating(&record)).await.unwrap();
        made.push(record);
    }
    let ended = apply(store, &made[0], TaskStep::Complete).await;
    for (tenant, status, expected) in [
        (Some("ann"), None, vec![made[3].id, made[0].id]),
        (Some("ann"), Some(TaskStatus::Completed), vec![made[0].id]),
        (Some("ann"), Some(TaskStatus::Pending), vec![made[3].id]),
        (Some("an"), None, vec![made[1].id]),
        (Some("a"), None, vec![]),
        (None, None, vec![made[3].id, made[2].id, made[1].id, made[0].id]),
    ] {
        let query = ListQuery { tenant: tenant.map(str::to_owned), status, ..window(10) };
        let found: Vec<_> = store.list(&query).await.unwrap().tasks.iter().map(|task| task.id).collect();
        assert_eq!(found, expected, "{tenant:?} {status:?}");
    }
    let first = ListQuery { tenant: Some("ann".into()), ..window(1) };
    let first = store.list(&first).await.unwrap();
    let second = ListQuery { tenant: Some("ann".into()), after: first.next, ..window(1) };
    let second = store.list(&second).await.unwrap();
    assert_eq!((second.tasks[0].id, second.next), (ended.id, None));
    assert_eq!(store.repair_indexes().await.unwrap(), 0);
    for record in made {
        store.delete(record.id, None).await.unwrap();
    }
    assert!(store.list(&ListQuery { tenant: Some("ann".into()), ..window(1) }).await.unwrap().tasks.is_empty());
}

async fn deletes_record_and_index(store: &impl TaskStore) {
    let record = create(store, 1_000).await;
    let ended = apply(store, &record, TaskStep::Complete).await;
    let older = Revision { version: ended.version - 1, ..ended.revision() };
    let refused = store.delete(ended.id, Some(older)).await;
    assert!(matches!(refused, Err(StoreError::Conflict(at)) if at == ended.revision()), "{refused:?}");
    assert!(store.delete(ended.id, Some(ended.revision())).await.unwrap());
    assert!(!store.delete(ended.id, Some(ended.revision())).await.unwrap());
    assert!(matches!(store.get(ended.id).await, Err(StoreError::NotFound)));
    let far = Timestamp::now().after(AN_HOUR * 2);
    assert!(store.expired(far, 10).await.unwrap().is_empty());
    assert!(store.list(&window(10)).await.unwrap().tasks.is_empty());
}

async fn expires_only_final_records(store: &impl TaskStore) {
    let now = Timestamp::now();
    let open = create(store, 1_000).await;
    let kept = create(store, 2_000).await;
    let kept = apply(store, &kept, TaskStep::Complete).await;
    let gone = create(store, 3_000).await;
    let mut ending = step(&gone, TaskStep::Complete);
    ending.next.expires_at = Some(now);
    store.update(&ending).await.unwrap();

    assert!(matches!(store.get(gone.id).await, Err(StoreError::NotFound)), "expired is gone for readers at once");
    let listed: Vec<_> = store.list(&window(1)).await.unwrap().tasks.iter().map(|task| task.id).collect();
    assert_eq!(listed, [kept.id], "an expired record does not take a place in a window");
    assert_eq!(store.expired(now, 10).await.unwrap(), [gone.id]);
    assert_eq!(store.expired(now.after(AN_HOUR * 2), 10).await.unwrap(), [gone.id, kept.id]);
    assert_eq!(store.expired(now.after(AN_HOUR * 2), 1).await.unwrap().len(), 1, "the limit holds");
    for id in [open.id, kept.id, gone.id] {
        store.delete(id, None).await.unwrap();
    }
    assert!(store.expired(now.after(AN_HOUR * 2), 10).await.unwrap().is_empty());
}

async fn tells_whose_message_is_due(store: &impl TaskStore) {
    let silent = apply(store, &create(store, 1_000).await, TaskStep::Complete).await;
    let mut told = test_record(2_000);
    told.options.webhook_url = Some("https://example.org".into());
    store.create(&creating(&told)).await.unwrap();
    let far = Timestamp::now().after(AN_HOUR);
    assert!(store.due(far, 10).await.unwrap().is_empty(), "it has not ended");
    let ended = apply(store, &told, TaskStep::Fail).await;
    assert_eq!(store.due(far, 10).await.unwrap(), [ended.id]);
    assert!(store.due(Timestamp::from_millis(1), 10).await.unwrap().is_empty(), "it is not due yet");
    // What becomes of the message is written into the ended record; its status stays.
    let mut next = TaskRecord { version: ended.version + 1, ..ended.clone() };
    next.webhook.as_mut().unwrap().delivered(far);
    let (expected, lease) = (ended.revision(), LeaseChange::Keep);
    let delivered = Update { expected, next, operation: Uuid::now_v7(), lease };
    store.update(&delivered).await.unwrap();
    assert_eq!(store.get(told.id).await.unwrap(), delivered.next);
    assert!(store.due(far, 10).await.unwrap().is_empty());
    assert!(store.list(&ListQuery { status: Some(TaskStatus::Failed), ..window(9) }).await.unwrap().tasks.len() == 1);
    let retried = apply(store, &delivered.next, TaskStep::Retry).await;
    let again = apply(store, &retried, TaskStep::Cancel).await;
    assert_eq!(store.due(far, 10).await.unwrap(), [told.id]);
    assert_ne!(again.webhook.clone().unwrap().id, ended.webhook.unwrap().id, "another end, another message");
    // One that was not delivered is due beside the job that a retry begins.
    let retried = apply(store, &again, TaskStep::Retry).await;
    assert_eq!(store.get(told.id).await.unwrap().undelivered.len(), 1);
    assert_eq!(store.due(far, 10).await.unwrap(), [told.id]);
    let mut next = TaskRecord { version: retried.version + 1, ..retried.clone() };
    next.set_message(Webhook { state: WebhookState::Delivered, ..again.webhook.unwrap() });
    let (expected, lease) = (retried.revision(), LeaseChange::Keep);
    store.update(&Update { expected, next, operation: Uuid::now_v7(), lease }).await.unwrap();
    assert!(store.due(far, 10).await.unwrap().is_empty());
    store.delete(silent.id, None).await.unwrap();
    store.delete(told.id, None).await.unwrap();
    assert!(store.due(far, 10).await.unwrap().is_empty());
}

async fn equal_submits_are_one_task(store: &(impl TaskStore + Clone)) {
    let first = create(store, 1_000).await;
    let equal = || {
        let mut record = test_record(2_000);
        record.fingerprint.clone_from(&first.fingerprint);
        creating(&record)
    };
    let many: Vec<_> = (0..50).map(|_| equal()).collect();
    let answers = futures::future::join_all(many.iter().map(|create| store.create(create))).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap() == Created::Existing(first.id)));

    let unwilling = Create { reuse: false, ..equal() };
    assert_eq!(store.create(&unwilling).await.unwrap(), Created::New);
    assert_eq!(store.create(&equal()).await.unwrap(), Created::Existing(first.id), "the older one stays the answer");
    store.delete(unwilling.record.id, None).await.unwrap();

    let completed = apply(store, &first, TaskStep::Complete).await;
    assert_eq!(store.create(&equal()).await.unwrap(), Created::Existing(first.id));
    store.delete(completed.id, None).await.unwrap();
    for end in [TaskStep::Fail, TaskStep::Cancel] {
        let anew = equal();
        assert_eq!(store.create(&anew).await.unwrap(), Created::New, "what is gone or came to nothing is no answer");
        apply(store, &anew.record, end).await;
        let after = equal();
        assert_eq!(store.create(&after).await.unwrap(), Created::New, "{end:?}");
        store.delete(after.record.id, None).await.unwrap();
        store.delete(anew.record.id, None).await.unwrap();
    }
}

async fn an_idempotency_key_is_for_one_thing(store: &impl TaskStore) {
    let mut first = test_record(1_000);
    first.idempotency = Some(format!("key-{}", first.id));
    store.create(&creating(&first)).await.unwrap();
    let mut same = test_record(2_000);
    (same.idempotency, same.fingerprint) = (first.idempotency.clone(), first.fingerprint.clone());
    let again = Create { reuse: false, ..creating(&same) };
    assert_eq!(store.create(&again).await.unwrap(), Created::Existing(first.id));
    same.fingerprint = Some("other".into());
    assert!(matches!(store.create(&creating(&same)).await, Err(StoreError::KeyTaken)));
    // A failed task is still what the key led to.
    apply(store, &first, TaskStep::Fail).await;
    assert_eq!(store.create(&again).await.unwrap(), Created::Existing(first.id));
    store.delete(first.id, None).await.unwrap();
    assert_eq!(store.create(&creating(&same)).await.unwrap(), Created::New, "the key goes with its task");
    store.delete(same.id, None).await.unwrap();
}

async fn finds_what_nobody_runs(store: &impl TaskStore) {
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

/// The update by which `owner` takes the task over.
fn claim(record: &TaskRecord, owner: &str) -> Update {
    let mut update = step(record, TaskStep::Requeue);
    update.next.owner = Some(owner.into());
    update.lease = LeaseChange::Hold;
    update
}

async fn renews_only_for_the_owner_of_the_epoch(store: &impl TaskStore) {
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

async fn a_lease_keeps_others_out_until_it_ends(store: &impl TaskStore, lease: Duration) {
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
    // Until somebody takes it over, its owner may come back.
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

async fn repairs_find_nothing_wrong(store: &impl TaskStore) {
    let open = create(store, 1_000).await;
    let ended = apply(store, &create(store, 2_000).await, TaskStep::Complete).await;
    let absent = test_record(1).id;
    assert_eq!(store.repair(&[open.id, absent, ended.id]).await.unwrap(), [Some(open.epoch), None, Some(ended.epoch)]);
    assert_eq!(store.repair_indexes().await.unwrap(), 0);
    assert_eq!(store.list(&window(10)).await.unwrap().tasks.len(), 2);
    store.delete(open.id, None).await.unwrap();
    store.delete(ended.id, None).await.unwrap();
}
