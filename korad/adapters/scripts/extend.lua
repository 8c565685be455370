-- Makes a hold larger by what the budgets still allow.
--
-- KEYS  as reserve.lua: 1 gen  2 hold  3 held  4 open  5 rate  6 bal, then the hashes of the periods
-- ARGV  hold id, extra, number of budgets, then each: entity's name, limit, first of its KEYS, how many
-- Replies {1, granted}, granted "0" where nothing is left; {-1}: there is no such hold (Redis was
-- emptied, or its event is settled); {-9}: the books are not ready.
--
-- Amounts are nano-USD, exact to 2^53, as in reserve.lua.

local hold_id, extra = ARGV[1], tonumber(ARGV[2])

if redis.call('EXISTS', KEYS[1]) == 0 then return {-9} end
local hold = redis.call('HGET', KEYS[2], hold_id)
if not hold then return {-1} end
local producer, nano, names, concurrent = string.match(hold, '^([^|]*)|(%d+)|([^|]*)|([01])$')

local grant = extra
for b = 1, tonumber(ARGV[3]) do
  local at = 4 + (b - 1) * 4
  local name, left = ARGV[at], tonumber(ARGV[at + 1])
  left = left - tonumber(redis.call('HGET', KEYS[3], name) or '0')
  local first = tonumber(ARGV[at + 2])
  for k = first, first + tonumber(ARGV[at + 3]) - 1 do
    left = left - tonumber(redis.call('HGET', KEYS[k], name) or '0')
  end
  if left < grant then grant = left end
end
if grant <= 0 then return {1, '0'} end

local granted = string.format('%.0f', grant)
for name in string.gmatch(names, '[^,]+') do
  redis.call('HINCRBY', KEYS[3], name, granted)
end
local grown = string.format('%.0f', tonumber(nano) + grant)
redis.call('HSET', KEYS[2], hold_id, producer .. '|' .. grown .. '|' .. names .. '|' .. concurrent)
return {1, granted}
