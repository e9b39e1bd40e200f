//! What a task's folder keeps so that its record can be made again.
//!
//! Beside its source, a task's folder has `record-<epoch>.json`: a copy of its record as it was when the epoch began,
//! and as it is since the task is final. A database can lose its last writes, or all of them; then the record is made
//! from the copy with the greatest epoch. Each epoch has its own file, so that an owner who was paused while another
//! took over cannot replace what that one wrote.
//!
//! **Write order.** The first copy is written before the record under a name that does not count, and gets its own name
//! after the record: so a full disk is met before the task's id is answered, and a folder without a copy that counts
//! belongs to no accepted task. Later copies are written after the record; only the owner's word that the task is final
//! comes before it, and is waited for, so that the next owner of a task whose owner died in between, or one whose store lost
//! its record, finds how it ended. A cancel that no job hears of counts with its record; where its copy cannot be written,
//! the older ones are removed instead, which takes no room on the disk. A delete removes the copies first, so that nothing
//! brings the task back.

use std::io;

use crate::blob::{Durability, LocalBlob};
use crate::failpoint;
use crate::store::StoreError;
use crate::task::{TaskId, TaskRecord, TaskStatus, UnreadableRecord, from_json, to_json};

/// Writes the copy for the record's epoch. A folder that is gone is not made again.
///
/// # Errors
/// When it cannot be written, for example because the folder is gone (`NotFound`).
pub(super) fn keep(blob: &LocalBlob, record: &TaskRecord, durability: Durability) -> io::Result<()> {
    let json = to_json(record).map_err(io::Error::other)?;
    failpoint::pass("copy.write")?;
    blob.put_into_folder(&format!("{}/record-{}.json", record.work_dir, record.epoch), &json, durability)
}

/// [`keep`] off the actor's thread. A failure is told in the log: the record is the truth and the task goes on.
pub(super) async fn keep_copy(blob: LocalBlob, record: TaskRecord, durability: Durability) {
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
pub(super) async fn keep_end(blob: LocalBlob, record: TaskRecord, durability: Durability) -> Result<(), StoreError> {
    let kept = tokio::task::spawn_blocking(move || keep(&blob, &record, durability)).await;
    match kept.map_err(io::Error::other).flatten() {
        Err(why) if why.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::Unavailable(format!("the copy of the record beside the source cannot be written: {why}")))
        }
        _ => Ok(()),
    }
}

/// [`keep_copy`] of a change that no job makes. The record of a cancelled task counts already, so nothing can wait for its
/// copy. Where that cannot be written, the copies that say that the task goes on are removed: should the store lose the
/// record, the task is gone with it, and does not run after its caller was told that it was cancelled.
pub(super) async fn keep_change(blob: LocalBlob, record: TaskRecord, durability: Durability) {
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
    blob.remove(&format!("tasks/{id}/{PREPARED}"))?;
    let until = copies(blob, id)?.into_iter().filter(|name| epoch_of(name).is_none_or(|of| of <= epoch));
    until.into_iter().try_for_each(|name| blob.remove(&format!("tasks/{id}/{name}")))
}

/// The name of the first copy as long as the record may not be there.
pub(super) const PREPARED: &str = "record-1.prepared";

/// Writes the first copy of a record that is about to be created, so that it does not count yet. Makes the folder.
///
/// # Errors
/// When it cannot be written.
pub(super) fn prepare(blob: &LocalBlob, record: &TaskRecord) -> io::Result<()> {
    let json = to_json(record).map_err(io::Error::other)?;
    failpoint::pass("copy.write")?;
    blob.put(&format!("{}/{PREPARED}", record.work_dir), &json, Durability::Cached)
}

/// Has the first copy count from now on, because the record is there. Nothing to do when it counts already, or when the
/// task went on to a later epoch or was deleted.
///
/// # Errors
/// When it cannot be renamed.
pub(super) fn confirm(blob: &LocalBlob, id: TaskId) -> io::Result<()> {
    blob.rename(&format!("tasks/{id}/{PREPARED}"), &format!("tasks/{id}/record-1.json"))
}

/// The copy with the greatest epoch, or `None` when there is none.
///
/// # Errors
/// [`StoreError::Unavailable`] when the folder cannot be read now, [`StoreError::Unreadable`] when there are copies and
/// none can be read: then nothing is known of the task.
pub(super) fn read(blob: &LocalBlob, id: TaskId) -> Result<Option<TaskRecord>, StoreError> {
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
pub(super) async fn read_copy(blob: LocalBlob, id: TaskId) -> Result<Option<TaskRecord>, StoreError> {
    let read = tokio::task::spawn_blocking(move || read(&blob, id)).await;
    read.map_err(|why| not_now(&io::Error::other(why)))?
}

/// [`read`] off the actor's thread, where it does not matter much: copies that cannot be read count as none.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub(super) async fn read_if_possible(blob: LocalBlob, id: TaskId) -> Result<Option<TaskRecord>, StoreError> {
    match read_copy(blob, id).await {
        Err(StoreError::Unreadable(_)) => Ok(None),
        read => read,
    }
}

fn not_now(error: &io::Error) -> StoreError {
    StoreError::Unavailable(format!("the copy of the record beside the source cannot be read: {error}"))
}

/// The greatest epoch of a copy, going by the names of the files.
pub(super) fn newest_epoch(blob: &LocalBlob, id: TaskId) -> io::Result<Option<u64>> {
    Ok(copies(blob, id)?.iter().filter_map(|name| epoch_of(name)).max())
}

fn epoch_of(name: &str) -> Option<u64> {
    name.strip_prefix("record-")?.strip_suffix(".json")?.parse().ok()
}

/// Removes every copy: from now on the folder is that of no task.
///
/// # Errors
/// When one cannot be removed.
pub(super) fn forget(blob: &LocalBlob, id: TaskId) -> io::Result<()> {
    blob.remove(&format!("tasks/{id}/{PREPARED}"))?;
    copies(blob, id)?.into_iter().try_for_each(|name| blob.remove(&format!("tasks/{id}/{name}")))
}

fn copies(blob: &LocalBlob, id: TaskId) -> io::Result<Vec<String>> {
    let mut names = blob.names(&format!("tasks/{id}"))?;
    names.retain(|name| name.strip_prefix("record-").is_some_and(|rest| rest.strip_suffix(".json").is_some()));
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
            confirm(&blob, record.id).unwrap();
            assert_eq!(read(&blob, record.id).unwrap().as_ref(), Some(&record));
        }
        for confirmed in [true, false] {
            prepare(&blob, &record).unwrap();
            if confirmed {
                confirm(&blob, record.id).unwrap();
            }
            forget(&blob, record.id).unwrap();
            confirm(&blob, record.id).unwrap();
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
        // A submit whose backup has not counted yet.
        let record = test_record(1);
        prepare(&blob, &record).unwrap();
        withdraw(&blob, record.id, 1).unwrap();
        confirm(&blob, record.id).unwrap();
        assert_eq!(read(&blob, record.id).unwrap(), None);
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
