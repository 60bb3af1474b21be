-- What admit would find, without changing anything.
-- KEYS: 1 the rate's tat, 2 month prefix   ARGV: 1 limit, 2 window us
-- Returns: remaining, ms until the bucket is full, calls used, spent micros, now ms, month
local limit, window_us = tonumber(ARGV[1]), tonumber(ARGV[2])
local now = clock_us()
local month = month_of(now / 1000000)
local step = gcra_step(limit, window_us)
local tat = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local spent = redis.call('HMGET', KEYS[2] .. month, 'spend', 'seed_spend')
return {
  math.floor((step * limit - (tat - now)) / step),
  math.ceil((tat - now) / 1000),
  used_calls(KEYS[2] .. month),
  tonumber(spent[1] or 0) + tonumber(spent[2] or 0),
  math.floor(now / 1000),
  month,
}
