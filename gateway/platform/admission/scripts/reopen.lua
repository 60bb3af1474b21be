-- Open a lease that the store does not know: it was granted while the store was away, or the store was emptied.
-- KEYS: 1 prefix of the shard
-- ARGV: 1 request id, 2 ttl ms, 3 the lease as it is held, 4 only if the store was emptied after it was opened (0/1)
-- Returns 1 when it is open now and was not before.
local base, id = KEYS[1], ARGV[1]
if redis.call('HEXISTS', base .. 'lease', id) == 1 or redis.call('EXISTS', base .. 'request:' .. id) == 1 then
  return 0
end
local lease = parse(ARGV[3])
if ARGV[4] == '1' then
  local seeded = tostring(redis.call('GET', base .. 'seeded')):match('^%d+|(%d+)$')
  if seeded and tonumber(seeded) < lease.opened then
    return 0
  end
end
redis.call('HSET', base .. 'lease', id, ARGV[3])
redis.call('ZADD', base .. 'leases', whole(math.floor(clock_us() / 1000) + ARGV[2]), id)
count_lease(base, lease, 1, true)
return 1
