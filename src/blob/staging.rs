//! Blobs on their way to a key.

use std::io::{self, Write};
use std::path::Path;

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::hex;
use crate::task::FileDigest;

/// A blob being written. Dropped without [`Self::finish`], it leaves nothing behind.
pub struct Staging {
    file: NamedTempFile,
    hash: Sha256,
    bytes: u64,
}

impl Staging {
    pub(super) fn new(file: NamedTempFile) -> Self {
        Self { file, hash: Sha256::new(), bytes: 0 }
    }

    /// Appends `bytes`.
    ///
    /// # Errors
    /// When the write fails, for example on a full disk (`StorageFull`).
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// How many bytes were written so far.
    #[must_use]
    pub const fn written(&self) -> u64 {
        self.bytes
    }

    /// Ends the writing.
    #[must_use]
    pub fn finish(self) -> Staged {
        let digest = FileDigest { bytes: self.bytes, sha256: hex(&self.hash.finalize()) };
        Staged { file: self.file, digest }
    }
}

/// A blob that is written but has no key yet. Dropped uncommitted, it leaves nothing behind.
#[derive(Debug)]
pub struct Staged {
    pub(super) file: NamedTempFile,
    digest: FileDigest,
}

impl Staged {
    /// Its length and hash.
    #[must_use]
    pub const fn digest(&self) -> &FileDigest {
        &self.digest
    }

    /// Where its bytes are until it is committed.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.path()
    }
}
