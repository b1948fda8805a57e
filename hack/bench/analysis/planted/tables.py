"""A shard as the normalised tables that every backend ends in: `traces`, `steps`, `messages`, and the truth.

The column names are those of `ninefold.traces.table`; they are written here once more, and a test compares them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bench.analysis.planted.population import CALLS, INTENTS, Population

START = 1_760_000_000_000_000_000
"""Nanoseconds since 1970 of the first day."""
DAY = 86_400 * 10**9
TIME = pa.timestamp("ns", "UTC")

ARGS: dict[str, tuple[str, str]] = {
    "search_orders": ('{"query":"orders of ', '"}'),
    "search_web": ('{"query":"customer ', ' complaint"}'),
    "search_kb": ('{"query":"how to help ', '"}'),
    "open_ticket": ('{"about":"', '","queue":"desk"}'),
    "find_customer": ('{"name":"customer ', '"}'),
    "get_customer": ('{"customer_id":"cus_', '"}'),
    "lookup_region": ('{"customer_id":"cus_', '"}'),
    "update_record": ('{"customer_id":"cus_', '","region":"looked_up"}'),
    "update_record:default": ('{"customer_id":"cus_', '","region":"default"}'),
}
"""Text before and after the customer's number; a call that is not here carries the customer's id."""
RESULTS: dict[str, tuple[str, str]] = {
    "find_customer": ('{"customer_id":"cus_', '"}'),
    "find_customer:empty": ("[]", ""),
    "list_customers": ('[{"customer_id":"cus_', '"}]'),
    "lookup_region": ('{"region":"looked_up","of":"cus_', '"}'),
}
ERRORS = {
    "get_customer:unknown": ("no customer cus_", " is known", "no customer <id> is known"),
    "charge_card:timeout": ("charge of cus_", " timed out", "charge of <id> timed out"),
    "get_account:merged": ("account of cus_", " was merged into another", "account of <id> was merged into another"),
    "check_cache:miss": ("cache of cus_", " is cold", "cache of <id> is cold"),
}
"""Message before and after the number, and the signature of the error."""


@dataclass(frozen=True)
class Tables:
    """`truth` has a column `trace_id` and a flag for every planted cause."""

    traces: pa.Table
    steps: pa.Table
    messages: pa.Table
    truth: pa.Table


def tables(p: Population) -> Tables:
    """The shard's tables; steps stand in time order within each trace."""
    n = len(p.task)
    trace_ids = _hex(p, n, 16, 0)
    task = pa.array([f"task-{p.shard}-{t}" for t in range(int(p.task.max()) + 1)]).take(pa.array(p.task))
    intent = pa.array(INTENTS).take(pa.array(p.intent))
    start = START + p.day * DAY + np.arange(n) * 1_000
    nothing = pa.nulls(n, pa.string())
    asked = _join("message-", task)
    metadata = _join('{"app.intent":"', intent, '","app.task":"', task, '"}')
    traces = pa.table(
        {
            "trace_id": trace_ids,
            "session_id": _join("session-", trace_ids),
            "user_hash": nothing,
            "agent": pa.repeat("desk", n),
            "agent_version": pa.array(["", "v1", "v2"]).take(pa.array(p.version)),
            "environment": pa.repeat("production", n),
            "task_key": task,
            "start_ts": pa.array(start).cast(TIME),
            "end_ts": pa.array(start + 10**9).cast(TIME),
            "outcome": pa.array(p.solved),
            "outcome_score": pa.array(p.solved.astype(float)),
            "outcome_source": pa.repeat("generator", n),
            "cost_usd": pa.nulls(n, pa.float64()),
            "metadata": metadata,
        }
    )
    return Tables(traces, _steps(p, trace_ids, asked, start), _messages(p, task, intent, asked), _truth(p, trace_ids))


