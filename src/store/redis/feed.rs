//! The feed as a stream with a consumer group and a list of answers for each owner: three scripts.
//!
//! An entry stays in the stream until it is answered, dropped or withdrawn, and is deleted then in the same step as it is
//! acknowledged: so the length of the stream is what waits and what is being read. No connection blocks: servers ask.

use std::time::Duration;

use super::{RedisStore, keys};
use crate::store::{FeedAnswer, FeedEntry, FeedNews, FeedReply, FeedRound, FeedShard, StoreError};
use crate::task::TaskId;

/// How long a server counts that has said nothing.
const PRESENT: Duration = Duration::from_secs(2);
/// So many answers are taken at once.
const MOST_REPLIES: usize = 64;

/// What the scripts share. `fresh` tells whether a task is still in an epoch and not at its end, `holds` whether a server
/// holds an entry, `drop` takes an entry out.
const SHARED: &str = r"
local function fresh(task, epoch)
  local record = redis.call('HMGET', 'task:' .. task, 'epoch', 'status')
  return record[1] == epoch and (record[2] == 'pending' or record[2] == 'processing')
end
local function holds(server, id)
  local found = redis.pcall('XPENDING', KEYS[1], 'readers', id, id, 1)
  return found and not found.err and found[1] ~= nil and found[1][2] == server
end
local function drop(id)
  redis.pcall('XACK', KEYS[1], 'readers', id)
  redis.call('XDEL', KEYS[1], id)
end
local function field(entry, name)
  for at = 1, #entry[2], 2 do
    if entry[2][at] == name then return entry[2][at + 1] end
  end
  return ''
end
local function reply(owner, id, kind, body, stays)
  local list = 'feed:replies:' .. owner
  redis.call('RPUSH', list, id, kind, body)
  redis.call('PEXPIRE', list, stays)
end
";

/// A stream that is new begins with its group. Without room in Redis nothing is offered.
///
/// KEYS: the stream.
/// ARGV: how long it stays ms, then owner, task, epoch and body of each.
/// Returns: the names of the entries.
pub(super) const EXPORT: &str = r"#!lua
redis.pcall('XGROUP', 'CREATE', KEYS[1], 'readers', '0', 'MKSTREAM')
local ids = {}
for at = 2, #ARGV, 4 do
  ids[#ids + 1] = redis.call('XADD', KEYS[1], '*', 'owner', ARGV[at], 'task', ARGV[at + 1], 'epoch', ARGV[at + 2],
    'body', ARGV[at + 3])
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return ids
";

/// KEYS: the stream, the servers, the replies to this server.
/// ARGV: server, capacity, whether it looks, wanted, lease ms, how long what is not used stays ms, how long a server counts ms, most replies, most
/// deliveries, then four lists, each after its length: held entries as name, task and epoch; those given back; those
/// withdrawn; those asked for; those overdue.
/// Returns: {capacity elsewhere or -1, waiting, lost, replies, gone, entries}; replies as name, kind and body, entries as name, owner,
/// task, epoch and body.
pub(super) const ROUND: &str = r"#!lua flags=allow-oom
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local server, capacity, wanted, lease, stays = ARGV[1], ARGV[2], tonumber(ARGV[4]), ARGV[5], ARGV[6]
local most_replies, most_deliveries = tonumber(ARGV[8]), tonumber(ARGV[9])
local at = 10
local function list(width)
  local count, items = tonumber(ARGV[at]), {}
  at = at + 1
  for item = 1, count do
    items[item] = {ARGV[at], ARGV[at + 1], ARGV[at + 2]}
    at = at + width
  end
  return items
end
local held, given_back, withdrawn, asked, overdue = list(3), list(1), list(1), list(1), list(1)

redis.call('HSET', KEYS[2], server, string.format('%.0f %s', now + tonumber(ARGV[7]), capacity))
redis.call('PEXPIRE', KEYS[2], stays)
local elsewhere = ARGV[3] == '1' and 0 or -1
local servers = elsewhere == 0 and redis.call('HGETALL', KEYS[2]) or {}
for each = 1, #servers, 2 do
  local ends, has = string.match(servers[each + 1], '^(%S+) (%S+)$')
  if servers[each] ~= server then
    if tonumber(ends) <= now then redis.call('HDEL', KEYS[2], servers[each]) else elsewhere = elsewhere + tonumber(has) end
  end
