"""What was met while traces were read, as counts that add up: of a slice, of a window, of all that a run has read."""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pyarrow.compute as pc

from ninefold.traces.table import Seen, StepTable

MAX_NAMES = 500
"""Names of a kind that one slice tells. They are others' data: there may be one a trace."""
_SEEN = ("agents", "environments", "scores", "metadata_keys")


@dataclass(frozen=True)
class Tally:
    """`traces`, `judged`, `scores` and `keys` (of metadata) are the agent's; `seen` is of all agents' traces."""

    traces: int = 0
    judged: int = 0
    scores: Counter[str] = field(default_factory=Counter)
    keys: Counter[str] = field(default_factory=Counter)
    seen: Seen = field(default_factory=Seen)
    losses: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, table: StepTable) -> "Tally":
        """What a table tells of itself."""
        return cls(
            traces=table.traces.num_rows,
            judged=pc.sum(pc.is_valid(table.traces["outcome"])).as_py() or 0,
            scores=Counter(table.scores["name"].to_pylist()),
            keys=Counter(key for text in table.traces["metadata"].to_pylist() for key in json.loads(text)),
            seen=table.seen,
            losses=Counter(table.losses),
        )

    def __add__(self, other: "Tally") -> "Tally":
        a, b = self.seen, other.seen
        return Tally(
            self.traces + other.traces,
            self.judged + other.judged,
            self.scores + other.scores,
            self.keys + other.keys,
            Seen(a.traces + b.traces, *(getattr(a, name) + getattr(b, name) for name in _SEEN)),
            self.losses + other.losses,
        )

    def wire(self) -> dict[str, Any]:
        """As JSON, with the most frequent names."""
        return {
            "traces": self.traces,
            "judged": self.judged,
            "scores": _most(self.scores),
            "keys": _most(self.keys),
            "seen": {"traces": self.seen.traces, **{name: _most(getattr(self.seen, name)) for name in _SEEN}},
            "losses": dict(self.losses),
        }

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> "Tally":
        """Raises ValueError, KeyError or TypeError for what `wire` has not made."""
        seen = wire["seen"]
        return cls(
            int(wire["traces"]),
            int(wire["judged"]),
            Counter(wire["scores"]),
            Counter(wire["keys"]),
            Seen(int(seen["traces"]), *(Counter(seen[name]) for name in _SEEN)),
            Counter(wire["losses"]),
        )


def _most(names: Counter[str]) -> dict[str, int]:
    return dict(sorted(names.items(), key=lambda kv: (-kv[1], kv[0]))[:MAX_NAMES])
