"""Matching within tasks and within states: what is claimed, what it is worth, and how many runs would tell."""

import numpy as np
import pytest

from ninefold.analysis.matched import Matched, agreeing, combined, match
from ninefold.analysis.stats.power import Repeats, runs_needed, told
from ninefold.analysis.stats.stratified import Cell, Difference, compare, one_sided


def cells(strata: int, better: tuple[int, int], taken: tuple[int, int], name: str = "s") -> list[Cell]:
    """Equal strata: (n, solved) of either arm."""
    return [Cell(f"{name}{i}", f"{name}{i}", *better, *taken) for i in range(strata)]


STATES = cells(10, (8, 7), (8, 2))


class TestWhereTasksRecur:
    def test_nothing_is_claimed_from_states_alone(self) -> None:
        assert match(cells(3, (1, 1), (1, 0)), STATES, recurring=40, min_support=20).difference is None

    def test_within_tasks_and_within_states_are_weighed(self) -> None:
        found = match(cells(12, (1, 1), (1, 0), "a") + cells(6, (1, 0), (1, 0), "b"), STATES, 40, min_support=20)
        assert found.how == "task and state"
        assert found.within is not None
        assert found.difference is not None
        assert found.within.estimate == pytest.approx(12 / 18)
        assert 0.6 < found.difference.estimate < 12 / 18

    def test_many_tasks_that_met_both_decide_alone(self) -> None:
        found = match(cells(200, (1, 1), (1, 0)), STATES, recurring=200, min_support=20)
        assert (found.how, found.difference) == ("task", found.within)

    def test_where_every_task_ran_once_states_decide(self) -> None:
        assert match([], STATES, recurring=0, min_support=20).how == "intent and state"


def test_as_tasks_grow_the_exact_estimate_takes_over() -> None:
    near = Difference(0.5, 0.45, 0.55, 1e-9, 20)
    few, many = Difference(0.2, -0.2, 0.6, 0.3, 8), Difference(0.2, 0.18, 0.22, 1e-9, 4000)
    assert combined(few, near).estimate > 0.35
    assert combined(many, near).estimate == pytest.approx(0.2, abs=0.01)


def test_the_line_ends_at_the_first_that_does_not_agree_but_for_what_is_clear() -> None:
    d = Difference(0.3, 0.1, 0.5, 1e-4, 12)
    chances = [0.06, 0.2, 0.03, 0.001, None]
    assert agreeing([Matched("task and state", d, d, c) for c in chances]) == [True, False, False, True, True]


def test_one_sided_p_counts_what_was_seen_half() -> None:
    assert one_sided([(1, 1, 1, 0)]) == pytest.approx(0.25)
    assert one_sided([(1, 0, 1, 1)]) == pytest.approx(0.75)
    assert one_sided([(1, 1, 1, 0)] * 4) == pytest.approx(1 / 32)


class TestHowManyRunsWouldTell:
    AIRLINE = Repeats(tasks=50, runs=200, arms=0.2, outcomes=0.3)

    def test_smaller_differences_need_more_runs(self) -> None:
        needed = [runs_needed(self.AIRLINE, effect, 20) for effect in (0.1, 0.2, 0.4)]
        assert needed == [25, 7, 5]

    def test_the_sentence_names_them(self) -> None:
        assert told(self.AIRLINE, 0.2, 20) == (
            "about 7 runs of each of the 50 tasks are needed to tell 20 points within them (power 80 %), 4.0 are there"
        )

    def test_arms_that_follow_the_task_are_told_by_no_number_of_runs(self) -> None:
        assert runs_needed(Repeats(50, 200, 0.0, 0.3), 0.2, 20) is None
        assert "will not tell" in told(Repeats(50, 200, 0.0, 0.3), 0.2, 20)

    def test_too_few_tasks_are_told_by_more_tasks(self) -> None:
        assert told(Repeats(8, 80, 0.3, 0.3), 0.2, 20) == "at least 20 tasks are needed, 8 are there"

    def test_a_study_of_that_size_sees_the_effect_four_times_in_five(self) -> None:
        rng, tasks, effect = np.random.default_rng(0), 60, 0.25
        level = rng.uniform(0.2, 0.6, tasks)
        share = 2 * 0.3 * 0.7
        outcomes = float(np.mean(2 * (level + 0.1) * (0.9 - level)))
        runs = runs_needed(Repeats(tasks, 4 * tasks, share, outcomes), effect, 20)
        assert runs is not None
        seen = 0
        for _ in range(60):
            better = rng.random((tasks, runs)) < 0.3
            solved = rng.random((tasks, runs)) < level[:, None] + effect * better
            found = compare(
                [
                    Cell(str(t), str(t), int(b.sum()), int((b & s).sum()), int((~b).sum()), int((~b & s).sum()))
                    for t, (b, s) in enumerate(zip(better, solved, strict=True))
                ]
            )
            seen += found is not None and found.low > 0
        assert 0.65 <= seen / 60 <= 0.95
