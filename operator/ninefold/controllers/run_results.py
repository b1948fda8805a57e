"""What the results of the first three stages mean: patterns, candidates, and the one candidate that is frozen."""

from datetime import datetime

from ninefold.api.agent import TraceLoss
from ninefold.api.artifacts import ReadReport
from ninefold.api.candidates import ProposalSet
from ninefold.api.findings import AnalysisReport, Pattern
from ninefold.api.outcomes import BASELINE, ReplayReport
from ninefold.api.run import CandidateStatus, PatternSummary
from ninefold.controllers.conditions import clip, counted, false, reconciling, true
from ninefold.controllers.outcome import Outcome, rounded
from ninefold.controllers.run_end import end, fail
from ninefold.controllers.run_snapshot import RunSnapshot, stage_status
from ninefold.controllers.run_stages import PHASE, taken
from ninefold.controllers.run_version import NoParentError, candidate_version, known_versions, refusal, winner_of
from ninefold.controllers.runfacts import CANDIDATES_PROPOSED, REPLAY_PASSED, REPLAYED, TRACES_ANALYZED, WITHIN_BUDGET
from ninefold.controllers.standing import standing
from ninefold.gate import Foreseen, foreseen
from ninefold.gate.checks import MISSING_AT_MOST
from ninefold.versions import SealedAlreadyOpened

SHOWN_PATTERNS = 10
SHOWN_LOSSES = 32
LATE = "late_traces"
"""Traces that a reading found after the one at which their time was over: they count, and were not left out."""


# ---------------------------------------------------------------- read, analyze


def was_read(s: RunSnapshot, now: datetime) -> Outcome | None:
    """All shards have read their share; what they have read lies in the store, where the analysis looks for it."""
    if s.stage is None or not isinstance(s.stage.result, ReadReport):
        return None
    return Outcome(reconciling(PHASE["analyze"], "the traces are read"), {"stages": taken(s, s.stage)})


def analyzed(s: RunSnapshot, now: datetime) -> Outcome | None:
    """Patterns and success go into the status; without patterns, or without cases to prove anything on, it ends."""
    if s.stage is None or not isinstance(report := s.stage.result, AnalysisReport):
        return None
    found = true(TRACES_ANALYZED, "Analyzed", _analysis_sentence(report))
    success = rounded(report.success)
    status = {
        "stages": taken(s, s.stage),
        "patterns": [_summary(pattern) for pattern in report.patterns[:SHOWN_PATTERNS]],
        "success": success,
        "standing": standing(report),
        "losses": losses_of(report),
        "figures": s.run.status.figures.model_copy(update={"traces": report.traces, "success": success.rate}),
    }
    if not report.patterns:
        none = f"no pattern in {report.analysed} analysed traces costs enough to be told from chance"
        unproposed = false(CANDIDATES_PROPOSED, "NoPatterns", none)
        return end(s, now, "NotImproved", none, verdicts=(found, unproposed), status=status)
    if (lack := _too_few_cases(s, report)) is not None:
        return end(s, now, "Inconclusive", lack, verdicts=(found,), status=status)
    return Outcome((found, *reconciling(PHASE["propose"], f"{counted(len(report.patterns), 'pattern')} found")), status)


def _analysis_sentence(report: AnalysisReport) -> str:
    success = report.success
    left_out = _counts(report, redacted=False)
    redacted = _counts(report, redacted=True)
    late = report.losses.get(LATE, 0)
    found = report.calibration
    return (
        f"{report.traces} traces ({report.analysed} analysed, {report.steps} steps), success {success.rate:.3f} "
        f"({success.low:.3f}-{success.high:.3f}), {counted(len(report.patterns), 'pattern')}"
        + (f", {counted(len(report.unidentified), 'contrast')} without enough support" if report.unidentified else "")
        + (f"; poorly calibrated, so patterns are weak: {found.message}" if found and found.weak else "")
        + (f"; {report.judged}" if report.judged else "")
        + (f"; left out: {left_out}" if left_out else "")
        + (f"; redacted: {redacted}" if redacted else "")
        + (f"; {counted(late, 'trace')} came late" if late else "")
    )


def losses_of(report: AnalysisReport) -> list[TraceLoss]:
    """The most frequent losses, as many as a status carries."""
    most = sorted(((name, count) for name, count in report.losses.items() if count), key=lambda kv: (-kv[1], kv[0]))
    return [TraceLoss(name=name[:64], count=count) for name, count in most[:SHOWN_LOSSES]]


