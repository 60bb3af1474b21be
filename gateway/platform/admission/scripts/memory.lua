-- Count memory operations of the month; those beyond the plan are priced or, where it sells none, refused. A refusal
-- changes nothing.
-- KEYS: 1 prefix of the shard
-- ARGV: 1 org id, 2 operations, 3 included in the plan (-1 = any number), 4 micros for each one beyond (-1 = refuse),
--       5 the entry (JSON, an object), 6 holders that pay for it
-- Returns: refused (0/1), used, month
local base, n, most, each = KEYS[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local month, day = calendar(clock_us() / 1000000)
local key = use_key(base, ARGV[1], 'o', month)
local both = redis.call('HMGET', key, 'memory_ops', 'seed_memory_ops')
local used = tonumber(both[1] or 0) + tonumber(both[2] or 0)
local beyond = most < 0 and 0 or math.max(0, used + n - most) - math.max(0, used - most)
if beyond > 0 and each < 0 then
  return { 1, used, month }
end
add(key, 'memory_ops', n, month)
local entry = cjson.decode(ARGV[5])
entry.operations, entry.overage_micros = n, beyond > 0 and beyond * each or 0
each_counter(base, ARGV[1], ARGV[6], month, day, function(used_key, window)
  add(used_key, 'spend', entry.overage_micros, window)
end)
redis.call('XADD', base .. 'usage', '*', 'kind', 'memory', 'data', cjson.encode(entry))
return { 0, used + n, month }
