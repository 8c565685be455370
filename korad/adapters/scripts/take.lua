-- Take the next events of one producer: all of them, once, in order, or none.
--
-- KEYS  generation, stream, sequence, hold, held, open, then per hour one hash per period
-- ARGV  producer, number of the first event, how many, how many holds,
--       the events, the ids of the holds that end,
--       then per hour: how many hashes, how many sums, the seconds to keep each hash (0: for ever),
--       and the sums, (entity, amount) each, that all of these hashes get
--
-- Returns {n, last}: n taken; 0: all were taken before; -1: events before these are missing (gap);
-- -2: some were taken before, send from last + 1; -9: Redis has been emptied.
-- Amounts stay strings: a Lua number above 2^53 is not exact.

if redis.call('EXISTS', KEYS[1]) == 0 then return {-9, 0} end
local producer, first, count, holds = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local last = tonumber(redis.call('HGET', KEYS[3], producer) or '0')
if first > last + 1 then return {-1, last} end
if first + count - 1 <= last then return {0, last} end
if first <= last then return {-2, last} end

local at = 5
for _ = 1, count do
  redis.call('XADD', KEYS[2], '*', 'e', ARGV[at])
  at = at + 1
end

local function lower(key, entity, amount)
  if redis.call('HINCRBY', key, entity, '-' .. amount) == 0 then redis.call('HDEL', key, entity) end
end

for _ = 1, holds do
  local hold = redis.call('HGET', KEYS[4], ARGV[at])
  if hold then
    local _, amount, entities, under_way = string.match(hold, '^([^|]*)|([^|]*)|([^|]*)|([^|]*)')
    for entity in string.gmatch(entities, '[^,]+') do
      if amount ~= '0' then lower(KEYS[5], entity, amount) end
      if under_way == '1' then lower(KEYS[6], entity, '1') end
    end
    redis.call('HDEL', KEYS[4], ARGV[at])
  end
  at = at + 1
end

local key = 7
while key <= #KEYS do
  local hashes, sums = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  local keeps = at + 2
  local begin = keeps + hashes
  at = begin + 2 * sums
  for hash = 0, hashes - 1 do
    for place = begin, at - 2, 2 do
      redis.call('HINCRBY', KEYS[key], ARGV[place], ARGV[place + 1])
    end
    local keep = ARGV[keeps + hash]
    if keep ~= '0' then redis.call('EXPIRE', KEYS[key], keep) end
    key = key + 1
  end
end

local now = first + count - 1
redis.call('HSET', KEYS[3], producer, string.format('%d', now))
return {count, now}
