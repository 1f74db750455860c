for i, key in ipairs(KEYS) do
  if ARGV[2 * i - 1] == '=' then redis.call('SET', key, ARGV[2 * i]) else redis.call('DEL', key) end
end
return 1
