"""May the judge be believed? Recorded scores need no judge; any judge must have shown that it can be trusted."""

from ninefold.api.artifacts import Agreement
from ninefold.gate.evidence import Evidence
from ninefold.gate.verdict import Verdict

LEAST_OF_A_KIND = 50
"""Recorded successes, and failures, on which each bound must rest."""
LEAST_BOUND = 0.7
"""Lower bound of sensitivity and specificity. A judge that errs in one of ten has .84 at 100 outputs of a kind."""
LARGEST_MISSING = 0.2


def judge_trusted(evidence: Evidence) -> Verdict:
    """The judge failed every kind of canary, and agrees with recorded outcomes on both arms' outputs."""
    judge = evidence.given.report.judge
    if judge is None:
        return Verdict("JudgeTrusted", "True", "RecordedScores", "outcomes are recorded scores, not a judge's")
    fooled = [kind for kind, n in judge.canaries_shown.items() if 2 * judge.canaries_passed.get(kind, 0) > n]
    if fooled or not judge.canaries_shown:
        what = f"lets through {', '.join(sorted(fooled))}" if fooled else "was shown no canaries"
        return Verdict(
            "JudgeTrusted", "False", "CanaryPassed", f"the judge {judge.judge} {what}: its verdicts say nothing"
        )
    arms = {"baseline": judge.baseline, "candidate": judge.candidate}
    for name, one in arms.items():
        if lack := _lack(one):
            message = f"the judge {judge.judge} on outputs of the {name}: {lack}"
            return Verdict("JudgeTrusted", "Unknown", "NotCalibrated", message)
    told = ", ".join(
        f"{name} sensitivity ≥ {one.sensitivity_low:.2f}, specificity ≥ {one.specificity_low:.2f}"
        for name, one in arms.items()
    )
    sound = all(min(one.sensitivity_low, one.specificity_low) >= LEAST_BOUND for one in arms.values())
    message = (
        f"the judge {judge.judge}: {told}; {LEAST_BOUND:.2f} required; no kind of {len(judge.canaries_shown)} passed"
    )
    return Verdict("JudgeTrusted", "True" if sound else "False", "Calibrated" if sound else "Unreliable", message)


def _lack(one: Agreement) -> str | None:
    if min(one.good, one.bad) < LEAST_OF_A_KIND:
        return f"{one.good} recorded successes and {one.bad} failures, {LEAST_OF_A_KIND} of each required"
    judged = one.good + one.bad
    if one.missing > LARGEST_MISSING * (judged + one.missing):
        return f"no verdict on {one.missing} of {judged + one.missing} ({LARGEST_MISSING:.0%} allowed)"
    return None
