//! What a task's folder keeps so that its record can be made again.
//!
//! Beside its source, a task's folder has `record-<epoch>.json`: a copy of its record as it was when the epoch began,
//! and as it is since the task is final. A database can lose its last writes, or all of them; then the record is made
//! from the copy with the greatest epoch. Each epoch has its own file, so that an owner who was paused while another
//! took over cannot replace what that one wrote.
//!
//! **Write order.** The first copy is written before the record under a name that does not count, and gets its own name
//! after the record: so a full disk is met before the task's id is answered, and a folder without a copy that counts
//! belongs to no accepted task. That of a retry is written in the same way. Other copies are written after the record; only
//! the owner's word that the task is final comes before it, and is waited for, so that the next owner of a task whose owner
//! died in between, or one whose store lost its record, finds how it ended. A cancel that no job hears of counts with its
//! record; where its copy cannot be written, the older ones are removed instead, which takes no room on the disk. A delete
//! removes the copies first, so that nothing brings the task back.

use std::io;

use crate::blob::{Durability, LocalBlob};
use crate::failpoint;
use crate::ledger::{LedgerScope, PageHashes};
use crate::store::StoreError;
use crate::task::{TaskId, TaskRecord, TaskStatus, UnreadableRecord, from_json, to_json};

/// Writes the copy for the record's epoch. A folder that is gone is not made again.
///
/// # Errors
/// When it cannot be written, for example because the folder is gone (`NotFound`).
pub(in crate::supervisor) fn keep(blob: &LocalBlob, record: &TaskRecord, durability: Durability) -> io::Result<()> {
    let json = to_json(record).map_err(io::Error::other)?;
    failpoint::pass("copy.write")?;
    blob.put_into_folder(&format!("{}/record-{}.json", record.work_dir, record.epoch), &json, durability)
}

/// [`keep`] off the actor's thread. A failure is told in the log: the record is the truth and the task goes on.
pub(in crate::supervisor) async fn keep_copy(blob: LocalBlob, record: TaskRecord, durability: Durability) {
    let id = record.id;
    let kept = tokio::task::spawn_blocking(move || keep(&blob, &record, durability)).await;
    if let Ok(Err(why)) = kept {
        log::warn!(task:% = id; "no copy of the record beside the source: {why}");
    }
}

/// The copy of a task's end, which its record waits for: a store that loses an end without a copy would have the task end
/// a second time. A folder that is gone is that of a deleted task, whose record is refused.
///
/// # Errors
/// [`StoreError::Unavailable`] when it cannot be written now, for example on a full disk.
pub(in crate::supervisor) async fn keep_end(
    blob: LocalBlob,
    record: TaskRecord,
    durability: Durability,
) -> Result<(), StoreError> {
    let kept = tokio::task::spawn_blocking(move || {
        if blob.is_shared() {
            // Which pages it had is to be known when it is purged, by whichever server.
            let (folder, source) = (&record.work_dir, &record.source.sha256);
            PageHashes::new(blob.clone(), folder, source, LedgerScope::SHARED).publish()?;
        }
        keep(&blob, &record, durability)
    });
    match kept.await.map_err(io::Error::other).flatten() {
        Err(why) if why.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::Unavailable(format!("the copy of the record beside the source cannot be written: {why}")))
        }
        _ => Ok(()),
    }
}

/// [`keep_copy`] of a change that no job makes. The record of a cancelled task counts already, so nothing can wait for its
/// copy. Where that cannot be written, the copies that say that the task goes on are removed: should the store lose the
/// record, the task is gone with it, and does not run after its caller was told that it was cancelled.
pub(in crate::supervisor) async fn keep_change(blob: LocalBlob, record: TaskRecord, durability: Durability) {
    let id = record.id;
    let kept = tokio::task::spawn_blocking(move || {
        keep(&blob, &record, durability).inspect_err(|_| {
            if record.status == TaskStatus::Cancelled
                && let Err(why) = withdraw(&blob, id, record.epoch)
            {
                log::error!(task:% = id; "cancelled, but would run again if the store lost its record: {why}");
            }
        })
    });
    if let Ok(Err(why)) = kept.await {
        log::warn!(task:% = id; "no copy of the record beside the source: {why}");
    }
}

/// Removes the copies of a task up to `epoch`, unless they say how it ended: then they stay true. Those of a later epoch
/// are those of a later owner.
fn withdraw(blob: &LocalBlob, id: TaskId, epoch: u64) -> io::Result<()> {
    if let Ok(Some(copy)) = read(blob, id)
        && (copy.epoch > epoch || copy.status.is_final())
    {
        return Ok(());
    }
    let until = |of: &String| epoch_of(of).is_none_or(|of| of <= epoch);
    remove(blob, id, prepared(blob, id)?.into_iter().filter(until))?;
    remove(blob, id, copies(blob, id)?.into_iter().filter(until))
}

