-- One decision over every limit of a caller, all or nothing: when anything refuses, nothing is written.
-- KEYS: 1 prefix of the shard
-- ARGV: 1 'admit', or 'look' to change nothing, 2 request id, 3 counts as a call (0/1), 4 lease ttl ms (0 = no lease),
--       5 estimate micros, 6 tokens at most, 7 org id, 8 holders (joined by commas), 9 limits (JSON, see below),
--       10 facts (JSON)
-- A limit is [kind, holder, id, limit (-1 = none), window (us; month, day or life), only reports (0/1), since ms].
-- Returns: code, number of the limit that refused, now ms, month, day, then for each limit: would refuse (0/1, 2 = cannot
--          be known), left, ms until it is whole again, ms until a retry can pass, used, held.
-- Codes: 0 admitted, 1 a limit refused, 2 the request has, or had, a lease already.
local base, org, holders = KEYS[1], ARGV[7], ARGV[8]
local counts, ttl_ms = ARGV[3] == '1', tonumber(ARGV[4])
local estimate, tokens = tonumber(ARGV[5]), tonumber(ARGV[6])
local now = clock_us()
local now_ms = math.floor(now / 1000)
local month, day = calendar(now / 1000000)
local windows = { month = month, day = day, life = 'life' }

-- GCRA: the tat is the moment (us) at which the bucket is full again. Requests move it by whole steps, so nothing
-- drifts; tokens by their share of the window.
local function bucket(limit, cost, burst, per)
  local key = base .. 'rate:' .. org .. ':' .. limit[2] .. ':' .. limit[3]
  -- A limit that was lowered meanwhile asks nobody to wait for longer than its own window.
  local tat = math.min(math.max(tonumber(redis.call('GET', key) or 0), now), now + burst)
  local after = tat + cost
  local over = after - now - burst
  local s = { over > 0 and 1 or 0, 0, 0, over > 0 and math.ceil(over / 1000) or 0, 0, 0 }
  local function show(at)
    s[2] = math.floor((burst - (at - now)) / per)
    s[3] = math.ceil((at - now) / 1000)
  end
  show(tat)
  function s.take()
    show(after)
    redis.call('SET', key, whole(after), 'PX', math.max(1, math.ceil((after - now) / 1000)))
    return cost
  end
  return s
end

local look = {}

function look.requests(limit)
  local step = math.max(1, math.floor(limit[5] / limit[4]))
  return bucket(limit, step, step * limit[4], step)
end

function look.tokens(limit)
  local per = limit[5] / limit[4]
  local s = bucket(limit, math.ceil(tokens * per), limit[5], per)
  local take = s.take
  function s.take()
    return 't' .. 'rate:' .. org .. ':' .. limit[2] .. ':' .. limit[3] .. '=' .. whole(take())
  end
  return s
end

function look.concurrency(limit)
  local name = 'open:' .. org .. ':' .. limit[2] .. ':' .. limit[3]
  local open = tonumber(redis.call('GET', base .. name) or 0)
  local s = { open >= limit[4] and 1 or 0, math.max(0, limit[4] - open), 0, 1000, open, 0 }
  function s.take()
    s[2], s[5] = limit[4] - open - 1, open + 1
    redis.call('SET', base .. name, open + 1, 'EX', 86400)
    return 'c' .. name
  end
  return s
end

function look.calls(limit)
  local one = counts and 1 or 0
  local s = sum(base, org, limit, windows, 'calls', 'none', 'lent_calls', one)
  if not counts then s[1] = 0 end
  function s.take()
    s[5], s[2] = s[5] + one, math.max(0, s[2] - one)
  end
  return s
end

local unknown = doubts(base, now_ms)

function look.budget(limit)
  local s = sum(base, org, limit, windows, 'spend', 'held', 'lent', math.max(estimate, 1))
  if s[1] == 0 and limit[4] >= 0 and limit[6] == 0 and unknown(limit[7]) then s[1] = 2 end
  function s.take()
    s[6], s[2] = s[6] + estimate, math.max(0, s[2] - estimate)
  end
  return s
end

-- Where a retry cannot help, that is the more useful answer; then what cannot be known; then the longest wait.
local function weight(limit, s)
  if s[1] == 2 then return 2 end
  return (limit[1] == 'calls' or limit[1] == 'budget') and 3 or 1
end

local limits, states = cjson.decode(ARGV[9]), {}
local refused
for at, limit in ipairs(limits) do
  local s = look[limit[1]](limit)
  states[at] = s
  if s[1] ~= 0 and limit[6] == 0 then
    local before = refused and weight(limits[refused], states[refused]) or 0
    local mine = weight(limit, s)
    if mine > before or (mine == before and s[4] > states[refused][4]) then refused = at end
  end
end

local function answer(code)
  local reply = { code, refused or 0, now_ms, month, day }
  for _, s in ipairs(states) do
    for at = 1, 6 do reply[#reply + 1] = s[at] end
  end
  return reply
end

if refused then
  return answer(1)
end
if ARGV[1] == 'look' then
  return answer(0)
end
if ttl_ms > 0 and (redis.call('HEXISTS', base .. 'lease', ARGV[2]) == 1
    or redis.call('EXISTS', base .. 'request:' .. ARGV[2]) == 1) then
  -- Also what was given back before it got here: nobody waits for it any more.
  return answer(2)
end

local gates = {}
for at, limit in ipairs(limits) do
  -- A limit that only reports counts what it would have let in.
  if states[at][1] == 0 then
    local gate = states[at].take()
    if type(gate) == 'string' then gates[#gates + 1] = gate end
  end
end
if ttl_ms > 0 then
  local calls = counts and '1' or '0'
  local lease = table.concat({
    'lease', month, day, whole(now_ms), calls, ARGV[5], ARGV[6], org, holders, table.concat(gates, ','), ARGV[10],
  }, '|')
  redis.call('HSET', base .. 'lease', ARGV[2], lease)
  redis.call('ZADD', base .. 'leases', whole(now_ms + ttl_ms), ARGV[2])
  count_lease(base, {
    kind = 'lease', month = month, day = day, org = org, holders = holders, calls = tonumber(calls), estimate = estimate,
  }, 1, true)
end
return answer(0)
