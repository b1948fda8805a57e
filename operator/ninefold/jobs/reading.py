"""Reads a window slice by slice, each once: what is fresh stays, what is stale or missing is read and kept as a part.

A slice is an hour (of a server) or a day (of objects), in UTC, and holds the traces that started in it. Its part is
kept as soon as it has been read, so whoever comes after a pod that died goes on where it stopped; and a later run reads
only what its window has more, or what has changed:

- Of a server, time decides. A slice is settled once it was read for a window that reaches to its end and `lateness`
  beyond; until then every run reads it again.
- Of objects, content decides (`ninefold.traces.catalogue`). Objects that are as they were are not opened.

Stale slices next to each other are read in one pass, as many as fit; memory is bounded by a pass. Slices are whole also
where the start of the window cuts them, for a slice that is cut would never be fresh again: so a window begins with the
start of its first slice.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ninefold.analysis.part import Part
from ninefold.api.base import parse_duration
from ninefold.api.inputs import RunInputs
from ninefold.jobs.keeping import Parts
from ninefold.jobs.passes import Judging, Pass, name_of, part_of
from ninefold.jobs.stock import Progress, Shard, Stock
from ninefold.store import PartHead
from ninefold.traces import Tally, TracesProblem, Window
from ninefold.traces.catalogue import Holding
from ninefold.traces.model import TraceRecord
from ninefold.traces.objects import ObjectSource, trace_hash
from ninefold.traces.private import Private
from ninefold.traces.scratch import Scratch, in_order
from ninefold.traces.slices import DAY, length_for, slice_of, slices_of
from ninefold.traces.spool import packed_by_trace
from ninefold.traces.table import nonzero

log = logging.getLogger(__name__)

PASS_BYTES = 128 * 2**20
"""Of tables that one pass over a server holds in memory; passes grow while they hold less than half of it."""
LONGEST_PASS = 32
"""Slices."""
PASS_TRACES = 20_000
"""Of one pass over objects, where their number is known before."""
TRIES = 3
"""Readings of objects that change meanwhile."""


class PartLost(Exception):
    """What a slice had left is gone or damaged."""


@dataclass(frozen=True)
class Reading:
    """The slices of a window, or of a shard's share of it, all of which have a part now."""

    slices: list[Window] = field(default_factory=list)
    heads: list[PartHead] = field(default_factory=list)
    read: int = 0
    """Slices that were stale."""
    beside: Tally = field(default_factory=Tally)
    """What was met that belongs to no slice."""

    @property
    def traces(self) -> int:
        return sum(head.traces for head in self.heads)

    @property
    def tally(self) -> Tally:
        return sum((Tally.from_wire(head.tally) for head in self.heads), self.beside)

    def parts(self, kept: Parts, inputs: RunInputs) -> Iterator[Part]:
        """All parts, and one without traces for what was counted where there were none.

        Raises PartLost when one is no longer there, or no part of this release. It is forgotten: read the window again.
        """
        bare = self.beside
        for one, head in zip(self.slices, self.heads, strict=True):
            if not head.size:
                bare += Tally.from_wire(head.tally)
                continue
            data = kept.data(name_of(one), head)
            try:
                yield Part.from_bytes(data or b"")
            except ValueError:
                kept.forget(name_of(one))
                raise PartLost(name_of(one)) from None
        yield part_of(bare, inputs)


def read_window(
    backend: Private,
    inputs: RunInputs,
    kept: Parts,
    shard: Shard | None = None,
    progress: Progress = lambda what, done, of: None,
    *,
    pause: Callable[[float], None] = time.sleep,
    judge: Judging | None = None,
) -> Reading:
    """Read what is stale of this shard's share of the window. TracesProblem for what the user must mend."""
    reader = _Reader(backend, inputs, kept, shard or Shard(), progress, judge=judge)
    if backend.source is None:
        return reader.of_server()
    for _ in range(TRIES):
        if (found := reader.of_objects(backend.source, pause)) is not None:
            return found
    raise TracesProblem(
        "TracesChange",
        f"objects of the TraceBackend changed while they were read, {TRIES} times over: let them be written under "
        "another name first, and renamed when they are complete",
        permanent=False,
    )


