"""`read`: one shard of a window into parts. `analyze`, which comes after all shards, then finds them in the store."""

import asyncio
import logging

from ninefold.analysis import EngineError
from ninefold.api.artifacts import ReadReport
from ninefold.jobs.failures import JobFailure
from ninefold.jobs.keeping import parts_in
from ninefold.jobs.reading import read_window
from ninefold.jobs.runtime import JobContext
from ninefold.jobs.stock import Shard
from ninefold.traces import TracesProblem, open_backend

log = logging.getLogger(__name__)


async def run(ctx: JobContext) -> ReadReport:
    """Reads the slices that are this pod's by its number. JobFailure says what the user must mend."""
    shard = Shard(ctx.shard or 0, ctx.run.policy.analysis.parallelism)
    kept = parts_in(ctx.store, ctx.run)
    try:
        backend = open_backend(ctx.run.backend, ctx.traces(), agent=ctx.run.agent.traces.agent_name)
        # In a thread, so that the pod can be told to stop.
        found = await asyncio.to_thread(read_window, backend, ctx.run, kept, shard)
    except TracesProblem as problem:
        raise JobFailure(problem.reason, problem.message, permanent=problem.permanent) from None
    except EngineError as error:
        raise JobFailure(error.reason, str(error), permanent=False) from None
    report = ReadReport(shard=shard.index, slices=len(found.slices), read=found.read, traces=found.traces)
    log.info("read", extra=report.model_dump(include={"shard", "slices", "read", "traces"}))
    return report
