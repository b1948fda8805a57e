"""Every statement that the engine is asked of the sample, over these tables (`ninefold.analysis.population.load`):

    episodes(intent, task, user, solved)                    one row a trace
    calls(trace, call, action, source, ok, last, …)         one row a call; `source` is its arguments as a person reads
                                                            them, `last`: the trace ends with it
    used(trace, call, word, …)                              identifiers in the arguments of a call that went well
    shown(trace, call, action, source, path, word, surface, place, …)   one-word values in an ok call's result
    told(heard, word)                                       words of a history or a prompt, whoever was told it
    hears(trace, heard)                                     which of them each trace was told
    hearers(heard, intent, low, high)                       smallest and largest user of an intent that was told it
    choices(question, matching, stratum, cluster, task, better, solved)   one row a trace, question and way of matching
    sources(action, path)                                   what facts are taken from

Texts are numbers, which sort as they do. `…` is what a row is counted by: the intent, task and user of its trace, and
whether it was solved. Calls are numbered over all traces, in order.
"""

RESULTS = """
-- Table `results`: each path of each result, and whether a later call that went well names one of its values.
SELECT s.call AS call, any(s.action) AS action, any(s.task) AS task, s.path AS path,
       max(later.last_call > s.call) AS reused
FROM shown AS s
LEFT JOIN (SELECT trace, word, max(call) AS last_call FROM used GROUP BY trace, word) AS later
    ON later.trace = s.trace AND later.word = s.word
GROUP BY s.call, s.path
"""

REUSE = """
-- How often results of an action are named again, by path.
SELECT action, path, count() AS results, countIf(r.reused) AS reused, uniqExactIf(task, r.reused) AS tasks
FROM results AS r
GROUP BY action, path
ORDER BY action, path
"""

ENDINGS = """
-- How often a trace ends with this action, and how many calls of it went well.
SELECT action, count() AS calls, countIf(ok) AS ok_calls, countIf(calls.last) AS last
FROM calls
GROUP BY action
ORDER BY action
"""

SIGHTINGS = """
-- What each source (an action with its very arguments) showed at each path, in how many tasks of its intent.
SELECT intent, action, path, source, word, min(s.surface) AS surface, min(s.place) AS place,
       uniqExact(task) AS tasks, uniqExact(user) AS users
FROM shown AS s
WHERE (action, path) IN (SELECT action, path FROM sources)
GROUP BY intent, action, path, source, word
ORDER BY intent, source, place, word, action, path
"""

SEEN_AGAIN = """
-- Of all (user, value) pairs at a path, how many show a value that another user of the intent was shown as well.
SELECT action, path, sum(users) AS pairs, sumIf(users, users > 1) AS again
FROM (
    SELECT action, path, intent, word, uniqExact(user) AS users
    FROM shown
    GROUP BY action, path, intent, word
)
GROUP BY action, path
ORDER BY action, path
"""

ASKED = """
-- How many users of an intent asked a source.
SELECT intent, source, uniqExact(user) AS users
FROM calls
WHERE ok AND action IN (SELECT action FROM sources)
GROUP BY intent, source
ORDER BY intent, source
"""

WORDS = """
-- In how many tasks of an intent calls that went well name a word, in how many of those the trace succeeded, and for
-- how many users.
SELECT intent, word, uniqExact(task) AS tasks, uniqExactIf(task, u.solved) AS solved,
       uniqExactIf(user, u.solved) AS users
FROM used AS u
GROUP BY intent, word
ORDER BY intent, word
"""

_ENDINGS_USED = """
    SELECT u.intent AS intent, u.trace AS trace, u.word AS word
    FROM used AS u
    INNER JOIN (SELECT trace, max(call) AS last_call FROM calls WHERE ok GROUP BY trace) AS l
        ON l.trace = u.trace AND l.last_call = u.call
    WHERE u.solved
"""

NEEDED = f"""
-- What the last call that went well names in each successful trace, beyond what its messages say.
SELECT intent, trace, word
FROM ({_ENDINGS_USED}) AS n
WHERE (trace, word) NOT IN (
    SELECT h.trace, t.word
    FROM ({_ENDINGS_USED}) AS own
    INNER JOIN hears AS h ON h.trace = own.trace
    INNER JOIN told AS t ON t.heard = h.heard AND t.word = own.word
)
ORDER BY intent, trace, word
"""  # noqa: S608

COMMONLY_TOLD = """
-- Words that the messages of more than one user of an intent hold.
SELECT h.intent AS intent, t.word AS word
FROM told AS t
INNER JOIN hearers AS h ON h.heard = t.heard
GROUP BY h.intent, t.word
HAVING min(h.low) < max(h.high)
ORDER BY intent, word
"""

INTENTS = """
SELECT intent, uniqExact(task) AS tasks, uniqExactIf(task, solved) AS solved, count() AS traces
FROM episodes
GROUP BY intent
ORDER BY intent
"""

CELLS = """
-- Both arms of every question, counted within stratum and cluster, for either way of matching.
SELECT question, matching, stratum, cluster,
       countIf(better) AS n1, countIf(better AND solved) AS x1,
       countIf(NOT better) AS n0, countIf(NOT better AND solved) AS x0
FROM (
    SELECT question, cluster, better, solved,
           pair.1 AS matching, pair.2 AS stratum
    FROM choices
    ARRAY JOIN [('task', task_stratum), ('state', state_stratum)] AS pair
    WHERE pair.2 != ''
)
GROUP BY question, matching, stratum, cluster
ORDER BY question, matching, stratum, cluster
"""

SUPPORT = """
SELECT question, uniqExactIf(task, better) AS better_tasks, uniqExactIf(task, NOT better) AS taken_tasks,
       countIf(better) AS n1, countIf(better AND solved) AS x1,
       countIf(NOT better) AS n0, countIf(NOT better AND solved) AS x0
FROM choices
GROUP BY question
ORDER BY question
"""
