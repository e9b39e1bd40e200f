//! Keeping a task that has been checked: its source and backup first, then its record, then the answer.
//!
//! From the moment that the record is there, an equal submit is answered with its id. So whatever may fail comes before,
//! and nothing that comes after takes the record back.

use std::sync::Arc;

use uuid::Uuid;

use super::commands::RACES;
use super::manifest;
use super::messages::{Accepted, RequestError};
use super::submit::not_stored;
use crate::blob::{LocalBlob, Staged};
use crate::failpoint;
use crate::store::{Create, Created, StoreError, TaskStore};
use crate::task::{TaskId, TaskRecord};

/// How often the record's first write is tried before it is asked what became of it.
const CREATE_TRIES: u32 = 3;

#[derive(Clone)]
pub(super) struct Acceptance {
    pub(super) store: Arc<dyn TaskStore>,
    pub(super) blob: LocalBlob,
}

impl Acceptance {
    /// Makes the source and the record's backup safe, then writes the record. When that fails for sure, nothing is left
    /// behind: the staged file goes with its owner.
    pub(super) async fn keep(self, source: Staged, record: TaskRecord) -> Result<Accepted, RequestError> {
        self.keep_files(source, &record).await?;
        self.write(record).await
    }

    /// The backup goes first, so that the sync of the source makes both durable.
    async fn keep_files(&self, source: Staged, record: &TaskRecord) -> Result<(), RequestError> {
        let (blob, record) = (self.blob.clone(), record.clone());
        let kept = tokio::task::spawn_blocking(move || {
            let kept = failpoint::pass("submit.source")
                .and_then(|()| manifest::prepare(&blob, &record))
                .and_then(|()| blob.commit(source, &record.pdf_path))
                .and_then(|()| failpoint::pass("submit.source-kept"));
            kept.inspect_err(|_| drop(blob.remove_folder(&record.work_dir)))
        });
        let kept = kept.await.map_err(|_| RequestError::Stopping)?;
        kept.map_err(|error| not_stored(&error))
    }

    /// Writes the record, unless the same task is there already; then the folder goes again.
    async fn write(self, record: TaskRecord) -> Result<Accepted, RequestError> {
        for _ in 0..RACES {
            let refused = match self.create(&record).await {
                Ok(Created::New) => {
                    let _ = failpoint::pass("submit.record-written");
                    self.confirm(&record).await;
                    let _ = failpoint::pass("submit.copy-kept");
                    return Ok(Accepted { record, reused: false });
                }
                Ok(Created::Existing(id)) => match self.existing(id).await {
                    // It was deleted in between.
                    Err(StoreError::NotFound) => continue,
                    found => found.map(|record| Accepted { record, reused: true }).map_err(RequestError::from),
                },
                Err(StoreError::KeyTaken) => Err(RequestError::KeyTaken),
                Err(error) => return self.find_out(record, error).await,
            };
            self.remove_folder(&record).await;
            return refused;
        }
        self.remove_folder(&record).await;
        Err(RequestError::StoreUnavailable("equal tasks come and go".into()))
    }

    /// The same operation until its fate is known.
    async fn create(&self, record: &TaskRecord) -> Result<Created, StoreError> {
        let reuse = record.options.reuse != Some(false);
        let create = Create { record: record.clone(), operation: Uuid::now_v7(), reuse };
        let mut tries = 0;
        loop {
            tries += 1;
            match self.store.create(&create).await {
                Err(StoreError::Unavailable(_)) if tries < CREATE_TRIES => {}
                settled => return settled,
            }
        }
    }

    /// The task that an equal submit had accepted, perhaps in this very moment: its backup counts before its id is told.
    async fn existing(&self, id: TaskId) -> Result<TaskRecord, StoreError> {
        let record = self.store.get(id).await?;
        self.confirm(&record).await;
        Ok(record)
    }

    /// From now on the backup brings the task back when the store loses its record. It is on the disk already, so hardly
    /// anything can fail here; when it does, the record is still there and the task goes on.
    async fn confirm(&self, record: &TaskRecord) {
        let (id, blob) = (record.id, self.blob.clone());
        let confirmed = tokio::task::spawn_blocking(move || manifest::confirm(&blob, id)).await;
        if let Ok(Err(why)) = confirmed {
            log::error!(task:% = id; "the backup of the record of an accepted task does not count: {why}");
        }
    }

