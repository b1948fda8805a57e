"""`ninefold`, also as `kubectl ninefold`: look at versions, take them into Git, approve them.

Verbs that read files or a mounted folder need no cluster; those that need one use `kubernetes` (extra `operator`).
Errors are sentences on stderr with exit code 1; a wrong command line is exit code 2.
"""

import sys
from pathlib import Path

from ninefold.cli.failure import CliFailure
from ninefold.cli.verbs import app

__all__ = ["main"]


def main() -> None:
    """Entry point of both scripts."""
    name = "kubectl ninefold" if Path(sys.argv[0]).name.startswith("kubectl") else "ninefold"
    try:
        app(prog_name=name)
    except CliFailure as failure:
        print(f"{name}: {failure}", file=sys.stderr)
        sys.exit(1)
