"""A pattern that comes or goes with a version, or on a day."""

import random

import pytest
from builders import a_pattern

from ninefold.analysis.drift import drift, with_drift


def days(version: str, first: int, last: int, share: float, met: int = 100) -> dict[tuple[str, int], tuple[int, int]]:
    return {(version, day): (met, round(met * share)) for day in range(first, last)}


def test_nothing_to_count_is_no_drift():
    assert drift({}) is None


def test_a_pattern_that_is_there_throughout_has_not_drifted():
    assert drift(days("v1", 0, 10, 0.3)) is None
    assert drift(days("v1", 0, 10, 0.3) | days("v2", 10, 20, 0.32)) is None


def test_a_pattern_that_vanishes_after_a_rollout_is_credited_to_the_version():
    found = drift(days("v1", 0, 10, 0.3) | days("v2", 10, 20, 0.0))
    assert found is not None
    assert (found.change, found.version, found.day) == ("Vanished", "v2", "1970-01-11")
    assert "with the version v2 on 1970-01-11" in found.message and "30.0% of 1000" in found.message


def test_a_pattern_that_appears_is_a_regression_with_its_first_day_and_version():
    found = drift(days("v1", 0, 10, 0.01) | days("v2", 9, 20, 0.2))
    assert found is not None
    assert (found.change, found.version, found.day) == ("Appeared", "v2", "1970-01-10")


def test_a_change_within_a_version_is_dated_by_its_day():
    found = drift(days("v1", 0, 12, 0.0) | days("v1", 12, 20, 0.25))
    assert found is not None
    assert (found.change, found.version, found.day) == ("Appeared", "v1", "1970-01-13")
    assert "under the version v1" in found.message


def test_traces_that_name_no_version_still_have_days():
    found = drift(days("", 0, 12, 0.3) | days("", 12, 20, 0.0))
    assert found is not None and found.version == "" and "no named version" in found.message


def test_too_few_traces_on_one_side_say_nothing():
    assert drift(days("v1", 0, 10, 0.3) | {("v2", 10): (15, 0)}) is None


def test_chance_alone_rarely_looks_like_drift():
    draw = random.Random(7)
    told = 0
    for _ in range(300):
        counts = {("v1", day): (40, sum(draw.random() < 0.15 for _ in range(40))) for day in range(30)}
        told += drift(counts) is not None
    assert told <= 6


def test_what_vanished_promises_nothing_more():
    gone = with_drift(a_pattern(gain=0.2), days("v1", 0, 10, 0.3) | days("v2", 10, 20, 0.0))
    assert gone.drift is not None and gone.predicted_gain == 0
    assert gone.summary.endswith(gone.drift.message)


def test_what_has_fallen_to_a_sixth_promises_as_much_less():
    less = with_drift(a_pattern(gain=0.2), days("v1", 0, 10, 0.3) | days("v2", 10, 20, 0.05))
    assert less.predicted_gain == pytest.approx(0.2 * 0.05 / 0.175)


def test_what_was_there_throughout_is_left_as_it_is():
    assert with_drift(a_pattern(), days("v1", 0, 10, 0.3)) == a_pattern()
