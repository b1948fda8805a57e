"""`analyze`: traces -> report, and the held-out cases that the report does not show."""

import asyncio
import logging

from ninefold.analysis import Analysis, Embedded, EngineError, Home, Intents, conclude, together
from ninefold.api.cases import CaseSet
from ninefold.api.findings import AnalysisReport, CaseRef
from ninefold.api.inputs import RunInputs
from ninefold.jobs.failures import JobFailure
from ninefold.jobs.history import open_history
from ninefold.jobs.keeping import Parts, parts_in
from ninefold.jobs.passes import Judging
from ninefold.jobs.reading import PartLost, read_window
from ninefold.jobs.runtime import JobContext
from ninefold.jobs.stock import Progress
from ninefold.traces import TracesProblem, check_tally, open_backend
from ninefold.traces.private import Private

log = logging.getLogger(__name__)

INTENTS = "intents"
TRIES = 3
"""Readings of a window whose parts are lost meanwhile: a store that keeps nothing is told, not served for ever."""


async def run(ctx: JobContext) -> AnalysisReport:
    """Reads what has not been read yet, and stores three artifacts: the report, and a CaseSet for selection and sealed.

    The references to the cases stand in the report, so that its digest covers them.
    """
    kept = parts_in(ctx.store, ctx.run)
    try:
        backend = open_backend(ctx.run.backend, ctx.traces(), agent=ctx.run.agent.traces.agent_name)
        async with open_history(ctx) as judge:
            # In a thread, so that the pod can be told to stop while the engine works.
            done = await asyncio.to_thread(analyze_window, backend, ctx.run, kept, home=_home(ctx), judge=judge)
            told = await judge.told() if judge is not None else {}
    except TracesProblem as problem:
        raise JobFailure(problem.reason, problem.message, permanent=problem.permanent) from None
    except EngineError as error:
        raise JobFailure(error.reason, str(error), permanent=False) from None
    cases = [await _store(ctx, done.selection), await _store(ctx, done.sealed)]
    report = done.report.model_copy(update={"cases": cases, **told})
    log.info("analysed", extra={"traces": report.traces, "analysed": report.analysed, "patterns": len(report.patterns)})
    return report


def analyze_window(
    backend: Private,
    inputs: RunInputs,
    kept: Parts,
    progress: Progress = lambda what, done, of: None,
    *,
    home: Home = Embedded,
    judge: Judging | None = None,
) -> Analysis:
    """The analysis of a window, of which only what is new is read, on the engine that `home` opens.

    TracesProblem for what the user must mend, EngineError for what the engine cannot do.
    """
    for _ in range(TRIES):
        reading = read_window(backend, inputs, kept, progress=progress, judge=judge)
        check_tally(reading.tally, inputs)
        try:
            whole = together(reading.parts(kept, inputs))
        except PartLost as lost:
            log.warning("the part of the slice %s was lost: it is read again", lost)
            continue
        progress("analysis", 0, 1)
        done = conclude(whole, inputs, _intents(kept), home)
        if done.intents.names:
            kept.put_note(INTENTS, done.intents.to_bytes())
        return done
    raise TracesProblem(
        "PartsLost",
        f"what slices of the traces have left was gone again before it could be analysed, {TRIES} times: give Redis "
        "more memory, or make spec.traces.window of the policy shorter",
        permanent=False,
    )


def _home(ctx: JobContext) -> Home:
    """Where the analysis is computed, as the policy says."""
    engine = ctx.run.policy.analysis.engine
    if engine is None:
        return Embedded
    from ninefold.analysis.server import Server  # noqa: PLC0415 - its client is loaded where it is used

    server = engine.clickhouse
    password = ctx.engine_password.get_secret_value() if ctx.engine_password is not None else ""
    return lambda: Server(server.url, server.username, password)


def _intents(kept: Parts) -> Intents | None:
    """The model of the cycle before; lost, or of another release, it is learned anew."""
    try:
        return Intents.from_bytes(kept.note(INTENTS))
    except ValueError:
        return None


async def _store(ctx: JobContext, cases: CaseSet) -> CaseRef:
    ref = await ctx.store_extra(f"cases-{cases.bucket}", cases)
    return CaseRef(
        artifact=ref.artifact, sha256=ref.sha256, bytes=ref.bytes, bucket=cases.bucket, cases=len(cases.cases)
    )
