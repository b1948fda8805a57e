"""Predictions learn from replays: what was counted before is compared with what replay then measured.

A pattern's gain is counted from history, which is an association. Each sealed replay of an edit says how much of it
was real, and later predictions are multiplied by what has come true so far: of this very pattern where it was replayed
before, leaning on its kind, leaning on all kinds, leaning on 1 (a ratio estimator with shrinkage to the level above).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from ninefold.api.findings import Interval, Pattern
from ninefold.api.inputs import GainRecord

PRIOR = 0.10
"""Counted gain (0..1) of which the level above is believed as much as of the records themselves: ten points."""
MOST = 1.5
"""Replays may raise a prediction, but by no more than this: what was counted is an upper bound of most causes."""


def shrunk(patterns: Sequence[Pattern], records: Sequence[GainRecord]) -> list[Pattern]:
    """The patterns, in their order, with predictions times what has come true. Without records nothing changes."""
    return [_shrunk(p, records) for p in patterns] if records else list(patterns)


def _shrunk(p: Pattern, records: Sequence[GainRecord]) -> Pattern:
    own = [r for r in records if r.pattern == p.id]
    said = {
        "counted_gain": p.predicted_gain,
        "replayed_gain": sum(r.replayed for r in own) / len(own) if own else None,
    }
    return times(p, factor(p.kind, p.id, records)).model_copy(update=said)


def times(p: Pattern, share: float) -> Pattern:
    """The pattern with so much of its predicted gain."""
    own = p.predicted
    scaled = own and Interval(estimate=own.estimate * share, low=own.low * share, high=own.high * share)
    return p.model_copy(update={"predicted_gain": p.predicted_gain * share, "predicted": scaled})


def factor(kind: str, pattern: str, records: Iterable[GainRecord]) -> float:
    """Replayed over counted gain, 0 to `MOST`; 1 where nothing is known."""
    levels: defaultdict[tuple[str, ...], list[GainRecord]] = defaultdict(list)
    for r in records:
        for level in ((), (r.kind,), (r.kind, r.pattern)):
            levels[level].append(r)
    ratio = 1.0
    for level in ((), (kind,), (kind, pattern)):
        counted = sum(r.counted for r in levels[level])
        replayed = sum(r.replayed for r in levels[level])
        ratio = (PRIOR * ratio + replayed) / (PRIOR + counted)
    return min(MOST, max(0.0, ratio))
