-- Add a batch of frames. KEYS: list, alive, who.
-- ARGV: seconds kept, lease (ms; 0 with the last batch), first number still kept (0: all), head ('' but with the first
-- batch), number of the batch's last frame, how the stream ended ('' while it goes on), then the frames.
local kept, last, ended = ARGV[1], ARGV[5], ARGV[6]
if #ARGV > 6 then
  local fields = {'n', tostring(tonumber(last) - (#ARGV - 6) + 1)}
  for at = 7, #ARGV do
    fields[#fields + 1] = 'f'
    fields[#fields + 1] = ARGV[at]
  end
  redis.call('XADD', KEYS[1], last .. '-1', unpack(fields))
end
if ended ~= '' then
  redis.call('XADD', KEYS[1], last .. '-2', 'end', ended)
end
if ARGV[3] ~= '0' then
  redis.call('XTRIM', KEYS[1], 'MINID', ARGV[3] .. '-0')
end
if ARGV[4] ~= '' then
  redis.call('SET', KEYS[3], ARGV[4], 'EX', kept)
else
  redis.call('EXPIRE', KEYS[3], kept)
end
redis.call('EXPIRE', KEYS[1], kept)
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[2])
else
  redis.call('SET', KEYS[2], '1', 'PX', ARGV[2])
end
return 1
