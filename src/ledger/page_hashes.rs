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
    /// Not looked at yet.
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
    /// Set once it was looked for in shared storage.
    fetched: OnceLock<()>,
}

impl PageHashes {
    /// Those of the PDF whose own hash is `source_sha256`, kept in `work_dir`, for a task that finds pages in `scope`.
    #[must_use]
    pub fn new(blob: LocalBlob, work_dir: &str, source_sha256: &str, scope: LedgerScope) -> Self {
        let (key, source_sha256) = (format!("{work_dir}/pages.hashes"), source_sha256.to_owned());
        Self { blob, key, source_sha256, scope, file: OnceLock::new(), fetched: OnceLock::new() }
    }

    /// All contents that are known.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn contents(&self) -> io::Result<Vec<[u8; HASH]>> {
        self.file(false)?;
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
            Ok(()) => Ok(said(hash)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(PageHash::Unknown),
            Err(error) => Err(error),
        }
    }

    /// The last page (from 1) that was looked at; 0 when none was.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn last(&self) -> io::Result<u32> {
        self.file(false)?;
        let bytes = self.blob.modified_and_size(&self.key)?.map_or(0, |(_, bytes)| bytes);
        Ok(u32::try_from(bytes / HASH as u64).unwrap_or(u32::MAX))
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

    /// The page, as it was read by the first of these recipes that the ledger has it of, on this server or `anywhere`.
    ///
    /// # Errors
    /// As [`Ledger::get_anywhere`] and [`Self::get`].
    pub fn find(
        &self,
        ledger: &Ledger,
        page: u32,
        recipes: &[RecipeHash],
        anywhere: bool,
    ) -> io::Result<Option<PageOutput>> {
        for recipe in recipes {
            let key = self.page_key(page, *recipe)?;
            let found = if anywhere { ledger.get_anywhere(key)? } else { ledger.get(key)? };
            if let Some(output) = found.filter(|output| recipe.takes(output)) {
                return Ok(Some(output));
            }
        }
        Ok(None)
    }

    /// Learns what other servers have let be known, where there is shared storage: whichever had the task last may have
    /// seen more pages than this one.
    ///
    /// # Errors
    /// When it cannot be read now, or not written here.
    pub fn unite(&self) -> io::Result<()> {
        let theirs = self.blob.get_shared(&self.key)?.unwrap_or_default();
        for (page, theirs) in (1..).zip(theirs.as_chunks::<HASH>().0) {
            match (self.get(page)?, said(*theirs)) {
                (PageHash::Unknown, PageHash::None) => self.set(page, None)?,
                (PageHash::Unknown | PageHash::None, PageHash::Content(hash)) => self.set(page, Some(&hash))?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Lets other servers know what is known here, besides what they know, where there is shared storage.
    ///
    /// # Errors
    /// As [`Self::unite`], and when it cannot be written now.
    pub fn publish(&self) -> io::Result<()> {
        // Where nothing is known there is nothing to tell.
        if !self.blob.is_shared() || self.blob.open_in_place(&self.key, false)?.is_none() {
            return Ok(());
        }
        self.unite()?;
        self.blob.publish_copy(&self.key)
    }

    fn file(&self, make: bool) -> io::Result<Option<&File>> {
        if let Some(file) = self.file.get() {
            return Ok(Some(file));
        }
        let mut opened = self.blob.open_in_place(&self.key, false)?;
        if opened.is_none() && self.blob.is_shared() && self.fetched.set(()).is_ok() {
            // Another server had the task before.
            self.blob.fetch(&self.key)?;
        }
        if opened.is_none() {
            opened = self.blob.open_in_place(&self.key, make)?;
        }
        Ok(opened.map(|file| self.file.get_or_init(|| file)))
    }
}

fn said(hash: [u8; HASH]) -> PageHash {
    match hash {
        NO_HASH => PageHash::None,
        hash if hash == [0; HASH] => PageHash::Unknown,
        hash => PageHash::Content(hash),
    }
}

fn place(page: u32) -> u64 {
    u64::from(page.saturating_sub(1)) * HASH as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::{Durability, servers};

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

    #[test]
    fn what_two_servers_learnt_of_a_task_is_known_to_both() {
        let (_dir, [a, b, third, fourth]) = servers();
        let hashes = |blob: &LocalBlob| PageHashes::new(blob.clone(), "tasks/x", "aa", LedgerScope::SHARED);
        // One began the task, another went on with it to its end, knowing nothing of the first.
        hashes(&b).set(1, Some(&[1; 32])).unwrap();
        hashes(&b).set(2, None).unwrap();
        hashes(&a).set(2, Some(&[2; 32])).unwrap();
        hashes(&a).set(4, Some(&[4; 32])).unwrap();
        hashes(&a).publish().unwrap();
        let known = |hashes: PageHashes| [1, 2, 3, 4].map(|page| hashes.get(page).unwrap());
        let [one, two, four] = [1, 2, 4].map(|hash| PageHash::Content([hash; 32]));
        let all = [one, two, PageHash::Unknown, four];
        // The list that others find never gets shorter.
        hashes(&b).publish().unwrap();
        assert_eq!(hashes(&third).last().unwrap(), 4, "also where nothing is known here");
        assert_eq!([&b, &third].map(|server| known(hashes(server))), [all; 2]);
        assert_eq!(known(hashes(&a))[0], PageHash::Unknown);
        hashes(&a).unite().unwrap();
        assert_eq!(known(hashes(&a)), all);
        hashes(&fourth).publish().unwrap();
        assert_eq!(known(hashes(&third)), all);
    }

    #[test]
    fn what_other_servers_have_seen_is_learnt_also_that_a_page_has_no_hash() {
        let (_dir, [one, other]) = servers();
        let hashes = |blob: &LocalBlob| PageHashes::new(blob.clone(), "tasks/x", "aa", LedgerScope::SHARED);
        for blob in [&one, &other] {
            blob.put("tasks/x/source.pdf", b"pdf", Durability::Synced).unwrap();
        }
        hashes(&one).set(1, None).unwrap();
        hashes(&one).set(3, Some(&[3; 32])).unwrap();
        hashes(&one).publish().unwrap();
        hashes(&other).set(3, None).unwrap();
        hashes(&other).unite().unwrap();
        let learnt = [1, 2, 3].map(|page| hashes(&other).get(page).unwrap());
        assert_eq!(learnt, [PageHash::None, PageHash::Unknown, PageHash::Content([3; 32])]);
    }
}
