"""Every statement over coded traces, in one place. Tables:

    steps(n, k, kind, tool, args, result, failed, signature)     a shard on its way in; `n` numbers its traces
    told(n, text)                                                what the shard's traces were told
    lexicon(word)                                                leading words that are part of a signature
    coded(n, trace_id, task, cluster, intent, day, version, solved, fold, seq)   one row a trace

`seq` is the whole trace as small integers: 1 is its start, then one code a step (what was called, how it went). Codes
start at 1, for an outer join and an array read beyond its end both give 0.
"""

from collections.abc import Sequence

import pyarrow as pa

FIRST_STEP = 2
"""`k` of a trace's first step. What was told stands at 1, so that 0 can only mean: nowhere."""

PARSED = """
-- Each step with the fields of its arguments: (name, leading word, whether the word is all there is).
-- A leading word with a digit in it names a thing, not what is done.
SELECT n, k, kind, tool, failed, signature, assumeNotNull(steps.args) AS args, result,
    if(startsWith(args, '{'), JSONExtractKeysAndValuesRaw(args), [('', concat('"', args, '"'))]) AS pairs,
    arrayMap(p -> (p.1,
        if(startsWith(p.2, '"'), lower(extract(substring(p.2, 1, 200), '[\\\\p{L}_][\\\\p{L}\\\\p{N}_]*')), ''),
        p.2), pairs) AS fields
FROM steps
"""

LEADS = """
-- In how many tasks and calls a word leads an argument, and how often it is all there is.
SELECT tool, f.1 AS name, if(match(f.2, '[0-9]'), '', f.2) AS word, uniqExact(t.task) AS tasks, count() AS calls,
    countIf(lower(f.3) = concat('"', f.2, '"')) AS alone
FROM parsed
ARRAY JOIN fields AS f
INNER JOIN tasks AS t ON t.n = parsed.n
WHERE startsWith(f.3, '"')
GROUP BY tool, name, word
ORDER BY tool, name, word
"""

_NUMBERED = "[A-Za-z]*[0-9][A-Za-z0-9]{3,}"

UNSUPPORTED = f"""
-- Calls that name a number or an identifier which nothing told or shown before supports.
SELECT u.n AS n, u.k AS k, 1 AS bare
FROM (SELECT n, k, arrayJoin(extractAll(args, '{_NUMBERED}')) AS token FROM parsed WHERE kind = 'tool') AS u
LEFT ANY JOIN (
    SELECT n, token, min(k) AS first_k
    FROM (
        SELECT n, k, arrayJoin(extractAll(result, '{_NUMBERED}')) AS token FROM parsed
        UNION ALL
        SELECT n, 1 AS k, arrayJoin(extractAll(text, '{_NUMBERED}')) AS token FROM told
    )
    GROUP BY n, token
) AS s ON s.n = u.n AND s.token = u.token
WHERE ifNull(s.first_k, 0) = 0 OR s.first_k >= u.k
GROUP BY u.n, u.k
"""

SIGNED = r"""
-- Each step's symbol: tool, action signature, how it went, whether it named what nothing supports.
SELECT p.n AS n, p.k AS k, concat(p.tool, '\x1f',
    if(p.kind = 'tool', concat(p.tool, '(', arrayStringConcat(arrayMap(f -> concat(f.1, '=', multiIf(
        f.2 != '' AND concat(p.tool, '\x1f', f.1, '\x1f', f.2) IN (SELECT word FROM lexicon),
            if(lower(f.3) = concat('"', f.2, '"'), f.2, concat(f.2, ' …')),
        startsWith(f.3, '"'), '…', startsWith(f.3, '{'), '{}', startsWith(f.3, '['), '[]',
        f.3 IN ('true', 'false', 'null'), f.3, '<n>')),
        arraySort(p.fields)), ', '), ')'), 'answer'), '\x1f',
    multiIf(p.failed, concat('error ', if(ifNull(p.signature, '') = '', 'error', p.signature)),
            p.kind = 'tool' AND trimBoth(lower(p.result)) IN ('', '[]', '{}', 'null', 'none', '""', '()'), 'empty',
            'ok'), '\x1f',
    if(ifNull(b.bare, 0) = 1, '1', '0')) AS symbol
FROM parsed AS p
LEFT ANY JOIN unsupported AS b ON b.n = p.n AND b.k = p.k
"""

SYMBOLS = "SELECT symbol, count() AS calls FROM signed GROUP BY symbol ORDER BY calls DESC, symbol"

