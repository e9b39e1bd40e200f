//! The transitions, each one script and so one step for everyone else.
//!
//! The indexes of a tenant are named by the scripts themselves: only the record knows whose it is, and when it has expired,
//! it is not known; then they are all looked through.
//!
//! `unpack` is used only on argument lists whose length the record type fixes.

use redis::Script;

use super::feed;
use super::nodes::{ANNOUNCE, NODES};
use super::quota::{COUNT_REQUEST, RESERVE, UNRESERVE};
use super::shares::SHARE;

pub(super) struct Scripts {
    pub(super) create: Script,
    pub(super) find_equal: Script,
    pub(super) update: Script,
    pub(super) delete: Script,
    pub(super) renew: Script,
    pub(super) index: Script,
    pub(super) unpoint: Script,
    pub(super) share: Script,
    pub(super) announce: Script,
    pub(super) nodes: Script,
    pub(super) reserve: Script,
    pub(super) unreserve: Script,
    pub(super) count_request: Script,
    pub(super) feed_export: Script,
    pub(super) feed_round: Script,
    pub(super) feed_answer: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            create: with_tenants(CREATE),
            find_equal: with_tenants(FIND_EQUAL),
            update: with_tenants(UPDATE),
            delete: with_tenants(DELETE),
            renew: Script::new(RENEW),
            index: with_tenants(INDEX),
            unpoint: Script::new(UNPOINT),
            share: Script::new(SHARE),
            announce: Script::new(ANNOUNCE),
            nodes: Script::new(NODES),
            reserve: with_tenants(RESERVE),
            unreserve: with_tenants(UNRESERVE),
            count_request: Script::new(COUNT_REQUEST),
            feed_export: feed::script(feed::EXPORT),
            feed_round: feed::script(feed::ROUND),
            feed_answer: feed::script(feed::ANSWER),
        }
    }
}

/// A script after its first line with what the others share: how the entries of a tenant's tasks are placed and removed, and
/// when the message about a task's end is due.
fn with_tenants(script: &str) -> Script {
    let (shebang, body) = script.split_once('\n').unwrap_or((script, ""));
    Script::new(&format!("{shebang}\n{TENANTS}{body}"))
}

/// `equal` finds the task that has an idempotency key (`named`, or `taken` by another submit) or is equal (`known`).
/// `arrive` has servers look for a task that has no owner. `hold` and `release` count a task among what its tenant has
/// unfinished, and no more.
///
/// `place` answers how many entries it added or removed, `remove` how many it removed. Without a tenant they do nothing,
/// but for `remove`, which then looks through those of all.
const TENANTS: &str = r"
local statuses = {'pending', 'processing', 'completed', 'failed', 'cancelled'}
local function tell(due, id)
  if due ~= '0' then return redis.call('ZADD', 'tasks:outbox', due, id) end
  return redis.call('ZREM', 'tasks:outbox', id)
end
local function arrive()
  local time = redis.call('TIME')
  redis.call('SET', 'tasks:arrivals', time[1] .. string.format('%06d', time[2]), 'EX', 3600)
end
local function hold(key, id, pages, bytes)
  if redis.call('HSETNX', key, id, pages .. ' ' .. bytes .. ' ' .. redis.call('TIME')[1]) == 0 then return end
  redis.call('HINCRBY', key, 'tasks', 1)
  redis.call('HINCRBY', key, 'pages', pages)
  redis.call('HINCRBY', key, 'bytes', bytes)
end
local function release(key, id)
  local pages, bytes = string.match(redis.call('HGET', key, id) or '', '^(%d+) (%d+) ')
  if not pages then return end
  redis.call('HDEL', key, id)
  redis.call('HINCRBY', key, 'pages', 0 - tonumber(pages))
  redis.call('HINCRBY', key, 'bytes', 0 - tonumber(bytes))
  if redis.call('HINCRBY', key, 'tasks', -1) <= 0 then redis.call('DEL', key) end
