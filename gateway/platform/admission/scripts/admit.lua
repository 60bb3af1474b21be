-- One decision, all or nothing: when anything refuses, nothing is written.
-- KEYS: 1 the rate's tat, 2 month prefix (…:month:<org>:), 3 expiries of leases, 4 facts of leases
-- ARGV: 1 request id, 2 limit, 3 window us, 4 calls quota ('' = unlimited), 5 counts as a call (0/1),
--       6 lease ttl ms (0 = no lease), 7 estimate micros, 8 org id, 9 facts (JSON)
-- Returns: code (0 admitted, 1 rate, 2 quota, 3 the request has a lease already), remaining, ms until the bucket is full,
--          ms until a retry can pass, calls used, now ms, month
local limit, window_us = tonumber(ARGV[2]), tonumber(ARGV[3])
local counts = ARGV[5] == '1'
local ttl_ms = tonumber(ARGV[6])
local now = clock_us()
local now_ms = math.floor(now / 1000)
local month = month_of(now / 1000000)
local month_key = KEYS[2] .. month

local step = gcra_step(limit, window_us)
local burst = step * limit
local tat = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local next_tat = tat + step
local used = used_calls(month_key)

local function answer(code, left_tat, retry_us)
  return {
    code,
    math.floor((burst - (left_tat - now)) / step),
    math.ceil((left_tat - now) / 1000),
    math.ceil(retry_us / 1000),
    used,
    now_ms,
    month,
  }
end

-- The quota first: a retry cannot help there, so it is the more useful answer when both refuse.
if counts and ARGV[4] ~= '' and used >= tonumber(ARGV[4]) then
  return answer(2, tat, 0)
end
if next_tat - now > burst then
  return answer(1, tat, next_tat - now - burst)
end
-- The last check and the first write in one.
if ttl_ms > 0 and redis.call('HSETNX', KEYS[4], ARGV[1], table.concat({
  month, whole(now_ms), counts and '1' or '0', ARGV[7], ARGV[8], ARGV[9],
}, '|')) == 0 then
  return answer(3, tat, 0)
end

redis.call('SET', KEYS[1], whole(next_tat), 'PX', math.ceil((next_tat - now) / 1000))
if counts then
  count(month_key, 'calls', 1)
  used = used + 1
end
if ttl_ms > 0 then
  redis.call('ZADD', KEYS[3], whole(now_ms + ttl_ms), ARGV[1])
end
return answer(0, next_tat, 0)
