"""docs/replay.md, "The race": which candidate goes to the gate."""

from collections.abc import Mapping, Sequence

from builders import an_outcome

from ninefold.api.artifacts import BASELINE, NULL_CONTROL, Outcome, ReplayRow
from ninefold.replay import race, survivors


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
