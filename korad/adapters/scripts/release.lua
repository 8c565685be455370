-- Ends the part of a hold that is no money: its exchange no longer counts as under way, and the
-- tokens it did not use go back to the buckets (or those it used beyond are taken).
--
-- KEYS  1 hold  2 held  3 open  4 rate
-- ARGV  hold id, whether the money goes back as well ("1": the exchange never began), used tokens,
--       reserved tokens, then each entity with a token rate: name, tokens a minute
-- Replies 1, or 0 where there was nothing to do: no such hold, or released before.

-- As in reserve.lua.
if redis.replicate_commands then redis.replicate_commands() end

local hold_id, drop = ARGV[1], ARGV[2] == '1'
local hold = redis.call('HGET', KEYS[1], hold_id)
if not hold then return 0 end
local producer, nano, names, concurrent = string.match(hold, '^([^|]*)|(%d+)|([^|]*)|([01])$')
if concurrent == '0' and not drop then return 0 end

-- What has come to nothing leaves nothing behind.
local function lower(key, name, amount)
  if redis.call('HINCRBY', key, name, '-' .. amount) == 0 then redis.call('HDEL', key, name) end
end

if drop then
  redis.call('HDEL', KEYS[1], hold_id)
  for name in string.gmatch(names, '[^,]+') do
    if nano ~= '0' then lower(KEYS[2], name, nano) end
  end
else
  redis.call('HSET', KEYS[1], hold_id, producer .. '|' .. nano .. '|' .. names .. '|0')
end
if concurrent == '0' then return 1 end

for name in string.gmatch(names, '[^,]+') do
  lower(KEYS[3], name, '1')
end

-- The buckets of reserve.lua: levels in sixty-thousandths of a token.
local MINUTE = 60000
local back = (tonumber(ARGV[4]) - tonumber(ARGV[3])) * MINUTE
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
for at = 5, #ARGV, 2 do
  local field, per_minute = ARGV[at] .. '|t', tonumber(ARGV[at + 1])
  local level, since = string.match(redis.call('HGET', KEYS[4], field) or '', '^(-?%d+) (%d+)$')
  if level then
    local filled = tonumber(level) + math.max(0, now - tonumber(since)) * per_minute
    local after = math.min(per_minute * MINUTE, math.min(per_minute * MINUTE, filled) + back)
    redis.call('HSET', KEYS[4], field, string.format('%.0f %.0f', after, now))
  end
end
return 1
