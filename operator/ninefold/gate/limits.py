"""What a candidate may take: prompt tokens, tokens, money and time per case, each against the baseline's.

Sums over the pairs in which both arms report the figure. Arms take turns case by case, so a slow hour of the endpoint
is in both sums. Tokens are limited by default; money and time only where the policy says so, and are told in any case.
"""

from collections.abc import Callable

from ninefold.api.outcomes import BASELINE, Outcome
from ninefold.gate.evidence import Evidence
from ninefold.gate.verdict import Verdict

Figure = Callable[[Outcome], int | None]


def within_budget(evidence: Evidence) -> Verdict:
    """The largest rendered prompt fits, and a case does not take much more than under the baseline."""
    gate = evidence.given.gate
    limit = min((n for n in (gate.max_prompt_tokens, evidence.given.context_window) if n), default=None)
    prompt = evidence.prompt_tokens
    if prompt is None:
        return Verdict("WithinBudget", "Unknown", "Inconclusive", "the replay does not say how large the prompts were")
    if limit and prompt > limit:
        message = f"largest rendered prompt {prompt} tokens > {limit} allowed"
        return Verdict("WithinBudget", "False", "PromptTooLarge", message)
    parts = [f"largest rendered prompt {prompt} tokens" + (f" ≤ {limit} allowed" if limit else ", no limit set")]
    over = []
    for name, figure, most, reason in (
        ("tokens", _tokens, gate.max_token_ratio, "TooManyTokens"),
        ("cost", _cost, gate.max_cost_ratio, "TooCostly"),
        ("time", _time, gate.max_latency_ratio, "TooSlow"),
    ):
        ratio = _ratio(evidence, figure)
        if ratio is None:
            if most is not None:
                parts.append(f"the replay reports no {name}, so {name} per case is not compared")
            continue
        if most is None:
            parts.append(f"{name} per case × {ratio:.2f}, no limit set")
            continue
        parts.append(f"{name} per case × {ratio:.2f} {'>' if ratio > most else '≤'} × {most:.2f} allowed")
        over += [reason] if ratio > most else []
    if over:
        return Verdict("WithinBudget", "False", over[0], "; ".join(parts))
    return Verdict("WithinBudget", "True", "WithinLimits", "; ".join(parts))


def _ratio(evidence: Evidence, figure: Figure) -> float | None:
    """Sum under the candidate over that under the baseline; None when no pair reports it."""
    arm = reference = 0
    for row in evidence.given.report.rows:
        outcomes = [row.outcomes.get(name) for name in (evidence.given.candidate, BASELINE)]
        ours, theirs = (figure(o) if o is not None and o.success is not None else None for o in outcomes)
        if ours and theirs:
            arm, reference = arm + ours, reference + theirs
    return arm / reference if reference else None


def _tokens(outcome: Outcome) -> int | None:
    return outcome.tokens


def _cost(outcome: Outcome) -> int | None:
    return outcome.micro_usd


def _time(outcome: Outcome) -> int | None:
    return outcome.millis
