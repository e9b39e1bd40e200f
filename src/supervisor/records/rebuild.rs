//! Making the records of a store again from what the tasks' folders keep of them.

use crate::blob::{LocalBlob, names};
use crate::store::{StoreError, TaskStore};
use crate::supervisor::ownership::decide::as_waiting;
use crate::supervisor::records::backup;
use crate::supervisor::records::restore;
use crate::task::TaskId;

/// What became of the tasks' folders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Records that were made again.
    pub restored: usize,
    /// Tasks whose record was there.
    pub known: usize,
    /// Folders whose copies of the record cannot be read: these tasks stay unlisted until a version reads them.
    pub unreadable: usize,
}

/// Brings the records of all tasks back that have a folder and no record in `store`. Ended tasks are as they were;
/// unfinished ones begin where the ledger ends. What has expired is left to the janitor, and a folder without a copy
/// belongs to no accepted task.
///
/// # Errors
/// When the store does not answer or the folders cannot be read.
pub async fn rebuild(store: &dyn TaskStore, blob: &LocalBlob) -> Result<Rebuilt, StoreError> {
    let unavailable = |error: std::io::Error| StoreError::Unavailable(error.to_string());
    let all = blob.clone();
    let listed = tokio::task::spawn_blocking(move || all.names("tasks")).await;
    let listed = listed.map_err(std::io::Error::other).and_then(|names| names).map_err(unavailable)?;
    let ids = listed.iter().filter(|name| names::is_task_folder(name)).filter_map(|name| name.parse::<TaskId>().ok());
    let mut rebuilt = Rebuilt::default();
    for id in ids {
        let now = crate::clock::Timestamp::now();
        match backup::read_copy(blob.clone(), id).await {
            Ok(Some(copy)) if copy.expires_at.is_some_and(|at| at <= now) => {}
            Ok(Some(copy)) => match restore(store, &as_waiting(copy)).await {
                Ok(()) => rebuilt.restored += 1,
                Err(StoreError::Exists) => rebuilt.known += 1,
                Err(other) => return Err(other),
            },
            Ok(None) => {}
            Err(StoreError::Unreadable(why)) => {
                log::warn!(task:% = id; "its record cannot be made again: {why}");
                rebuilt.unreadable += 1;
            }
            Err(other) => return Err(other),
        }
    }
    Ok(rebuilt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::Durability;
    use crate::clock::Timestamp;
    use crate::store::{Create, Created, EmbeddedStore};
    use crate::task::{TaskRecord, TaskStatus, TaskStep, test_record};

    #[tokio::test]
    async fn records_come_back_as_they_were_with_their_keys_and_what_has_expired_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let blob = LocalBlob::open(dir.path()).unwrap();
        let store = EmbeddedStore::in_memory().unwrap();
        let hour = std::time::Duration::from_hours(1);
        let [mut running, mut done, mut expired, torn] = [(); 4].map(|()| test_record(1_000));
        running.idempotency = Some("key".into());
        running.owner = Some("dead#1".into());
        running.take(TaskStep::Dispatch, Timestamp::now(), hour).unwrap();
        done.take(TaskStep::Complete, Timestamp::now(), hour).unwrap();
        expired.take(TaskStep::Complete, Timestamp::from_millis(2_000), hour).unwrap();
        for record in [&running, &done, &expired] {
            blob.put(&record.pdf_path, b"pdf", Durability::Cached).unwrap();
            backup::keep(&blob, record, Durability::Cached).unwrap();
        }
        blob.put(&format!("{}/record-1.json", torn.work_dir), b"{torn", Durability::Cached).unwrap();
        blob.put("tasks/mine/record-1.json", b"{}", Durability::Cached).unwrap();

        let first = rebuild(&store, &blob).await.unwrap();
        assert_eq!(first, Rebuilt { restored: 2, known: 0, unreadable: 1 });
        assert_eq!(rebuild(&store, &blob).await.unwrap(), Rebuilt { restored: 0, known: 2, unreadable: 1 });
        assert_eq!(store.get(done.id).await.unwrap(), done);
        let back = store.get(running.id).await.unwrap();
        assert_eq!((back.status, &back.owner, back.epoch), (TaskStatus::Pending, &None, running.epoch));
        // Its caller asks again under the same key.
        let again = TaskRecord { id: TaskId::generate(), ..running.clone() };
        let create = Create { record: again, operation: uuid::Uuid::now_v7(), reuse: false };
        assert_eq!(store.create(&create).await.unwrap(), Created::Existing(running.id));
        assert!(matches!(store.get(expired.id).await, Err(StoreError::NotFound)));
    }
}
