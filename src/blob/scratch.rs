//! A folder for unfinished files that cannot outlive its process for long.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

use tempfile::{NamedTempFile, TempDir};

/// A folder of this process alone. It goes when it is dropped; when its process was killed, the next one that makes a
/// scratch folder beside it takes the dead one away.
///
/// A folder is alive while its `lock` file is locked (`flock(2)` ends with the process, however it dies). Making and
/// cleaning happen under one lock of the parent, so that a folder is never seen before its own lock is held.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
    _alive: File,
}

impl Scratch {
    /// Makes a new folder in `parent`, and removes those of dead processes.
    ///
    /// # Errors
    /// When `parent` cannot be made, is not writable, or a dead folder cannot be removed.
    pub fn create(parent: &Path) -> io::Result<Self> {
        fs::create_dir_all(parent)?;
        let turn = File::create(parent.join("lock"))?;
        turn.lock()?;
        for entry in fs::read_dir(parent)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() && is_dead(&entry.path())? {
                fs::remove_dir_all(entry.path())?;
            }
        }
        let folder = tempfile::Builder::new().prefix("run-").tempdir_in(parent)?;
        let alive = File::create(folder.path().join("lock"))?;
        alive.lock()?;
        Ok(Self { folder, _alive: alive })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A new file in it, removed when dropped.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn file(&self) -> io::Result<NamedTempFile> {
        tempfile::Builder::new().prefix("blob-").tempfile_in(self.path())
    }
}

fn is_dead(folder: &Path) -> io::Result<bool> {
    match File::open(folder.join("lock")) {
        Ok(lock) => match lock.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_living_stay_and_the_dead_go() {
        let parent = tempfile::tempdir().unwrap();
        let dead = parent.path().join("run-dead");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join("lock"), b"").unwrap();
        fs::write(dead.join("half"), b"half").unwrap();

        let first = Scratch::create(parent.path()).unwrap();
        assert!(!dead.exists());
        let second = Scratch::create(parent.path()).unwrap();
        assert!(first.path().exists() && second.path().exists());

        let path = first.path().to_owned();
        drop(first);
        assert!(!path.exists() && second.path().exists());
    }
}
