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
