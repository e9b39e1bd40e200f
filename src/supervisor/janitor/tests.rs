//! The janitor's rounds over real files, with a store in memory.

use super::*;
use crate::blob::{Durability, servers};
use crate::clock::ClockReading;
use crate::ledger::{LedgerScope, PageKey, RecipeHash};
use crate::store::altered::AlteredStore;
use crate::store::{Create, Created, EmbeddedStore};
use crate::task::{PageOutput, TaskStep, test_record};

const HOUR: Duration = Duration::from_hours(1);

fn janitor(dir: &std::path::Path, limits: LedgerLimits) -> Janitor {
    let blob = LocalBlob::open(dir).unwrap();
    let (clock, uptime) = (TaskClock::default(), Uptime::now());
    clock.set(ClockReading {
        said: Timestamp::now(),
        ahead: Duration::ZERO,
        certain: None,
        asked: uptime,
        answered: uptime,
    });
    let options = JanitorOptions { tick: Duration::ZERO, ttl: HOUR, limits, cache_bytes: 0 };
    let (store, ledger) = (Arc::new(EmbeddedStore::in_memory().unwrap()), Ledger::new(blob.clone()));
    Janitor { cache: None, ..Janitor::new(options, store, blob, ledger, "one#1".into(), clock) }
}

async fn create(janitor: &Janitor, record: &TaskRecord) {
    let create = Create { record: record.clone(), operation: Uuid::now_v7(), reuse: false };
    assert_eq!(janitor.store.create(&create).await.unwrap(), Created::New);
}

/// Puts the task's folder there, as a process leaves it that died.
fn folder(janitor: &Janitor, record: &TaskRecord) {
    janitor.blob.put(&record.pdf_path, b"pdf", Durability::Cached).unwrap();
    backup::keep(&janitor.blob, record, Durability::Cached).unwrap();
}

#[test]
fn a_folder_in_shared_storage_is_given_the_time_that_a_submit_takes_there() {
    let (dir, [shared]) = servers();
    let alone = LocalBlob::open(dir.path().join("alone")).unwrap();
    let (short, long) = (Duration::from_mins(1), HOUR);
    assert_eq!([short, long].map(|tick| submit_grace(&alone, tick)), [short, long]);
    assert_eq!([short, long].map(|tick| submit_grace(&shared, tick)), [SHARED_SUBMIT, long]);
}

#[test]
fn of_a_folder_that_is_only_named_in_shared_storage_no_copies_stay() {
    let (_dir, [there, here]) = servers();
    let [named, filled] = [1, 2].map(test_record);
    for record in [&named, &filled] {
        there.put(&record.pdf_path, b"pdf", Durability::Synced).unwrap();
        here.local_copy(&record.pdf_path).unwrap();
    }
    // An empty directory in the shared one, as SeaweedFS keeps it.
    let folder = here.path(&named.pdf_path).unwrap();
    there.remove(&named.pdf_path).unwrap();
    let copies = || [&named, &filled].map(|record| here.path(&record.pdf_path).unwrap().exists());
    assert_eq!((folder.exists(), copies()), (true, [true, true]));
    assert!([&named, &filled].into_iter().all(|record| is_leftover(&here, record.id).unwrap()));
    assert_eq!(copies(), [false, true]);
}

fn ended(at: Timestamp) -> TaskRecord {
    let mut record = test_record(at.as_millis());
    record.take(TaskStep::Complete, at, HOUR).unwrap();
    record
}

#[tokio::test]
async fn pages_that_a_running_task_counts_on_stay_and_others_go() {
    let dir = tempfile::tempdir().unwrap();
    let none = LedgerLimits { bytes: Some(0), age: None };
    let mut janitor = janitor(dir.path(), none);
    let now = Timestamp::now();
    let key = |page| PageKey::of_place(&LedgerScope::SHARED, "aa", page, RecipeHash::of(&"llm"));
    let used = |page, hours: u32| {
        janitor.ledger.put(key(page), &PageOutput::default(), Durability::Cached).unwrap();
        let path = janitor.blob.path(&format!("ledger/{}/{}.json", &key(page).to_string()[..2], key(page))).unwrap();
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_modified(now.before(HOUR * hours).into()).unwrap();
    };
    used(1, 3);
    used(2, 8);
    let mut record = test_record(now.before(HOUR * 5).as_millis());
    create(&janitor, &record).await;
    // What has ended counts on nothing.
    let mut over = test_record(now.before(HOUR * 9).as_millis());
    over.take(TaskStep::Complete, now, HOUR).unwrap();
    create(&janitor, &over).await;
    folder(&janitor, &over);
    // However many were accepted since.
    for _ in 0..=BATCH {
        create(&janitor, &test_record(now.as_millis())).await;
    }
    for status in [TaskStatus::Pending, TaskStatus::Processing] {
        janitor.measured = None;
        janitor.sweep().await.unwrap();
        assert!(janitor.ledger.has(key(1)), "used since the {status} task was accepted");
        assert!(!janitor.ledger.has(key(2)), "used before");
        if status == TaskStatus::Pending {
            let expected = record.revision();
            record.take(TaskStep::Dispatch, now, HOUR).unwrap();
            record.version += 1;
            let next = record.clone();
            let update = Update { expected, next, operation: Uuid::now_v7(), lease: LeaseChange::Keep };
            janitor.store.update(&update).await.unwrap();
        }
    }
    janitor.store.delete(record.id, None).await.unwrap();
    janitor.sweep().await.unwrap();
    assert!(janitor.ledger.has(key(1)), "it was looked at a moment ago");
    janitor.measured = None;
    // There was a record that could not be read; it is gone since.
    janitor.unreadable_since = Some(now.before(HOUR * 9));
    janitor.sweep().await.unwrap();
    assert!(!janitor.ledger.has(key(1)), "nothing counts on it any more");
}

