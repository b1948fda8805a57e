"""The checks of the gate: each looks at the evidence and returns one verdict, with the value and the threshold.

True lets the candidate through, False stops it, Unknown says that this replay cannot tell. Texts that come from traces
(intents, errors of the endpoint) are shortened and quoted before they stand in a message: they are data.
"""

from collections.abc import Callable
from statistics import fmean

from ninefold import betting
from ninefold.api.outcomes import BASELINE, Outcome
from ninefold.api.policy import Gate
from ninefold.gate import mcnemar
from ninefold.gate.evidence import INTENT_PAIRS, Evidence
from ninefold.gate.verdict import Verdict
from ninefold.pairing import Sample, cluster_means

MISSING_AT_MOST = 0.2
"""Share of replayed cases that may lack an outcome. Above, the endpoint was down rather than a case hard."""
_NAMED = 8
"""Intents that a message names; the rest are counted."""


Check = Callable[[Evidence], Verdict]


def improved(evidence: Evidence) -> Verdict:
    """Superiority: the lower bound of the gain is above what the policy requires. What only takes edits away need not

    gain: a shorter prompt that is shown to lose no more than the margin is the improvement.
    """
    if lack := shortfall(evidence, evidence.overall):
        return Verdict("Improved", "Unknown", "Inconclusive", lack)
    if _only_removes(evidence):
        return _as_good_with_less(evidence)
    sample, required = evidence.overall, evidence.given.gate.min_improvement
    bound = gain_bound(sample, evidence.given.gate, evidence.alpha)
    passed = bound > required
    message = (
        f"success {sample.reference:.3f} → {sample.success:.3f}, {_pp(sample.gain)}, "
        f"bound {_pp(bound)} {'>' if passed else '≤'} {required * 100:.1f} pp required, {_size(sample)}, "
        f"alpha {evidence.alpha:.3g} (cycle {evidence.given.cycle})"
    )
    if stopped := evidence.given.report.stopped:
        message += f"; replay stopped early: {quoted(stopped, 200)}"
    return Verdict("Improved", "True", "BoundAboveRequired", message) if passed else _not_improved(message)


def _only_removes(evidence: Evidence) -> bool:
    candidate = evidence.given.report.candidate
    return candidate is not None and candidate.id == evidence.given.candidate and not candidate.edits


def _as_good_with_less(evidence: Evidence) -> Verdict:
    sample, margin = evidence.overall, evidence.given.gate.non_inferiority_margin
    bound = betting.lower_bound(sample.means, evidence.alpha, sample.planned)
    message = (
        f"edits are only left out: success {sample.reference:.3f} → {sample.success:.3f}, {_pp(sample.gain)}, bound "
        f"{_pp(bound)} {'>' if bound > -margin else '≤'} {_pp(-margin)} allowed, {_size(sample)}, "
        f"alpha {evidence.alpha:.3g} (cycle {evidence.given.cycle})"
    )
    if bound > -margin:
        return Verdict("Improved", "True", "AsGoodWithLess", message)
    return Verdict("Improved", "False", "LossNotExcluded", message)


def no_regression(evidence: Evidence) -> Verdict:
    """Non-inferiority: overall it is shown; no intent with enough pairs is shown to lose more than the margin, and the
    agent is not shown to invent more."""
    if lack := shortfall(evidence, evidence.overall):
        return Verdict("NoRegression", "Unknown", "Inconclusive", lack)
    margin = evidence.given.gate.non_inferiority_margin
    bound = betting.lower_bound(evidence.overall.means, evidence.alpha, evidence.overall.planned)
    if bound <= -margin:
        message = f"overall bound {_pp(bound)} ≤ {_pp(-margin)} allowed, {_size(evidence.overall)}"
        return Verdict("NoRegression", "False", "LossNotExcluded", message)
    if harmed := [harm for name, sample in evidence.intents if (harm := _harm(evidence, name, sample))]:
        return Verdict("NoRegression", "False", "IntentHarmed", "; ".join(harmed[:_NAMED]))
    inventing, more = _inventing(evidence)
    if more:
        return Verdict("NoRegression", "False", "InventsMore", inventing)
    message = f"overall bound {_pp(bound)} > {_pp(-margin)} allowed, {_size(evidence.overall)}{_intents(evidence)}"
    message += f"; {inventing}" if inventing else ""
    return Verdict("NoRegression", "True", "NotInferior", message)


def controls_silent(evidence: Evidence) -> Verdict:
    """Neither a null edit nor the candidate's facts under a wrong key gain anything that could be proved."""
    controls = [("null edit", evidence.null)]
    if evidence.wrong_key is not None:
        controls.append(("facts under a wrong key", evidence.wrong_key))
    heard = []
    for name, sample in controls:
        if lack := shortfall(evidence, sample):
            return Verdict("ControlsSilent", "Unknown", "Inconclusive", f"{name}: {lack}")
        bound = gain_bound(sample, evidence.given.gate, evidence.alpha)
        heard.append(f"{name} {_pp(sample.gain)}, bound {_pp(bound)} {'>' if bound > 0 else '≤'} 0.0 pp")
        if bound > 0:
            message = f"{heard[-1]}, {_size(sample)}: what cannot help seems to help, so no gain here can be trusted"
            return Verdict("ControlsSilent", "False", "ControlWon", message)
    if evidence.wrong_key is None:
        heard.append("no wrong-key control, for it needs two conditions with texts of their own")
    return Verdict("ControlsSilent", "True", "Silent", "; ".join(heard))


