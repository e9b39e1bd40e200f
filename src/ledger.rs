//! Page results by content: what is in the ledger is never paid for again (invariant I5).
//!
//! An entry stands at `ledger/<aa>/<page>-<recipe>.json`, by the hash of the page's content and that of the recipe that
//! read it. So an edited PDF pays only for the pages that changed. Resuming a task is nothing more than looking its pages
//! up here. Whose page it is counts, too: unless the operator has tenants share, each has a [scope](LedgerScope) of its
//! own, in which others find nothing. The files of a page's figures stand beside it, `<page>-<recipe>-<name of the image>`, and
//! each task has its own of those that it shows: linked where the file system can do that.
//!
//! **Good pages.** A page that was taken although it strays from what its PDF says (`unfaithful`) is an output with a
//! finding: it stands here like any other, so a task that is resumed does not pay for it again, and a later task with the
//! same page gets it with the finding. An explicit retry reads it again: from then on the task takes no such page but
//! those that it has read itself since. So it pays at most once more for each of them a retry, however often it is
//! resumed.
//!
//! **Write order.** A worker puts a page here *before* it tells anyone the outcome. So a listener that hears of a page can
//! find it, and a process that dies in between has lost nothing but the news.
//!
//! **Answers.** What a model answered stands here, too, while it takes long to find out whether it is the page, under a
//! name like that of a page: a process that dies meanwhile has paid for it. It goes when its page has come.
//!
//! **Limits.** Pages that have not been used for long can go, by age and by size, least recently used first; never those
//! used since the oldest unfinished task was accepted. A page that is gone is read, and paid, again when it is
//! wanted again. The time of use is the file's time of modification; in shared storage a page is written again when it is
//! used for the first time in a week.

mod answers;
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

pub use key::{LedgerScope, LedgerSharing, PageKey, RecipeHash};
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
        if now.since(used) >= USE_GRAIN || span(used) != span(now) {
            // Setting times needs no right to write but to own; where that fails the page only looks older.
            let _ = file.set_modified(now.into());
        }
        let page = entry::decode(&bytes);
        // What a model wrote was paid for, and is in shared storage.
        if let Some(page) = page.as_ref().filter(|page| page.model.is_some() && span(used) != span(now))
            && let Err(why) = self.note_use_in_shared(key, page, now)
        {
            log::debug!("a page in shared storage does not look used: {why}");
        }
        Ok(page)
    }

    /// Has a page, and its figures, look used in shared storage, unless they do, or it is not there.
    fn note_use_in_shared(&self, key: PageKey, page: &PageOutput, now: Timestamp) -> io::Result<()> {
        let name = key.blob_key();
        if self.blob.head_shared(&name)?.is_none_or(|meta| span(meta.modified) == span(now)) {
            return Ok(());
        }
        // Its figures before it, as they were written.
        for image in &page.content.images {
            let image = key.image_key(&image.name);
            if self.blob.fetch(&image)?.is_some() {
                self.blob.refresh(&image);
            }
        }
        self.blob.refresh(&name);
        Ok(())
    }

    /// Whether a page is there under `key`, without reading it or making it look used.
    #[must_use]
    pub fn has(&self, key: PageKey) -> bool {
        let is_there = |name: String| self.blob.modified_and_size(&name).is_ok_and(|found| found.is_some());
        is_there(key.blob_key()) || key.older_blob_key().is_some_and(is_there)
    }

    /// The same, also from shared storage: what another server paid for is there. A page that is found there, and was
    /// written long ago, is written again, so that it looks used.
    ///
    /// # Errors
    /// When the entry is there and cannot be read now.
    pub fn get_anywhere(&self, key: PageKey) -> io::Result<Option<PageOutput>> {
        let here = self.get(key)?;
        if here.is_some() || !self.blob.is_shared() {
            return Ok(here);
        }
        let Some(meta) = self.blob.fetch(&key.blob_key())? else { return Ok(None) };
        let (found, now) = (self.get(key)?, Timestamp::now());
        if let Some(page) = found.as_ref().filter(|_| span(meta.modified) != span(now)) {
            self.note_use_in_shared(key, page, now)?;
        }
        Ok(found)
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
                let read = || Ok::<_, io::Error>(self.blob.get(&key)?.is_some_and(|bytes| file.name.names(&bytes)));
                found = read()? || (self.blob.fetch(&key)?.is_some() && read()?);
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

    /// Keeps a page, the files of its figures before it. On return it survives the death of this process, and with
    /// [`Durability::Synced`] of the machine; then other servers find it, too, where there is shared storage.
    ///
    /// # Errors
    /// When the entry cannot be written; then there is none.
    pub fn put(&self, key: PageKey, page: &PageOutput, durability: Durability) -> io::Result<()> {
        let json = entry::encode(page).map_err(io::Error::other)?;
        // One sync serves the entry and what was written before it, but each file goes to shared storage by itself.
        let of_images = if self.blob.is_shared() { durability } else { Durability::Cached };
        for ImageBytes { name, bytes } in &page.image_files {
            self.blob.put(&key.image_key(name), bytes, of_images)?;
        }
        failpoint::pass("ledger.write")?;
        self.blob.put(&key.blob_key(), &json, durability)
    }
}

