"""The scripts of the purse, which Redis runs in one piece. KEYS: the run's accounts, the day's, calls in flight.

ARGV[1] is one JSON object, ARGV[2] the seconds until everything expires. `epoch` and `epochField` come with each. Each
answers a JSON object: `lost` when the accounts are gone (or older than the pod), `superseded` when a newer pod spends.
"""

BOOK = """
local run, day, asking = KEYS[1], KEYS[2], KEYS[3]
local given = cjson.decode(ARGV[1])
local epoch = tonumber(redis.call('HGET', run, given.epochField) or '0')
if epoch < given.epoch then return cjson.encode({lost = true}) end
if epoch > given.epoch then return cjson.encode({superseded = true}) end
for _, l in ipairs(given.limits) do
  local spent = tonumber(redis.call('HGET', KEYS[l.hash], l.field) or '0')
  if l.amount > 0 and spent + l.amount > l.limit then return cjson.encode({refused = l.name, spent = spent}) end
end
local orphan = redis.call('HGET', asking, given.call)
local standing = given.standing
if orphan then
  local old, new = cjson.decode(orphan), cjson.decode(standing)
  standing = cjson.encode({old[1] + new[1], old[2] + new[2], old[3] + new[3]})
end
redis.call('HSET', asking, given.call, standing)
for _, add in ipairs(given.adds) do redis.call('HINCRBY', KEYS[add[1]], add[2], add[3]) end
for n = 1, 3 do redis.call('EXPIRE', KEYS[n], ARGV[2]) end
return cjson.encode({orphan = orphan})
"""
"""Book `adds` ([place, field, n]) unless one of `limits` ({hash, field, amount, limit, name}) would be passed.

`standing` (a JSON list of the three amounts) is noted as in flight under `call`; `orphan` is what stood there before.
"""

CORRECT = """
local run, asking = KEYS[1], KEYS[3]
local given = cjson.decode(ARGV[1])
if tonumber(redis.call('HGET', run, given.epochField) or '0') < given.epoch then return cjson.encode({lost = true}) end
if given.standing then redis.call('HSET', asking, given.call, given.standing)
else redis.call('HDEL', asking, given.call) end
for _, add in ipairs(given.adds) do redis.call('HINCRBY', KEYS[add[1]], add[2], add[3]) end
return '{}'
"""
"""Put the true usage in the place of the estimate; what an older pod has bought is settled, too."""

RAISE = """
local given = cjson.decode(ARGV[1])
local epoch = tonumber(redis.call('HGET', KEYS[1], given.epochField) or '0')
local ended = tonumber(redis.call('HGET', KEYS[1], given.endedField) or '0')
if given.epoch == 0 and ended < epoch then redis.call('HINCRBY', KEYS[1], given.killedField, 1) end
if epoch < given.epoch or given.epoch == 0 then
  for _, f in ipairs(given.floors) do
    if tonumber(redis.call('HGET', KEYS[f[1]], f[2]) or '0') < f[3] then redis.call('HSET', KEYS[f[1]], f[2], f[3]) end
  end
  epoch = math.max(given.epoch, epoch + (given.epoch == 0 and 1 or 0))
  redis.call('HSET', KEYS[1], given.epochField, epoch)
end
for n = 1, 2 do redis.call('EXPIRE', KEYS[n], ARGV[2]) end
local killed = tonumber(redis.call('HGET', KEYS[1], given.killedField) or '0')
local spent = {run = redis.call('HGETALL', KEYS[1]), day = redis.call('HGETALL', KEYS[2])}
return cjson.encode({epoch = epoch, killed = killed, run = spent.run, day = spent.day})
"""
"""Raise what is below `floors` ([place, field, n]) and answer all accounts: of a pod that starts (epoch 0: it gets the
next one), or that finds the accounts gone (its own epoch). Else only the accounts are read.

`killed`: how many pods of the stage have not said that they ended (`END`) before the next one came.
"""

END = """
local given = cjson.decode(ARGV[1])
if tonumber(redis.call('HGET', KEYS[1], given.epochField) or '0') == given.epoch then
  redis.call('HSET', KEYS[1], given.endedField, given.epoch)
end
return '{}'
"""
"""Note that the newest pod has ended with nothing in flight."""
