//! Keeping a task that has been checked: its source and backup first, then its record, then the answer.
//!
//! From the moment that the record is there, an equal submit is answered with its id. So whatever may fail comes before,
//! and nothing that comes after takes the record back, but that its source is gone and cannot be written again.

use std::sync::Arc;

use uuid::Uuid;

use crate::blob::{LocalBlob, Staged};
use crate::failpoint;
use crate::store::{Create, Created, StoreError, TaskStore};
use crate::supervisor::commands::RACES;
use crate::supervisor::intake::submit::not_stored;
use crate::supervisor::messages::{Accepted, RequestError};
use crate::supervisor::records::backup;
use crate::task::{TaskId, TaskRecord};

/// How often the record's first write is tried before it is asked what became of it.
const CREATE_TRIES: u32 = 3;

#[derive(Clone)]
pub(in crate::supervisor) struct Acceptance {
    pub(in crate::supervisor) store: Arc<dyn TaskStore>,
    pub(in crate::supervisor) blob: LocalBlob,
}

impl Acceptance {
    /// Makes the source and the record's backup safe, then writes the record. When that fails for sure, nothing is left
    /// behind: the staged file goes with its owner.
    pub(in crate::supervisor) async fn keep(
        self,
        source: Staged,
        record: TaskRecord,
    ) -> Result<Accepted, RequestError> {
        self.keep_files(source, &record).await?;
        self.write(record).await
    }

