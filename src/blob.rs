//! Bytes under keys: source PDFs, results, the ledger.
//!
//! A key is a relative path of plain segments (`tasks/<id>/source.pdf`). A blob appears whole or not at all: bytes are
//! written to a file in `tmp/` of the same file system, renamed to their key, and a barrier makes file and folder
//! durable before anyone is told (invariant I4). What a killed process leaves in `tmp/` goes with its [`Scratch`] folder.
//!
//! A directory of blobs has a [marker](MARKER); see [`DataDir`] for those that have none. Nothing is removed or changed in
//! it but what has a name that Bindery gives.
//!
//! **Shared storage.** Servers on different machines share a [`BlobStore`], such as a bucket; each has a directory of its
//! own besides, which is then a place to work in and a cache:
//!
//! | keys | in the shared storage | in the directory |
//! |---|---|---|
//! | `tasks/<id>/source.pdf`, `result-…`, `image-…` | the truth, written first | a copy, fetched when it is missing |
//! | `tasks/<id>/record-…`, `purges/`, the marker | alone | – |
//! | `tasks/<id>/pages.hashes` | as it was when the task ended | what is being learnt |
//! | `ledger/` | what was paid for, before anyone is told | that, and what costs only CPU |
//! | `nodes/`, `tmp/` | – | alone |
//!
//! So locks, journals and mapped files stay on each machine's own disk, and whatever dies with a machine is there for
//! the others, or costs only CPU to make again.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use self::cache::PURGES_STAY;
#[cfg(test)]
pub(crate) use self::cache::tests::servers;
use self::directory::MARKER;
pub(crate) use self::directory::{DataDir, StoreMark};
use self::disk::Disk;
use self::home::{Home, home, source_beside};
pub(crate) use self::node::NodeName;
#[cfg(feature = "s3")]
pub use self::object::{ObjectOptions, ObjectStorage};
pub(crate) use self::scratch::Scratch;
use self::shared::Shared;
pub use self::shared_directory::DirectoryStore;
pub use self::staging::{Staged, Staging};
pub use self::store::{BlobMeta, BlobStore, Body, Download, PutMode};
use crate::clock::Timestamp;
use crate::failpoint;
use crate::private_fs;
use crate::task::FileDigest;

mod barrier;
mod cache;
#[cfg(any(test, feature = "testing"))]
pub mod contract;
pub(crate) mod directory;
mod disk;
mod home;
pub(crate) mod names;
mod node;
#[cfg(feature = "s3")]
mod object;
pub(crate) mod scratch;
mod shared;
mod shared_directory;
mod staging;
mod store;
mod verified;

/// A directory of blobs, and the storage behind it where several servers share one. Cheap to clone; all methods block
/// and belong on a worker or blocking thread.
#[derive(Clone, Debug)]
pub struct LocalBlob {
    disk: Disk,
    shared: Option<Shared>,
}

/// Whether a write must survive a power cut before it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// On the device, or in the storage that servers share, before the call returns: for what was paid for or promised.
    Synced,
    /// Left to the page cache: survives the death of the process, not of the machine. For what costs only a moment
    /// of CPU to make again; a torn file must be recognisable by its reader.
    Cached,
}