#[tokio::test]
async fn what_has_expired_does_not_come_back_and_what_has_not_does() {
    let dir = tempfile::tempdir().unwrap();
    let mut janitor = janitor(dir.path(), LedgerLimits { bytes: None, age: None });
    let now = Timestamp::now();
    let (expired, kept) = (ended(now.before(HOUR * 2)), ended(now));
    let mut waiting = test_record(now.as_millis());
    (waiting.idempotency, waiting.owner, waiting.status) =
        (Some("key".into()), Some("dead#1".into()), TaskStatus::Processing);
    for record in [&expired, &kept, &waiting] {
        folder(&janitor, record);
    }
    let swept = janitor.sweep().await.unwrap();
    assert_eq!((swept.removed, swept.restored), (1, 2));
    assert!(matches!(janitor.store.get(expired.id).await, Err(StoreError::NotFound)));
    assert!(janitor.store.expired(now.after(HOUR * 24), 9).await.unwrap().iter().all(|id| *id == kept.id));
    assert!(!janitor.blob.path(&expired.work_dir).unwrap().exists());
    assert_eq!(janitor.store.get(kept.id).await.unwrap(), kept);
    let back = janitor.store.get(waiting.id).await.unwrap();
    assert_eq!((back.status, back.owner), (TaskStatus::Pending, None), "it is taken up again");
    // Who asks again under the same key gets the same task.
    let again = TaskRecord { id: TaskId::generate(), ..waiting.clone() };
    let again = Create { record: again, operation: Uuid::now_v7(), reuse: false };
    assert_eq!(janitor.store.create(&again).await.unwrap(), Created::Existing(waiting.id));
}

#[tokio::test]
async fn expiries_are_put_right_once_the_clock_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut janitor = janitor(dir.path(), LedgerLimits { bytes: None, age: None });
    let (now, days) = (Timestamp::now(), HOUR * 240);
    let (clock, uptime) = (TaskClock::default(), Uptime::now());
    for (said, uptime) in [(now.after(days), uptime), (now.after(HOUR), uptime.after(HOUR))] {
        clock.set(ClockReading { said, ahead: Duration::ZERO, certain: None, asked: uptime, answered: uptime });
    }
    janitor.clock = clock;
    // They ended a minute after the start, by a clock that was ten days ahead for an hour; more than are looked at at once.
    let records: Vec<TaskRecord> =
        (0..BATCH + 5).map(|_| ended(now.after(days).after(Duration::from_secs(60)))).collect();
    for record in &records {
        create(&janitor, record).await;
        folder(&janitor, record);
    }
    janitor.sweep().await.unwrap();
    for record in records {
        let right = janitor.store.get(record.id).await.unwrap();
        assert_eq!(right.expires_at, record.expires_at.map(|at| at.before(days)));
        assert_eq!(backup::read(&janitor.blob, record.id).unwrap(), Some(right), "and its copy");
    }
}

