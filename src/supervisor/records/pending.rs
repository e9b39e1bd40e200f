//! The record of a running task on its way to the store. Pure.

use uuid::Uuid;

use crate::store::{LeaseChange, Update};
use crate::task::{Revision, TaskRecord};

/// A record as it should be, beside what of it is known to be stored.
///
/// At most one write is under way. It is sent again unchanged until it lands, because whether it landed may be unknown;
/// what changes meanwhile goes with the next one. So a store that is unavailable for an hour costs one write afterwards.
#[derive(Debug)]
pub(in crate::supervisor) struct PendingRecord {
    record: TaskRecord,
    stored: Revision,
    writing: Option<Update>,
    dirty: bool,
}

impl PendingRecord {
    /// A record that was just read from the store or written to it.
    pub(in crate::supervisor) const fn stored(record: TaskRecord) -> Self {
        let stored = record.revision();
        Self { record, stored, writing: None, dirty: false }
    }

    /// The record as it should be.
    pub(in crate::supervisor) const fn record(&self) -> &TaskRecord {
        &self.record
    }

    /// Changes the record; it differs from the store until it is written.
    pub(in crate::supervisor) fn change(&mut self) -> &mut TaskRecord {
        self.dirty = true;
        &mut self.record
    }

    /// The next write, when there is something to write and none is under way.
    pub(in crate::supervisor) fn begin_write(&mut self) -> Option<Update> {
        if !self.dirty || self.writing.is_some() {
            return None;
        }
        self.dirty = false;
        // Also above every number that this record ever had: a store that lost its last writes is behind us.
        self.record.version = self.record.version.max(self.stored.version) + 1;
        debug_assert!(self.record.revision() > self.stored, "I6: {:?} after {:?}", self.record.revision(), self.stored);
        let lease = if self.record.owner.is_some() { LeaseChange::Hold } else { LeaseChange::Release };
        let update = Update { expected: self.stored, next: self.record.clone(), operation: Uuid::now_v7(), lease };
        self.writing = Some(update.clone());
        Some(update)
    }

    /// The write under way, to be sent again.
    pub(in crate::supervisor) fn writing(&self) -> Option<&Update> {
        self.writing.as_ref()
    }

    /// The write under way was refused; what it held is still to be written.
    pub(in crate::supervisor) fn refused(&mut self) {
        self.writing = None;
        self.dirty = true;
    }

    /// The store has another revision than was thought, and this one is to replace it: what was under way is given up
    /// and everything is written again.
    pub(in crate::supervisor) fn rebase(&mut self, stored: Revision) {
        self.stored = stored;
        self.refused();
    }

    /// The write under way has landed; answers the record that is now stored.
    pub(in crate::supervisor) fn landed(&mut self) -> Option<TaskRecord> {
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
        let mut pending = PendingRecord::stored(test_record(1));
        assert!(pending.begin_write().is_none());
        pending.change().counts.done = 1;
        let first = pending.begin_write().unwrap();
        pending.change().counts.done = 2;
        pending.change().counts.done = 3;
        assert!(pending.begin_write().is_none(), "one write at a time");
        assert_eq!(pending.writing().unwrap().operation, first.operation, "sent again as it was");
        assert_eq!(pending.landed().unwrap().counts.done, 1);
        let second = pending.begin_write().unwrap();
        assert_eq!((second.expected, second.next.counts.done), (first.next.revision(), 3));
        pending.landed();
        assert!(pending.begin_write().is_none() && pending.writing().is_none());
    }

    #[test]
    fn what_was_refused_is_written_again() {
        let mut pending = PendingRecord::stored(test_record(1));
        pending.change().counts.done = 1;
        let first = pending.begin_write().unwrap();
        pending.refused();
        assert!(pending.writing().is_none());
        let again = pending.begin_write().unwrap();
        assert_ne!(again.operation, first.operation, "the store has judged that one");
        assert_eq!((again.expected, again.next.counts.done), (first.expected, 1));
    }

    #[test]
    fn after_a_store_went_back_in_time_versions_still_grow() {
        let mut pending = PendingRecord::stored(test_record(1));
        for done in 1..=5 {
            pending.change().counts.done = done;
            pending.begin_write().unwrap();
            pending.landed();
        }
        let behind = Revision { epoch: 1, version: 2 };
        pending.rebase(behind);
        let update = pending.begin_write().unwrap();
        assert_eq!((update.expected, update.next.version, update.next.counts.done), (behind, 7, 5));
    }
}
