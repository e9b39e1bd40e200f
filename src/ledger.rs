//! Page results by content: what is in the ledger is never paid for again (invariant I5).
//!
//! An entry stands at `ledger/<aa>/<page>-<recipe>.json`, by the hash of the page's content and that of the recipe that
//! read it. So an edited PDF pays only for the pages that changed. Resuming a task is nothing more than looking its pages
//! up here. Whose page it is counts, too: unless the operator has tenants share, each has a [scope](LedgerScope) of its
//! own, in which others find nothing. The files of a page's figures stand beside it, `<page>-<recipe>-<name of the image>`, and
//! each task has its own of those that it shows: linked where the file system can do that.
//!
//! **Good pages.** A page that was taken although it strays from what its PDF says (`unfaithful`) is an output with a
//! finding: it stands here like any other, so a task that is resumed does not pay for it again, and whoever brings the
//! same page gets it with the finding. An explicit retry reads it again: from then on the task takes no such page but
//! those that it has read itself since. So it pays at most once more for each of them a retry, however often it is
//! resumed.
//!
//! **Write order.** A worker puts a page here *before* it tells anyone the outcome. So whoever hears of a page can
//! find it, and a process that dies in between has lost nothing but the news.
//!
//! **Limits.** Pages that nobody has used for long can go, by age and by size, least recently used first; never those
//! used since the oldest unfinished task was accepted. A page that is gone is read, and paid, again, when somebody
//! wants it again. The time of use is the file's time of modification.

mod entry;
mod key;
mod page_hashes;
mod purge;

use std::fs::File;
use std::io::{self, Read};
use std::time::Duration;

use crate::blob::{Durability, LocalBlob, names};
use crate::clock::Timestamp;
use crate::content::FigureFile;
use crate::failpoint;
use crate::metrics;
use crate::task::{ImageBytes, PageOutput};

pub use key::{LedgerScope, LedgerSharing, PageId, PageKey, RecipeHash};
pub use page_hashes::{PageHash, PageHashes};
pub use purge::PurgeList;

/// The ledger over a blob store. Cheap to clone; all methods block and belong on a worker thread.
#[derive(Clone, Debug)]
pub struct Ledger {
    blob: LocalBlob,
}

impl Ledger {
    /// The ledger that lives in `blob`.
    #[must_use]
    pub const fn new(blob: LocalBlob) -> Self {
        Self { blob }
    }

    /// The page under `key`, or `None` when it was never read, or its entry is torn (which a power cut can do to an
    /// entry that was not synced) or of a later version; such a page is read again.
    ///
    /// # Errors
    /// When the entry is there and cannot be read.
    pub fn get(&self, key: PageKey) -> io::Result<Option<PageOutput>> {
        let Some(mut file) = self.open(key)? else { return Ok(None) };
        let metadata = file.metadata()?;
        // An entry is written before it has its name, and never changed.
        let mut bytes = vec![0; usize::try_from(metadata.len()).map_err(io::Error::other)?];
        metrics::blob("read", || file.read_exact(&mut bytes))?;
        let used = metadata.modified().map(Timestamp::from)?;
        let now = Timestamp::now();
        if now.since(used) >= USE_GRAIN {
            // Setting times needs no right to write but to own; where that fails the page only looks older.
            let _ = file.set_modified(now.into());
        }
        Ok(entry::decode(&bytes))
    }

    /// Whether a page is there under `key`, without reading it or making it look used.
    #[must_use]
    pub fn has(&self, key: PageKey) -> bool {
        let is_there = |name: String| self.blob.modified_and_size(&name).is_ok_and(|found| found.is_some());
        is_there(key.blob_key()) || key.older_blob_key().is_some_and(is_there)
    }

    fn open(&self, key: PageKey) -> io::Result<Option<File>> {
        match (self.blob.reader(&key.blob_key())?, key.older_blob_key()) {
            (None, Some(older)) => self.blob.reader(&older),
            (found, _) => Ok(found),
        }
    }

    /// Gives the figures of `page` their files in `folder` of `blob`, from the entry under `key`, where they are not there.
    /// Returns how many bytes it gave; `None` when one is nowhere: an entry outlives files that were lost, and such a page is
    /// read again. `again` looks whether those that are there are whole, and not only as long as they should be.
    ///
    /// # Errors
    /// When a file is there and cannot be read, or not written.
    pub fn give_images(
        &self,
        keys: &[PageKey],
        page: &PageOutput,
        (blob, folder): (&LocalBlob, &str),
        again: bool,
    ) -> io::Result<Option<u64>> {
        let mut given = 0;
        let is_there = |file: &FigureFile, key: &str| {
            if again {
                return Ok(blob.get(key)?.is_some_and(|bytes| file.name.names(&bytes)));
            }
            Ok::<_, io::Error>(blob.modified_and_size(key)?.is_some_and(|(_, bytes)| bytes == file.bytes))
        };
        for file in &page.content.images {
            let place = format!("{folder}/{}", names::task_image(&file.name));
            if is_there(file, &place)? {
                continue;
            }
            let mut found = false;
            for key in keys.iter().map(|key| key.image_key(&file.name)) {
                found = self.blob.get(&key)?.is_some_and(|bytes| file.name.names(&bytes));
                if found {
                    let path = self.blob.path(&key)?;
                    // It is used like its page.
                    let _ =
                        File::options().write(true).open(&path).and_then(|of| of.set_modified(Timestamp::now().into()));
                    blob.link(&path, &place)?;
                    given += file.bytes;
                    break;
                }
            }
            if !found {
                blob.remove(&place)?;
                return Ok(None);
            }
        }
        Ok(Some(given))
    }

