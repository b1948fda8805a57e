"""Where an agent stands, as its newest analysis says: for the status of the run, and from there for the Agent's.

A run is pruned after a while and the Agent is not, so the Agent keeps what the last one told.
"""

from typing import Literal

from ninefold.api.findings import AnalysisReport, Plateau, VersionRate
from ninefold.api.standing import Standing, Trend, VersionSuccess
from ninefold.controllers.conditions import Verdict, absent, clip
from ninefold.controllers.outcome import rounded

PLATEAUED = "Plateaued"
MAX_VERSIONS = 10
_MAX_SENTENCE = 1024


def standing(report: AnalysisReport) -> Standing:
    """What the report says of versions, trend and the next nine, short enough for a status."""
    return Standing(
        versions=_versions(report.versions),
        trend=None if report.plateau is None else _trend(report.plateau),
        next_nine=None if report.budget is None else clip(report.budget.message, _MAX_SENTENCE),
    )


def _versions(rates: list[VersionRate]) -> list[VersionSuccess]:
    """The versions seen last, the latest first; one whose days the report no longer lists is left out."""
    days: dict[str, list[str]] = {}
    for rate in rates:
        if rate.day is not None:
            days.setdefault(rate.version, []).append(rate.day)
    whole = {rate.version: rate.success for rate in rates if rate.day is None}
    latest = sorted((v for v in whole if v in days), key=lambda v: (max(days[v]), v), reverse=True)
    return [
        VersionSuccess(version=v, first_day=min(days[v]), last_day=max(days[v]), success=rounded(whole[v]))
        for v in latest[:MAX_VERSIONS]
    ]


def _trend(found: Plateau) -> Trend:
    state = PLATEAUED if found.plateaued else "Moving" if found.told else "TooFewTraces"
    return Trend.model_validate({"state": state, "message": clip(found.message, _MAX_SENTENCE)})


def plateaued(found: Standing | None) -> Verdict:
    """The Agent's condition: whether it still gets better by itself."""
    if found is None or found.trend is None:
        return absent(PLATEAUED)
    return Verdict(PLATEAUED, _STATUS[found.trend.state], found.trend.state, found.trend.message)


_STATUS: dict[str, Literal["True", "False", "Unknown"]] = {
    "Plateaued": "True",
    "Moving": "False",
    "TooFewTraces": "Unknown",
}
