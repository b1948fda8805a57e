"""docs/gate.md, "Stopping early": when a sealed replay may end before its last case."""

from collections import Counter

from builders import a_replay, replay_rows

from ninefold.api.outcomes import ReplayRow
from ninefold.api.policy import Gate
from ninefold.gate import GateInput, proved_already

CLEAR = replay_rows(wins=60, losses=2, both=20, neither=18)


def given(rows: list[ReplayRow], planned: int | None = 150, **gate: object) -> GateInput:
    return GateInput(a_replay(rows, planned_clusters=planned), "c1", Gate.model_validate(gate), 1)


def test_a_proof_is_enough():
    assert proved_already(given(CLEAR), Counter({None: 150}))


def test_what_is_not_proved_yet_goes_on():
    assert not proved_already(given(replay_rows(wins=20, losses=15, both=50, neither=15)), Counter({None: 150}))


def test_a_replay_does_not_stop_at_an_early_lucky_moment_for_its_estimate_would_flatter():
    assert not proved_already(given(CLEAR, planned=400), Counter({None: 400}))


def test_the_exact_test_looks_once():
    assert not proved_already(given(CLEAR, test="ExactMcNemar"), Counter({None: 150}))


def test_an_intent_that_can_block_is_heard_before_the_end():
    rows = replay_rows(wins=60, losses=2, both=20, neither=18, intent="refunds")
    assert proved_already(given(rows), Counter({"refunds": 100}))
    assert not proved_already(given(rows), Counter({"refunds": 100, "orders": 100}))
    assert proved_already(given(rows), Counter({"refunds": 100, "orders": 99}))


def test_without_a_plan_there_is_no_early_end():
    assert not proved_already(given(CLEAR, planned=None), Counter())