def share(slices: Sequence[Window], shard: Shard, *, blocks: int = 1) -> list[int]:
    """The places of a shard's slices: neighbours, in so many runs over the list, as load differs over time."""
    size = max(1, -(-len(slices) // (shard.count * blocks)))
    return [place for place in range(len(slices)) if place // size % shard.count == shard.index]


class _Reader:
    def __init__(
        self,
        backend: Private,
        inputs: RunInputs,
        kept: Parts,
        shard: Shard,
        progress: Progress,
        *,
        judge: Judging | None,
    ) -> None:
        self._backend, self._inputs, self._kept, self._shard, self._progress = backend, inputs, kept, shard, progress
        self._judge = judge
        asked = Window.of(inputs.window_start, inputs.window_end)
        self._length = DAY if backend.source is not None else length_for(asked)
        self._window = Window(slice_of(asked.start, self._length).start, asked.end)

    # ------------------------------------------------------------ servers

    def of_server(self) -> Reading:
        late = int(parse_duration(self._inputs.policy.traces.lateness).total_seconds()) * 10**9
        everything = slices_of(self._window, self._length)
        slices = [everything[place] for place in share(everything, self._shard, blocks=4)]
        heads = self._kept.heads([name_of(one) for one in slices])
        stale = [
            one
            for one in slices
            if (head := heads.get(name_of(one))) is None or head.until < min(one.end + late, self._window.end)
        ]
        done, most = len(slices) - len(stale), 1
        self._expects(len(stale))
        self._tell(done, len(slices))
        left = list(stale)
        while left:
            some = _neighbours(left[:most])
            held, read = self._one_pass(some, self._of_window(some), heads, {})
            heads |= read
            if held > PASS_BYTES:
                most = max(1, most // 2)
            elif held < PASS_BYTES // 2:
                most = min(LONGEST_PASS, most * 2)
            del left[: len(some)]
            self._tell(len(slices) - len(left), len(slices))
        return Reading(slices, [heads[name_of(one)] for one in slices], len(stale))

    def _of_window(self, some: Sequence[Window]) -> Iterator[tuple[int, TraceRecord]]:
        for record in self._backend.read(Window(some[0].start, min(some[-1].end, self._window.end))):
            # Traces of the slices before and after, which are seen because they reach in here.
            self._backend.losses.pop("outside_window", None)
            yield slice_of(record.start_ts, self._length).start, record
        self._backend.losses.pop("outside_window", None)

    # ------------------------------------------------------------ objects

    def of_objects(self, source: ObjectSource, pause: Callable[[float], None]) -> Reading | None:
        """None when an object is no longer what the index says of it."""
        source.losses.clear()
        objects = source.objects(self._window)
        beside = Counter(nonzero(source.losses))
        source.losses.clear()
        with Scratch(self._length) as scratch:
            stock = Stock(source, self._kept, objects, scratch, run=str(self._window.end))
            stock.take(self._shard, self._progress, pause)
            found = stock.catalogue(self._window, self._length)
            own = share([h.slice for h in found.holdings], self._shard)
            holdings = [found.holdings[place] for place in own]
            heads = self._kept.heads([name_of(h.slice) for h in holdings])
            stale = [h for h in holdings if (head := heads.get(name_of(h.slice))) is None or head.digest != h.digest]
            done = len(holdings) - len(stale)
            self._expects(len(stale))
            self._tell(done, len(holdings))
            for some in _together(stale):
                needed = sorted({place for h in some for place in h.objects} - scratch.objects)
                if not all(stock.open(place) for place in needed):
                    return None
                rows = _of_scratch(source, self._backend, scratch, some)
                slices, digests = [h.slice for h in some], {h.slice.start: h.digest for h in some}
                heads |= self._one_pass(slices, rows, heads, digests)[1]
                done += len(some)
                self._tell(done, len(holdings))
            beside += stock.losses + Counter(outside_window=found.outside)
        slices = [h.slice for h in holdings]
        return Reading(slices, [heads[name_of(one)] for one in slices], len(stale), Tally(losses=beside))

    # ------------------------------------------------------------ both

    def _one_pass(
        self,
        slices: Sequence[Window],
        records: Iterable[tuple[int, TraceRecord]],
        heads: dict[str, PartHead],
        digests: dict[int, str],
    ) -> tuple[int, dict[str, PartHead]]:
        """Read some slices and keep their parts. Returns the bytes that were held, and the heads."""
        one = Pass(self._inputs, slices, self._backend.losses, self._judge)
        for start, record in records:
            one.add(record, start)
        held = one.nbytes
        return held, one.keep(self._kept, heads, self._window.end, digests)

    def _expects(self, stale: int) -> None:
        if self._judge is not None:
            self._judge.expects(stale)

    def _tell(self, done: int, of: int) -> None:
        self._progress("slices", done, of)
        log.info("slices read", extra={"done": done, "of": of})


def _neighbours(slices: Sequence[Window]) -> list[Window]:
    """The first of them, and those that follow it without a gap."""
    some = [slices[0]]
    for one in slices[1:]:
        if one.start != some[-1].end:
            break
        some.append(one)
    return some


def _together(stale: Sequence[Holding]) -> Iterator[list[Holding]]:
    """Slices in groups for one pass each."""
    some: list[Holding] = []
    for holding in stale:
        if some and sum(len(h.traces) for h in some) + len(holding.traces) > PASS_TRACES:
            yield some
            some = []
        some.append(holding)
    if some:
        yield some


def _of_scratch(
    source: ObjectSource, backend: Private, scratch: Scratch, some: Sequence[Holding]
) -> Iterator[tuple[int, TraceRecord]]:
    """The traces of some slices, each with the start of its slice."""
    where = {int(trace): h.slice.start for h in some for trace in h.traces}
    start, end = some[0].slice.start, max(h.until for h in some)
    groups = packed_by_trace(scratch.rows(where, start, end), scratch.size(start, end), source.losses)
    for record in backend.cleaned(source.traces(map(in_order, groups))):
        yield where.get(trace_hash(record.trace_id), start), record
