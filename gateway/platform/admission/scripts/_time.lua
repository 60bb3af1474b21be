-- What every script starts with: the server's clock and the UTC calendar it stands in.
local function clock_us()
  local t = redis.call('TIME')
  return t[1] * 1000000 + t[2]
end

-- 'YYYYMM' and 'YYYYMMDD' of a moment (seconds since 1970), by counting days from 1 March of the year 0, so that leap
-- days come last.
local function calendar(seconds)
  local z = math.floor(seconds / 86400) + 719468
  local era = math.floor(z / 146097)
  local day = z - era * 146097
  local year = math.floor((day - math.floor(day / 1460) + math.floor(day / 36524) - math.floor(day / 146096)) / 365)
  local rest = day - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local month = math.floor((5 * rest + 2) / 153)
  local of_month = rest - math.floor((153 * month + 2) / 5) + 1
  month = month < 10 and month + 3 or month - 9
  year = year + era * 400 + (month <= 2 and 1 or 0)
  local name = string.format('%04d%02d', year, month)
  return name, name .. string.format('%02d', of_month)
end

-- Lua would write a large number as 1.7e+15.
local function whole(number)
  return string.format('%.0f', number)
end
