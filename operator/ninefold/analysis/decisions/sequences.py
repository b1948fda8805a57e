"""All traces as their sequences, in memory, ready to be asked which arm of a contrast each stands on.

Ten million steps are one array of 16-bit codes. An index by code (a stable sort, which for 16 bits is a counting sort)
gives every place of a code without a look at the others, so that a contrast costs what its own codes occur. Traces
stand in the order of their stratum, then of a hash of their id: sums by stratum are sums over runs, "the first few"
is a fair sample, and nothing depends on the order in which traces were coded.
"""

from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ninefold.analysis.decisions.screen import Contrast
from ninefold.analysis.decisions.tables import CODE_BITS, Ints
from ninefold.analysis.engine import Engine

TRACES = """
-- Every trace: its number, what it is matched within, how it ended, and its sequence; ties in the order of a hash.
SELECT c.n AS n, c.task AS task, c.cluster AS cluster, toUInt32(i.code) AS intent, c.solved AS solved, c.seq AS seq
FROM coded AS c LEFT ANY JOIN intents AS i ON i.intent = c.intent
ORDER BY {key}, cityHash64(c.trace_id), c.trace_id
"""

NOWHERE = 65_535
"""The place of a code that a trace does not have; what lies beyond it counts as not there."""
BLOCK = 2**22
"""Steps that are sorted at a time: their places are twice as wide while they are."""
REMEMBERED = 24
"""First places that are kept for the next contrast, two bytes a trace each."""

Flags = NDArray[np.bool_]
Places = NDArray[np.uint16]


class Sequences:
    """The codes of all traces. What is public has one entry a trace, in the order of `stratum`.

    `stratum` is what traces are matched within (the task, or the intent where no task is named), `support` what must be
    distinct. `nested`: no stratum holds more than one cluster. `n` is the engine's number of the trace.
    """

    def __init__(self, engine: Engine, names: Sequence[str], same_task: bool) -> None:
        """`names` are the `tables.intents`; `same_task`: traces are matched within tasks, else within intents."""
        self._names = {name: i for i, name in enumerate(names)}
        rows = engine.arrow(TRACES.format(key="task" if same_task else "intent, task"))
        seq = rows["seq"].combine_chunks()

        def column(name: str) -> NDArray[Any]:
            return np.asarray(rows[name].combine_chunks().to_numpy(zero_copy_only=False))

        self.n: Ints = column("n")
        self.intent: Ints = column("intent")
        self.solved: Flags = column("solved") != 0
        task, cluster = column("task"), column("cluster")
        key = task if same_task else self.intent
        self.stratum = _numbers(key)
        self.support = self.stratum if same_task else _numbers_of_any(task)
        own = np.array_equal(cluster, key)
        self.cluster = self.stratum if own else _numbers_of_any(cluster)
        self.nested = own or bool(np.all((np.diff(self.cluster) == 0) | (np.diff(self.stratum) != 0)))
        self._codes: NDArray[np.uint16] = seq.values.to_numpy()
        offsets = seq.offsets.to_numpy()
        self._start, self._length = offsets[:-1], np.diff(offsets)
        self._of = np.repeat(np.arange(len(self.n), dtype=np.int32), self._length)
        self._blocks = [_indexed(self._codes, at) for at in range(0, len(self._codes), BLOCK)]
        self._seen: dict[tuple[int, ...], Places] = {}
        self._lock = Lock()

    def first(self, codes: tuple[int, ...]) -> Places:
        """For each trace the place at which it first has one of the codes, from 0; `NOWHERE` where it has none."""
        with self._lock:
            if codes not in self._seen:
                if len(self._seen) >= REMEMBERED:
                    del self._seen[next(iter(self._seen))]
                out = np.full(len(self.n), NOWHERE, np.uint16)
                for code in codes:
                    rows, places = self._first_of(code)
                    out[rows] = np.minimum(out[rows], places)
                self._seen[codes] = out
            return self._seen[codes]

    def _first_of(self, code: int) -> tuple[Ints, Places]:
        none = [np.zeros(0, np.uint32)]
        at = np.concatenate(none + [index[bounds[code] : bounds[code + 1]] for index, bounds in self._blocks])
        rows = self._of[at].astype(np.int64)
        firsts = np.ones(len(rows), bool)
        np.not_equal(rows[1:], rows[:-1], out=firsts[1:])
        rows = rows[firsts]
        return rows, np.minimum(at[firsts] - self._start[rows], NOWHERE - 1).astype(np.uint16)

    def next_after(self, code: int) -> tuple[Ints, NDArray[np.uint16]]:
        """Rows of the traces that went on after they first had a code, and what they did then."""
        places = self.first((code,))
        rows = np.flatnonzero(places < np.minimum(self._length - 1, NOWHERE))
        return rows, self._codes[self._start[rows] + places[rows] + 1]

    def stand(self, c: Contrast) -> tuple[Ints, Flags]:
        """Rows of the traces that met the point of a contrast and chose, and whether they chose the better arm."""
        if c.family == "next":
            rows, following = self.next_after(c.point[0])
            arm = np.zeros(2**16, np.int8)
            arm[list(c.better)], arm[list(c.taken)] = 1, -1
            side = arm[following]
            rows, won = rows[side != 0], side[side != 0] > 0
        elif c.family == "skipped":
            act = self.first(c.taken)
            rows = np.flatnonzero(act != NOWHERE)
            won = act[rows] > self.first(c.better)[rows]
        else:
            rows = np.arange(len(self.n))
            won = self.first(c.point) == NOWHERE
        if c.intents is None:
            return rows, won
        inside = np.isin(self.intent[rows], [self._names[name] for name in c.intents])
        return rows[inside], won[inside]

    def did(self, rows: Ints) -> Ints:
        """The codes of all that these traces did, each code of a trace once."""
        sizes = self._length[rows]
        own = np.repeat(np.arange(len(rows)), sizes)
        within = np.arange(len(own)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        pairs = np.sort(own * 2**16 + self._codes[np.repeat(self._start[rows], sizes) + within])
        return np.asarray(pairs[np.diff(pairs, prepend=-1) != 0] & (2**16 - 1))


def _indexed(codes: NDArray[np.uint16], start: int) -> tuple[NDArray[np.uint32], Ints]:
    """The places of a block in the order of their codes, and where each code begins among them."""
    own = codes[start : start + BLOCK]
    index = np.argsort(own, kind="stable").astype(np.uint32)
    index += np.uint32(start)
    return index, np.concatenate(([0], np.cumsum(np.bincount(own, minlength=2**CODE_BITS))))


def _numbers(ordered: NDArray[Any]) -> Ints:
    """Small numbers for values that stand in order."""
    changes = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=changes[1:])
    return np.asarray(np.cumsum(changes) - 1)


def _numbers_of_any(values: NDArray[Any]) -> Ints:
    return np.asarray(np.unique(values, return_inverse=True)[1])
