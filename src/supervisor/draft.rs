//! The record of a running task on its way to the store. Pure.

use uuid::Uuid;

use crate::store::{LeaseChange, Update};
use crate::task::{Revision, TaskRecord};

/// A record as it should be, beside what of it is known to be stored.
///
/// At most one write is under way. It is sent again unchanged until it lands, because whether it landed may be unknown;
/// what changes meanwhile goes with the next one. So a store that is away for an hour costs one write afterwards.
#[derive(Debug)]
pub(super) struct Draft {
    record: TaskRecord,
    stored: Revision,
    writing: Option<Update>,
    dirty: bool,
}

impl Draft {
    /// A record that was just read from the store or written to it.
    pub(super) const fn stored(record: TaskRecord) -> Self {
        let stored = record.revision();
        Self { record, stored, writing: None, dirty: false }
    }

    /// The record as it should be.
    pub(super) const fn record(&self) -> &TaskRecord {
        &self.record
    }

    /// Changes the record; it differs from the store until it is written.
    pub(super) fn change(&mut self) -> &mut TaskRecord {
        self.dirty = true;
        &mut self.record
    }

    /// The next write, when there is something to write and none is under way.
    pub(super) fn begin_write(&mut self) -> Option<Update> {
        if !self.dirty || self.writing.is_some() {
            return None;
        }
        self.dirty = false;
        // Also above every number that this draft ever had: a store that lost its last writes is behind us.
        self.record.version = self.record.version.max(self.stored.version) + 1;
        let lease = if self.record.owner.is_some() { LeaseChange::Hold } else { LeaseChange::Release };
        let update = Update { expected: self.stored, next: self.record.clone(), operation: Uuid::now_v7(), lease };
        self.writing = Some(update.clone());
        Some(update)
    }

    /// The write under way, to be sent again.
    pub(super) fn writing(&self) -> Option<&Update> {
        self.writing.as_ref()
    }

    /// The write under way was refused; what it held is still to be written.
    pub(super) fn refused(&mut self) {
        self.writing = None;
        self.dirty = true;
    }

    /// The store has another revision than was thought, and this draft is to replace it: what was under way is given up
    /// and everything is written anew.
    pub(super) fn rebase(&mut self, stored: Revision) {
        self.stored = stored;
        self.refused();
    }

    /// The write under way has landed; answers the record that is now stored.
    pub(super) fn landed(&mut self) -> Option<TaskRecord> {
        let update = self.writing.take()?;
        self.stored = update.next.revision();
        Some(update.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::test_record;

    #[test]
    fn changes_during_a_write_go_with_the_next_one() {
        let mut draft = Draft::stored(test_record(1));
        assert!(draft.begin_write().is_none());
        draft.change().counts.done = 1;
        let first = draft.begin_write().unwrap();
        draft.change().counts.done = 2;
        draft.change().counts.done = 3;
        assert!(draft.begin_write().is_none(), "one write at a time");
        assert_eq!(draft.writing().unwrap().operation, first.operation, "sent again as it was");
        assert_eq!(draft.landed().unwrap().counts.done, 1);
        let second = draft.begin_write().unwrap();
        assert_eq!((second.expected, second.next.counts.done), (first.next.revision(), 3));
        draft.landed();
        assert!(draft.begin_write().is_none() && draft.writing().is_none());
    }

    #[test]
    fn what_was_refused_is_written_anew() {
        let mut draft = Draft::stored(test_record(1));
        draft.change().counts.done = 1;
        let first = draft.begin_write().unwrap();
        draft.refused();
        assert!(draft.writing().is_none());
        let again = draft.begin_write().unwrap();
        assert_ne!(again.operation, first.operation, "the store has judged that one");
        assert_eq!((again.expected, again.next.counts.done), (first.expected, 1));
    }

    #[test]
    fn after_a_store_went_back_in_time_versions_still_grow() {
        let mut draft = Draft::stored(test_record(1));
        for done in 1..=5 {
            draft.change().counts.done = done;
            draft.begin_write().unwrap();
            draft.landed();
        }
        let behind = Revision { epoch: 1, version: 2 };
        draft.rebase(behind);
        let update = draft.begin_write().unwrap();
        assert_eq!((update.expected, update.next.version, update.next.counts.done), (behind, 7, 5));
    }
}
