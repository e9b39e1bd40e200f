//! What tenants have unfinished, counted by the scripts that change it, and the requests that they make.

use std::time::Duration;

use super::{RedisStore, keys};
use crate::store::{Holding, RequestRate, Reservation, StoreError};
use crate::task::TaskId;

/// A task that was reserved and never written counts for so many seconds, if another one wants its place.
const FORGOTTEN: u64 = 600;
/// Seconds between two counts that look at every task of a tenant.
const COUNT_EVERY: u64 = 10;

/// Counts a task for its tenant, unless the tenant has too much. Before it is refused everything is counted again, so that what a
/// server of an earlier version ended, or one that died reserved, blocks no other reservation.
///
/// KEYS: what the tenant has.
/// ARGV: id, pages, bytes, most tasks, pages and bytes or -1 each, seconds after which a reservation without a record goes,
/// seconds between two counts.
/// Returns: {1 when it is counted, else 0; tasks, pages, bytes that the tenant has without it}.
pub(super) const RESERVE: &str = r"#!lua
local key, id, now = KEYS[1], ARGV[1], tonumber(redis.call('TIME')[1])
local more, most = {1, tonumber(ARGV[2]), tonumber(ARGV[3])}, {tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])}
if redis.call('HEXISTS', key, id) == 1 then return {1, 0, 0, 0} end
local known = redis.call('HMGET', key, 'tasks', 'pages', 'bytes', 'counted')
local has = {tonumber(known[1] or 0), tonumber(known[2] or 0), tonumber(known[3] or 0)}
local function fits()
  for at = 1, 3 do if most[at] >= 0 and has[at] + more[at] > most[at] then return false end end
  return true
end
if not fits() and now - tonumber(known[4] or 0) >= tonumber(ARGV[8]) then
  has = {0, 0, 0}
  local entries = redis.call('HGETALL', key)
  for at = 1, #entries, 2 do
    local pages, bytes, since = string.match(entries[at + 1], '^(%d+) (%d+) (%d+)$')
    if pages then
      local status = redis.call('HGET', 'task:' .. entries[at], 'status')
      local is_new = not status and now - tonumber(since) < tonumber(ARGV[7])
      if is_new or status == 'pending' or status == 'processing' then
        has = {has[1] + 1, has[2] + tonumber(pages), has[3] + tonumber(bytes)}
      else
        redis.call('HDEL', key, entries[at])
      end
    end
  end
  redis.call('HSET', key, 'tasks', has[1], 'pages', has[2], 'bytes', has[3], 'counted', now)
end
if not fits() then return {0, has[1], has[2], has[3]} end
hold(key, id, ARGV[2], ARGV[3])
return {1, has[1], has[2], has[3]}
";

/// KEYS: what the tenant has.
/// ARGV: id.
/// Returns: 1. A task that is there and unfinished stays counted.
pub(super) const UNRESERVE: &str = r"#!lua flags=allow-oom
local status = redis.call('HGET', 'task:' .. ARGV[1], 'status')
if status ~= 'pending' and status ~= 'processing' then release(KEYS[1], ARGV[1]) end
return 1
";

/// Counts a request of a tenant by the clock of the database, as [`RequestRate::count`] does.
///
/// KEYS: until when the tenant's requests take.
/// ARGV: µs between two, how many at once.
/// Returns: µs that it comes too early; 0 when it is counted.
pub(super) const COUNT_REQUEST: &str = r"#!lua
local time = redis.call('TIME')
local now, interval, burst = tonumber(time[1]) * 1000000 + tonumber(time[2]), tonumber(ARGV[1]), tonumber(ARGV[2])
local taken = tonumber(redis.call('GET', KEYS[1]) or 0)
taken = math.max(now, math.min(taken, now + interval * burst))
local early = taken - now - interval * (burst - 1)
if early > 0 then return math.ceil(early) end
taken = taken + interval
redis.call('SET', KEYS[1], string.format('%.0f', taken), 'PX', math.ceil((taken - now) / 1000) + 1)
return 0
";

impl RedisStore {
    pub(super) async fn count_one(&self, tenant: &str, rate: RequestRate) -> Result<Duration, StoreError> {
        let mut call = self.scripts.count_request.prepare_invoke();
        let interval = u64::try_from(rate.interval.as_micros()).unwrap_or(u64::MAX).max(1);
        let counted = call.key(keys::rate(tenant)).arg(interval).arg(rate.burst);
        let early: u64 = counted.invoke_async(&mut self.connection()).await.map_err(|e| self.lost(&e))?;
        Ok(Duration::from_micros(early))
    }

    pub(super) async fn reserve_quota(&self, asked: &Reservation) -> Result<Option<Holding>, StoreError> {
        let Reservation { tenant, task, more, most } = asked;
        let mut call = self.scripts.reserve.prepare_invoke();
        call.key(keys::held(tenant)).arg(task.to_string()).arg(more.pages).arg(more.bytes);
        for limit in [most.tasks, most.pages, most.bytes] {
            call.arg(i64::try_from(limit).unwrap_or(-1));
        }
        call.arg(FORGOTTEN).arg(COUNT_EVERY);
        let (is_counted, tasks, pages, bytes): (u8, u64, u64, u64) =
            call.invoke_async(&mut self.connection()).await.map_err(|e| self.lost(&e))?;
        Ok((is_counted == 0).then_some(Holding { tasks, pages, bytes }))
    }

    pub(super) async fn unreserve_quota(&self, tenant: &str, task: TaskId) -> Result<(), StoreError> {
        let mut call = self.scripts.unreserve.prepare_invoke();
        let done = call.key(keys::held(tenant)).arg(task.to_string());
        let _: u8 = done.invoke_async(&mut self.connection()).await.map_err(|e| self.lost(&e))?;
        Ok(())
    }
}
