"""docs/gate.md, "Exact McNemar": the alternative at a fixed number of pairs."""

import pytest

from ninefold.gate.mcnemar import lower_bound, p_value


def test_p_is_the_binomial_tail_over_the_discordant_clusters() -> None:
    assert p_value(10, 2) == pytest.approx((66 + 12 + 1) / 4096)
    assert p_value(0, 0) == 1
    assert p_value(0, 5) == 1


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (1, 0), (6, 1), (12, 5), (20, 9), (30, 30), (900, 800)])
@pytest.mark.parametrize("alpha", [0.05, 0.0304, 0.001])
def test_the_bound_is_above_zero_exactly_when_p_is_small_enough(wins: int, losses: int, alpha: float) -> None:
    assert (lower_bound(wins, losses, 2000, alpha) > 0) == (p_value(wins, losses) <= alpha)


def test_only_wins_still_leave_a_bound_below_the_share_won() -> None:
    assert 0 < lower_bound(20, 0, 100, 0.05) < 0.2


def test_no_clusters_bound_nothing() -> None:
    assert lower_bound(0, 0, 0, 0.05) == -1
