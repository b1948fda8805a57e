"""The episodes of one bucket as tables in the engine. The only place that turns Python objects into columns."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from ninefold.analysis.engine import Engine
from ninefold.analysis.episodes import Episode
from ninefold.analysis.words import identifiers, loads, one_word, texts, values

_EPISODES = pa.schema(
    [
        ("trace_id", pa.string()),
        ("user", pa.string()),
        ("task", pa.string()),
        ("intent", pa.string()),
        ("solved", pa.bool_()),
    ]
)
_CALLS = pa.schema(
    [
        ("trace_id", pa.string()),
        ("k", pa.int32()),
        ("action", pa.string()),
        ("source", pa.string()),
        ("ok", pa.bool_()),
    ]
)
_USED = pa.schema([("trace_id", pa.string()), ("k", pa.int32()), ("word", pa.string()), ("ok", pa.bool_())])
_TOLD = pa.schema([("trace_id", pa.string()), ("word", pa.string())])
_SHOWN = pa.schema(
    [
        ("trace_id", pa.string()),
        ("k", pa.int32()),
        ("path", pa.string()),
        ("word", pa.string()),
        ("surface", pa.string()),
        ("place", pa.int32()),
    ]
)
_BLANKS = re.compile(r"\s+")


def load(engine: Engine, population: Sequence[Episode]) -> None:
    """Make the tables `episodes`, `told`, `calls`, `used` and `shown`."""
    calls: list[tuple[Any, ...]] = []
    used: list[tuple[Any, ...]] = []
    shown: list[tuple[Any, ...]] = []
    for episode in population:
        for call in episode.calls:
            ok = call.error is None
            calls.append((episode.trace_id, call.k, call.action, readable(call.tool, call.args), ok))
            used += ((episode.trace_id, call.k, word, ok) for word in sorted(identifiers(call.args)))
            if ok:
                places: dict[tuple[str, str], tuple[str, int]] = {}
                for place, (path, value) in enumerate(values(call.result)):
                    if one_word(value):
                        places.setdefault((path, value.lower()), (value, place))
                shown += ((episode.trace_id, call.k, p, w, s, n) for (p, w), (s, n) in places.items())
    engine.load("episodes", table(_EPISODES, ((e.trace_id, e.user, e.task, e.intent, e.solved) for e in population)))
    engine.load("told", table(_TOLD, ((e.trace_id, word) for e in population for word in sorted(e.told))))
    engine.load("calls", table(_CALLS, calls))
    engine.load("used", table(_USED, used))
    engine.load("shown", table(_SHOWN, shown))


def table(schema: pa.Schema, rows: Iterable[tuple[Any, ...]]) -> pa.Table:
    """Rows of values as an Arrow table."""
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.Table.from_arrays([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)


def readable(tool: str, args: str) -> str:
    """A call as a person reads it: the text alone when there is one text, on one line, without a closing mark; and the
    tool's name when it was called with nothing."""
    if args.strip() in ("", "{}", "[]", "null"):
        return tool
    found = texts(args)
    try:
        alone = len(found) == 1 and len(loads(args)) == 1
    except (ValueError, TypeError):
        alone = len(found) == 1
    return _BLANKS.sub(" ", found[0][1] if alone else args).strip().rstrip(";.").rstrip()
