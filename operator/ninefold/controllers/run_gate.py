"""The seal and the gate: one candidate, booked before the sealed cases are opened, judged once, and written down.

The booking comes before the Job, for a seal that was broken without being counted would spend alpha that nobody knows
of. The version's ConfigMap comes before `ReplayPassed`, for from then on nothing may depend on Redis any more.
"""

from datetime import datetime

from ninefold.api.candidates import ProposalSet
from ninefold.api.inputs import GainRecord
from ninefold.api.outcomes import ReplayReport
from ninefold.api.run import Figures
from ninefold.api.spending import Spending, Spent
from ninefold.controllers.actions import Action, Create, Replace
from ninefold.controllers.conditions import Verdict, reconciling, true
from ninefold.controllers.delivery import owner_for, with_content
from ninefold.controllers.gains import gains
from ninefold.controllers.outcome import Outcome, rounded
from ninefold.controllers.run_end import End, end, fail
from ninefold.controllers.run_results import covered
from ninefold.controllers.run_snapshot import RunSnapshot
from ninefold.controllers.run_spending import booked_env
from ninefold.controllers.run_stages import is_absent, start, taken
from ninefold.controllers.run_version import NoParentError, candidate_version, known_versions, winner_of
from ninefold.controllers.runfacts import REPLAYED, WITHIN_BUDGET
from ninefold.gate import GateInput, GateResult, alpha_of, evaluate, foreseen
from ninefold.versions import (
    Ledger,
    SealedAlreadyOpened,
    Version,
    VersionError,
    configmap_name,
    ledger_configmap,
    to_configmap,
)


def begin(s: RunSnapshot, now: datetime) -> Outcome | None:
    """Create the Job of the stage under way; for the sealed cases, book their use first."""
    if s.stage is None or not is_absent(s.stage):
        return None
    if s.stage.stage != "replay-sealed":
        return start(s, s.stage, (), **booked_env(s, now))
    candidate = s.run.status.candidate
    assert candidate is not None, "the race froze it with its own result"
    if s.ledger is None:
        return Outcome(reconciling("LedgerMissing", "waits for the Agent's ledger"), again_at=None)
    try:
        ledger = known_versions(s).ledger.paid(s.run.uid, "replay-selection", s.run.status.figures.replay_calls or 0)
        _, cycle = ledger.open_sealed(s.run.uid, candidate.hash)
        ledger, _ = ledger.open_sealed(s.run.uid, candidate.hash, alpha_of(_alpha(s), cycle), _window_end(s))
    except SealedAlreadyOpened as error:
        return fail(s, now, error.reason, str(error))
    env = {
        "NINEFOLD_CANDIDATE": candidate.id,
        "NINEFOLD_CANDIDATE_HASH": candidate.hash,
        "NINEFOLD_CYCLE": str(cycle),
        "NINEFOLD_SEALED_SINCE": ledger.last_opened(candidate.hash, but=s.run.uid) or "",
        **booked_env(s, now),
    }
    return start(s, s.stage, _book(s, ledger), **{name: value for name, value in env.items() if value})


def _window_end(s: RunSnapshot) -> str:
    assert s.inputs is not None and s.inputs.value is not None
    return s.inputs.value.window_end


def _alpha(s: RunSnapshot) -> float:
    assert s.inputs is not None and s.inputs.value is not None
    return s.inputs.value.policy.gate.alpha


def _book(s: RunSnapshot, ledger: Ledger) -> tuple[Action, ...]:
    """The ledger's new content, if it is one, on the condition that nobody has written it since it was read."""
    assert s.agent is not None and s.ledger is not None
    wanted = ledger_configmap(s.agent.name, s.agent.namespace, ledger, owner=owner_for(s.agent))
    updated = with_content(s.ledger, wanted)
    return (Replace(updated),) if updated != s.ledger else ()


def proved(s: RunSnapshot, now: datetime) -> Outcome | None:
    """The sealed replay is there: judge it, write the version if it passed, and tell."""
    if s.stage is None or s.stage.stage != "replay-sealed" or not isinstance(report := s.stage.result, ReplayReport):
        return None
    assert s.inputs is not None and s.inputs.value is not None and s.run.status.candidate is not None
    inputs, frozen = s.inputs.value, s.run.status.candidate
    if s.ledger is None:
        return Outcome(reconciling("LedgerMissing", "waits for the Agent's ledger"))
    ledger = known_versions(s).ledger
    ledger, cycle = ledger.open_sealed(s.run.uid, frozen.hash)
    ledger = ledger.paid(s.run.uid, "replay-sealed", report.calls_paid)
    result = evaluate(GateInput(report, frozen.id, inputs.policy.gate, cycle, inputs.agent.model.context_window))
    figures = _figures(s, result, report)
    ledger = ledger.measured(_measured(s, report, figures))
    if result.passed:
        return _passed(s, now, report, result=result, figures=figures, ledger=ledger)
    reason: End = "NotImproved" if result.passed is False else "Inconclusive"
    status = {"stages": taken(s, s.stage), "figures": figures}
    whole = result.verdicts[-1].message
    if result.verdicts[-1].reason == "NotImproved":
        # What was not found says little without what could have been.
        whole = f"{whole}; {foreseen(len(report.rows), report, frozen.id, inputs.policy.gate, cycle)}"
    return end(s, now, reason, whole, verdicts=_told(result, report), status=status, first=_book(s, ledger))