end

local lost, gone, entries = {}, {}, {}
local there = redis.call('EXISTS', KEYS[1]) == 1
for _, one in ipairs(withdrawn) do
  if there then drop(one[1]) end
end
for _, one in ipairs(given_back) do
  if there and holds(server, one[1]) then
    redis.call('XCLAIM', KEYS[1], 'readers', server, 0, one[1], 'IDLE', lease * 10, 'JUSTID')
  end
end
for _, one in ipairs(held) do
  if not there or not holds(server, one[1]) then
    lost[#lost + 1] = one[1]
  elseif not fresh(one[2], one[3]) then
    drop(one[1])
    lost[#lost + 1] = one[1]
  else
    redis.call('XCLAIM', KEYS[1], 'readers', server, 0, one[1], 'JUSTID')
  end
end

local replies = redis.call('LPOP', KEYS[3], most_replies) or {}
if #replies < most_replies then
  for _, one in ipairs(asked) do
    if not there or #redis.call('XRANGE', KEYS[1], one[1], one[1]) == 0 then gone[#gone + 1] = one[1] end
  end
  for _, one in ipairs(overdue) do
    local found = there and redis.pcall('XPENDING', KEYS[1], 'readers', one[1], one[1], 1)
    if not found or found.err or found[1] == nil then
      if there then drop(one[1]) end
      gone[#gone + 1] = one[1]
    end
  end
end

local function give(entry)
  local task, epoch = field(entry, 'task'), field(entry, 'epoch')
  if not fresh(task, epoch) then return drop(entry[1]) end
  for _, value in ipairs({entry[1], field(entry, 'owner'), task, epoch, field(entry, 'body')}) do
    entries[#entries + 1] = value
  end
end
if there and wanted > 0 then
  local stale = redis.pcall('XPENDING', KEYS[1], 'readers', 'IDLE', lease, '-', '+', wanted)
  for _, one in ipairs(stale.err and {} or stale) do
    local entry = redis.call('XRANGE', KEYS[1], one[1], one[1])[1]
    if not entry then
      drop(one[1])
    elseif one[4] >= most_deliveries then
      drop(one[1])
      if fresh(field(entry, 'task'), field(entry, 'epoch')) then
        reply(field(entry, 'owner'), one[1], 'unanswered', '', stays)
      end
    else
      local claimed = redis.call('XCLAIM', KEYS[1], 'readers', server, lease, one[1])
      if claimed[1] then
        wanted = wanted - 1
        give(claimed[1])
      end
    end
  end
end
if there and wanted > 0 then
  local read = redis.pcall('XREADGROUP', 'GROUP', 'readers', server, 'COUNT', wanted, 'STREAMS', KEYS[1], '>')
  if read and not read.err then
    for _, entry in ipairs(read[1][2]) do give(entry) end
  end
end

local waiting = 0
if there then
  local length = redis.call('XLEN', KEYS[1])
  if length == 0 then
    redis.call('DEL', KEYS[1])
  else
    local taken = redis.pcall('XPENDING', KEYS[1], 'readers')
    waiting = length - (taken.err and 0 or taken[1])
    redis.call('PEXPIRE', KEYS[1], stays)
  end
end
return {elsewhere, waiting, lost, replies, gone, entries}
";

/// KEYS: the stream.
/// ARGV: server, entry, task, epoch, kind, body, how long it stays ms.
/// Returns: 1 when the owner is told, 0 when nothing was done.
pub(super) const ANSWER: &str = r"#!lua
if redis.call('EXISTS', KEYS[1]) == 0 or not holds(ARGV[1], ARGV[2]) then return 0 end
local entry = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]
local told = 0
if entry and fresh(ARGV[3], ARGV[4]) then
  reply(field(entry, 'owner'), ARGV[2], ARGV[5], ARGV[6], ARGV[7])
  told = 1
end
drop(ARGV[2])
return told
";

/// A script after its first line with what they share.
pub(super) fn script(script: &str) -> redis::Script {
    let (shebang, body) = script.split_once('\n').unwrap_or((script, ""));
    redis::Script::new(&format!("{shebang}\n{SHARED}{body}"))
}

/// What [`ROUND`] returns.
type News = (i64, u32, Vec<String>, Vec<Vec<u8>>, Vec<String>, Vec<Vec<u8>>);

impl RedisStore {
    pub(super) async fn export_shards(&self, group: &str, shards: &[FeedShard]) -> Result<Vec<String>, StoreError> {
        let mut call = self.scripts.feed_export.prepare_invoke();
        call.key(keys::feed(group)).arg(self.feed_stays());
        for shard in shards {
            call.arg(&shard.owner).arg(shard.task.to_string()).arg(shard.epoch).arg(&shard.body[..]);
        }
        call.invoke_async(&mut self.connection()).await.map_err(|e| self.lost(&e))
    }

    pub(super) async fn go_feed_round(&self, round: &FeedRound) -> Result<FeedNews, StoreError> {
        let mut call = self.scripts.feed_round.prepare_invoke();
        call.key(keys::feed(&round.group)).key(keys::feeders(&round.group)).key(keys::replies(&round.server));
        call.arg(&round.server)
            .arg(round.capacity)
            .arg(u8::from(round.looks))
            .arg(round.wanted)
            .arg(self.lease_ms())
            .arg(self.feed_stays());
        call.arg(millis(PRESENT)).arg(MOST_REPLIES * 3).arg(FeedRound::MAX_DELIVERIES);
        call.arg(round.held.len());
        for held in &round.held {
            call.arg(&held.id).arg(held.task.to_string()).arg(held.epoch);
        }
        for list in [&round.given_back, &round.withdrawn, &round.asked, &round.overdue] {
            call.arg(list.len());
            for id in list {
                call.arg(id);
            }
        }
        let (elsewhere, waiting, lost, replies, gone, entries): News =
            call.invoke_async(&mut self.connection()).await.map_err(|e| self.lost(&e))?;
        let replies = replies.chunks_exact(3).map(|three| (text(&three[0]), reply(&three[1], &three[2])));
        let entries = entries.chunks_exact(5).map(|five| {
            let [task, epoch] = [text(&five[2]), text(&five[3])];
            let (task, epoch) = (task.parse::<TaskId>().ok()?, epoch.parse().ok()?);
            let shard = FeedShard::new(text(&five[1]), task, epoch, five[4].clone());
            Some(FeedEntry::new(text(&five[0]), shard))
        });
        let (replies, entries) = (replies.collect(), entries.flatten().collect());
        let capacity_elsewhere = u32::try_from(elsewhere).ok();
        Ok(FeedNews { capacity_elsewhere, waiting, lost, replies, gone, entries })
    }

    pub(super) async fn answer_shard(&self, answer: &FeedAnswer) -> Result<bool, StoreError> {
        let (kind, body) = match &answer.reply {
            FeedReply::Answer(body) => ("answer", &body[..]),
            FeedReply::Refused => ("refused", &[][..]),
            FeedReply::Unanswered => ("unanswered", &[][..]),
        };
        let mut call = self.scripts.feed_answer.prepare_invoke();
        call.key(keys::feed(&answer.group)).arg(&answer.server).arg(&answer.held.id);
        call.arg(answer.held.task.to_string()).arg(answer.held.epoch).arg(kind).arg(body).arg(self.feed_stays());
        let told: u8 = call.invoke_async(&mut self.connection()).await.map_err(|e| self.lost(&e))?;
        Ok(told == 1)
    }

    /// How long what no server uses any more stays.
    fn feed_stays(&self) -> u64 {
        self.lease_ms().saturating_mul(4).max(10_000)
    }
}

fn reply(kind: &[u8], body: &[u8]) -> FeedReply {
    match kind {
        b"answer" => FeedReply::Answer(body.to_vec()),
        b"unanswered" => FeedReply::Unanswered,
        _ => FeedReply::Refused,
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
