-- Close the lease, count the money, append the entries. Run twice it counts once.
-- KEYS: 1 prefix of the shard
-- ARGV: 1 request id, 2 charged micros (all attempts), 3 give the call back (0/1), 4 seconds to keep the copy,
--       5 tokens used, 6 org id, 7 holders, 8 month, 9 day (where it counts if the lease is gone),
--       10… the entries (JSON), one per attempt, the last one is the copy
-- Returns 1 settled; 2 late: the lease was gone (reaped as estimated, or lost in a flush), the writer corrects;
--         0 already settled, or given back: nothing changed.
local base, id = KEYS[1], ARGV[1]
local copy = base .. 'request:' .. id
local charged = tonumber(ARGV[2])
local kind, holders, month, day = 'settled', ARGV[7], ARGV[8], ARGV[9]
local lease = parse(redis.call('HGET', base .. 'lease', id))
if lease then
  close_lease(base, id, lease, tonumber(ARGV[5]), ARGV[3] == '1')
  holders, month, day = lease.holders, lease.month, lease.day
else
  local before = redis.call('HMGET', copy, 'state', 'charged')
  if before[1] == 'settled' or before[1] == 'void' then
    return 0
  end
  kind = 'late'
  charged = charged - tonumber(before[2] or 0)
end
each_counter(base, ARGV[6], holders, month, day, function(key, window)
  add(key, 'spend', charged, window)
end)
for at = 10, #ARGV do
  redis.call('XADD', base .. 'usage', '*', 'kind', kind, 'data', ARGV[at])
end
redis.call('HSET', copy, 'state', 'settled', 'charged', ARGV[2], 'data', ARGV[#ARGV])
redis.call('EXPIRE', copy, ARGV[4])
return kind == 'settled' and 1 or 2
