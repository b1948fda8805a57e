"""What looked like a pattern and is none, as sentences: a mix of tasks, or too few of them, and what would tell."""

from collections.abc import Sequence

from ninefold.analysis.decisions.coding import Symbol
from ninefold.analysis.decisions.confirm import Declined
from ninefold.analysis.stats import power


def unidentified(refused: Sequence[Declined], symbols: Sequence[Symbol], min_support: int) -> list[str]:
    """A sentence for each that a reader would have taken for a finding; what a pattern explains is left out."""
    return [_sentence(r, symbols, min_support) for r in refused if r.why != "explained" and r.crude[0] > r.crude[1]]


def _sentence(r: Declined, symbols: Sequence[Symbol], min_support: int) -> str:
    better, taken = r.crude
    c, step = r.contrast, symbols[r.contrast.taken[0]]
    if c.family == "took":
        what = f"traces with {step.action}"
    elif c.family == "skipped":
        what = f"{step} without {symbols[c.better[0]]} before it"
    else:
        what = f"{step} after {symbols[c.point[0]]}"
    seen = f"{what}: {taken:.0%} succeed, {better:.0%} otherwise"
    if min(r.tasks) < min_support and c.family != "took":
        return (
            f"Unidentified: {seen}, but only {min(r.tasks)} distinct tasks stand on the smaller side and {min_support} "
            "are needed: more traces would tell."
        )
    tell = f"; {power.told(r.repeats, better - taken, min_support)}" if r.repeats is not None else ""
    if r.difference is None:
        return f"TaskMix: {seen}, yet no task met both choices, so this may be a mix of tasks{tell}."
    d = r.difference
    inside = (
        f"within the {d.strata} tasks that met both the difference is {d.estimate * 100:+.0f} points "
        f"({d.low * 100:+.0f} to {d.high * 100:+.0f})"
    )
    lies = "it lies between tasks" if d.high < better - taken else f"it may lie between tasks{tell}"
    return f"TaskMix: {seen}, yet {inside}: {lies}."
