"""Where the optimizers work, as all three see it: cases, a ledger that runs them, traces, and unseen cases to measure.

There are two: the freight desk (`world.py`, `standin.py`, `history.py`) and a recorded agent (`recording.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bench.optimizers.reflection import Writer
from ninefold.analysis import Analysis
from ninefold.api.inputs import RunInputs, VersionContent


class Task(Protocol):
    """One thing to do. `region` is its slice, `key` the text of its `app.task`; tasks of one `cluster` say the same."""

    @property
    def key(self) -> str: ...
    @property
    def cluster(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def question(self) -> str: ...


@dataclass(frozen=True)
class Call:
    tool: str
    args: dict[str, Any]
    result: str
    ok: bool


@dataclass(frozen=True)
class Run:
    """One case, run once. `said` is why it was lost, in the words of the environment's own check."""

    task: Task
    calls: tuple[Call, ...]
    solved: bool
    said: str
    output: str
    tokens: int


class Ledger(Protocol):
    """Runs cases under rendered components. `calls`: how many it has run."""

    calls: int

    def run(self, task: Any, components: dict[str, str]) -> Run: ...


class Environment(Protocol):
    """One agent under one seed. `seen`: tasks of its traces; `unseen`: tasks on which alone it is measured."""

    baseline: VersionContent
    writer: Writer
    repeats: int
    """Runs of each unseen case that tell two prompts apart; 1 where the same prompt twice does not differ."""

    @property
    def seen(self) -> Sequence[Task]: ...
    @property
    def unseen(self) -> Sequence[Task]: ...

    def ledger(self, name: str) -> Ledger: ...

    def inputs(self) -> RunInputs:
        """What an operator would have resolved for this agent."""
        ...

    def analysed(self, stable: VersionContent, cycle: int) -> Analysis:
        """The traffic of one cycle under the stable version, analysed."""
        ...

    def reachable(self) -> float:
        """Success on unseen cases of somebody who knows what is to be known."""
        ...
