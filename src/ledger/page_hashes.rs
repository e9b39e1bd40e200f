//! Which content hash each page of one task's PDF has, as far as that is known.
//!
//! Hashing a page means reading it, so it happens when the page's turn comes and not while the caller waits for a plan.
//! What is learnt stands in a file beside the source: 32 bytes a page, at its place, zeros while unknown, ones for none.
//! A process that goes on with the task finds it there; nothing is lost without it but the time to hash again, so it is
//! not synced.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use super::{Ledger, LedgerScope, PageKey, RecipeHash};
use crate::blob::LocalBlob;
use crate::task::PageOutput;

const HASH: usize = 32;
/// Stands for a page that has no hash.
const NO_HASH: [u8; HASH] = [0xff; HASH];

/// What is known of a page's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageHash {
    /// Nobody has looked yet.
    Unknown,
    /// It cannot be hashed.
    None,
    /// Its hash.
    Content([u8; HASH]),
}

/// The hashes of one task's pages. Methods block.
#[derive(Debug)]
pub struct PageHashes {
    blob: LocalBlob,
    key: String,
    source_sha256: String,
    scope: LedgerScope,
    file: OnceLock<File>,
}

impl PageHashes {
    /// Those of the PDF whose own hash is `source_sha256`, kept in `work_dir`, for a task that finds pages in `scope`.
    #[must_use]
    pub fn new(blob: LocalBlob, work_dir: &str, source_sha256: &str, scope: LedgerScope) -> Self {
        let (key, source_sha256) = (format!("{work_dir}/pages.hashes"), source_sha256.to_owned());
        Self { blob, key, source_sha256, scope, file: OnceLock::new() }
    }

    /// All contents that are known.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn contents(&self) -> io::Result<Vec<[u8; HASH]>> {
        let bytes = self.blob.get(&self.key)?.unwrap_or_default();
        let hashes = bytes.as_chunks::<HASH>().0.iter().copied();
        Ok(hashes.filter(|hash| *hash != [0; HASH] && *hash != NO_HASH).collect())
    }

    /// What is known of `page` (from 1).
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn get(&self, page: u32) -> io::Result<PageHash> {
        let Some(file) = self.file(false)? else { return Ok(PageHash::Unknown) };
        let mut hash = [0; HASH];
        match file.read_exact_at(&mut hash, place(page)) {
            Ok(()) if hash == [0; HASH] => Ok(PageHash::Unknown),
            Ok(()) if hash == NO_HASH => Ok(PageHash::None),
            Ok(()) => Ok(PageHash::Content(hash)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(PageHash::Unknown),
            Err(error) => Err(error),
        }
    }

    /// Keeps the hash of `page`, or that it has none: its key in the ledger must not change once it is paid.
    ///
    /// # Errors
    /// When it cannot be written, for example because the task's folder is gone.
    pub fn set(&self, page: u32, hash: Option<&[u8; HASH]>) -> io::Result<()> {
        match self.file(true)? {
            Some(file) => file.write_all_at(hash.unwrap_or(&NO_HASH), place(page)),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// The ledger's key of `page`: of its content where that is known, else of the file and its number. A page that
    /// cannot be hashed can still be read, by a processor that sees more in it.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn page_key(&self, page: u32, recipe: RecipeHash) -> io::Result<PageKey> {
        let recipe = recipe.for_page(page);
        Ok(match self.get(page)? {
            PageHash::Content(content) => PageKey::of_content(&self.scope, &content, recipe),
            PageHash::None | PageHash::Unknown => PageKey::of_place(&self.scope, &self.source_sha256, page, recipe),
        })
    }

    /// The page, as it was read by the first of these recipes that the ledger has it of.
    ///
    /// # Errors
    /// As [`Ledger::get`] and [`Self::get`].
    pub fn find(&self, ledger: &Ledger, page: u32, recipes: &[RecipeHash]) -> io::Result<Option<PageOutput>> {
        for recipe in recipes {
            if let Some(output) = ledger.get(self.page_key(page, *recipe)?)?.filter(|output| recipe.takes(output)) {
                return Ok(Some(output));
            }
        }
        Ok(None)
    }

    fn file(&self, make: bool) -> io::Result<Option<&File>> {
        if let Some(file) = self.file.get() {
            return Ok(Some(file));
        }
        let opened = self.blob.open_in_place(&self.key, make)?;
        Ok(opened.map(|file| self.file.get_or_init(|| file)))
    }
}

fn place(page: u32) -> u64 {
    u64::from(page.saturating_sub(1)) * HASH as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::Durability;

    #[test]
    fn what_is_learnt_is_there_for_the_next_process() {
        let dir = tempfile::tempdir().unwrap();
        let blob = LocalBlob::open(dir.path()).unwrap();
        let hashes = || PageHashes::new(blob.clone(), "tasks/x", "aa", LedgerScope::SHARED);
        let recipe = RecipeHash::of(&"text");
        assert_eq!(hashes().get(3).unwrap(), PageHash::Unknown);
        assert!(hashes().set(3, Some(&[7; 32])).is_err(), "a folder that is gone stays gone");
        blob.put("tasks/x/source.pdf", b"pdf", Durability::Cached).unwrap();
        hashes().set(3, Some(&[7; 32])).unwrap();
        hashes().set(5, None).unwrap();
        let again = hashes();
        assert_eq!(again.contents().unwrap(), [[7; 32]]);
        let known = [2, 3, 5, 6].map(|page| again.get(page).unwrap());
        assert_eq!(known, [PageHash::Unknown, PageHash::Content([7; 32]), PageHash::None, PageHash::Unknown]);
        assert_eq!(again.page_key(3, recipe).unwrap(), PageKey::of_content(&LedgerScope::SHARED, &[7; 32], recipe));
        assert_eq!(again.page_key(4, recipe).unwrap(), PageKey::of_place(&LedgerScope::SHARED, "aa", 4, recipe));
    }
}
