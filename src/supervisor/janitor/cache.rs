//! Keeps the directory of a server in step with storage that it shares with others.
//!
//! What others removed goes here, too: files of tasks that are gone, and pages of purged ones. A purge is looked at when it
//! is first seen, and once more later: an attempt that was in flight may have put a page into the directory since.

use std::collections::{HashMap, HashSet};
use std::io;
use std::time::Duration;

use crate::blob::LocalBlob;
use crate::clock::Uptime;
use crate::ledger::{Ledger, PurgeList};
use crate::task::TaskId;

/// How long after a purge the last attempt that was in flight has put its free pages into the directory.
const LATE: Duration = Duration::from_mins(2);

/// The copies that a server has, and what it knows of purges.
pub(super) struct CacheKeeper {
    blob: LocalBlob,
    ledger: Ledger,
    /// The most bytes of sources and results.
    most: u64,
    /// When the pages of purged tasks were removed here first; and whether they were a second time.
    purged: HashMap<TaskId, (Uptime, bool)>,
}

impl CacheKeeper {
    /// Copies of at most so many bytes of sources and results.
    pub(super) fn new(blob: LocalBlob, ledger: Ledger, most: u64) -> Self {
        Self { blob, ledger, most, purged: HashMap::new() }
    }

    /// Removes what is not to stay. Blocks; does nothing without shared storage.
    ///
    /// # Errors
    /// When the storage cannot be listed now, or a file cannot be removed.
    pub(super) fn tidy(&mut self) -> io::Result<()> {
        if !self.blob.is_shared() {
            return Ok(());
        }
        // Sources are in the shared storage before they are here, so this order misses none.
        let cached = self.blob.cached_tasks()?;
        let there: HashSet<String> = self.blob.names("tasks")?.into_iter().collect();
        for id in cached.iter().filter(|id| !there.contains(*id)) {
            self.blob.forget_task(id)?;
        }
        self.purge()?;
        let gone = self.blob.shrink_cache(self.most)?;
        if gone > 0 {
            log::debug!(files = gone; "copies of sources and results made room for others");
        }
        self.blob.note_in_step()
    }

    fn purge(&mut self) -> io::Result<()> {
        let known = PurgeList::known(&self.blob)?;
        self.purged.retain(|task, _| known.contains(task));
        for task in known {
            let again = match self.purged.get(&task) {
                None => false,
                Some((first, false)) if Uptime::now().since(*first) > LATE => true,
                Some(_) => continue,
            };
            if let Some(list) = PurgeList::read_any(&self.blob, task)? {
                self.ledger.purge_here(&list)?;
            }
            let first = self.purged.get(&task).map_or_else(Uptime::now, |(first, _)| *first);
            self.purged.insert(task, (first, again));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::{Durability, servers};
    use crate::ledger::{LedgerScope, PageHashes, RecipeHash};
    use crate::task::{PageOutput, test_record};

    /// A page that cost nothing stands in the directory of the server that read it, and nowhere else.
    #[test]
    fn what_another_server_purged_or_deleted_goes_from_this_directory() {
        let (_dir, [there, here]) = servers();
        let ledger = Ledger::new(here.clone());
        let [purged, deleted, kept] = [1, 2, 3].map(test_record);
        let recipe = RecipeHash::of(&"text");
        let key = |source| PageHashes::new(here.clone(), "tasks/x", source, LedgerScope::SHARED).page_key(1, recipe);
        let [gone, stays] = ["aa", "bb"].map(|source| key(source).unwrap());
        for key in [gone, stays] {
            ledger.put(key, &PageOutput::default(), Durability::Cached).unwrap();
        }
        for record in [&deleted, &kept] {
            there.put(&record.pdf_path, b"pdf", Durability::Synced).unwrap();
            here.local_copy(&record.pdf_path).unwrap();
        }
        let copy = |of: &str| here.path(of).unwrap().exists();
        assert!(copy(&deleted.pdf_path) && copy(&kept.pdf_path));
        let mut list = PurgeList::default();
        list.add(&LedgerScope::SHARED, crate::ledger::PageHash::None, ("aa", 1), &[]);
        list.begin(&there, purged.id).unwrap();
        there.remove_folder(&deleted.work_dir).unwrap();
        let mut keeper =
            CacheKeeper { blob: here.clone(), ledger: ledger.clone(), most: 1 << 20, purged: HashMap::new() };
        keeper.tidy().unwrap();
        assert_eq!([gone, stays].map(|key| ledger.has(key)), [false, true]);
        assert_eq!([&deleted, &kept].map(|record| copy(&record.pdf_path)), [false, true]);
        keeper.most = 0;
        keeper.tidy().unwrap();
        assert!(!copy(&kept.pdf_path), "there is no room for copies");
        assert!(there.get(&kept.pdf_path).unwrap().is_some());
    }
}