SEQUENCES = """
-- The shard's traces as sequences, in the order of their steps.
SELECT t.n + {base} AS n, t.trace_id AS trace_id, t.task AS task, t.cluster AS cluster, t.intent AS intent,
    t.day AS day, t.version AS version, t.solved AS solved, toUInt8(t.cluster % 5) AS fold,
    arrayConcat([toUInt16(1)], s.seq) AS seq
FROM tasks AS t
LEFT ANY JOIN (
    SELECT g.n AS n, arrayMap(p -> p.2, arraySort(groupArray((g.k, toUInt16(c.code))))) AS seq
    FROM signed AS g INNER JOIN codes AS c ON c.symbol = g.symbol
    GROUP BY g.n
) AS s ON s.n = t.n
"""

CODED_COLUMNS = (
    "n UInt32, trace_id String, task UInt64, cluster UInt64, intent LowCardinality(String), day UInt16, "
    "version LowCardinality(String), solved UInt8, fold UInt8, seq Array(UInt16)"
)

STATES = """
-- How often each decision was met, by intent, the step before last, the last step and the next one, and how that ended.
-- Only steps that something follows are here: a trace that ended has decided nothing.
SELECT intent, fold, before, last, next, place, count() AS n, sum(solved) AS x
FROM (
    SELECT intent, fold, solved,
        arrayJoin(arrayZip(arrayPushFront(arrayPopBack(arrayPopBack(seq)), toUInt16(0)), arrayPopBack(seq),
            arrayPopFront(seq), arrayMap(i -> toUInt8(least(i, 8)), arrayEnumerate(arrayPopBack(seq))))) AS w,
        w.1 AS before, w.2 AS last, w.3 AS next, w.4 AS place
    FROM coded
    WHERE length(seq) > 1
)
GROUP BY intent, fold, before, last, next, place
"""

NUMBERS = "SELECT n FROM coded WHERE trace_id IN (SELECT trace_id FROM explained)"


def earlier(actions: Sequence[int]) -> str:
    """Statement: for each action when it is first done, which actions had been done before, as bits.

    `actions[code]` is the bit of the action of a code, 64 for none.
    """
    table = ", ".join(map(str, actions))
    return f"""
    SELECT intent, e.1 AS act, e.2 AS mask, count() AS n, sum(solved) AS x
    FROM (
        SELECT intent, solved, arrayFilter(b -> b < 64,
                   arrayDistinct(arrayMap(c -> arrayElement([{table}], c + 1), seq))) AS acts,
            arrayMap(b -> bitShiftLeft(toUInt64(1), b), acts) AS bits
        FROM coded
    )
    ARRAY JOIN arrayZip(acts, arrayMap((s, b) -> s - b, arrayCumSum(bits), bits)) AS e
    GROUP BY intent, act, mask
    """


def arms(conditions: Sequence[tuple[str, str]]) -> str:
    """Statement: for each trace, in which questions it stands on the losing and on the better arm, as bits."""
    taken = " + ".join(f"bitShiftLeft(toUInt64({lose}), {i})" for i, (lose, _) in enumerate(conditions))
    better = " + ".join(f"bitShiftLeft(toUInt64({win}), {i})" for i, (_, win) in enumerate(conditions))
    return f"""
    SELECT n, task, cluster, intent, solved, {taken} AS taken, {better} AS better
    FROM coded ORDER BY n
    """


HABITS_OF = 50_000
"""Traces of a contrast of which it is looked at what else they did."""


def habits(lose: str, win: str) -> str:
    """Statement: for each code in how many traces of either arm it occurs; a sample of the arms is enough."""
    return f"""
    WITH own AS (
        SELECT arrayDistinct(seq) AS codes, {lose} AS lost, {win} AS won FROM coded WHERE lost OR won LIMIT {HABITS_OF}
    )
    SELECT arrayJoin(codes) AS code, countIf(lost) AS lost, countIf(won) AS won,
        (SELECT countIf(lost) FROM own) AS all_lost, (SELECT countIf(won) FROM own) AS all_won
    FROM own GROUP BY code ORDER BY code
    """


ONE = "SELECT intent, solved, seq FROM coded WHERE trace_id IN (SELECT trace_id FROM explained)"


def one_id(trace_id: str) -> pa.Table:
    """A table of one id: what a user wrote never becomes part of a statement."""
    return pa.table({"trace_id": [trace_id]})


def names(rows: Sequence[int]) -> str:
    """Statement: the ids of these traces."""
    return f"SELECT n, trace_id FROM coded WHERE n IN ({', '.join(map(str, rows))})"


def followers(win: str, point: int) -> str:
    """Statement: which code comes next after the first `point`, in traces of one arm."""
    following = f"seq[indexOf(seq, {point}) + 1]"
    return f"SELECT {following} AS code, count() AS n FROM coded WHERE {win} GROUP BY code ORDER BY code"


def seen(lose: str, win: str) -> str:
    """Statement: by version and day, how many traces met the point, and how many of them took the losing choice."""
    return f"""
    SELECT version, day, count() AS met, countIf({lose}) AS taken
    FROM coded WHERE {lose} OR {win} GROUP BY version, day ORDER BY version, day
    """
