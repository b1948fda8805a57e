"""Held-out cases: the openings of traces that neither patterns nor facts have seen, to be run again.

Above the limit a stratified sample, always the same. Strata are intent and historical outcome; each gives its share,
and within it a hash of the trace's id decides. So no stratum gives more than the limit: a part keeps the first ones of
each, and with the sizes of the strata the sample of all parts is exact.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ninefold.analysis.judged import BUCKETS, number
from ninefold.analysis.messages import Messages, first_history
from ninefold.api.cases import Case, CaseSet, RecordedCall
from ninefold.traces import StepTable

OPENINGS = pa.schema(
    [
        ("trace_id", pa.string()),
        ("bucket", pa.uint8()),
        ("intent", pa.string()),
        ("solved", pa.bool_()),
        ("rank", pa.uint64()),  # hash that decides within a stratum
        ("metadata", pa.string()),  # JSON
        ("input", pa.string()),  # JSON
        ("started", pa.int64()),  # seconds since 1970
        ("recorded", pa.string()),  # JSON: its tool calls, where replay needs them
    ]
)
Stratum = tuple[str | None, bool]
_RANK = b"cases"


MAX_RECORDED = 64 * 2**10
"""Characters of tool calls that a case may bring; calls beyond it are left out whole, and so unknown to replay."""


def openings(table: StepTable, rows: pa.Table, limit: int, *, recorded: bool = False) -> pa.Table:
    """Of the held-out rows (columns as `judged.ROWS`) with an input, the first `limit` of each stratum.

    `recorded`: with their tool calls, for a replay that runs the agent's loop on them.
    """
    held = rows.filter(pc.and_(pc.not_equal(rows["bucket"], BUCKETS.index("analysis")), rows["runnable"]))
    ranks = pa.array([number(t, _RANK) for t in held["trace_id"].to_pylist()], pa.uint64())
    kept = first_of_strata(held.select(["trace_id", "bucket", "intent", "solved"]).append_column("rank", ranks), limit)
    ids = kept["trace_id"].to_pylist()
    place = pc.index_in(kept["trace_id"], value_set=table.traces["trace_id"])
    metadata = table.traces["metadata"].take(place)
    own = table.steps.filter(pc.is_in(table.steps["trace_id"], value_set=kept["trace_id"]))
    first, messages = first_history(own), Messages(table.messages)
    inputs = [json.dumps(messages.opening(first.get(t)), ensure_ascii=False) for t in ids]
    calls = _recorded(own) if recorded else {}
    started = table.traces["start_ts"].take(place).cast(pa.timestamp("s", "UTC"), safe=False).cast(pa.int64())
    made = kept.append_column("metadata", metadata).append_column("input", pa.array(inputs, pa.string()))
    made = made.append_column("started", started)
    told = [json.dumps(calls.get(t, []), ensure_ascii=False) for t in ids]
    return made.append_column("recorded", pa.array(told, pa.string())).cast(OPENINGS)


def _recorded(steps: pa.Table) -> dict[str, list[dict[str, Any]]]:
    """Tool calls by trace, in order: as `api.artifacts.RecordedCall`."""
    tools = steps.filter(pc.equal(steps["kind"], "tool")).sort_by(
        [("trace_id", "ascending"), ("step_idx", "ascending")]
    )
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    room: defaultdict[str, int] = defaultdict(lambda: MAX_RECORDED)
    columns = ["trace_id", "tool_name", "name", "tool_args", "tool_result", "status"]
    for step in tools.select(columns).to_pylist():
        if step["tool_result"] is None:
            continue
        call = RecordedCall(
            tool=step["tool_name"] or step["name"] or "tool",
            arguments=step["tool_args"] or "",
            result=step["tool_result"],
            error=step["status"] == "error",
        )
        size = len(call.arguments) + len(call.result)
        if size <= room[step["trace_id"]]:
            room[step["trace_id"]] -= size
            found[step["trace_id"]].append(call.wire())
    return found


def first_of_strata(rows: pa.Table, limit: int) -> pa.Table:
    """The first `limit` rows of every bucket, intent and outcome, by rank; in that order."""
    rows = rows.sort_by([(c, "ascending") for c in ("bucket", "intent", "solved", "rank", "trace_id")])
    if rows.num_rows <= limit:
        return rows
    intents = rows["intent"].combine_chunks().dictionary_encode(null_encoding="encode").indices
    strata = np.stack([rows["bucket"].to_numpy(), intents.to_numpy(), rows["solved"].to_numpy()], axis=1)
    fresh = np.append(True, (strata[1:] != strata[:-1]).any(axis=1))
    starts = np.flatnonzero(fresh)
    place = np.arange(rows.num_rows) - starts[np.cumsum(fresh) - 1]
    return rows.filter(pa.array(place < limit))


def sizes(rows: pa.Table) -> dict[tuple[int, str | None, bool], int]:
    """How many rows with an input each (bucket, intent, outcome) has."""
    own = rows.filter(rows["runnable"]).group_by(["bucket", "intent", "solved"]).aggregate([("key", "count")])
    columns = (own[c].to_pylist() for c in ("bucket", "intent", "solved", "key_count"))
    return {(b, i, s): n for b, i, s, n in zip(*columns, strict=True)}


def chosen(bucket: Literal["selection", "sealed"], kept: Sequence[dict[str, Any]],
           strata: Mapping[tuple[int, str | None, bool], int], limit: int,
           since: str | None = None) -> list[dict[str, Any]]:  # fmt: skip
    """The openings of a bucket's sample in the order of their ids. `kept`: rows as OPENINGS, of all parts.

    Traces that started after `since` (RFC 3339) go first, others fill up: so what was opened before is used again only
    where new ones do not suffice.
    """
    moment = datetime.fromisoformat(since).timestamp() if since else None
    number = BUCKETS.index(bucket)
    groups: defaultdict[Stratum, list[dict[str, Any]]] = defaultdict(list)
    for row in kept:
        if row["bucket"] == number:
            groups[row["intent"], row["solved"]].append(row)
    ranked: list[tuple[bool, float, str, dict[str, Any]]] = []
    for (intent, solved), group in groups.items():
        group.sort(key=lambda r: (r["rank"], r["trace_id"]))
        # The n-th of a stratum stands at the same height as the n-th of an equally large one: a cut takes equal shares.
        size = strata[number, intent, solved]
        ranked += ((_opened(r, moment), (i + 0.5) / size, r["trace_id"], r) for i, r in enumerate(group))
    cut = sorted(ranked, key=lambda r: r[:3])[:limit]
    return [row for *_, row in sorted(cut, key=lambda r: r[2])]


def _opened(row: dict[str, Any], moment: float | None) -> bool:
    """Whether a trace may have been among sealed cases before."""
    return moment is not None and (row["started"] is None or row["started"] <= moment)


def case_set(
    bucket: Literal["selection", "sealed"], rows: Sequence[dict[str, Any]], clusters: Mapping[str, str]
) -> CaseSet:
    """These openings as cases. `clusters` names the cluster of each trace."""
    return CaseSet(bucket=bucket, cases=[_case(r, clusters[r["trace_id"]]) for r in rows])


def _case(row: dict[str, Any], cluster: str) -> Case:
    return Case(
        case_id=row["trace_id"],
        cluster=cluster,
        intent=row["intent"],
        input=json.loads(row["input"]),
        metadata=json.loads(row["metadata"]),
        succeeded=row["solved"],
        started=row["started"],
        recorded=[RecordedCall.model_validate(call) for call in json.loads(row["recorded"] or "[]")],
    )
