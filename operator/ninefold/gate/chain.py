"""The whole gate, read as a table, and how its verdicts make one."""

from dataclasses import dataclass

from ninefold.api.run import Figures
from ninefold.gate.checks import Check, controls_silent, gain_bound, improved, no_regression
from ninefold.gate.diversity import diversity_kept
from ninefold.gate.evidence import Evidence, GateInput, gather
from ninefold.gate.limits import within_budget
from ninefold.gate.safety import safety_kept
from ninefold.gate.trust import judge_trusted
from ninefold.gate.verdict import Verdict

CHAIN: tuple[Check, ...] = (
    controls_silent,  # what cannot help does not help; else nothing below can be believed
    improved,  # the gain is proved, above what the policy requires
    no_regression,  # no loss overall, no large intent is harmed, and no more is invented
    within_budget,  # prompts fit, and cases do not take much more
    diversity_kept,  # different cases still get different answers
    safety_kept,  # strangers are obeyed no more than before
    judge_trusted,  # who said what succeeded can be believed; else nothing above can
)


@dataclass(frozen=True)
class GateResult:
    """One verdict a check and `ReplayPassed` last. `passed` is None when this replay cannot tell (Inconclusive)."""

    verdicts: tuple[Verdict, ...]
    passed: bool | None
    figures: Figures


def evaluate(given: GateInput) -> GateResult:
    """Judge the frozen candidate on its sealed replay. Pure, and it raises nothing: what is odd is Inconclusive."""
    evidence = gather(given)
    verdicts = tuple(check(evidence) for check in CHAIN)
    whole = _whole(verdicts)
    passed = {"True": True, "False": False, "Unknown": None}[whole.status]
    return GateResult((*verdicts, whole), passed, _figures(evidence))


def _whole(verdicts: tuple[Verdict, ...]) -> Verdict:
    """`ReplayPassed`: a control that speaks, or a judge that is not trusted, voids everything; then one False stops;
    then one Unknown leaves it open."""
    controls, *others = verdicts
    for voids in (controls, others[-1]):
        if voids.status == "False":
            return Verdict("ReplayPassed", "Unknown", "Inconclusive", voids.message)
    for status in ("False", "Unknown"):
        if found := [verdict for verdict in (*others, controls) if verdict.status == status]:
            # Checks that lack the same cases say the same sentence; once is enough.
            message = "; ".join(dict.fromkeys(verdict.message for verdict in found))
            return Verdict("ReplayPassed", found[0].status, found[0].reason, message)
    return Verdict("ReplayPassed", "True", "Proved", others[0].message)


def _figures(evidence: Evidence) -> Figures:
    """The numbers of this replay; `traces` and `success` are analysis' to fill. Without pairs only counts are known."""
    sample, calls = evidence.overall, evidence.given.report.calls_paid
    if not sample.pairs:
        return Figures(pairs=0, replay_calls=calls)
    return Figures(
        baseline=sample.reference,
        candidate=sample.success,
        gain=sample.gain,
        gain_bound=gain_bound(sample, evidence.given.gate, evidence.alpha),
        pairs=sample.pairs,
        replay_calls=calls,
    )
