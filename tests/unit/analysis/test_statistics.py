"""Statistics against figures that the literature or a simulation gives."""

import math
import random
from itertools import pairwise

import pytest

from ninefold.analysis.stats.multiplicity import benjamini_hochberg
from ninefold.analysis.stats.stratified import (
    Cell,
    cmh,
    compare,
    exact,
    mantel_haenszel,
)
from ninefold.analysis.stats.wilson import nines, wilson


class TestWilson:
    def test_known_interval(self) -> None:
        # Newcombe (1998), Statistics in Medicine 17, table I: 81 of 263.
        low, high = wilson(81, 263)
        assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)

    @pytest.mark.parametrize(
        ("x", "n", "interval"), [(0, 0, (0.0, 1.0)), (0, 10, (0.0, 0.2775)), (10, 10, (0.7225, 1.0))]
    )
    def test_the_edges(self, x: int, n: int, interval: tuple[float, float]) -> None:
        assert tuple(round(v, 4) for v in wilson(x, n)) == interval

    def test_a_sample_supports_only_so_many_nines(self) -> None:
        perfect = [nines(n, n) for n in (0, 10, 100, 1000, 10_000)]
        assert perfect[0] == 0
        assert all(a < b for a, b in pairwise(perfect))
        assert perfect[2] < 1.5  # a hundred successes do not show two nines


class TestFalseDiscoveries:
    def test_the_procedure_of_the_paper(self) -> None:
        # Benjamini and Hochberg (1995), section 3: four of fifteen are rejected at 0.05.
        p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240]
        p += [0.4262, 0.5719, 0.6528, 0.7590, 1.0000]
        assert benjamini_hochberg(p, 0.05) == [True] * 4 + [False] * 11

    def test_a_smaller_p_is_never_kept_back_by_a_larger_one(self) -> None:
        assert benjamini_hochberg([0.04, 0.03], 0.05) == [True, True]

    def test_nothing_tried_nothing_found(self) -> None:
        assert benjamini_hochberg([], 0.1) == []


class TestExact:
    def test_one_table_is_fishers_test(self) -> None:
        # The lady tasting tea: 3 of 4 right, two-sided p = 0.4857.
        assert round(exact([(4, 3, 4, 1)]), 4) == 0.4857

    def test_pairs_are_mcnemars_exact_test(self) -> None:
        # Ten pairs in which only the better arm solved, two in which only the other: binomial(12, 1/2), two-sided.
        p = exact([(1, 1, 1, 0)] * 10 + [(1, 0, 1, 1)] * 2 + [(1, 1, 1, 1)] * 50)
        assert math.isclose(p, 2 * sum(math.comb(12, k) for k in range(3)) / 2**12, rel_tol=1e-9)

    def test_strata_without_contrast_say_nothing(self) -> None:
        assert exact([(5, 5, 5, 5), (3, 0, 3, 0)]) == 1.0

    def test_the_normal_approximation_agrees_in_large_samples(self) -> None:
        tables = [(400, 220, 380, 180), (300, 100, 500, 150)]
        assert abs(exact(tables) - cmh(tables)) < 0.003


class TestRiskDifference:
    def test_confounding_between_strata_is_taken_out(self) -> None:
        # Crude: 82/110 against 28/110. Within either stratum there is no difference at all.
        tables = [(100, 80, 10, 8), (10, 2, 100, 20)]
        assert abs(mantel_haenszel(tables)) < 1e-12

    @pytest.mark.parametrize("sparse", [True, False])
    def test_the_interval_covers_the_truth(self, sparse: bool) -> None:
        rng = random.Random(7)
        strata, arm, runs, covered = (60, 1, 400, 0) if sparse else (4, 30, 400, 0)
        for _ in range(runs):
            cells = []
            for s in range(strata):
                base = rng.uniform(0.1, 0.6)
                x1 = sum(rng.random() < base + 0.2 for _ in range(arm))
                x0 = sum(rng.random() < base for _ in range(arm))
                cells.append(Cell(str(s), str(s), arm, x1, arm, x0))
            difference = compare(cells)
            assert difference is not None
            covered += difference.low <= 0.2 <= difference.high
        assert covered / runs > 0.93

    def test_copies_of_one_trace_are_not_evidence(self) -> None:
        solved = [1, 1, 0, 1, 1, 0, 1, 0, 0, 1, 0, 0]

        def interval(copies: int) -> float:
            cells = [
                Cell("s", f"cluster-{n}", copies, copies * x, 0, 0)
                if n < 6
                else Cell("s", f"cluster-{n}", 0, 0, copies, copies * x)
                for n, x in enumerate(solved)
            ]
            difference = compare(cells)
            assert difference is not None
            return difference.high - difference.low

        assert interval(copies=20) > 0.95 * interval(copies=1)

    def test_without_a_stratum_that_holds_both_there_is_no_answer(self) -> None:
        assert compare([Cell("a", "a", 5, 5, 0, 0), Cell("b", "b", 0, 0, 5, 0)]) is None
