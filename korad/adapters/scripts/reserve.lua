-- Takes what one exchange asks of the limits of its key, team and customer: all of it or nothing.
--
-- KEYS  1 gen  2 hold  3 held  4 open  5 rate  6 bal, then the hashes of the periods that count
-- ARGV  hold id, producer, amount, least, tokens, number of entities, number of budgets,
--       then each entity: name, requests a minute, tokens a minute, concurrent ("" = no limit),
--       then each budget: entity's name, limit, first of its KEYS, how many of them
-- Replies {1, granted}, {0, kind, place, wait in ms} with kind 1 budget, 2 concurrency, 3 requests,
--       4 tokens and place in the list of budgets or entities, or {-9}: the books are not ready.
--
-- Amounts are nano-USD. Lua compares them as doubles: exact to 2^53, $9.0 million per account.

-- Redis before 7 would replicate this text, not its effects, and so forbid TIME before a write.
if redis.replicate_commands then redis.replicate_commands() end

local hold_id, producer = ARGV[1], ARGV[2]
local amount, least, tokens = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local entity_count, budget_count = tonumber(ARGV[6]), tonumber(ARGV[7])
local budgets_at = 8 + entity_count * 4

if redis.call('EXISTS', KEYS[1]) == 0 then return {-9} end
local known = redis.call('HGET', KEYS[2], hold_id)
if known then return {1, string.match(known, '|(%d+)|')} end

-- Budgets: the grant is what all of them have left.
local grant = amount
for b = 1, budget_count do
  local at = budgets_at + (b - 1) * 4
  local name, left = ARGV[at], tonumber(ARGV[at + 1])
  left = left - tonumber(redis.call('HGET', KEYS[3], name) or '0')
  local first = tonumber(ARGV[at + 2])
  for k = first, first + tonumber(ARGV[at + 3]) - 1 do
    left = left - tonumber(redis.call('HGET', KEYS[k], name) or '0')
  end
  if left < least then return {0, 1, b, 0} end
  if left < grant then grant = left end
end

-- Requests under way.
for e = 1, entity_count do
  local at = 8 + (e - 1) * 4
  local most = tonumber(ARGV[at + 3])
  if most and tonumber(redis.call('HGET', KEYS[4], ARGV[at]) or '0') >= most then
    return {0, 2, e, 0}
  end
end

-- Rates: token buckets that hold one minute's worth. A level is kept in sixty-thousandths of a unit,
-- so that a millisecond adds exactly the limit.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local MINUTE = 60000

local function text(number) return string.format('%.0f', number) end

local function level_of(field, per_minute)
  local full = per_minute * MINUTE
  local level, since = string.match(redis.call('HGET', KEYS[5], field) or '', '^(-?%d+) (%d+)$')
  if not level then return full end
  level, since = tonumber(level), tonumber(since)
  if since > now then
    -- The clock went back. From here it counts anew: nothing is added, and nothing waits for the
    -- clock to catch up. (A jump forwards adds what fills the bucket, no more.)
    redis.call('HSET', KEYS[5], field, text(level) .. ' ' .. text(now))
    since = now
  end
  return math.min(full, level + (now - since) * per_minute)
end

local refusal = nil
local taken = {}
local function take(kind, e, field, per_minute, units)
  local level = level_of(field, per_minute)
  -- More than a bucket holds is let through by a full one, which owes the rest.
  local need = math.min(units, per_minute) * MINUTE
  if per_minute == 0 or level < need then
    local wait = per_minute == 0 and MINUTE or math.ceil((need - level) / per_minute)
    if not refusal or wait > refusal[4] then refusal = {0, kind, e, wait} end
  end
  taken[#taken + 1] = field
  taken[#taken + 1] = text(level - units * MINUTE) .. ' ' .. text(now)
end

local names = {}
for e = 1, entity_count do
  local at = 8 + (e - 1) * 4
  names[e] = ARGV[at]
  local requests, tokens_max = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  if requests then take(3, e, names[e] .. '|r', requests, 1) end
  if tokens_max then take(4, e, names[e] .. '|t', tokens_max, tokens) end
end
if refusal then return refusal end

-- All agree: take.
local granted = text(grant)
if #taken > 0 then redis.call('HSET', KEYS[5], unpack(taken)) end
for e = 1, entity_count do
  if granted ~= '0' then redis.call('HINCRBY', KEYS[3], names[e], granted) end
  redis.call('HINCRBY', KEYS[4], names[e], 1)
end
redis.call('HSET', KEYS[2], hold_id,
  producer .. '|' .. granted .. '|' .. table.concat(names, ',') .. '|1')
return {1, granted}
