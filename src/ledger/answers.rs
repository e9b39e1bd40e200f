//! Side entries: what was paid for and is no page yet. They have names like pages, so that they go with the page they are
//! about when that is purged, and by their age like all others.

use std::io;

use super::{Ledger, PageKey};
use crate::blob::Durability;

impl Ledger {
    /// The side entry under `key`; also from shared storage.
    ///
    /// # Errors
    /// When it is there and cannot be read now.
    pub fn answer(&self, key: PageKey) -> io::Result<Option<Vec<u8>>> {
        let name = key.blob_key();
        let here = self.blob.get(&name)?;
        if here.is_some() || self.blob.fetch(&name)?.is_none() { Ok(here) } else { self.blob.get(&name) }
    }

    /// Keeps a side entry. On return it survives the death of this process and of the machine, and other servers find it
    /// where there is shared storage.
    ///
    /// # Errors
    /// When it cannot be written; then there is none.
    pub fn put_answer(&self, key: PageKey, entry: &[u8]) -> io::Result<()> {
        self.blob.put(&key.blob_key(), entry, Durability::Synced)
    }

    /// Removes a side entry; nothing there is fine. A power cut may bring it back.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove_answer(&self, key: PageKey) -> io::Result<()> {
        self.blob.remove_everywhere(&key.blob_key())
    }
}
