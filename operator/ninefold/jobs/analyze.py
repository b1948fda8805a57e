"""`analyze`: traces -> report, and the held-out cases that the report does not show."""

import asyncio
import logging

from ninefold.analysis import Analysis, analyze
from ninefold.api.artifacts import AnalysisReport, CaseRef, CaseSet, RunInputs
from ninefold.jobs.failures import JobFailure
from ninefold.jobs.runtime import JobContext
from ninefold.traces import Backend, TracesProblem, Window, check, collect, open_backend

log = logging.getLogger(__name__)


async def run(ctx: JobContext) -> AnalysisReport:
    """Reads the window once and stores three artifacts: the report, and one CaseSet each for selection and sealed.

    The references to the cases stand in the report, so that its digest covers them.
    """
    try:
        backend = open_backend(ctx.run.backend, ctx.traces())
        # In a thread, so that the pod can be told to stop while the engine works.
        done = await asyncio.to_thread(_analyze, backend, ctx.run)
    except TracesProblem as problem:
        raise JobFailure(problem.reason, problem.message, permanent=problem.permanent) from None
    cases = [await _store(ctx, done.selection), await _store(ctx, done.sealed)]
    report = done.report.model_copy(update={"cases": cases})
    log.info("analysed", extra={"traces": report.traces, "analysed": report.analysed, "patterns": len(report.patterns)})
    return report


def _analyze(backend: Backend, inputs: RunInputs) -> Analysis:
    table = collect(backend, Window.of(inputs.window_start, inputs.window_end), inputs.agent)
    check(table, inputs)
    return analyze(table, inputs)


async def _store(ctx: JobContext, cases: CaseSet) -> CaseRef:
    ref = await ctx.store_extra(f"cases-{cases.bucket}", cases)
    return CaseRef(
        artifact=ref.artifact, sha256=ref.sha256, bytes=ref.bytes, bucket=cases.bucket, cases=len(cases.cases)
    )
