"""docs/gate.md, "Superiority": one betting confidence sequence gives the verdict and the bound."""

import math
import random
from collections import Counter

import pytest

from ninefold.gate.betting import STAKES, log_capital, lower_bound, upper_bound


def values(wins: int, losses: int, ties: int) -> list[float]:
    return [1.0] * wins + [-1.0] * losses + [0.0] * ties


def test_the_stakes_are_shares_and_their_weights_sum_to_one() -> None:
    assert all(0 < share < 1 for share, _ in STAKES)
    assert math.isclose(sum(weight for _, weight in STAKES), 1)


def test_capital_is_the_weighted_mean_of_what_the_stakes_have_made() -> None:
    by_hand = sum(w * (1 + c) ** 7 * (1 - c) ** 2 for c, w in STAKES)
    assert math.isclose(log_capital(Counter(values(7, 2, 30)), 0.0), math.log(by_hand))


def test_the_order_of_the_cases_changes_nothing() -> None:
    shuffled = [x / 4 for x in range(-4, 5)] * 5
    before = lower_bound(shuffled, 0.05)
    random.Random(1).shuffle(shuffled)
    assert lower_bound(shuffled, 0.05) == pytest.approx(before, abs=1e-12)


@pytest.mark.parametrize("m", [-0.2, 0.0, 0.05, 0.2])
@pytest.mark.parametrize(("wins", "losses", "ties"), [(0, 0, 40), (5, 0, 5), (30, 10, 60), (40, 10, 50), (9, 30, 3)])
def test_the_bound_is_above_m_exactly_when_the_capital_against_m_is_won(
    wins: int, losses: int, ties: int, m: float
) -> None:
    data = values(wins, losses, ties)
    assert (lower_bound(data, 0.05) > m) == (log_capital(Counter(data), m) >= math.log(20))


def test_the_bound_falls_with_alpha_and_lies_below_the_mean() -> None:
    data = values(30, 6, 68)
    mean = sum(data) / len(data)
    assert -1 < lower_bound(data, 0.001) < lower_bound(data, 0.03) < lower_bound(data, 0.2) < mean


def test_nothing_seen_bounds_nothing() -> None:
    assert lower_bound([], 0.05) == -1
    assert upper_bound([], 0.05) == 1
    assert lower_bound([1.0], 0.0001) == pytest.approx(-1, abs=0.001)


def test_the_upper_bound_mirrors_the_lower_one() -> None:
    assert upper_bound(values(3, 20, 9), 0.05) == -lower_bound(values(20, 3, 9), 0.05)


def test_extreme_values_stay_finite() -> None:
    assert lower_bound([1.0] * 10_000, 0.05) > 0.99
    assert lower_bound([-1.0] * 10_000, 0.05) < -0.99


def test_at_a_fixed_number_of_clusters_of_unequal_means_the_capital_is_still_worth_at_most_one() -> None:
    # Half of the clusters gain 0.4 for certain and half lose 0.4: the average is 0, the worst case for the claim.
    assert log_capital({0.4: 50, -0.4: 50}, 0.0) <= 0
