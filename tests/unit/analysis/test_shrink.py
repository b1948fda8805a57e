"""Predictions are multiplied by what replays made of earlier ones."""

import pytest
from builders import a_pattern
from hypothesis import given
from hypothesis import strategies as st

from ninefold.analysis.patterns import gain
from ninefold.analysis.shrink import MOST, factor, shrunk
from ninefold.analysis.stats.stratified import Difference
from ninefold.api.findings import Interval
from ninefold.api.inputs import GainRecord


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


def test_the_interval_of_a_prediction_shrinks_with_it():
    predicted = Interval(estimate=0.2, low=0.1, high=0.3)
    mended = shrunk([a_pattern(gain=0.2, predicted=predicted)], [record(0.2, 0.1)] * 50)[0]
    assert mended.predicted is not None
    assert mended.predicted.estimate == pytest.approx(mended.predicted_gain)
    assert mended.predicted.low == pytest.approx(mended.predicted_gain / 2)


def test_what_a_stronger_pattern_explains_is_not_gained_twice():
    effect = Difference(estimate=0.4, low=0.2, high=0.6, p_value=0.001, strata=30)
    assert gain(effect, taken=50, failed=40, traces=100) == Interval(estimate=0.2, low=0.1, high=0.3)
    assert gain(effect, taken=0, failed=0, traces=100) == Interval(estimate=0, low=0, high=0)
    assert gain(effect, taken=50, failed=5, traces=100).high == 0.05
