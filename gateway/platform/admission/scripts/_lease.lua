-- A lease as it is held: kind|month|day|opened|calls|estimate|tokens|org|holders|gates|facts. The kind is 'lease', or
-- 'lent' for what a worker keeps in hand. Gates are what is to be opened again: c<key> a place among so many at once,
-- t<key>=<us> the time by which its tokens moved a bucket.
local FIELDS = '^(%a+)|(%d+)|(%d+)|(%d+)|(%d+)|(%d+)|(%d+)|([^|]*)|([^|]*)|([^|]*)|(.*)$'

local function parse(held)
  if not held then return nil end
  local kind, month, day, opened, calls, estimate, tokens, org, holders, gates, facts = held:match(FIELDS)
  if not kind then return nil end
  return {
    kind = kind, month = month, day = day, opened = tonumber(opened), calls = tonumber(calls),
    estimate = tonumber(estimate), tokens = tonumber(tokens), org = org, holders = holders, gates = gates,
    facts = facts,
  }
end

-- Counts an opened lease for all its holders; ``sign`` -1 takes its money back (and with ``calls`` its calls as well).
local function count_lease(base, lease, sign, calls)
  local lent = lease.kind == 'lent'
  each_counter(base, lease.org, lease.holders, lease.month, lease.day, function(key, window)
    add(key, lent and 'lent' or 'held', sign * lease.estimate, window)
    if calls then
      add(key, lent and 'lent_calls' or 'calls', sign * lease.calls, window)
    end
  end)
end

-- Opens the gates of a closed lease: its place among those at once, and the tokens it did not use.
local function open_gates(base, lease, used_tokens)
  for gate in lease.gates:gmatch('[^,]+') do
    local key, moved = gate:match('^t(.+)=(%d+)$')
    if key then
      local tat = tonumber(redis.call('GET', base .. key) or 0)
      if tat > 0 and lease.tokens > 0 then
        local back = math.floor(tonumber(moved) * (lease.tokens - used_tokens) / lease.tokens)
        redis.call('SET', base .. key, whole(tat - back), 'KEEPTTL')
      end
    else
      local open = base .. gate:sub(2)
      if redis.call('DECR', open) <= 0 then
        redis.call('DEL', open)
      end
    end
  end
end

-- Closes a lease: what it held goes back everywhere it was held. False when it is not open.
local function close_lease(base, id, lease, used_tokens, calls)
  if redis.call('HDEL', base .. 'lease', id) == 0 then
    return false
  end
  redis.call('ZREM', base .. 'leases', id)
  count_lease(base, lease, -1, calls)
  open_gates(base, lease, used_tokens)
  return true
end
