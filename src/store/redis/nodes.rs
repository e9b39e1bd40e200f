//! What the servers of a store say of themselves, and what they learnt.

use super::{RedisStore, keys};
use crate::store::StoreError;

/// KEYS: owners, nodes.
/// ARGV: owner, what it says of itself.
/// Returns: 1. What servers said that are gone goes.
pub(super) const ANNOUNCE: &str = r"#!lua flags=allow-oom
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
for _, owner in ipairs(redis.call('HKEYS', KEYS[2])) do
  if owner ~= ARGV[1] and not redis.call('ZSCORE', KEYS[1], owner) then redis.call('HDEL', KEYS[2], owner) end
end
return 1
";

/// KEYS: owners, nodes.
/// Returns: owner and what it says of itself, of each server that lives, one after the other.
pub(super) const NODES: &str = r"#!lua flags=no-writes
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local said, living = redis.call('HGETALL', KEYS[2]), {}
for at = 1, #said, 2 do
  local ends = redis.call('ZSCORE', KEYS[1], said[at])
  if ends and tonumber(ends) > now then
    table.insert(living, said[at])
    table.insert(living, said[at + 1])
  end
end
return living
";

impl RedisStore {
    pub(super) async fn announce_node(&self, owner: &str, about: &str) -> Result<(), StoreError> {
        let mut call = self.scripts.announce.prepare_invoke();
        let said = call.key(keys::OWNERS).key(keys::NODES).arg(owner).arg(about);
        let _: u8 = said.invoke_async(&mut self.connection()).await.map_err(|e| self.lost(&e))?;
        Ok(())
    }

    pub(super) async fn write_note(&self, name: &str, note: Option<&str>) -> Result<(), StoreError> {
        let (mut connection, mut command) = (self.connection(), redis::Cmd::new());
        match note {
            Some(note) => command.arg("HSET").arg(keys::NOTES).arg(name).arg(note),
            None => command.arg("HDEL").arg(keys::NOTES).arg(name),
        };
        command.query_async::<i64>(&mut connection).await.map(drop).map_err(|e| self.lost(&e))
    }

    pub(super) async fn all_notes(&self) -> Result<Vec<(String, String)>, StoreError> {
        let mut command = redis::Cmd::new();
        command.arg("HGETALL").arg(keys::NOTES);
        command.query_async(&mut self.connection()).await.map_err(|e| self.lost(&e))
    }

    pub(super) async fn living_nodes(&self) -> Result<Vec<(String, String)>, StoreError> {
        let mut call = self.scripts.nodes.prepare_invoke();
        let asked = call.key(keys::OWNERS).key(keys::NODES);
        let said: Vec<String> = asked.invoke_async(&mut self.connection()).await.map_err(|e| self.lost(&e))?;
        Ok(said.chunks_exact(2).map(|two| (two[0].clone(), two[1].clone())).collect())
    }
}
