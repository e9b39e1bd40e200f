//! The directory of a server as a cache of storage that several servers share.
//!
//! Nothing in it is the truth: what is missing is fetched, what others removed goes, and what was used longest ago makes
//! room. So a server that was gone for longer than it stays known [what was purged](PURGES_STAY) begins with an empty one.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::store::{BlobMeta, PutMode};
use super::{Durability, Home, LocalBlob, absent, home, names};
use crate::clock::Timestamp;
use crate::private_fs;
use crate::task::FileDigest;

/// How long it stays known in shared storage that a task was purged.
pub(crate) const PURGES_STAY: Duration = Duration::from_hours(7 * 24);
/// The file whose time says when the server was last in step with the others.
const IN_STEP: &str = "nodes/in-step.lock";
/// Uses within this time are one use.
const USE_GRAIN: Duration = Duration::from_mins(10);

impl LocalBlob {
    /// Fetches the blob under `key` into the directory, whatever is there. Returns `None` when the shared storage has
    /// none, or there is no shared storage.
    ///
    /// # Errors
    /// When it cannot be read or written now.
    pub(crate) fn fetch(&self, key: &str) -> io::Result<Option<BlobMeta>> {
        let Some(shared) = &self.shared else { return Ok(None) };
        let Some((meta, staging)) = shared.read_into(key, self.disk.stage()?)? else { return Ok(None) };
        self.disk.publish(staging.finish().file, key, true)?;
        Ok(Some(meta))
    }

    /// The same for a blob that must have this digest; `false` when there is none with it.
    pub(super) fn fetch_whole(&self, key: &str, digest: &FileDigest) -> io::Result<bool> {
        let Some(shared) = &self.shared else { return Ok(false) };
        let Some((_, staging)) = shared.read_into(key, self.disk.stage()?)? else { return Ok(false) };
        let staged = staging.finish();
        if staged.digest() != digest {
            log::warn!("{key} in {} is not what was written", shared.place());
            return Ok(false);
        }
        self.disk.publish(staged.file, key, true)?;
        Ok(true)
    }

