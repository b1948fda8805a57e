"""docs/gate.md, "The unit": pairs, clusters, and what is missing."""

import pytest
from builders import an_outcome, replay_rows

from ninefold.api.outcomes import BASELINE, ReplayReport, ReplayRow
from ninefold.pairing import cluster_means, paired


def row(n: int, before: bool | None, after: bool | None, cluster: str = "", **outcome: int) -> ReplayRow:
    outcomes = {BASELINE: an_outcome(before), "c1": an_outcome(after, error="HTTP 503" if after is None else None)}
    return ReplayRow(case_id=str(n), cluster=cluster or str(n), outcomes=outcomes)


def test_a_cluster_counts_once_however_many_cases_it_brings() -> None:
    sample = paired([*replay_rows(wins=9, cluster="one task"), *replay_rows(losses=1, start=9)], "c1")
    assert (sample.pairs, sample.clusters, sample.gain) == (10, 2, 0)
    assert (sample.reference, sample.success) == (0.5, 0.5)


def test_the_gain_is_the_difference_of_the_two_rates() -> None:
    rows = [row(1, True, True, "a"), row(2, False, True, "a"), row(3, True, False, "b"), row(4, False, True, "c")]
    sample = paired(rows, "c1")
    assert sorted(sample.means) == [-1, 0.5, 1]
    assert sample.gain == pytest.approx(sample.success - sample.reference)


def test_an_unknown_outcome_is_missing_and_neither_a_pass_nor_a_failure() -> None:
    sample = paired([row(1, True, None), row(2, None, True), row(3, None, None), row(4, False, True)], "c1")
    assert (sample.replayed, sample.pairs, sample.gain, sample.missing) == (4, 1, 1.0, 0.75)
    assert (sample.unknown_arm_only, sample.unknown_reference_only) == (1, 1)
    assert dict(sample.errors) == {"HTTP 503": 2, "no outcome": 2}


def test_clusters_stand_in_the_order_of_a_hash_however_the_rows_came() -> None:
    rows = [row(n, False, n < 8) for n in range(16)]
    means = paired(rows, "c1").means
    assert means == paired(rows[::-1], "c1").means != tuple([1.0] * 8 + [0.0] * 8)


def test_planned_are_the_clusters_of_all_replayed_cases_also_of_those_without_an_outcome() -> None:
    sample = paired([row(1, True, None, "a"), row(2, True, True, "a"), row(3, True, None, "b")], "c1")
    assert (sample.planned, sample.clusters) == (2, 1)


def test_an_arm_that_was_not_replayed_is_missing_everywhere() -> None:
    sample = paired([row(1, True, True)], "c2")
    assert (sample.pairs, sample.missing, sample.gain, sample.errors) == (0, 1, 0, (("not replayed", 1),))
    assert paired([], "c1").missing == 1


def test_other_figures_are_averaged_over_the_same_clusters() -> None:
    rows = [*replay_rows(wins=2, cluster="a"), *replay_rows(both=1, start=2), row(9, True, None)]
    assert cluster_means(rows, "c1", BASELINE, lambda outcome: outcome.tokens) == (0, 0)


def test_an_unknown_outcome_survives_the_way_through_the_store() -> None:
    report = ReplayReport(bucket="sealed", arms=["c1"], rows=[row(1, True, None)])
    assert ReplayReport.from_bytes(report.to_bytes()) == report
