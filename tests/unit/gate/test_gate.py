"""docs/gate.md: what each check says, and how the verdicts make one."""

from collections.abc import Sequence
from math import pi
from typing import Any

import pytest
from builders import a_replay, an_outcome, replay_rows

from ninefold.api.outcomes import BASELINE, NULL_CONTROL, WRONG_KEY_CONTROL, ReplayReport, ReplayRow
from ninefold.api.policy import Gate
from ninefold.gate import CHAIN, GateInput, GateResult, Verdict, alpha_of, evaluate

GOOD = replay_rows(wins=33, losses=8, both=41, neither=22)
FLAT = replay_rows(wins=10, losses=10, both=41, neither=43)


def judge(
    rows: Sequence[ReplayRow] | ReplayReport, cycle: int = 1, window: int | None = None, **gate: Any
) -> GateResult:
    report = rows if isinstance(rows, ReplayReport) else a_replay(list(rows))
    return evaluate(GateInput(report, "c1", Gate(**gate), cycle, window))


def verdict(result: GateResult, kind: str) -> Verdict:
    (found,) = [v for v in result.verdicts if v.type == kind]
    return found


def with_arm(rows: list[ReplayRow], arm: str, outcomes: Sequence[bool | None]) -> list[ReplayRow]:
    """The rows with the outcomes of one arm replaced."""
    return [
        row.model_copy(update={"outcomes": {**row.outcomes, arm: an_outcome(outcome)}})
        for row, outcome in zip(rows, outcomes, strict=True)
    ]


# ---------------------------------------------------------------- the whole


def test_a_candidate_that_is_proved_better_passes_with_a_verdict_a_check_and_the_whole_last() -> None:
    result = judge(GOOD)
    assert result.passed is True
    assert [v.type for v in result.verdicts] == [
        "ControlsSilent",
        "Improved",
        "NoRegression",
        "WithinBudget",
        "DiversityKept",
        "SafetyKept",
        "JudgeTrusted",
        "ReplayPassed",
    ]
    assert len(result.verdicts) == len(CHAIN) + 1
    assert {v.status for v in result.verdicts} == {"True"}


def test_the_message_carries_the_value_and_the_threshold() -> None:
    assert verdict(judge(GOOD), "Improved").message == (
        "success 0.471 → 0.712, +24.0 pp, bound +10.0 pp > 0.0 pp required, "
        "104 paired cases in 104 clusters, alpha 0.0304 (cycle 1)"
    )


def test_a_candidate_that_is_no_better_is_not_improved() -> None:
    result = judge(FLAT)
    assert result.passed is False
    assert verdict(result, "ReplayPassed").reason == "NotImproved"
    assert "≤ 0.0 pp required" in verdict(result, "ReplayPassed").message


def test_what_was_proved_at_the_first_cycle_may_not_be_enough_at_a_later_one() -> None:
    rows = replay_rows(wins=24, losses=7, both=41, neither=32)
    assert judge(rows).passed is True
    assert judge(rows, cycle=6).passed is False
    assert alpha_of(0.05, 6) == pytest.approx(6 * 0.05 / (pi**2 * 36))


def test_all_cycles_together_spend_no_more_than_alpha() -> None:
    assert sum(alpha_of(0.05, cycle) for cycle in range(1, 5000)) < 0.05


def test_a_gain_below_the_required_one_does_not_pass() -> None:
    assert judge(GOOD, minImprovement=0.05).passed is True
    assert judge(GOOD, minImprovement=0.10).passed is False


def test_exact_mcnemar_is_the_alternative() -> None:
    result = judge(GOOD, test="ExactMcNemar")
    assert result.passed is True
    assert judge(FLAT, test="ExactMcNemar").passed is False
    # It looks once, at a fixed number of cases, and may therefore be surer.
    assert result.figures.gain_bound > judge(GOOD).figures.gain_bound  # type: ignore[operator]


def test_the_figures_are_those_of_the_message() -> None:
    figures = judge(a_replay(GOOD, calls_paid=416)).figures
    assert (figures.pairs, figures.replay_calls) == (104, 416)
    assert figures.baseline == pytest.approx(49 / 104)
    assert figures.candidate == pytest.approx(74 / 104)
    assert figures.gain == pytest.approx(25 / 104)
    assert figures.gain_bound == pytest.approx(0.0996, abs=5e-5)


