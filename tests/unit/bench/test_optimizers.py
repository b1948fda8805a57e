"""The freight desk: its planted causes are found, and its modes come from a file."""

import json
from functools import cache
from pathlib import Path

import pytest

from bench.optimizers.history import BASELINE, analysed, inputs
from bench.optimizers.measure import localised, null_bound
from bench.optimizers.ours import Outcome
from bench.optimizers.standin import Desk
from bench.optimizers.world import FILE, World
from ninefold.api.findings import AnalysisReport

LOCKED = {"kind": "ErrorLoop", "releases": 0.2, "releases_when_told": 0.6, "releases_when_shown": 0.9}
SETTINGS = json.loads(FILE.read_text())


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


@pytest.mark.parametrize(
    ("regions", "modes"),
    [
        (
            3,
            [
                {
                    "kind": "ErrorLoop",
                    "share": 0.6,
                    "releases": 0.2,
                    "releases_when_told": 0.6,
                    "releases_when_shown": 0.9,
                }
            ],
        ),
        (8, [{"kind": "MissingFact", "guess": 0.2, "looks": 0.3, "looks_when_told": 0.85}]),
    ],
)
def test_other_modes_come_from_another_file(tmp_path: Path, regions: int, modes: list[dict[str, object]]) -> None:
    file = tmp_path / "modes.json"
    file.write_text(json.dumps({**SETTINGS, "regions": regions, "modes": modes}))
    world = World(3, file)
    desk = Desk(world)
    runs = [desk.run(task, {"system": "Book."}) for task in world.seen[:60]]
    assert len(world.regions) == regions and 0 < sum(run.solved for run in runs) < 60


def test_a_mode_that_the_desk_does_not_know_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "modes.json"
    file.write_text(json.dumps({**SETTINGS, "modes": [{"kind": "Strike"}]}))
    with pytest.raises(ValueError, match=r"modes\.json plants Strike: known kinds are MissingFact"):
        World(0, file)


def test_the_bound_on_null_edits_is_binomial() -> None:
    assert [null_bound(tried, 0.05) for tried in (1, 40, 200)] == [0, 4, 15]
