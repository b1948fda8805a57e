"""What a reader would take for a finding who matches nothing: steps with which traces fail more often than without.

None of these is a decision, so none can become a pattern. But whoever looks at a dashboard sees them; so it is said of
each whether it holds within tasks, and if not, that it is a mix of tasks and what would tell. Those that do hold are
left out: a pattern tells of them, or they are its symptoms.
"""

from collections.abc import Sequence

import numpy as np

from ninefold.analysis.decisions.coding import START, Symbol
from ninefold.analysis.decisions.confirm import Declined, sides
from ninefold.analysis.decisions.matching import difference, repeats
from ninefold.analysis.decisions.screen import ANSWER, Contrast
from ninefold.analysis.decisions.sequences import NOWHERE, Sequences
from ninefold.analysis.decisions.tables import Precedence
from ninefold.analysis.stats.multiplicity import benjamini_hochberg
from ninefold.analysis.stats.proportions import two_proportions

MOST = 10
"""Steps that are looked at within tasks, the clearest first."""


def mixes(p: Sequences, precedence: Precedence, actions: Sequence[str], symbols: Sequence[Symbol], *, min_support: int,
          rate: float) -> list[Declined]:  # fmt: skip
    """Of actions that `min_support` traces took and as many did not, those that only go along with failing tasks.

    `actions[i]` is the action of bit i. They come clearest first.
    """
    n = np.bincount(precedence.action, precedence.n, len(actions))
    x = np.bincount(precedence.action, precedence.x, len(actions))
    traces, solved = len(p.solved), int(np.count_nonzero(p.solved))
    named = np.array([a not in (ANSWER, symbols[START].action) for a in actions], bool)
    tried = np.flatnonzero(named & (n >= min_support) & (traces - n >= min_support))
    p_values = [two_proportions((int(x[i]), int(n[i])), (solved - int(x[i]), traces - int(n[i]))) for i in tried]
    kept = benjamini_hochberg(p_values, rate)
    worse = x[tried] * (traces - n[tried]) < (solved - x[tried]) * n[tried]
    clear = sorted((q, int(i)) for q, i, keep, bad in zip(p_values, tried, kept, worse, strict=True) if keep and bad)
    out = []
    rows = np.arange(traces)
    for _, i in clear[:MOST]:
        codes = tuple(c for c, s in enumerate(symbols) if s.action == actions[i])
        without = p.first(codes) == NOWHERE
        found = difference(p, rows, without)
        if found is None or found.low <= 0:
            (better, better_tasks), (taken, tasks) = sides(p, rows, without)
            contrast = Contrast("took", (), codes, (), None, 0.0)
            told = (better, taken), found, (better_tasks, tasks), repeats(p, rows, without)
            out.append(Declined(contrast, "TaskMix", *told))
    return out
