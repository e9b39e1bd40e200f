//! Blobs in a directory that several machines share, such as one on NFS.
//!
//! Unlike the directory of a [`LocalBlob`](super::LocalBlob), nothing in it is locked, written in place or mapped but the
//! scratch folders of `tmp/`: locks, journals and caches stay on each machine's own disk.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};

use super::store::{BlobMeta, BlobStore, Body, Download, PutMode, plain_key};
use super::{Scratch, absent};
use crate::private_fs;

/// Bytes read in one go.
const PIECE: u64 = 256 * 1024;
/// How often a write is tried whose folder is removed meanwhile.
const RACES: usize = 8;
/// The folder of unfinished files.
const UNFINISHED: &str = "tmp";

/// A directory that several machines share.
#[derive(Clone, Debug)]
pub struct DirectoryStore {
    root: PathBuf,
    unfinished: Arc<Scratch>,
}

impl DirectoryStore {
    /// Opens `root`, which must be there: one that is made unasked may be an empty mount point.
    ///
    /// # Errors
    /// When it is not there or cannot be written to.
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        fs::metadata(&root)?;
        let unfinished = Arc::new(Scratch::create(&root.join(UNFINISHED))?);
        Ok(Self { root, unfinished })
    }

    fn path(&self, key: &str) -> io::Result<PathBuf> {
        Ok(self.root.join(plain_key(key)?))
    }

    fn write(&self, key: &str, body: &Body, mode: PutMode) -> io::Result<()> {
        let target = self.path(key)?;
        let mut file = self.unfinished.file()?;
        match body {
            Body::Bytes(bytes) => file.write_all(bytes)?,
            Body::File(from) => drop(io::copy(&mut File::open(from)?, &mut file)?),
        }
        file.as_file().sync_all()?;
        let folder = target.parent().unwrap_or(&self.root);
        for _ in 0..RACES {
            private_fs::make_folder(folder)?;
            let placed = match mode {
                PutMode::Overwrite => fs::rename(file.path(), &target),
                PutMode::Create => fs::hard_link(file.path(), &target),
            };
            match placed {
                // It was empty, and went with what was in it before.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                placed => {
                    placed?;
                    return File::open(folder)?.sync_all();
                }
            }
        }
        Err(io::ErrorKind::NotFound.into())
    }

    fn meta(&self, path: &Path) -> io::Result<Option<BlobMeta>> {
        let Some(found) = absent(fs::metadata(path))?.filter(fs::Metadata::is_file) else { return Ok(None) };
        let key = path.strip_prefix(&self.root).map_err(io::Error::other)?.to_string_lossy().into_owned();
        Ok(Some(BlobMeta { key, bytes: found.len(), modified: found.modified()?.into() }))
    }

    /// The blobs directly in a folder whose keys begin with `prefix`, and the folders in it that may have some. Others are
    /// not asked for anything: a folder may have many of them.
    fn entries(&self, folder: &Path, prefix: &str) -> io::Result<(Vec<BlobMeta>, Vec<PathBuf>)> {
        let (mut blobs, mut folders) = (Vec::new(), Vec::new());
        let Some(entries) = absent(fs::read_dir(folder))? else { return Ok((blobs, folders)) };
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            let key = path.strip_prefix(&self.root).map_err(io::Error::other)?.to_string_lossy().into_owned();
            let (inside, is_dir) = (format!("{key}/"), entry.file_type()?.is_dir());
            if is_dir && key != UNFINISHED && (inside.starts_with(prefix) || prefix.starts_with(&inside)) {
                folders.push(path);
            } else if !is_dir && key.starts_with(prefix) {
                blobs.extend(self.meta(&path)?);
            }
        }
        Ok((blobs, folders))
    }

    fn remove(&self, key: &str) -> io::Result<bool> {
        let path = self.path(key)?;
        let was_there = absent(fs::remove_file(&path))?.is_some();
        let mut folder = path.parent();
        // A folder is there as long as something is in it.
        while let Some(empty) = folder.filter(|folder| *folder != self.root && fs::remove_dir(folder).is_ok()) {
            folder = empty.parent();
        }
        Ok(was_there)
    }

    /// Does something with files on a thread that may wait.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || work(&this)).await.map_err(io::Error::other)?
    }
}

#[async_trait]
impl BlobStore for DirectoryStore {
    fn place(&self) -> String {
        format!("file://{}", self.root.display())
    }

    async fn probe(&self) -> io::Result<Vec<String>> {
        self.blocking(|this| this.unfinished.file().map(drop)).await.map(|()| Vec::new())
    }