    /// The backup goes first, so that the sync of the source makes both durable. In shared storage the source does: a folder
    /// without one is that of no task, and a large source takes longer to send than others wait.
    async fn keep_files(&self, source: Staged, record: &TaskRecord) -> Result<(), RequestError> {
        let (blob, record) = (self.blob.clone(), record.clone());
        let kept = tokio::task::spawn_blocking(move || {
            let keep = || {
                failpoint::pass("submit.source")?;
                if blob.is_shared() {
                    blob.commit(source, &record.pdf_path)?;
                    backup::prepare(&blob, &record)?;
                } else {
                    backup::prepare(&blob, &record)?;
                    blob.commit(source, &record.pdf_path)?;
                }
                failpoint::pass("submit.source-kept")
            };
            let kept = keep();
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
                    self.keep_source(&record).await?;
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

    /// The task that this one is equal to, if it is there: what [`Self::keep`] would answer with, without keeping anything.
    pub(in crate::supervisor) async fn equal(&self, record: &TaskRecord) -> Result<Option<Accepted>, RequestError> {
        let reuse = record.options.reuse != Some(false);
        let create = Create { record: record.clone(), operation: Uuid::now_v7(), reuse };
        let Some(id) = self.store.find_equal(&create).await? else { return Ok(None) };
        match self.existing(id).await {
            Err(StoreError::NotFound | StoreError::Unreadable(_)) => Ok(None),
            found => Ok(Some(Accepted { record: found?, reused: true })),
        }
    }

    /// The task that an equal submit had accepted, perhaps in this very moment: its backup counts before its id is told.
    async fn existing(&self, id: TaskId) -> Result<TaskRecord, StoreError> {
        let record = self.store.get(id).await?;
        self.confirm(&record).await;
        Ok(record)
    }

    /// In shared storage another server may have taken the folder for that of a submit that was never answered, when this one
    /// was held up for long before it wrote the record. Now that the record is there no server does: what is missing is
    /// written again. Where that fails there is no task, and the record goes, unless it has been changed.
    async fn keep_source(&self, record: &TaskRecord) -> Result<(), RequestError> {
        let (blob, kept) = (self.blob.clone(), record.clone());
        let kept = tokio::task::spawn_blocking(move || files_are_there(&blob, &kept)).await;
        let why = match kept.map_err(|_| RequestError::Stopping)? {
            Ok(Files::There) => return Ok(()),
            Ok(Files::WrittenAgain) => {
                // Unless it was deleted, with its folder, in this moment.
                if matches!(self.store.get(record.id).await, Err(StoreError::NotFound)) {
                    self.remove_folder(record).await;
                }
                return Ok(());
            }
            Err(why) => why,
        };
        log::error!(task:% = record.id; "the source of a submit was removed and cannot be written again: {why}");
        match self.store.delete(record.id, Some(record.revision())).await {
            Ok(_) => self.remove_folder(record).await,
            Err(why) => log::warn!(task:% = record.id; "a record without a source stays for now: {why}"),
        }
        Err(not_stored(&why))
    }

    /// From now on the backup brings the task back when the store loses its record.
    async fn confirm(&self, record: &TaskRecord) {
        backup::confirm_copy(self.blob.clone(), record.id, 1).await;
    }

    /// The first write may have landed unseen, and an equal submit may have been answered with its id: then the task is
    /// accepted. When it may still land, the folder stays: the janitor knows later.
    async fn find_out(&self, record: TaskRecord, error: StoreError) -> Result<Accepted, RequestError> {
        // A store that closed itself after a failed write opens again only when it is asked.
        let _ = self.store.ping().await;
        match self.store.get(record.id).await {
            Ok(stored) => {
                self.keep_source(&stored).await?;
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

/// Looks whether the source of a task whose record was just written is there for all servers; if not, writes it and the
/// backup again.
fn files_are_there(blob: &LocalBlob, record: &TaskRecord) -> std::io::Result<Files> {
    if !blob.is_shared() {
        return Ok(Files::There);
    }
    match blob.head_shared(&record.pdf_path) {
        Ok(Some(_)) => return Ok(Files::There),
        Ok(None) => {
            log::warn!(task:% = record.id; "the source of a submit was removed by another server: it is written again");
        }
        Err(why) => {
            // It was written a moment ago: what cannot be known now takes no task back.
            log::warn!(task:% = record.id; "whether the source of a submit is still there is not known: {why}");
            return Ok(Files::There);
        }
    }
    blob.share_again(&record.pdf_path)?;
    backup::prepare(blob, record)?;
    // A server that was just removing the folder may have removed them, too.
    let is_there = blob.head_shared(&record.pdf_path)?.is_some();
    if is_there { Ok(Files::WrittenAgain) } else { Err(std::io::ErrorKind::NotFound.into()) }
}

/// How it stands with the files of a task whose record was just written.
enum Files {
    There,
    WrittenAgain,
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::blob::{Durability, servers};
    use crate::store::altered::AlteredStore;
    use crate::task::test_record;

    fn acceptance(lost_answers: u32) -> (tempfile::TempDir, Acceptance) {
        acceptance_of(Arc::new(AlteredStore { lost_answers: AtomicU32::new(lost_answers), ..AlteredStore::default() }))
    }

    fn acceptance_of(store: Arc<AlteredStore>) -> (tempfile::TempDir, Acceptance) {
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
        let place = format!("{}/{}/x", record.work_dir, backup::prepared_name(1));
        to.blob.put(&place, b"", Durability::Cached).unwrap();
        let refused = submit(&to, &record).await;
        assert!(matches!(refused, Err(RequestError::StorageFailed(_))), "{refused:?}");
        assert!(matches!(to.store.get(record.id).await, Err(StoreError::NotFound)), "no caller could have heard of it");
        assert_eq!(
            to.blob.names(&record.work_dir).unwrap(),
            [backup::prepared_name(1)],
            "what is not ours stays, and only that"
        );
        let accepted = submit(&to, &equal_record()).await.unwrap();
        assert!(!accepted.reused);
        assert_eq!(backup::read(&to.blob, accepted.record.id).unwrap().unwrap(), accepted.record);
    }

    #[tokio::test]
    async fn an_id_that_an_equal_submit_was_given_is_never_taken_back() {
        for lost_answers in [1, 2, CREATE_TRIES, CREATE_TRIES + 1] {
            let (_dir, to) = acceptance(lost_answers);
            let record = equal_record();
            let first = submit(&to, &record).await;
            assert_eq!(backup::read(&to.blob, record.id).unwrap().as_ref(), Some(&record), "{lost_answers}");
            let second = submit(&to, &equal_record()).await.unwrap();
            assert_eq!((second.reused, second.record.id), (true, record.id), "{first:?}");
            assert_eq!(first.unwrap().record.id, record.id, "{lost_answers}: it has landed, so it is accepted");
            assert_eq!(to.blob.names("tasks").unwrap(), [record.id.to_string()], "one task, one folder");
            assert_eq!(backup::read(&to.blob, record.id).unwrap(), Some(record), "before its id is told");
        }
    }

    /// A write that is on its way to a store that several processes use may land after its answer was given up.
    #[tokio::test]
    async fn what_may_have_landed_keeps_its_files_and_what_cannot_have_leaves_none() {
        for lease in [None, Some(std::time::Duration::from_secs(9))] {
            let store = Arc::new(AlteredStore { lease, ..AlteredStore::default() });
            store.is_unavailable.send_replace(true);
            let (_dir, to) = acceptance_of(store);
            let refused = submit(&to, &equal_record()).await;
            assert!(matches!(refused, Err(RequestError::StoreUnavailable(_))), "{refused:?}");
            assert_eq!(to.blob.names("tasks").unwrap().is_empty(), lease.is_none());
        }
    }

    /// The process that wrote the record may have died since, or not have got any further.
    #[tokio::test]
    async fn an_equal_submit_makes_the_backup_count_before_it_tells_the_id() {
        let (_dir, to) = acceptance(0);
        let record = equal_record();
        backup::prepare(&to.blob, &record).unwrap();
        to.create(&record).await.unwrap();
        assert_eq!(backup::read(&to.blob, record.id).unwrap(), None);
        assert_eq!(submit(&to, &equal_record()).await.unwrap().record.id, record.id);
        assert_eq!(backup::read(&to.blob, record.id).unwrap(), Some(record));
    }

    #[tokio::test]
    async fn a_store_that_does_not_answer_is_asked_three_times_and_then_what_landed_is_accepted() {
        for (lost_answers, left) in [(0, 0), (2, 0), (3, 0), (10, 7)] {
            let store = Arc::new(AlteredStore { lost_answers: lost_answers.into(), ..AlteredStore::default() });
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

    /// A server that is held up before it writes the record looks, for long, like one that is dead.
    #[tokio::test]
    async fn a_source_that_another_server_took_for_garbage_is_written_again_or_the_submit_refused() {
        for (copy_is_there, deleted) in [(true, false), (false, false), (true, true)] {
            let (_dir, [blob, other]) = servers();
            let store = Arc::new(AlteredStore::default());
            let (to, record) = (Acceptance { store, blob: blob.clone() }, equal_record());
            let mut staging = blob.stage().unwrap();
            staging.write(b"pdf").unwrap();
            to.keep_files(staging.finish(), &record).await.unwrap();
            other.remove_folder(&record.work_dir).unwrap();
            if !copy_is_there {
                blob.forget_task(&record.id.to_string()).unwrap();
            }
            if deleted {
                assert!(to.keep_source(&record).await.is_ok());
                assert_eq!(other.names("tasks").unwrap(), Vec::<String>::new(), "what was deleted does not come back");
                continue;
            }
            let written = to.clone().write(record.clone()).await;
            assert_eq!(written.is_ok(), copy_is_there);
            if copy_is_there {
                assert_eq!(other.get(&record.pdf_path).unwrap().as_deref(), Some(&b"pdf"[..]));
                assert_eq!(backup::read(&other, record.id).unwrap(), Some(record));
            } else {
                assert!(matches!(written, Err(RequestError::StorageFailed(_))), "{written:?}");
                assert!(matches!(to.store.get(record.id).await, Err(StoreError::NotFound)));
            }
        }
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