def _steps(p: Population, trace_ids: pa.Array, asked: pa.Array, start: NDArray[np.int64]) -> pa.Table:
    row, slot = np.nonzero(p.slots)
    call = p.slots[row, slot].astype(np.int64)
    n = len(row)
    first = np.concatenate(([0], np.flatnonzero(np.diff(row)) + 1))
    idx = np.arange(n) - np.repeat(first, np.diff(np.concatenate((first, [n]))))
    number = pa.array(np.where(call == CALLS.index("get_customer:unknown"), p.invented[row], p.entity[row]))
    number, rows, calls = number.cast(pa.string()), pa.array(row), pa.array(call)
    is_answer = pa.array(call == CALLS.index("answer"))
    failed = pa.array(np.isin(call, [CALLS.index(c) for c in ERRORS]))
    tool = pa.array([c.split(":")[0] for c in CALLS]).take(calls)
    none = pa.scalar(None, pa.string())
    at = start[row] + idx * 10**7
    in_tool = pc.invert(is_answer)

    def text(of: Mapping[str, tuple[str, ...]], default: tuple[str, str], where: pa.Array, part: int = 0) -> pa.Array:
        before = pa.array([of.get(c, of.get(c.split(":")[0], default))[part] for c in CALLS]).take(calls)
        after = pa.array([of.get(c, of.get(c.split(":")[0], default))[part + 1] for c in CALLS]).take(calls)
        middle = pc.if_else(pc.equal(before, "[]"), "", number)
        return pc.if_else(where, _join(before, middle, after), none)

    ids = _hex(p, n, 8, 1)
    columns: dict[str, Any] = {
        "trace_id": trace_ids.take(rows),
        "step_idx": pa.array(idx.astype(np.int32)),
        "step_id": ids,
        "parent_id": pa.nulls(n, pa.string()),
        "kind": pc.if_else(is_answer, "llm", "tool"),
        "name": pc.if_else(is_answer, "chat", tool),
        "tool_name": pc.if_else(is_answer, none, tool),
        "tool_call_id": pa.nulls(n, pa.string()),
        "tool_args": text(ARGS, ('{"customer_id":"cus_', '"}'), in_tool),
        "tool_result": text(RESULTS, ('{"done":"cus_', '"}'), pc.and_(in_tool, pc.invert(failed))),
        "messages_in_hash": pc.if_else(is_answer, asked.take(rows), none),
        "message_out": pc.if_else(is_answer, "This is settled.", none),
        "system_prompt_hash": pa.nulls(n, pa.string()),
        "prompt_name": pa.nulls(n, pa.string()),
        "prompt_version": pa.nulls(n, pa.string()),
        "model": pc.if_else(is_answer, "model", none),
        "tokens_in": pa.nulls(n, pa.int64()),
        "tokens_out": pa.nulls(n, pa.int64()),
        "cost_usd": pa.nulls(n, pa.float64()),
        "start_ts": pa.array(at).cast(TIME),
        "end_ts": pa.array(at + 10**6).cast(TIME),
        "status": pc.if_else(failed, "error", "ok"),
        "error_type": pc.if_else(failed, "ToolError", none),
        "error_message": text(ERRORS, ("", ""), failed),
        "error_signature": pc.if_else(
            failed, pa.array([ERRORS.get(c, ("", "", ""))[2] for c in CALLS]).take(calls), none
        ),
    }
    return pa.table(columns)


def _messages(p: Population, task: pa.Array, intent: pa.Array, asked: pa.Array) -> pa.Table:
    _, first = np.unique(p.task, return_index=True)
    rows = pa.array(first)
    number = pa.array(p.entity[first]).cast(pa.string())
    content = _join("Please help customer ", number, " with ", intent.take(rows), " (", task.take(rows), ").")
    return pa.table(
        {
            "hash": asked.take(rows),
            "parent_hash": pa.nulls(len(first), pa.string()),
            "role": pa.repeat("user", len(first)),
            "content": content,
        }
    )


def _truth(p: Population, trace_ids: pa.Array) -> pa.Table:
    return pa.table({"trace_id": trace_ids, **{name: pa.array(flags) for name, flags in p.active.items()}})


def _join(*parts: Any) -> pa.Array:
    return pc.binary_join_element_wise(*parts, "")


def _hex(p: Population, n: int, size: int, salt: int) -> pa.Array:
    """Random ids of `size` bytes as hex text, without a Python object each."""
    raw = np.random.default_rng([p.seed, p.shard, salt, 7]).bytes(n * size)
    offsets = np.arange(n + 1, dtype=np.int32) * (2 * size)
    return pa.StringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(raw.hex().encode()))
