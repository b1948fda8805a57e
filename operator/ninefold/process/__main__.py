"""`python -m ninefold.process`: the operator. All that it needs to know comes by environment.

Exit codes: 0 told to stop, 1 cannot go on (starting anew is right), 2 the environment is wrong (it is not).
"""

import asyncio
import logging
import os
import sys

from ninefold import logs
from ninefold.process.environment import EnvironmentProblem, read_options
from ninefold.process.operator import serve


def main() -> int:
    """Run until told to stop; returns the exit code."""
    try:
        options = read_options()
    except EnvironmentProblem as problem:
        logs.configure()
        logging.getLogger(__name__).error("%s", problem)
        return 2
    logs.configure(options.log_level)
    # Not asyncio.run: at its end it waits for all that kopf has started, and the next replica waits for us.
    return asyncio.new_event_loop().run_until_complete(serve(options))


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)
