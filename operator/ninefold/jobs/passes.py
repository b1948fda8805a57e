"""One pass over some slices that lie next to each other: traces come in any order and leave as a part a slice."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

import numpy as np

from ninefold.analysis.part import Part
from ninefold.api.base import rfc3339
from ninefold.api.inputs import RunInputs
from ninefold.jobs.keeping import Parts
from ninefold.store import PartHead
from ninefold.traces import StepTable, Tally, Window
from ninefold.traces.model import TraceRecord
from ninefold.traces.objects import trace_hash
from ninefold.traces.table import Tabulator, nonzero, with_verdicts


class Judging(Protocol):
    """Grades a sample of what nothing else decides (`ninefold.jobs.history`)."""

    def expects(self, slices: int) -> None:
        """So many slices are going to be read."""

    def see(self, record: TraceRecord) -> None:
        """A trace of the pass under way."""

    def verdicts(self, slices: int) -> Mapping[str, bool]:
        """The pass, over so many slices, has ended: verdicts by trace id."""
        ...


def name_of(one: Window) -> str:
    """The name of a slice: when it starts."""
    return rfc3339(datetime.fromtimestamp(one.start // 10**9, UTC))


class Pass:
    """A table a slice in the making. `losses` are those of the backend; what is new in them is moved to a slice's."""

    def __init__(
        self, inputs: RunInputs, slices: Sequence[Window], losses: Counter[str], judge: Judging | None = None
    ) -> None:
        self._inputs, self._slices, self._losses, self._judge = inputs, slices, losses, judge
        self._tables = {one.start: Tabulator(inputs.agent, Counter()) for one in slices}

    @property
    def nbytes(self) -> int:
        return sum(table.nbytes for table in self._tables.values())

    def add(self, record: TraceRecord, start: int) -> None:
        """A trace of the slice that starts then; of the nearest one when it is none of the pass."""
        table = self._tables[min(max(start, self._slices[0].start), self._slices[-1].start)]
        self._take_losses(table)
        table.add(record)
        if self._judge is not None:
            self._judge.see(record)

    def keep(
        self, kept: Parts, before: Mapping[str, PartHead], until: int, digests: Mapping[int, str]
    ) -> dict[str, PartHead]:
        """Keep the part of every slice; returns their heads. `before` are those of earlier readings."""
        self._take_losses(self._tables[self._slices[0].start])
        verdicts = self._judge.verdicts(len(self._slices)) if self._judge is not None else {}
        heads = {}
        for one in self._slices:
            name, table = name_of(one), self._tables.pop(one.start).table()
            ids = np.sort(np.array([trace_hash(i) for i in table.traces["trace_id"].to_pylist()], "<u8"))
            late = _late(kept, name, one, before.get(name), ids)
            table = with_verdicts(table, verdicts) if verdicts else table
            losses = Counter(table.losses) + Counter(late_traces=late)
            table = replace(table, losses=nonzero(losses))
            data = Part.of(table, self._inputs).to_bytes() if len(ids) else b""
            heads[name] = PartHead.of(
                data,
                digest=digests.get(one.start, ""),
                until=until,
                traces=len(ids),
                late=late,
                tally=Tally.of(table).wire(),
            )
            kept.put(name, heads[name], data, ids.tobytes())
        return heads

    def _take_losses(self, table: Tabulator) -> None:
        table.losses.update(self._losses)
        self._losses.clear()


def part_of(tally: Tally, inputs: RunInputs) -> Part:
    """A part without traces, for what was counted beside them."""
    empty = Tabulator(inputs.agent, Counter()).table()
    table = StepTable(empty.traces, empty.steps, empty.scores, empty.messages, nonzero(tally.losses), tally.seen)
    return Part.of(table, inputs)


def _late(
    kept: Parts, name: str, one: Window, before: PartHead | None, ids: "np.ndarray[tuple[int], np.dtype[np.uint64]]"
) -> int:
    """Traces that came after a reading at which the slice was over, at this reading or an earlier one."""
    if before is None or before.until < one.end:
        return 0
    there = np.frombuffer(kept.traces(name), "<u8")
    return before.late + (int((~np.isin(ids, there)).sum()) if len(there) == before.traces else 0)
