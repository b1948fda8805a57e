"""Where the agent stands: rates that add up, a plateau that knows its power, and the way to the next nine."""

import pyarrow as pa
import pytest

from ninefold.analysis.standing import budget, plateau, rates, versions
from ninefold.api.findings import Decision, Interval, Pattern


def a_pattern(name: str, gain: float) -> Pattern:
    none = Interval(estimate=0, low=0, high=0)
    decision = Decision(point="first call", taken="a()")
    return Pattern(
        id=name,
        kind="ErrorLoop",
        summary="",
        decision=decision,
        failures=1,
        traces=1,
        tasks=1,
        effect=none,
        p_value=0,
        regret=0,
        nines_lost=none,
        predicted_gain=gain,
        evidence=[],
    )


def test_rates_are_counted_by_version_and_day() -> None:
    rows = pa.table({"version": ["v1", "v1", "", "v1"], "day": [2, 1, 1, 2], "solved": [True, False, True, False]})
    assert list(rates(rows).items()) == [(("", 1), (1, 1)), (("v1", 1), (1, 0)), (("v1", 2), (2, 1))]


def test_each_version_is_told_over_all_days_and_by_day() -> None:
    told = versions({("v1", 0): (10, 5), ("v2", 1): (10, 10)})
    assert [(v.version, v.day, v.success.traces) for v in told] == [
        ("v1", None, 10), ("v2", None, 10), ("v1", "1970-01-01", 10), ("v2", "1970-01-02", 10),
    ]  # fmt: skip


def test_a_flat_line_of_many_traces_is_a_plateau() -> None:
    found = plateau({("v1", day): (20_000, 16_000) for day in range(21)})
    assert found is not None and found.plateaued


def test_a_flat_line_of_few_traces_is_none_for_nothing_could_have_been_seen() -> None:
    found = plateau({("v1", day): (20, 16) for day in range(21)})
    assert found is not None and not found.plateaued
    assert "too few to tell" in found.message


def test_an_agent_that_still_improves_has_no_plateau() -> None:
    found = plateau({("v1", day): (20_000, 14_000 + 100 * day) for day in range(21)})
    assert found is not None and not found.plateaued
    assert found.trend == pytest.approx(0.035, abs=1e-6)


def test_the_next_nine_names_the_patterns_that_must_go() -> None:
    found = budget(950, 1000, [a_pattern("a", 0.03), a_pattern("b", 0.005), a_pattern("c", 0.02)])
    assert found is not None
    assert (found.target, found.failures_to_save, found.patterns, found.enough) == (0.99, 40, ["a", "c"], True)
    assert "you need #1 and #3" in found.message


def test_where_all_patterns_are_not_enough_it_says_so() -> None:
    found = budget(950, 1000, [a_pattern("a", 0.01)])
    assert found is not None and not found.enough
    assert "not enough" in found.message
