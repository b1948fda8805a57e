"""The two tables of counts that values and the first look at contrasts are made of, and the statements that make them.

Both are counted in the engine, and grow with what agents do, not with how often they do it. A key is packed into one
number, for grouping by one is several times as fast as by six: intents and actions are numbers here (`intents` maps
the engine's texts), codes have 13 bits each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ninefold.analysis.engine import Engine

Ints = NDArray[np.int64]

CODE_BITS = 13
"""A code is below 2**13: more than are ever given (`coding.MOST_CODES`)."""
INTENT_BITS = 18
MOST_INTENTS = 2**INTENT_BITS - 1
"""Intents that are told apart; what a key has more values than this names no kind of case."""
PLACES = 8
"""Places in a trace that are told apart; what is later counts as the last."""
ACTION_BITS = 6
NO_ACTION = 2**ACTION_BITS
"""The bit of an action that has none."""

INTENTS = "SELECT DISTINCT toString(intent) AS intent FROM coded ORDER BY intent"

STATES = f"""
-- How often each decision was met, by intent, the step before last, the last step and the next one, and how that ended.
-- Only steps that something follows are here: a trace that ended has decided nothing.
SELECT w, count() AS n, sum(solved) AS x
FROM (
    SELECT c.solved AS solved, bitShiftLeft(toUInt64(i.code), {3 * CODE_BITS + 7}) + c.fold AS own,
        arrayJoin(arrayMap((before, last, next, place) -> own
                + bitShiftLeft(toUInt64(before), {2 * CODE_BITS + 7}) + bitShiftLeft(toUInt64(last), {CODE_BITS + 7})
                + bitShiftLeft(toUInt64(next), 7) + bitShiftLeft(toUInt64(least(place, {PLACES})), 3),
            arrayPushFront(arrayPopBack(arrayPopBack(c.seq)), toUInt16(0)), arrayPopBack(c.seq),
            arrayPopFront(c.seq), arrayEnumerate(arrayPopBack(c.seq)))) AS w
    FROM coded AS c LEFT ANY JOIN intents AS i ON i.intent = c.intent
    WHERE length(c.seq) > 1
)
GROUP BY w
"""  # noqa: S608


def earlier(actions: Sequence[int], intents: int) -> str:
    """Statement: for each action when it is first done, which actions had been done before, as bits.

    `actions[code]` is the bit of the action of a code, `NO_ACTION` for none. Where the bits of `intents` intents and of
    the actions leave room, they are one key; else two.
    """
    codes, bits = ", ".join(map(str, range(len(actions)))), ", ".join(map(str, actions))
    wide = 1 + max((b for b in actions if b < NO_ACTION), default=0)
    fits = wide + ACTION_BITS + intents.bit_length() <= 64
    key = f"bitShiftLeft(toUInt64(own + e.1), {wide}) + e.2 AS key" if fits else "own + e.1 AS w, e.2 AS mask"
    parts = f"bitShiftRight(key, {wide}) AS w, bitAnd(key, {2**wide - 1}) AS mask, n, x" if fits else "w, mask, n, x"
    return f"""
    -- What had been done before each action.
    SELECT {parts}
    FROM (
        SELECT {key}, count() AS n, sum(solved) AS x
        FROM (
            SELECT c.solved AS solved, bitShiftLeft(toUInt32(i.code), {ACTION_BITS}) AS own,
                arrayFilter(b -> b < {NO_ACTION},
                    arrayDistinct(arrayMap(code -> transform(code, [{codes}], [{bits}], {NO_ACTION}), c.seq))) AS acts,
                arrayMap(b -> bitShiftLeft(toUInt64(1), b), acts) AS bits
            FROM coded AS c LEFT ANY JOIN intents AS i ON i.intent = c.intent
        )
        ARRAY JOIN arrayZip(acts, arrayMap((s, b) -> s - b, arrayCumSum(bits), bits)) AS e
        GROUP BY {"key" if fits else "w, mask"}
    ) AS counted
    """  # noqa: S608


@dataclass(frozen=True)
class States:
    """One entry a decision that was met: `n` traces of one intent and fold stood there, of which `x` succeeded.

    `intent` is a place in `intents`; `before` is 0 at a trace's first step.
    """

    intents: list[str]
    intent: Ints
    before: Ints
    last: Ints
    next: Ints
    place: Ints
    fold: Ints
    n: Ints
    x: Ints


@dataclass(frozen=True)
class Precedence:
    """One entry an intent, action and set of actions done before it: bit b of `mask` is action b."""

    intents: list[str]
    intent: Ints
    action: Ints
    mask: Ints
    n: Ints
    x: Ints


def intents(engine: Engine) -> list[str]:
    """The intents of the coded traces, sorted; makes the engine's table `intents` of them."""
    names = [str(r["intent"]) for r in engine.query(INTENTS)]
    codes = pa.array(np.minimum(np.arange(len(names)), MOST_INTENTS), pa.uint32())
    engine.load("intents", pa.table({"intent": pa.array(names, pa.string()), "code": codes}))
    return names


def states(engine: Engine, names: list[str]) -> States:
    """Count the decisions; `names` are the `intents`."""
    w, n, x = _sorted(engine.arrow(STATES), "w", "n", "x")

    def field(shift: int, bits: int) -> Ints:
        return np.asarray((w >> shift) & (2**bits - 1))

    return States(
        names,
        intent=w >> (3 * CODE_BITS + 7),
        before=field(2 * CODE_BITS + 7, CODE_BITS),
        last=field(CODE_BITS + 7, CODE_BITS),
        next=field(7, CODE_BITS),
        place=field(3, 4),
        fold=field(0, 3),
        n=n,
        x=x,
    )


def precedence(engine: Engine, names: list[str], actions: Sequence[int]) -> Precedence:
    """Count what was done before what; `actions` as for `earlier`."""
    w, mask, n, x = _sorted(engine.arrow(earlier(actions, len(names))), "w", "mask", "n", "x")
    return Precedence(names, w >> ACTION_BITS, w & 2**ACTION_BITS - 1, mask, n, x)


def _sorted(table: pa.Table, *names: str) -> list[Ints]:
    """The columns as numbers, in the order of the keys: sums then never depend on the engine's threads."""
    found = [table[name].cast(pa.int64()).combine_chunks().to_numpy(zero_copy_only=False) for name in names]
    order = np.lexsort(tuple(found[-3::-1]))
    return [column[order] for column in found]
