"""docs/gate.md, "Superiority": one betting confidence sequence gives the verdict and the bound."""

import math
import random

import pytest

from ninefold.betting import LARGEST_STAKE, lower_bound, refuted_after, stakes_for, upper_bound

ALPHA = 0.05


def values(wins: int, losses: int, ties: int, seed: int = 1) -> list[float]:
    drawn = [1.0] * wins + [-1.0] * losses + [0.0] * ties
    random.Random(seed).shuffle(drawn)
    return drawn


@pytest.mark.parametrize("planned", [1, 30, 400, 10_000])
def test_stakes_are_shares_that_shrink_with_the_number_of_values_and_their_weights_sum_to_one(planned: int) -> None:
    stakes = stakes_for(planned, ALPHA)
    assert all(0 < share <= LARGEST_STAKE < 1 for share, _ in stakes)
    assert math.isclose(sum(weight for _, weight in stakes), 1)
    assert stakes_for(planned * 100, ALPHA)[0][0] < stakes[0][0]


def test_capital_is_what_the_stakes_have_made_of_every_value() -> None:
    stakes = ((0.5, 0.5), (0.1, 0.5))
    # After n wins the capital is (1.5 ** n + 1.1 ** n) / 2, and 20 are needed.
    needed = next(n for n in range(100) if (1.5**n + 1.1**n) / 2 >= 20)
    assert refuted_after([1.0] * 30, 0.0, ALPHA, stakes) == needed
    assert refuted_after([1.0] * (needed - 1), 0.0, ALPHA, stakes) is None
    assert refuted_after([0.0, *[1.0] * 30], 0.0, ALPHA, stakes) == needed + 1


def test_what_is_refuted_at_one_look_stays_refuted() -> None:
    stakes = stakes_for(60, ALPHA)
    early = [1.0] * 20
    assert refuted_after(early, 0.0, ALPHA, stakes) == refuted_after([*early, *[-1.0] * 10], 0.0, ALPHA, stakes)


@pytest.mark.parametrize("m", [-0.2, 0.0, 0.05, 0.2])
@pytest.mark.parametrize(("wins", "losses", "ties"), [(0, 0, 40), (5, 0, 5), (30, 10, 60), (40, 10, 50), (9, 30, 3)])
def test_the_bound_is_above_m_exactly_when_m_is_refuted(wins: int, losses: int, ties: int, m: float) -> None:
    data = values(wins, losses, ties)
    refuted = refuted_after(data, m, ALPHA, stakes_for(len(data), ALPHA)) is not None
    assert (lower_bound(data, ALPHA, len(data)) > m) == refuted


def test_the_bound_falls_with_alpha_and_lies_below_the_mean() -> None:
    data = values(30, 6, 68)
    mean = sum(data) / len(data)
    bounds = [lower_bound(data, alpha, len(data)) for alpha in (0.001, 0.03, 0.2)]
    assert -1 < bounds[0] < bounds[1] < bounds[2] < mean


def test_a_proof_that_later_values_took_back_does_not_stand_above_the_mean() -> None:
    data = [*[1.0] * 20, *[-1.0] * 30]
    assert lower_bound(data, ALPHA, len(data)) == pytest.approx(-0.2)


def test_nothing_seen_bounds_nothing() -> None:
    assert lower_bound([], ALPHA, 100) == -1
    assert upper_bound([], ALPHA, 100) == 1


def test_the_upper_bound_mirrors_the_lower_one() -> None:
    mirrored = [-x for x in values(3, 20, 9)]
    assert upper_bound(values(3, 20, 9), ALPHA, 32) == -lower_bound(mirrored, ALPHA, 32)


def test_extreme_values_stay_finite() -> None:
    assert lower_bound([1.0] * 10_000, ALPHA, 10_000) > 0.97
    assert lower_bound([-1.0] * 10_000, ALPHA, 10_000) < -0.97


def test_means_of_clusters_are_values_like_any_other() -> None:
    data = [0.5, 1.0, -1 / 3, 0.0, 2 / 3] * 20
    assert 0 < lower_bound(data, ALPHA, len(data)) < sum(data) / len(data)
