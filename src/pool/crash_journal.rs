//! Which pages are being read right now, in a file that outlives the process.
//!
//! A page that is read in this process can kill it, and then looks like every other page that was being read; one that is
//! read in a process of its own cannot, and stands in no file: a death of this process came from outside. So each worker
//! writes what it begins here into its own slot of a small file, and clears the slot afterwards; the file is in the page cache when the
//! process dies, and the process that recovers a task finds there what was in flight. That costs two writes of 32 bytes an
//! attempt (about a microsecond each), no sync: a power cut forgets it, and a page does not cut the power.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::task::TaskId;

/// Bytes of a slot: task, epoch, first page, last page. All zero when nothing is in flight.
const SLOT: usize = 32;

/// Work that was going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InFlight {
    /// Whose work.
    pub task: TaskId,
    /// The epoch it was done in.
    pub epoch: u64,
    /// The first page; 0 stands for the document as a whole, when it is opened.
    pub first: u32,
    /// The last page.
    pub last: u32,
}

/// The file of this process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CrashJournal(Option<Arc<File>>);

impl CrashJournal {
    /// Keeps them in `file`, which is empty.
    #[must_use]
    pub fn in_file(file: File) -> Self {
        Self(Some(Arc::new(file)))
    }

    /// Keeps nothing: for a pool whose tasks do not outlive it.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// Says what `slot` does until the answer is dropped. Nothing is lost when it cannot be written but the knowledge.
    pub(super) fn begin(&self, slot: usize, flight: InFlight) -> JournalEntry<'_> {
        let entry = JournalEntry { journal: self, slot, flight };
        entry.mark(true);
        entry
    }

    fn write(&self, slot: usize, bytes: [u8; SLOT]) {
        if let Some(file) = &self.0 {
            let _ = file.write_at(&bytes, (slot * SLOT) as u64);
        }
    }
}

/// Something in flight.
pub(super) struct JournalEntry<'a> {
    journal: &'a CrashJournal,
    slot: usize,
    flight: InFlight,
}

impl JournalEntry<'_> {
    /// Whether a death of the process from now on is to be put down to these pages.
    pub(super) fn mark(&self, counts: bool) {
        let bytes = if counts { encode(&self.flight) } else { [0; SLOT] };
        self.journal.write(self.slot, bytes);
    }
}

impl Drop for JournalEntry<'_> {
    fn drop(&mut self) {
        self.mark(false);
    }
}

/// What a process had in flight when it died, from its file.
///
/// # Errors
/// When the file cannot be read.
pub fn read_crash_journal(mut file: File) -> io::Result<Vec<InFlight>> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes.chunks_exact(SLOT).filter_map(decode).collect())
}

fn encode(flight: &InFlight) -> [u8; SLOT] {
    let mut bytes = [0; SLOT];
    bytes[..16].copy_from_slice(flight.task.as_bytes());
    bytes[16..24].copy_from_slice(&flight.epoch.to_le_bytes());
    bytes[24..28].copy_from_slice(&flight.first.to_le_bytes());
    bytes[28..].copy_from_slice(&flight.last.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<InFlight> {
    let task = <[u8; 16]>::try_from(bytes.get(..16)?).ok().filter(|id| *id != [0; 16])?;
    let epoch = u64::from_le_bytes(bytes.get(16..24)?.try_into().ok()?);
    let first = u32::from_le_bytes(bytes.get(24..28)?.try_into().ok()?);
    let last = u32::from_le_bytes(bytes.get(28..32)?.try_into().ok()?);
    Some(InFlight { task: TaskId::from_bytes(task), epoch, first, last })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_flies_is_in_the_file_and_what_landed_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("nodes/a.journal");
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        let journal = CrashJournal::in_file(File::create(&path).unwrap());
        let flight = |first| InFlight { task: TaskId::generate(), epoch: 3, first, last: first + 1 };
        let now = || read_crash_journal(File::open(&path).unwrap()).unwrap();
        let (one, two) = (flight(1), flight(5));
        let second = journal.begin(7, two);
        {
            let first = journal.begin(0, one);
            assert_eq!(now(), [one, two]);
            first.mark(false);
            assert_eq!(now(), [two], "it waits for an endpoint");
            first.mark(true);
            assert_eq!(now(), [one, two]);
        }
        assert_eq!(now(), [two]);
        drop(second);
        assert!(now().is_empty());
    }
}