fn remove(blob: &LocalBlob, id: TaskId, names: impl IntoIterator<Item = String>) -> io::Result<()> {
    names.into_iter().try_for_each(|name| blob.remove(&format!("tasks/{id}/{name}")))
}

/// The name of the copy of an epoch as long as its record may not be there.
pub(in crate::supervisor) fn prepared_name(epoch: u64) -> String {
    format!("record-{epoch}{PREPARED}")
}

const PREPARED: &str = ".prepared";

/// Writes the first copy of a record that is about to be created, so that it does not count yet. Makes the folder.
///
/// # Errors
/// When it cannot be written.
pub(in crate::supervisor) fn prepare(blob: &LocalBlob, record: &TaskRecord) -> io::Result<()> {
    let json = to_json(record).map_err(io::Error::other)?;
    failpoint::pass("copy.write")?;
    blob.put(&format!("{}/{}", record.work_dir, prepared_name(record.epoch)), &json, Durability::Cached)
}

/// The same for a record that is about to begin a new epoch. A folder that is gone is not made again: it is that of a deleted
/// task, whose record is refused, or there is no source to read any more, which its job will find out.
///
/// # Errors
/// When it cannot be written.
pub(in crate::supervisor) fn prepare_epoch(blob: &LocalBlob, record: &TaskRecord) -> io::Result<()> {
    let json = to_json(record).map_err(io::Error::other)?;
    failpoint::pass("copy.write")?;
    let key = format!("{}/{}", record.work_dir, prepared_name(record.epoch));
    match blob.put_into_folder(&key, &json, Durability::Cached) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        kept => kept,
    }
}

/// Has the copy of this epoch count from now on, because the record is there. Nothing to do when it counts already, or when
/// the task was deleted.
///
/// # Errors
/// When it cannot be renamed.
pub(in crate::supervisor) fn confirm(blob: &LocalBlob, id: TaskId, epoch: u64) -> io::Result<()> {
    blob.rename(&format!("tasks/{id}/{}", prepared_name(epoch)), &format!("tasks/{id}/record-{epoch}.json"))
}

/// [`confirm`] off the actor's thread. The copy is on the disk already, so hardly anything can fail here; when it does, the
/// record is still there and the task goes on.
pub(in crate::supervisor) async fn confirm_copy(blob: LocalBlob, id: TaskId, epoch: u64) {
    let confirmed = tokio::task::spawn_blocking(move || confirm(&blob, id, epoch)).await;
    if let Ok(Err(why)) = confirmed {
        log::error!(task:% = id; "the backup of the record of an accepted task does not count: {why}");
    }
}

/// The copy with the greatest epoch, or `None` when there is none.
///
/// # Errors
/// [`StoreError::Unavailable`] when the folder cannot be read now, [`StoreError::Unreadable`] when there are copies and
/// none can be read: then nothing is known of the task.
pub(in crate::supervisor) fn read(blob: &LocalBlob, id: TaskId) -> Result<Option<TaskRecord>, StoreError> {
    let (mut newest, mut unreadable) = (None::<TaskRecord>, None);
    for name in copies(blob, id).map_err(|error| not_now(&error))? {
        let Some(bytes) = blob.get(&format!("tasks/{id}/{name}")).map_err(|error| not_now(&error))? else { continue };
        match from_json(&bytes) {
            Ok(copy) if copy.id == id => newest = newest.into_iter().chain([copy]).max_by_key(|copy| copy.epoch),
            Ok(_) => unreadable = Some(UnreadableRecord { why: "it is of another task".into(), tenant: None }),
            Err(why) => unreadable = Some(why),
        }
    }
    match (newest, unreadable) {
        (None, Some(why)) => Err(StoreError::Unreadable(why)),
        (newest, _) => Ok(newest),
    }
}

/// [`read`] off the actor's thread.
///
/// # Errors
/// As [`read`].
pub(in crate::supervisor) async fn read_copy(blob: LocalBlob, id: TaskId) -> Result<Option<TaskRecord>, StoreError> {
    let read = tokio::task::spawn_blocking(move || read(&blob, id)).await;
    read.map_err(|why| not_now(&io::Error::other(why)))?
}