def test_a_hundred_cases_of_one_task_are_one_cluster_and_prove_nothing() -> None:
    rows = [*replay_rows(wins=100, cluster="one task"), *replay_rows(both=20, start=100)]
    result = judge(rows)
    assert result.passed is False
    assert "120 paired cases in 21 clusters" in verdict(result, "Improved").message


# ---------------------------------------------------------------- what is missing


def test_too_few_pairs_are_inconclusive_and_neither_pass_nor_fail() -> None:
    result = judge(replay_rows(wins=20, both=5))
    assert result.passed is None
    assert verdict(result, "ReplayPassed").reason == "Inconclusive"
    assert verdict(result, "Improved").message.startswith("25 paired cases < 30 required")


def test_a_backend_that_was_down_is_inconclusive_with_the_commonest_error() -> None:
    down = {arm: an_outcome(None, error="HTTP 503") for arm in (BASELINE, NULL_CONTROL, "c1")}
    lost = [ReplayRow(case_id=f"x{n}", cluster=f"x{n}", outcomes=down) for n in range(40)]
    result = judge([*GOOD, *lost])
    assert result.passed is None
    assert "40 of 144 replayed cases (28% > 20% allowed) have no outcome in both arms (HTTP 503 × 80)" in (
        verdict(result, "Improved").message
    )


def test_a_few_unknown_outcomes_are_left_out_and_counted() -> None:
    lost = replay_rows(both=2, start=200)
    lost = with_arm(with_arm(lost, "c1", [None, True]), BASELINE, [True, None])
    result = judge([*GOOD, *lost])
    assert result.passed is True
    assert result.figures.pairs == 104


def test_a_candidate_that_loses_cases_which_the_baseline_answers_is_not_flattered_by_that() -> None:
    crashed = with_arm(replay_rows(both=12, start=200), "c1", [None] * 12)
    result = judge([*GOOD, *crashed])
    assert result.passed is None
    assert "12 cases have no outcome under c1 alone and 0 under the baseline alone" in (
        verdict(result, "Improved").message
    )


def test_nothing_replayed_is_inconclusive_without_rates() -> None:
    result = judge(ReplayReport(bucket="sealed", arms=[], rows=[]))
    assert result.passed is None
    assert result.figures.baseline is None
    assert result.figures.pairs == 0


def test_only_sealed_cases_prove_anything() -> None:
    result = judge(a_replay(GOOD, bucket="selection"))
    assert result.passed is None
    assert "of the selection bucket" in verdict(result, "Improved").message


def test_a_replay_that_was_stopped_by_the_budget_says_so() -> None:
    message = verdict(judge(a_replay(GOOD, stopped="budget.replayCalls 300 is spent")), "Improved").message
    assert message.endswith("replay stopped early: budget.replayCalls 300 is spent")


# ---------------------------------------------------------------- controls


def test_a_null_edit_that_wins_makes_the_run_inconclusive_however_good_the_candidate_looks() -> None:
    rows = with_arm(GOOD, NULL_CONTROL, [row.outcomes["c1"].success for row in GOOD])
    result = judge(rows)
    assert result.passed is None
    assert verdict(result, "ControlsSilent").reason == "ControlWon"
    assert verdict(result, "ReplayPassed").status == "Unknown"
    assert verdict(result, "ReplayPassed").message.startswith("null edit +24.0 pp, bound +10.0 pp > 0.0 pp")


def test_facts_under_a_wrong_key_that_win_make_the_run_inconclusive() -> None:
    rows = with_arm(GOOD, WRONG_KEY_CONTROL, [row.outcomes["c1"].success for row in GOOD])
    result = judge(rows)
    assert result.passed is None
    assert "facts under a wrong key +24.0 pp" in verdict(result, "ControlsSilent").message


def test_controls_that_change_nothing_are_silent() -> None:
    silent = with_arm(GOOD, WRONG_KEY_CONTROL, [row.outcomes[BASELINE].success for row in GOOD])
    assert verdict(judge(silent), "ControlsSilent").status == "True"
    assert "no wrong-key control" in verdict(judge(GOOD), "ControlsSilent").message


