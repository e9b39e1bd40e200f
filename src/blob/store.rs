//! What storage must do that several servers share, whatever it is made of.
//!
//! | implementation | what it is |
//! |---|---|
//! | [`DirectoryStore`](super::DirectoryStore) | a directory that all of them have, such as one on NFS |
//! | [`ObjectStorage`](super::ObjectStorage) | S3 and what speaks it |
//!
//! Each passes the contract suite (feature `testing`).

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::clock::Timestamp;

/// Durable bytes under keys, for several servers at once. A key is a relative path of plain segments. A blob appears
/// whole or not at all; what was written is seen by every read that begins afterwards, on any server.
#[async_trait]
pub trait BlobStore: fmt::Debug + Send + Sync + 'static {
    /// Where it is, for messages: without a key or a password.
    fn place(&self) -> String;

    /// Makes sure that it is there and can be written to. Returns what its operator should know, a sentence each.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what to do.
    async fn probe(&self) -> io::Result<Vec<String>>;

    /// Writes `body` under `key`. On return it is durable.
    ///
    /// # Errors
    /// `AlreadyExists` for [`PutMode::Create`] when something is there; else when it cannot be written, and then it is
    /// not known whether it was.
    async fn put(&self, key: &str, body: Body, mode: PutMode) -> io::Result<()>;

    /// The blob under `key`, or the bytes `range` of it (from 0, the end excluded); `None` when nothing is there.
    ///
    /// # Errors
    /// When it cannot be read now; `InvalidInput` when the range does not begin inside it.
    async fn get(&self, key: &str, range: Option<Range<u64>>) -> io::Result<Option<Download>>;

    /// Size and time of the blob under `key`; `None` when nothing is there.
    ///
    /// # Errors
    /// When it cannot be asked now.
    async fn head(&self, key: &str) -> io::Result<Option<BlobMeta>>;

    /// Every blob whose key begins with `prefix`, page by page as it is read, in no order.
    fn list(&self, prefix: &str) -> BoxStream<'static, io::Result<BlobMeta>>;

    /// The names of the folders directly in the folder `key`, which ends with no slash.
    ///
    /// # Errors
    /// When it cannot be read now.
    async fn folders(&self, key: &str) -> io::Result<Vec<String>>;

    /// Removes the blob under `key`; nothing there is fine.
    ///
    /// # Errors
    /// When it cannot be removed now.
    async fn delete(&self, key: &str) -> io::Result<()>;

    /// Removes every blob whose key begins with `prefix`. Returns how many there were.
    ///
    /// # Errors
    /// When one cannot be removed now; others may be gone.
    async fn delete_prefix(&self, prefix: &str) -> io::Result<u64>;
}

/// What to write.
#[derive(Clone, Debug)]
pub enum Body {
    /// Bytes in memory: for small things.
    Bytes(Bytes),
    /// A file that does not change meanwhile, read piece by piece.
    File(PathBuf),
}

impl From<&[u8]> for Body {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(Bytes::copy_from_slice(bytes))
    }
}

/// What happens to a blob that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutMode {
    /// It is replaced.
    Overwrite,
    /// It stays, and the write is refused. Of several writers at once one wins.
    Create,
}

/// What is known of a blob without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlobMeta {
    /// Its whole key.
    pub key: String,
    /// How long it is.
    pub bytes: u64,
    /// When it was last written, by the storage's clock.
    pub modified: Timestamp,
}

impl BlobMeta {
    /// A blob of so many bytes that was last written then.
    #[must_use]
    pub const fn new(key: String, bytes: u64, modified: Timestamp) -> Self {
        Self { key, bytes, modified }
    }
}

/// A blob on its way.
#[non_exhaustive]
pub struct Download {
    /// Of the whole blob.
    pub meta: BlobMeta,
    /// Its bytes, or those of the range.
    pub bytes: BoxStream<'static, io::Result<Bytes>>,
}

impl Download {
    /// A blob, or a range of it.
    #[must_use]
    pub const fn new(meta: BlobMeta, bytes: BoxStream<'static, io::Result<Bytes>>) -> Self {
        Self { meta, bytes }
    }
}

/// Checks that `key` is a relative path of plain segments.
///
/// # Errors
/// `InvalidInput`.
pub(super) fn plain_key(key: &str) -> io::Result<&str> {
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    if key.split('/').all(plain) && !key.contains('\0') {
        return Ok(key);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "a blob key is a plain relative path"))
}
