//! A store that is watched by a clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use uuid::Uuid;

use super::{
    Create, Created, FeedAnswer, FeedNews, FeedRound, FeedShard, Holding, ListPage, ListQuery, Renewed, RequestRate,
    Reservation, Share, ShareRequest, StoreError, StoreIdentity, TaskStore, Update,
};
use crate::clock::Timestamp;
use crate::metrics;
use crate::task::{Revision, TaskId, TaskRecord};

/// Any store, with how long its answers take among the metrics.
pub(crate) struct MeasuredStore(pub(crate) Arc<dyn TaskStore>);

async fn timed<T>(
    operation: &'static str,
    asked: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let begun = Instant::now();
    let answer = asked.await;
    metrics::store(operation, begun, !matches!(answer, Err(StoreError::Unavailable(_))));
    answer
}

#[async_trait]
impl TaskStore for MeasuredStore {
    fn lease(&self) -> Option<Duration> {
        self.0.lease()
    }

    async fn identity(&self) -> Result<Option<StoreIdentity>, StoreError> {
        timed("identity", self.0.identity()).await
    }

    async fn name(&self, id: Uuid) -> Result<Uuid, StoreError> {
        timed("name", self.0.name(id)).await
    }

    async fn create(&self, create: &Create) -> Result<Created, StoreError> {
        timed("create", self.0.create(create)).await
    }

    async fn find_equal(&self, create: &Create) -> Result<Option<TaskId>, StoreError> {
        timed("find_equal", self.0.find_equal(create)).await
    }

    async fn get(&self, id: TaskId) -> Result<TaskRecord, StoreError> {
        timed("get", self.0.get(id)).await
    }

    async fn update(&self, update: &Update) -> Result<(), StoreError> {
        timed("update", self.0.update(update)).await
    }

    async fn list(&self, query: &ListQuery) -> Result<ListPage, StoreError> {
        timed("list", self.0.list(query)).await
    }

    async fn delete(&self, id: TaskId, expected: Option<Revision>) -> Result<bool, StoreError> {
        timed("delete", self.0.delete(id, expected)).await
    }

    async fn expired(&self, now: Timestamp, limit: usize) -> Result<Vec<TaskId>, StoreError> {
        timed("expired", self.0.expired(now, limit)).await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<TaskId>, StoreError> {
        timed("due", self.0.due(now, limit)).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        timed("ping", self.0.ping()).await
    }

    async fn unclaimed(&self, owner: &str, limit: usize) -> Result<Vec<TaskId>, StoreError> {
        timed("unclaimed", self.0.unclaimed(owner, limit)).await
    }

    async fn arrivals(&self) -> Result<Option<u64>, StoreError> {
        timed("arrivals", self.0.arrivals()).await
    }

    async fn renew(&self, owner: &str, tasks: &[(TaskId, u64)]) -> Result<Renewed, StoreError> {
        timed("renew", self.0.renew(owner, tasks)).await
    }

    async fn leave(&self, owner: &str) -> Result<(), StoreError> {
        timed("leave", self.0.leave(owner)).await
    }

    async fn repair(&self, ids: &[TaskId]) -> Result<Vec<Option<u64>>, StoreError> {
        timed("repair", self.0.repair(ids)).await
    }

    async fn repair_indexes(&self) -> Result<usize, StoreError> {
        timed("repair_indexes", self.0.repair_indexes()).await
    }

    async fn announce(&self, owner: &str, about: &str) -> Result<(), StoreError> {
        timed("announce", self.0.announce(owner, about)).await
    }

    async fn nodes(&self) -> Result<Vec<(String, String)>, StoreError> {
        timed("nodes", self.0.nodes()).await
    }

    async fn keep_note(&self, name: &str, note: Option<&str>) -> Result<(), StoreError> {
        timed("keep_note", self.0.keep_note(name, note)).await
    }

    async fn notes(&self) -> Result<Vec<(String, String)>, StoreError> {
        timed("notes", self.0.notes()).await
    }

    async fn reserve(&self, asked: &Reservation) -> Result<Option<Holding>, StoreError> {
        timed("reserve", self.0.reserve(asked)).await
    }

    async fn unreserve(&self, tenant: &str, task: TaskId) -> Result<(), StoreError> {
        timed("unreserve", self.0.unreserve(tenant, task)).await
    }

    async fn count_request(&self, tenant: &str, rate: RequestRate) -> Result<Option<Duration>, StoreError> {
        timed("count_request", self.0.count_request(tenant, rate)).await
    }

    async fn share(&self, asked: &ShareRequest) -> Result<Option<Share>, StoreError> {
        timed("share", self.0.share(asked)).await
    }

    async fn feed_export(&self, group: &str, shards: &[FeedShard]) -> Result<Vec<String>, StoreError> {
        timed("feed_export", self.0.feed_export(group, shards)).await
    }

    async fn feed_round(&self, round: &FeedRound) -> Result<Option<FeedNews>, StoreError> {
        timed("feed_round", self.0.feed_round(round)).await
    }

    async fn feed_answer(&self, answer: &FeedAnswer) -> Result<bool, StoreError> {
        timed("feed_answer", self.0.feed_answer(answer)).await
    }

    async fn warnings(&self) -> Result<Vec<String>, StoreError> {
        timed("warnings", self.0.warnings()).await
    }
}
