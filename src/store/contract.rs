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

mod feed;
mod lists;
mod ownership;
mod quota;
mod shares;

use std::time::Duration;

use uuid::Uuid;

use self::feed::{
    a_shard_is_with_one_server_and_its_answer_with_its_owner, a_shard_that_no_server_answers_goes_back_to_its_owner,
    shards_of_what_is_over_are_dropped,
};
use self::lists::{
    lists_by_status, lists_by_what_pages_have_against_them, lists_newest_first_and_stays_stable_under_inserts,
    lists_what_a_tenant_has,
};
use self::ownership::{
    a_lease_keeps_others_out_until_it_ends, finds_what_no_process_runs, living_owners_are_known_by_what_they_said,
    of_racing_owners_one_wins, renews_only_for_the_owner_of_the_epoch,
};
use self::quota::{
    a_tenant_has_no_more_unfinished_than_it_may, a_tenant_makes_no_more_requests_than_it_may,
    of_racing_submits_as_many_are_admitted_as_may_be, what_was_not_reserved_counts_and_what_is_deleted_does_not,
};
use self::shares::{
    a_pause_is_for_all_servers, a_server_that_starts_again_has_what_it_had,
    after_an_outage_each_goes_on_with_what_it_kept, divides_what_is_allowed_by_what_is_wanted,
    never_shares_out_more_than_there_is, of_two_windows_that_were_decided_from_one_state_one_counts,
    rates_hold_over_all_servers, what_a_dead_server_had_comes_back,
};
use super::{Create, Created, FeedRound, LeaseChange, ListQuery, ShareRequest, StoreError, TaskStore, Update};
use crate::clock::Timestamp;
use crate::task::{Revision, TaskId, TaskRecord, TaskStatus, TaskStep, Webhook, WebhookState, test_record};

/// Every check, one after the other, on one empty store; it is empty again afterwards.
pub async fn check_all(store: &(impl TaskStore + Clone)) {
    creates_once_and_reads_back(store).await;
    updates_only_from_the_expected_revision(store).await;
    i6_final_is_final_but_for_a_new_epoch(store).await;
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
    finds_what_no_process_runs(store).await;
    renews_only_for_the_owner_of_the_epoch(store).await;
    if let Some(lease) = store.lease() {
        a_lease_keeps_others_out_until_it_ends(store, lease).await;
        living_owners_are_known_by_what_they_said(store).await;
        a_tenant_has_no_more_unfinished_than_it_may(store).await;
        of_racing_submits_as_many_are_admitted_as_may_be(store).await;
        what_was_not_reserved_counts_and_what_is_deleted_does_not(store).await;
        a_tenant_makes_no_more_requests_than_it_may(store).await;
    }
    if store.share(&ShareRequest::default()).await.unwrap().is_some() {
        divides_what_is_allowed_by_what_is_wanted(store).await;
        never_shares_out_more_than_there_is(store).await;
        what_a_dead_server_had_comes_back(store).await;
        a_server_that_starts_again_has_what_it_had(store).await;
        rates_hold_over_all_servers(store).await;
        of_two_windows_that_were_decided_from_one_state_one_counts(store).await;
        a_pause_is_for_all_servers(store).await;
        after_an_outage_each_goes_on_with_what_it_kept(store).await;
    }
    if store.feed_round(&FeedRound::default()).await.unwrap().is_some() {
        a_shard_is_with_one_server_and_its_answer_with_its_owner(store).await;
        a_shard_that_no_server_answers_goes_back_to_its_owner(store).await;
        Box::pin(shards_of_what_is_over_are_dropped(store)).await;
    }
    what_was_learnt_is_there_for_all_until_it_is_forgotten(store).await;
    i7_repairs_find_nothing_wrong(store).await;
    store.leave("one#1").await.unwrap();
    store.leave("two#1").await.unwrap();
    assert!(store.list(&window(10)).await.unwrap().tasks.is_empty(), "the checks left records behind");
}

async fn what_was_learnt_is_there_for_all_until_it_is_forgotten(store: &(impl TaskStore + Clone)) {
    let note = |name: &str, note: &str| (name.to_owned(), note.to_owned());
    for (name, said) in [("a b", "one"), ("ü", r#"{"two":2}"#), ("a b", "three")] {
        store.keep_note(name, Some(said)).await.unwrap();
    }
    let read = async || {
        let mut notes = store.clone().notes().await.unwrap();
        notes.sort();
        notes
    };
    assert_eq!(read().await, [note("a b", "three"), note("ü", r#"{"two":2}"#)], "the last one counts");
    for name in ["a b", "ü", "never there"] {
        store.keep_note(name, None).await.unwrap();
    }
    assert_eq!(read().await, [], "it stays");
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

async fn i6_final_is_final_but_for_a_new_epoch(store: &impl TaskStore) {
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
    finds_equal(store, &equal(), Some(first.id)).await;

    let unwilling = Create { reuse: false, ..equal() };
    finds_equal(store, &unwilling, None).await;
    assert_eq!(store.create(&unwilling).await.unwrap(), Created::New);
    assert_eq!(store.create(&equal()).await.unwrap(), Created::Existing(first.id), "the older one stays the answer");
    store.delete(unwilling.record.id, None).await.unwrap();

    let completed = apply(store, &first, TaskStep::Complete).await;
    assert_eq!(store.create(&equal()).await.unwrap(), Created::Existing(first.id));
    finds_equal(store, &equal(), Some(first.id)).await;
    store.delete(completed.id, None).await.unwrap();
    for end in [TaskStep::Fail, TaskStep::Cancel] {
        let again = equal();
        assert_eq!(store.create(&again).await.unwrap(), Created::New, "what is gone or came to nothing is no answer");
        apply(store, &again.record, end).await;
        let after = equal();
        finds_equal(store, &after, None).await;
        assert_eq!(store.create(&after).await.unwrap(), Created::New, "{end:?}");
        store.delete(after.record.id, None).await.unwrap();
        store.delete(again.record.id, None).await.unwrap();
    }
}

/// A store that does not look for equal tasks finds none.
async fn finds_equal(store: &impl TaskStore, new: &Create, expected: Option<TaskId>) {
    let found = store.find_equal(new).await.unwrap();
    assert!(found == expected || found.is_none(), "{found:?}, not {expected:?}");
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
    assert!(matches!(store.find_equal(&creating(&same)).await, Err(StoreError::KeyTaken) | Ok(None)));
    finds_equal(store, &again, Some(first.id)).await;
    // A failed task is still what the key led to.
    apply(store, &first, TaskStep::Fail).await;
    assert_eq!(store.create(&again).await.unwrap(), Created::Existing(first.id));
    store.delete(first.id, None).await.unwrap();
    assert_eq!(store.create(&creating(&same)).await.unwrap(), Created::New, "the key goes with its task");
    store.delete(same.id, None).await.unwrap();
}

async fn i7_repairs_find_nothing_wrong(store: &impl TaskStore) {
    let open = create(store, 1_000).await;
    let ended = apply(store, &create(store, 2_000).await, TaskStep::Complete).await;
    let absent = test_record(1).id;
    assert_eq!(store.repair(&[open.id, absent, ended.id]).await.unwrap(), [Some(open.epoch), None, Some(ended.epoch)]);
    assert_eq!(store.repair_indexes().await.unwrap(), 0);
    assert_eq!(store.list(&window(10)).await.unwrap().tasks.len(), 2);
    store.delete(open.id, None).await.unwrap();
    store.delete(ended.id, None).await.unwrap();
}
