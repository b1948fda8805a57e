"""May a sealed replay stop before its last case? Asked between batches of whole clusters, in the gate's own order.

The betting sequence may be looked at after every cluster, so a proof that stands now is a proof. The exact McNemar test
may not: it looks once. Three things more are waited for. All other checks must pass. Every intent that would come to
the pairs from which on it can block must have them, for a harm that is not looked for is not found. And `EARLIEST` of
the clusters must have been run: the bound is valid at any look, but the *estimate* of a replay that stops at a lucky
moment flatters (measured in hack/bench/optimizers: +15 points when 40 of 280 cases were enough).
"""

from collections import Counter

from ninefold.gate.chain import evaluate
from ninefold.gate.evidence import INTENT_PAIRS, GateInput

EARLIEST = 0.6
"""Share of the planned clusters before which no replay stops."""


def proved_already(given: GateInput, cases_by_intent: Counter[str | None]) -> bool:
    """True when the rows so far pass the whole gate. `cases_by_intent` counts all the cases that could be run."""
    if given.gate.test != "BettingConfidenceSequence":
        return False
    run, planned = len({row.cluster for row in given.report.rows}), given.report.planned_clusters
    if planned is None or run < EARLIEST * planned:
        return False
    seen = Counter(row.intent for row in given.report.rows)
    due = [name for name, n in cases_by_intent.items() if name is not None and n >= INTENT_PAIRS]
    return all(seen[name] >= INTENT_PAIRS for name in due) and evaluate(given).passed is True