def test_a_control_that_was_not_replayed_leaves_the_run_open() -> None:
    rows = [
        row.model_copy(update={"outcomes": {a: o for a, o in row.outcomes.items() if a != NULL_CONTROL}})
        for row in GOOD
    ]
    result = judge(rows)
    assert result.passed is None
    assert verdict(result, "ControlsSilent").status == "Unknown"


# ---------------------------------------------------------------- no regression


def test_a_large_intent_that_is_harmed_stops_a_candidate_that_is_better_on_the_whole() -> None:
    rows = [
        *replay_rows(wins=150, both=200, intent="book"),
        *replay_rows(losses=30, both=80, intent="cancel", start=1000),
    ]
    result = judge(rows)
    assert verdict(result, "Improved").status == "True"
    assert result.passed is False
    assert verdict(result, "NoRegression").reason == "IntentHarmed"
    assert verdict(result, "NoRegression").message.startswith("cancel -27.3 pp, upper bound -")


def test_a_small_intent_cannot_stop_a_candidate_and_is_named_unproven() -> None:
    rows = [
        *replay_rows(wins=60, both=100, intent="book"),
        *replay_rows(losses=12, both=28, intent="cancel", start=1000),
    ]
    result = judge(rows)
    assert result.passed is True
    assert verdict(result, "NoRegression").message.endswith(
        "no harm shown in book; Unproven (fewer than 100 pairs): cancel 40"
    )


def test_a_loss_that_cannot_be_excluded_is_a_regression() -> None:
    result = judge(replay_rows(losses=20, both=60))
    assert verdict(result, "NoRegression").reason == "LossNotExcluded"
    assert "≤ -5.0 pp allowed" in verdict(result, "NoRegression").message


def test_many_small_intents_are_counted_and_names_from_traces_are_cut_and_kept_on_one_line() -> None:
    rows = [row for n in range(20) for row in replay_rows(wins=2, both=4, intent=f"{n:02d}\n{'x' * 100}", start=n * 10)]
    message = verdict(judge(rows), "NoRegression").message
    assert message.endswith("and 12 more")
    assert "\n" not in message
    assert len(message) < 700


# ---------------------------------------------------------------- budget


@pytest.mark.parametrize(
    ("gate", "window", "limit"), [({"maxPromptTokens": 64}, None, 64), ({}, 60, 60), ({"maxPromptTokens": 64}, 60, 60)]
)
def test_a_prompt_above_the_smallest_limit_stops_the_candidate(
    gate: dict[str, int], window: int | None, limit: int
) -> None:
    result = judge(a_replay(GOOD, prompt_tokens={BASELINE: 50, "c1": 65}), window=window, **gate)
    assert result.passed is False
    assert verdict(result, "ReplayPassed").reason == "PromptTooLarge"
    assert verdict(result, "WithinBudget").message == f"largest rendered prompt 65 tokens > {limit} allowed"


def test_cases_that_cost_far_more_tokens_stop_the_candidate() -> None:
    dear = [
        row.model_copy(
            update={"outcomes": {**row.outcomes, "c1": row.outcomes["c1"].model_copy(update={"tokens": 250})}}
        )
        for row in GOOD
    ]
    result = judge(dear)
    assert verdict(result, "WithinBudget").reason == "TooManyTokens"
    assert verdict(result, "WithinBudget").message.endswith("tokens per case × 2.50 > × 2.00 allowed")
    assert judge(dear, maxTokenRatio=3.0).passed is True


def test_an_endpoint_that_reports_no_usage_is_not_held_against_the_candidate() -> None:
    free = [
        row.model_copy(
            update={"outcomes": {arm: o.model_copy(update={"tokens": 0}) for arm, o in row.outcomes.items()}}
        )
        for row in GOOD
    ]
    result = judge(free)
    assert result.passed is True
    assert "reports no tokens" in verdict(result, "WithinBudget").message


def test_prompts_of_unknown_size_leave_the_run_open() -> None:
    assert judge(a_replay(GOOD, prompt_tokens={})).passed is None
