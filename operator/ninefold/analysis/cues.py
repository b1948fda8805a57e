"""Cues: what the agent could have seen that tells which of two tools is right. Pure.

That another tool wins is half of an advice; the other half is when. A cue is a value that stood in the results of the
calls before the choice (`goods` is `pallets` in a result of `book`), or a word of the request, and that turns the
comparison round: with it the losing tool does worse than without it, *and* worse than the better tool with it. A value
that all traces show, or one that goes along with failure whatever is called, does neither.

Only values that many distinct tasks share are looked at: what one user has is no cue, and would be his data.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ninefold.analysis.decisions.matching import distinct
from ninefold.analysis.judged import whole
from ninefold.analysis.population import Coded, Population
from ninefold.analysis.ragged import Ints, places
from ninefold.analysis.words import one_word
from ninefold.api.findings import Cue, Decision, Pattern

Flags = NDArray[np.bool_]

CLEAR = 4.0
"""Standard errors of both differences. Hundreds of values are tried, so two would not do."""

Feature = tuple[str, str, str]
"""Tool whose result shows it (empty: the request), name of the field (empty: a word of the text), value."""


@dataclass(frozen=True)
class _Choices:
    """Traces at the choice: the trace, the call, whether it took the better tool, its task, how it ended."""

    trace: Ints
    call: Ints
    better: Flags
    task: Ints
    solved: Flags


def with_cues(patterns: Iterable[Pattern], population: Population, min_support: int) -> list[Pattern]:
    """The patterns; those of the kind `ToolSelectionBias` with the cue for the better tool, where there is one.

    `min_support`: distinct tasks that each of the four groups (tool × cue) needs, but for the better tool without the
    cue, which may never occur.
    """
    patterns = list(patterns)
    if not any(map(_asks, patterns)):
        return patterns
    seen, out = _Seen.of(population), []
    for pattern in patterns:
        found = _cue(pattern.decision, pattern.intents, population, seen, min_support) if _asks(pattern) else None
        decision = pattern.decision.model_copy(update={"cue": found})
        out.append(pattern.model_copy(update={"decision": decision}) if found else pattern)
    return out


def _asks(pattern: Pattern) -> bool:
    decision = pattern.decision
    return (
        pattern.kind == "ToolSelectionBias" and bool(decision.better) and tool(decision.taken) != tool(decision.better)
    )


def tool(action: str | None) -> str:
    """The tool of an action signature."""
    return (action or "").partition("(")[0]


@dataclass(frozen=True)
class _Seen:
    """All values by number, in their order: the words of requests, then what results show.

    `cues` are those of the calls, one after the other, `sizes` for each; `told` those of histories and prompts.
    """

    features: list[Feature]
    cues: Ints
    sizes: Ints
    told: Ints
    told_sizes: Ints

    @classmethod
    def of(cls, p: Population) -> Self:
        lists = whole(p.sample.calls["cues"])
        items, sizes = lists.flatten(), np.diff(lists.offsets.to_numpy()).astype(np.int64)
        tools = np.repeat(p.tool.codes, sizes)
        name, value = Coded.of(items.field("name")), Coded.of(items.field("value"))
        wide, deep = len(value.names) + 1, len(name.names) + 1
        shown, cues = np.unique((tools * deep + name.codes) * wide + value.codes, return_inverse=True)
        words = Coded.of(pa.array(p.told.words, pa.string()))
        usable = np.array([one_word(word) for word in words.names], bool)
        kept = usable[words.codes]
        told_sizes = np.bincount(
            np.repeat(np.arange(len(p.told.sizes)), p.told.sizes)[kept], minlength=len(p.told.sizes)
        )
        fields, values = np.divmod(shown, wide)
        parts = zip(fields.tolist(), values.tolist(), strict=True)
        features = [("", "", word) for word in words.names]
        features += [(p.tool.names[f // deep], name.names[f % deep], value.names[v]) for f, v in parts]
        return cls(features, cues + len(words.names), sizes, words.codes[kept], told_sizes)


def _cue(decision: Decision, intents: Sequence[str], p: Population, seen: _Seen, min_support: int) -> Cue | None:
    c = _choices(p, tool(decision.taken), tool(decision.better), intents)
    rows, features = _had(p, seen, c, min_support)
    best, strength, found = None, CLEAR, np.zeros(0, np.int64)
    for own in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(features)) + 1):
        if len(own) >= min_support and (z := _turns(c, rows[own], min_support)) > strength:
            best, strength, found = seen.features[int(features[own[0]])], z, rows[own]
    if best is None:
        return None
    return Cue(tool=best[0] or None, name=best[1] or None, value=best[2], tasks=distinct(c.task[found]))


def _choices(p: Population, losing: str, better: str, intents: Sequence[str]) -> _Choices:
    """Every trace (of these intents, if any are named) at its first call of one of the two tools."""
    codes = [p.tool.names.index(name) for name in (losing, better) if name in p.tool.names]
    calls = np.flatnonzero(np.isin(p.tool.codes, codes))
    if intents:
        named = [p.intent.names.index(name) for name in intents if name in p.intent.names]
        calls = calls[np.isin(p.intent.codes[p.of[calls]], named)]
    traces = p.of[calls]
    calls = calls[np.append(True, traces[1:] != traces[:-1])[: len(calls)]]
    traces = p.of[calls]
    won = p.tool.codes[calls] == (p.tool.names.index(better) if better in p.tool.names else -1)
    return _Choices(traces, calls, won, p.task.codes[traces], p.solved[traces])


def _had(p: Population, seen: _Seen, c: _Choices, min_support: int) -> tuple[Ints, Ints]:
    """Rows of the choices and the values that they had seen, each pair once, by value.

    Left out are values that too few choices had seen, or had not seen, for them to have the tasks they need.
    """
    size, most = len(c.trace), max(1, len(seen.features))
    before = c.call - p.starts[c.trace]
    calls = np.repeat(p.starts[c.trace] - (np.cumsum(before) - before), before) + np.arange(int(before.sum()))
    rows = np.repeat(np.arange(size), before)[p.ok[calls]]
    calls = calls[p.ok[calls]]
    shown = seen.cues[places(seen.sizes, calls)]
    pairs = [np.unique(shown * size + np.repeat(rows, seen.sizes[calls]))]
    # A request that many share is looked at once; it is spread over them where its words may tell.
    heard, of = np.unique(p.told.heard[c.trace], axis=0, return_inverse=True)
    both, asked = np.nonzero(heard >= 0)[0], heard[heard >= 0]
    words = np.unique(np.repeat(both, seen.told_sizes[asked]) * most + seen.told[places(seen.told_sizes, asked)])
    who, word = np.divmod(words, most)
    times = np.bincount(word, np.bincount(of.ravel(), minlength=len(heard))[who], most)
    kept = (times >= min_support)[word] & (times <= size - min_support)[word]
    who, word = who[kept], word[kept]
    asks = np.bincount(who, minlength=len(heard))
    pairs.append(np.unique(word[places(asks, of.ravel())] * size + np.repeat(np.arange(size), asks[of.ravel()])))
    features, rows = np.divmod(np.concatenate(pairs), max(1, size))
    order = np.argsort(features, kind="stable")
    features, rows = features[order], rows[order]
    times = np.bincount(features, minlength=most)
    kept = (times >= min_support)[features] & (times <= size - min_support)[features]
    return rows[kept], features[kept]


def _turns(c: _Choices, own: Ints, min_support: int) -> float:
    """How clearly a value turns the comparison round: the smaller of two differences, in standard errors."""
    without = np.ones(len(c.trace), bool)
    without[own] = False
    right, wrong, usual = own[c.better[own]], own[~c.better[own]], np.flatnonzero(without & ~c.better)
    if any(distinct(c.task[group]) < min_support for group in (right, wrong, usual)):
        return 0.0
    return min(_apart(c.solved[right], c.solved[wrong]), _apart(c.solved[usual], c.solved[wrong]))


def _apart(one: Flags, other: Flags) -> float:
    """Difference of two success rates over its standard error, with one success and one failure added to each."""
    rates = [((int(group.sum()) + 1) / (len(group) + 2), len(group) + 2) for group in (one, other)]
    (p, n), (q, m) = rates
    return (p - q) / sqrt(p * (1 - p) / n + q * (1 - q) / m)
