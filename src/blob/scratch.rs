//! A folder for unfinished files that cannot outlive its process for long.

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use tokio::sync::watch;

use super::{absent, names};
use crate::private_fs;

/// A folder of this process alone. It goes when it is dropped; when its process was killed, the next one that makes a
/// scratch folder beside it takes the dead one away.
///
/// A folder is alive while its `lock` file is locked (`flock(2)` ends with the process, however it dies). Making and
/// cleaning happen under one lock of the parent, so that a folder is never seen before its own lock is held. The lock
/// file says whose the folder is; a folder without that belongs to others and stays.
#[derive(Debug)]
pub struct Scratch {
    folder: PathBuf,
    /// Its lock file; another one after it was made again.
    alive: watch::Sender<File>,
}

/// What the lock file of a scratch folder says.
pub(super) const MARK: &str = "scratch folder of bindery\n";
/// The name of lock files.
pub(super) const LOCK: &str = "lock";
/// What a folder of a version that did not mark its folders has besides its lock file.
const UNMARKED: [&str; 4] = ["tmp", "tasks", "ledger", "nodes"];

impl Scratch {
    /// Makes a new folder in `parent`, and removes those of dead processes.
    ///
    /// # Errors
    /// When `parent` cannot be made or is not writable.
    pub fn create(parent: &Path) -> io::Result<Self> {
        private_fs::make_folder(parent)?;
        let _turn = lock_parent(parent)?;
        for entry in fs::read_dir(parent)?.flatten() {
            let named = entry.file_name().to_str().is_some_and(names::is_scratch_folder);
            if named && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                remove_dead(&entry.path());
            }
        }
        let private = Permissions::from_mode(private_fs::FOLDER);
        let folder = tempfile::Builder::new().prefix("run-").permissions(private.clone()).tempdir_in(parent)?;
        fs::set_permissions(folder.path(), private)?;
        let alive = lock_folder(folder.path())?;
        Ok(Self { folder: folder.keep(), alive: watch::Sender::new(alive) })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// A new file in it, removed when dropped.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn file(&self) -> io::Result<NamedTempFile> {
        match self.new_file() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.make_again().and_then(|()| self.new_file()),
            file => file,
        }
    }

    fn new_file(&self) -> io::Result<NamedTempFile> {
        let private = Permissions::from_mode(private_fs::FILE);
        let file = tempfile::Builder::new().prefix("blob-").permissions(private.clone()).tempfile_in(self.path())?;
        // The umask may have taken from it. To look is cheaper than to set what is set already.
        if file.as_file().metadata()?.permissions().mode() & 0o777 != private_fs::FILE {
            file.as_file().set_permissions(private)?;
        }
        Ok(file)
    }

    /// Makes the folder again after something that cleans up has removed it, perhaps with its parent, but nothing above
    /// that.
    fn make_again(&self) -> io::Result<()> {
        let parent = self.path().parent().ok_or(io::ErrorKind::NotFound)?;
        if !parent.parent().is_some_and(Path::is_dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        private_fs::make_folder(parent)?;
        let _turn = lock_parent(parent)?;
        if !self.path().is_dir() {
            private_fs::make_folder(self.path())?;
            self.alive.send_replace(lock_folder(self.path())?);
        }
        Ok(())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(why) = empty(&self.folder) {
            log::warn!("the scratch folder {} stays for now: {why}", self.folder.display());
        }
    }
}

/// Marks a new scratch folder as ours, and as that of a living process.
fn lock_folder(folder: &Path) -> io::Result<File> {
    let mut alive = private_fs::open(&folder.join(LOCK), File::options().write(true).create_new(true))?;
    alive.lock()?;
    alive.write_all(MARK.as_bytes())?;
    Ok(alive)
}

/// Holds the lock under which the scratch folders of `parent` are made and removed.
pub(super) fn lock_parent(parent: &Path) -> io::Result<File> {
    let turn = private_fs::open(&parent.join(LOCK), File::options().write(true).create(true).truncate(false))?;
    turn.lock()?;
    Ok(turn)
}

/// Whether a process of Bindery made this folder.
pub(super) fn is_ours(folder: &Path) -> bool {
    let Ok(lock) = File::open(folder.join(LOCK)) else { return false };
    let mut said = String::new();
    if lock.take(MARK.len() as u64 + 1).read_to_string(&mut said).is_err() {
        return false;
    }
    said == MARK || (said.is_empty() && has_our_names_only(folder))
}

