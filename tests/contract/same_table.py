"""One table whatever the route: compares what two backends read of the same traces, row by row."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from ninefold.traces.model import TraceRecord

MILLISECOND = 1_000_000


def normal(record: TraceRecord, without: Collection[str] = (), resolution: int = 1) -> dict[str, Any]:
    """A trace as plain values. `without` names columns that a route cannot carry; times are cut to `resolution` ns."""

    def cut(moment: int) -> int:
        return moment // resolution * resolution

    steps = [replace(s, start_ts=cut(s.start_ts), end_ts=cut(s.end_ts)) for s in record.steps]
    scores = sorted((s.name, s.value, s.step_id or "", cut(s.ts)) for s in record.scores)
    head = {
        "session_id": record.session_id, "user_hash": record.user_hash, "agent": record.agent,
        "agent_version": record.agent_version, "environment": record.environment, "metadata": record.metadata,
        "start_ts": cut(record.start_ts), "end_ts": cut(record.end_ts), "cost_usd": record.cost_usd,
    }  # fmt: skip
    rows = [{k: getattr(s, k) for k in s.__slots__ if k not in without} for s in steps]
    return {
        **{k: v for k, v in head.items() if k not in without},
        "steps": rows,
        "scores": scores,
        "messages": record.messages,
    }


def assert_same(
    wanted: Iterable[TraceRecord], found: Iterable[TraceRecord], without: Collection[str] = (), resolution: int = 1
) -> None:
    """Fails with the first trace and column that differ."""
    left = {r.trace_id: normal(r, without, resolution) for r in wanted}
    right = {r.trace_id: normal(r, without, resolution) for r in found}
    assert left.keys() == right.keys()
    for trace_id, row in left.items():
        for column, value in row.items():
            assert right[trace_id][column] == value, f"trace {trace_id}, column {column}"
