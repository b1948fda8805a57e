"""`python -m ninefold.jobs <stage> [--bucket selection|sealed]`: the command of every Job.

The stage's module is imported only here and only when it is asked for, so a probe needs no engine and an analysis no
model client. Everything else comes by environment (see `runtime`): arguments are readable by everyone on the node.
"""

import argparse
import asyncio
import importlib
import logging
import os
import signal
import sys
from collections.abc import Sequence

from ninefold import logs
from ninefold.api.artifacts import Artifact
from ninefold.api.base import Model
from ninefold.api.delivery import DeliverInputs
from ninefold.api.inputs import ProbeInputs, RunInputs
from ninefold.jobs.runtime import JobContext, Stage, execute

STAGES = ("probe", "deliver", "read", "analyze", "propose", "replay")
INPUTS: dict[str, type[Model]] = {"probe": ProbeInputs, "deliver": DeliverInputs}
"""Of the Jobs that belong to no run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one stage; returns the exit code."""
    options = _parser().parse_args(arguments)
    if (options.stage == "replay") != (options.bucket is not None):
        _parser().error("replay needs --bucket selection or --bucket sealed, and no other stage takes it")
    logs.configure(os.environ.get("NINEFOLD_LOG_LEVEL", "INFO"))
    # Not asyncio.run: at its end it waits for threads, and one that waits for an engine cannot be cancelled.
    return asyncio.new_event_loop().run_until_complete(_run(options.stage, options.bucket))


async def _run(stage: str, bucket: str | None) -> int:
    inputs = INPUTS.get(stage, RunInputs)
    task = asyncio.ensure_future(execute(_load(stage), os.environ, bucket=bucket, inputs=inputs))
    # Cancelling makes the stage raise, and the frame around it tells the operator that it was interrupted.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def _load(name: str) -> Stage:
    """A stage that imports its module when it starts, so that a failing import is reported like any other failure."""

    async def stage(context: JobContext) -> Artifact:
        run: Stage = importlib.import_module(f"ninefold.jobs.{name}").run
        return await run(context)

    return stage


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ninefold.jobs", description="Run one stage inside a Job's pod.")
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--bucket", choices=("selection", "sealed"))
    return parser


if __name__ == "__main__":
    code = main()
    # The interpreter, too, would wait for such a thread; the engine's process sees that nobody asks any more.
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
