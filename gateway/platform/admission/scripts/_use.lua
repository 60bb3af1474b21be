-- What was used, by whom and in which window: one hash per holder and window, with the fields
--   calls, spend             what came about (spend in micro-dollars)
--   held                     what open leases may still cost
--   lent, lent_calls         what workers keep in hand for when the store is away
--   seed_calls, seed_spend   what a re-seeding put back after the store was emptied
-- A holder is the organization (o), a key (k<id>), a person (u<id>), a subject (s<hash>), or a capability token (t<id>),
-- whose window is its life. How long a hash is kept after its last new field depends on its window:
local KEPT_S = { life = 86400, [6] = 75 * 86400, [8] = 3 * 86400 }

local function use_key(base, org, holder, window)
  return base .. 'use:' .. org .. ':' .. holder .. ':' .. window
end

local function add(key, field, by, window)
  -- A field that now holds exactly this was new, and perhaps so is the hash.
  if by ~= 0 and redis.call('HINCRBY', key, field, whole(by)) == by then
    redis.call('EXPIRE', key, KEPT_S[window] or KEPT_S[#window])
  end
end

-- Calls ``change(key, window)`` for every counter of the holders (joined by commas).
local function each_counter(base, org, holders, month, day, change)
  for holder in holders:gmatch('[^,]+') do
    if holder:sub(1, 1) == 't' then
      change(use_key(base, org, holder, 'life'), 'life')
    else
      change(use_key(base, org, holder, month), month)
      change(use_key(base, org, holder, day), day)
    end
  end
end

-- How calls of a month, or money of a window, stand under a limit (see admit): what was used, what is held, and whether
-- ``more`` fits on top. What workers have in hand counts as held, but only up to a tenth of what is left without it: the
-- last of a limit goes to whoever asks here.
local function sum(base, org, limit, windows, used_field, held_field, lent_field, more)
  local n = redis.call('HMGET', use_key(base, org, limit[2], windows[limit[5]]),
    used_field, 'seed_' .. used_field, held_field, lent_field)
  local used, held = tonumber(n[1] or 0) + tonumber(n[2] or 0), tonumber(n[3] or 0)
  local s = { 0, 0, 0, 0, used, held }
  if limit[4] >= 0 then
    local left = math.max(0, limit[4] - used - held)
    local lent = math.min(tonumber(n[4] or 0), math.floor(left / 10))
    s[1] = used + held + lent + more > limit[4] and 1 or 0
    s[2], s[6] = left - lent, held + lent
  end
  return s
end

-- Whether what was spent is not known. 'ready|seeded' in ms: when this shard's counters can be believed, and when they
-- were last put back. Without it the store was emptied.
local function doubts(base, now_ms)
  local mark
  return function(since_ms)
    if mark == nil then mark = redis.call('GET', base .. 'seeded') end
    local ready, seeded = tostring(mark):match('^(%d+)|(%d+)$')
    -- What a token spent is in no roll-up: one from before the loss cannot be believed any more.
    return not ready or now_ms < tonumber(ready) or (since_ms and since_ms < tonumber(seeded))
  end
end
