//! Page results by content: what is in the ledger is never paid for again (invariant I5).
//!
//! An entry stands at `ledger/<aa>/<key>.json`, where the key is the hash of the page's content and of the recipe that
//! read it. Resuming a task is nothing more than looking its pages up here.
//!
//! **Write order.** A worker puts a page here *before* it tells anyone the outcome. So whoever hears of a page can
//! find it, and a process that dies in between has lost nothing but the news.

use std::fmt;
use std::io;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::blob::{Durability, LocalBlob, hex};
use crate::task::PageOutput;

/// The ledger over a blob store. Cheap to clone; all methods block and belong on a worker thread.
#[derive(Clone, Debug)]
pub struct Ledger {
    blob: LocalBlob,
}

/// Everything besides the page that decides what its Markdown will be, as a hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RecipeHash([u8; 32]);

impl RecipeHash {
    /// The hash of a recipe: processor, version, model, prompt, parameters.
    #[must_use]
    pub fn of(recipe: &impl Serialize) -> Self {
        let json = serde_json::to_vec(recipe).unwrap_or_default();
        Self(Sha256::digest(json).into())
    }
}

/// The name of one page's entry.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PageKey([u8; 32]);

impl PageKey {
    /// The key of a page: for now the hash of the whole file and the page number stand for the page's content.
    #[must_use]
    pub fn new(source_sha256: &str, page: u32, recipe: RecipeHash) -> Self {
        let mut hash = Sha256::new();
        hash.update(source_sha256.as_bytes());
        hash.update(page.to_be_bytes());
        hash.update(recipe.0);
        Self(hash.finalize().into())
    }

    fn blob_key(self) -> String {
        let name = self.to_string();
        format!("ledger/{}/{name}.json", &name[..2])
    }
}

impl fmt::Display for PageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for PageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageKey({self})")
    }
}

impl Ledger {
    /// The ledger that lives in `blob`.
    #[must_use]
    pub const fn new(blob: LocalBlob) -> Self {
        Self { blob }
    }

    /// The page under `key`, or `None` when it was never read, or its entry is torn (which a power cut can do to an
    /// entry that was not synced; such a page is read again).
    ///
    /// # Errors
    /// When the entry is there and cannot be read.
    pub fn get(&self, key: PageKey) -> io::Result<Option<PageOutput>> {
        let bytes = self.blob.get(&key.blob_key())?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Keeps a page. On return it survives the death of this process, and with [`Durability::Synced`] of the machine.
    ///
    /// # Errors
    /// When the entry cannot be written; then there is none.
    pub fn put(&self, key: PageKey, page: &PageOutput, durability: Durability) -> io::Result<()> {
        let json = serde_json::to_vec(page).map_err(io::Error::other)?;
        self.blob.put(&key.blob_key(), &json, durability)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_found_under_its_content_and_recipe_only() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(LocalBlob::open(dir.path()).unwrap());
        let (text, llm) = (RecipeHash::of(&"text"), RecipeHash::of(&"llm"));
        let page = PageOutput { markdown: "# ü".into(), attempts: 1, ..PageOutput::default() };
        ledger.put(PageKey::new("aa", 1, text), &page, Durability::Cached).unwrap();

        assert_eq!(ledger.get(PageKey::new("aa", 1, text)).unwrap(), Some(page));
        for other in [PageKey::new("aa", 2, text), PageKey::new("ab", 1, text), PageKey::new("aa", 1, llm)] {
            assert_eq!(ledger.get(other).unwrap(), None);
        }
    }

    #[test]
    fn a_torn_entry_is_no_entry() {
        let dir = tempfile::tempdir().unwrap();
        let blob = LocalBlob::open(dir.path()).unwrap();
        let key = PageKey::new("aa", 1, RecipeHash::of(&"text"));
        for torn in [&b""[..], b"{\"markdown\":\"# h"] {
            blob.put(&key.blob_key(), torn, Durability::Cached).unwrap();
            assert_eq!(Ledger::new(blob.clone()).get(key).unwrap(), None);
        }
    }
}
