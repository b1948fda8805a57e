"""The replay Jobs. `selection` races the candidates and names a winner; `sealed` runs the one that was frozen.

Both buckets take their calls from one budget of the run. The race leaves enough for the sealed cases, at most half of
the budget: a winner that nobody can afford to prove is worth nothing.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from ninefold.api.candidates import Candidate, ProposalSet, is_composed
from ninefold.api.cases import Case, CaseSet
from ninefold.api.findings import AnalysisReport, Pattern
from ninefold.api.outcomes import ReplayReport, ReplayRow
from ninefold.api.spending import Spending, Spent
from ninefold.gate import GateInput, proved_already
from ninefold.jobs.failures import JobFailure
from ninefold.jobs.grading import Grading, open_grading
from ninefold.jobs.modes import calls_a_case, coverage, open_mode, open_step
from ninefold.jobs.purses import open_purse, open_till, spending
from ninefold.jobs.runtime import JobContext
from ninefold.replay import (
    Buyer,
    ReplayFailure,
    Runner,
    Sieve,
    Sifted,
    Stepper,
    Tournament,
    answers_are_told,
    fresh,
    in_order,
    plan_of,
    probed,
    prove,
)
from ninefold.store import ArtifactError, Purse
from ninefold.versions import VersionError, check_carried, content_hash, extended, largest_prompt

log = logging.getLogger(__name__)

SELECTION, SEALED = "replay-selection", "replay-sealed"
SEALED_ARMS = 4
PROBED_ARMS = 2
STANDING_ARMS = 2
PROGRESS_CASES = 25
"""Cases between two lines of progress in the log."""


async def run(ctx: JobContext) -> ReplayReport:
    """Replay one bucket. Needs the artifacts of `analyze` and `propose`."""
    replay = ctx.run.agent.replay
    if replay is None:
        raise JobFailure(
            "ReplayNotConfigured", "the Agent has no spec.replay: name its staging endpoint", permanent=True
        )
    policy = ctx.run.policy.replay
    analysis = await ctx.upstream_artifact("analyze", AnalysisReport)
    proposals = await ctx.upstream_artifact("propose", ProposalSet)
    cases = await _cases(ctx, analysis)
    a_case = calls_a_case(cases) if replay.trajectory is not None else 1.0
    share = 1.0 if ctx.bucket == "sealed" else 1.0 - _kept_for_the_seal(ctx, analysis, a_case)
    purse = await open_purse(ctx, SEALED if ctx.bucket == "sealed" else SELECTION, share)
    async with (
        open_till(ctx, purse) as till,
        open_mode(ctx, cases) as mode,
        open_step(ctx, till) as step,
        open_grading(ctx, cases, purse) as grading,
    ):
        buyer = Buyer(mode, ctx.run.agent.success, till, scope=ctx.run.run_uid, grade=grading.grade)
        runner = Runner(
            buyer,
            by_metadata=ctx.run.agent.delivery.mode == "Client",
            seed=policy.seed,
            concurrency=policy.concurrency,
            progress=lambda cases: _progress(ctx, cases, buyer),
        )
        try:
            if ctx.bucket == "sealed":
                report = await _prove(ctx, runner, purse, cases, await _frozen(ctx, proposals), grading=grading)
            else:
                affordable = int(ctx.run.policy.budget.replay_calls * share / a_case)
                sifted = await _sift(ctx, runner, cases, proposals.candidates, patterns=analysis.patterns, step=step)
                affordable -= int(buyer.counts["paid"] / a_case)
                report = await _select(
                    ctx, runner, purse, cases, sifted, patterns=analysis.patterns, affordable=affordable
                )
                report = report.model_copy(update={"sealed_cases": _sealed_cases(ctx, analysis)})
            return await grading.concluded(report)
        except ReplayFailure as failure:
            spent = Spending(lines=(found := await spending(purse)).by_purpose(), days=found.days)
            raise JobFailure(failure.reason, failure.message, permanent=failure.permanent, spending=spent) from failure


def _kept_for_the_seal(ctx: JobContext, analysis: AnalysisReport, a_case: float) -> float:
    """The share of the budget that the race leaves: enough for the sealed cases, at most half.

    `a_case`: calls that one case takes under one arm.
    """
    total = ctx.run.policy.budget.replay_calls
    sealed = _sealed_cases(ctx, analysis)
    probes = PROBED_ARMS * min(sealed, ctx.run.policy.gate.injection_probes)
    return min(int((SEALED_ARMS * sealed + probes) * a_case), total // 2) / total


def _sealed_cases(ctx: JobContext, analysis: AnalysisReport) -> int:
    """How many cases the sealed replay will have."""
    sealed = sum(ref.cases for ref in analysis.cases if ref.bucket == "sealed")
    return min(sealed, ctx.run.policy.replay.max_cases)


# ---------------------------------------------------------------- the two buckets


async def _sift(
    ctx: JobContext,
    runner: Runner,
    cases: list[Case],
    candidates: Sequence[Candidate],
    *,
    patterns: Sequence[Pattern],
    step: Stepper | None,
) -> Sifted:
    """The candidates that race: those that move the decision which they are written for, as far as steps can tell."""
    settings = ctx.run.agent.replay.step if ctx.run.agent.replay is not None else None
    admitted, refused = _admitted(ctx, candidates)
    if step is None or settings is None:
        return Sifted(admitted, [], refused=refused)
    sieve = Sieve(step, ctx.run.baseline, patterns, most=settings.cases, by_metadata=runner.by_metadata)
    found = await sieve.sift(admitted, cases)
    return replace(found, refused=[*refused, *found.told])


async def _select(
    ctx: JobContext,
    runner: Runner,
    purse: Purse,
    cases: list[Case],
    sifted: Sifted,
    *,
    patterns: Sequence[Pattern],
    affordable: int,
) -> ReplayReport:
    admitted = sifted.kept
    # Fewer cases under all arms rather than all cases until the money is gone.
    cases = cases[: max(0, affordable) // (STANDING_ARMS + len(admitted))]
    key = ctx.run.policy.analysis.intent_key if runner.by_metadata else None
    found = await Tournament(runner, ctx.run.baseline, key, patterns).select(admitted, cases)
    why = "; ".join([found.why, *sifted.refused])
    winner = found.candidate
    if winner is not None and not _admitted(ctx, [winner])[0]:
        why, winner = f"{why}; but what the race made of it is no deliverable version", None
    report = await _report(
        ctx, runner, purse, arms=found.arms, rows=found.rows, candidate=winner, why=why, removals=found.removals
    )
    return report.model_copy(update={"screened": sifted.screened})


async def _prove(
    ctx: JobContext, runner: Runner, purse: Purse, cases: list[Case], candidate: Candidate, *, grading: Grading
) -> ReplayReport:
    """Run the sealed cases until the gate would pass, or all of them."""
    planned = plan_of(cases)
    counted = Counter(case.intent for case in cases)

    def enough(arms: list[str], rows: list[ReplayRow]) -> bool:
        if ctx.cycle is None:
            return False
        so_far = ReplayReport(
            bucket="sealed", arms=arms, rows=rows, candidate=candidate, prompt_tokens=runner.prompt_tokens, **planned
        )
        so_far = so_far.model_copy(update={"judge": grading.report(rows, candidate.id)})
        policy, window = ctx.run.policy.gate, ctx.run.agent.model.context_window
        return proved_already(GateInput(so_far, candidate.id, policy, ctx.cycle, window), counted)

    arms, rows = await prove(runner, ctx.run.baseline, candidate, cases, enough)
    most = min(len(cases), ctx.run.policy.gate.injection_probes) if answers_are_told(rows) else 0
    tried = await probed(runner, ctx.run.baseline, candidate, cases, most) if most else []
    report = await _report(ctx, runner, purse, arms=arms, rows=rows, candidate=candidate)
    return report.model_copy(update={**planned, "probes": tried, "probes_planned": most})


async def _report(
    ctx: JobContext,
    runner: Runner,
    purse: Purse,
    *,
    arms: list[str],
    rows: list[ReplayRow],
    candidate: Candidate | None = None,
    why: str | None = None,
    removals: Sequence[str] = (),
) -> ReplayReport:
    spent = await spending(purse)
    return ReplayReport(
        bucket="sealed" if ctx.bucket == "sealed" else "selection",
        arms=arms,
        rows=rows,
        winner=candidate.id if candidate is not None and ctx.bucket != "sealed" else None,
        why=why,
        candidate=candidate,
        removals=list(removals),
        prompt_tokens=runner.prompt_tokens,
        calls_paid=spent.by_purpose().get("replay", Spent()).calls,
        calls_cached=runner.buyer.counts["cached"],
        stopped=f"{runner.stopped}; spent: {spent}" if runner.stopped else None,
        spending=spent,
        coverage=coverage(rows),
    )


def _progress(ctx: JobContext, cases: int, buyer: Buyer) -> None:
    if cases % PROGRESS_CASES == 0:
        log.info("replayed", extra={"bucket": ctx.bucket, "cases": cases, **buyer.counts})


# ---------------------------------------------------------------- what goes in


async def _cases(ctx: JobContext, analysis: AnalysisReport) -> list[Case]:
    """The bucket's cases in replay order, at most as many as the policy allows.

    Sealed cases that have judged this candidate in an earlier run do not judge it again.
    """
    cases: list[Case] = []
    for ref in analysis.cases:
        if ref.bucket == ctx.bucket:
            cases += (await ctx.artifact(ref, CaseSet)).cases
    if ctx.bucket == "sealed" and ctx.sealed_since is not None:
        cases = fresh(cases, ctx.sealed_since)
    return in_order(cases)[: ctx.run.policy.replay.max_cases]


def _admitted(ctx: JobContext, candidates: Sequence[Candidate]) -> tuple[list[Candidate], list[str]]:
    """The candidates without those that could not be delivered anyway; and why those were left out."""
    limits = (ctx.run.policy.gate.max_prompt_tokens, ctx.run.agent.model.context_window)
    limit = min((n for n in limits if n), default=None)
    admitted, refused = [], []
    for candidate in candidates:
        content = extended(ctx.run.baseline, candidate.edits, candidate.removes)
        try:
            check_carried(content, ctx.run.agent.delivery)
        except VersionError as error:
            refused.append(f"{candidate.id} left out: {error}")
            continue
        if limit and (tokens := largest_prompt(content)) > limit:
            refused.append(f"{candidate.id} left out: largest rendered prompt {tokens} tokens > {limit} allowed")
            continue
        admitted.append(candidate)
    return admitted, refused


async def _frozen(ctx: JobContext, proposals: ProposalSet) -> Candidate:
    """The candidate that the operator froze: one of the proposals, or what the race has made of them.

    JobFailure when nothing has its id and hash.
    """
    known = list(proposals.candidates)
    made = await _made_by_the_race(ctx)
    known = [made, *known] if made is not None else known
    for candidate in known:
        found = content_hash(extended(ctx.run.baseline, candidate.edits, candidate.removes))
        if candidate.id == ctx.candidate and found == ctx.candidate_hash:
            return candidate
    raise JobFailure(
        "CandidateChanged",
        f"neither proposals nor race hold a candidate {ctx.candidate} with the frozen hash {ctx.candidate_hash}: the "
        f"sealed cases stay closed; start another run",
        permanent=True,
    )


async def _made_by_the_race(ctx: JobContext) -> Candidate | None:
    """The race's winner with its receipts. A loss matters only when nobody else has proposed the candidate."""
    if SELECTION not in ctx.upstream:
        return None
    try:
        return (await ctx.upstream_artifact(SELECTION, ReplayReport)).candidate
    except ArtifactError:
        if is_composed(ctx.candidate or ""):
            raise
        return None