    /// Keeps a page, the files of its figures before it. On return it survives the death of this process, and with [`Durability::Synced`] of the machine.
    ///
    /// # Errors
    /// When the entry cannot be written; then there is none.
    pub fn put(&self, key: PageKey, page: &PageOutput, durability: Durability) -> io::Result<()> {
        let json = entry::encode(page).map_err(io::Error::other)?;
        for ImageBytes { name, bytes } in &page.image_files {
            self.blob.put(&key.image_key(name), bytes, Durability::Cached)?;
        }
        failpoint::pass("ledger.write")?;
        self.blob.put(&key.blob_key(), &json, durability)
    }
}

/// Uses of a page within this time are one use: a write for each would cost more than it tells.
const USE_GRAIN: Duration = Duration::from_hours(1);
/// How finely ages are told apart when the ledger is trimmed by size.
const BUCKETS: usize = 4_096;

/// How much the ledger may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerLimits {
    /// Bytes in all; `None` for no limit.
    pub bytes: Option<u64>,
    /// How long a page stays that nobody uses; `None` for ever.
    pub age: Option<Duration>,
}

impl LedgerLimits {
    /// Whether everything stays.
    #[must_use]
    pub const fn are_none(&self) -> bool {
        self.bytes.is_none() && self.age.is_none()
    }
}

impl Default for LedgerLimits {
    fn default() -> Self {
        Self { bytes: Some(20 << 30), age: Some(Duration::from_hours(365 * 24)) }
    }
}