def _measured(s: RunSnapshot, report: ReplayReport, figures: Figures) -> list[GainRecord]:
    """What this replay makes of the predictions behind the candidate."""
    assert s.run.status.candidate is not None
    found = winner_of(report, s.proposals, s.run.status.candidate.id) if isinstance(s.proposals, ProposalSet) else None
    return gains(s.run.uid, found.edits, s.run.status.patterns, figures) if found is not None else []


def _figures(s: RunSnapshot, result: GateResult, report: ReplayReport) -> Figures:
    """The gate's numbers beside the analysis'; the calls of both buckets.

    Sealed cases may be easier or harder than the traffic, for both arms alike. Their gain is what they prove, so what
    to expect is the success of all traces plus that gain (the difference estimator: Cochran 1977, ch. 7).
    """
    before = s.run.status.figures
    calls = (before.replay_calls or 0) + report.calls_paid
    known, gain = before.success, result.figures.gain
    expected = None if known is None or gain is None else min(1.0, max(0.0, known + gain))
    update = {
        "expected": expected,
        "traces": before.traces,
        "success": before.success,
        "replay_calls": calls,
    }
    return rounded(result.figures.model_copy(update=update))


def _told(result: GateResult, report: ReplayReport) -> tuple[Verdict, ...]:
    spent = f"; the sealed replay took {whole}" if (whole := _whole(report.spending)).calls else ""
    gate = tuple(
        Verdict(v.type, v.status, v.reason, v.message + (spent if v.type == WITHIN_BUDGET else ""))
        for v in result.verdicts
    )
    return (
        true(REPLAYED, REPLAYED, f"{len(report.rows)} sealed cases, {report.calls_paid} calls{covered(report)}"),
        *gate,
    )


def _whole(spending: Spending) -> Spent:
    return sum(spending.lines.values(), Spent())


def _passed(
    s: RunSnapshot, now: datetime, report: ReplayReport, *, result: GateResult, figures: Figures, ledger: Ledger
) -> Outcome:
    assert s.stage is not None and s.agent is not None and s.run.status.candidate is not None
    assert isinstance(s.proposals, ProposalSet) and s.inputs is not None and s.inputs.value is not None
    frozen = s.run.status.candidate
    candidate = winner_of(report, s.proposals, frozen.id)
    try:
        version = candidate_version(s, candidate, figures) if candidate is not None else None
        if version is None or version.hash != frozen.hash:
            message = f"the proposals hold no candidate {frozen.id} with the frozen hash {frozen.hash}: refused"
            return fail(s, now, "CandidateChanged", message)
        manifest = to_configmap(s.agent.name, s.agent.namespace, version, owner=owner_for(s.agent))
    except NoParentError as error:
        return fail(s, now, "VersionGone", str(error))
    except VersionError as error:
        return fail(s, now, error.reason, str(error))
    names = {existing["metadata"]["name"] for existing in s.versions}
    create = () if manifest["metadata"]["name"] in names else (Create(manifest),)
    status = {
        "stages": taken(s, s.stage),
        "figures": figures,
        "candidate": frozen.model_copy(update={"version": version.name}),
    }
    first = (*create, *_book(s, ledger.numbered(version.number)))
    told = _told(result, report)
    if s.inputs.value.policy.mode == "Suggest":
        return end(s, now, "Suggested", _suggestion(s, version, result), verdicts=told, status=status, first=first)
    phase = reconciling("Approving", f"{version.name} is proved: {result.verdicts[-1].message}")
    return Outcome((*told, *phase), {**status, "phase": "Approving"}, first=first)


def _suggestion(s: RunSnapshot, version: Version, result: GateResult) -> str:
    assert s.agent is not None
    name = configmap_name(s.agent.name, version.name)
    return (
        f"{version.name} is proved ({result.verdicts[-1].message}) and stands in the ConfigMap {name}: take its edits "
        f"into Git with `kubectl get configmap {name} -o yaml | ninefold export -`, serve it with spec.version "
        f"{version.name} of the Agent, or set spec.mode of the policy to Promote"
    )
