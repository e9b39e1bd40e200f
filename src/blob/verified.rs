//! Which files were found whole not long ago: those that were not touched since are not read through again.
//!
//! Whatever writes to a file changes its time of change, which no program can set. A disk that loses bytes by itself does not:
//! so a file is believed for [some minutes](TRUST) only.

use std::fs::Metadata;
use std::hash::{BuildHasher, RandomState};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::clock::Timestamp;

/// How long a file is believed.
const TRUST: Duration = Duration::from_mins(5);
/// Times of change within this time may be equal: a file that was changed so lately is not noted.
const GRAIN: Duration = Duration::from_secs(2);
/// The most files that are noted. One takes the place of another when there are more.
const MOST: usize = 1_024;
/// The bits of a note that say when it was made, in seconds, after whose end they begin again; the others are the file's.
const TIME: u64 = (1 << 20) - 1;

/// Files that were whole when they were last read through: for each a hash of all that changes when it does, with a key of this
/// process, and when that was.
#[derive(Debug)]
pub(super) struct Verified {
    notes: Box<[AtomicU64]>,
    key: RandomState,
    begun: Instant,
}

impl Default for Verified {
    fn default() -> Self {
        let notes = (0..MOST).map(|_| AtomicU64::new(0)).collect();
        Self { notes, key: RandomState::new(), begun: Instant::now() }
    }
}

impl Verified {
    /// Whether the file was found to have this hash, and it was not touched since.
    pub(super) fn has(&self, file: &Metadata, sha256: &str) -> bool {
        let (note, mark) = self.note_of(file, sha256);
        let found = note.load(Ordering::Relaxed);
        let age = self.seconds(Instant::now()).wrapping_sub(found) & TIME;
        found & !TIME == mark && age < TRUST.as_secs()
    }

    /// Notes that the file, which was as `file` says before it was read, has this hash.
    pub(super) fn note(&self, file: &Metadata, sha256: &str, now: Timestamp) {
        if is_settled(file, now) {
            let (note, mark) = self.note_of(file, sha256);
            note.store(mark | self.seconds(Instant::now()), Ordering::Relaxed);
        }
    }

    /// The file's place among the notes, and its bits of one.
    fn note_of(&self, file: &Metadata, sha256: &str) -> (&AtomicU64, u64) {
        let (place, changed) = ((file.dev(), file.ino()), (file.ctime(), file.ctime_nsec()));
        let hash = self.key.hash_one((place, file.len(), changed, sha256));
        // By the bits that are not in the note.
        let at = usize::try_from(hash & TIME).unwrap_or_default() % self.notes.len();
        (&self.notes[at], hash & !TIME)
    }

    fn seconds(&self, now: Instant) -> u64 {
        now.duration_since(self.begun).as_secs() & TIME
    }
}

/// Whether another change of the file would show.
fn is_settled(file: &Metadata, now: Timestamp) -> bool {
    let changed = Duration::from_secs(u64::try_from(file.ctime()).unwrap_or(u64::MAX));
    Duration::from_millis(now.as_millis()).checked_sub(changed).is_some_and(|since| since > GRAIN)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    #[test]
    fn a_file_is_believed_until_it_is_touched() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, b"abc").unwrap();
        let (verified, file) = (Verified::default(), || fs::metadata(&path).unwrap());
        verified.note(&file(), "hash", Timestamp::now());
        assert!(!verified.has(&file(), "hash"), "another change might not show");
        verified.note(&file(), "hash", Timestamp::now().after(GRAIN * 2));
        assert!(verified.has(&file(), "hash") && !verified.has(&file(), "other"));
        fs::copy(&path, dir.path().join("b")).unwrap();
        assert!(!verified.has(&fs::metadata(dir.path().join("b")).unwrap(), "hash"), "another file");
        let before = file();
        // The clock of the file system may stand still for a moment.
        while file().ctime_nsec() == before.ctime_nsec() {
            fs::write(&path, b"abd").unwrap();
            let modified = before.modified().unwrap();
            File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        }
        assert!(!verified.has(&file(), "hash"), "although its time of modification is as it was");
    }

    #[test]
    fn a_file_is_believed_for_some_minutes() {
        let dir = tempfile::tempdir().unwrap();
        let file = fs::metadata(dir.path()).unwrap();
        let later = Timestamp::now().after(GRAIN * 2);
        for (age, is_believed) in [(0, true), (TRUST.as_secs() - 2, true), (TRUST.as_secs(), false)] {
            // Noted now, looked at so much later.
            let mut verified = Verified::default();
            verified.note(&file, "hash", later);
            let Some(begun) = verified.begun.checked_sub(Duration::from_secs(age)) else { continue };
            verified.begun = begun;
            assert_eq!(verified.has(&file, "hash"), is_believed, "{age}");
        }
    }
}
