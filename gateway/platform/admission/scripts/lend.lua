-- Take something in hand for when the store is away: calls of the month and money of the hard budgets, a small share of
-- what is left of the tightest. What was in hand under this id before goes back in the same step.
-- KEYS: 1 prefix of the shard
-- ARGV: 1 id, 2 ttl ms, 3 calls at most, 4 micros at most, 5 share (one part in so many), 6 org id, 7 holders,
--       8 limits (JSON, as admit has them)
-- Returns: calls (0: nothing is lent), micros (-1: no hard budget), now ms, month, day.
local base, id, org, holders = KEYS[1], ARGV[1], ARGV[6], ARGV[7]
local now_ms = math.floor(clock_us() / 1000)
local month, day = calendar(now_ms / 1000)
local windows = { month = month, day = day, life = 'life' }
local before = parse(redis.call('HGET', base .. 'lease', id))
if before then
  close_lease(base, id, before, 0, true)
end
local function total(numbers)
  local all = 0
  for at = 1, #numbers do all = all + tonumber(numbers[at] or 0) end
  return all
end

local calls, micros = tonumber(ARGV[3]), -1
local seeded = redis.call('GET', base .. 'seeded')
local believed = seeded and now_ms >= tonumber(seeded:match('^%d+'))
for _, limit in ipairs(cjson.decode(ARGV[8])) do
  local kind, most = limit[1], limit[4]
  if (kind == 'calls' or kind == 'budget') and most >= 0 and limit[6] == 0 then
    local key = use_key(base, org, limit[2], windows[limit[5]])
    if kind == 'calls' then
      local left = most - total(redis.call('HMGET', key, 'calls', 'seed_calls', 'lent_calls'))
      calls = math.min(calls, math.floor(math.max(0, left) / ARGV[5]))
    else
      local left = most - total(redis.call('HMGET', key, 'spend', 'seed_spend', 'held', 'lent'))
      micros = math.min(micros < 0 and tonumber(ARGV[4]) or micros, math.floor(math.max(0, left) / ARGV[5]))
      if not believed then micros = 0 end
    end
  end
end
if calls <= 0 or micros == 0 then
  return { 0, 0, now_ms, month, day }
end
local lease = {
  kind = 'lent', month = month, day = day, calls = calls, estimate = math.max(0, micros), org = org, holders = holders,
}
redis.call('HSET', base .. 'lease', id, table.concat({
  'lent', month, day, whole(now_ms), whole(calls), whole(lease.estimate), '0', org, holders, '', '{}',
}, '|'))
redis.call('ZADD', base .. 'leases', whole(now_ms + ARGV[2]), id)
count_lease(base, lease, 1, true)
return { calls, micros, now_ms, month, day }
