//! Tasks that no process runs.

use super::{BATCH, RedisStore, keys};
use crate::store::{StoreError, node_of};
use crate::task::{TaskId, TaskStatus};

impl RedisStore {
    pub(super) async fn find_unclaimed(&self, owner: &str, limit: usize) -> Result<Vec<TaskId>, StoreError> {
        let mut found = Vec::new();
        for status in [TaskStatus::Processing, TaskStatus::Pending] {
            let (index, mut start, mut free) = (keys::by_status(status), 0, 0);
            while free < limit {
                let places = self.window(&index, start).await?;
                let ids: Vec<TaskId> = places.iter().map(|place| place.id).collect();
                let holders = self.holders(&ids).await?;
                let ours = |holder: &Option<String>| holder.as_ref().is_none_or(|h| node_of(h) == node_of(owner));
                let before = found.len();
                found.extend(places.iter().zip(holders).filter(|(_, holder)| ours(holder)).map(|(place, _)| *place));
                free += found.len() - before;
                start += places.len();
                if places.len() < BATCH {
                    break;
                }
            }
        }
        found.sort_unstable();
        found.truncate(limit);
        Ok(found.into_iter().map(|place| place.id).collect())
    }

    pub(super) async fn last_arrival(&self) -> Result<u64, StoreError> {
        let mut command = redis::cmd("GET");
        let last: Option<u64> =
            command.arg(keys::ARRIVALS).query_async(&mut self.connection()).await.map_err(|e| self.lost(&e))?;
        Ok(last.unwrap_or(0))
    }
}
