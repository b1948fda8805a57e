"""May the judge be believed? Recorded scores need no judge; any judge must have shown that it can be trusted."""

from collections.abc import Mapping

from ninefold.api.outcomes import Agreement, JudgeReport
from ninefold.gate.evidence import Evidence
from ninefold.gate.verdict import Verdict

FEW = 50
"""Known successes, or failures, below which a bound that is too low speaks of their number and not of the judge."""
LEAST_BOUND = 0.7
"""Lower bound of sensitivity and specificity. A judge that errs in one of ten has .84 at 100 outputs of a kind; one
that never errs needs nine."""
LARGEST_MISSING = 0.2


def judge_trusted(evidence: Evidence) -> Verdict:
    """The judge failed every kind of canary, and agrees with known outcomes on both arms' outputs."""
    report = evidence.given.report
    if report.judge is not None:
        both = {"outputs of the baseline": report.judge.baseline, "outputs of the candidate": report.judge.candidate}
        return trusted(report.judge, both)
    if judged := sum(o.graded_by == "judge" for row in report.rows for o in row.outcomes.values()):
        message = f"{judged} outcomes are a judge's, and what it did with the canaries is not known"
        return Verdict("JudgeTrusted", "Unknown", "NotCalibrated", message)
    return Verdict("JudgeTrusted", "True", "RecordedScores", "outcomes are recorded scores or rules, not a judge's")


def trusted(judge: JudgeReport, outputs: Mapping[str, Agreement]) -> Verdict:
    """`JudgeTrusted` from what a judge showed; `outputs` says by name what it is held against."""
    return _canaries(judge) or _calibration(judge, outputs)


def _canaries(judge: JudgeReport) -> Verdict | None:
    """What the canaries say against it; None for nothing."""
    shown, passed, missing = judge.canaries_shown, judge.canaries_passed, judge.canaries_missing
    if fooled := sorted(kind for kind, n in shown.items() if 2 * passed.get(kind, 0) > n):
        told = ", ".join(f"{kind} ({passed[kind]} of {shown[kind]})" for kind in fooled)
        message = f"the judge {judge.judge} lets through {told}, at most half allowed: its verdicts say nothing"
        return Verdict("JudgeTrusted", "False", "CanaryPassed", message)
    silent = sorted(kind for kind, n in shown.items() if 2 * missing.get(kind, 0) > n)
    if silent or not shown:
        what = f"gave no verdict on most canaries of the kinds {', '.join(silent)}" if silent else "was shown none"
        return Verdict("JudgeTrusted", "Unknown", "NotCalibrated", f"the judge {judge.judge} {what}: nothing is proved")
    return None


def _calibration(judge: JudgeReport, outputs: Mapping[str, Agreement]) -> Verdict:
    for name, one in outputs.items():
        asked = one.good + one.bad + one.missing
        if one.missing > LARGEST_MISSING * asked:
            lack = f"no verdict on {one.missing} of {asked} ({LARGEST_MISSING:.0%} allowed)"
            message = f"the judge {judge.judge} on {name}: {lack}"
            return Verdict("JudgeTrusted", "Unknown", "NotCalibrated", message)
    told = "; ".join(f"{name}: {_bounds(one)}" for name, one in outputs.items())
    message = f"the judge {judge.judge} on {told}; {LEAST_BOUND:.2f} required of each"
    lacking = [n for one in outputs.values() for low, n in _sides(one) if low < LEAST_BOUND]
    if not lacking:
        message += f"; none of {len(judge.canaries_shown)} kinds of canaries passed"
        return Verdict("JudgeTrusted", "True", "Calibrated", message)
    if min(lacking) < FEW:
        message += f"; fewer than {FEW} cannot tell, so let the endpoint score more cases"
        return Verdict("JudgeTrusted", "Unknown", "NotCalibrated", message)
    return Verdict("JudgeTrusted", "False", "Unreliable", message)


def _bounds(one: Agreement) -> str:
    return (
        f"sensitivity ≥ {one.sensitivity_low:.2f} from {one.good} good ones, "
        f"specificity ≥ {one.specificity_low:.2f} from {one.bad} bad ones"
    )


def _sides(one: Agreement) -> tuple[tuple[float, int], tuple[float, int]]:
    """(lower bound, outputs that it rests on) of sensitivity and of specificity."""
    return (one.sensitivity_low, one.good), (one.specificity_low, one.bad)
