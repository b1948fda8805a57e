"""Every statement that the engine is asked, over these tables (`ninefold.analysis.population.load`):

    episodes(trace_id, user, task, intent, solved) one row a trace
    told(trace_id, word)                           words of system and user messages
    calls(trace_id, k, action, source, ok)         one row a call; `source` is its arguments as a person reads them
    used(trace_id, k, word, ok)                    identifiers in a call's arguments
    shown(trace_id, k, path, word, surface, place) one-word values in an ok call's result
    choices(question, task_stratum, state_stratum, cluster, task, better, solved)   one row a trace and question
    sources(action, path)                          what facts are taken from

`k` counts from 1, because a left join leaves 0 where there is nothing.
"""

RESULTS = """
-- Table `results`: each path of each result, and whether a later call that went well names one of its values.
SELECT s.trace_id AS trace_id, s.k AS k, s.path AS path, max(later.last_k > s.k) AS reused
FROM shown AS s
LEFT JOIN (SELECT trace_id, word, max(k) AS last_k FROM used WHERE ok GROUP BY trace_id, word) AS later
    ON later.trace_id = s.trace_id AND later.word = s.word
GROUP BY s.trace_id, s.k, s.path
"""

REUSE = """
-- How often results of an action are named again, by path.
SELECT c.action AS action, r.path AS path, count() AS results, countIf(r.reused) AS reused,
       uniqExactIf(e.task, r.reused) AS tasks
FROM results AS r
INNER JOIN calls AS c ON c.trace_id = r.trace_id AND c.k = r.k
INNER JOIN episodes AS e ON e.trace_id = r.trace_id
GROUP BY c.action, r.path
ORDER BY c.action, r.path
"""

ENDINGS = """
-- How often a trace ends with this action, and how many calls of it went well.
SELECT c.action AS action, count() AS calls, countIf(c.ok) AS ok_calls, countIf(c.k = l.last_k) AS last
FROM calls AS c
INNER JOIN (SELECT trace_id, max(k) AS last_k FROM calls GROUP BY trace_id) AS l ON l.trace_id = c.trace_id
GROUP BY c.action
ORDER BY c.action
"""

SIGHTINGS = """
-- What each source (an action with its very arguments) showed at each path, in how many tasks of its intent.
SELECT e.intent AS intent, c.action AS action, s.path AS path, c.source AS source, s.word AS word,
       min(s.surface) AS surface, min(s.place) AS place, uniqExact(e.task) AS tasks, uniqExact(e.user) AS users
FROM shown AS s
INNER JOIN calls AS c ON c.trace_id = s.trace_id AND c.k = s.k
INNER JOIN episodes AS e ON e.trace_id = s.trace_id
WHERE (c.action, s.path) IN (SELECT action, path FROM sources)
GROUP BY e.intent, c.action, s.path, c.source, s.word
ORDER BY intent, source, place, word
"""

SEEN_AGAIN = """
-- Of all (user, value) pairs at a path, how many show a value that another user of the intent was shown as well.
SELECT action, path, sum(users) AS pairs, sumIf(users, users > 1) AS again
FROM (
    SELECT c.action AS action, s.path AS path, e.intent AS intent, s.word AS word, uniqExact(e.user) AS users
    FROM shown AS s
    INNER JOIN calls AS c ON c.trace_id = s.trace_id AND c.k = s.k
    INNER JOIN episodes AS e ON e.trace_id = s.trace_id
    GROUP BY c.action, s.path, e.intent, s.word
)
GROUP BY action, path
ORDER BY action, path
"""

ASKED = """
-- How many users of an intent asked a source.
SELECT e.intent AS intent, c.source AS source, uniqExact(e.user) AS users
FROM calls AS c
INNER JOIN episodes AS e ON e.trace_id = c.trace_id
WHERE c.ok AND c.action IN (SELECT action FROM sources)
GROUP BY e.intent, c.source
ORDER BY intent, source
"""

WORDS = """
-- In how many tasks of an intent calls that went well name a word, in how many of those the trace succeeded, and for
-- how many users.
SELECT e.intent AS intent, u.word AS word, uniqExact(e.task) AS tasks, uniqExactIf(e.task, e.solved) AS solved,
       uniqExactIf(e.user, e.solved) AS users
FROM used AS u
INNER JOIN episodes AS e ON e.trace_id = u.trace_id
WHERE u.ok
GROUP BY e.intent, u.word
ORDER BY intent, word
"""

COMMONLY_TOLD = """
-- Words that the messages of more than one user of an intent hold.
SELECT e.intent AS intent, t.word AS word
FROM told AS t
INNER JOIN episodes AS e ON e.trace_id = t.trace_id
GROUP BY e.intent, t.word
HAVING uniqExact(e.user) > 1
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
