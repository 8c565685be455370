-- Keep a change of virtual keys, if nobody changed any since it was worked out.
-- KEYS  meta, keys, revs, names, digests, groups
-- ARGV  generation and revision the change was worked out on ("" and "0": an empty store);
--       generation and pepper probe for a new store; number of keys; for each key: id, record,
--       digest, active name it gives up ("" for none), active name it takes ("" for none);
--       then for each group: id, record
-- Returns the new revision as a string, or "" where another change came first.
local generation = redis.call('HGET', KEYS[1], 'generation') or ''
local revision = redis.call('HGET', KEYS[1], 'revision') or '0'
if generation ~= ARGV[1] or revision ~= ARGV[2] then return '' end
-- Milliseconds: should Redis come back with an older state, the next change still has a revision
-- that no worker has seen before.
local now = redis.call('TIME')
local new = math.max(tonumber(revision) + 1, now[1] * 1000 + math.floor(now[2] / 1000))
new = string.format('%.0f', new)
local at = 6
for _ = 1, tonumber(ARGV[5]) do
  redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1])
  redis.call('ZADD', KEYS[3], new, ARGV[at])
  redis.call('HSET', KEYS[5], ARGV[at + 2], ARGV[at])
  if ARGV[at + 3] ~= '' then redis.call('HDEL', KEYS[4], ARGV[at + 3]) end
  if ARGV[at + 4] ~= '' then redis.call('HSET', KEYS[4], ARGV[at + 4], ARGV[at]) end
  at = at + 5
end
while at < #ARGV do
  redis.call('HSET', KEYS[6], ARGV[at], ARGV[at + 1])
  at = at + 2
end
if generation == '' then
  redis.call('HSET', KEYS[1], 'generation', ARGV[3], 'pepper_probe', ARGV[4])
end
redis.call('HSET', KEYS[1], 'revision', new)
return new
