"""docs/gate.md, "What was measured": false alarms under a look after every case, and power."""

import random

import pytest

from bench.gate.simulation import Truth, clustered_null, null, proofs, share
from ninefold.betting import refuted_after, stakes_for
from ninefold.gate import alpha_of

ALPHA = 0.05
CANDIDATES = 2000
ALLOWED = 131 / CANDIDATES
"""The 99.9 % quantile of Binomial(2000, .05): more would refute that the error rate is at most 5 %."""


@pytest.mark.parametrize("discordant", [0.05, 0.22])
def test_of_2000_null_candidates_at_most_131_pass_although_one_looks_after_every_case(discordant: float) -> None:
    assert 0 < share(proofs(null(discordant), 400, ALPHA, CANDIDATES)) <= ALLOWED


def test_null_candidates_whose_cases_win_or_lose_together_pass_no_more_often() -> None:
    rng, stakes = random.Random(7), stakes_for(100, ALPHA)
    found = [refuted_after(clustered_null(100, 4, rng), 0.0, ALPHA, stakes) for _ in range(CANDIDATES)]
    assert share(found) <= ALLOWED


@pytest.mark.parametrize("discordant", [0.20, 0.22, 0.25])
def test_a_true_gain_of_ten_points_is_found_within_400_pairs_with_power_of_at_least_eighty_percent(
    discordant: float,
) -> None:
    found = proofs(Truth(0.6, 0.7, discordant), 400, alpha_of(ALPHA, 1), 500)
    assert share(found) >= 0.8 + 3 * (0.16 / 500) ** 0.5