def shortfall(evidence: Evidence, sample: Sample) -> str | None:
    """Why this sample cannot carry a verdict, as a sentence; None when it can."""
    report, least = evidence.given.report, evidence.given.gate.min_pairs
    if report.bucket != "sealed":
        return f"this replay is of the {report.bucket} bucket, and only sealed cases can prove anything"
    why = f" ({', '.join(f'{quoted(error, 120)} × {n}' for error, n in sample.errors)})" if sample.errors else ""
    unknown = sample.replayed - sample.pairs
    if sample.missing > MISSING_AT_MOST:
        return (
            f"{unknown} of {sample.replayed} replayed cases ({sample.missing:.0%} > {MISSING_AT_MOST:.0%} allowed) "
            f"have no outcome in both arms{why}"
        )
    if sample.pairs < least:
        return f"{sample.pairs} paired cases < {least} required, {unknown} more without an outcome{why}"
    alone, reference = sample.unknown_arm_only, sample.unknown_reference_only
    p = mcnemar.p_value(alone, reference)
    if p <= evidence.given.gate.alpha:
        return (
            f"{alone} cases have no outcome under {sample.arm} alone and {reference} under the baseline alone "
            f"(p {p:.2g} ≤ {evidence.given.gate.alpha:.2g}), so leaving them out would flatter it{why}"
        )
    return None


def gain_bound(sample: Sample, gate: Gate, alpha: float) -> float:
    """Lower bound of the gain, in -1..1, by the test that the policy names."""
    if gate.test == "BettingConfidenceSequence":
        return betting.lower_bound(sample.means, alpha, sample.planned)
    wins, losses = sum(x > 0 for x in sample.means), sum(x < 0 for x in sample.means)
    return mcnemar.lower_bound(wins, losses, sample.clusters, alpha)


def _not_improved(message: str) -> Verdict:
    return Verdict("Improved", "False", "NotImproved", message)


def _harm(evidence: Evidence, name: str, sample: Sample) -> str | None:
    """A sentence if the intent is shown to lose more than the margin.

    At the policy's whole alpha, neither divided over cycles nor over intents: a false alarm costs a candidate, a missed
    one costs users.
    """
    if sample.pairs < INTENT_PAIRS:
        return None
    margin = evidence.given.gate.non_inferiority_margin
    bound = betting.upper_bound(sample.means, evidence.given.gate.alpha, sample.planned)
    if bound >= -margin:
        return None
    return f"{quoted(name)} {_pp(sample.gain)}, upper bound {_pp(bound)} < {_pp(-margin)} allowed, {_size(sample)}"


def _inventing(evidence: Evidence) -> tuple[str, bool]:
    """Cases in which something without support is named, as a sentence, and whether growth above the limit is shown.

    At the policy's whole alpha, as for an intent. Empty where too few pairs tell.
    """
    gate, arm = evidence.given.gate, evidence.given.candidate
    told = [
        row
        for row in evidence.given.report.rows
        if all((o := row.outcomes.get(name)) is not None and o.invented is not None for name in (BASELINE, arm))
    ]
    means = cluster_means(told, arm, BASELINE, _invents)
    if len(means) < gate.min_pairs:
        return "", False
    bound = betting.lower_bound(means, gate.alpha, evidence.overall.planned)
    grown = bound > gate.max_invented_increase
    return (
        f"cases with something invented {_pp(fmean(means))}, lower bound {_pp(bound)} {'>' if grown else '≤'} "
        f"{_pp(gate.max_invented_increase)} allowed",
        grown,
    )


def _invents(outcome: Outcome) -> int:
    return int(bool(outcome.invented))


def _intents(evidence: Evidence) -> str:
    shown = [quoted(name) for name, sample in evidence.intents if sample.pairs >= INTENT_PAIRS]
    small = [f"{quoted(name)} {sample.pairs}" for name, sample in evidence.intents if sample.pairs < INTENT_PAIRS]
    said = f"; no harm shown in {_listed(shown)}" if shown else ""
    return said + (f"; Unproven (fewer than {INTENT_PAIRS} pairs): {_listed(small)}" if small else "")


def _listed(names: list[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _size(sample: Sample) -> str:
    return f"{sample.pairs} paired cases in {sample.clusters} clusters"


def _pp(share: float) -> str:
    return f"{share * 100:+.1f} pp"


def quoted(text: str, longest: int = 40) -> str:
    """A text of foreign origin on one line, without control characters, cut at `longest`."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"
