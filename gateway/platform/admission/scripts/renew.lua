-- Move the expiry of leases that are still open; one that was settled or reaped meanwhile stays closed.
-- KEYS: 1 prefix of the shard   ARGV: pairs of request id, ttl ms
-- Returns the ids that are not open.
local leases = KEYS[1] .. 'leases'
local now_ms = math.floor(clock_us() / 1000)
local gone = {}
for at = 1, #ARGV, 2 do
  if redis.call('ZSCORE', leases, ARGV[at]) then
    redis.call('ZADD', leases, whole(now_ms + ARGV[at + 1]), ARGV[at])
  else
    gone[#gone + 1] = ARGV[at]
  end
end
return gone
