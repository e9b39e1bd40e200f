//! Removing pages from the ledger on request, whatever dies on the way.
//!
//! What is to go stands in a list at `purges/<task>.json` before the first entry is removed, so that a purge that was
//! begun is finished by another process when this one dies. An empty file says that it is finished; it stays for a while
//! ([`PurgeList::STAYS`]): attempts of the task that were in flight may still come to their end, and what they then put
//! into the ledger must not stay there.
//!
//! In shared storage the list stays as it is, an empty `purges/<task>.done` beside it says that it is finished, and both
//! stay for days: each server has pages of its own directory to remove ([`Ledger::purge_here`]), also one that was stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::key::{LedgerScope, PageId, PageKey, RecipeHash, folder, page_of};
use super::{Ledger, PageHash};
use crate::blob::{Durability, LocalBlob, PURGES_STAY, names};
use crate::clock::Timestamp;
use crate::task::TaskId;

/// Entries to be removed, in a form that a file can keep: hashes, and no text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeList {
    /// Pages, of which everything goes that was read of them.
    pages: BTreeSet<String>,
    /// Entries of versions before there were scopes, whose names do not tell their pages.
    older: BTreeSet<String>,
}

impl PurgeList {
    /// Adds what was read of one page in `scope`, by whatever recipe. Entries of versions before the scopes are found for
    /// these `recipes` alone.
    pub fn add(&mut self, scope: &LedgerScope, hash: PageHash, place: (&str, u32), recipes: &[RecipeHash]) {
        let (source_sha256, page) = place;
        let content = if let PageHash::Content(content) = &hash { Some(content) } else { None };
        self.pages.extend(content.map(|content| PageId::of_content(scope, content).to_string()));
        self.pages.insert(PageId::of_place(scope, source_sha256, page).to_string());
        for recipe in recipes {
            let by_content = content.map(|content| PageKey::of_content(scope, content, *recipe));
            let by_place = PageKey::of_place(scope, source_sha256, page, *recipe);
            self.older.extend(by_content.into_iter().chain([by_place]).filter_map(|key| key.older_blob_key()));
        }
    }

    /// How long it stays known that a task was purged.
    pub const STAYS: Duration = Duration::from_hours(1);

    /// Writes the list, with what an earlier one of the same task has that was not finished. On return the purge has
    /// begun: it is finished whatever dies.
    ///
    /// # Errors
    /// When the earlier list cannot be read, or this one not written.
    pub fn begin(mut self, blob: &LocalBlob, task: TaskId) -> io::Result<Self> {
        if let Some(earlier) = Self::read(blob, task)? {
            self.pages.extend(earlier.pages);
            self.older.extend(earlier.older);
        }
        blob.put(&file(task), &serde_json::to_vec(&self)?, Durability::Synced)?;
        Ok(self)
    }

    /// The list of a purge that was begun and not finished.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(blob: &LocalBlob, task: TaskId) -> io::Result<Option<Self>> {
        if blob.is_shared() && blob.modified_and_size(&done(task))?.is_some() {
            return Ok(None);
        }
        Self::read_any(blob, task)
    }

    /// The list of a purge that was begun, and in shared storage perhaps finished.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read_any(blob: &LocalBlob, task: TaskId) -> io::Result<Option<Self>> {
        let bytes = blob.get(&file(task))?.filter(|bytes| !bytes.is_empty());
        Ok(bytes.map(|bytes| serde_json::from_slice(&bytes)).transpose()?)
    }

    /// The tasks of which it is known in shared storage that they are, or were, purged.
    ///
    /// # Errors
    /// When it cannot be listed now.
    pub fn known(blob: &LocalBlob) -> io::Result<Vec<TaskId>> {
        let names = blob.names(FOLDER)?;
        Ok(names.iter().filter_map(|name| name.strip_suffix(".json")?.parse().ok()).collect())
    }

    /// Notes that everything on the task's list is gone.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(blob: &LocalBlob, task: TaskId) -> io::Result<()> {
        let note = if blob.is_shared() { done(task) } else { file(task) };
        blob.put(&note, b"", Durability::Synced)
    }

    /// Whether the purge of a task was begun, and perhaps finished not long ago.
    #[must_use]
    pub fn is_begun(blob: &LocalBlob, task: TaskId) -> bool {
        // What cannot be known counts as begun: a page can be read again, but text that was to go must not stay.
        !matches!(blob.modified_and_size(&file(task)), Ok(None))
    }

    /// The tasks whose purges were begun and not finished. Forgets those that were finished long before `now`, by the
    /// clock of this machine.
    ///
    /// # Errors
    /// When the folder cannot be read or a file not removed.
    pub fn unfinished(blob: &LocalBlob, now: Timestamp) -> io::Result<Vec<TaskId>> {
        if blob.is_shared() {
            return Self::unfinished_in_shared(blob, now);
        }
        let mut unfinished = Vec::new();
        for name in blob.names(FOLDER)? {
            let Some(task) = name.strip_suffix(".json").and_then(|id| id.parse().ok()) else { continue };
            match blob.modified_and_size(&file(task))? {
                Some((finished, 0)) if now.since(finished) > Self::STAYS => blob.remove(&file(task))?,
                Some((_, 0)) | None => {}
                Some(_) => unfinished.push(task),
            }
        }
        Ok(unfinished)
    }

    fn unfinished_in_shared(blob: &LocalBlob, now: Timestamp) -> io::Result<Vec<TaskId>> {
        let (mut begun, mut finished) = (BTreeSet::new(), BTreeMap::new());
        blob.each_shared(&format!("{FOLDER}/"), |meta| {
            let name = meta.key.strip_prefix(FOLDER).map(|name| name.trim_start_matches('/'));
            let task = |ending| name.and_then(|name| name.strip_suffix(ending)?.parse::<TaskId>().ok());
            if meta.bytes > 0 {
                begun.extend(task(".json"));
            } else if let Some(task) = task(".json").or_else(|| task(".done")) {
                // An empty list is that of a purge that was finished where nothing was shared.
                let last = finished.entry(task).or_insert(meta.modified);
                *last = meta.modified.max(*last);
            }
            Ok(())
        })?;
        for (task, _) in finished.iter().filter(|(_, at)| now.since(**at) > PURGES_STAY) {
            blob.remove(&file(*task))?;
            blob.remove(&done(*task))?;
        }
        begun.retain(|task| !finished.contains_key(task));
        Ok(begun.into_iter().collect())
    }
}