    /// The first write may have landed unseen, and an equal submit may have been answered with its id: then the task is
    /// accepted. When it may still land, the folder stays: the janitor knows later.
    async fn find_out(&self, record: TaskRecord, error: StoreError) -> Result<Accepted, RequestError> {
        // A store that closed itself after a failed write opens again only when it is asked.
        let _ = self.store.ping().await;
        match self.store.get(record.id).await {
            Ok(stored) => {
                self.confirm(&stored).await;
                let reused = stored.revision() != record.revision();
                return Ok(Accepted { record: stored, reused });
            }
            // In a store without leases nothing is on its way any more.
            Err(StoreError::NotFound) if self.store.lease().is_none() => self.remove_folder(&record).await,
            Err(why) => log::warn!(task:% = record.id; "a submit that failed may have landed: {why}"),
        }
        Err(error.into())
    }

    async fn remove_folder(&self, record: &TaskRecord) {
        let (blob, folder) = (self.blob.clone(), record.work_dir.clone());
        let removed = tokio::task::spawn_blocking(move || blob.remove_folder(&folder)).await;
        if let Ok(Err(why)) = removed {
            log::warn!(task:% = record.id; "the source of a submit that came to nothing stays for now: {why}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::blob::Durability;
    use crate::clock::Timestamp;
    use crate::store::{EmbeddedStore, ListPage, ListQuery, Renewed, Update};
    use crate::task::test_record;

    /// A store whose first writes land while their answers are lost, and that is away for a while after.
    struct Lossy {
        store: EmbeddedStore,
        lost_answers: AtomicU32,
    }

    #[async_trait]
    impl TaskStore for Lossy {
        async fn create(&self, create: &Create) -> Result<Created, StoreError> {
            let created = self.store.create(create).await?;
            let lost = self.lost_answers.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            lost.map_or(Ok(created), |_| Err(StoreError::Unavailable("the answer was lost".into())))
        }
        async fn get(&self, id: TaskId) -> Result<TaskRecord, StoreError> {
            self.store.get(id).await
        }
        async fn update(&self, update: &Update) -> Result<(), StoreError> {
            self.store.update(update).await
        }
        async fn list(&self, query: &ListQuery) -> Result<ListPage, StoreError> {
            self.store.list(query).await
        }
        async fn delete(&self, id: TaskId, expected: Option<crate::task::Revision>) -> Result<bool, StoreError> {
            self.store.delete(id, expected).await
        }
        async fn expired(&self, now: Timestamp, limit: usize) -> Result<Vec<TaskId>, StoreError> {
            self.store.expired(now, limit).await
        }
        async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<TaskId>, StoreError> {
            self.store.due(now, limit).await
        }
        async fn ping(&self) -> Result<(), StoreError> {
            self.store.ping().await
        }
        async fn unclaimed(&self, owner: &str, limit: usize) -> Result<Vec<TaskId>, StoreError> {
            self.store.unclaimed(owner, limit).await
        }
        async fn renew(&self, owner: &str, tasks: &[(TaskId, u64)]) -> Result<Renewed, StoreError> {
            self.store.renew(owner, tasks).await
        }
        async fn leave(&self, owner: &str) -> Result<(), StoreError> {
            self.store.leave(owner).await
        }
        async fn repair(&self, ids: &[TaskId]) -> Result<Vec<Option<u64>>, StoreError> {
            self.store.repair(ids).await
        }
        async fn repair_indexes(&self) -> Result<usize, StoreError> {
            self.store.repair_indexes().await
        }
    }

    fn acceptance(lost_answers: u32) -> (tempfile::TempDir, Acceptance) {
        let store = EmbeddedStore::in_memory().unwrap();
        acceptance_of(Arc::new(Lossy { store, lost_answers: AtomicU32::new(lost_answers) }))
    }

    fn acceptance_of(store: Arc<Lossy>) -> (tempfile::TempDir, Acceptance) {
        let dir = tempfile::tempdir().unwrap();
        let blob = LocalBlob::open(dir.path()).unwrap();
        (dir, Acceptance { store, blob })
    }

    fn equal_record() -> TaskRecord {
        TaskRecord { fingerprint: Some("equal".into()), ..test_record(1) }
    }

    async fn submit(to: &Acceptance, record: &TaskRecord) -> Result<Accepted, RequestError> {
        let mut staging = to.blob.stage().unwrap();
        staging.write(b"pdf").unwrap();
        to.clone().keep(staging.finish(), record.clone()).await
    }

    #[tokio::test]
    async fn without_a_backup_there_is_no_task_and_nothing_is_left() {
        let (_dir, to) = acceptance(0);
        let record = equal_record();
        // A folder in its place: nothing else can fail.
        let place = format!("{}/{}/x", record.work_dir, manifest::PREPARED);
        to.blob.put(&place, b"", Durability::Cached).unwrap();
        let refused = submit(&to, &record).await;
        assert!(matches!(refused, Err(RequestError::StorageFailed(_))), "{refused:?}");
        assert!(matches!(to.store.get(record.id).await, Err(StoreError::NotFound)), "nobody could have heard of it");
        assert_eq!(
            to.blob.names(&record.work_dir).unwrap(),
            [manifest::PREPARED],
            "what is not ours stays, and only that"
        );
        let accepted = submit(&to, &equal_record()).await.unwrap();
        assert!(!accepted.reused);
        assert_eq!(manifest::read(&to.blob, accepted.record.id).unwrap().unwrap(), accepted.record);
    }

    #[tokio::test]
    async fn an_id_that_an_equal_submit_was_given_is_never_taken_back() {
        for lost_answers in [1, 2, CREATE_TRIES, CREATE_TRIES + 1] {
            let (_dir, to) = acceptance(lost_answers);
            let record = equal_record();
            let first = submit(&to, &record).await;
            assert_eq!(manifest::read(&to.blob, record.id).unwrap().as_ref(), Some(&record), "{lost_answers}");
            let second = submit(&to, &equal_record()).await.unwrap();
            assert_eq!((second.reused, second.record.id), (true, record.id), "{first:?}");
            assert_eq!(first.unwrap().record.id, record.id, "{lost_answers}: it has landed, so it is accepted");
            assert_eq!(to.blob.names("tasks").unwrap(), [record.id.to_string()], "one task, one folder");
            assert_eq!(manifest::read(&to.blob, record.id).unwrap(), Some(record), "before its id is told");
        }
    }

    /// Whoever wrote the record may have died since, or not have got any further.
    #[tokio::test]
    async fn an_equal_submit_makes_the_backup_count_before_it_tells_the_id() {
        let (_dir, to) = acceptance(0);
        let record = equal_record();
        manifest::prepare(&to.blob, &record).unwrap();
        to.create(&record).await.unwrap();
        assert_eq!(manifest::read(&to.blob, record.id).unwrap(), None);
        assert_eq!(submit(&to, &equal_record()).await.unwrap().record.id, record.id);
        assert_eq!(manifest::read(&to.blob, record.id).unwrap(), Some(record));
    }

    #[tokio::test]
    async fn a_store_that_does_not_answer_is_asked_three_times_and_then_what_landed_is_accepted() {
        for (lost_answers, left) in [(0, 0), (2, 0), (3, 0), (10, 7)] {
            let store =
                Arc::new(Lossy { store: EmbeddedStore::in_memory().unwrap(), lost_answers: lost_answers.into() });
            let (_dir, to) = acceptance_of(Arc::clone(&store));
            let record = TaskRecord { idempotency: Some("key".into()), ..equal_record() };
            let accepted = submit(&to, &record).await.unwrap();
            assert_eq!((accepted.record.id, accepted.reused), (record.id, false), "{lost_answers}");
            assert_eq!(store.lost_answers.load(Ordering::SeqCst), left, "{lost_answers}");
        }
    }

    #[tokio::test]
    async fn a_backup_that_does_not_count_takes_no_id_back() {
        let (_dir, to) = acceptance(0);
        let record = equal_record();
        to.blob.put(&format!("{}/record-1.json/x", record.work_dir), b"", Durability::Cached).unwrap();
        assert_eq!(submit(&to, &record).await.unwrap().record.id, record.id);
        assert_eq!(submit(&to, &equal_record()).await.unwrap().record.id, record.id);
        assert_eq!(to.store.get(record.id).await.unwrap(), record);
    }

    #[tokio::test]
    async fn a_key_that_was_used_for_something_else_leaves_nothing() {
        let (_dir, to) = acceptance(0);
        let with_key = |fingerprint: &str| TaskRecord {
            fingerprint: Some(fingerprint.into()),
            idempotency: Some("key".into()),
            ..test_record(1)
        };
        let first = submit(&to, &with_key("one")).await.unwrap();
        assert!(matches!(submit(&to, &with_key("two")).await, Err(RequestError::KeyTaken)));
        assert_eq!(submit(&to, &with_key("one")).await.unwrap().record.id, first.record.id);
        assert_eq!(to.blob.names("tasks").unwrap(), [first.record.id.to_string()]);
    }
}
