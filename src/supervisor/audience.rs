//! Who hears of tasks: callers that watch one or follow its pages, and other servers that are told of its end.

pub(super) mod outbox;
#[cfg(test)]
mod outbox_tests;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{broadcast, watch};

use crate::task::{PageView, TaskId, TaskRecord};

/// Batches of pages that who follows a task may be behind.
const FEED: usize = 64;

/// The callers of this process that watch tasks, and those that follow their pages.
#[derive(Debug, Default)]
pub(super) struct Audience {
    /// Pages of running tasks as they get their outcomes.
    feeds: HashMap<TaskId, broadcast::Sender<Arc<[PageView]>>>,
    watchers: HashMap<TaskId, watch::Sender<Option<TaskRecord>>>,
}

impl Audience {
    /// Shows each change of a task's record from now on.
    pub(super) fn watch(&mut self, id: TaskId) -> watch::Receiver<Option<TaskRecord>> {
        self.watchers.entry(id).or_insert_with(|| watch::Sender::new(None)).subscribe()
    }

    /// Shows the pages of a task that get their outcomes from now on.
    pub(super) fn follow(&mut self, id: TaskId) -> broadcast::Receiver<Arc<[PageView]>> {
        self.feeds.entry(id).or_insert_with(|| broadcast::channel(FEED).0).subscribe()
    }

    /// Shows pages that have got their outcomes.
    pub(super) fn show_pages(&mut self, id: TaskId, pages: Vec<PageView>) {
        let Some(feed) = self.feeds.get(&id) else { return };
        if feed.receiver_count() == 0 {
            self.feeds.remove(&id);
        } else if !pages.is_empty() {
            let _ = feed.send(pages.into());
        }
    }

    /// Shows the record of a running task.
    pub(super) fn show(&self, record: &TaskRecord) {
        if let Some(watcher) = self.watchers.get(&record.id) {
            watcher.send_replace(Some(record.clone()));
        }
    }

    /// Shows the record of a task that runs elsewhere, unless it is the one that was shown last. After the last one of a
    /// task there is nothing more to show.
    pub(super) fn show_stored(&mut self, record: TaskRecord) {
        let Some(watcher) = self.watchers.get(&record.id) else { return };
        let (id, is_final) = (record.id, record.status.is_final());
        let shown = watcher.borrow().as_ref().map(TaskRecord::revision);
        if shown != Some(record.revision()) {
            watcher.send_replace(Some(record));
        }
        if is_final {
            self.watchers.remove(&id);
        }
    }

    /// Shows how a task has ended.
    pub(super) fn end(&mut self, record: TaskRecord) {
        self.feeds.remove(&record.id);
        if let Some(watcher) = self.watchers.remove(&record.id) {
            watcher.send_replace(Some(record));
        }
    }

    /// A task is not there any more: a caller that waits for it asks again, and hears so.
    pub(super) fn gone(&mut self, id: TaskId) {
        self.watchers.remove(&id);
    }

    /// Tasks that a caller watches.
    pub(super) fn watched(&self) -> impl Iterator<Item = TaskId> {
        self.watchers.iter().filter(|(_, watcher)| !watcher.is_closed()).map(|(id, _)| *id)
    }

    /// Forgets what no caller listens to, but for the records of tasks that run here.
    pub(super) fn tidy(&mut self, runs_here: impl Fn(TaskId) -> bool) {
        self.watchers.retain(|id, watcher| !watcher.is_closed() || runs_here(*id));
        self.feeds.retain(|_, feed| feed.receiver_count() > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{TaskStatus, test_record};

    #[test]
    fn i11_what_no_caller_listens_to_is_forgotten() {
        let mut audience = Audience::default();
        let [here, elsewhere] = [1, 2].map(|id| test_record(id).id);
        for id in [here, elsewhere] {
            drop((audience.watch(id), audience.follow(id)));
        }
        assert_eq!(audience.watched().count(), 0);
        audience.tidy(|id| id == here);
        assert_eq!((audience.watchers.len(), audience.feeds.len()), (1, 0));
        let listens = (audience.watch(elsewhere), audience.follow(elsewhere));
        audience.tidy(|_| false);
        assert_eq!((audience.watched().collect::<Vec<_>>(), audience.feeds.len()), (vec![elsewhere], 1));
        drop(listens);
        audience.show_pages(elsewhere, Vec::new());
        audience.tidy(|_| false);
        assert!(audience.watchers.is_empty() && audience.feeds.is_empty());
    }

    #[test]
    fn a_record_is_shown_once_and_none_after_the_last() {
        let mut audience = Audience::default();
        let record = TaskRecord { status: TaskStatus::Processing, ..test_record(1) };
        let mut watch = audience.watch(record.id);
        audience.show_stored(record.clone());
        assert!(watch.has_changed().unwrap());
        watch.mark_unchanged();
        audience.show_stored(record.clone());
        assert!(!watch.has_changed().unwrap());
        let ended = TaskRecord { status: TaskStatus::Completed, version: record.version + 1, ..record };
        audience.show_stored(ended.clone());
        assert_eq!(watch.borrow_and_update().as_ref(), Some(&ended));
        assert!(watch.has_changed().is_err(), "there is nothing more to come");
    }
}
