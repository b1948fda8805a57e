"""What a sealed replay says of the predictions behind a candidate: one record a pattern, for the ledger.

The gate measures the candidate as a whole. Its gain is shared among the patterns that its edits answer: by what their
lines were worth when left out, where that was measured for all of them, else by what was counted.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from ninefold.api.edits import Edit
from ninefold.api.inputs import GainRecord
from ninefold.api.run import Figures, PatternSummary


def gains(run_uid: str, edits: Sequence[Edit], patterns: Sequence[PatternSummary],
          figures: Figures) -> list[GainRecord]:  # fmt: skip
    """Records of the patterns that the edits answer; none when the gate measured no gain."""
    if figures.gain is None:
        return []
    known = {p.id: p for p in patterns}
    own = [e for e in edits if e.receipt is not None and e.receipt.pattern in known]
    counted = _counted(own, known)
    shares = _worth(own) or counted
    whole = sum(shares.values())
    if whole <= 0:
        return []
    return [
        GainRecord(
            run_uid=run_uid,
            pattern=pattern,
            kind=known[pattern].kind,
            counted=round(counted[pattern], 6),
            replayed=round(figures.gain * shares.get(pattern, 0.0) / whole, 6),
            pairs=figures.pairs or 0,
        )
        for pattern in sorted(counted)
    ]


def _counted(edits: Sequence[Edit], known: Mapping[str, PatternSummary]) -> dict[str, float]:
    """What was counted for each pattern, as far as the edits answer it: a conditional edit answers a part."""
    predicted: defaultdict[str, float] = defaultdict(float)
    for edit in edits:
        assert edit.receipt is not None and edit.receipt.pattern is not None
        predicted[edit.receipt.pattern] += edit.receipt.predicted_gain or 0.0
    out = {}
    for pattern, gain in predicted.items():
        summary = known[pattern]
        if summary.predicted_gain and summary.counted_gain is not None:
            out[pattern] = summary.counted_gain * min(1.0, gain / summary.predicted_gain)
    return out


def _worth(edits: Sequence[Edit]) -> dict[str, float] | None:
    """Effect times cases of each pattern's lines; None unless every line was left out once."""
    lines: dict[tuple[str, str], tuple[str, float]] = {}
    for edit in edits:
        assert edit.receipt is not None and edit.receipt.pattern is not None
        effect = edit.receipt.effect
        if effect is None:
            return None
        lines[edit.component, edit.text] = edit.receipt.pattern, max(0.0, effect.estimate) * effect.cases
    out: defaultdict[str, float] = defaultdict(float)
    for pattern, worth in lines.values():
        out[pattern] += worth
    return dict(out) if sum(out.values()) > 0 else None
