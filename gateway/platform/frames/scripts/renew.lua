-- The worker of this stream lives, though no frame came for a while. KEYS: list, alive, who. ARGV: seconds kept, lease (ms).
redis.call('EXPIRE', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[3], ARGV[1])
redis.call('SET', KEYS[2], '1', 'PX', ARGV[2])
return 1
