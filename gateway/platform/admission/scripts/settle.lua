-- Close the lease, count the money, append the entries. Run twice it counts once.
-- KEYS: 1 expiries of leases, 2 facts of leases, 3 usage stream, 4 copy of the request, 5 month key of the lease
-- ARGV: 1 request id, 2 charged micros (all attempts), 3 give the call back (0/1), 4 seconds to keep the copy,
--       5… the entries (JSON), one per attempt, the last one is the copy
-- Returns 1 settled; 2 late: the lease was gone (reaped as estimated, or lost in a flush), the writer corrects;
--         0 already settled, or given back: nothing changed.
local charged = tonumber(ARGV[2])
local kind = 'settled'
if redis.call('HDEL', KEYS[2], ARGV[1]) == 1 then
  redis.call('ZREM', KEYS[1], ARGV[1])
  if ARGV[3] == '1' then
    count(KEYS[5], 'calls', -1)
  end
else
  local before = redis.call('HMGET', KEYS[4], 'state', 'charged')
  if before[1] == 'settled' or before[1] == 'void' then
    return 0
  end
  kind = 'late'
  charged = charged - tonumber(before[2] or 0)
end
if charged ~= 0 then
  count(KEYS[5], 'spend', whole(charged))
end
for at = 5, #ARGV do
  redis.call('XADD', KEYS[3], '*', 'kind', kind, 'data', ARGV[at])
end
redis.call('HSET', KEYS[4], 'state', 'settled', 'charged', ARGV[2], 'data', ARGV[#ARGV])
redis.call('EXPIRE', KEYS[4], ARGV[4])
return kind == 'settled' and 1 or 2
