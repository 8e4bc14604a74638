"""Scripts that Redis runs in one step on a stored session. Keys are made in `redis_keys`, and called from `store` and `settling`.

Beside session and conversation stands a checkpoint for each socket or turn that holds one: what holds if nothing more is
heard of it. `OPEN` says until when it counts as alive.
"""

from a2serve.gateway.state import outbox
from a2serve.gateway.state.stored import ACCOUNT, NOW

SEQUENCE_LEAP = 100_000  # further than a session's events can have got between two checkpoints
CHECKPOINT_KEEP_MS = 7 * 24 * 3_600_000  # all gateways may be away for so long

# KEYS: session, conversation, deleted, checkpoint, open, stored sessions, stored sizes, stored answers.
# ARGV: holder, ttl, sequence, records, entries, lost, ms that it counts as alive, its name in OPEN, session, most sessions and bytes
# of the tenant, then what is written. What is written is kept in any case; the answer says whether something new may be begun.
_OURS = f"""{NOW}{ACCOUNT}
if redis.call('EXISTS', KEYS[3]) == 1 then return 'deleted' end
local holder = redis.call('HGET', KEYS[1], 'holder')
if holder and holder ~= ARGV[1] then return 'taken_over' end
"""
_KEPT = f"""
redis.call('HDEL', KEYS[1], 'lost')
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[2])
if ARGV[4] ~= '' then
    redis.call('HSET', KEYS[4], 'records', ARGV[4], 'entries', ARGV[5], 'lost', ARGV[6])
    redis.call('PEXPIRE', KEYS[4], {CHECKPOINT_KEEP_MS})
    redis.call('ZADD', KEYS[5], now + ARGV[7], ARGV[8])
end
account(KEYS[6], KEYS[8], KEYS[7], ARGV[9], size, ARGV[2])
return room(KEYS[6], KEYS[7], ARGV[10], ARGV[11])
"""
APPEND = f"""{_OURS}
if redis.call('EXISTS', KEYS[1]) == 0 then return 'lapsed' end
redis.call('HSET', KEYS[1], 'sequence', ARGV[3])
local size = tonumber(redis.call('HGET', KEYS[7], ARGV[9]) or 0)
if ARGV[12] ~= '' then
    size = size + #ARGV[12] - redis.call('HSTRLEN', KEYS[1], 'config')
    redis.call('HSET', KEYS[1], 'config', ARGV[12])
end
for place = 13, #ARGV do
    redis.call('RPUSH', KEYS[2], ARGV[place])
    size = size + #ARGV[place]
end
{_KEPT}"""
SAVE = f"""{_OURS}
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'sequence', ARGV[3], 'config', ARGV[12])
for place, field in ipairs({{'created_at', 'key_id', 'grant_id', 'end_user_id'}}) do
    redis.call('HSETNX', KEYS[1], field, ARGV[12 + place])
end
redis.call('DEL', KEYS[2])
local size = #ARGV[12]
for place = 17, #ARGV do
    redis.call('RPUSH', KEYS[2], ARGV[place])
    size = size + #ARGV[place]
end
{_KEPT}"""

# What a holder was saying goes into the conversation, and no number that it may have given to an event is given again.
_RECOVER = f"""
local function recover(checkpoint, session, conversation)
    local entries = redis.call('HGET', checkpoint, 'entries')
    redis.call('HINCRBY', session, 'sequence', {SEQUENCE_LEAP})
    if not entries then return end
    for _, entry in ipairs(cjson.decode(entries)) do redis.call('RPUSH', conversation, entry) end
    redis.call('HSET', session, 'lost', redis.call('HGET', checkpoint, 'lost'))
    redis.call('HDEL', checkpoint, 'entries', 'lost')
end
"""
# KEYS: session, conversation, endings, checkpoint, open.
# ARGV: holder, message, what a checkpoint's key begins with, ms that it counts as alive, its name in OPEN.
CLAIM = f"""{NOW}{_RECOVER}
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local before = redis.call('HGET', KEYS[1], 'holder')
if before and before ~= ARGV[1] and redis.call('EXISTS', ARGV[3] .. before) == 1 then recover(ARGV[3] .. before, KEYS[1], KEYS[2]) end
redis.call('HSET', KEYS[1], 'holder', ARGV[1])
redis.call('HSETNX', KEYS[4], 'records', '[]')
redis.call('PEXPIRE', KEYS[4], {CHECKPOINT_KEEP_MS})
redis.call('ZADD', KEYS[5], now + ARGV[4], ARGV[5])
redis.call('PUBLISH', KEYS[3], ARGV[2])
return 1
"""
# KEYS: session, conversation, outbox, checkpoint, open. ARGV: holder, its name in OPEN, the fields of an entry of the outbox.
SETTLE = f"""{NOW}{_RECOVER}
local until_ms = redis.call('ZSCORE', KEYS[5], ARGV[2])
if not until_ms or tonumber(until_ms) > now then return 0 end
for _, record in ipairs(cjson.decode(redis.call('HGET', KEYS[4], 'records') or '[]')) do
    redis.call('XADD', KEYS[3], '*', ARGV[3], record[1], ARGV[4], record[2], ARGV[5], record[3])
end
if redis.call('HGET', KEYS[1], 'holder') == ARGV[1] then recover(KEYS[4], KEYS[1], KEYS[2]) end
redis.call('DEL', KEYS[4])
redis.call('ZREM', KEYS[5], ARGV[2])
return 1
"""
# KEYS: session, outbox, conversation, endings, deleted, stored sessions.
# ARGV: message, what a checkpoint's key begins with, seconds that the deletion is remembered, session, records.
# The bill stays in the holder's checkpoint. The session counts no longer than until the next write.
DELETE = f"""
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local holder = redis.call('HGET', KEYS[1], 'holder') or ''
redis.call('DEL', KEYS[1], KEYS[3])
redis.call('HDEL', ARGV[2] .. holder, 'entries', 'lost')
redis.call('SET', KEYS[5], 1, 'EX', ARGV[3])
redis.call('ZADD', KEYS[6], 'XX', 0, ARGV[4])
redis.call('PUBLISH', KEYS[4], ARGV[1])
local first = 5
{outbox.ADD}
return 1
"""
