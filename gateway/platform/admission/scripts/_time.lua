-- What every script starts with: the server's clock and the id of the UTC calendar month it stands in.
local function clock_us()
  local t = redis.call('TIME')
  return t[1] * 1000000 + t[2]
end

-- 'YYYYMM' of a moment (seconds since 1970), by counting days from 1 March of the year 0, so that leap days come last.
local function month_of(seconds)
  local z = math.floor(seconds / 86400) + 719468
  local era = math.floor(z / 146097)
  local day = z - era * 146097
  local year = math.floor((day - math.floor(day / 1460) + math.floor(day / 36524) - math.floor(day / 146096)) / 365)
  local rest = day - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local month = math.floor((5 * rest + 2) / 153)
  month = month < 10 and month + 3 or month - 9
  year = year + era * 400 + (month <= 2 and 1 or 0)
  return string.format('%04d%02d', year, month)
end

-- Lua would write a large number as 1.7e+15.
local function whole(number)
  return string.format('%.0f', number)
end

-- A month's counters: calls, spend (micro-dollars), and what a re-seeding put back of each after a flush.
local MONTH_KEPT_S = 75 * 86400

local function count(key, field, by)
  -- A field that now holds exactly this was new, and perhaps so is the hash.
  if redis.call('HINCRBY', key, field, by) == tonumber(by) then
    redis.call('EXPIRE', key, MONTH_KEPT_S)
  end
end

local function used_calls(key)
  local both = redis.call('HMGET', key, 'calls', 'seed_calls')
  return tonumber(both[1] or 0) + tonumber(both[2] or 0)
end

-- GCRA: tat is the moment (us) at which the bucket is full again. Steps are whole microseconds, so nothing drifts.
local function gcra_step(limit, window_us)
  return math.max(1, math.floor(window_us / limit))
end
