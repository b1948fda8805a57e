"""From the sample to episodes: one trace as its calls, with what they brought in and how it ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ninefold.analysis.judged import whole
from ninefold.analysis.population import Coded, Population


class Call(NamedTuple):
    """One tool call. `k` counts from 1; `error` is the signature of its error, None when it went well.

    `source` is the call as a person reads it. `bare` are the identifiers, and `quoted` the words in quotes, that
    nothing before it in the trace supports; `figure` whether a number of it does so. The last two are known of the
    first call with a number or a quotation alone, `figure` is None for others.
    """

    k: int
    tool: str
    action: str
    source: str
    error: str | None
    bare: Sequence[str] = ()
    figure: bool | None = None
    quoted: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Episode:
    """One judged trace. `task` names what must be distinct for support: the task, or the session without a task key.

    `same_task` is whether `task` is a real task key, within which a contrast may be matched.
    """

    trace_id: str
    task: str
    same_task: bool
    intent: str
    cluster: str
    solved: bool
    calls: Sequence[Call]


def episodes(p: Population, clusters: Sequence[str] | None = None) -> list[Episode]:
    """The sampled traces with their calls. `clusters`: the cluster of each trace; None makes each task one."""
    traces, calls = p.sample.traces, p.sample.calls
    k = np.arange(len(p.of)) - p.starts[p.of] + 1
    error = Coded.of(calls["error"])
    columns = [
        k.tolist(),
        p.tool.array(),
        [p.actions[i] for i in p.kind.tolist()],
        p.source.array(),
        [error.names[i] if i >= 0 else None for i in error.codes.tolist()],
        _lists(calls["bare"]),
        calls["figure"].to_pylist(),
        _lists(calls["quoted"]),
    ]
    every = list(map(Call, *columns))
    tasks = p.task.array()
    rows = zip(
        traces["trace_id"].to_pylist(),
        tasks,
        traces["task_key"].is_valid().to_pylist(),
        p.intent.array(),
        tasks if clusters is None else clusters,
        p.solved.tolist(),
        p.starts.tolist(),
        p.sizes.tolist(),
        strict=True,
    )
    return [
        Episode(trace, task, same, intent, cluster, solved, every[start : start + size])
        for trace, task, same, intent, cluster, solved, start, size in rows
    ]


def _lists(column: pa.ChunkedArray) -> list[Sequence[str]]:
    """Lists of texts; most are empty."""
    lists = whole(column)
    offsets, flat = lists.offsets.to_numpy(), lists.values.to_pylist()
    out: list[Sequence[str]] = [()] * len(lists)
    for i in np.flatnonzero(np.diff(offsets)).tolist():
        out[i] = flat[offsets[i] : offsets[i + 1]]
    return out