end
local function equal(same, key, fingerprint)
  if key ~= '' then
    local known, print = string.match(redis.call('GET', key) or '', '^(%S+) (%S*)$')
    if known and redis.call('EXISTS', 'task:' .. known) == 1 then
      return print == fingerprint and 'named' or 'taken', known
    end
  end
  local known = same ~= '' and redis.call('GET', same)
  local task = known and redis.call('HMGET', 'task:' .. known, 'status', 'cancel_requested') or {}
  local lives = task[1] == 'pending' or task[1] == 'processing' or task[1] == 'completed'
  if lives and task[2] ~= 'true' then return 'known', known end
end
local function is_known(tenant) return tenant and tenant ~= '' end
local function place(tenant, status, created, id)
  if not is_known(tenant) then return 0 end
  local index, changed = 'tasks:of:' .. tenant, 0
  for _, other in ipairs(statuses) do
    if other ~= status then changed = changed + redis.call('ZREM', index .. ':' .. other, id) end
  end
  redis.call('SADD', 'tasks:tenants', tenant)
  local held = 'tasks:held:' .. tenant
  if status ~= 'pending' and status ~= 'processing' then
    release(held, id)
  elseif redis.call('HEXISTS', held, id) == 0 then
    local record = redis.call('HMGET', 'task:' .. id, 'total_pages', 'source')
    local bytes = string.match(record[2] or '', '.bytes.:(%d+)')
    hold(held, id, tonumber(record[1] or '') or 0, tonumber(bytes or '') or 0)
  end
  return changed + redis.call('ZADD', index, created, id) + redis.call('ZADD', index .. ':' .. status, created, id)
end
local function remove(tenant, id)
  local removed = 0
  for _, name in ipairs(is_known(tenant) and {tenant} or redis.call('SMEMBERS', 'tasks:tenants')) do
    local index = 'tasks:of:' .. name
    release('tasks:held:' .. name, id)
    removed = removed + redis.call('ZREM', index, id)
    for _, status in ipairs(statuses) do removed = removed + redis.call('ZREM', index .. ':' .. status, id) end
    if redis.call('EXISTS', index) == 0 then redis.call('SREM', 'tasks:tenants', name) end
  end
  return removed
end
";

/// KEYS: record, lease, all, by-status of the record, same, idempotency key, gc. A name is empty when there is no such key.
/// ARGV: operation, created ms, id, owner or empty, lease ms, fingerprint, 1 when an equal task will do, expiry ms or 0,
/// tenant or empty, status, ms at which its message is due or 0, then field and value of every field.
/// Returns: {`new` | `exists` | `known` | `named` | `taken`, id of the known task}.
const CREATE: &str = r"#!lua
local operation, created, id, owner, lease, fingerprint, reuse, expiry =
  ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local seen = redis.call('HGET', KEYS[1], 'operation')
if seen then
  if seen == operation then return {'new', ''} end
  return {'exists', ''}
end
local word, known = equal(KEYS[5], KEYS[6], fingerprint)
if word == 'taken' or word == 'named' then return {word, known} end
if word and reuse == '1' then return {'known', known} end
if KEYS[5] ~= '' and not word then redis.call('SET', KEYS[5], id) end
redis.call('HSET', KEYS[1], unpack(ARGV, 12))
if ARGV[11] ~= '0' then tell(ARGV[11], id) end
place(ARGV[9], ARGV[10], created, id)
redis.call('ZADD', KEYS[3], created, id)
redis.call('ZADD', KEYS[4], created, id)
if owner ~= '' then redis.call('SET', KEYS[2], owner, 'PX', lease)
else arrive() end
if KEYS[6] ~= '' then redis.call('SET', KEYS[6], id .. ' ' .. fingerprint) end
if expiry ~= '0' then
  redis.call('ZADD', KEYS[7], expiry, id)
  for _, name in ipairs({KEYS[1], KEYS[5], KEYS[6]}) do
    if name == KEYS[1] or (name ~= '' and string.find(redis.call('GET', name) or '', id, 1, true)) then
      redis.call('PEXPIREAT', name, expiry)
    end
  end
end
return {'new', ''}
";

