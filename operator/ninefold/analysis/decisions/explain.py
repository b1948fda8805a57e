"""Traces step by step: what each step changed, against what usually becomes of such states."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from ninefold.analysis.decisions import tables
from ninefold.analysis.decisions.coder import Coder
from ninefold.analysis.decisions.coding import Symbol
from ninefold.analysis.decisions.values import Values, credit, fit
from ninefold.analysis.embedded import Embedded
from ninefold.analysis.engine import Engine
from ninefold.api.findings import StepCredit
from ninefold.traces import StepTable

EXPLAINED = """
-- Some traces as they were coded.
SELECT trace_id, intent, solved, seq FROM coded WHERE trace_id IN (SELECT trace_id FROM explained) ORDER BY trace_id
"""


def credits_of(engine: Engine, values: Values, symbols: Sequence[Symbol],
               trace_ids: Sequence[str]) -> dict[str, list[StepCredit]]:  # fmt: skip
    """Credit of every step of these traces, which are among the coded ones; unknown ids are left out.

    Values come from the other traces: a trace has no say in what its own states are worth.
    """
    # What a user wrote never becomes part of a statement: ids come as a table.
    engine.load("explained", pa.table({"trace_id": pa.array(trace_ids, pa.string())}))
    return {row["trace_id"]: _credits(values, symbols, row) for row in engine.query(EXPLAINED)}


def _credits(values: Values, symbols: Sequence[Symbol], row: dict[str, Any]) -> list[StepCredit]:
    seq, solved = row["seq"], bool(row["solved"])
    return [
        StepCredit(step=k, what=str(symbols[code]), value=c.value, credit=c.credit, low=c.low, high=c.high)
        for k, (code, c) in enumerate(zip(seq[1:], credit(values, row["intent"], seq, solved), strict=True), 1)
    ]


def explained(table: StepTable, trace_id: str, intent_key: str | None) -> list[str] | None:
    """Lines for a reader; None when there is no judged trace of this id."""
    with Embedded() as engine:
        coder = Coder(engine, intent_key)
        coder.add(table)
        symbols = coder.codes.symbols
        values = fit(tables.states(engine, tables.intents(engine)))
        steps = credits_of(engine, values, symbols, [trace_id]).get(trace_id)
    if steps is None:
        return None
    ended = "solved" if steps and steps[-1].value == 1.0 else "failed"
    start = steps[0].value - steps[0].credit if steps else values.everybody[0]
    worst = min(steps, key=lambda s: s.credit, default=None)
    lines = [f"{ended}; other traces like it start at {start:.0%}"]
    for step in steps:
        mark = "  <- lost most here" if step is worst and step.credit < 0 else ""
        lines.append(
            f"{step.step:3d}  {step.credit * 100:+6.1f} points ({step.low * 100:+.0f} to {step.high * 100:+.0f})  "
            f"{step.what}{mark}"
        )
    if values.calibration.weak:
        lines.append("These values are poorly calibrated: read them as hints.")
    return lines
