"""OptimizationRun: one turn of the loop, read as a table.

Each step looks at the snapshot and says nothing or decides. The status is the run's memory: which stages have a
verified result, which candidate was frozen, what was proved. A step's writes stand before the status that tells of
them, so a process that dies in between plans the same step again and finds its writes done.
"""

from collections.abc import Callable
from datetime import datetime

from ninefold.controllers.actions import Plan
from ninefold.controllers.outcome import Outcome, finish
from ninefold.controllers.run_end import approve, cancelled, candidate_barred, over, roll_out, rolled_out, superseded
from ninefold.controllers.run_gate import begin, proved
from ninefold.controllers.run_results import analyzed, proposed, selected, was_read
from ninefold.controllers.run_snapshot import RunSnapshot, gather
from ninefold.controllers.run_spending import book_spending
from ninefold.controllers.run_stages import broken, not_ours, refused, under_way
from ninefold.controllers.run_start import (
    agent_missing,
    agent_not_ready,
    backend_missing,
    backend_not_ready,
    host_path_refused,
    inputs_changed,
    not_acting,
    policy_missing,
    queued,
    resolve,
)

__all__ = ["CHAIN", "MANAGER", "RunSnapshot", "gather", "plan"]

MANAGER = "ninefold-run"

Step = Callable[[RunSnapshot, datetime], Outcome | None]

CHAIN: tuple[Step, ...] = (
    over,  # nothing is written to a run that has ended
    rolled_out,  # delivered: a cancel comes too late
    cancelled,
    policy_missing,  # until the start all of these heal by themselves
    agent_missing,  # after the start, the run has lost what it is about
    not_acting,  # an older policy acts on the Agent
    backend_missing,
    queued,  # one run at a time on an Agent
    agent_not_ready,  # it serves nothing that could be extended
    backend_not_ready,
    resolve,  # the inputs, once
    inputs_changed,  # somebody has changed them
    superseded,  # what is served is no longer what the run extends
    candidate_barred,  # the proved version is gone, quarantined or cannot be delivered
    approve,  # proved: who consents?
    roll_out,  # approved: the Agent's controller promotes
    host_path_refused,
    not_ours,  # somebody else's Job bears the stage's name
    begin,  # the stage's Job
    under_way,
    book_spending,  # ended, one way or the other: what it cost is written down first
    broken,  # the Job failed
    refused,  # its result cannot be taken
    was_read,  # by all shards
    analyzed,
    proposed,
    selected,
    proved,
)


def plan(snapshot: RunSnapshot | None, now: datetime) -> Plan:
    """The first step that has something to say decides."""
    if snapshot is None:
        return Plan()
    outcome = next((found for step in CHAIN if (found := step(snapshot, now)) is not None), Outcome())
    return finish(snapshot.run, outcome, now, MANAGER)