/// [`read`] off the actor's thread, where it does not matter much: copies that cannot be read count as none.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub(in crate::supervisor) async fn read_if_possible(
    blob: LocalBlob,
    id: TaskId,
) -> Result<Option<TaskRecord>, StoreError> {
    match read_copy(blob, id).await {
        Err(StoreError::Unreadable(_)) => Ok(None),
        read => read,
    }
}

fn not_now(error: &io::Error) -> StoreError {
    StoreError::Unavailable(format!("the copy of the record beside the source cannot be read: {error}"))
}

/// The greatest epoch of a copy, going by the names of the files.
pub(in crate::supervisor) fn newest_epoch(blob: &LocalBlob, id: TaskId) -> io::Result<Option<u64>> {
    Ok(copies(blob, id)?.iter().filter_map(|name| epoch_of(name)).max())
}

fn epoch_of(name: &str) -> Option<u64> {
    let name = name.strip_prefix("record-")?;
    name.strip_suffix(".json").or_else(|| name.strip_suffix(PREPARED))?.parse().ok()
}

/// Removes every copy: from now on the folder is that of no task.
///
/// # Errors
/// When one cannot be removed.
pub(in crate::supervisor) fn forget(blob: &LocalBlob, id: TaskId) -> io::Result<()> {
    // One that is made to count in between is among the copies.
    remove(blob, id, prepared(blob, id)?)?;
    remove(blob, id, copies(blob, id)?)
}

fn copies(blob: &LocalBlob, id: TaskId) -> io::Result<Vec<String>> {
    records(blob, id, ".json")
}

/// Copies that do not count.
fn prepared(blob: &LocalBlob, id: TaskId) -> io::Result<Vec<String>> {
    records(blob, id, PREPARED)
}

