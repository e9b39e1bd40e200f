//! The way from threads that may wait to storage that several servers share.
//!
//! Requests run on a few threads of their own; the caller waits for its own, as for a disk.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use tokio::runtime::{Builder, Runtime};

use super::Staging;
use super::store::{BlobMeta, BlobStore, Body, PutMode};
use crate::metrics;

/// Threads that carry requests and write what comes to files.
const THREADS: usize = 4;
/// How long a check waits.
const CHECK_TIME: Duration = Duration::from_secs(3);
/// Removals under way at once.
const AT_ONCE: usize = 32;
/// The most bytes that are read into memory in one go: records, notes and pages.
const MOST_BYTES: u64 = 256 << 20;

/// Storage that several servers share. Cheap to clone; all methods block.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    store: Arc<dyn BlobStore>,
    threads: Arc<Threads>,
    /// What its operator should know.
    pub(super) warnings: Arc<Vec<String>>,
}

impl Shared {
    /// Makes sure that the storage can be used.
    ///
    /// # Errors
    /// As [`BlobStore::probe`].
    pub(super) fn open(store: Arc<dyn BlobStore>) -> io::Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(THREADS).thread_name("bindery-blob").enable_all().build()?;
        let threads = Arc::new(Threads(Some(runtime)));
        let mut shared = Self { store, threads, warnings: Arc::default() };
        let store = Arc::clone(&shared.store);
        shared.warnings = Arc::new(shared.wait("probe", async move { store.probe().await })?);
        Ok(shared)
    }

    pub(super) fn place(&self) -> String {
        self.store.place()
    }

    fn wait<T: Send + 'static>(
        &self,
        operation: &'static str,
        request: impl Future<Output = io::Result<T>> + Send + 'static,
    ) -> io::Result<T> {
        metrics::blob(operation, || {
            let gone = || io::Error::other("the threads of the shared storage have ended");
            let (answer, answered) = sync_channel(1);
            let runtime = self.threads.0.as_ref().ok_or_else(gone)?;
            runtime.spawn(async move {
                // Who waits is there; a thread that died does not need the answer.
                let _ = answer.send(request.await);
            });
            answered.recv().map_err(|_| gone())?
        })
    }

    pub(super) fn put(&self, key: &str, body: Body, mode: PutMode) -> io::Result<()> {
        let (store, key) = (Arc::clone(&self.store), key.to_owned());
        self.wait("upload", async move { store.put(&key, body, mode).await })
    }

    pub(super) fn put_bytes(&self, key: &str, bytes: &[u8]) -> io::Result<()> {
        self.put(key, Body::from(bytes), PutMode::Overwrite)
    }

    pub(super) fn put_file(&self, key: &str, path: PathBuf, mode: PutMode) -> io::Result<()> {
        self.put(key, Body::File(path), mode)
    }

    pub(super) fn head(&self, key: &str) -> io::Result<Option<BlobMeta>> {
        let (store, key) = (Arc::clone(&self.store), key.to_owned());
        self.wait("head", async move { store.head(&key).await })
    }

    /// Whether the storage answers now: the caller does not wait for it to come back.
    pub(super) fn check(&self, key: &str) -> io::Result<()> {
        let (store, key) = (Arc::clone(&self.store), key.to_owned());
        let asked = async move { store.head(&key).await.map(drop) };
        self.wait("head", async move { tokio::time::timeout(CHECK_TIME, asked).await? })
    }

    /// The bytes of a small blob.
    pub(super) fn get(&self, key: &str) -> io::Result<Option<(BlobMeta, Vec<u8>)>> {
        let (store, key) = (Arc::clone(&self.store), key.to_owned());
        self.wait("download", async move {
            let Some(found) = store.get(&key, None).await? else { return Ok(None) };
            if found.meta.bytes > MOST_BYTES {
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("{key} is too large")));
            }
            let bytes = found.bytes.try_collect::<Vec<Bytes>>().await?.concat();
            whole(&found.meta, bytes.len() as u64)?;
            Ok(Some((found.meta, bytes)))
        })
    }

    /// Appends the blob under `key` to `staging`; `None` when nothing is there.
    pub(super) fn read_into(&self, key: &str, mut staging: Staging) -> io::Result<Option<(BlobMeta, Staging)>> {
        let (store, key) = (Arc::clone(&self.store), key.to_owned());
        self.wait("download", async move {
            let Some(found) = store.get(&key, None).await? else { return Ok(None) };
            let mut bytes = found.bytes;
            while let Some(piece) = bytes.next().await {
                staging.write(&piece?)?;
            }
            whole(&found.meta, staging.written())?;
            Ok(Some((found.meta, staging)))
        })
    }

    /// Every blob whose key begins with `prefix`, one after the other.
    pub(super) fn each(&self, prefix: &str, mut see: impl FnMut(BlobMeta) -> io::Result<()>) -> io::Result<()> {
        let mut found = self.store.list(prefix).chunks(1_000);
        loop {
            let (rest, chunk) = self.wait("list", async move {
                let chunk = found.next().await;
                Ok((found, chunk))
            })?;
            found = rest;
            let Some(chunk) = chunk else { return Ok(()) };
            chunk.into_iter().try_for_each(|meta| see(meta?))?;
        }
    }

    pub(super) fn folders(&self, key: &str) -> io::Result<Vec<String>> {
        let (store, key) = (Arc::clone(&self.store), key.to_owned());
        self.wait("list", async move { store.folders(&key).await })
    }

    pub(super) fn delete(&self, key: &str) -> io::Result<()> {
        let (store, key) = (Arc::clone(&self.store), key.to_owned());
        self.wait("delete", async move { store.delete(&key).await })
    }

    /// Removes every blob whose key begins with one of these; many at once. Returns how many there were.
    pub(super) fn delete_prefixes(&self, prefixes: Vec<String>) -> io::Result<u64> {
        let store = Arc::clone(&self.store);
        self.wait("delete", async move {
            let removals = futures::stream::iter(prefixes).map(|prefix| {
                let store = Arc::clone(&store);
                async move { store.delete_prefix(&prefix).await }
            });
            removals.buffer_unordered(AT_ONCE).try_fold(0, |sum, gone| async move { Ok(sum + gone) }).await
        })
    }
}

/// A body that ends before it should was cut off on its way.
fn whole(meta: &BlobMeta, read: u64) -> io::Result<()> {
    if meta.bytes == read {
        return Ok(());
    }
    let why = format!("{} was cut off: {read} of {} bytes came", meta.key, meta.bytes);
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, why))
}

/// Threads that end without waiting for what they do, also when an async task drops them last.
struct Threads(Option<Runtime>);

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Threads")
    }
}