impl LocalBlob {
    /// Opens `root`, making it when it is missing.
    ///
    /// # Errors
    /// When the directory cannot be made, is not writable, or is not Bindery's ([`DataDir::open`]).
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        Ok(Self { disk: Disk::open(root)?, shared: None })
    }

    /// Opens a cache of its own for `store` below the data directory `data_dir`, so that what it holds is never taken for
    /// what belongs to other storage. Looks whether the storage is there.
    ///
    /// # Errors
    /// As [`Self::open`] and [`BlobStore::probe`]; the message says what to do.
    pub fn open_shared(data_dir: &Path, store: impl BlobStore) -> io::Result<Self> {
        let shared = Shared::open(Arc::new(store))?;
        let disk = Disk::open(data_dir.join(names::cache_folder(&shared.place())))?;
        let blob = Self { disk, shared: Some(shared) };
        blob.forget_after_long_absence()?;
        Ok(blob)
    }

    /// Whether other servers see what is kept here although they have directories of their own.
    #[must_use]
    pub(crate) const fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// What about the storage its operator should know: a sentence each.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.shared.as_ref().map(|shared| shared.warnings.to_vec()).unwrap_or_default()
    }

    /// The shared storage, and whether the directory may have copies, where the truth about `key` is there.
    fn shared_home(&self, key: &str) -> Option<(&Shared, Home)> {
        let home = home(key);
        self.shared.as_ref().filter(|_| home != Home::Directory).map(|shared| (shared, home))
    }

    /// The task store that these blobs belong to, if they belong to one yet.
    ///
    /// # Errors
    /// When the marker cannot be read.
    pub(crate) fn store(&self) -> io::Result<Option<StoreMark>> {
        let Some(shared) = &self.shared else { return directory::store_of(&self.disk.root) };
        let found = shared.get(MARKER)?;
        found.map_or(Ok(None), |(_, bytes)| directory::store_in(&bytes, &shared.place()))
    }

    /// Notes that these blobs belong to `next`, if they still belong to `expected`; returns the one that they belong to
    /// then.
    ///
    /// # Errors
    /// When the marker cannot be read or written.
    pub(crate) fn give_to_store(&self, expected: Option<&StoreMark>, next: StoreMark) -> io::Result<Option<StoreMark>> {
        let Some(shared) = &self.shared else { return directory::give_to_store(&self.disk.root, expected, next) };
        let current = self.store()?;
        if current.as_ref() == expected && current.as_ref() != Some(&next) {
            let marker = directory::marker_of(&next)?;
            let mode = if current.is_none() { PutMode::Create } else { PutMode::Overwrite };
            match shared.put(MARKER, Body::from(&marker[..]), mode) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                put => put?,
            }
        }
        self.store()
    }

    /// The file behind `key`. With shared storage it is there after [`Self::ensure`].
    ///
    /// # Errors
    /// `InvalidInput` when the key is not a relative path of plain segments.
    pub(crate) fn path(&self, key: &str) -> io::Result<PathBuf> {
        self.disk.path(key)
    }

    /// Starts a blob that has no key yet.
    ///
    /// # Errors
    /// When the temporary file cannot be made.
    pub(crate) fn stage(&self) -> io::Result<Staging> {
        self.disk.stage()
    }

    /// Gives a staged blob its key, replacing what was there.
    ///
    /// # Errors
    /// When the rename or the sync fails. After a failed sync the blob may stand under its key, whole or not; no caller was
    /// told of it.
    pub(crate) fn commit(&self, staged: Staged, key: &str) -> io::Result<()> {
        let Some((shared, _)) = self.shared_home(key) else { return self.disk.commit(staged, key) };
        shared.put_file(key, staged.path().to_owned(), PutMode::Overwrite)?;
        self.disk.publish(staged.file, key, true)
    }

    /// Gives several staged blobs their keys in a folder that is there, one after the other, and makes them durable
    /// together. A folder that is gone stays gone: it was removed with all that belongs to it. In shared storage the last blob
    /// is never replaced, and with it none of the others; without it these are what a try left that did not come to its end.
    ///
    /// # Errors
    /// As [`Self::commit`]; those before the one that failed stand under their keys. `AlreadyExists` when another blob is
    /// there in shared storage, `NotFound` when the folder is gone.
    pub(crate) fn commit_all<'a>(&self, blobs: impl IntoIterator<Item = (Staged, &'a str)>) -> io::Result<()> {
        let Some(shared) = &self.shared else { return self.disk.commit_all(blobs) };
        let blobs: Vec<_> = blobs.into_iter().collect();
        let Some(&(_, last)) = blobs.last() else { return Ok(()) };
        let is_complete = shared.head(last)?.is_some();
        for (staged, key) in blobs {
            if is_complete || key == last {
                self.create_shared(shared, key, &staged)?;
            } else {
                shared.put_file(key, staged.path().to_owned(), PutMode::Overwrite)?;
            }
            Self::unless_removed(shared, key)?;
            self.disk.publish(staged.file, key, true)?;
            failpoint::pass("blob.one-of-several")?;
        }
        Ok(())
    }

    /// Writes a blob that is never replaced. One that is there already is fine when it is the same, as after an answer that
    /// was lost.
    fn create_shared(&self, shared: &Shared, key: &str, staged: &Staged) -> io::Result<()> {
        match shared.put_file(key, staged.path().to_owned(), PutMode::Create) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let there = shared.read_into(key, self.disk.stage()?)?;
                let is_same = there.is_some_and(|(_, there)| there.finish().digest() == staged.digest());
                if is_same { Ok(()) } else { Err(error) }
            }
            put => put,
        }
    }

    /// Takes back what was just written beside the source of a task that is gone: its folder may have been removed a moment
    /// before. A removal takes the source first.
    fn unless_removed(shared: &Shared, key: &str) -> io::Result<()> {
        if shared.head(&source_beside(key))?.is_some() {
            return Ok(());
        }
        shared.delete(key)?;
        Err(io::Error::new(io::ErrorKind::NotFound, "the task's folder is gone"))
    }

    /// Writes `bytes` under `key`, replacing what was there.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub(crate) fn put(&self, key: &str, bytes: &[u8], durability: Durability) -> io::Result<()> {
        match (self.shared_home(key), &self.shared) {
            (Some((shared, Home::Cached)), _) => {
                shared.put_bytes(key, bytes)?;
                self.disk.put(key, bytes, Durability::Cached)
            }
            (Some((shared, _)), _) => shared.put_bytes(key, bytes),
            (None, Some(shared)) if durability == Durability::Synced => {
                shared.put_bytes(key, bytes)?;
                self.disk.put(key, bytes, Durability::Cached)
            }
            (None, _) => self.disk.put(key, bytes, durability),
        }
    }

    /// Like [`Self::put`], into a folder that is there. A folder that is gone stays gone.
    ///
    /// # Errors
    /// As [`Self::commit`]; `NotFound` when the folder is gone.
    pub(crate) fn put_into_folder(&self, key: &str, bytes: &[u8], durability: Durability) -> io::Result<()> {
        let Some((shared, _)) = self.shared_home(key) else {
            return self.disk.put_into_folder(key, bytes, durability);
        };
        shared.put_bytes(key, bytes)?;
        Self::unless_removed(shared, key)
    }

    /// Gives the file of another blob, at `path`, the key `key` here, too, in a folder that is there, replacing what was there.
    /// Where the file system has no links between the two, or they are on two of them, it is copied.
    ///
    /// # Errors
    /// As [`Self::commit`]; `NotFound` when the folder is gone.
    pub(crate) fn link(&self, path: &Path, key: &str) -> io::Result<()> {
        if let Some((shared, _)) = self.shared_home(key) {
            shared.put_file(key, path.to_owned(), PutMode::Overwrite)?;
            Self::unless_removed(shared, key)?;
            private_fs::make_folder(self.disk.path(key)?.parent().unwrap_or(&self.disk.root))?;
        }
        self.disk.link(path, key)
    }

    /// Returns when all that this thread has written, renamed and removed in the directory is on the device.
    ///
    /// # Errors
    /// When the file system cannot be synced.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.disk.sync()
    }

    /// Removes what processes that are dead were writing.
    ///
    /// # Errors
    /// As [`Scratch::create`], which does it.
    pub(crate) fn clear_dead_scratch(&self) -> io::Result<()> {
        self.disk.clear_dead_scratch()
    }

    /// Whether the file system has room for more than a few small files. What cannot be known counts as room.
    #[must_use]
    pub(crate) fn has_room(&self) -> bool {
        self.disk.has_room()
    }

    /// Whether blobs can be written now; costs no sync. A scratch folder that was removed is made again, a root that is
    /// gone is not: what comes in its place may be another one, such as an empty mount point.
    ///
    /// # Errors
    /// `StorageFull` without [room](Self::has_room), `NotFound` without the root, and whatever keeps a file from being made
    /// or the shared storage from answering.
    pub(crate) fn check(&self) -> io::Result<()> {
        self.disk.check()?;
        self.shared.as_ref().map_or(Ok(()), |shared| shared.check(MARKER))
    }

    /// The bytes under `key`, or `None` when nothing is there.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub(crate) fn get(&self, key: &str) -> io::Result<Option<Vec<u8>>> {
        match self.shared_home(key) {
            Some((shared, Home::Shared)) => Ok(shared.get(key)?.map(|(_, bytes)| bytes)),
            Some(_) => {
                let here = self.disk.get(key)?;
                self.use_copy(key);
                if here.is_none() && self.fetch(key)?.is_some() { self.disk.get(key) } else { Ok(here) }
            }
            None => self.disk.get(key),
        }
    }

    /// Whether the blob under `key` is the one with this digest. Reads all of it, unless its length says no already, or it was
    /// found to be that one not long ago and was not touched since. Of shared storage there is a copy in the directory then.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub(crate) fn is_whole(&self, key: &str, digest: &FileDigest) -> io::Result<bool> {
        if self.disk.is_whole(key, digest)? {
            self.use_copy(key);
            return Ok(true);
        }
        self.fetch_whole(key, digest)
    }

    /// The SHA-256 of the blob under `key`, in hexadecimal digits, or `None` when nothing is there.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub(crate) fn sha256(&self, key: &str) -> io::Result<Option<String>> {
        self.reader(key)?.map(disk::sha256_of).transpose()
    }

    /// Opens the blob under `key` for reading, or `None` when nothing is there.
    ///
    /// # Errors
    /// When the file is there and cannot be opened.
    pub(crate) fn reader(&self, key: &str) -> io::Result<Option<File>> {
        self.disk.reader(key)
    }

    /// The names in the folder `key`, in no order; none when there is no such folder.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(crate) fn names(&self, key: &str) -> io::Result<Vec<String>> {
        match self.shared_home(key) {
            _ if key == "tasks" => {
                self.shared.as_ref().map_or_else(|| self.disk.names(key), |shared| shared.folders(key))
            }
            Some((shared, _)) => {
                let (mut names, folder) = (Vec::new(), format!("{key}/"));
                shared.each(&folder, |meta| {
                    names.extend(meta.key.strip_prefix(&folder).map(str::to_owned));
                    Ok(())
                })?;
                Ok(names)
            }
            None => self.disk.names(key),
        }
    }

    /// When the blob or folder under `key` was last written, and how many bytes it has; `None` when nothing is there.
    ///
    /// # Errors
    /// When it is there and cannot be asked.
    pub(crate) fn modified_and_size(&self, key: &str) -> io::Result<Option<(Timestamp, u64)>> {
        let of = |meta: BlobMeta| (meta.modified, meta.bytes);
        match self.shared_home(key) {
            Some((shared, Home::Shared)) => Ok(shared.head(key)?.map(of)),
            Some((shared, _)) => match self.disk.modified_and_size(key)? {
                None => Ok(shared.head(key)?.map(of)),
                here => Ok(here),
            },
            None => self.disk.modified_and_size(key),
        }
    }

    /// Removes the blob under `key`; nothing there is fine.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub(crate) fn remove(&self, key: &str) -> io::Result<()> {
        if let Some((shared, _)) = self.shared_home(key) {
            shared.delete(key)?;
        }
        self.disk.remove(key)
    }

    /// Gives the blob under `from` the key `to` in a folder that is there. Nothing there is fine, and so is a
    /// folder that is gone.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let Some((shared, _)) = self.shared_home(from) else { return self.disk.rename(from, to) };
        let Some((_, bytes)) = shared.get(from)? else { return Ok(()) };
        shared.put_bytes(to, &bytes)?;
        // The folder may have been removed in between: then nothing is left of it.
        absent(Self::unless_removed(shared, to))?;
        shared.delete(from)
    }

    /// Removes a task's files from its folder `key`, and the folder unless something else is in it; nothing there is fine.
    ///
    /// # Errors
    /// `InvalidInput` when `key` is not a task's folder, and when something in it cannot be removed.
    pub(crate) fn remove_folder(&self, key: &str) -> io::Result<()> {
        disk::check_task_folder(key)?;
        if let Some(shared) = &self.shared {
            // The source first: a writer beside it looks for it afterwards.
            shared.delete(&format!("{key}/source.pdf"))?;
            shared.delete_prefixes(vec![format!("{key}/")])?;
        }
        self.disk.remove_folder(key)
    }

    /// Makes a file at `key` that outlives its process, empty; its folder is made when it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn create(&self, key: &str) -> io::Result<File> {
        self.disk.create(key)
    }

    /// Opens the file at `key` for reading and writing in place, or `None` when it is not there and not to be made.
    ///
    /// # Errors
    /// When it cannot be opened; `NotFound` when its folder is gone.
    pub(crate) fn open_in_place(&self, key: &str, make: bool) -> io::Result<Option<File>> {
        if make && self.shared.is_some() {
            // The directory is a cache: what is not in it was not removed for good.
            private_fs::make_folder(self.disk.path(key)?.parent().unwrap_or(&self.disk.root))?;
        }
        self.disk.open_in_place(key, make)
    }
}

/// Lower-case hex of `bytes`.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
        text
    })
}

fn absent<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use super::*;

    /// Every file below `root`, with its bytes.
    pub(in crate::blob) fn all_files(root: &Path) -> BTreeMap<String, Vec<u8>> {
        let (mut found, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
                    found.insert(name, fs::read(&path).unwrap());
                }
            }
        }
        found
    }
}
