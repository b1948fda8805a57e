"""docs/replay.md, "The race": which candidate goes to the gate."""

import random
from collections.abc import Mapping, Sequence
from statistics import fmean

from builders import an_outcome

from ninefold.api.outcomes import BASELINE, NULL_CONTROL, Outcome, ReplayRow
from ninefold.replay import race, survivors
from ninefold.replay.racing import LEAST_GAIN, settled, still_open, worth_of_more


def rows(arms: Mapping[str, Sequence[bool | None]], errors: Mapping[str, int] | None = None) -> list[ReplayRow]:
    """One case a cluster; arms by their outcomes, and how many error steps a case takes under them."""
    steps = errors or {}
    return [
        ReplayRow(
            case_id=str(n),
            cluster=str(n),
            outcomes={arm: an_outcome(seen[n], error_steps=steps.get(arm, 0)) for arm, seen in arms.items()},
        )
        for n in range(len(arms[BASELINE]))
    ]


def solved(number: int, of: int = 100) -> list[bool]:
    return [n < number for n in range(of)]


FLAT = {BASELINE: solved(50), NULL_CONTROL: solved(50)}


def test_the_best_candidate_wins() -> None:
    result = race(rows({**FLAT, "a": solved(60), "b": solved(75)}), {"a": 10, "b": 500})
    assert result.winner == "b"
    assert "best candidate b +25.0 pp, null edit +0.0 pp over 100 clusters" in result.why


def test_nobody_wins_who_is_not_better_than_the_baseline() -> None:
    assert race(rows({**FLAT, "a": solved(50), "b": solved(40)}), {"a": 1, "b": 1}).winner is None


def test_nobody_wins_who_is_not_better_than_a_null_edit() -> None:
    arms = {BASELINE: solved(50), NULL_CONTROL: solved(58), "a": solved(57)}
    result = race(rows(arms), {"a": 1})
    assert result.winner is None
    assert "null edit +8.0 pp" in result.why


def test_of_candidates_within_one_standard_error_the_smaller_wins() -> None:
    # `b` solves one case more, and one standard error of that difference is one case.
    assert race(rows({**FLAT, "a": solved(70), "b": solved(71)}), {"a": 10, "b": 500}).winner == "a"
    assert race(rows({**FLAT, "a": solved(70), "b": solved(75)}), {"a": 10, "b": 500}).winner == "b"


def test_among_those_the_one_that_errs_less_on_its_way_wins_before_the_smaller() -> None:
    tied = {**FLAT, "a": solved(70), "b": solved(71)}
    assert race(rows(tied, {"a": 3, "b": 1}), {"a": 10, "b": 500}).winner == "b"


def test_a_candidate_whose_prompts_are_refused_does_not_win_by_the_cases_that_remain() -> None:
    refused: list[bool | None] = [True if n < 60 else None for n in range(100)]
    assert race(rows({**FLAT, "a": refused, "b": solved(62)}), {"a": 1, "b": 1}).winner == "b"


def test_cases_that_the_baseline_could_not_answer_count_for_nobody() -> None:
    down: list[bool | None] = [*solved(50, 80), *[None] * 20]
    arms = {BASELINE: down, NULL_CONTROL: down, "a": solved(60)}
    assert "over 80 clusters" in race(rows(arms), {"a": 1}).why


def test_an_empty_race_has_no_winner() -> None:
    assert race([], {"a": 1}).winner is None
    assert race(rows(FLAT), {}).winner is None


def test_clear_losers_leave_the_race_and_close_ones_stay() -> None:
    arms = {**FLAT, "lead": solved(80), "close": solved(79), "behind": solved(60), "harmful": solved(20)}
    assert survivors(rows(arms), ["lead", "close", "behind", "harmful"]) == ["lead", "close"]


def test_a_leader_that_is_clearly_worse_than_the_baseline_leaves_too() -> None:
    assert survivors(rows({**FLAT, "a": solved(30), "b": solved(20)}), ["a", "b"]) == []


def test_few_cases_eliminate_nobody() -> None:
    few = {BASELINE: solved(5, 10), NULL_CONTROL: solved(5, 10), "a": solved(0, 10), "b": solved(10, 10)}
    assert survivors(rows(few), ["a", "b"]) == ["a", "b"]


def test_an_arm_that_left_early_is_judged_by_the_cases_that_it_ran() -> None:
    early = rows({**FLAT, "a": solved(70), "b": solved(60)})
    late = [
        row.model_copy(update={"case_id": f"late-{row.case_id}", "cluster": f"late-{row.cluster}"}) for row in early
    ]
    late = [
        row.model_copy(update={"outcomes": {arm: o for arm, o in row.outcomes.items() if arm != "b"}}) for row in late
    ]
    assert race([*early, *late], {"a": 1}).winner == "a"
    assert isinstance(early[0].outcomes["b"], Outcome)


def test_where_nobody_gains_the_one_that_only_takes_away_wins_if_it_is_not_behind() -> None:
    arms = {**FLAT, "more": solved(50), "less": solved(50)}
    found = race(rows(arms), {"more": 10, "less": -20}, shrinking=["less"])
    assert found.winner == "less" and "as well with less text" in found.why
    behind = race(rows({**arms, "less": solved(30)}), {"more": 10, "less": -20}, shrinking=["less"])
    assert behind.winner is None


# ---------------------------------------------------------------- when to stop


def test_more_cases_are_worth_most_between_equals_and_nothing_where_nothing_differs() -> None:
    arms = {**FLAT, "even": [n % 2 == 1 for n in range(100)], "ahead": solved(90), "same": solved(50)}
    seen = rows(arms)
    assert worth_of_more(seen, "even", BASELINE, 100) > 0.015
    assert worth_of_more(seen, "ahead", BASELINE, 100) < 1e-6
    assert worth_of_more(seen, "same", BASELINE, 100) == 0
    assert worth_of_more(seen, "even", BASELINE, 0) == 0


def test_few_clusters_settle_nothing() -> None:
    few = rows({BASELINE: solved(0, 10), NULL_CONTROL: solved(0, 10), "a": solved(9, 10)})
    assert not settled(few, "a", 100)


def test_who_can_hardly_overtake_is_not_run_on_and_a_tie_is() -> None:
    tie = [n < 80 or n % 2 == 0 for n in range(100)]
    arms = {**FLAT, "lead": [n < 92 for n in range(100)], "close": [n >= 8 for n in range(100)], "far": tie[::-1]}
    assert still_open(rows(arms), ["lead", "close"], 100) == ["lead", "close"]
    assert still_open(rows({**arms, "far": solved(60)}), ["lead", "far"], 100) == ["lead"]
    assert still_open(rows(arms), [], 100) == []


def test_stopping_costs_less_than_the_least_gain_on_average() -> None:
    """Candidates with the same and with other true rates, in noise: what the stopped race takes is hardly worse."""
    lost = []
    for seed in range(150):
        draw = random.Random(f"stopping/{seed}")
        rates = {"a": 0.7, "b": 0.7 + draw.choice((-0.1, -0.03, 0.0, 0.03, 0.1)), "c": 0.7 - 0.1 * draw.random()}
        arms = {arm: [draw.random() < rate for _ in range(80)] for arm, rate in {**FLAT_RATES, **rates}.items()}
        left = still_open(rows(arms), list(rates), 80)
        lost.append(max(rates.values()) - max(rates[arm] for arm in left))
    assert fmean(lost) < LEAST_GAIN


FLAT_RATES = {BASELINE: 0.5, NULL_CONTROL: 0.5}
