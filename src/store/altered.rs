//! A store in memory that behaves as tests want it to: the double for everything that can go wrong.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::{Create, Created, EmbeddedStore, ListPage, ListQuery, Renewal, Renewed, StoreError, TaskStore, Update};
use crate::clock::Timestamp;
use crate::task::{Revision, TaskId, TaskRecord, UnreadableRecord};

/// An embedded store, and what of it is otherwise.
pub struct AlteredStore {
    /// What it keeps.
    pub store: EmbeddedStore,
    /// First writes that land while their answers are lost.
    pub lost_answers: AtomicU32,
    /// As if other processes could have it open, too.
    pub lease: Option<Duration>,
    /// As if these records could not be read.
    pub unreadable: Vec<TaskId>,
    /// As if another process held the leases of these tasks.
    pub held: Vec<TaskId>,
    /// What time it says to be, if not what it is.
    pub time: Option<Timestamp>,
    /// As if no renewing were answered yet.
    pub is_silent: watch::Sender<bool>,
    /// Records that were asked for.
    pub asked: watch::Sender<Vec<TaskId>>,
    /// As if it did not answer to writes.
    pub is_unavailable: watch::Sender<bool>,
    /// As if it could not be asked to renew a lease.
    pub fails_to_renew: watch::Sender<bool>,
    /// How many other processes it says to have.
    pub others: usize,
    /// What a renewing answers for each task in place of what is true.
    pub renewal: watch::Sender<Option<Renewal>>,
    /// How often it was asked for what has expired, which the janitor does once in a round.
    pub swept: watch::Sender<usize>,
    /// Renewings that were answered or failed.
    pub renewed: watch::Sender<usize>,
}

impl Default for AlteredStore {
    fn default() -> Self {
        #[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
        let store = EmbeddedStore::in_memory().unwrap();
        Self {
            store,
            lost_answers: AtomicU32::new(0),
            lease: None,
            unreadable: Vec::new(),
            held: Vec::new(),
            time: None,
            is_silent: watch::Sender::new(false),
            asked: watch::Sender::default(),
            is_unavailable: watch::Sender::new(false),
            fails_to_renew: watch::Sender::new(false),
            others: 0,
            renewal: watch::Sender::default(),
            swept: watch::Sender::default(),
            renewed: watch::Sender::default(),
        }
    }
}

#[async_trait]
impl TaskStore for AlteredStore {
    fn lease(&self) -> Option<Duration> {
        self.lease
    }

    async fn create(&self, create: &Create) -> Result<Created, StoreError> {
        if *self.is_unavailable.borrow() {
            return Err(StoreError::Unavailable("it is unavailable".into()));
        }
        let created = self.store.create(create).await?;
        let lost = self.lost_answers.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        lost.map_or(Ok(created), |_| Err(StoreError::Unavailable("the answer was lost".into())))
    }

    async fn find_equal(&self, create: &Create) -> Result<Option<TaskId>, StoreError> {
        self.store.find_equal(create).await
    }

    async fn get(&self, id: TaskId) -> Result<TaskRecord, StoreError> {
        self.asked.send_modify(|asked| asked.push(id));
        if self.unreadable.contains(&id) {
            return Err(StoreError::Unreadable(UnreadableRecord { why: "it is torn".into(), tenant: None }));
        }
        self.store.get(id).await
    }

    async fn update(&self, update: &Update) -> Result<(), StoreError> {
        if self.held.contains(&update.next.id) {
            return Err(StoreError::Held);
        }
        if *self.is_unavailable.borrow() {
            return Err(StoreError::Unavailable("it is unavailable".into()));
        }
        self.store.update(update).await
    }

    async fn list(&self, query: &ListQuery) -> Result<ListPage, StoreError> {
        self.store.list(query).await
    }

    async fn delete(&self, id: TaskId, expected: Option<Revision>) -> Result<bool, StoreError> {
        self.store.delete(id, expected).await
    }

    async fn expired(&self, now: Timestamp, limit: usize) -> Result<Vec<TaskId>, StoreError> {
        self.swept.send_modify(|count| *count += 1);
        self.store.expired(now, limit).await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<TaskId>, StoreError> {
        self.store.due(now, limit).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }

    async fn unclaimed(&self, owner: &str, limit: usize) -> Result<Vec<TaskId>, StoreError> {
        self.store.unclaimed(owner, limit).await
    }

    async fn renew(&self, owner: &str, tasks: &[(TaskId, u64)]) -> Result<Renewed, StoreError> {
        let _ = self.is_silent.subscribe().wait_for(|is_silent| !is_silent).await;
        let renewed = if *self.fails_to_renew.borrow() {
            Err(StoreError::Unavailable("it renews no lease".into()))
        } else {
            self.store.renew(owner, tasks).await
        };
        self.renewed.send_modify(|count| *count += 1);
        let mut renewed = renewed?;
        if let Some(renewal) = *self.renewal.borrow() {
            renewed.tasks = vec![renewal; tasks.len()];
        }
        Ok(Renewed { time: self.time.unwrap_or(renewed.time), others: self.others, ..renewed })
    }

    async fn leave(&self, owner: &str) -> Result<(), StoreError> {
        self.store.leave(owner).await
    }

    async fn repair(&self, ids: &[TaskId]) -> Result<Vec<Option<u64>>, StoreError> {
        self.store.repair(ids).await
    }

    async fn repair_indexes(&self) -> Result<usize, StoreError> {
        self.store.repair_indexes().await
    }
}
