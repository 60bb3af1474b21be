-- Count memory operations of the month; those beyond the plan are priced and held against the caller's budgets or, where
-- the plan sells none, refused. A refusal changes nothing; the same request counts once.
-- KEYS: 1 prefix of the shard
-- ARGV: 1 org id, 2 operations, 3 included in the plan (-1 = any number), 4 micros for each one beyond (-1 = refuse),
--       5 the entry (JSON, an object), 6 holders that pay for it (joined by commas), 7 budgets (JSON, as admit has its
--       limits), 8 holders that pay for some of the operations only (JSON: [holder, operations] in their order)
-- Returns: code, used, month, number of the budget that refused, now ms, micros beyond the plan, then for each budget
--          what admit returns for a limit.
-- Codes: 0 counted, 1 the plan sells no more, 2 a budget refused.
local base, org, n, most, each = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local now_ms = math.floor(clock_us() / 1000)
local month, day = calendar(now_ms / 1000)
local windows = { month = month, day = day, life = 'life' }
local key = use_key(base, org, 'o', month)
local both = redis.call('HMGET', key, 'memory_ops', 'seed_memory_ops')
local used = tonumber(both[1] or 0) + tonumber(both[2] or 0)
local entry = cjson.decode(ARGV[5])
local mark = base .. 'memory:' .. entry.request_id
if redis.call('EXISTS', mark) == 1 then
  return { 0, used, month, 0, now_ms, 0 }
end
local beyond = most < 0 and 0 or math.max(0, used + n - most) - math.max(0, used - most)
if beyond > 0 and each < 0 then
  return { 1, used, month, 0, now_ms, 0 }
end
local overage = beyond > 0 and beyond * each or 0

-- The operations beyond the plan are the last ones; who pays for some of them pays for those of its own among them.
local shares, included = {}, n - beyond
for _, share in ipairs(cjson.decode(ARGV[8] or '[]')) do
  local free = math.min(included, share[2])
  included = included - free
  shares[share[1]] = (shares[share[1]] or 0) + (share[2] - free) * math.max(0, each)
end
local function due(holder)
  return shares[holder] or overage
end

local unknown = doubts(base, now_ms)
local limits, states, refused = cjson.decode(ARGV[7] or '[]'), {}, 0
for at, limit in ipairs(limits) do
  local more = due(limit[2])
  local s = sum(base, org, limit, windows, 'spend', 'held', 'lent', more)
  if more == 0 then
    s[1] = 0
  elseif s[1] == 0 and limit[4] >= 0 and limit[6] == 0 and unknown(limit[7]) then
    s[1] = 2
  end
  states[at] = s
  -- Too little money is the more useful answer than money that is not known.
  if s[1] ~= 0 and limit[6] == 0 and (refused == 0 or (s[1] == 1 and states[refused][1] == 2)) then refused = at end
end
local function answer(code, total)
  local reply = { code, total, month, refused, now_ms, overage }
  for _, s in ipairs(states) do
    for at = 1, 6 do reply[#reply + 1] = s[at] end
  end
  return reply
end
if refused > 0 then
  return answer(2, used)
end

add(key, 'memory_ops', n, month)
for holder in ARGV[6]:gmatch('[^,]+') do
  each_counter(base, org, holder, month, day, function(used_key, window)
    add(used_key, 'spend', due(holder), window)
  end)
end
entry.operations, entry.overage_micros = n, overage
redis.call('XADD', base .. 'usage', '*', 'kind', 'memory', 'data', cjson.encode(entry))
-- Long enough for what a worker journaled because it never heard the answer.
redis.call('SET', mark, '1', 'EX', 300)
return answer(0, used + n)
