"""Money: what an ended stage has spent goes into the ledger before anything is made of its result.

Redis counts while a stage is at work, and may forget. So every Job is told what the ledger knows (`booked_env`), and
every ended one is booked, the failed and the fruitless as well. Both survive a restart of the operator: booking the
same again changes nothing.
"""

from datetime import datetime, timedelta

from ninefold.api.artifacts import canonical
from ninefold.api.candidates import ProposalSet
from ninefold.api.findings import AnalysisReport
from ninefold.api.outcomes import ReplayReport
from ninefold.api.run import SpentOn
from ninefold.api.spending import MICROS, Spending
from ninefold.controllers.actions import Replace
from ninefold.controllers.delivery import owner_for, with_content
from ninefold.controllers.jobstate import Broken
from ninefold.controllers.outcome import Outcome
from ninefold.controllers.run_snapshot import RunSnapshot
from ninefold.versions import Ledger, TamperedVersion, ledger_configmap, read_ledger

BOOKED = "NINEFOLD_BOOKED"
"""Environment variable of a Job: what the ledger knows to be spent, as JSON (`api.spending.Booked`)."""


def booked_env(s: RunSnapshot, now: datetime) -> dict[str, str]:
    """What a Job of this run must be told; nothing where nothing was spent. Yesterday counts: clocks differ."""
    ledger = _ledger(s)
    days = [(now + timedelta(days=n)).strftime("%Y-%m-%d") for n in (-1, 0, 1)]
    known = ledger.booked(s.run.uid, days).wire() if ledger is not None else {}
    return {BOOKED: canonical(known).decode()} if any(known.values()) else {}


def book_spending(s: RunSnapshot, now: datetime) -> Outcome | None:
    """The ended stage's spending, into the ledger and into the status; then the result is looked at."""
    spending, ledger = _spending(s), _ledger(s)
    if s.stage is None or spending is None or ledger is None or s.agent is None or s.ledger is None:
        return None
    after = ledger.spent(s.run.uid, s.stage.stage, spending)
    if after == ledger:
        return None
    wanted = ledger_configmap(s.agent.name, s.agent.namespace, after, owner=owner_for(s.agent))
    status = {"spent": spent_on(after.spent_by(s.run.uid))}
    return Outcome(status=status, first=(Replace(with_content(s.ledger, wanted)),), again_at=now)


def spent_on(spending: Spending) -> list[SpentOn]:
    """As the status shows it."""
    return [
        SpentOn(purpose=purpose, calls=one.calls, tokens=one.tokens, cost_usd=round(one.micro_usd / MICROS, 4))
        for purpose, one in sorted(spending.by_purpose().items())
    ]


def _spending(s: RunSnapshot) -> Spending | None:
    if s.stage is None:
        return None
    if isinstance(s.stage.state, Broken):
        return s.stage.state.error.spending
    result = s.stage.result
    return result.spending if isinstance(result, (AnalysisReport, ProposalSet, ReplayReport)) else None


def _ledger(s: RunSnapshot) -> Ledger | None:
    try:
        return read_ledger(s.ledger) if s.ledger is not None else None
    except TamperedVersion:
        return None  # the Agent's own condition says so
