"""docs/gate.md: what a candidate may cost, how long it may take, and how much more it may invent."""

from typing import Any

import pytest
from builders import a_replay, replay_rows

from ninefold.api.outcomes import BASELINE, ReplayRow
from ninefold.api.policy import Gate
from ninefold.gate import GateInput, Verdict, evaluate

GOOD = replay_rows(wins=40, losses=1, both=40, neither=19)


def with_figure(rows: list[ReplayRow], name: str, baseline: Any, candidate: Any) -> list[ReplayRow]:
    """The rows with one figure of the outcomes of both arms."""

    def told(row: ReplayRow, arm: str, value: Any) -> Any:
        return row.outcomes[arm].model_copy(update={name: value})

    return [
        row.model_copy(
            update={
                "outcomes": row.outcomes | {BASELINE: told(row, BASELINE, baseline), "c1": told(row, "c1", candidate)}
            }
        )
        for row in rows
    ]


def judged(rows: list[ReplayRow], kind: str, **gate: Any) -> tuple[bool | None, Verdict]:
    result = evaluate(GateInput(a_replay(rows), "c1", Gate(**gate), 1))
    return result.passed, next(v for v in result.verdicts if v.type == kind)


@pytest.mark.parametrize(
    ("figure", "limit", "reason", "name"),
    [("micro_usd", "maxCostRatio", "TooCostly", "cost"), ("millis", "maxLatencyRatio", "TooSlow", "time")],
)
def test_money_and_time_are_told_and_block_where_the_policy_limits_them(
    figure: str, limit: str, reason: str, name: str
) -> None:
    rows = with_figure(GOOD, figure, 1000, 1600)
    passed, verdict = judged(rows, "WithinBudget")
    assert passed and f"{name} per case × 1.60, no limit set" in verdict.message
    passed, verdict = judged(rows, "WithinBudget", **{limit: 1.5})
    assert (passed, verdict.reason) == (False, reason)
    assert f"{name} per case × 1.60 > × 1.50 allowed" in verdict.message
    assert judged(rows, "WithinBudget", **{limit: 2})[0] is True


def test_a_limit_on_what_nobody_reports_is_told_and_blocks_nothing() -> None:
    passed, verdict = judged(GOOD, "WithinBudget", maxLatencyRatio=1.5)
    assert passed and "the replay reports no time, so time per case is not compared" in verdict.message


def test_a_candidate_that_is_shown_to_invent_more_is_refused_with_the_figures() -> None:
    rows = [*with_figure(GOOD[:30], "invented", 0, 2), *with_figure(GOOD[30:], "invented", 1, 1)]
    passed, verdict = judged(rows, "NoRegression")
    assert (passed, verdict.reason) == (False, "InventsMore")
    assert verdict.message.startswith("cases with something invented +30.0 pp, lower bound +")
    assert verdict.message.endswith("> +0.0 pp allowed")
    assert judged(rows, "NoRegression", maxInventedIncrease=0.4)[0] is True


def test_one_that_invents_more_in_a_few_cases_only_or_much_less_passes() -> None:
    few = [*with_figure(GOOD[:2], "invented", 0, 1), *with_figure(GOOD[2:], "invented", 0, 0)]
    assert judged(few, "NoRegression")[0] is True
    passed, verdict = judged(with_figure(GOOD, "invented", 3, 0), "NoRegression")
    assert passed and "cases with something invented -100.0 pp" in verdict.message
