//! An endpoint's limits, shared out between servers: one script.

use std::time::Duration;

use super::{RedisStore, keys};
use crate::store::{Share, ShareRequest, SharedWindow, StoreError};

/// How long what is known of an endpoint stays when no server calls it.
const KEPT: Duration = Duration::from_hours(1);
/// The stretch of time that the rates even out: so much may be drawn at once after a pause.
const BURST: Duration = Duration::from_millis(500);
/// After the store was unavailable, so long no server gets more than it had: the time in which the others are back, too.
const GRACE: Duration = Duration::from_millis(1_500);
/// How long one server's turn for the calls that cannot be divided lasts.
const TURN: Duration = Duration::from_secs(5);

/// The clock of the store decides which shares have ended, and what has come in.
///
/// Calls in flight are divided max-min fair by what the servers want; of what is left over by the division each gets one more
/// in turn. A server gets no more than the others do not hold, and holds what it has in flight, also when its share is
/// smaller now. What a predecessor held, which is dead, is free. When a server comes that kept a share while the store was unavailable, or has calls in flight that the
/// store knows nothing of, others may come that did: for a moment none gets more than it has. Rates are drawn by the generic
/// cell rate algorithm (ITU-T I.371): `due` is the moment up to which everything has been drawn.
///
/// KEYS: the servers, what is known of the endpoint.
/// ARGV: server, lease ms, most in flight, in flight, wanted, calls, calls a minute or 0, tokens, tokens a minute or 0, answered,
/// epoch, pause ms, limit and state of the next window or two empty ones, burst ms, turn ms, kept ms,
/// the share that was kept or -1, grace ms, the predecessor or empty.
/// Returns: {in flight, calls, tokens, ms until the next call or -1, epoch, limit, state, answered, elsewhere, held elsewhere,
/// sharers, pause ms}.
pub(super) const SHARE: &str = r"#!lua flags=allow-oom
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000
local server, lease, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local in_flight, wanted = tonumber(ARGV[4]), tonumber(ARGV[5])
local burst, turn, stays = tonumber(ARGV[15]), tonumber(ARGV[16]), tonumber(ARGV[17])
local kept, grace = tonumber(ARGV[18]), tonumber(ARGV[19])

local known = redis.call('HMGET', KEYS[2], 'epoch', 'limit', 'state', 'answered', 'paused', 'calls', 'tokens', 'grace')
local function number(at, default) return tonumber(known[at] or '') or default end
local epoch, limit, state, answered = number(1, 0), number(2, most), known[3] or '', number(4, 0)
if tonumber(ARGV[11]) == epoch then
  if ARGV[13] ~= '' then
    epoch, limit, state, answered = epoch + 1, tonumber(ARGV[13]), ARGV[14], 0
  else
    answered = answered + tonumber(ARGV[10])
  end
end
local paused = number(5, 0)
if tonumber(ARGV[12]) > 0 then paused = math.max(paused, now + tonumber(ARGV[12])) end

local careful = number(8, 0)
if kept >= 0 or (not known[1] and in_flight > 0) then careful = now + grace end

local total = math.max(1, math.floor(math.min(limit, most)))
local free, elsewhere, held, mine, sharers = total, 0, 0, kept, {}
local servers = redis.call('HGETALL', KEYS[1])
for at = 1, #servers, 2 do
  local name = servers[at]
  local ends, holds, flying, wants = string.match(servers[at + 1], '^(%S+) (%S+) (%S+) (%S+)$')
  if name == server then
    if tonumber(ends) > now then mine = math.max(mine, tonumber(holds)) end
  elseif tonumber(ends) <= now or name == ARGV[20] then
    redis.call('HDEL', KEYS[1], name)
  else
    free, elsewhere = free - tonumber(holds), elsewhere + tonumber(flying)
    held = held + math.min(tonumber(holds), tonumber(wants))
    if tonumber(wants) > 0 then table.insert(sharers, {name, tonumber(wants)}) end
  end
