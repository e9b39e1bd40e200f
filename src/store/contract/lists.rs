//! What lists must hold.

use std::collections::BTreeSet;

use super::{apply, create, creating, window};
use crate::store::{Created, ListQuery, TaskStore};
use crate::task::{TaskId, TaskRecord, TaskStatus, TaskStep, test_record};

pub(super) async fn lists_newest_first_and_stays_stable_under_inserts(store: &impl TaskStore) {
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

pub(super) async fn lists_by_status(store: &impl TaskStore) {
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

pub(super) async fn lists_by_what_pages_have_against_them(store: &impl TaskStore) {
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

pub(super) async fn lists_what_a_tenant_has(store: &impl TaskStore) {
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