def _counts(report: AnalysisReport, *, redacted: bool) -> str:
    """What was left out, as a list; or where something was masked, for that was read all the same."""
    mask = "redacted_"
    known = {why: n for why, n in report.losses.items() if n and why != LATE}
    kept = {why: n for why, n in sorted(known.items()) if why.startswith(mask) == redacted}
    return ", ".join(f"{n} {why.removeprefix(mask)}" for why, n in kept.items())


def _summary(pattern: Pattern) -> PatternSummary:
    return PatternSummary(
        id=pattern.id,
        kind=pattern.kind,
        nines_lost=round(max(0.0, pattern.nines_lost.estimate), 4),
        failures=pattern.failures,
        summary=clip(pattern.summary, 1024),
        predicted_gain=round(pattern.predicted_gain, 4),
        counted_gain=round(pattern.predicted_gain if pattern.counted_gain is None else pattern.counted_gain, 4),
    )


def _too_few_cases(s: RunSnapshot, report: AnalysisReport) -> str | None:
    """Calls are not paid for what cannot prove anything. Without spec.replay nothing is replayed anyway."""
    assert s.inputs is not None and s.inputs.value is not None
    if s.inputs.value.agent.replay is None:
        return None
    cases = {bucket: sum(ref.cases for ref in report.cases if ref.bucket == bucket) for bucket in _HELD_OUT}
    least = s.inputs.value.policy.gate.min_pairs
    if cases["selection"] > 0 and cases["sealed"] >= least:
        return None
    return (
        f"{cases['selection']} selection cases (1 required) and {cases['sealed']} sealed cases "
        f"({least} required by gate.minPairs) in {report.traces} traces: more traces are needed"
    )


_HELD_OUT = ("selection", "sealed")


# ---------------------------------------------------------------- propose


def proposed(s: RunSnapshot, now: datetime) -> Outcome | None:
    """Candidates, or the end."""
    if s.stage is None or not isinstance(found := s.stage.result, ProposalSet):
        return None
    assert s.inputs is not None and s.inputs.value is not None
    status = {"stages": taken(s, s.stage)}
    turned_down = f"; {counted(len(found.refused), 'edit')} refused" if found.refused else ""
    if not found.candidates:
        message = f"no edit answers the patterns{turned_down}"
        none = false(CANDIDATES_PROPOSED, "NoProposals", message)
        return end(s, now, "NotImproved", message, verdicts=(none,), status=status)
    candidates = counted(len(found.candidates), "candidate")
    listed = "; ".join(f"{candidate.id}: {candidate.summary}" for candidate in found.candidates)
    there = true(CANDIDATES_PROPOSED, "Proposed", f"{candidates}{turned_down}: {listed}")
    if s.inputs.value.agent.replay is None:
        message = f"{candidates}, but the Agent has no spec.replay: nothing can be proved"
        return end(s, now, "NotImproved", message, verdicts=(there,), status=status)
    if (changed := _frozen_is_gone(s, found)) is not None:
        return fail(s, now, "ArtifactLost", changed, verdicts=(there,))
    return Outcome((there, *reconciling(PHASE["replay-selection"], f"{candidates} to be raced")), status)


def _frozen_is_gone(s: RunSnapshot, found: ProposalSet) -> str | None:
    """Proposals that were computed once more must hold the candidate for which the seal was broken."""
    frozen = s.run.status.candidate
    race = stage_status(s.run, "replay-selection")
    # One that the race has composed is not among them, as long as the race itself is there.
    if frozen is None or (race is not None and race.result is not None and frozen.id not in _ids(found)):
        return None
    for candidate in found.candidates:
        if candidate.id == frozen.id and candidate_version(s, candidate).hash == frozen.hash:
            return None
    return _other(frozen)


def _other(frozen: CandidateStatus) -> str:
    return f"the frozen candidate {frozen.id} ({frozen.hash}) was lost, and came out otherwise: start another run"


def _ids(found: ProposalSet) -> set[str]:
    return {candidate.id for candidate in found.candidates}


# ---------------------------------------------------------------- replay-selection


def selected(s: RunSnapshot, now: datetime) -> Outcome | None:
    """Freeze the winner before the sealed cases are opened; or the end."""
    if s.stage is None or s.stage.stage != "replay-selection" or not isinstance(report := s.stage.result, ReplayReport):
        return None
    figures = s.run.status.figures.model_copy(update={"replay_calls": report.calls_paid})
    status = {"stages": taken(s, s.stage), "figures": figures}
    if (missing := _too_much_missing(report)) is not None:
        told = false(REPLAYED, "Inconclusive", missing)
        return end(s, now, "Inconclusive", missing, verdicts=(told,), status=status)
    sentence = f"{len(report.rows)} selection cases, {report.calls_paid} calls{covered(report)}: "
    sentence += report.why or "no word on the race"
    if report.winner is None and report.stopped is not None:
        told = false(REPLAYED, "Stopped", f"{sentence}; {report.stopped}")
        spent = false(WITHIN_BUDGET, "BudgetSpent", report.stopped)
        return end(s, now, "Inconclusive", f"{sentence}; {report.stopped}", verdicts=(told, spent), status=status)
    if report.winner is None:
        return end(s, now, "NotImproved", sentence, verdicts=(true(REPLAYED, "NoWinner", sentence),), status=status)
    return _freeze(s, now, report, sentence, status)


