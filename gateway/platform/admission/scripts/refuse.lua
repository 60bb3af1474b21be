-- Count a refusal in its minute. The field is bounded in number: beyond that, refusals of a minute share one field.
-- KEYS: 1 refusals   ARGV: 1 field, 2 the shared field, 3 most fields
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then
  return redis.call('HINCRBY', KEYS[1], ARGV[2], 1)
end
return redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
