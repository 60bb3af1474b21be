-- Leases nobody renewed become estimated entries, exactly one each; finished minutes of refusals become one entry per
-- key and reason.
-- KEYS: 1 expiries of leases, 2 facts of leases, 3 usage stream, 4 refusals
-- ARGV: 1 key prefix of the shard, 2 at most so many leases, 3 the server's return (ms, 0 = it never went away),
--       4 ms after the return during which leases from before are left alone, 5 seconds to keep a copy
-- Returns: leases reaped, refusal entries written
local now_ms = math.floor(clock_us() / 1000)
local returned_ms, spared = tonumber(ARGV[3]), false
if now_ms < returned_ms + tonumber(ARGV[4]) then
  -- Workers that outlived the outage still renew what is open and replay what they settled meanwhile.
  spared = true
end

local reaped = 0
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', whole(now_ms), 'LIMIT', 0, ARGV[2])) do
  local held = redis.call('HGET', KEYS[2], id)
  local month, opened, counted, estimate, org, facts
  if held then
    month, opened, counted, estimate, org, facts = held:match('^(%d+)|(%d+)|(%d)|(%d+)|([^|]*)|(.*)$')
  end
  if not (spared and opened and tonumber(opened) < returned_ms) then
    local copy = ARGV[1] .. 'request:' .. id
    redis.call('ZREM', KEYS[1], id)
    redis.call('HDEL', KEYS[2], id)
    if month then
      local month_key = ARGV[1] .. 'month:' .. org .. ':' .. month
      if redis.call('HGET', copy, 'state') == 'void' then
        if counted == '1' then
          count(month_key, 'calls', -1)
        end
      else
        if estimate ~= '0' then
          count(month_key, 'spend', estimate)
        end
        redis.call('XADD', KEYS[3], '*', 'kind', 'estimated', 'data', facts,
          'opened', opened, 'reaped', whole(now_ms), 'calls', counted, 'estimate', estimate)
        redis.call('HSET', copy, 'state', 'estimated', 'charged', estimate, 'data', facts)
        redis.call('EXPIRE', copy, ARGV[5])
        reaped = reaped + 1
      end
    end
  end
end

local written = 0
local this_minute = math.floor(now_ms / 60000)
local refusals = redis.call('HGETALL', KEYS[4])
for at = 1, #refusals, 2 do
  local minute, org, key, reason, surface = refusals[at]:match('^(%d+)|([^|]*)|([^|]*)|([^|]*)|([^|]*)$')
  -- A worker's clock names the minute; one that is wrong by an hour or more must not hold its refusals back.
  if not minute or tonumber(minute) < this_minute or tonumber(minute) > this_minute + 60 then
    redis.call('HDEL', KEYS[4], refusals[at])
    if minute then
      -- A person stands where a key would, marked by a u (no UUID begins with one).
      local person = key:match('^u(.+)$')
      redis.call('XADD', KEYS[3], '*', 'kind', 'refusal', 'data', cjson.encode({
        org_id = org, key_id = person and '' or key, user_id = person, reason = reason, surface = surface,
        minute = tonumber(minute), count = tonumber(refusals[at + 1]),
      }))
      written = written + 1
    end
  end
end
return { reaped, written }
