"""Parts that keep no more than ids and numbers of steps, and a store of parts: for tests of what is read."""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from ninefold.jobs.keeping import MemoryParts
from ninefold.traces import StepTable


@dataclass(frozen=True)
class LightPart:
    """Stands in for `ninefold.analysis.part.Part`."""

    steps: dict[str, int]

    @classmethod
    def of(cls, table: StepTable, inputs: Any) -> "LightPart":
        own = Counter(table.steps["trace_id"].to_pylist())
        return cls({trace: own[trace] for trace in table.traces["trace_id"].to_pylist()})

    def to_bytes(self) -> bytes:
        return json.dumps(self.steps, sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "LightPart":
        return cls(json.loads(data))


def steps_of(parts: Any) -> dict[str, int]:
    """Number of steps by trace, of parts of which no two hold the same trace."""
    found: dict[str, int] = {}
    for part in parts:
        assert not found.keys() & part.steps.keys()
        found |= part.steps
    return found


class StoredParts:
    """Stands in for `ninefold.store.PartStore`: the same, kept in memory."""

    def __init__(self, *names: Any) -> None:
        self._kept = MemoryParts()

    def __getattr__(self, name: str) -> Any:
        async def asked(*given: Any) -> Any:
            return getattr(self._kept, name)(*given)

        return asked
