-- Give back what a worker had in hand.
-- KEYS: 1 prefix of the shard   ARGV: 1… ids
for _, id in ipairs(ARGV) do
  local lease = parse(redis.call('HGET', KEYS[1] .. 'lease', id))
  if lease and lease.kind == 'lent' then
    close_lease(KEYS[1], id, lease, 0, true)
  end
end
return #ARGV
