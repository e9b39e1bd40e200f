//! Removing tasks; with `purge`, also everything that was read of them.
//!
//! **Write order.** The task is cancelled, so that nothing begins any more. The copies of its record go first, so that
//! nothing brings it back, then the record, then the folder: files without a record are garbage, a record without files
//! is a lie.
//!
//! **Purge.** Between the cancel and the copies, the list of what is to go from the ledger is written and synced, then
//! that goes. From the list on, the purge is finished whatever dies: each round of the janitor, and so each start, goes
//! on with the lists that it finds. A page that an attempt in flight puts into the ledger afterwards is removed by
//! that attempt ([`PurgeList`]).
//!
//! **What goes.** All pages of the task in its tenant's own scope, by whatever recipe they were read; and those in the
//! shared scope, but for pages that a kept task of another tenant counts on: one of the same file, or one that has seen
//! a page of the same content. Tasks of the same tenant that still need such a page read it again.

use std::collections::HashSet;
use std::sync::Arc;

use actix::{ActorFutureExt, AsyncContext, Context, Handler, ResponseFuture, WrapFuture};

use super::actor::Supervisor;
use super::commands::RACES;
use super::intake::recipes::every_recipe_hash;
use super::messages::{CancelTask, DeleteTask, RequestError};
use super::records::backup;
use super::registry::Processors;
use crate::blob::{Durability, LocalBlob, names};
use crate::clock::Timestamp;
use crate::failpoint;
use crate::ledger::{Ledger, LedgerScope, LedgerSharing, PageHash, PageHashes, PurgeList, RecipeHash};
use crate::store::{ListQuery, StoreError, TaskStore};
use crate::task::{Failure, TaskId, TaskRecord, UnreadableRecord, code};

/// Records read at once.
const BATCH: usize = 200;

/// What a delete works with.
#[derive(Clone)]
struct Deletion {
    store: Arc<dyn TaskStore>,
    blob: LocalBlob,
    ledger: Ledger,
    processors: Processors,
}

impl Handler<DeleteTask> for Supervisor {
    type Result = ResponseFuture<Result<(), RequestError>>;

    fn handle(&mut self, DeleteTask { id, purge }: DeleteTask, ctx: &mut Context<Self>) -> Self::Result {
        let own = ctx.address();
        let deletion = Deletion {
            store: Arc::clone(&self.store),
            blob: self.blob.clone(),
            ledger: self.ledger.clone(),
            processors: self.processors.clone(),
        };
        Box::pin(async move {
            for _ in 0..RACES {
                let ended = own.send(CancelTask(id)).await.map_err(|_| RequestError::Stopping)?;
                let record = match ended {
                    Ok(record) => record,
                    Err(RequestError::AlreadyFinal(record)) => *record,
                    // An earlier delete may have got no further than the record.
                    Err(RequestError::NotFound) => {
                        deletion.finish(id).await?;
                        return Err(RequestError::NotFound);
                    }
                    // Whatever it says, it can go.
                    Err(RequestError::RecordUnreadable(record)) => {
                        if purge {
                            deletion.purge_unreadable(id, record).await?;
                        }
                        deletion.delete_unreadable(id).await?;
                        return deletion.finish(id).await;
                    }
                    Err(other) => return Err(other),
                };
                if purge {
                    deletion.purge(&record).await?;
                }
                if deletion.delete_record(&record).await? {
                    return deletion.finish(id).await;
                }
            }
            Err(RequestError::StoreUnavailable("the task is being changed by someone else".into()))
        })
    }
}

impl Deletion {
    /// Begins a purge, and removes what the ledger has of the task.
    async fn purge(&self, record: &TaskRecord) -> Result<(), RequestError> {
        let (this, task) = (self.clone(), record.clone());
        let read = blocking(move || this.what_was_read(&task)).await?;
        let others = self.counted_on_by_others(record.id, &read).await?;
        self.begin_purge(record.id, read, others).await
    }

