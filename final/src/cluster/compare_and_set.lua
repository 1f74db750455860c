if redis.call('GET', KEYS[1]) ~= (ARGV[1] == '=' and ARGV[2]) then return 0 end
if ARGV[3] == '=' then redis.call('SET', KEYS[1], ARGV[4]) else redis.call('DEL', KEYS[1]) end
return 1