/// KEYS: same, idempotency key. A name is empty when there is no such key.
/// ARGV: fingerprint, 1 when an equal task will do.
/// Returns: what [`CREATE`] would, `new` when it would write.
const FIND_EQUAL: &str = r"#!lua flags=no-writes
local word, known = equal(KEYS[1], KEYS[2], ARGV[1])
if not word or (word == 'known' and ARGV[2] ~= '1') then return {'new', ''} end
return {word, known}
";

/// A task must be able to end when memory is full, or nothing would ever be freed: hence `allow-oom`.
///
/// A lease of the same node (what stands before `#`) is of a dead process and is no obstacle. Pointers to the task live
/// as long as its record.
///
/// KEYS: record, lease, gc, by-status of the next record, by-status of the four other statuses.
/// ARGV: operation, expected epoch, expected version, next epoch, next version, created ms, id, expiry ms or 0, owner or
/// empty, lease ms, `hold` or `release` or `keep`, next status, ms at which its message is due or 0, then field and value of every field.
/// Returns: {`ok` | `missing` | `conflict` | `final` | `held`, current epoch, current version}.
const UPDATE: &str = r"#!lua flags=allow-oom
local current = redis.call('HMGET', KEYS[1],
  'operation', 'epoch', 'version', 'status', 'fingerprint', 'idempotency', 'tenant')
if not current[1] then return {'missing', 0, 0} end
local epoch, version, status = tonumber(current[2]), tonumber(current[3]), current[4]
if current[1] == ARGV[1] then return {'ok', epoch, version} end
local expected_epoch, expected_version = tonumber(ARGV[2]), tonumber(ARGV[3])
local next_epoch, next_version = tonumber(ARGV[4]), tonumber(ARGV[5])
if epoch ~= expected_epoch or version ~= expected_version
  or next_epoch < epoch or next_version <= version then
  return {'conflict', epoch, version}
end
local final = status == 'completed' or status == 'failed' or status == 'cancelled'
if final and next_epoch == epoch and status ~= ARGV[12] then return {'final', epoch, version} end
local owner, lease, change = ARGV[9], ARGV[10], ARGV[11]
if next_epoch > epoch then
  local holder = redis.call('GET', KEYS[2])
  local node = string.match(owner, '^(.*)#')
  if holder and holder ~= owner and not (node and string.match(holder, '^(.*)#') == node) then
    return {'held', epoch, version}
  end
end
redis.call('HSET', KEYS[1], unpack(ARGV, 14))
tell(ARGV[13], ARGV[7])
place(current[7], ARGV[12], ARGV[6], ARGV[7])
redis.call('ZADD', KEYS[4], ARGV[6], ARGV[7])
for other = 5, 8 do redis.call('ZREM', KEYS[other], ARGV[7]) end
if change == 'hold' then
  redis.call('SET', KEYS[2], owner, 'PX', lease)
elseif change == 'release' then
  redis.call('DEL', KEYS[2])
  if ARGV[12] == 'pending' then arrive() end
end
local same, key = 'tasks:same:' .. (current[5] or ''), 'tasks:key:' .. (current[6] or '')
local same_is_ours = redis.call('GET', same) == ARGV[7]
if ARGV[8] == '0' then
  redis.call('PERSIST', KEYS[1])
  redis.call('ZREM', KEYS[3], ARGV[7])
  if same_is_ours then redis.call('PERSIST', same) end
  redis.call('PERSIST', key)
else
  redis.call('PEXPIREAT', KEYS[1], ARGV[8])
  redis.call('ZADD', KEYS[3], ARGV[8], ARGV[7])
  if same_is_ours then redis.call('PEXPIREAT', same, ARGV[8]) end
  redis.call('PEXPIREAT', key, ARGV[8])
end
return {'ok', next_epoch, next_version}
";

/// KEYS: record, lease, all, gc, by-status of the five statuses.
/// ARGV: id, expected epoch and version, both empty when any will do.
/// Returns: {1 when there was a record, 0 when there was none, -1 when it is at another revision; its epoch, version}.
/// Index entries and pointers go in the first two cases.
const DELETE: &str = r"#!lua flags=allow-oom
local is_hash = redis.call('TYPE', KEYS[1]).ok == 'hash'
local record = is_hash and redis.call('HMGET', KEYS[1], 'fingerprint', 'idempotency', 'epoch', 'version', 'tenant') or {}
if record[3] and ARGV[2] ~= '' and (record[3] ~= ARGV[2] or record[4] ~= ARGV[3]) then
  return {-1, tonumber(record[3]), tonumber(record[4])}
