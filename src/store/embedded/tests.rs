use redb::ReadableTable;

use super::*;

#[tokio::test]
async fn keeps_the_contract_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    crate::store::contract::check_all(&EmbeddedStore::open(dir.path()).unwrap()).await;
}

#[tokio::test]
async fn keeps_the_contract_in_memory() {
    crate::store::contract::check_all(&EmbeddedStore::in_memory().unwrap()).await;
}

#[tokio::test]
async fn what_was_answered_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let record = crate::task::test_record(1_000);
    let store = EmbeddedStore::open(dir.path()).unwrap();
    store.create(&creating(&record)).await.unwrap();
    let second = EmbeddedStore::open(dir.path());
    assert!(matches!(second, Err(StoreError::Unavailable(_))), "one process a file");
    drop(store);
    let reopened = reopen(dir.path());
    assert_eq!(reopened.get(record.id).await.unwrap(), record);
}

fn creating(record: &TaskRecord) -> Create {
    Create { record: record.clone(), operation: Uuid::now_v7(), reuse: false }
}

/// The writing thread lets go of the file a moment after its last handle.
fn reopen(dir: &Path) -> EmbeddedStore {
    loop {
        match EmbeddedStore::open(dir) {
            Ok(store) => return store,
            Err(_) => std::thread::yield_now(),
        }
    }
}

#[tokio::test]
async fn many_writers_share_commits_and_each_gets_its_own_answer() {
    let store = EmbeddedStore::in_memory().unwrap();
    let records: Vec<_> = (0..200).map(crate::task::test_record).collect();
    let doubled: Vec<_> = records.iter().chain(&records).map(creating).collect();
    let answers = futures::future::join_all(doubled.iter().map(|create| store.create(create))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 200);
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Err(StoreError::Exists))).count(), 200);
}

/// Puts other bytes in the place of a record.
async fn overwrite(store: &EmbeddedStore, id: TaskId, change: impl Fn(&mut Vec<u8>)) {
    let database = store.database.database().await.unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut records = transaction.open_table(RECORDS).unwrap();
        let mut bytes = records.get(&id.as_bytes()[..]).unwrap().unwrap().value().to_vec();
        change(&mut bytes);
        records.insert(&id.as_bytes()[..], &bytes[..]).unwrap();
    }
    transaction.commit().unwrap();
}

#[tokio::test]
async fn a_record_that_cannot_be_read_stands_in_nobodys_way_and_can_be_deleted() {
    type Change = fn(&mut Vec<u8>);
    let changes: [(Change, &str); 3] = [
        (|bytes| bytes[0] = FORMAT + 1, "format 2"),
        (|bytes| bytes.truncate(60), "EOF"),
        (|bytes| bytes.truncate(5), "cut short"),
    ];
    for (change, why) in changes {
        let store = EmbeddedStore::in_memory().unwrap();
        let mut record = crate::task::test_record(1_000);
        (record.idempotency, record.tenant) = (Some("key".into()), Some("ann".into()));
        store.create(&creating(&record)).await.unwrap();
        let ended = {
            let mut next = crate::task::TaskRecord { version: 2, ..record.clone() };
            next.take(crate::task::TaskStep::Complete, Timestamp::from_millis(1_000), std::time::Duration::ZERO)
                .unwrap();
            next.expires_at = Some(Timestamp::now().after(std::time::Duration::from_hours(1)));
            let lease = crate::store::LeaseChange::Release;
            Update { expected: record.revision(), next, operation: Uuid::now_v7(), lease }
        };
        store.update(&ended).await.unwrap();
        overwrite(&store, record.id, change).await;
        let read = store.get(record.id).await;
        assert!(matches!(&read, Err(StoreError::Unreadable(why_not)) if why_not.why.contains(why)), "{read:?}");
        let listed = store.list(&ListQuery { limit: 9, ..ListQuery::default() }).await.unwrap();
        assert!(listed.tasks.is_empty() && listed.next.is_none());
        assert_eq!(store.repair(&[record.id]).await.unwrap(), [Some(u64::MAX)]);
        // The same PDF, under the same key.
        let mut again = crate::task::test_record(2_000);
        (again.idempotency, again.fingerprint) = (record.idempotency.clone(), record.fingerprint.clone());
        let create = Create { reuse: true, ..creating(&again) };
        assert_eq!(store.create(&create).await.unwrap(), Created::New, "{why}");
        assert!(matches!(store.create(&creating(&record)).await, Err(StoreError::Exists)));
        assert!(store.delete(record.id, None).await.unwrap());
        assert!(matches!(store.get(record.id).await, Err(StoreError::NotFound)));
        assert_eq!(store.get(again.id).await.unwrap(), again);
        assert!(store.delete(again.id, None).await.unwrap());
        let snapshot = store.database.snapshot().await.unwrap();
        for table in TABLES {
            let table = snapshot.open_table(table).unwrap();
            assert_eq!(table.iter().unwrap().count(), 0, "{why}: an entry is left");
        }
    }
}

#[tokio::test]
async fn a_file_of_a_later_format_is_refused_and_a_damaged_one_is_said_to_be() {
    let dir = tempfile::tempdir().unwrap();
    let path = file::path_in(dir.path());
    let record = crate::task::test_record(1_000);
    let store = EmbeddedStore::open(dir.path()).unwrap();
    store.create(&creating(&record)).await.unwrap();
    drop(store);
    drop(reopen(dir.path()));
    let looked = loop {
        match EmbeddedStore::move_damaged_aside(dir.path()) {
            Err(StoreError::Unavailable(_)) => std::thread::yield_now(),
            looked => break looked.unwrap(),
        }
    };
    assert_eq!(looked, None, "it is sound");
    let whole = std::fs::read(&path).unwrap();
    for (damaged, bytes) in
        [("other bytes", b"my own file".to_vec()), ("no header", [&whole[..20], &[0; 200], &whole[220..]].concat())]
    {
        std::fs::write(&path, bytes).unwrap();
        let opened = EmbeddedStore::open(dir.path()).err();
        assert!(matches!(opened, Some(StoreError::Damaged(_))), "{damaged}: {opened:?}");
        let aside = EmbeddedStore::move_damaged_aside(dir.path()).unwrap().unwrap();
        assert!(aside.exists() && !path.exists(), "{damaged}");
    }
    std::fs::write(&path, &whole).unwrap();
    {
        let database = Database::create(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(file::ABOUT).unwrap().insert("format", &2_u32.to_le_bytes()[..]).unwrap();
        transaction.commit().unwrap();
    }
    for refused in [EmbeddedStore::open(dir.path()).err(), EmbeddedStore::move_damaged_aside(dir.path()).err()] {
        let said = refused.unwrap().to_string();
        assert!(said.contains("later version") && said.contains("format is 2"), "{said}");
    }
    assert!(path.exists(), "what a later version wrote stays where it is");
}

#[tokio::test]
async fn a_store_has_one_name_for_good() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(EmbeddedStore::in_memory().unwrap().identity().await.unwrap(), None);
    let store = EmbeddedStore::open(dir.path()).unwrap();
    let identity = store.identity().await.unwrap().unwrap();
    let place = dir.path().canonicalize().unwrap().to_string_lossy().into_owned();
    assert_eq!(identity, StoreIdentity { kind: "embedded", place, id: None });
    let id = Uuid::now_v7();
    assert_eq!(store.name(id).await.unwrap(), id);
    assert_eq!(store.name(Uuid::now_v7()).await.unwrap(), id);
    drop(store);
    assert_eq!(reopen(dir.path()).identity().await.unwrap().unwrap().id, Some(id));
}
