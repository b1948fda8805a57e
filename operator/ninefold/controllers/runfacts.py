"""What other controllers read from a run: whether it has ended, how, and whose it is."""

from ninefold.controllers.conditions import find, is_true
from ninefold.controllers.objects import Run

SUCCEEDED = "Succeeded"
TRACES_ANALYZED = "TracesAnalyzed"
CANDIDATES_PROPOSED = "CandidatesProposed"
REPLAYED = "Replayed"
REPLAY_PASSED = "ReplayPassed"
WITHIN_BUDGET = "WithinBudget"
APPROVED = "Approved"
ROLLED_OUT = "RolledOut"


def is_ended(run: Run) -> bool:
    """Nothing more will happen in it."""
    found = find(run.status.conditions, SUCCEEDED)
    return found is not None and found.status in ("True", "False")


def end_reason(run: Run) -> str | None:
    """How it ended: Promoted, Suggested, NotImproved, Inconclusive, Superseded, Cancelled or Failed."""
    found = find(run.status.conditions, SUCCEEDED)
    return found.reason if found is not None and is_ended(run) else None


def wants_promotion(run: Run) -> bool:
    """Proved and approved, and its version is not delivered yet. Only runs in mode Promote are ever approved."""
    conditions = run.status.conditions
    return is_true(conditions, REPLAY_PASSED) and is_true(conditions, APPROVED) and not is_ended(run)
