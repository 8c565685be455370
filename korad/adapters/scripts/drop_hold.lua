-- Drop a hold whose event will never come: its producer has ended and is fully shipped.
--
-- KEYS  hold, held, open     ARGV  hold id, the producer it must be of     Returns 1 if it was there.

local hold = redis.call('HGET', KEYS[1], ARGV[1])
if not hold then return 0 end
local producer, amount, entities, under_way = string.match(hold, '^([^|]*)|([^|]*)|([^|]*)|([^|]*)')
if producer ~= ARGV[2] then return 0 end
for entity in string.gmatch(entities, '[^,]+') do
  if amount ~= '0' then redis.call('HINCRBY', KEYS[2], entity, '-' .. amount) end
  if under_way == '1' then redis.call('HINCRBY', KEYS[3], entity, '-1') end
end
redis.call('HDEL', KEYS[1], ARGV[1])
return 1