    /// The same for a task whose record cannot be read: by a copy of it, else by its files. Whose it is must be known.
    async fn purge_unreadable(&self, id: TaskId, record: UnreadableRecord) -> Result<(), RequestError> {
        if let Some(copy) = backup::read_if_possible(self.blob.clone(), id).await? {
            return self.purge(&copy).await;
        }
        let (this, tenant) = (self.clone(), record.tenant.clone());
        let Some(read) = blocking(move || this.what_its_folder_says(id, tenant)).await? else {
            // Which pages it had is not known anywhere.
            return Err(RequestError::RecordUnreadable(record));
        };
        let others = self.counted_on_by_others(id, &read).await?;
        if record.tenant.is_none() && others.exist {
            // Its pages may be those of any tenant: a purge is not half done in silence.
            return Err(RequestError::RecordUnreadable(record));
        }
        self.begin_purge(id, read, others).await
    }

    async fn begin_purge(&self, id: TaskId, read: WhatWasRead, others: CountedOn) -> Result<(), RequestError> {
        let this = self.clone();
        let removed = blocking(move || {
            let list = read.list(&others).begin(&this.blob, id)?;
            failpoint::pass("purge.listed")?;
            this.ledger.purge(&list)
        });
        let pages = removed.await?;
        log::info!(task:% = id, pages; "what was read of a task goes from the ledger");
        let _ = failpoint::pass("purge.pages-gone");
        Ok(())
    }

    /// What is known of a task's pages.
    fn what_was_read(&self, record: &TaskRecord) -> std::io::Result<WhatWasRead> {
        let (hashes, tenant) = (self.hashes_of(record), record.tenant.clone());
        hashes.unite()?;
        let pages: std::io::Result<_> =
            record.page_numbers().into_iter().map(|page| Ok((page, hashes.get(page)?))).collect();
        let processor = self.processors.get(&record.processor);
        let recipes =
            processor.map_or_else(Vec::new, |p| every_recipe_hash(p.as_ref(), &record.options, tenant.as_deref()));
        Ok(WhatWasRead { tenant, source_sha256: record.source.sha256.clone(), pages: pages?, recipes })
    }

