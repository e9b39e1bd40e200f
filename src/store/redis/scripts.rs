//! The transitions, each one script and so one step for everyone else.
//!
//! `unpack` is used only on argument lists whose length the record type fixes.

use redis::Script;

pub(super) struct Scripts {
    pub(super) create: Script,
    pub(super) update: Script,
    pub(super) delete: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self { create: Script::new(CREATE), update: Script::new(UPDATE), delete: Script::new(DELETE) }
    }
}

/// KEYS: record, all, by-status of the record.
/// ARGV: operation, created ms, id, then field and value of every field.
/// Returns: `ok`, or `exists` when another operation made a record of this id.
const CREATE: &str = r"#!lua
if redis.call('EXISTS', KEYS[1]) == 1 then
  if redis.call('HGET', KEYS[1], 'operation') == ARGV[1] then return 'ok' end
  return 'exists'
end
redis.call('HSET', KEYS[1], unpack(ARGV, 4))
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[3])
redis.call('ZADD', KEYS[3], ARGV[2], ARGV[3])
return 'ok'
";

/// A task must be able to end when memory is full, or nothing would ever be freed: hence `allow-oom`.
///
/// KEYS: record, gc, by-status of the next record, by-status of the four other statuses.
/// ARGV: operation, expected epoch, expected version, next epoch, next version, created ms, id, expiry ms or 0, then
/// field and value of every field.
/// Returns: {`ok` | `missing` | `conflict` | `final`, current epoch, current version}.
const UPDATE: &str = r"#!lua flags=allow-oom
local current = redis.call('HMGET', KEYS[1], 'operation', 'epoch', 'version', 'status')
if not current[1] then return {'missing', 0, 0} end
local epoch, version, status = tonumber(current[2]), tonumber(current[3]), current[4]
if current[1] == ARGV[1] then return {'ok', epoch, version} end
local expected_epoch, expected_version = tonumber(ARGV[2]), tonumber(ARGV[3])
local next_epoch, next_version = tonumber(ARGV[4]), tonumber(ARGV[5])
if epoch ~= expected_epoch or version ~= expected_version
  or next_epoch < epoch or next_version ~= version + 1 then
  return {'conflict', epoch, version}
end
local final = status == 'completed' or status == 'failed' or status == 'cancelled'
if final and next_epoch == epoch then return {'final', epoch, version} end
redis.call('HSET', KEYS[1], unpack(ARGV, 9))
redis.call('ZADD', KEYS[3], ARGV[6], ARGV[7])
for other = 4, 7 do redis.call('ZREM', KEYS[other], ARGV[7]) end
if ARGV[8] == '0' then
  redis.call('PERSIST', KEYS[1])
  redis.call('ZREM', KEYS[2], ARGV[7])
else
  redis.call('PEXPIREAT', KEYS[1], ARGV[8])
  redis.call('ZADD', KEYS[2], ARGV[8], ARGV[7])
end
return {'ok', next_epoch, next_version}
";

/// KEYS: record, all, gc, by-status of the five statuses.
/// ARGV: id.
/// Returns: 1 when there was a record, else 0. Index entries go in any case.
const DELETE: &str = r"#!lua flags=allow-oom
for index = 2, 8 do redis.call('ZREM', KEYS[index], ARGV[1]) end
return redis.call('DEL', KEYS[1])
";
