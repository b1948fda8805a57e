"""The freight desk as an environment."""

from bench.optimizers.history import BASELINE, analysed, inputs
from bench.optimizers.measure import best_prompts, score
from bench.optimizers.reflection import FREIGHT
from bench.optimizers.standin import Desk
from bench.optimizers.world import Task, World
from ninefold.analysis import Analysis
from ninefold.api.inputs import RunInputs, VersionContent


class Freight:
    """The desk as an environment (see `environment.py`)."""

    baseline = BASELINE
    writer = FREIGHT
    repeats = 6

    def __init__(self, world: World) -> None:
        self.world = world

    @property
    def seen(self) -> list[Task]:
        return self.world.seen

    @property
    def unseen(self) -> list[Task]:
        return self.world.unseen

    def ledger(self, name: str) -> Desk:
        return Desk(self.world, nonce=name)

    def inputs(self) -> RunInputs:
        return inputs(gate={"maxTokenRatio": 20.0})

    def analysed(self, stable: VersionContent, cycle: int) -> Analysis:
        return analysed(self.world, self.inputs(), stable, cycle)

    def reachable(self) -> float:
        return score(self, best_prompts(self.world))
