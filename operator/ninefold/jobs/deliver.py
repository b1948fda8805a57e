"""`deliver`: the texts of a version as prompts of a Langfuse project, and the label on them."""

import asyncio
import logging
import os

from ninefold.api.delivery import DeliverInputs, DeliveryReport
from ninefold.delivery import LangfusePrompts, deliver, patiently
from ninefold.jobs.failures import JobFailure
from ninefold.jobs.runtime import JobContext
from ninefold.traces import TracesProblem
from ninefold.traces.langfuse.client import login_of

log = logging.getLogger(__name__)


async def run(ctx: JobContext) -> DeliveryReport:
    """Looks first and writes what is missing, so it may be killed and repeated at any point."""
    inputs = ctx.of(DeliverInputs)
    first = inputs.labels[0]
    message = f"Ninefold: Agent {inputs.agent}, version {first.version}"
    try:
        server = LangfusePrompts(*login_of(inputs.langfuse, os.environ))
        report = await asyncio.to_thread(patiently, lambda: deliver(server, inputs.labels, message))
    except TracesProblem as problem:
        raise JobFailure(problem.reason, problem.message, permanent=problem.permanent) from None
    log.info("delivered", extra={"version": first.version, "written": report.written, "moved": report.moved})
    return report
