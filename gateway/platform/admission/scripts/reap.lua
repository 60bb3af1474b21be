-- Leases nobody renewed become estimated entries, exactly one each; finished minutes of refusals become one entry per
-- key and reason.
-- KEYS: 1 prefix of the shard
-- ARGV: 1 at most so many leases, 2 the server's return (ms, 0 = it never went away),
--       3 ms after the return during which leases from before are left alone, 4 seconds to keep a copy
-- Returns: leases reaped, refusal entries written
local base = KEYS[1]
local now_ms = math.floor(clock_us() / 1000)
local returned_ms, spared = tonumber(ARGV[2]), false
if now_ms < returned_ms + tonumber(ARGV[3]) then
  -- Workers that outlived the outage still renew what is open and replay what they settled meanwhile.
  spared = true
end

local reaped = 0
for _, id in ipairs(redis.call('ZRANGEBYSCORE', base .. 'leases', '-inf', whole(now_ms), 'LIMIT', 0, ARGV[1])) do
  local lease = parse(redis.call('HGET', base .. 'lease', id))
  if not lease then
    redis.call('ZREM', base .. 'leases', id)
    redis.call('HDEL', base .. 'lease', id)
  elseif not (spared and lease.opened < returned_ms) then
    local lent = lease.kind == 'lent'
    close_lease(base, id, lease, lease.tokens, lent)
    if not lent then
      each_counter(base, lease.org, lease.holders, lease.month, lease.day, function(key, window)
        add(key, 'spend', lease.estimate, window)
      end)
      local estimate = whole(lease.estimate)
      redis.call('XADD', base .. 'usage', '*', 'kind', 'estimated', 'data', lease.facts, 'opened', whole(lease.opened),
        'reaped', whole(now_ms), 'calls', whole(lease.calls), 'estimate', estimate)
      local copy = base .. 'request:' .. id
      redis.call('HSET', copy, 'state', 'estimated', 'charged', estimate, 'data', lease.facts)
      redis.call('EXPIRE', copy, ARGV[4])
      reaped = reaped + 1
    end
  end
end

local written = 0
local this_minute = math.floor(now_ms / 60000)
local refusals = redis.call('HGETALL', base .. 'refusals')
for at = 1, #refusals, 2 do
  local minute, org, key, reason, surface = refusals[at]:match('^(%d+)|([^|]*)|([^|]*)|([^|]*)|([^|]*)$')
  -- A worker's clock names the minute; one that is wrong by an hour or more must not hold its refusals back.
  if not minute or tonumber(minute) < this_minute or tonumber(minute) > this_minute + 60 then
    redis.call('HDEL', base .. 'refusals', refusals[at])
    if minute then
      -- A person stands where a key would, marked by a u (no UUID begins with one).
      local person = key:match('^u(.+)$')
      redis.call('XADD', base .. 'usage', '*', 'kind', 'refusal', 'data', cjson.encode({
        org_id = org, key_id = person and '' or key, user_id = person, reason = reason, surface = surface,
        minute = tonumber(minute), count = tonumber(refusals[at + 1]),
      }))
      written = written + 1
    end
  end
end
return { reaped, written }
