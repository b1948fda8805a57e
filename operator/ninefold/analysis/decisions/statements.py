"""Every statement over coded traces, in one place. Tables:

    coded(n, trace_id, task, cluster, intent, day, version, solved, fold, seq)   one row a trace

`seq` is the whole trace as small integers: 1 is its start, then one code a step (what was called, how it went). Codes
start at 1, for an outer join and an array read beyond its end both give 0.
"""

from collections.abc import Sequence

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


EXPLAINED = """
SELECT trace_id, intent, solved, seq FROM coded WHERE trace_id IN (SELECT trace_id FROM explained) ORDER BY trace_id
"""


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