/// Uses of a page within this time are one use: a write for each would cost more than it tells.
const USE_GRAIN: Duration = Duration::from_hours(1);
/// The same for pages in shared storage, where it costs a request: the first use in each span of this length is noted there.
const SHARED_USE_GRAIN: Duration = Duration::from_hours(7 * 24);
/// Says when the ledger in shared storage was last measured.
const MEASURED: &str = "ledger/measured";
/// How finely ages are told apart when the ledger is trimmed by size.
const BUCKETS: usize = 4_096;

/// In which span a page was used. A page that was used here in the same one has been noted in shared storage since it began,
/// however often it was used.
const fn span(used: Timestamp) -> u128 {
    used.as_millis() as u128 / SHARED_USE_GRAIN.as_millis()
}

/// Of which pages is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Directory,
    Shared,
}

/// How much the ledger may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LedgerLimits {
    /// Bytes in all; `None` for no limit.
    pub bytes: Option<u64>,
    /// How long an unused page stays; `None` for ever.
    pub age: Option<Duration>,
}

impl LedgerLimits {
    /// Everything stays.
    #[must_use]
    pub const fn unlimited() -> Self {
        Self { bytes: None, age: None }
    }

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
        // A use may have been noted up to a grain late.
        self.trim_place(Place::Directory, limits, now, needed.before(USE_GRAIN))
    }

    /// The same for the pages in shared storage, which only one of several servers goes through within `every`. Removes
    /// nothing where there is none.
    ///
    /// # Errors
    /// When the storage cannot be listed, or a page cannot be removed now.
    pub fn trim_shared(
        &self,
        limits: LedgerLimits,
        now: Timestamp,
        needed: Timestamp,
        every: Duration,
    ) -> io::Result<Trimmed> {
        let measured = self.blob.head_shared(MEASURED)?;
        if !self.blob.is_shared() || measured.is_some_and(|last| now.since(last.modified) < every) {
            return Ok(Trimmed::default());
        }
        self.blob.put(MEASURED, b"", Durability::Synced)?;
        self.trim_place(Place::Shared, limits, now, needed.before(SHARED_USE_GRAIN))
    }

    fn trim_place(&self, place: Place, limits: LedgerLimits, now: Timestamp, needed: Timestamp) -> io::Result<Trimmed> {
        let mut oldest = now;
        self.each(place, |_, used, _| {
            oldest = oldest.min(used);
            Ok(())
        })?;
        let span = (now.since(oldest).as_millis() / BUCKETS as u128).max(1);
        let bucket = |used: Timestamp| {
            let at = used.since(oldest).as_millis() / span;
            usize::try_from(at).unwrap_or(BUCKETS - 1).min(BUCKETS - 1)
        };
        let mut sizes = vec![0_u64; BUCKETS];
        self.each(place, |_, used, bytes| {
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
        self.each(place, |key, used, bytes| {
            let too_old = limits.age.is_some_and(|age| now.since(used) > age);
            // What was used here since may not have been noted in shared storage yet.
            let is_needed =
                || Ok::<_, io::Error>(self.blob.modified_and_size(key)?.is_some_and(|(used, _)| used >= needed));
            if used < needed && (too_old || bucket(used) < too_many) && !is_needed()? {
                match place {
                    Place::Directory => self.blob.remove(key)?,
                    Place::Shared => self.blob.remove_everywhere(key)?,
                }
                let pages = trimmed.pages + u64::from(names::is_page_entry(key));
                trimmed = Trimmed { pages, bytes: trimmed.bytes + bytes };
            }
            Ok(())
        })?;
        Ok(trimmed)
    }

    /// Key, last use and size of every page.
    fn each(&self, place: Place, mut see: impl FnMut(&str, Timestamp, u64) -> io::Result<()>) -> io::Result<()> {
        if place == Place::Shared {
            return self.blob.each_shared("ledger/", |meta| {
                let name = meta.key.strip_prefix("ledger/").and_then(|name| name.split_once('/'));
                let is_ours = name.is_some_and(|(folder, name)| names::is_ledger_file(folder, name));
                if is_ours { see(&meta.key, meta.modified, meta.bytes) } else { Ok(()) }
            });
        }
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
mod tests;