const FOLDER: &str = "purges";

fn file(task: TaskId) -> String {
    format!("{FOLDER}/{task}.json")
}

fn done(task: TaskId) -> String {
    format!("{FOLDER}/{task}.done")
}

impl Ledger {
    /// Removes a page. On return it is gone for good, also after a power cut; nothing there is fine.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(&self, key: PageKey) -> io::Result<()> {
        let folder = folder(key.page());
        self.blob.remove_shared_prefixes(vec![format!("{folder}/{key}")])?;
        self.blob.remove(&key.blob_key())?;
        let images = format!("{key}-");
        for name in self.blob.names(&folder)?.iter().filter(|name| name.starts_with(&images)) {
            self.blob.remove(&format!("{folder}/{name}"))?;
        }
        key.older_blob_key().map_or(Ok(()), |older| self.blob.remove(&older))?;
        self.blob.sync()
    }

    /// Removes all that is on `list`; what is not there is fine. Returns how many pages of this version there were. On
    /// return they are gone for good, also after a power cut.
    ///
    /// # Errors
    /// When a folder of the ledger cannot be read or an entry cannot be removed.
    pub fn purge(&self, list: &PurgeList) -> io::Result<u64> {
        let prefix = |page: &String| format!("ledger/{}/{page}-", page.get(..2).unwrap_or_default());
        let shared = self.blob.remove_shared_prefixes(list.pages.iter().map(prefix).collect())?;
        Ok(shared.max(self.purge_here(list)?))
    }

    /// The same in the directory of this server alone.
    ///
    /// # Errors
    /// As [`Self::purge`].
    pub fn purge_here(&self, list: &PurgeList) -> io::Result<u64> {
        let mut by_folder = BTreeMap::<&str, BTreeSet<&str>>::new();
        for page in &list.pages {
            by_folder.entry(page.get(..2).unwrap_or_default()).or_default().insert(page);
        }
        let mut removed = 0;
        for (folder, pages) in by_folder {
            for name in self.blob.names(&format!("ledger/{folder}"))? {
                if page_of(&name).is_some_and(|page| pages.contains(page)) {
                    self.blob.remove(&format!("ledger/{folder}/{name}"))?;
                    removed += u64::from(names::is_page_entry(&name));
                }
            }
        }
        list.older.iter().try_for_each(|name| self.blob.remove(name))?;
        self.blob.sync()?;
        Ok(removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::{Durability, LocalBlob, servers};
    use crate::content::from_markdown;
    use crate::ledger::LedgerSharing;
    use crate::task::PageOutput;

    #[test]
    fn all_that_was_read_of_a_page_goes_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let blob = LocalBlob::open(dir.path()).unwrap();
        let ledger = Ledger::new(blob.clone());
        let [ann, ben] = ["ann", "ben"].map(|name| LedgerScope::of(LedgerSharing::Tenant, Some(name)));
        let recipes = ["text", "llm"].map(|recipe| RecipeHash::of(&recipe));
        let shared = LedgerScope::SHARED;
        let keys = |scope: &LedgerScope| {
            let scope = scope.clone();
            recipes.into_iter().flat_map(move |recipe| {
                [PageKey::of_content(&scope, &[1; 32], recipe), PageKey::of_place(&scope, "aa", 2, recipe)]
            })
        };
        for key in [&ann, &ben, &shared].into_iter().flat_map(keys) {
            ledger.put(key, &PageOutput::default(), Durability::Cached).unwrap();
        }
        let mut list = PurgeList::default();
        list.add(&ann, PageHash::Content([1; 32]), ("aa", 1), &[]);
        list.add(&ann, PageHash::None, ("aa", 2), &[]);
        let kept = serde_json::from_slice(&serde_json::to_vec(&list).unwrap()).unwrap();
        assert_eq!(list, kept);
        assert_eq!(ledger.purge(&kept).unwrap(), 4, "by whatever recipe");
        assert_eq!(ledger.purge(&kept).unwrap(), 0);
        assert!(keys(&ann).all(|key| !ledger.has(key)));
        assert!(keys(&ben).chain(keys(&shared)).all(|key| ledger.has(key)));
        let one = keys(&ben).next().unwrap();
        ledger.remove(one).unwrap();
        assert_eq!(keys(&ben).filter(|key| ledger.has(*key)).count(), 3);
    }

    #[test]
    fn a_list_is_there_until_all_on_it_is_gone_and_known_for_a_while_longer() {
        let dir = tempfile::tempdir().unwrap();
        let blob = LocalBlob::open(dir.path()).unwrap();
        let task = TaskId::generate();
        let list = |page| {
            let mut list = PurgeList::default();
            list.add(&LedgerScope::SHARED, PageHash::None, ("aa", page), &[]);
            list
        };
        let now = Timestamp::now();
        let unfinished = |now| PurgeList::unfinished(&blob, now).unwrap();
        assert!(unfinished(now).is_empty() && !PurgeList::is_begun(&blob, task));
        list(1).begin(&blob, task).unwrap();
        let both = list(2).begin(&blob, task).unwrap();
        assert_eq!(both.pages.len(), 2, "what an earlier one wanted is not forgotten");
        assert_eq!(PurgeList::read(&blob, task).unwrap(), Some(both));
        assert_eq!(unfinished(now.after(PurgeList::STAYS * 9)), [task]);
        PurgeList::finish(&blob, task).unwrap();
        let later = |share| Timestamp::now().after(PurgeList::STAYS * share / 4);
        assert!(unfinished(later(3)).is_empty() && PurgeList::is_begun(&blob, task));
        assert_eq!(PurgeList::read(&blob, task).unwrap(), None);
        assert!(unfinished(later(5)).is_empty() && !PurgeList::is_begun(&blob, task));
    }

    #[test]
    fn an_empty_list_is_that_of_a_finished_purge_in_shared_storage_too() {
        let (dir, [blob, _]) = servers();
        let [begun, done, empty] = [(); 3].map(|()| TaskId::generate());
        for task in [begun, done] {
            let mut list = PurgeList::default();
            list.add(&LedgerScope::SHARED, PageHash::None, ("aa", 1), &[]);
            list.begin(&blob, task).unwrap();
        }
        PurgeList::finish(&blob, done).unwrap();
        blob.put(&file(empty), b"", Durability::Synced).unwrap();
        let now = Timestamp::now();
        assert_eq!(PurgeList::unfinished(&blob, now).unwrap(), [begun]);
        assert!(PurgeList::is_begun(&blob, empty));
        assert_eq!(PurgeList::unfinished(&blob, now.after(PURGES_STAY * 2)).unwrap(), [begun]);
        assert_eq!([begun, done, empty].map(|task| PurgeList::is_begun(&blob, task)), [true, false, false]);
        assert_eq!(std::fs::read_dir(dir.path().join("shared/purges")).unwrap().count(), 1);
    }

    #[test]
    fn entries_of_before_the_scopes_are_found_and_go() {
        let dir = tempfile::tempdir().unwrap();
        let blob = LocalBlob::open(dir.path()).unwrap();
        let (ledger, recipe) = (Ledger::new(blob.clone()), RecipeHash::of(&"text"));
        let key = PageKey::of_content(&LedgerScope::SHARED, &[1; 32], recipe);
        let page = PageOutput { content: from_markdown("paid"), ..PageOutput::default() };
        let json = serde_json::to_vec(&page).unwrap();
        blob.put(&key.older_blob_key().unwrap(), &json, Durability::Cached).unwrap();
        assert!(ledger.has(key));
        assert_eq!(ledger.get(key).unwrap(), Some(page));
        let mut list = PurgeList::default();
        list.add(&LedgerScope::SHARED, PageHash::Content([1; 32]), ("aa", 1), &[recipe]);
        ledger.purge(&list).unwrap();
        assert!(!ledger.has(key));
        // One by one, too; and what an earlier list wanted that was not finished.
        blob.put(&key.older_blob_key().unwrap(), &json, Durability::Cached).unwrap();
        ledger.remove(key).unwrap();
        assert!(!ledger.has(key));
        let task = TaskId::generate();
        list.clone().begin(&blob, task).unwrap();
        assert_eq!(PurgeList::default().begin(&blob, task).unwrap(), list);
    }
}
