"""What one slice of the traces leaves behind, so that it is read once: a part.

A part holds, of every judged trace, one row and one short sequence of codes; of some, chosen by hashes, what their
calls say (`sample`) or how they began, to be run again (`cases`); and counts. All of it is such that parts of a union
give what one part of it gives: sums, sets, sequences in the part's own dictionary, the smallest of smallest ones. So
slices come in any order, are lost and read again, and any number of them is one analysis (`together`).
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from ninefold.analysis import cases, packing, sample
from ninefold.analysis.decisions.coding import LEADS, SEQUENCE, Coded, code
from ninefold.analysis.embedded import Embedded
from ninefold.analysis.judged import BUCKETS, ROWS, judged, whole
from ninefold.analysis.reading import CALLS
from ninefold.analysis.sample import Sample
from ninefold.api.artifacts import canonical, sha256
from ninefold.api.inputs import RunInputs
from ninefold.traces import StepTable
from ninefold.traces.table import Seen

MAX_PART = 64 * 2**20
"""Bytes of one part: what the store takes."""
_MAGIC = b"ninefold part 5\n"
_SEEN = ("agents", "environments", "scores", "metadata_keys")
_AGAIN = "read the slice of traces again"


@dataclass(frozen=True)
class Counts:
    """What was met on the way. `traces` and `steps` are this agent's, judged or not; `scores` and `keys` the names of

    their scores and of the fields of their metadata, with how many traces had them.
    """

    traces: int = 0
    steps: int = 0
    losses: Counter[str] = field(default_factory=Counter)
    scores: Counter[str] = field(default_factory=Counter)
    keys: Counter[str] = field(default_factory=Counter)
    seen: Seen = field(default_factory=Seen)

    def __add__(self, other: "Counts") -> "Counts":
        a, b = self.seen, other.seen
        return Counts(
            self.traces + other.traces,
            self.steps + other.steps,
            self.losses + other.losses,
            self.scores + other.scores,
            self.keys + other.keys,
            Seen(a.traces + b.traces, *(getattr(a, name) + getattr(b, name) for name in _SEEN)),
        )


@dataclass(frozen=True)
class Part:
    """The traces of one slice. `rows` as `judged.ROWS`; `coded` holds those of the analysis bucket, in their order."""

    settings: str
    rows: pa.Table
    coded: Coded
    sample: Sample
    openings: pa.Table
    counts: Counts

    @classmethod
    def of(cls, table: StepTable, inputs: RunInputs) -> Self:
        """The part of these traces, which must be whole, under the settings of a run."""
        rows = judged(table, inputs.policy.analysis.intent_key)
        own = rows.filter(pc.equal(rows["bucket"], BUCKETS.index("analysis")))
        with Embedded() as engine:
            coded = code(engine, table, whole(own["trace_id"]), whole(own["task"]))
        openings = cases.openings(table, rows, inputs.policy.replay.max_cases, recorded=runs_the_loop(inputs))
        return cls(settings(inputs), rows, coded, sample.sample(table, own), openings, _counts(table))

    def to_bytes(self) -> bytes:
        """As bytes, compressed; equal parts give equal bytes. Raises ValueError above MAX_PART."""
        counts = self.counts
        head = {
            "settings": self.settings,
            "traces": counts.traces,
            "steps": counts.steps,
            "losses": counts.losses,
            "scores": counts.scores,
            "keys": counts.keys,
            "seen": [counts.seen.traces, *(getattr(counts.seen, name) for name in _SEEN)],
            "free": self.coded.free,
            "sample_end": self.sample.end,
        }
        tables = {
            "rows": self.rows,
            "sequences": pa.table({"seq": self.coded.sequences}),
            "symbols": pa.table({"symbol": pa.array(self.coded.symbols, pa.string())}),
            "leads": self.coded.leads,
            "traces": self.sample.traces,
            "calls": self.sample.calls,
            "told": self.sample.told,
            "openings": self.openings,
        }
        data = packing.pack(_MAGIC, head, tables)
        if len(data) > MAX_PART:
            raise ValueError(
                f"what {self.rows.num_rows:,} judged traces leave has {len(data):,} bytes, more than the {MAX_PART:,} "
                "that are handed over: read the window in more slices"
            )
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Raises ValueError with a sentence when these bytes are no part, or one of another release."""
        try:
            head, tables = packing.unpack(_MAGIC, data)
            return cls._read(head, tables)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"these bytes are no part of an analysis of this release ({error}): {_AGAIN}") from None

    @classmethod
    def _read(cls, head: dict[str, Any], tables: dict[str, pa.Table]) -> Self:
        total, *names = head["seen"]
        losses, scores, keys = (Counter[str](head[name]) for name in ("losses", "scores", "keys"))
        counts = Counts(head["traces"], head["steps"], losses, scores, keys, Seen(total, *map(Counter, names)))
        coded = Coded(
            whole(tables["sequences"].cast(pa.schema([("seq", SEQUENCE)]))["seq"]),
            tables["symbols"]["symbol"].to_pylist(),
            tables["leads"].cast(LEADS),
            [(tool, name) for tool, name in head["free"]],
        )
        kept = Sample(
            tables["traces"].cast(sample.TRACES), tables["calls"].cast(CALLS), tables["told"].cast(sample.TOLD),
            int(head["sample_end"]),
        )  # fmt: skip
        return cls(head["settings"], tables["rows"].cast(ROWS), coded, kept, tables["openings"].cast(cases.OPENINGS),
                   counts)  # fmt: skip

    def without(self, ids: pa.Array) -> "Part":
        """The part but for some traces, which another part holds as well."""
        twice = pc.is_in(self.rows["trace_id"], value_set=ids)
        mine = self.rows.filter(pc.equal(self.rows["bucket"], BUCKETS.index("analysis")))
        kept = pc.invert(pc.is_in(mine["trace_id"], value_set=ids))
        steps = pc.sum(self.rows.filter(twice)["steps"]).as_py() or 0
        fewer = Counts(
            self.counts.traces - (pc.sum(twice).as_py() or 0),
            self.counts.steps - steps,
            self.counts.losses,
            self.counts.scores,
            self.counts.keys,
            self.counts.seen,
        )
        coded = Coded(self.coded.sequences.filter(whole(kept)), self.coded.symbols, self.coded.leads, self.coded.free)
        return Part(
            self.settings,
            self.rows.filter(pc.invert(twice)),
            coded,
            sample.without(self.sample, ids),
            self.openings.filter(pc.invert(pc.is_in(self.openings["trace_id"], value_set=ids))),
            fewer,
        )


def settings(inputs: RunInputs) -> str:
    """A name for all that a part depends on beside its traces: parts of different ones cannot be put together."""
    said = [inputs.agent.traces.wire(), inputs.agent.success.wire(), inputs.policy.analysis.intent_key]
    return sha256(canonical([*said, inputs.policy.replay.max_cases, runs_the_loop(inputs)]))[:16]


def runs_the_loop(inputs: RunInputs) -> bool:
    """Whether replay runs the agent's loop itself, or a step of it, and needs what its tools have answered."""
    replay = inputs.agent.replay
    return replay is not None and (replay.trajectory is not None or replay.step is not None)


def _counts(table: StepTable) -> Counts:
    scores = table.scores.group_by(["trace_id", "name"]).aggregate([])["name"].to_pylist() if table.scores else []
    keys = Counter(key for text in table.traces["metadata"].to_pylist() for key in json.loads(text))
    return Counts(table.traces.num_rows, table.steps.num_rows, Counter(table.losses), Counter(scores), keys, table.seen)
