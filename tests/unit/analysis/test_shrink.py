"""Predictions are multiplied by what replays made of earlier ones."""

import pytest
from builders import a_pattern
from hypothesis import given
from hypothesis import strategies as st

from ninefold.analysis.shrink import MOST, factor, shrunk
from ninefold.api.artifacts import GainRecord


def record(counted: float, replayed: float, pattern: str = "p-1", kind: str = "ContextGap") -> GainRecord:
    return GainRecord(run_uid="r", pattern=pattern, kind=kind, counted=counted, replayed=replayed, pairs=100)


def test_without_replays_a_prediction_is_what_was_counted():
    assert shrunk([a_pattern(gain=0.2)], []) == [a_pattern(gain=0.2)]


def test_half_of_what_was_promised_shrinks_the_next_prediction_towards_a_half():
    once = factor("ContextGap", "p-1", [record(0.2, 0.1)])
    often = factor("ContextGap", "p-1", [record(0.2, 0.1)] * 20)
    assert 0.5 < often < once < 1
    assert often == pytest.approx(0.5, abs=0.02)


def test_a_pattern_is_judged_by_its_own_replays_before_those_of_others():
    records = [record(0.2, 0.02)] * 5 + [record(0.2, 0.2, pattern="p-2")] * 5
    assert factor("ContextGap", "p-1", records) < 0.3
    assert factor("ContextGap", "p-2", records) > 0.8
    unseen = factor("ContextGap", "p-3", records)
    assert 0.3 < unseen < 0.8


def test_what_is_published_is_both_what_was_counted_and_what_replay_made_of_it():
    mended = shrunk([a_pattern(gain=0.2)], [record(0.2, 0.1), record(0.2, 0.06)])[0]
    assert mended.counted_gain == 0.2
    assert mended.replayed_gain == pytest.approx(0.08)
    assert mended.predicted_gain < 0.2


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(-1, 1)), max_size=8))
def test_a_factor_stays_within_its_bounds(figures):
    assert 0 <= factor("ContextGap", "p-1", [record(c, r) for c, r in figures]) <= MOST
