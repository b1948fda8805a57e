"""From the table of steps to one short sequence of raw codes per trace: what one shard of traces leaves.

A raw code is a place in the shard's own dictionary of symbols, which still hold every leading word. What a word is
worth is decided over all shards (`merging`), from sums and sets that are the same in any order. Only arguments that are
free text for certain, since more traces cannot make them anything else, lose their words at once: it keeps shards
small.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ninefold.analysis.actions import LEAD_TASKS, MODES
from ninefold.analysis.decisions import coding_statements as statements
from ninefold.analysis.engine import Engine, Row
from ninefold.analysis.messages import Messages, last_history
from ninefold.traces.table import StepTable

START = 1
MOST_LEADS = 20
"""Leading words of an argument above which it is free text, whose first word says nothing of what is done."""
LEADS = pa.schema(
    [
        ("tool", pa.string()),
        ("name", pa.string()),
        ("word", pa.string()),
        ("tasks", pa.list_(pa.uint64())),
        ("calls", pa.uint64()),
        ("alone", pa.uint64()),
    ]
)
SEQUENCE = pa.list_(pa.uint32())

Argument = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Symbol:
    """What one code stands for: a call, how it went, and whether it named something that nothing supports."""

    tool: str
    action: str
    outcome: str
    bare: bool

    @property
    def error(self) -> str | None:
        return self.outcome[6:] if self.outcome.startswith("error ") else None

    @property
    def choice(self) -> tuple[str, bool]:
        """What the agent decided, without how it went."""
        return self.action, self.bare

    def __str__(self) -> str:
        return self.action if self.outcome == "ok" else f"{self.action} → {self.outcome}"


@dataclass(frozen=True)
class Coded:
    """One shard. `sequences` has an entry a trace, in the order asked for; its numbers are places in `symbols`.

    `leads` are the words that lead arguments (columns as LEADS); `free` the arguments that are free text for certain.
    """

    sequences: pa.ListArray
    symbols: list[str]
    leads: pa.Table
    free: list[Argument]


def code(engine: Engine, table: StepTable, traces: pa.Array, tasks: pa.Array) -> Coded:
    """Code these traces of the table; `tasks` are their tasks as numbers. Leaves nothing in the engine."""
    if not len(traces):
        return Coded(pa.array([], SEQUENCE), [], LEADS.empty_table(), [])
    engine.load("steps", _steps(table, traces))
    engine.load("told", _told(table, traces))
    numbers = pa.array(np.arange(len(traces)), pa.uint32())
    engine.load("tasks", pa.table({"n": numbers, "task": tasks}))
    engine.derive("parsed", statements.PARSED)
    leads = engine.query(statements.LEADS)
    free = _free(leads)
    engine.load("free", pa.table({"argument": pa.array([statements.FIELD.join(a) for a in free], pa.string())}))
    engine.derive("unsupported", statements.UNSUPPORTED)
    engine.derive("signed", statements.SIGNED)
    symbols = [str(r["symbol"]) for r in engine.query(statements.SYMBOLS)]
    codes = pa.array(np.arange(len(symbols)), pa.uint32())
    engine.load("codes", pa.table({"symbol": pa.array(symbols, pa.string()), "code": codes}))
    sequences = _aligned(engine.arrow(statements.SEQUENCES), len(traces))
    for name in ("steps", "told", "tasks", "parsed", "free", "unsupported", "signed", "codes"):
        engine.drop(name)
    known = set(free)
    kept = [r for r in leads if (r["tool"], r["name"]) not in known]
    return Coded(sequences, symbols, pa.Table.from_pylist(kept, LEADS), free)


def _free(leads: list[Row]) -> list[Argument]:
    """Arguments whose words in this shard alone are too many to say what is done: more traces only add to them."""
    frequent: defaultdict[Argument, int] = defaultdict(int)
    alone: defaultdict[Argument, int] = defaultdict(int)
    for r in leads:
        argument = r["tool"], r["name"]
        frequent[argument] += bool(r["word"]) and len(r["tasks"]) >= LEAD_TASKS
        alone[argument] += r["alone"] > 0
    return sorted(a for a in frequent if is_free(frequent[a], alone[a]))


def is_free(frequent: int, alone: int) -> bool:
    """Whether so many words lead an argument in several tasks, or are all of it, that it is free text.

    Many single words are names of things (towns, customers), not modes of a call.
    """
    return frequent > MOST_LEADS or alone > MODES


def _aligned(found: pa.Table, traces: int) -> pa.ListArray:
    """Sequences by trace; empty for those without steps."""
    column = found["seq"].combine_chunks()
    sizes = np.zeros(traces, np.int32)
    sizes[found["n"].to_numpy()] = np.diff(column.offsets.to_numpy())
    offsets = np.concatenate((np.zeros(1, np.int32), np.cumsum(sizes, dtype=np.int32)))
    return pa.ListArray.from_arrays(offsets, column.flatten().cast(pa.uint32()))


def _steps(table: StepTable, traces: pa.Array) -> pa.Table:
    """Tool calls, and what the agent said last, of the traces; `n` is the trace's place among them."""
    steps = table.steps
    n = pc.index_in(steps["trace_id"], value_set=traces)
    last = pc.and_(pc.equal(steps["kind"], "llm"), pc.is_valid(steps["message_out"]))
    # The last step of a trace is the one that the next row does not continue.
    ordered = steps.append_column("n", n).filter(pc.and_(pc.is_valid(n), pc.or_(pc.equal(steps["kind"], "tool"), last)))
    ordered = ordered.sort_by([("n", "ascending"), ("step_idx", "ascending")])
    numbers = ordered["n"].to_numpy()
    ends = np.append(numbers[1:] != numbers[:-1], True) if len(numbers) else np.zeros(0, bool)
    kept = ordered.filter(pc.or_(pc.equal(ordered["kind"], "tool"), pa.array(ends)))
    return pa.table(
        {
            "n": pc.cast(kept["n"], pa.uint32()),
            "k": pc.cast(pc.add(kept["step_idx"], statements.FIRST_STEP), pa.uint32()),
            "kind": kept["kind"],
            "tool": pc.coalesce(kept["tool_name"], kept["name"]),
            "args": pc.fill_null(kept["tool_args"], ""),
            "result": pc.fill_null(kept["tool_result"], ""),
            "failed": pc.equal(kept["status"], "error"),
            "signature": pc.fill_null(kept["error_signature"], ""),
        }
    )


def _told(table: StepTable, traces: pa.Array) -> pa.Table:
    """What users and system said, by trace: the last recorded history covers those before it."""
    messages = Messages(table.messages)
    last = last_history(table.steps)
    rows = {n: messages.spoken(last[t]) for n, t in enumerate(traces.to_pylist()) if t in last}
    return pa.table({"n": pa.array(rows.keys(), pa.uint32()), "text": pa.array(rows.values(), pa.string())})
