"""What Redis does in one step, so that a failure at any moment leaves nothing half done.

The record of a job is a hash, its entry in the queue one of a stream. An entry that has been
delivered is pending until it is acknowledged: Redis knows to whom it was delivered, how many
times, and for how long it has been idle.
"""

# A job that is known already is left alone: the same request, sent again, adds nothing.
ADD = """
local record, queue = KEYS[1], KEYS[2]
local limit, job, message = tonumber(ARGV[1]), ARGV[2], ARGV[3]
if redis.call('EXISTS', record) == 1 then
    return 'known'
end
if redis.call('XLEN', queue) >= limit then
    return 'full'
end
redis.call('HSET', record, unpack(ARGV, 4))
redis.call('XADD', queue, '*', 'job', job, 'message', message)
return 'added'
"""

# Takes over an entry that is idle for too long. XAUTOCLAIM would not tell how often it was tried.
CLAIM = """
local queue = KEYS[1]
local group, consumer, idle = ARGV[1], ARGV[2], ARGV[3]
local stale = redis.call('XPENDING', queue, group, 'IDLE', idle, '-', '+', 1)[1]
if not stale then
    return nil
end
local entry = redis.call('XCLAIM', queue, group, consumer, idle, stale[1])[1]
if not entry then
    return nil
end
return {entry[1], entry[2], stale[4] + 1}
"""

CHANGE = """
if redis.call('EXISTS', KEYS[1]) == 1 then
    redis.call('HSET', KEYS[1], unpack(ARGV))
end
"""

# If two workers have run the same job, the first to finish has the say.
FINISH = """
local record, queue = KEYS[1], KEYS[2]
local group, entry, lifetime = ARGV[1], ARGV[2], ARGV[3]
if redis.call('XACK', queue, group, entry) == 0 then
    return 0
end
redis.call('XDEL', queue, entry)
if redis.call('EXISTS', record) == 1 then
    redis.call('HSET', record, unpack(ARGV, 4))
    redis.call('PEXPIRE', record, lifetime)
end
return 1
"""

# The entry stays pending, but pretends to have been idle, so that CLAIM finds it when it is due.
# A worker that is not the last to have been given the job has no say.
POSTPONE = """
local record, queue = KEYS[1], KEYS[2]
local group, consumer, entry = ARGV[1], ARGV[2], ARGV[3]
local attempt, idle, attempts_made = tonumber(ARGV[4]), ARGV[5], ARGV[6]
local pending = redis.call('XPENDING', queue, group, entry, entry, 1)[1]
if not pending or pending[2] ~= consumer or pending[4] ~= attempt then
    return 0
end
redis.call('XCLAIM', queue, group, consumer, 0, entry,
           'IDLE', idle, 'RETRYCOUNT', attempts_made, 'JUSTID')
if redis.call('EXISTS', record) == 1 then
    redis.call('HSET', record, unpack(ARGV, 7))
end
return 1
"""

# Each worker that starts is a new consumer; those that are gone would stay for ever.
FORGET_CONSUMERS = """
local queue, group, idle = KEYS[1], ARGV[1], tonumber(ARGV[2])
for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', queue, group)) do
    local consumer = {}
    for index = 1, #info, 2 do
        consumer[info[index]] = info[index + 1]
    end
    if consumer.pending == 0 and consumer.idle > idle then
        redis.call('XGROUP', 'DELCONSUMER', queue, group, consumer.name)
    end
end
"""
