"""A population from its first shard to its patterns: the only place that knows the order of the parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa

from ninefold.analysis.decisions import findings, tables
from ninefold.analysis.decisions.coder import Codes
from ninefold.analysis.decisions.confirm import confirm, first_codes
from ninefold.analysis.decisions.crude import mixes
from ninefold.analysis.decisions.declined import unidentified
from ninefold.analysis.decisions.screen import screen
from ninefold.analysis.decisions.sequences import Flags, Sequences
from ninefold.analysis.decisions.values import Values, fit
from ninefold.analysis.engine import Engine
from ninefold.api.findings import Pattern

NUMBERS = "SELECT n FROM coded WHERE trace_id IN (SELECT trace_id FROM explained)"


@dataclass(frozen=True)
class Study:
    """What the traces say. `unidentified` are sentences about contrasts that stood out and are no patterns."""

    patterns: list[Pattern]
    unidentified: list[str]
    values: Values


class CodedTraces(Protocol):
    """Traces that lie in the engine's table `coded`, as a `Coder` leaves them."""

    @property
    def codes(self) -> Codes: ...
    @property
    def traces(self) -> int: ...
    @property
    def tasks_named(self) -> bool: ...
    @property
    def matchable(self) -> bool: ...


def study(engine: Engine, coder: CodedTraces, *, min_support: int, rate: float, informing: frozenset[str] = frozenset(),
          explained: Sequence[str] = ()) -> Study:  # fmt: skip
    """Study what has been coded. `explained`: ids of traces that patterns found elsewhere account for."""
    symbols = coder.codes.symbols
    intents = tables.intents(engine)
    states = tables.states(engine, intents)
    values = fit(states)
    if not coder.matchable:
        return Study([], [], values)
    actions = first_codes(symbols)
    before = tables.precedence(engine, intents, _bits(coder.codes, actions))
    screened = screen(states, before, actions, symbols, coder.traces)
    sequences = Sequences(engine, intents, coder.tasks_named)
    confirmed, refused = confirm(
        sequences,
        screened.contrasts,
        tried=screened.tried,
        min_support=min_support,
        rate=rate,
        explained=_rows(engine, explained, sequences),
    )
    seen = findings.Seen(engine, sequences, symbols, informing)
    found = findings.patterns(seen, confirmed)
    if coder.tasks_named:
        refused = [*refused, *mixes(sequences, before, actions, symbols, min_support=min_support, rate=rate)]
    return Study(found, unidentified(refused, symbols, min_support), values)


def _bits(codes: Codes, actions: Sequence[str]) -> list[int]:
    bits = {action: i for i, action in enumerate(actions)}
    return [bits.get(s.action, tables.NO_ACTION) for s in codes.symbols]


def _rows(engine: Engine, trace_ids: Sequence[str], sequences: Sequences) -> Flags | None:
    if not trace_ids:
        return None
    engine.load("explained", pa.table({"trace_id": list(trace_ids)}))
    return np.isin(sequences.n, [r["n"] for r in engine.query(NUMBERS)])