    /// The same where nothing is left of a task but its PDF and the hashes of the pages that were looked at; `None` where
    /// one of these is nowhere.
    fn what_its_folder_says(&self, id: TaskId, tenant: Option<String>) -> std::io::Result<Option<WhatWasRead>> {
        let folder = format!("tasks/{id}");
        let source = format!("{folder}/source.pdf");
        match self.blob.local_copy(&source) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            copy => drop(copy?),
        }
        let Some(source_sha256) = self.blob.sha256(&source)? else { return Ok(None) };
        let hashes = PageHashes::new(self.blob.clone(), &folder, &source_sha256, LedgerScope::SHARED);
        hashes.unite()?;
        let pages: std::io::Result<Vec<_>> = (1..=hashes.last()?).map(|page| Ok((page, hashes.get(page)?))).collect();
        let pages = Some(pages?).filter(|pages| !pages.is_empty());
        Ok(pages.map(|pages| WhatWasRead { tenant, source_sha256, pages, recipes: Vec::new() }))
    }

    fn hashes_of(&self, record: &TaskRecord) -> PageHashes {
        let (folder, source) = (&record.work_dir, &record.source.sha256);
        PageHashes::new(self.blob.clone(), folder, source, LedgerScope::SHARED)
    }

    /// Which of these pages kept tasks of other tenants count on.
    async fn counted_on_by_others(&self, id: TaskId, read: &WhatWasRead) -> Result<CountedOn, RequestError> {
        let content = |(_, hash): &(u32, PageHash)| if let PageHash::Content(hash) = hash { Some(*hash) } else { None };
        let own: Arc<HashSet<[u8; 32]>> = Arc::new(read.pages.iter().filter_map(content).collect());
        let mut counted = CountedOn::default();
        let mut query = ListQuery { limit: BATCH, ..ListQuery::default() };
        loop {
            let window = self.store.list(&query).await?;
            let others = window.tasks.into_iter().filter(|other| other.id != id && other.tenant != read.tenant);
            let (same, others): (Vec<_>, Vec<_>) = others.partition(|other| other.source.sha256 == read.source_sha256);
            counted.exist |= !same.is_empty() || !others.is_empty();
            counted.all |= !same.is_empty();
            let (this, own) = (self.clone(), Arc::clone(&own));
            let seen = blocking(move || {
                let mut seen = HashSet::new();
                for other in others {
                    let contents = this.hashes_of(&other).contents()?;
                    seen.extend(contents.into_iter().filter(|content| own.contains(content)));
                }
                Ok(seen)
            });
            counted.contents.extend(seen.await?);
            query.after = window.next;
            if counted.all || query.after.is_none() {
                return Ok(counted);
            }
        }
    }

    /// One try at removing the record of an ended task; `false` when it was changed in between.
    async fn delete_record(&self, record: &TaskRecord) -> Result<bool, RequestError> {
        let (id, blob) = (record.id, self.blob.clone());
        blocking(move || backup::forget(&blob, id)).await?;
        let _ = failpoint::pass("delete.copy-gone");
        match self.store.delete(id, Some(record.revision())).await {
            Ok(_) => {
                let _ = failpoint::pass("delete.record-gone");
                Ok(true)
            }
            Err(StoreError::Conflict(_)) => {
                if let Ok(current) = self.store.get(id).await {
                    // It was retried, or its message was delivered: it wants its copy.
                    backup::keep_copy(self.blob.clone(), current, Durability::Cached).await;
                }
                Ok(false)
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Removes a record that cannot be read; its copies first, as with any other.
    async fn delete_unreadable(&self, id: TaskId) -> Result<(), RequestError> {
        let blob = self.blob.clone();
        blocking(move || backup::forget(&blob, id)).await?;
        self.store.delete(id, None).await?;
        log::warn!(task:% = id; "a record that could not be read was deleted");
        Ok(())
    }

    /// Removes what is left of a task whose record is gone: its folder, and when a purge was begun, what that is to remove.
    async fn finish(&self, id: TaskId) -> Result<(), RequestError> {
        // No task was ever called by another kind of id.
        if !names::is_task_folder(&id.to_string()) {
            return Ok(());
        }
        let this = self.clone();
        let finished = blocking(move || {
            this.blob.remove_folder(&format!("tasks/{id}"))?;
            failpoint::pass("delete.folder-gone")?;
            if let Some(list) = PurgeList::read(&this.blob, id)? {
                this.ledger.purge(&list)?;
                // Of a result that a process was writing when it was killed.
                this.blob.clear_dead_scratch()?;
                failpoint::pass("purge.done")?;
                PurgeList::finish(&this.blob, id)?;
            }
            Ok(())
        });
        finished.await
    }
}

/// What a purge has to remove.
struct WhatWasRead {
    tenant: Option<String>,
    source_sha256: String,
    /// What is known of the task's pages, each with its number.
    pages: Vec<(u32, PageHash)>,
    /// How they may have been read, for entries of versions before the scopes.
    recipes: Vec<RecipeHash>,
}

impl WhatWasRead {
    fn list(&self, others: &CountedOn) -> PurgeList {
        let own = LedgerScope::of(LedgerSharing::Tenant, self.tenant.as_deref());
        let mut list = PurgeList::default();
        for (page, hash) in &self.pages {
            let place = (self.source_sha256.as_str(), *page);
            if own != LedgerScope::SHARED {
                list.add(&own, *hash, place, &self.recipes);
            }
            // The operator may have had tenants share before, or do so now.
            if !others.has(hash) {
                list.add(&LedgerScope::SHARED, *hash, place, &self.recipes);
            }
        }
        list
    }
}

/// Pages that tasks of other tenants count on.
#[derive(Default)]
struct CountedOn {
    contents: HashSet<[u8; 32]>,
    /// Whether there is one of the same file.
    all: bool,
    /// Whether other tenants have tasks at all.
    exist: bool,
}

impl CountedOn {
    fn has(&self, hash: &PageHash) -> bool {
        self.all || matches!(hash, PageHash::Content(content) if self.contents.contains(content))
    }
}

/// Does something with files off the actor's thread.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, RequestError> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|_| RequestError::Stopping)?;
    done.map_err(|error| RequestError::StorageFailed(not_removed(&error)))
}

/// What hinders may pass: a full disk, on which the note of a purge finds no room, or a folder that is locked.
fn not_removed(error: &std::io::Error) -> Failure {
    if error.kind() == std::io::ErrorKind::StorageFull {
        return Failure::transient(code::DISK_FULL, "the disk is full: free some space and delete again");
    }
    Failure::transient(code::STORAGE_FAILED, format!("the task's files cannot be removed now: {}", error.kind()))
}

impl Supervisor {
    /// Goes on with purges that were begun and not finished, by this process or by another one that is dead. One that
    /// is going on elsewhere loses nothing by that.
    pub(super) fn finish_purges(&self, ctx: &mut Context<Self>) {
        let (blob, own) = (self.blob.clone(), ctx.address());
        let finished = async move {
            let begun = tokio::task::spawn_blocking(move || PurgeList::unfinished(&blob, Timestamp::now())).await;
            match begun {
                Ok(Ok(tasks)) => {
                    for id in tasks {
                        match own.send(DeleteTask { id, purge: true }).await {
                            Ok(Ok(()) | Err(RequestError::NotFound)) => log::info!(task:% = id; "finished its purge"),
                            Ok(Err(why)) => log::warn!(task:% = id; "its purge is finished later: {why}"),
                            Err(_) => return,
                        }
                    }
                }
                Ok(Err(why)) => log::warn!("purges that were begun are looked for later: {why}"),
                Err(_) => {}
            }
        };
        ctx.spawn(finished.into_actor(self).map(|(), _, _| ()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::servers;
    use crate::store::altered::AlteredStore;
    use crate::task::test_record;

    fn deletion(blob: &LocalBlob) -> Deletion {
        let (store, processors) = (Arc::new(AlteredStore::default()), Processors::default());
        Deletion { store, blob: blob.clone(), ledger: Ledger::new(blob.clone()), processors }
    }

    /// A task that `began` on one server and was finished, with all its pages, on another.
    fn moved_task(began: &LocalBlob, ended: &LocalBlob) -> TaskRecord {
        let mut record = test_record(1);
        record.source.pages = 3;
        began.put(&record.pdf_path, b"pdf", Durability::Synced).unwrap();
        deletion(began).hashes_of(&record).set(1, Some(&[1; 32])).unwrap();
        let all = deletion(ended).hashes_of(&record);
        for page in 1..=3_u8 {
            all.set(page.into(), Some(&[page; 32])).unwrap();
        }
        all.publish().unwrap();
        record
    }

    #[test]
    fn a_purge_knows_the_pages_that_another_server_read() {
        let (_dir, [began, ended]) = servers();
        let record = moved_task(&began, &ended);
        let read = deletion(&began).what_was_read(&record).unwrap();
        assert_eq!(read.pages, [1_u8, 2, 3].map(|page| (page.into(), PageHash::Content([page; 32]))));
    }

    #[tokio::test]
    async fn an_unreadable_task_is_purged_by_a_server_without_copies_or_the_purge_refused() {
        let (_dir, [began, ended, other]) = servers();
        let record = moved_task(&began, &ended);
        let read = deletion(&other).what_its_folder_says(record.id, None).unwrap().unwrap();
        assert_eq!(read.pages.len(), 3);
        assert_eq!(Some(read.source_sha256), began.sha256(&record.pdf_path).unwrap());
        let unreadable = || UnreadableRecord { why: "it is torn".into(), tenant: Some("ann".into()) };
        let purged = async |record: &TaskRecord| deletion(&other).purge_unreadable(record.id, unreadable()).await;
        purged(&record).await.unwrap();
        let unknown = test_record(1);
        assert!(matches!(purged(&unknown).await, Err(RequestError::RecordUnreadable(_))), "no source");
        began.put(&unknown.pdf_path, b"pdf", Durability::Synced).unwrap();
        assert!(matches!(purged(&unknown).await, Err(RequestError::RecordUnreadable(_))), "no pages");
        assert!(!PurgeList::is_begun(&other, unknown.id));
    }
}