/// What a trimming removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// Pages.
    pub pages: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Ledger {
    /// Removes pages above the limits, least recently used first, but none used after `needed`. Needs no memory that
    /// grows with the ledger: it goes through it twice, once to see how old what is, once to remove.
    ///
    /// # Errors
    /// When a folder of the ledger cannot be read or a page cannot be removed.
    pub fn trim(&self, limits: LedgerLimits, now: Timestamp, needed: Timestamp) -> io::Result<Trimmed> {
        let mut oldest = now;
        self.each(|_, used, _| {
            oldest = oldest.min(used);
            Ok(())
        })?;
        let span = (now.since(oldest).as_millis() / BUCKETS as u128).max(1);
        let bucket = |used: Timestamp| {
            let at = used.since(oldest).as_millis() / span;
            usize::try_from(at).unwrap_or(BUCKETS - 1).min(BUCKETS - 1)
        };
        let mut sizes = vec![0_u64; BUCKETS];
        self.each(|_, used, bytes| {
            sizes[bucket(used)] += bytes;
            Ok(())
        })?;
        let mut excess = limits.bytes.map_or(0, |most| sizes.iter().sum::<u64>().saturating_sub(most));
        let mut too_many = 0;
        while excess > 0 && too_many < BUCKETS {
            excess = excess.saturating_sub(sizes[too_many]);
            too_many += 1;
        }
        let mut trimmed = Trimmed::default();
        // A use may have been noted up to a grain late.
        let needed = needed.before(USE_GRAIN);
        self.each(|key, used, bytes| {
            let too_old = limits.age.is_some_and(|age| now.since(used) > age);
            if used < needed && (too_old || bucket(used) < too_many) {
                self.blob.remove(key)?;
                let pages = trimmed.pages + u64::from(names::is_page_entry(key));
                trimmed = Trimmed { pages, bytes: trimmed.bytes + bytes };
            }
            Ok(())
        })?;
        Ok(trimmed)
    }

    /// Key, last use and size of every page.
    fn each(&self, mut see: impl FnMut(&str, Timestamp, u64) -> io::Result<()>) -> io::Result<()> {
        // What is called otherwise is not an entry.
        for folder in self.blob.names("ledger")?.iter().filter(|name| names::is_ledger_folder(name)) {
            for name in self.blob.names(&format!("ledger/{folder}"))? {
                if !names::is_ledger_file(folder, &name) {
                    continue;
                }
                let key = format!("ledger/{folder}/{name}");
                // Another process may have removed it in between.
                if let Some((used, bytes)) = self.blob.modified_and_size(&key)? {
                    see(&key, used, bytes)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::from_markdown;

    #[test]
    fn a_page_is_found_under_its_content_and_recipe_only() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(LocalBlob::open(dir.path()).unwrap());
        let (text, llm) = (RecipeHash::of(&"text"), RecipeHash::of(&"llm"));
        let page = PageOutput { content: from_markdown("# ü"), attempts: 1, ..PageOutput::default() };
        ledger.put(PageKey::of_place(&LedgerScope::SHARED, "aa", 1, text), &page, Durability::Cached).unwrap();

        assert_eq!(ledger.get(PageKey::of_place(&LedgerScope::SHARED, "aa", 1, text)).unwrap(), Some(page));
        for other in [
            PageKey::of_place(&LedgerScope::SHARED, "aa", 2, text),
            PageKey::of_place(&LedgerScope::SHARED, "ab", 1, text),
            PageKey::of_place(&LedgerScope::SHARED, "aa", 1, llm),
        ] {
            assert_eq!(ledger.get(other).unwrap(), None);
        }
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first_and_what_is_needed_stays() {
        let dir = tempfile::tempdir().unwrap();
        let blob = LocalBlob::open(dir.path()).unwrap();
        let ledger = Ledger::new(blob.clone());
        let now = Timestamp::now();
        let before = |days: u64| Timestamp::from_millis(now.as_millis() - days * 86_400_000);
        let key = |page| PageKey::of_place(&LedgerScope::SHARED, "aa", page, RecipeHash::of(&"text"));
        let fill = || {
            for page in 1..=10 {
                ledger.put(key(page), &PageOutput::default(), Durability::Cached).unwrap();
                let file =
                    std::fs::File::options().write(true).open(blob.path(&key(page).blob_key()).unwrap()).unwrap();
                // Page 1 was used a day ago, page 10 ten days ago.
                file.set_modified(before(u64::from(page)).into()).unwrap();
            }
        };
        fill();
        let size = blob.modified_and_size(&key(1).blob_key()).unwrap().unwrap().1;
        let left = || -> Vec<u32> {
            (1..=10).filter(|page| blob.modified_and_size(&key(*page).blob_key()).unwrap().is_some()).collect()
        };
        let none = LedgerLimits { bytes: None, age: None };
        for (limits, needed, expected) in [
            (none, now, 10),
            (LedgerLimits { age: Some(Duration::from_hours(24 * 7 + 1)), ..none }, now, 7),
            (LedgerLimits { age: Some(Duration::from_hours(24 * 7)), ..none }, now, 7),
            (LedgerLimits { bytes: Some(4 * size), ..none }, now, 4),
            (LedgerLimits { bytes: Some(4 * size), ..none }, before(6), 6),
            (LedgerLimits { bytes: Some(4 * size), ..none }, before(6).after(USE_GRAIN), 6),
            (LedgerLimits { bytes: Some(0), age: Some(Duration::ZERO) }, now, 0),
        ] {
            fill();
            let trimmed = ledger.trim(limits, now, needed).unwrap();
            assert_eq!(left(), (1..=expected).collect::<Vec<_>>(), "{limits:?}");
            assert_eq!((trimmed.pages, trimmed.bytes), (10 - u64::from(expected), (10 - u64::from(expected)) * size));
        }
        fill();
        for theirs in ["ledger/2024/book.json", "ledger/aa/notes.txt", "ledger/readme"] {
            blob.put(theirs, b"theirs", Durability::Cached).unwrap();
        }
        let all = LedgerLimits { bytes: Some(0), age: Some(Duration::ZERO) };
        ledger.trim(all, now.after(Duration::from_hours(3)), now.after(Duration::from_hours(3))).unwrap();
        assert_eq!(left(), Vec::<u32>::new());
        assert_eq!(blob.names("ledger/aa").unwrap(), ["notes.txt"], "what others have in it stays");
        assert!(blob.get("ledger/2024/book.json").unwrap().is_some() && blob.get("ledger/readme").unwrap().is_some());
        fill();
        ledger.get(key(10)).unwrap();
        ledger
            .trim(
                LedgerLimits { bytes: Some(size), ..none },
                now.after(Duration::from_secs(1)),
                now.after(Duration::from_hours(2)),
            )
            .unwrap();
        assert_eq!(left(), [10], "reading is using");
    }

    #[test]
    fn either_limit_is_a_limit() {
        for (bytes, hours, none) in [(None, None, true), (Some(0), None, false), (None, Some(0), false)] {
            let age = hours.map(Duration::from_hours);
            assert_eq!(LedgerLimits { bytes, age }.are_none(), none, "{bytes:?} {age:?}");
        }
        assert!(!LedgerLimits::default().are_none());
    }

    #[test]
    fn a_torn_entry_is_no_entry() {
        let dir = tempfile::tempdir().unwrap();
        let blob = LocalBlob::open(dir.path()).unwrap();
        let key = PageKey::of_place(&LedgerScope::SHARED, "aa", 1, RecipeHash::of(&"text"));
        for torn in [&b""[..], b"{\"markdown\":\"# h"] {
            blob.put(&key.blob_key(), torn, Durability::Cached).unwrap();
            assert_eq!(Ledger::new(blob.clone()).get(key).unwrap(), None);
        }
    }
}
