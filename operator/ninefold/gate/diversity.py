"""Collapse: a candidate that answers everything with the same words may score as well and is still refused.

Looked at are final outputs alone, of cases that both arms solve: a good fix makes trajectories shorter and more alike,
and failures may be alike as they please. Outputs come as sketches, the smallest hashes of their word pairs, so they can
be compared and not read. Three figures, each against the baseline on the same cases: the entropy of distinct outputs in
bits, the share of distinct word pairs (distinct-2 of Li et al. 2016, on the sketches), and the share of outputs that
have a near-duplicate (Broder 1997: shared smallest hashes estimate the resemblance).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import log2

from ninefold.api.outcomes import BASELINE
from ninefold.gate.evidence import Evidence
from ninefold.gate.verdict import Verdict

LEAST_OUTPUTS = 30
KEPT = 0.5
"""Of the baseline's entropy, and of its distinct word pairs, that must be left."""
MORE_ALIKE = 0.3
"""Share of outputs by which near-duplicates may grow."""
RESEMBLANCE = 0.75
LEAST_BITS = 1.0
"""A baseline with less entropy has nothing to lose."""

Sketch = tuple[int, ...]


@dataclass(frozen=True)
class Diversity:
    """Of the outputs of one arm: entropy in bits, share of distinct word pairs, share with a near-duplicate."""

    entropy: float
    distinct: float
    alike: float


def diversity(sketches: Sequence[Sketch]) -> Diversity:
    """The figures of at least one output."""
    n = len(sketches)
    counts = Counter(sketches)
    hashes = [h for sketch in sketches for h in sketch]
    sets = [frozenset(sketch) for sketch in counts]
    alone = {
        sketch
        for sketch, own in zip(counts, sets, strict=True)
        if counts[sketch] == 1
        and not any(other is not own and len(own & other) >= RESEMBLANCE * len(own | other) for other in sets)
    }
    return Diversity(
        entropy=-sum(c / n * log2(c / n) for c in counts.values()),
        distinct=len(set(hashes)) / max(1, len(hashes)),
        alike=1 - len(alone) / n,
    )


def diversity_kept(evidence: Evidence) -> Verdict:
    """The candidate's answers to different cases are nearly as different as the baseline's."""
    pairs = [
        (row.outcomes[BASELINE], row.outcomes[evidence.given.candidate])
        for row in evidence.given.report.rows
        if BASELINE in row.outcomes and evidence.given.candidate in row.outcomes
    ]
    both = [(a, b) for a, b in pairs if a.success and b.success and a.sketch and b.sketch]
    if len(both) < LEAST_OUTPUTS:
        message = f"{len(both)} outputs that both arms got right < {LEAST_OUTPUTS}: diversity is not compared"
        return Verdict("DiversityKept", "True", "NotCompared", message)
    before, after = (diversity([tuple(pair[arm].sketch) for pair in both]) for arm in (0, 1))
    if before.entropy < LEAST_BITS:
        message = f"entropy of outputs {before.entropy:.2f} bits under the baseline < {LEAST_BITS:.0f}: nothing to lose"
        return Verdict("DiversityKept", "True", "NotCompared", message)
    message = (
        f"outputs of {len(both)} cases that both arms got right: entropy {before.entropy:.2f} → {after.entropy:.2f} "
        f"bits ({KEPT:.0%} must be left), distinct word pairs {before.distinct:.2f} → {after.distinct:.2f} "
        f"({KEPT:.0%} must be left), with a near-duplicate {before.alike:.0%} → {after.alike:.0%} "
        f"(+{MORE_ALIKE:.0%} allowed)"
    )
    lost = after.entropy < KEPT * before.entropy or after.distinct < KEPT * before.distinct
    if lost or after.alike > before.alike + MORE_ALIKE:
        return Verdict("DiversityKept", "False", "Collapsed", message)
    return Verdict("DiversityKept", "True", "Kept", message)
