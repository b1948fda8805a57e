"""The freight desk: its planted causes are found, and its modes come from a file."""

from functools import cache

from bench.optimizers.history import BASELINE, analysed, inputs
from bench.optimizers.measure import localised
from bench.optimizers.ours import Outcome
from bench.optimizers.world import World
from ninefold.api.artifacts import AnalysisReport


@cache
def report(seed: int) -> AnalysisReport:
    return analysed(World(seed), inputs(), BASELINE, 0).report


def test_the_planted_causes_are_among_the_five_worst_patterns() -> None:
    outcome = Outcome(BASELINE, 0, 0.0, patterns=[pattern.wire() for pattern in report(0).patterns])
    assert localised(World(0), outcome) == {"MissingFact": True, "ErrorLoop": True, "ToolChoice": True}


def test_towns_are_names_and_do_not_tell_one_action_from_another() -> None:
    taken = {p.decision.taken for p in report(0).patterns}
    assert "confirm_parcel(town=…)" in taken
    assert not [action for action in taken if "town=" in action and "town=…" not in action]
