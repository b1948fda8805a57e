"""The replay Jobs. `selection` races the candidates and names a winner; `sealed` runs the one that was frozen.

Both buckets take their calls from one budget of the run. The race leaves enough for the sealed cases, at most half of
the budget: a winner that nobody can afford to prove is worth nothing.
"""

import logging
from collections.abc import Sequence

from ninefold.api.artifacts import (
    BASELINE,
    NULL_CONTROL,
    WRONG_KEY_CONTROL,
    AnalysisReport,
    Candidate,
    Case,
    CaseSet,
    ProposalSet,
    ReplayReport,
    ReplayRow,
    VersionContent,
)
from ninefold.api.base import parse_duration
from ninefold.api.edits import Edit
from ninefold.jobs.failures import JobFailure
from ninefold.jobs.runtime import JobContext
from ninefold.replay import Arm, Buyer, Endpoint, ReplayFailure, Runner, in_order, null_edit, race, survivors, wrong_key
from ninefold.store import Budget
from ninefold.versions import VersionError, check_delivery, content_hash, largest_prompt

log = logging.getLogger(__name__)

SELECTION, SEALED = "replay-selection", "replay-sealed"
SEALED_ARMS = 4
ROUNDS = (0.25, 0.5, 1.0)
"""Shares of the cases after which the race drops candidates that are clearly behind."""
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
    spending = await _Spending.of(ctx, analysis)
    async with Endpoint(
        replay.endpoint.url,
        ctx.replay_api_key,
        parse_duration(replay.endpoint.timeout).total_seconds(),
        model=ctx.run.agent.model.name,
        connections=policy.concurrency,
    ) as endpoint:
        buyer = Buyer(
            endpoint, ctx.run.agent.success, ctx.calls, spending.reserve, scope=ctx.run.run_uid, retries=policy.retries
        )
        runner = Runner(
            buyer,
            by_metadata=ctx.run.agent.delivery.mode == "Client",
            seed=policy.seed,
            concurrency=policy.concurrency,
            progress=lambda cases: _progress(ctx, cases, buyer),
        )
        cases = await _cases(ctx, analysis)
        try:
            if ctx.bucket == "sealed":
                return await _prove(ctx, runner, spending, cases, _frozen(ctx, proposals))
            return await _select(ctx, runner, spending, cases, proposals.candidates)
        except ReplayFailure as failure:
            raise JobFailure(failure.reason, failure.message, permanent=failure.permanent) from failure


