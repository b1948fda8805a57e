"""The sample in numbers: what facts and cues are counted over, here and in the engine.

Texts are numbered in their order, so numbers sort as their texts do. In the engine's tables every row has what it is
counted by (intent, task, user), for a join would cost more than the statements that need it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ninefold.analysis.actions import signatures
from ninefold.analysis.engine import Engine, Row
from ninefold.analysis.judged import whole
from ninefold.analysis.ragged import Ints
from ninefold.analysis.sample import Sample


@dataclass(frozen=True)
class Coded:
    """Texts as numbers: places in `names`, which are sorted; −1 where there is none."""

    codes: Ints
    names: list[str]

    @classmethod
    def of(cls, column: pa.Array | pa.ChunkedArray) -> Self:
        encoded = whole(column).dictionary_encode()
        order = pc.array_sort_indices(encoded.dictionary)
        ranks = np.empty(len(order) + 1, np.int64)
        ranks[order.to_numpy()] = np.arange(len(order))
        ranks[-1] = -1
        codes = ranks[encoded.indices.fill_null(-1).to_numpy()]
        return cls(codes, encoded.dictionary.take(order).to_pylist())

    def array(self) -> list[str]:
        """The texts again; equal ones are one object."""
        return [self.names[code] for code in self.codes.tolist()]


@dataclass(frozen=True)
class Told:
    """What traces were told, each history and prompt once: `words` of all of them, one after the other, `sizes` each.

    `heard` holds for each trace the places of its history and of its prompt, −1 for none.
    """

    heard: Ints
    words: list[str]
    sizes: Ints


@dataclass(frozen=True)
class Population:
    """The sampled traces. Columns of traces and of calls; `of` is the trace of a call, `starts` a trace's first call.

    `task` is what must be distinct for support: the task, or the session without a task key. `user` is the user, or the
    task where traces name no users.
    """

    sample: Sample
    task: Coded
    user: Coded
    intent: Coded
    solved: "np.ndarray[Any, np.dtype[np.bool_]]"
    sizes: Ints
    tool: Coded
    source: Coded
    actions: list[str]  # the signature of each kind of call
    kind: Ints
    ok: "np.ndarray[Any, np.dtype[np.bool_]]"

    @classmethod
    def of_sample(cls, sample: Sample) -> Self:
        """Signatures are made over these traces alone."""
        traces, calls = sample.traces, sample.calls
        tasks = _or(traces["task_key"], traces["session_id"])
        task, tool, frame = Coded.of(tasks), Coded.of(calls["tool"]), Coded.of(calls["frame"])
        sizes = traces["calls"].to_numpy().astype(np.int64)
        distinct, kind = np.unique(tool.codes * max(1, len(frame.names)) + frame.codes, return_inverse=True)
        which = zip(*(part.tolist() for part in np.divmod(distinct, max(1, len(frame.names)))), strict=True)
        kinds = [(tool.names[t], frame.names[f]) for t, f in which]
        return cls(
            sample=sample,
            task=task,
            user=Coded.of(_or(traces["user"], tasks)),
            intent=Coded.of(pc.fill_null(traces["intent"], "")),
            solved=np.asarray(traces["solved"]).astype(bool),
            sizes=sizes,
            tool=tool,
            source=Coded.of(calls["source"]),
            actions=signatures(kinds, kind, np.repeat(task.codes, sizes)),
            kind=kind,
            ok=np.asarray(pc.is_null(calls["error"])).astype(bool),
        )

    @cached_property
    def starts(self) -> Ints:
        return np.asarray(np.cumsum(self.sizes) - self.sizes)

    @cached_property
    def of(self) -> Ints:
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @cached_property
    def told(self) -> Told:
        """Histories that many traces share are looked at once."""
        lines = self.sample.told
        parents = dict(zip(lines["hash"].to_pylist(), lines["parent_hash"].to_pylist(), strict=True))
        words = dict(zip(lines["hash"].to_pylist(), lines["words"].to_pylist(), strict=True))
        ends = Coded.of(pa.concat_arrays([whole(self.sample.traces[c]) for c in ("told", "system")]))
        flat, sizes = list[str](), list[int]()
        for name in ends.names:
            said, at = set[str](), name
            while at is not None:
                said.update(words[at])
                at = parents[at]
            flat += said
            sizes.append(len(said))
        return Told(ends.codes.reshape(2, -1).T, flat, np.array(sizes, np.int64))


@dataclass(frozen=True)
class Loaded:
    """The engine's tables of a population. What is asked of them comes back with its texts."""

    engine: Engine
    names: dict[str, list[str]]

    def query(self, sql: str) -> list[Row]:
        """The rows of a statement; numbers of texts are texts again."""
        found = self.engine.arrow(sql)
        columns = [
            [self.names[name][code] for code in found[name].to_pylist()] if name in self.names else
            found[name].to_pylist() for name in found.column_names
        ]  # fmt: skip
        return [dict(zip(found.column_names, row, strict=True)) for row in zip(*columns, strict=True)]

    def number(self, name: str, text: str) -> int:
        """The number of a text, which must be one of that column."""
        return self.names[name].index(text)


