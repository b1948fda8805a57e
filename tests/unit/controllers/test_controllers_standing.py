"""Where an agent stands, from a report to a status."""

import pytest
from builders import a_report

from ninefold.api.findings import ErrorBudget, Plateau, VersionRate
from ninefold.api.standing import SuccessRate
from ninefold.controllers.standing import plateaued, standing


def rate(version: str, day: str | None = None) -> VersionRate:
    success = SuccessRate(traces=100, rate=0.812345, low=0.7, high=0.9, nines=0.52)
    return VersionRate(version=version, day=day, success=success)


def test_versions_come_latest_first_with_their_days():
    days = [rate("v1", "2025-03-01"), rate("v2", "2025-03-02"), rate("v1", "2025-03-02"), rate("v2", "2025-03-03")]
    report = a_report().model_copy(update={"versions": [rate("v1"), rate("v2"), *days]})
    found = standing(report).versions
    assert [(v.version, v.first_day, v.last_day) for v in found] == [
        ("v2", "2025-03-02", "2025-03-03"),
        ("v1", "2025-03-01", "2025-03-02"),
    ]
    assert found[0].success.rate == 0.8123


def test_a_status_holds_ten_versions_at_most():
    named = [f"v{n:02}" for n in range(30)]
    rates = [rate(v) for v in named] + [rate(v, f"2025-03-{n + 1:02}") for n, v in enumerate(named)]
    found = standing(a_report().model_copy(update={"versions": rates})).versions
    assert [v.version for v in found] == list(reversed(named))[:10]


@pytest.mark.parametrize(
    ("plateau", "told", "status", "reason"),
    [
        (True, True, "True", "Plateaued"),
        (False, True, "False", "Moving"),
        (False, False, "Unknown", "TooFewTraces"),
    ],
)
def test_a_plateau_is_told_only_when_a_trend_would_have_been_seen(plateau, told, status, reason):
    trend = Plateau(version="v1", plateaued=plateau, trend=0, high=0.01, detectable=0.01, told=told, message="flat")
    verdict = plateaued(standing(a_report().model_copy(update={"plateau": trend})))
    assert (verdict.status, verdict.reason, verdict.message) == (status, reason, "flat")


def test_without_days_nothing_is_said_of_a_trend():
    assert plateaued(None).status is None
    assert plateaued(standing(a_report())).status is None


def test_the_next_nine_is_told_as_the_report_says_it():
    budget = ErrorBudget(target=0.9, failures_to_save=40, patterns=["p"], enough=True, message="to 0.9 from 0.5: #1")
    assert standing(a_report().model_copy(update={"budget": budget})).next_nine == "to 0.9 from 0.5: #1"
