//! Blobs as files below one folder of this machine.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::barrier::Barrier;
use super::verified::Verified;
use super::{DataDir, Durability, Scratch, Staged, Staging, absent, hex, names};
use crate::clock::Timestamp;
use crate::failpoint;
use crate::metrics;
use crate::private_fs;
use crate::task::FileDigest;

/// A folder of blobs. Cheap to clone; all methods block and belong on a worker or blocking thread.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    pub(super) root: PathBuf,
    unfinished: Arc<Scratch>,
    barrier: Barrier,
    verified: Arc<Verified>,
}

/// How often a folder is emptied that does not stay empty.
const REMOVALS: u32 = 3;
/// Bytes below which a file system counts as full.
const LEAST_ROOM: u64 = 1 << 20;

impl Disk {
    /// Opens `root`, making it when it is missing.
    ///
    /// # Errors
    /// When the directory cannot be made, is not writable, or is not Bindery's ([`DataDir::open`]).
    pub(super) fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        DataDir::open(&root)?;
        let unfinished = Arc::new(Scratch::create(&root.join("tmp"))?);
        let barrier = Barrier::start(&root)?;
        Ok(Self { root, unfinished, barrier, verified: Arc::default() })
    }

    /// The file behind `key`.
    ///
    /// # Errors
    /// `InvalidInput` when the key is not a relative path of plain segments.
    pub(super) fn path(&self, key: &str) -> io::Result<PathBuf> {
        let plain = |part| matches!(part, Component::Normal(_));
        if key.is_empty() || !Path::new(key).components().all(plain) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a blob key is a plain relative path"));
        }
        Ok(self.root.join(key))
    }

    /// Starts a blob that has no key yet.
    ///
    /// # Errors
    /// When the temporary file cannot be made.
    pub(super) fn stage(&self) -> io::Result<Staging> {
        let file = self.unfinished.file()?;
        Ok(Staging::new(file))
    }

    /// Gives a staged blob its key, replacing what was there.
    ///
    /// # Errors
    /// When the rename or the sync fails. After a failed sync the blob may stand under its key, whole or not; it was not
    /// announced.
    pub(super) fn commit(&self, staged: Staged, key: &str) -> io::Result<()> {
        metrics::blob("write", || self.publish(staged.file, key, true))?;
        self.sync()
    }

    /// Gives several staged blobs their keys in a folder that is there, one after the other, and makes them durable
    /// together. A folder that is gone stays gone: it was removed with all that belongs to it.
    ///
    /// # Errors
    /// As [`Self::commit`]; those before the one that failed stand under their keys.
    pub(super) fn commit_all<'a>(&self, blobs: impl IntoIterator<Item = (Staged, &'a str)>) -> io::Result<()> {
        for (staged, key) in blobs {
            metrics::blob("write", || self.publish(staged.file, key, false))?;
            failpoint::pass("blob.one-of-several")?;
        }
        self.sync()
    }

    /// Writes `bytes` under `key`, replacing what was there.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub(super) fn put(&self, key: &str, bytes: &[u8], durability: Durability) -> io::Result<()> {
        self.write(key, bytes, durability, true)
    }

    /// Like [`Self::put`], into a folder that is there. A folder that is gone stays gone.
    ///
    /// # Errors
    /// As [`Self::commit`]; `NotFound` when the folder is gone.
    pub(super) fn put_into_folder(&self, key: &str, bytes: &[u8], durability: Durability) -> io::Result<()> {
        self.write(key, bytes, durability, false)
    }

    fn write(&self, key: &str, bytes: &[u8], durability: Durability, make_folder: bool) -> io::Result<()> {
        metrics::blob("write", || {
            let mut file = self.unfinished.file()?;
            file.write_all(bytes)?;
            self.publish(file, key, make_folder)
        })?;
        if durability == Durability::Synced { self.sync() } else { Ok(()) }
    }

    /// Gives the file of another blob, at `path`, the key `key` here, too, in a folder that is there, replacing what was there.
    /// Where the file system has no links between the two, or they are on two of them, it is copied.
    ///
    /// # Errors
    /// As [`Self::commit`]; `NotFound` when the folder is gone.
    pub(super) fn link(&self, path: &Path, key: &str) -> io::Result<()> {
        let target = self.path(key)?;
        // Linked beside its place first, so that it is there at any time.
        let staged = self.unfinished.file()?.into_temp_path();
        fs::remove_file(&staged)?;
        if fs::hard_link(path, &staged).is_err() {
            return self.put_into_folder(key, &fs::read(path)?, Durability::Cached);
        }
        fs::rename(&staged, &target)?;
        // Renaming a file onto another name of its own leaves both.
        let _ = fs::remove_file(&staged);
        let _ = staged.keep();
        Ok(())
    }

    /// Returns when all that this thread has written, renamed and removed is on the device.
    ///
    /// # Errors
    /// When the file system cannot be synced.
    pub(super) fn sync(&self) -> io::Result<()> {
        metrics::blob("sync", || self.barrier.wait())
    }

    pub(super) fn publish(&self, file: NamedTempFile, key: &str, make_folder: bool) -> io::Result<()> {
        let target = self.path(key)?;
        let folder = target.parent().unwrap_or(&self.root);
        let temporary = file.into_temp_path();
        match fs::rename(&temporary, &target) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound && make_folder => {
                private_fs::make_folder(folder)?;
                fs::rename(&temporary, &target)?;
            }
            Err(error) => return Err(error),
        }
        // Renamed away: there is nothing left for its drop to remove.
        let _ = temporary.keep();
        Ok(())
    }

    /// Removes what processes that are dead were writing.
    ///
    /// # Errors
    /// As [`Scratch::create`], which does it.
    pub(super) fn clear_dead_scratch(&self) -> io::Result<()> {
        Scratch::create(&self.root.join("tmp")).map(drop)
    }

    /// Whether the file system has room for more than a few small files. What cannot be known counts as room.
    pub(super) fn has_room(&self) -> bool {
        !rustix::fs::statvfs(&self.root).is_ok_and(|space| space.f_bavail * space.f_frsize < LEAST_ROOM)
    }

    /// Whether blobs can be written now; costs no sync. A scratch folder that was removed is made again, a root that is
    /// gone is not: what comes in its place may be another one, such as an empty mount point.
    ///
    /// # Errors
    /// `StorageFull` without [room](Self::has_room), `NotFound` without the root, and whatever keeps a file from being made.
    pub(super) fn check(&self) -> io::Result<()> {
        fs::metadata(&self.root)?;
        self.unfinished.file()?;
        if self.has_room() { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }

    /// The bytes under `key`, or `None` when nothing is there.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub(super) fn get(&self, key: &str) -> io::Result<Option<Vec<u8>>> {
        metrics::blob("read", || absent(fs::read(self.path(key)?)))
    }

    /// Whether the blob under `key` is the one with this digest. Reads all of it, unless its length says no already, or it was
    /// found to be that one not long ago and was not touched since.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub(super) fn is_whole(&self, key: &str, digest: &FileDigest) -> io::Result<bool> {
        let Some(file) = self.reader(key)? else { return Ok(false) };
        let metadata = file.metadata()?;
        if metadata.len() != digest.bytes {
            return Ok(false);
        }
        if self.verified.has(&metadata, &digest.sha256) {
            return Ok(true);
        }
        let is_whole = sha256_of(file)? == digest.sha256;
        if is_whole {
            self.verified.note(&metadata, &digest.sha256, Timestamp::now());
        }
        Ok(is_whole)
    }

    /// Opens the blob under `key` for reading, or `None` when nothing is there.
    ///
    /// # Errors
    /// When the file is there and cannot be opened.
    pub(super) fn reader(&self, key: &str) -> io::Result<Option<File>> {
        absent(File::open(self.path(key)?))
    }

    /// The names in the folder `key`, in no order; none when there is no such folder.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(super) fn names(&self, key: &str) -> io::Result<Vec<String>> {
        let Some(entries) = absent(fs::read_dir(self.path(key)?))? else { return Ok(Vec::new()) };
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    /// When the blob or folder under `key` was last written, and how many bytes it has; `None` when nothing is there.
    ///
    /// # Errors
    /// When it is there and cannot be asked.
    pub(super) fn modified_and_size(&self, key: &str) -> io::Result<Option<(Timestamp, u64)>> {
        let found = absent(fs::metadata(self.path(key)?))?;
        found.map(|metadata| Ok((metadata.modified()?.into(), metadata.len()))).transpose()
    }

    /// Removes the blob under `key`; nothing there is fine.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub(super) fn remove(&self, key: &str) -> io::Result<()> {
        absent(fs::remove_file(self.path(key)?)).map(drop)
    }

    /// Gives the blob under `from` the key `to` in a folder that is there; nothing there is fine.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub(super) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        absent(fs::rename(self.path(from)?, self.path(to)?)).map(drop)
    }

    /// Removes a task's files from its folder `key`, and the folder unless something else is in it; nothing there is fine.
    ///
    /// # Errors
    /// `InvalidInput` when `key` is not a task's folder, and when something in it cannot be removed.
    pub(super) fn remove_folder(&self, key: &str) -> io::Result<()> {
        check_task_folder(key)?;
        let folder = self.path(key)?;
        // A link leads out of the directory.
        if absent(fs::symlink_metadata(&folder))?.is_none_or(|found| !found.is_dir()) {
            return Ok(());
        }
        // A write that began before may land while the files go.
        for _ in 0..REMOVALS {
            for name in self.names(key)?.iter().filter(|name| names::is_task_file(name)) {
                absent(fs::remove_file(folder.join(name)))?;
            }
            match absent(fs::remove_dir(&folder)) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
                Err(error) => return Err(error),
            }
        }
        log::debug!("{key} stays: files of others are in it");
        Ok(())
    }

    /// Makes a file at `key` that outlives its process, empty; its folder is made when it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn create(&self, key: &str) -> io::Result<File> {
        let path = self.path(key)?;
        private_fs::make_folder(path.parent().unwrap_or(&self.root))?;
        private_fs::open(&path, File::options().write(true).create(true).truncate(true))
    }

    /// Opens the file at `key` for reading and writing in place, or `None` when it is not there and not to be made.
    ///
    /// # Errors
    /// When it cannot be opened; `NotFound` when its folder is gone.
    pub(super) fn open_in_place(&self, key: &str, make: bool) -> io::Result<Option<File>> {
        let options = &mut File::options();
        let opened = private_fs::open(&self.path(key)?, options.read(true).write(true).create(make).truncate(false));
        if make { opened.map(Some) } else { absent(opened) }
    }
}