end
if wanted > 0 then table.insert(sharers, {server, wanted}) end
table.sort(sharers, function(a, b)
  if a[2] ~= b[2] then return a[2] < b[2] end
  return a[1] < b[1]
end)
local left, fair = total, 0
for at, sharer in ipairs(sharers) do
  local rest = #sharers - at + 1
  local part = math.floor(left / rest)
  if sharer[2] <= part then
    left = left - sharer[2]
    if sharer[1] == server then fair = sharer[2] end
  else
    for place = 0, rest - 1 do
      local more = (place + math.floor(now / turn)) % rest < left % rest and 1 or 0
      if sharers[at + place][1] == server then fair = part + more end
    end
    break
  end
end
local share = math.max(0, math.min(fair, free))
if careful > now then share = math.min(share, math.max(mine, in_flight)) end
if wanted == 0 and in_flight == 0 then
  redis.call('HDEL', KEYS[1], server)
else
  local entry = string.format('%.0f %d %d %d', now + lease, math.max(in_flight, share), in_flight, wanted)
  redis.call('HSET', KEYS[1], server, entry)
end

local function draw(amount, a_minute, due)
  if a_minute == 0 then return 0, due, -1 end
  local each = 60000 / a_minute
  due = math.max(due, now - math.max(each, burst))
  local drawn = math.max(0, math.min(amount, math.floor((now - due) / each + 1e-6)))
  due = due + drawn * each
  return drawn, due, drawn < amount and math.max(0, math.ceil(due + each - now)) or -1
end
local calls, calls_due, next_call = draw(tonumber(ARGV[6]), tonumber(ARGV[7]), number(6, 0))
local tokens, tokens_due = draw(tonumber(ARGV[8]), tonumber(ARGV[9]), number(7, 0))

redis.call('HSET', KEYS[2], 'epoch', epoch, 'limit', string.format('%.6f', limit), 'state', state, 'answered', answered,
  'paused', string.format('%.3f', paused), 'calls', string.format('%.4f', calls_due),
  'tokens', string.format('%.4f', tokens_due), 'grace', string.format('%.0f', careful))
redis.call('PEXPIRE', KEYS[1], stays)
redis.call('PEXPIRE', KEYS[2], stays)
return {share, calls, tokens, next_call, epoch, string.format('%.6f', limit), state, answered, elsewhere, held, #sharers,
  math.max(0, math.floor(paused - now + 0.5))}
";

/// What the script returns.
type Answer = (u32, u32, u64, i64, u64, f64, String, u32, u32, u32, u32, u64);

impl RedisStore {
    pub(super) async fn share_out(&self, asked: &ShareRequest) -> Result<Share, StoreError> {
        let (limit, state) = asked
            .window
            .as_ref()
            .map_or_else(Default::default, |window| (window.limit.to_string(), window.state.clone()));
        let mut call = self.scripts.share.prepare_invoke();
        call.key(keys::sharers(&asked.endpoint)).key(keys::endpoint(&asked.endpoint));
        call.arg(&asked.server).arg(millis(asked.lease)).arg(asked.max_in_flight.max(1));
        call.arg(asked.in_flight).arg(asked.wanted);
        call.arg(asked.calls).arg(asked.calls_per_minute.unwrap_or(0));
        call.arg(asked.tokens).arg(asked.tokens_per_minute.unwrap_or(0));
        call.arg(asked.answered).arg(asked.epoch).arg(millis(asked.pause)).arg(limit).arg(state);
        call.arg(millis(BURST)).arg(millis(TURN)).arg(millis(KEPT));
        call.arg(asked.kept.map_or(-1, i64::from)).arg(millis(GRACE));
        call.arg(asked.predecessor.as_deref().unwrap_or_default());
        let answer: Answer = call.invoke_async(&mut self.connection()).await.map_err(|e| self.lost(&e))?;
        let (in_flight, calls, tokens, next, epoch, limit, state, answered, elsewhere, held, sharers, pause) = answer;
        Ok(Share {
            in_flight,
            calls,
            tokens,
            next_call: u64::try_from(next).ok().map(Duration::from_millis),
            window: (!state.is_empty()).then_some(SharedWindow { limit, state }),
            epoch,
            answered,
            elsewhere,
            held_elsewhere: held,
            sharers,
            pause: Duration::from_millis(pause),
        })
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
