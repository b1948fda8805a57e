"""What an engine may take: limits of the pod, read from its cgroup.

The engine gets 65 % of the memory, for Python and Arrow hold tables beside it, and spills to disk from 60 % of that.
A process without a limit (a laptop) leaves the engine's own rules in place.
"""

from dataclasses import dataclass
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
SHARE = 0.65
"""Of the pod's memory."""
SPILL = 0.6
"""Of the engine's memory, from which a GROUP BY or a sort goes on on disk."""
_NO_LIMIT = 2**62
"""What version 1 of cgroups writes for none is just below 2^63."""


@dataclass(frozen=True)
class Limits:
    """Bytes and threads; None: no limit."""

    memory: int | None = None
    threads: int | None = None

    def settings(self) -> dict[str, int]:
        """As ClickHouse's settings."""
        out = {}
        if self.memory is not None:
            out["max_memory_usage"] = self.memory
            for what in ("group_by", "sort"):
                out[f"max_bytes_before_external_{what}"] = int(self.memory * SPILL)
                out[f"max_bytes_ratio_before_external_{what}"] = 0  # the engine's own rule, which would come first
        if self.threads is not None:
            out["max_threads"] = self.threads
        return out


def limits(root: Path = CGROUP) -> Limits:
    """The limits of this process's cgroup, of version 2 or 1."""
    memory = _number(root / "memory.max") or _number(root / "memory" / "memory.limit_in_bytes")
    if memory is not None and memory >= _NO_LIMIT:
        memory = None
    return Limits(None if memory is None else int(memory * SHARE), _threads(root))


def _threads(root: Path) -> int | None:
    """Whole threads of the quota: half a one is a thread that waits half the time."""
    quota, _, period = _text(root / "cpu.max").partition(" ")
    if not quota:
        quota = _text(root / "cpu" / "cpu.cfs_quota_us")
        period = _text(root / "cpu" / "cpu.cfs_period_us")
    if not (quota.isdigit() and period.isdigit() and int(period)):
        return None
    return max(1, -(-int(quota) // int(period)))


def _number(path: Path) -> int | None:
    said = _text(path)
    return int(said) if said.isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
