-- Give an admission back whose caller never learned of it: no entry, and the call is not counted.
-- KEYS: 1 prefix of the shard   ARGV: 1 request id, 2 seconds to remember
-- The mark stays also when no lease is open: an admission still on its way finds it and opens none.
local base, id = KEYS[1], ARGV[1]
local copy = base .. 'request:' .. id
if redis.call('EXISTS', copy) == 1 then
  return 0
end
redis.call('HSET', copy, 'state', 'void')
redis.call('EXPIRE', copy, ARGV[2])
local lease = parse(redis.call('HGET', base .. 'lease', id))
if not lease then
  return 0
end
close_lease(base, id, lease, 0, true)
return 1
