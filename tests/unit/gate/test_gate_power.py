"""docs/gate.md, "Power": what the sealed cases can find is told before they are opened."""

import pytest
from builders import a_replay, replay_rows

from bench.gate.simulation import Truth, exact_proofs, proofs, share
from ninefold.api.policy import Gate
from ninefold.gate import alpha_of, foreseen
from ninefold.gate.power import detectable, differing_share, power

BETTING, MCNEMAR = Gate(), Gate(test="ExactMcNemar")
ALPHA = alpha_of(0.05, 1)


@pytest.mark.parametrize("differing", [0.15, 0.22, 0.30, 0.46])
def test_the_power_that_is_told_is_the_power_that_simulated_candidates_have(differing: float) -> None:
    truth = Truth(0.6, 0.7, differing)
    assert power(0.1, 400, ALPHA, BETTING, differing) == pytest.approx(share(proofs(truth, 400, ALPHA, 500)), abs=0.05)
    exact = exact_proofs(truth, 400, ALPHA, 500) / 500
    assert power(0.1, 400, ALPHA, MCNEMAR, differing) == pytest.approx(exact, abs=0.05)


def test_what_is_told_as_found_with_power_eight_tenths_is_found_so() -> None:
    for clusters in (100, 400):
        gain = detectable(clusters, ALPHA, BETTING, 0.22)
        assert gain is not None
        found = share(proofs(Truth(0.5, 0.5 + gain, 0.22), clusters, ALPHA, 500))
        assert found == pytest.approx(0.8, abs=0.06)


def test_more_cases_find_less_and_later_cycles_find_more_only_with_more_cases() -> None:
    found = [detectable(n, ALPHA, BETTING) for n in (50, 100, 200, 400)]
    assert found == sorted(found, reverse=True)
    later = detectable(100, alpha_of(0.05, 5), BETTING)
    assert later is not None and found[1] is not None and later > found[1]


def test_so_few_cases_that_nothing_could_be_proved_find_nothing() -> None:
    assert detectable(4, ALPHA, BETTING) is None
    assert detectable(4, ALPHA, MCNEMAR) is None


def test_a_required_gain_comes_on_top() -> None:
    required = detectable(400, ALPHA, Gate(minImprovement=0.05), 0.22)
    assert required is not None and 0.10 < required < 0.16


def test_the_race_says_on_how_many_cases_the_arms_differ_and_how_they_cluster() -> None:
    race = a_replay(replay_rows(wins=20, losses=2, both=40), "selection")
    assert differing_share(race, "c1") == pytest.approx(22 / 62)
    assert str(foreseen(412, race, "c1", BETTING, 1)) == (
        "412 sealed cases find +9.5 pp with power 0.8 at alpha 0.0304 (cycle 1)"
    )
    one_cluster = a_replay(replay_rows(wins=20, losses=2, both=40, cluster="t"), "selection")
    assert str(foreseen(412, one_cluster, "c1", BETTING, 1)).startswith("412 sealed cases in 7 clusters find +92.5 pp")
