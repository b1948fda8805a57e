"""A population from its first shard to its patterns: the only place that knows the order of the parts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ninefold.analysis.decisions import findings, statements
from ninefold.analysis.decisions.coder import Coder, Codes
from ninefold.analysis.decisions.confirm import Flags, confirm, first_codes, gather
from ninefold.analysis.decisions.screen import screen
from ninefold.analysis.decisions.values import Values, fit
from ninefold.analysis.engine import Engine
from ninefold.api.artifacts import Pattern


@dataclass(frozen=True)
class Study:
    """What the traces say. `unidentified` are sentences about contrasts that stood out and are no patterns."""

    patterns: list[Pattern]
    unidentified: list[str]
    values: Values


def study(engine: Engine, coder: Coder, *, min_support: int, rate: float, informing: frozenset[str] = frozenset(),
          explained: Sequence[str] = ()) -> Study:  # fmt: skip
    """Study what has been coded. `explained`: ids of traces that patterns found elsewhere account for."""
    symbols = coder.codes.symbols
    states = engine.arrow(statements.STATES)
    values = fit(states)
    if not coder.matchable:
        return Study([], [], values)
    actions = first_codes(symbols)
    screened = screen(states, engine.arrow(_earlier(coder.codes, actions)), actions, symbols, coder.traces)
    population = gather(engine, screened.contrasts, symbols, coder.tasks_named)
    confirmed, refused = confirm(
        population,
        screened.contrasts,
        tried=screened.tried,
        min_support=min_support,
        rate=rate,
        explained=_rows(engine, explained, coder.traces),
    )
    weak = values.calibration.weak
    found = findings.patterns(engine, population, confirmed, symbols=symbols, informing=informing, weak=weak)
    return Study(found, findings.unidentified(refused, symbols, min_support), values)


def _earlier(codes: Codes, actions: Sequence[str]) -> str:
    bits = {action: i for i, action in enumerate(actions)}
    return statements.earlier([bits.get(s.action, 64) for s in codes.symbols])


def _rows(engine: Engine, trace_ids: Sequence[str], traces: int) -> Flags | None:
    if not trace_ids:
        return None
    engine.load("explained", pa.table({"trace_id": list(trace_ids)}))
    flags = np.zeros(traces, bool)
    flags[[r["n"] for r in engine.query(statements.NUMBERS)]] = True
    return flags