/// Earlier versions left their lock files empty.
fn has_our_names_only(folder: &Path) -> bool {
    let ours = |entry: io::Result<fs::DirEntry>| {
        entry.is_ok_and(|entry| {
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            name == LOCK || names::is_unfinished_file(name) || UNMARKED.contains(&name)
        })
    };
    fs::read_dir(folder).is_ok_and(|mut entries| entries.all(ours))
}

/// Removes a folder of ours whose process is dead. One that cannot be removed stays for the next time.
fn remove_dead(folder: &Path) {
    if !is_ours(folder) {
        return;
    }
    let removed = match File::open(folder.join(LOCK)) {
        Ok(lock) => match lock.try_lock() {
            Ok(()) => empty(folder),
            Err(TryLockError::WouldBlock) => Ok(()),
            Err(TryLockError::Error(error)) => Err(error),
        },
        // Its process is just removing it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(why) = removed {
        log::warn!("the scratch folder {} of a dead process stays for now: {why}", folder.display());
    }
}

/// Removes a folder of ours, its lock file last: a process that dies in between leaves a folder that is still known as ours.
fn empty(folder: &Path) -> io::Result<()> {
    let Some(entries) = absent(fs::read_dir(folder))? else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        if entry.file_name() != LOCK {
            let folder = entry.file_type()?.is_dir();
            let path = entry.path();
            absent(if folder { fs::remove_dir_all(path) } else { fs::remove_file(path) })?;
        }
    }
    absent(fs::remove_file(folder.join(LOCK)))?;
    absent(fs::remove_dir(folder)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_living_stay_and_the_dead_go() {
        let parent = tempfile::tempdir().unwrap();
        let dead = |name: &str, lock: &str| {
            let folder = parent.path().join(name);
            fs::create_dir_all(folder.join("tmp")).unwrap();
            fs::write(folder.join(LOCK), lock).unwrap();
            fs::write(folder.join("blob-a1b2c3"), b"half").unwrap();
            folder
        };
        let (marked, unmarked) = (dead("run-dead01", MARK), dead("run-dead02", ""));
        let first = Scratch::create(parent.path()).unwrap();
        assert!(!marked.exists() && !unmarked.exists());
        let second = Scratch::create(parent.path()).unwrap();
        assert!(first.path().exists() && second.path().exists());

        let path = first.path().to_owned();
        fs::remove_dir_all(&path).unwrap();
        let file = first.file().unwrap();
        Scratch::create(parent.path()).unwrap();
        assert!(file.path().exists(), "made again, and alive");
        drop((file, first));
        assert!(!path.exists() && second.path().exists());
        // Nothing above is made: a data directory that is gone may come back.
        let above = parent.path().join("gone");
        let third = Scratch::create(&above.join("tmp")).unwrap();
        fs::remove_dir_all(above.join("tmp")).unwrap();
        third.file().unwrap();
        fs::rename(&above, parent.path().join("away")).unwrap();
        assert!(third.file().is_err() && !above.exists());
        fs::rename(parent.path().join("away"), &above).unwrap();
        third.file().unwrap();
    }

    #[test]
    fn what_others_have_beside_it_stays() {
        let parent = tempfile::tempdir().unwrap();
        let others = [
            ("pids/server.pid", None),
            ("run-dead01/notes.txt", None),
            ("run-dead02/notes.txt", Some("")),
            ("run-dead03/notes.txt", Some("4711\n")),
            ("run-dead/half", Some(MARK)),
            ("lock.d/x", Some("")),
        ];
        for (file, lock) in others {
            let file = parent.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, b"theirs").unwrap();
            if let Some(lock) = lock {
                fs::write(file.with_file_name(LOCK), lock).unwrap();
            }
        }
        fs::write(parent.path().join(LOCK), b"theirs").unwrap();
        drop(Scratch::create(parent.path()).unwrap());
        for (file, _) in others {
            assert_eq!(fs::read(parent.path().join(file)).unwrap(), b"theirs", "{file}");
        }
        assert_eq!(fs::read(parent.path().join(LOCK)).unwrap(), b"theirs");
    }

    #[test]
    fn many_come_and_go_at_once() {
        let parent = tempfile::tempdir().unwrap();
        let parent = parent.path().join("not/there/yet");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let scratch = Scratch::create(&parent).unwrap();
                        scratch.file().unwrap();
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(&parent).unwrap().count(), 1, "the lock alone");
    }
}