end
local same, key = 'tasks:same:' .. (record[1] or ''), 'tasks:key:' .. (record[2] or '')
if redis.call('GET', same) == ARGV[1] then redis.call('DEL', same) end
redis.call('DEL', key)
for index = 3, 9 do redis.call('ZREM', KEYS[index], ARGV[1]) end
if not (record[3] and record[5] == '') then remove(record[5], ARGV[1]) end
redis.call('DEL', KEYS[2])
tell('0', ARGV[1])
return {redis.call('DEL', KEYS[1]), 0, 0}
";

/// The clock of the server decides who counts as gone, so that the clocks of processes need not agree.
///
/// KEYS: owners, then record and lease of each task.
/// ARGV: owner, lease ms, then the epoch of each task.
/// Returns: the number of other living owners, the time in ms, then for each task {`held` | `lost` | `missing`, epoch, version, 1 when
/// it is to be cancelled}.
const RENEW: &str = r"#!lua flags=allow-oom
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local owner, lease = ARGV[1], tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], now + lease, owner)
local answer = {redis.call('ZCARD', KEYS[1]) - 1, now}
for task = 1, #ARGV - 2 do
  local record, key = KEYS[2 * task], KEYS[2 * task + 1]
  local fields = redis.call('HMGET', record, 'epoch', 'version', 'owner', 'cancel_requested')
  local holder = redis.call('GET', key)
  if not fields[1] then
    answer[task + 2] = {'missing', 0, 0, 0}
  elseif fields[1] ~= ARGV[task + 2] or fields[3] ~= owner or (holder and holder ~= owner) then
    answer[task + 2] = {'lost', 0, 0, 0}
  else
    redis.call('SET', key, owner, 'PX', lease)
    local cancel = fields[4] == 'true' and 1 or 0
    answer[task + 2] = {'held', tonumber(fields[1]), tonumber(fields[2]), cancel}
  end
end
return answer
";

/// Index entries are made from the record as it was read; when it has changed since, nothing happens.
///
/// KEYS: record, all, gc, by-status of the status that was read, by-status of the four others.
/// ARGV: id, version that was read or empty when there was no record, created ms, expiry ms or 0, ms at which its message
/// is due or 0.
/// Returns: how many entries were removed or added. Without a record, the entry in gc stays: it leads to the files.
const INDEX: &str = r"#!lua flags=allow-oom
local id, changed = ARGV[1], 0
local record = redis.call('HMGET', KEYS[1], 'version', 'tenant', 'status')
local version = record[1] or ''
if version ~= ARGV[2] then return 0 end
for other = 5, 8 do changed = changed + redis.call('ZREM', KEYS[other], id) end
if version == '' then
  return changed + tell('0', id) + remove(nil, id) + redis.call('ZREM', KEYS[2], id) + redis.call('ZREM', KEYS[4], id)
end
changed = changed + place(record[2], record[3], ARGV[3], id) + tell(ARGV[5], id)
changed = changed + redis.call('ZADD', KEYS[2], ARGV[3], id) + redis.call('ZADD', KEYS[4], ARGV[3], id)
if ARGV[4] ~= '0' then return changed + redis.call('ZADD', KEYS[3], ARGV[4], id) end
return changed + redis.call('ZREM', KEYS[3], id)
";

/// KEYS: same, idempotency key. A name is empty when there is no such key.
/// ARGV: id.
/// Returns: how many pointers led to this task; they are gone.
const UNPOINT: &str = r"#!lua flags=allow-oom
local removed = 0
for index = 1, 2 do
  local known = KEYS[index] ~= '' and redis.call('GET', KEYS[index])
  if known and string.match(known, '^(%S+)') == ARGV[1] then removed = removed + redis.call('DEL', KEYS[index]) end
end
return removed
";