def load(engine: Engine, p: Population) -> Loaded:
    """Make the tables that `queries` describes."""
    calls, told = p.sample.calls, p.told
    used, shown = whole(calls["used"]), whole(calls["shown"])
    items = shown.flatten()
    path, surface = Coded.of(items.field("path")), Coded.of(items.field("surface"))
    lower = pa.array([name.lower() for name in surface.names], pa.string()).take(pa.array(surface.codes))
    word = Coded.of(pa.concat_arrays([lower, used.flatten(), pa.array(told.words, pa.string())]))
    cuts = np.cumsum([len(lower), len(used.flatten())])
    of_shown, of_used, of_told = np.split(word.codes, cuts)
    action = Coded.of(pa.array(p.actions, pa.string()).take(pa.array(p.kind)))
    own = {"intent": p.intent.codes, "task": p.task.codes, "user": p.user.codes, "solved": p.solved}
    by_call = {"trace": p.of, "action": action.codes, "source": p.source.codes, "ok": p.ok}
    by_call |= {name: column[p.of] for name, column in own.items()}
    by_call |= {"call": np.arange(len(p.of)), "last": p.of != np.append(p.of[1:], -1)}
    engine.load("episodes", _numbered(own))
    engine.load("calls", _numbered(by_call))
    at = np.repeat(by_call["call"], np.diff(used.offsets.to_numpy()))
    rows = {name: by_call[name][at] for name in ("trace", "call", "intent", "task", "user", "solved")}
    engine.load("used", _numbered({**rows, "word": of_used}))
    at = np.repeat(by_call["call"], np.diff(shown.offsets.to_numpy()))
    first = _firsts(at, path.codes, of_shown)
    rows = {name: by_call[name][at[first]] for name in ("trace", "call", "action", "source", "intent", "task", "user")}
    spelt = {"path": path.codes, "word": of_shown, "surface": surface.codes, "place": items.field("place").to_numpy()}
    engine.load("shown", _numbered({**rows, **{name: column[first] for name, column in spelt.items()}}))
    engine.load("told", _numbered({"heard": np.repeat(np.arange(len(told.sizes)), told.sizes), "word": of_told}))
    heard, trace = told.heard.T.ravel(), np.tile(np.arange(len(p.sizes)), 2)
    engine.load("hears", _numbered({"trace": trace[heard >= 0], "heard": heard[heard >= 0]}))
    engine.load("hearers", _hearers(p))
    names = {"intent": p.intent.names, "action": action.names, "source": p.source.names, "word": word.names}
    return Loaded(engine, {**names, "path": path.names, "surface": surface.names})


def _hearers(p: Population) -> pa.Table:
    """The users of an intent that were told one history, by the smallest and the largest number."""
    heard, trace = p.told.heard.T.ravel(), np.tile(np.arange(len(p.sizes)), 2)
    rows = {"heard": heard, "intent": p.intent.codes[trace], "user": p.user.codes[trace]}
    own = _numbered({name: column[heard >= 0] for name, column in rows.items()})
    found = own.group_by(["heard", "intent"]).aggregate([("user", "min"), ("user", "max")])
    return found.select(["heard", "intent", "user_min", "user_max"]).rename_columns(["heard", "intent", "low", "high"])


def _firsts(call: Ints, path: Ints, word: Ints) -> Ints:
    """Of the same word at the same path of a call the first one, however it is spelt. Calls ascend."""
    wide, deep = int(word.max(initial=0)) + 1, int(path.max(initial=0)) + 1
    return np.sort(np.unique((call * deep + path) * wide + word, return_index=True)[1])


def _numbered(columns: dict[str, Any]) -> pa.Table:
    types = {np.dtype(bool): pa.uint8()}
    return pa.table({name: pa.array(c.astype(np.uint8) if c.dtype in types else c, types.get(c.dtype, pa.uint32()))
                     for name, c in columns.items()})  # fmt: skip


def _or(column: pa.ChunkedArray, other: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(pc.fill_null(pc.not_equal(column, ""), False), column, other)


def table(schema: pa.Schema, rows: Iterable[Sequence[Any]]) -> pa.Table:
    """Rows of values as an Arrow table."""
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.Table.from_arrays([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)