    async fn put(&self, key: &str, body: Body, mode: PutMode) -> io::Result<()> {
        let key = key.to_owned();
        self.blocking(move |this| this.write(&key, &body, mode)).await
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> io::Result<Option<Download>> {
        let path = self.path(key)?;
        let opened = self.blocking(move |this| {
            let Some(mut file) = absent(File::open(&path))? else { return Ok(None) };
            let Some(meta) = this.meta(&path)? else { return Ok(None) };
            let range = range.unwrap_or(0..meta.bytes);
            if range.start >= meta.bytes && meta.bytes > 0 {
                let why = "the range begins behind the end of the blob";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
            }
            file.seek(SeekFrom::Start(range.start))?;
            Ok(Some((meta, file.take(range.end.saturating_sub(range.start)))))
        });
        let Some((meta, file)) = opened.await? else { return Ok(None) };
        let bytes = stream::try_unfold(file, |mut file| async move {
            let read = tokio::task::spawn_blocking(move || {
                let mut piece = Vec::new();
                (&mut file).take(PIECE).read_to_end(&mut piece).map(|_| (piece, file))
            });
            let (piece, file) = read.await.map_err(io::Error::other)??;
            Ok(Some((Bytes::from(piece), file)).filter(|(piece, _)| !piece.is_empty()))
        });
        Ok(Some(Download { meta, bytes: bytes.boxed() }))
    }

    async fn head(&self, key: &str) -> io::Result<Option<BlobMeta>> {
        let path = self.path(key)?;
        self.blocking(move |this| this.meta(&path)).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, io::Result<BlobMeta>> {
        let (this, prefix) = (self.clone(), prefix.to_owned());
        let folder = this.root.join(prefix.rsplit_once('/').map_or("", |(folder, _)| folder));
        let folders = stream::try_unfold((this, vec![folder]), move |(this, mut left)| {
            let prefix = prefix.clone();
            async move {
                let Some(folder) = left.pop() else { return Ok(None) };
                let (blobs, folders) = this.blocking(move |this| this.entries(&folder, &prefix)).await?;
                left.extend(folders);
                Ok::<_, io::Error>(Some((stream::iter(blobs.into_iter().map(Ok)), (this, left))))
            }
        });
        folders.try_flatten().boxed()
    }

    async fn folders(&self, key: &str) -> io::Result<Vec<String>> {
        let folder = self.path(key)?;
        let prefix = format!("{key}/");
        let (_, folders) = self.blocking(move |this| this.entries(&folder, &prefix)).await?;
        let name = |folder: PathBuf| folder.file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(folders.into_iter().filter_map(name).collect())
    }

    async fn delete(&self, key: &str) -> io::Result<()> {
        let key = key.to_owned();
        self.blocking(move |this| this.remove(&key)).await.map(drop)
    }

    async fn delete_prefix(&self, prefix: &str) -> io::Result<u64> {
        let (mut gone, mut found) = (0, self.list(prefix));
        while let Some(blob) = found.next().await {
            let key = blob?.key;
            gone += u64::from(self.blocking(move |this| this.remove(&key)).await?);
        }
        Ok(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::contract;

    #[tokio::test]
    async fn a_shared_directory_keeps_the_contract() {
        let dir = tempfile::tempdir().unwrap();
        assert!(DirectoryStore::open(dir.path().join("none")).is_err());
        let store = DirectoryStore::open(dir.path()).unwrap();
        contract::check_all(Arc::new(store)).await;
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "tmp alone");
    }

    #[tokio::test]
    async fn a_listing_looks_at_nothing_that_its_prefix_leaves_out() {
        let dir = tempfile::tempdir().unwrap();
        let store = DirectoryStore::open(dir.path()).unwrap();
        for key in ["a/bc/1", "a/bd/1", "a/b", "a/c", "ab/1"] {
            store.put(key, Body::from(&b"x"[..]), PutMode::Overwrite).await.unwrap();
        }
        let entries = |folder: &str, prefix: &str| {
            let (blobs, folders) = store.entries(&dir.path().join(folder), prefix).unwrap();
            let name = |path: PathBuf| path.strip_prefix(dir.path()).unwrap().to_string_lossy().into_owned();
            let mut found: Vec<_> =
                blobs.into_iter().map(|meta| meta.key).chain(folders.into_iter().map(name)).collect();
            found.sort();
            found
        };
        assert_eq!(entries("a", "a/bc"), ["a/bc"]);
        assert_eq!(entries("a", "a/b"), ["a/b", "a/bc", "a/bd"]);
        assert_eq!(entries("a", "a/bd/1"), ["a/bd"]);
        assert_eq!(entries("", "a"), ["a", "ab"]);
        assert_eq!(entries("", "a/"), ["a"]);
    }
}