/// Refuses keys that are not the folder of a task.
///
/// # Errors
/// `InvalidInput`.
pub(super) fn check_task_folder(key: &str) -> io::Result<()> {
    if key.strip_prefix("tasks/").is_some_and(names::is_task_folder) {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "only the folder of a task can be removed"))
}

/// The SHA-256 of a file, lower-case hex.
pub(super) fn sha256_of(mut file: File) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            read => hash.update(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob() -> (tempfile::TempDir, Disk) {
        let dir = tempfile::tempdir().unwrap();
        let blob = Disk::open(dir.path()).unwrap();
        (dir, blob)
    }

    fn leftovers(blob: &Disk) -> usize {
        // The scratch folder's own lock file is always there.
        fs::read_dir(blob.unfinished.path()).unwrap().count() - 1
    }

    #[test]
    fn puts_replaces_reads_and_removes() {
        let (_dir, blob) = blob();
        assert_eq!(blob.get("a/b/c").unwrap(), None);
        blob.put("a/b/c", b"one", Durability::Cached).unwrap();
        blob.put("a/b/c", b"two", Durability::Synced).unwrap();
        assert_eq!(blob.get("a/b/c").unwrap().as_deref(), Some(&b"two"[..]));
        assert_eq!(leftovers(&blob), 0);
        blob.remove("a/b/c").unwrap();
        blob.remove("a/b/c").unwrap();
        assert_eq!(blob.get("a/b/c").unwrap(), None);
    }

    #[test]
    fn only_files_of_tasks_go_with_a_folder() {
        let (dir, blob) = blob();
        let task = format!("tasks/{}", uuid::Uuid::now_v7());
        let fill = |names: &[&str]| {
            for name in names {
                blob.put(&format!("{task}/{name}"), b"x", Durability::Cached).unwrap();
            }
        };
        let ours = ["source.pdf", "pages.hashes", "record-1.json", "result-2.md", "result-2.json"];
        fill(&ours);
        blob.remove_folder(&task).unwrap();
        blob.remove_folder(&task).unwrap();
        assert!(!blob.path(&task).unwrap().exists());
        fill(&ours);
        fill(&["notes.txt"]);
        blob.put("tasks/mine/source.pdf", b"x", Durability::Cached).unwrap();
        blob.remove_folder(&task).unwrap();
        assert_eq!(blob.names(&task).unwrap(), ["notes.txt"]);
        for key in ["", "tasks", "tasks/mine", "ledger", "tmp", "tasks/../ledger"] {
            assert!(blob.remove_folder(key).is_err(), "{key:?}");
        }
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join("source.pdf"), b"x").unwrap();
        let link = format!("tasks/{}", uuid::Uuid::now_v7());
        std::os::unix::fs::symlink(elsewhere.path(), dir.path().join(&link)).unwrap();
        blob.remove_folder(&link).unwrap();
        assert!(elsewhere.path().join("source.pdf").exists(), "a link is not followed");
    }

    #[test]
    fn a_staged_blob_is_hashed_and_committed_whole() {
        let (_dir, blob) = blob();
        let mut staging = blob.stage().unwrap();
        staging.write(b"ab").unwrap();
        staging.write(b"c").unwrap();
        let staged = staging.finish();
        // The SHA-256 of "abc" (FIPS 180-2, appendix B.1).
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((&*staged.digest().sha256, staged.digest().bytes), (expected, 3));
        assert_eq!(fs::read(staged.path()).unwrap(), b"abc");
        blob.commit(staged, "tasks/1/source.pdf").unwrap();
        assert_eq!(blob.get("tasks/1/source.pdf").unwrap().as_deref(), Some(&b"abc"[..]));
        assert_eq!(leftovers(&blob), 0);
    }

    #[test]
    fn a_blob_that_is_not_what_was_written_is_noticed() {
        let (_dir, blob) = blob();
        let mut staging = blob.stage().unwrap();
        staging.write(b"abc").unwrap();
        let staged = staging.finish();
        let digest = staged.digest().clone();
        blob.commit(staged, "a").unwrap();
        assert!(blob.is_whole("a", &digest).unwrap());
        for other in [&b"ab"[..], b"abcd", b"abd", b""] {
            blob.put("a", other, Durability::Cached).unwrap();
            assert!(!blob.is_whole("a", &digest).unwrap());
        }
        blob.remove("a").unwrap();
        assert!(!blob.is_whole("a", &digest).unwrap(), "nothing is there");
    }

    #[test]
    fn what_is_not_committed_leaves_nothing() {
        let (_dir, blob) = blob();
        let mut staging = blob.stage().unwrap();
        staging.write(b"x").unwrap();
        assert_eq!(leftovers(&blob), 1);
        drop(staging);
        assert_eq!(leftovers(&blob), 0);
    }

    #[test]
    fn keys_cannot_leave_the_root() {
        let (_dir, blob) = blob();
        for key in ["", "../x", "/etc/passwd", "a/../../x", "./x"] {
            assert!(blob.put(key, b"", Durability::Cached).is_err(), "{key:?}");
        }
    }
}
