"""The replay mode that the Agent names, opened; and what the modes that run the loop could answer."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from statistics import fmean

from ninefold.api.base import parse_duration
from ninefold.api.cases import Case
from ninefold.api.outcomes import Coverage, Outcome, ReplayRow
from ninefold.jobs.failures import JobFailure
from ninefold.jobs.runtime import JobContext
from ninefold.replay import Endpoint, Replayer, Sandbox, Stepper, Till, Trajectory, Walker


@asynccontextmanager
async def open_mode(ctx: JobContext, cases: Sequence[Case]) -> AsyncIterator[Replayer | Walker]:
    """The Agent's staging endpoint, or its loop on the recordings of these cases. Raises JobFailure."""
    agent, replay = ctx.run.agent, ctx.run.agent.replay
    async with AsyncExitStack() as stack:
        if replay is not None and replay.endpoint is not None:
            yield await stack.enter_async_context(
                Endpoint(
                    replay.endpoint.url,
                    ctx.replay_api_key,
                    parse_duration(replay.endpoint.timeout).total_seconds(),
                    model=agent.model.name,
                    connections=ctx.run.policy.replay.concurrency,
                )
            )
            return
        if replay is None or replay.trajectory is None or agent.model.endpoint is None:
            told = "the Agent has no spec.replay: name its staging endpoint, or replay.trajectory with a model endpoint"
            raise JobFailure("ReplayNotConfigured", told, permanent=True)
        if not agent.success.rules and agent.success.judges is None:
            told = (
                "replay.trajectory returns no recorded score, and nothing else says what a success is: write "
                "spec.success.rules or spec.success.judges of the Agent"
            )
            raise JobFailure("NothingGraded", told, permanent=True)
        from ninefold.llm import Completions  # noqa: PLC0415 - heavy, and an endpoint needs none

        loop = replay.trajectory
        timeout = parse_duration(loop.timeout).total_seconds()
        model = await stack.enter_async_context(Completions(agent.model, ctx.model_api_key, timeout))
        sandbox = Sandbox(loop.sandbox, ctx.sandbox_api_key) if loop.sandbox is not None else None
        if sandbox is not None:
            await stack.enter_async_context(sandbox)
        yield Trajectory(model, agent.tools, cases, max_steps=loop.max_steps, sandbox=sandbox)


@asynccontextmanager
async def open_step(ctx: JobContext, till: Till) -> AsyncIterator[Stepper | None]:
    """What makes single decisions before the race; None where the Agent does not ask for it."""
    agent = ctx.run.agent
    step = agent.replay.step if agent.replay is not None else None
    if step is None or ctx.bucket == "sealed":
        yield None
        return
    from ninefold.llm import Completions  # noqa: PLC0415 - heavy, and an endpoint needs none

    timeout = parse_duration(step.timeout).total_seconds()
    async with Completions(agent.model, ctx.model_api_key, timeout) as model:
        yield Stepper(model, agent.tools, till, scope=ctx.run.run_uid, seed=ctx.run.policy.replay.seed)


def coverage(rows: Sequence[ReplayRow]) -> dict[str, Coverage]:
    """By arm, over the rows in which it asked for a tool; empty where the agent runs its own loop."""
    by_arm: dict[str, list[Outcome]] = {}
    for row in rows:
        for arm, outcome in row.outcomes.items():
            by_arm.setdefault(arm, []).append(outcome)
    return {
        arm: Coverage(
            cases=len(own),
            unknown=sum(o.tool_answers < o.tool_calls for o in own),
            tool_calls=sum(o.tool_calls for o in own),
            tool_answers=sum(o.tool_answers for o in own),
            tool_borrowed=sum(o.tool_borrowed for o in own),
        )
        for arm, own in by_arm.items()
        if any(o.tool_calls for o in own)
    }


def calls_a_case(cases: Sequence[Case]) -> float:
    """Calls that one case takes: one of the endpoint; of our own loop as many as it had tool calls, and the answer."""
    return 1 + fmean(len(case.recorded) for case in cases) if cases else 1.0
