-- Move the expiry of leases that are still open; one that was settled or reaped meanwhile stays closed.
-- KEYS: 1 expiries of leases   ARGV: pairs of request id, ttl ms
-- Returns how many were open.
local now_ms = math.floor(clock_us() / 1000)
local open = 0
for at = 1, #ARGV, 2 do
  if redis.call('ZSCORE', KEYS[1], ARGV[at]) then
    redis.call('ZADD', KEYS[1], whole(now_ms + ARGV[at + 1]), ARGV[at])
    open = open + 1
  end
end
return open