#[tokio::test]
async fn more_than_a_batch_of_what_stays_does_not_hide_what_goes() {
    let dir = tempfile::tempdir().unwrap();
    let mut janitor = janitor(dir.path(), LedgerLimits { bytes: None, age: None });
    let now = Timestamp::now();
    // Folders that cannot be removed stand for what has to stay: a link is not followed.
    let mut records: Vec<TaskRecord> = (0..BATCH + 5).map(|_| ended(now.before(HOUR * 3))).collect();
    records.push(ended(now.before(HOUR * 2)));
    for record in &records {
        create(&janitor, record).await;
    }
    let last = records.last().unwrap().clone();
    for record in &records {
        let file = janitor.blob.path(&record.work_dir).unwrap();
        if record.id == last.id {
            folder(&janitor, record);
        } else {
            // Something that is called like a file of ours and is a folder cannot be removed as a file.
            std::fs::create_dir_all(file.join("source.pdf")).unwrap();
        }
    }
    assert_eq!(janitor.sweep().await.unwrap().removed, 1);
    assert!(!janitor.blob.path(&last.work_dir).unwrap().exists());
    assert!(janitor.store.expired(now, BATCH * 2).await.unwrap().len() == BATCH + 5);
}

#[tokio::test]
async fn what_a_dead_process_had_in_flight_stays_until_its_tasks_went_on_or_ended() {
    let dir = tempfile::tempdir().unwrap();
    let mut janitor = janitor(dir.path(), LedgerLimits { bytes: None, age: None });
    let now = Timestamp::now();
    let waiting = TaskRecord { epoch: 3, ..test_record(now.as_millis()) };
    let (over, gone) = (ended(now), test_record(now.as_millis()));
    for record in [&waiting, &over] {
        create(&janitor, record).await;
        folder(&janitor, record);
    }
    // A file of the process that was reading these tasks in these epochs.
    let flights = |process: char, flights: &[(&TaskRecord, u64)]| {
        let name = crash_journal_key(&format!("one#{}", process.to_string().repeat(32)));
        let slot = |(record, epoch): &(&TaskRecord, u64)| {
            let numbers = [1_u32.to_le_bytes(), 2_u32.to_le_bytes()].concat();
            [record.id.as_bytes(), epoch.to_le_bytes().as_slice(), &numbers].concat()
        };
        janitor.blob.put(&name, &flights.iter().map(slot).collect::<Vec<_>>().concat(), Durability::Cached).unwrap();
        name
    };
    let cases = [
        (flights('1', &[(&waiting, 3)]), true),
        (flights('2', &[(&waiting, 2)]), false),
        (flights('3', &[(&over, 1)]), false),
        (flights('4', &[(&gone, 1)]), false),
        (flights('5', &[(&gone, 1), (&waiting, 4), (&over, 1)]), true),
        (flights('6', &[]), false),
        (flights('7', &[(&gone, 1)]), true),
    ];
    janitor.owner = format!("one#{}", "7".repeat(32));
    janitor.sweep().await.unwrap();
    for (name, stays) in cases {
        assert_eq!(janitor.blob.get(&name).unwrap().is_some(), stays, "{name}");
    }
}

/// Where records and what leads to them change together, what leads to one that cannot be read is right about its end;
/// elsewhere it may be an older end of a task that was retried since.
#[tokio::test]
async fn what_cannot_be_read_goes_at_its_end_only_where_the_end_is_sure() {
    for lease in [None, Some(Duration::from_secs(2))] {
        let dir = tempfile::tempdir().unwrap();
        let mut janitor = janitor(dir.path(), LedgerLimits { bytes: None, age: None });
        let record = ended(Timestamp::now().before(HOUR * 2));
        janitor.store = Arc::new(AlteredStore { lease, unreadable: vec![record.id], ..AlteredStore::default() });
        create(&janitor, &record).await;
        janitor.blob.put(&record.pdf_path, b"pdf", Durability::Cached).unwrap();
        let removed = janitor.sweep().await.unwrap().removed;
        let is_there = janitor.blob.path(&record.pdf_path).unwrap().exists();
        assert_eq!((removed, is_there), if lease.is_none() { (1, false) } else { (0, true) });
    }
}

/// The end of a task that was retried stands in its copy. A database that is kept apart from the copies can be restored to
/// what it was before at any time, one that this process has open only before.
#[tokio::test]
async fn a_record_older_than_its_copy_is_replaced_where_the_store_can_go_back_in_time() {
    for lease in [None, Some(Duration::from_secs(2))] {
        let dir = tempfile::tempdir().unwrap();
        let mut janitor = janitor(dir.path(), LedgerLimits { bytes: None, age: None });
        janitor.store = Arc::new(AlteredStore { lease, ..AlteredStore::default() });
        for is_first in [true, false] {
            let record = ended(Timestamp::now());
            let later = TaskRecord { epoch: record.epoch + 1, version: record.version + 3, ..record.clone() };
            create(&janitor, &record).await;
            folder(&janitor, &later);
            let swept = janitor.sweep().await.unwrap();
            let stored = janitor.store.get(record.id).await.unwrap();
            let expected = if is_first || lease.is_some() { (1, later.epoch) } else { (0, record.epoch) };
            assert_eq!((swept.restored, stored.epoch), expected);
        }
    }
}