def covered(report: ReplayReport) -> str:
    """How far recorded tool results went, where Ninefold ran the agent's loop; else nothing."""
    if not report.coverage:
        return ""
    calls = sum(one.tool_calls for one in report.coverage.values())
    answers = sum(one.tool_answers for one in report.coverage.values())
    borrowed = sum(one.tool_borrowed for one in report.coverage.values())
    worst = max(report.coverage.items(), key=lambda pair: (pair[1].unknown / max(1, pair[1].cases), pair[0]))
    told = f", {answers} of {calls} tool calls answered" + (f" ({borrowed} from other cases)" if borrowed else "")
    return f"{told}, {worst[1].unknown} of {worst[1].cases} cases unknown under {worst[0]} at most"


def _too_much_missing(report: ReplayReport) -> str | None:
    outcomes = [row.outcomes.get(BASELINE) for row in report.rows]
    unknown = [outcome for outcome in outcomes if outcome is None or outcome.success is None]
    if not report.rows or len(unknown) <= MISSING_AT_MOST * len(report.rows):
        return None
    errors = sorted({outcome.error for outcome in unknown if outcome is not None and outcome.error})
    return (
        f"{len(unknown)} of {len(report.rows)} selection cases ({len(unknown) / len(report.rows):.0%} > "
        f"{MISSING_AT_MOST:.0%} allowed) have no outcome under the baseline"
        + (f" ({clip(errors[0], 200)!r})" if errors else "")
    )


def _freeze(s: RunSnapshot, now: datetime, report: ReplayReport, sentence: str, status: dict[str, object]) -> Outcome:
    assert isinstance(s.proposals, ProposalSet), "gathered with the result of the race; a refusal is a step before this"
    winner, candidate = report.winner or "", winner_of(report, s.proposals)
    told = false(REPLAYED, "SelectionReplayed", sentence)
    if candidate is None:
        message = f"the race was won by {clip(winner, 100)!r}, which nobody proposed: refused"
        return fail(s, now, "ArtifactForged", message, verdicts=(told,))
    try:
        version = candidate_version(s, candidate)
    except NoParentError as error:
        return fail(s, now, "VersionGone", str(error), verdicts=(told,))
    if (problem := refusal(s, version)) is not None:
        reason, message = problem
        verdicts = (told, false(REPLAY_PASSED, reason, message))
        return end(s, now, "NotImproved", message, verdicts=verdicts, status=status)
    before = s.run.status.candidate
    if before is not None and before.hash != version.hash:
        return fail(s, now, "ArtifactLost", _other(before), verdicts=(told,))
    frozen = CandidateStatus(id=candidate.id, hash=version.hash, summary=clip(candidate.summary, 1024))
    message = f"{candidate.id} ({version.hash}) is frozen for the sealed cases"
    if (power := _foreseen(s, report, winner, version.hash)) is not None:
        wanted = s.inputs.value.policy.gate.detectable_gain if s.inputs is not None and s.inputs.value else None
        if power.gain is None or (wanted is not None and power.gain > wanted):
            required = (
                f"+{wanted * 100:.1f} pp required by gate.detectableGain" if wanted else "so nothing can be proved"
            )
            lack = f"{power}, {required}: more traces are needed"
            return end(s, now, "Inconclusive", lack, verdicts=(false(REPLAYED, "PowerTooLow", lack),), status=status)
        told = false(REPLAYED, "SelectionReplayed", f"{sentence}; {power}")
        message = f"{message}; {power}"
    return Outcome((told, *reconciling(PHASE["replay-sealed"], message)), {**status, "candidate": frozen})


def _foreseen(s: RunSnapshot, report: ReplayReport, winner: str, version: str) -> Foreseen | None:
    """What the sealed cases will be able to find; None where their number or the cycle is not known."""
    if report.sealed_cases is None or s.ledger is None or s.inputs is None or s.inputs.value is None:
        return None
    try:
        _, cycle = known_versions(s).ledger.open_sealed(s.run.uid, version)
    except SealedAlreadyOpened:
        return None  # the next step says so
    return foreseen(report.sealed_cases, report, winner, s.inputs.value.policy.gate, cycle)
