"""Coded traces in the engine, for those who study them: the table `coded`, and what its codes stand for."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ninefold.analysis.clusters import Numbers, cluster
from ninefold.analysis.decisions.coding import Coded, Symbol, code
from ninefold.analysis.decisions.coding_statements import CODED_COLUMNS
from ninefold.analysis.decisions.merging import Merged, merge
from ninefold.analysis.engine import Engine
from ninefold.analysis.judged import in_order, judged, whole
from ninefold.traces.table import StepTable

FOLDS = 5


@dataclass(frozen=True)
class Codes:
    """Symbols by code; 0 is none, 1 the start of a trace."""

    symbols: list[Symbol]


class Coder:
    """Codes shards as they come; they are put together when `codes` are asked for, for a word's worth hangs on all.

    `traces` and `steps` count what was added; `tasks_named`: a task key was seen.
    """

    def __init__(self, engine: Engine, intent_key: str | None = None) -> None:
        self._engine, self._intent_key = engine, intent_key
        self._shards: list[tuple[pa.Table, Coded]] = []
        self._codes: Codes | None = None
        self.traces = self.steps = 0
        self.tasks_named = False

    @classmethod
    def of(cls, engine: Engine, intent_key: str | None, rows: pa.Table, clusters: Numbers, merged: Merged) -> Self:
        """What is coded and put together already. `rows` as `judged.ROWS`, with a cluster and a sequence each."""
        coder = cls(engine, intent_key)
        coder._fill(rows, clusters, merged)
        coder.traces = rows.num_rows
        coder.tasks_named = bool(pc.any(rows["task_named"]).as_py())
        return coder

    def add(self, table: StepTable) -> None:
        """One shard; its traces must be whole, and judged ones count alone. Not after `codes` were asked for."""
        assert self._codes is None, "codes are fixed: add all shards before they are asked for"
        rows = judged(table, self._intent_key)
        self._shards.append((rows, code(self._engine, table, whole(rows["trace_id"]), whole(rows["task"]))))
        self.traces += rows.num_rows
        self.steps += table.steps.num_rows
        self.tasks_named |= bool(pc.any(rows["task_named"]).as_py())

    @property
    def codes(self) -> Codes:
        """What codes stand for; from then on the engine has the table `coded`."""
        if self._codes is None:
            rows = pa.concat_tables([table for table, _ in self._shards])
            merged = merge([coded for _, coded in self._shards])
            order = pa.array(in_order(rows))
            rows = rows.take(order)
            self._shards = []
            self._codes = self._fill(rows, cluster(rows), Merged(merged.sequences.take(order), merged.symbols))
        return self._codes

    @property
    def matchable(self) -> bool:
        """Whether anything tells one task from another; else every difference may be a mix of tasks."""
        return self.traces > 0 and (self.tasks_named or self._intent_key is not None)

    def _fill(self, rows: pa.Table, clusters: Numbers, merged: Merged) -> Codes:
        table = pa.table(
            {
                "n": pa.array(np.arange(rows.num_rows), pa.uint32()),
                "trace_id": rows["trace_id"],
                "task": rows["task"],
                "cluster": pa.array(clusters),
                "intent": pc.fill_null(rows["intent"], ""),
                "day": rows["day"],
                "version": rows["version"],
                "solved": pc.cast(rows["solved"], pa.uint8()),
                "fold": pa.array(rows["task"].to_numpy() % np.uint64(FOLDS), pa.uint8()),
                "seq": merged.sequences,
            }
        )
        self._engine.create("coded", CODED_COLUMNS)
        self._engine.load("shard", table)
        self._engine.append("coded", "SELECT * FROM shard")
        self._engine.drop("shard")
        self._codes = Codes(merged.symbols)
        return self._codes