fn records(blob: &LocalBlob, id: TaskId, ending: &str) -> io::Result<Vec<String>> {
    let mut names = blob.names(&format!("tasks/{id}"))?;
    names.retain(|name| name.strip_prefix("record-").is_some_and(|rest| rest.strip_suffix(ending).is_some()));
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::test_record;

    #[test]
    fn a_prepared_copy_counts_when_it_is_confirmed_and_never_after_a_delete() {
        let dir = tempfile::tempdir().unwrap();
        let blob = LocalBlob::open(dir.path()).unwrap();
        let record = test_record(1);
        prepare(&blob, &record).unwrap();
        assert_eq!((read(&blob, record.id).unwrap(), newest_epoch(&blob, record.id).unwrap()), (None, None));
        for _ in 0..2 {
            confirm(&blob, record.id, 1).unwrap();
            assert_eq!(read(&blob, record.id).unwrap().as_ref(), Some(&record));
        }
        for confirmed in [true, false] {
            prepare(&blob, &record).unwrap();
            prepare_epoch(&blob, &TaskRecord { epoch: 2, ..record.clone() }).unwrap();
            if confirmed {
                confirm(&blob, record.id, 1).unwrap();
            }
            forget(&blob, record.id).unwrap();
            confirm(&blob, record.id, 1).unwrap();
            confirm(&blob, record.id, 2).unwrap();
            assert_eq!(blob.names(&record.work_dir).unwrap(), Vec::<String>::new());
        }
    }

    #[tokio::test]
    async fn an_end_waits_for_its_copy_but_not_for_that_of_a_deleted_task() {
        let dir = tempfile::tempdir().unwrap();
        let blob = LocalBlob::open(dir.path()).unwrap();
        let record = test_record(1);
        let kept = async || keep_end(blob.clone(), record.clone(), Durability::Cached).await;
        assert!(kept().await.is_ok(), "its folder is gone, and its record will be refused");
        let copy = format!("{}/record-1.json", record.work_dir);
        blob.put(&format!("{copy}/in-its-way"), b"", Durability::Cached).unwrap();
        assert!(matches!(kept().await, Err(StoreError::Unavailable(_))));
        std::fs::remove_dir_all(blob.path(&copy).unwrap()).unwrap();
        assert!(kept().await.is_ok());
        assert_eq!(read(&blob, record.id).unwrap(), Some(record));
    }

    #[test]
    fn a_copy_of_another_task_says_nothing_of_this_one() {
        let dir = tempfile::tempdir().unwrap();
        let blob = LocalBlob::open(dir.path()).unwrap();
        let (record, other) = (test_record(1), test_record(1));
        let theirs = to_json(&other).unwrap();
        blob.put(&format!("{}/record-2.json", record.work_dir), &theirs, Durability::Cached).unwrap();
        assert!(matches!(read(&blob, record.id), Err(StoreError::Unreadable(_))));
        keep(&blob, &record, Durability::Cached).unwrap();
        assert_eq!(read(&blob, record.id).unwrap(), Some(record));
    }

    #[test]
    fn copies_that_say_that_a_cancelled_task_goes_on_are_withdrawn_and_no_others() {
        let dir = tempfile::tempdir().unwrap();
        let blob = LocalBlob::open(dir.path()).unwrap();
        let (running, cancelled) = (TaskStatus::Processing, TaskStatus::Cancelled);
        for (copies, left) in [
            (&[(1, running), (2, running)][..], &[][..]),
            (&[(1, running), (2, cancelled)], &["record-1.json", "record-2.json"]),
            // It was retried in between: that is not the canceller's to undo.
            (&[(2, cancelled), (3, running)], &["record-2.json", "record-3.json"]),
            (&[], &[]),
        ] {
            let mut record = test_record(1);
            blob.put(&record.pdf_path, b"pdf", Durability::Cached).unwrap();
            for (epoch, status) in copies {
                (record.epoch, record.status) = (*epoch, *status);
                keep(&blob, &record, Durability::Cached).unwrap();
            }
            withdraw(&blob, record.id, 2).unwrap();
            let mut names = blob.names(&record.work_dir).unwrap();
            names.retain(|name| name != "source.pdf");
            names.sort();
            assert_eq!(names, left, "{copies:?}");
        }
        // A submit and a retry whose copies have not counted yet.
        for epoch in [1, 2] {
            let record = TaskRecord { epoch, ..test_record(1) };
            prepare(&blob, &record).unwrap();
            withdraw(&blob, record.id, epoch - 1).unwrap();
            assert_eq!(blob.names(&record.work_dir).unwrap(), [prepared_name(epoch)], "it may be there yet");
            withdraw(&blob, record.id, epoch).unwrap();
            confirm(&blob, record.id, epoch).unwrap();
            assert_eq!(read(&blob, record.id).unwrap(), None);
        }
    }

    #[tokio::test]
    async fn only_a_cancel_whose_copy_finds_no_room_removes_the_others() {
        for (status, is_gone) in [(TaskStatus::Cancelled, true), (TaskStatus::Pending, false)] {
            let dir = tempfile::tempdir().unwrap();
            let blob = LocalBlob::open(dir.path()).unwrap();
            let record = test_record(1);
            blob.put(&record.pdf_path, b"pdf", Durability::Cached).unwrap();
            keep(&blob, &record, Durability::Cached).unwrap();
            let in_its_way = blob.path(&format!("{}/record-2.json/x", record.work_dir)).unwrap();
            std::fs::create_dir_all(in_its_way).unwrap();
            let changed = TaskRecord { epoch: 2, status, ..record.clone() };
            keep_change(blob.clone(), changed, Durability::Cached).await;
            assert_eq!(
                blob.path(&format!("{}/record-1.json", record.work_dir)).unwrap().exists(),
                !is_gone,
                "{status}"
            );
        }
    }

    #[test]
    fn the_copy_of_the_greatest_epoch_counts() {
        let dir = tempfile::tempdir().unwrap();
        let blob = LocalBlob::open(dir.path()).unwrap();
        let mut record = test_record(1);
        assert!(keep(&blob, &record, Durability::Cached).is_err(), "a folder that is gone stays gone");
        assert_eq!(read(&blob, record.id).unwrap(), None);
        blob.put(&record.pdf_path, b"pdf", Durability::Cached).unwrap();
        for epoch in [9, 10, 2] {
            record.epoch = epoch;
            keep(&blob, &record, Durability::Cached).unwrap();
        }
        assert_eq!(read(&blob, record.id).unwrap().unwrap().epoch, 10);
        blob.put(&format!("{}/record-11.json", record.work_dir), b"{torn", Durability::Cached).unwrap();
        assert_eq!(read(&blob, record.id).unwrap().unwrap().epoch, 10);
        assert_eq!(newest_epoch(&blob, record.id).unwrap(), Some(11));
        let bytes = blob.get(&format!("{}/record-10.json", record.work_dir)).unwrap().unwrap();
        assert!(bytes.starts_with(b"{\"format\":1,"), "each says its format");
        forget(&blob, record.id).unwrap();
        blob.put(&format!("{}/record-11.json", record.work_dir), b"{torn", Durability::Cached).unwrap();
        assert!(read(&blob, record.id).is_err(), "nothing is known, which is not the same as nothing there");
        forget(&blob, record.id).unwrap();
        assert_eq!(read(&blob, record.id).unwrap(), None);
        assert_eq!(blob.names(&record.work_dir).unwrap(), ["source.pdf"]);
    }
}