class _Spending:
    """This bucket's part of the run's calls, counted in the store: a restarted pod goes on where the last one was."""

    def __init__(self, budget: Budget, limit: int) -> None:
        self._budget = budget
        self.limit = limit

    @classmethod
    async def of(cls, ctx: JobContext, analysis: AnalysisReport) -> "_Spending":
        total = ctx.run.policy.budget.replay_calls
        if ctx.bucket == "sealed":
            return cls(ctx.budget(SEALED), total - await ctx.budget(SELECTION).spent())
        sealed = sum(ref.cases for ref in analysis.cases if ref.bucket == "sealed")
        reserved = SEALED_ARMS * min(sealed, ctx.run.policy.replay.max_cases)
        return cls(ctx.budget(SELECTION), total - min(reserved, total // 2))

    async def reserve(self) -> bool:
        return await self._budget.reserve(1, self.limit)

    async def spent(self) -> int:
        return await self._budget.spent()


# ---------------------------------------------------------------- the two buckets


async def _select(
    ctx: JobContext, runner: Runner, spending: _Spending, cases: list[Case], candidates: Sequence[Candidate]
) -> ReplayReport:
    contents, refused = _admitted(ctx, candidates)
    sizes = {one.id: sum(len(edit.text) for edit in one.edits) for one in candidates if one.id in contents}
    standing = [Arm(BASELINE, ctx.run.baseline), Arm(NULL_CONTROL, _extended(ctx, [null_edit(ctx.run.baseline)]))]
    # Fewer cases under all arms rather than all cases until the money is gone.
    cases = cases[: spending.limit // (len(standing) + len(contents))] if contents else []
    rows: list[ReplayRow] = []
    alive = list(contents)
    for share in ROUNDS:
        racing = [Arm(one, contents[one]) for one in alive]
        rows += await runner.run(cases[len(rows) : round(share * len(cases))], [*standing, *racing])
        alive = survivors(rows, alive)
        log.info("raced", extra={"cases": len(rows), "of": len(cases), "alive": alive})
        if runner.budget_spent or not alive:
            break
    # When all are out, the race over all of them says how far they were behind.
    result = race(rows, {one: sizes[one] for one in alive or contents})
    arms = [BASELINE, NULL_CONTROL, *contents]
    why = "; ".join([result.why, *refused])
    return await _report(ctx, runner, spending, arms=arms, rows=rows, winner=result.winner, why=why)


async def _prove(
    ctx: JobContext, runner: Runner, spending: _Spending, cases: list[Case], candidate: Candidate
) -> ReplayReport:
    arms = [
        Arm(BASELINE, ctx.run.baseline),
        Arm(candidate.id, _extended(ctx, candidate.edits)),
        Arm(NULL_CONTROL, _extended(ctx, [null_edit(ctx.run.baseline)])),
    ]
    if misplaced := wrong_key(candidate.edits):
        arms.append(Arm(WRONG_KEY_CONTROL, _extended(ctx, misplaced)))
    rows = await runner.run(cases, arms)
    return await _report(ctx, runner, spending, arms=[arm.id for arm in arms], rows=rows)


async def _report(
    ctx: JobContext,
    runner: Runner,
    spending: _Spending,
    *,
    arms: list[str],
    rows: list[ReplayRow],
    winner: str | None = None,
    why: str | None = None,
) -> ReplayReport:
    stopped = f"the {spending.limit} calls that budget.replayCalls leaves for it are spent"
    return ReplayReport(
        bucket="sealed" if ctx.bucket == "sealed" else "selection",
        arms=arms,
        rows=rows,
        winner=winner,
        why=why,
        prompt_tokens=runner.prompt_tokens,
        calls_paid=await spending.spent(),
        calls_cached=runner.buyer.counts["cached"],
        stopped=stopped if runner.budget_spent else None,
    )


def _progress(ctx: JobContext, cases: int, buyer: Buyer) -> None:
    if cases % PROGRESS_CASES == 0:
        log.info("replayed", extra={"bucket": ctx.bucket, "cases": cases, **buyer.counts})


# ---------------------------------------------------------------- what goes in


async def _cases(ctx: JobContext, analysis: AnalysisReport) -> list[Case]:
    """The bucket's cases in replay order, at most as many as the policy allows."""
    cases: list[Case] = []
    for ref in analysis.cases:
        if ref.bucket == ctx.bucket:
            cases += (await ctx.artifact(ref, CaseSet)).cases
    return in_order(cases)[: ctx.run.policy.replay.max_cases]


def _admitted(ctx: JobContext, candidates: Sequence[Candidate]) -> tuple[dict[str, VersionContent], list[str]]:
    """Contents by candidate id, without those that could not be delivered anyway; and why those were left out."""
    limits = (ctx.run.policy.gate.max_prompt_tokens, ctx.run.agent.model.context_window)
    limit = min((n for n in limits if n), default=None)
    contents: dict[str, VersionContent] = {}
    refused = []
    for candidate in candidates:
        content = _extended(ctx, candidate.edits)
        try:
            check_delivery(content, ctx.run.agent.delivery.mode)
        except VersionError as error:
            refused.append(f"{candidate.id} left out: {error}")
            continue
        if limit and (tokens := largest_prompt(content)) > limit:
            refused.append(f"{candidate.id} left out: largest rendered prompt {tokens} tokens > {limit} allowed")
            continue
        contents[candidate.id] = content
    return contents, refused


def _frozen(ctx: JobContext, proposals: ProposalSet) -> Candidate:
    """The candidate that the operator froze. JobFailure when the proposals hold another one under its id."""
    for candidate in proposals.candidates:
        found = content_hash(_extended(ctx, candidate.edits))
        if candidate.id == ctx.candidate and found == ctx.candidate_hash:
            return candidate
    raise JobFailure(
        "CandidateChanged",
        f"the proposals hold no candidate {ctx.candidate} with the frozen hash {ctx.candidate_hash}: the sealed cases "
        f"stay closed; start another run",
        permanent=True,
    )


def _extended(ctx: JobContext, edits: Sequence[Edit]) -> VersionContent:
    """The stable version with further edits."""
    return VersionContent(components=ctx.run.baseline.components, edits=[*ctx.run.baseline.edits, *edits])
