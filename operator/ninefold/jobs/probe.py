"""`probe`: what a TraceBackend holds, for its status."""

import asyncio
import logging

from ninefold.api.artifacts import ProbeReport
from ninefold.api.inputs import ProbeInputs
from ninefold.jobs.failures import JobFailure
from ninefold.jobs.runtime import JobContext
from ninefold.traces import TracesProblem, open_backend

log = logging.getLogger(__name__)


async def run(ctx: JobContext) -> ProbeReport:
    """Looks at a bounded part of the backend. JobFailure says what the user must mend."""
    try:
        backend = open_backend(ctx.of(ProbeInputs).backend, ctx.traces())
        found = await asyncio.to_thread(backend.probe)
    except TracesProblem as problem:
        raise JobFailure(problem.reason, problem.message, permanent=problem.permanent) from None
    log.info("probed", extra={"files": found.files, "traces": found.traces, "malformed": found.malformed})
    return ProbeReport(capabilities=found)
