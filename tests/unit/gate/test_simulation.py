"""docs/gate.md, "What was measured": false alarms under a look after every case, and power."""

import random
from collections import Counter
from math import log

import pytest

from bench.gate.simulation import Truth, clustered_null, first_proof, null, power_at
from ninefold.gate import alpha_of
from ninefold.gate.betting import log_capital

ALPHA = 0.05
ALLOWED = 131
"""The 99.9 % quantile of Binomial(2000, .05): more would refute that the error rate is at most 5 %."""


@pytest.mark.parametrize("discordant", [0.05, 0.22])
def test_of_2000_null_candidates_at_most_131_pass_although_one_looks_after_every_case(discordant: float) -> None:
    found = [first_proof(null(discordant), 400, ALPHA, seed) for seed in range(2000)]
    assert 0 < sum(at is not None for at in found) <= ALLOWED


def test_null_candidates_whose_cases_win_or_lose_together_pass_no_more_often() -> None:
    rng = random.Random(7)
    capitals = [log_capital(Counter(clustered_null(100, 4, rng)), 0.0) for _ in range(2000)]
    assert sum(capital >= -log(ALPHA) for capital in capitals) <= ALLOWED


@pytest.mark.parametrize("discordant", [0.20, 0.22, 0.25])
def test_a_true_gain_of_ten_points_is_found_in_400_pairs_with_power_of_at_least_eighty_percent(
    discordant: float,
) -> None:
    assert power_at(Truth(0.6, 0.7, discordant), 400, alpha_of(ALPHA, 1)) >= 0.8
