-- Give an admission back whose caller never learned of it: no entry, and the call is not counted.
-- KEYS: 1 expiries of leases, 2 facts of leases, 3 copy of the request, 4 month prefix
-- ARGV: 1 request id, 2 seconds to remember
-- The mark stays also when no lease is open: an admission still on its way must not end as an estimated entry.
if redis.call('EXISTS', KEYS[3]) == 1 then
  return 0
end
redis.call('HSET', KEYS[3], 'state', 'void')
redis.call('EXPIRE', KEYS[3], ARGV[2])
local held = redis.call('HGET', KEYS[2], ARGV[1])
if not held then
  return 0
end
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[1], ARGV[1])
local month, counted = held:match('^(%d+)|%d+|(%d)|')
if counted == '1' then
  count(KEYS[4] .. month, 'calls', -1)
end
return 1