    /// Makes sure that the file behind `key` is there, and looks used.
    ///
    /// # Errors
    /// `NotFound` when it is nowhere, or is not what was written; and when it cannot be fetched now.
    pub(crate) fn ensure(&self, key: &str, digest: &FileDigest) -> io::Result<()> {
        if self.shared.is_none() {
            return Ok(());
        }
        if let Some((used, bytes)) = self.disk.modified_and_size(key)?
            && bytes == digest.bytes
        {
            self.touch(key, used);
            return Ok(());
        }
        if self.fetch_whole(key, digest)? {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::NotFound, format!("{key} is not in the shared storage")))
    }

    /// Has a copy look used now that was last used at `used`. Where that fails it only looks older.
    fn touch(&self, key: &str, used: Timestamp) {
        if Timestamp::now().since(used) > USE_GRAIN {
            let file = self.disk.path(key).and_then(|path| File::options().write(true).open(path));
            let _ = file.and_then(|file| file.set_modified(Timestamp::now().into()));
        }
    }

    /// Has the copy under `key` look used, if it is one.
    pub(super) fn use_copy(&self, key: &str) {
        if self.shared_home(key).is_some()
            && let Ok(Some((used, _))) = self.disk.modified_and_size(key)
        {
            self.touch(key, used);
        }
    }

    /// The file behind `key`, fetched where it is missing.
    ///
    /// # Errors
    /// `NotFound` when it is nowhere; and when it cannot be fetched now.
    pub(crate) fn local_copy(&self, key: &str) -> io::Result<PathBuf> {
        let path = self.disk.path(key)?;
        if self.shared.is_some() && !path.exists() && self.fetch(key)?.is_none() {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.use_copy(key);
        Ok(path)
    }

    /// Copies a file of the directory to the shared storage, for others to find. Nothing there is fine.
    ///
    /// # Errors
    /// When it cannot be read or written now.
    pub(crate) fn publish_copy(&self, key: &str) -> io::Result<()> {
        match (&self.shared, self.disk.get(key)?) {
            (Some(shared), Some(bytes)) => shared.put_bytes(key, &bytes),
            _ => Ok(()),
        }
    }

    /// The bytes under `key` in the shared storage, whatever the directory has; without shared storage there are none.
    ///
    /// # Errors
    /// When they cannot be read now.
    pub(crate) fn get_shared(&self, key: &str) -> io::Result<Option<Vec<u8>>> {
        let Some(shared) = &self.shared else { return Ok(None) };
        Ok(shared.get(key)?.map(|(_, bytes)| bytes))
    }

    /// What the shared storage says of `key`, whatever the directory has; without shared storage there is nothing.
    ///
    /// # Errors
    /// When it cannot be asked now.
    pub(crate) fn head_shared(&self, key: &str) -> io::Result<Option<BlobMeta>> {
        self.shared.as_ref().map_or(Ok(None), |shared| shared.head(key))
    }

    /// Writes the directory's copy of `key` to the shared storage, from which it was removed by mistake.
    ///
    /// # Errors
    /// `NotFound` when there is no copy; and when it cannot be written now.
    pub(crate) fn share_again(&self, key: &str) -> io::Result<()> {
        let Some(shared) = &self.shared else { return Ok(()) };
        shared.put_file(key, self.disk.path(key)?, PutMode::Overwrite)
    }

    /// Keeps `bytes` under `key` in the shared storage again, so that they look used when room is made there.
    pub(crate) fn refresh(&self, key: &str) {
        if let Err(why) = self.publish_copy(key) {
            log::debug!("{key} does not look used: {why}");
        }
    }

    /// Removes from shared storage all keys that begin with one of these. Returns how many there were; without shared
    /// storage there are none.
    ///
    /// # Errors
    /// When one cannot be removed now.
    pub(crate) fn remove_shared_prefixes(&self, prefixes: Vec<String>) -> io::Result<u64> {
        self.shared.as_ref().map_or(Ok(0), |shared| shared.delete_prefixes(prefixes))
    }

    /// Shows each blob of the shared storage whose key begins with `prefix`; without shared storage there is none.
    ///
    /// # Errors
    /// When it cannot be listed now, or `see` fails.
    pub(crate) fn each_shared(&self, prefix: &str, see: impl FnMut(BlobMeta) -> io::Result<()>) -> io::Result<()> {
        self.shared.as_ref().map_or(Ok(()), |shared| shared.each(prefix, see))
    }

    /// Removes `key` from the shared storage and the directory, wherever its home is.
    ///
    /// # Errors
    /// When it cannot be removed now.
    pub(crate) fn remove_everywhere(&self, key: &str) -> io::Result<()> {
        match (&self.shared, home(key)) {
            (Some(shared), Home::Directory) => shared.delete(key)?,
            _ => return self.remove(key),
        }
        self.disk.remove(key)
    }

    /// The tasks that the directory has files of.
    pub(crate) fn cached_tasks(&self) -> io::Result<Vec<String>> {
        let names = self.disk.names("tasks")?;
        Ok(names.into_iter().filter(|name| names::is_task_folder(name)).collect())
    }

    /// Removes a task's folder from the directory alone.
    pub(crate) fn forget_task(&self, id: &str) -> io::Result<()> {
        self.disk.remove_folder(&format!("tasks/{id}"))
    }

    /// Removes copies of sources and results that were used longest ago, until those that stay have at most `most` bytes.
    /// Returns how many went.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub(crate) fn shrink_cache(&self, most: u64) -> io::Result<usize> {
        let mut copies = Vec::new();
        for id in self.cached_tasks()? {
            let folder = format!("tasks/{id}");
            for name in self.disk.names(&folder)? {
                let key = format!("{folder}/{name}");
                if home(&key) == Home::Cached
                    && let Some((used, bytes)) = self.disk.modified_and_size(&key)?
                {
                    copies.push((used, bytes, key));
                }
            }
        }
        copies.sort_unstable();
        let mut all: u64 = copies.iter().map(|(_, bytes, _)| bytes).sum();
        let mut gone = 0;
        for (_, bytes, key) in &copies {
            if all <= most {
                break;
            }
            self.disk.remove(key)?;
            all -= bytes;
            gone += 1;
        }
        Ok(gone)
    }

    /// Notes that this server has seen what others purged until now.
    pub(crate) fn note_in_step(&self) -> io::Result<()> {
        self.disk.put(IN_STEP, b"", Durability::Cached)
    }

    /// Empties the directory when purges may have been forgotten that this server has not seen.
    pub(super) fn forget_after_long_absence(&self) -> io::Result<()> {
        let last = self.disk.modified_and_size(IN_STEP)?.map(|(last, _)| last);
        if last.is_some_and(|last| Timestamp::now().since(last) < PURGES_STAY) {
            return Ok(());
        }
        if last.is_some() {
            log::warn!("this server was gone for long: it begins with an empty cache");
        }
        for id in self.cached_tasks()? {
            self.forget_task(&id)?;
        }
        absent(fs::remove_dir_all(self.disk.path("ledger")?))?;
        self.note_in_step()
    }

    /// A number that no other data directory on any machine has, as text; made when there is none.
    pub(super) fn machine(&self) -> io::Result<String> {
        const KEY: &str = "nodes/machine.lock";
        if let Some(known) = self.disk.get(KEY)?.and_then(|bytes| String::from_utf8(bytes).ok()) {
            return Ok(known);
        }
        let path = self.disk.path(KEY)?;
        private_fs::make_folder(path.parent().unwrap_or(&self.disk.root))?;
        let new = uuid::Uuid::now_v7().simple().to_string();
        let mut staging = self.disk.stage()?;
        staging.write(new.as_bytes())?;
        match fs::hard_link(staging.finish().path(), &path) {
            // Another process of this directory was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return self.machine(),
            linked => linked?,
        }
        Ok(new)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::blob::DirectoryStore;

    /// Servers, each with a directory of its own, that share the directory `shared` of the temporary one.
    pub(crate) fn servers<const N: usize>() -> (tempfile::TempDir, [LocalBlob; N]) {
        let dir = tempfile::tempdir().unwrap();
        let shared = dir.path().join("shared");
        fs::create_dir(&shared).unwrap();
        let server = |number: usize| {
            LocalBlob::open_shared(&dir.path().join(number.to_string()), DirectoryStore::open(&shared).unwrap())
                .unwrap()
        };
        let servers = std::array::from_fn(server);
        (dir, servers)
    }

    #[test]
    fn a_rename_brings_nothing_of_a_deleted_task_back() {
        let (_dir, [blob, other]) = servers();
        let (from, to) = ("tasks/x/record-1.prepared", "tasks/x/record-1.json");
        for is_there in [true, false] {
            if is_there {
                blob.put("tasks/x/source.pdf", b"pdf", Durability::Synced).unwrap();
            } else {
                other.remove("tasks/x/source.pdf").unwrap();
            }
            other.put(from, b"record", Durability::Synced).unwrap();
            blob.rename(from, to).unwrap();
            assert_eq!((other.get(to).unwrap().is_some(), other.get(from).unwrap()), (is_there, None));
        }
    }

    #[test]
    fn what_an_unfinished_try_left_is_replaced_and_a_complete_result_is_not() {
        let (_dir, [blob, other]) = servers();
        blob.put("tasks/x/source.pdf", b"pdf", Durability::Synced).unwrap();
        let staged = |text: &[u8]| {
            let mut staging = blob.stage().unwrap();
            staging.write(text).unwrap();
            staging.finish()
        };
        let (json, markdown) = ("tasks/x/result-1.json", "tasks/x/result-1.md");
        let both = |text: &[u8]| blob.commit_all([(staged(text), json), (staged(text), markdown)]);
        // The first of two was written, and the second could not be.
        blob.put(json, b"a page read before", Durability::Synced).unwrap();
        both(b"a page read again").unwrap();
        assert_eq!([json, markdown].map(|key| other.get(key).unwrap().unwrap()), [b"a page read again"; 2]);
        // The answer of the second was lost, and the same again is fine; another result is not.
        both(b"a page read again").unwrap();
        assert_eq!(both(b"something else").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!([json, markdown].map(|key| other.get(key).unwrap().unwrap()), [b"a page read again"; 2]);
    }

    #[test]
    fn copies_that_are_read_stay_longest() {
        let (_dir, [blob, _]) = servers();
        let task = format!("tasks/{}", crate::task::TaskId::generate());
        let names = ["source.pdf", "result-1.md", "result-1.json", "image-a.png"];
        let keys = names.map(|name| format!("{task}/{name}"));
        let digest = |bytes: &[u8]| {
            let mut staging = blob.stage().unwrap();
            staging.write(bytes).unwrap();
            staging.finish().digest().clone()
        };
        for (read, name) in names.iter().enumerate() {
            for key in &keys {
                blob.put(key, b"four", Durability::Synced).unwrap();
                let file = File::options().write(true).open(blob.path(key).unwrap()).unwrap();
                file.set_modified(Timestamp::now().before(USE_GRAIN * 2).into()).unwrap();
            }
            match read {
                0 => blob.ensure(&keys[0], &digest(b"four")).unwrap(),
                1 => assert!(blob.is_whole(&keys[1], &digest(b"four")).unwrap()),
                2 => drop(blob.local_copy(&keys[2]).unwrap()),
                _ => drop(blob.get(&keys[3]).unwrap()),
            }
            assert_eq!(blob.shrink_cache(4).unwrap(), 3);
            assert_eq!(blob.disk.names(&task).unwrap(), [*name]);
        }
    }
}
