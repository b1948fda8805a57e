"""`python -m testbed up | down | status | env`: a test bed that stays up between commands.

`up` may be repeated; it prints what `env` prints, for `eval "$(python -m testbed up)"`.
"""

import argparse
import shlex
import sys
from pathlib import Path

from testbed.background import STATE, BackgroundError, State, down, leftovers, running_state, up


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m testbed", description=__doc__)
    parser.add_argument("command", choices=["up", "down", "status", "env"])
    parser.add_argument("--state", type=Path, default=STATE, help="directory of this test bed (default: %(default)s)")
    options = parser.parse_args()
    directory = options.state.resolve()
    try:
        if options.command == "up":
            print_environment(up(directory))
            return 0
        if options.command == "down":
            down(directory)
            return 0
    except BackgroundError as error:
        print(error, file=sys.stderr)
        return 1
    state = running_state(directory)
    if state is None:
        print("the test bed is not running", file=sys.stderr)
        return 1
    if options.command == "env":
        print_environment(state)
    else:
        for pid, command in sorted(leftovers(directory).items()):
            print(f"{pid:>8}  {command[:100]}")
    return 0


def print_environment(state: State) -> None:
    """Shell lines that point kubectl, helm and Redis clients at the test bed."""
    print(f"export KUBECONFIG={shlex.quote(state.kubeconfig)}")
    print(f"export REDIS_URL={shlex.quote(state.redis_url)}")
    print(f'export PATH={shlex.quote(state.binaries)}:"$PATH"')


if __name__ == "__main__":
    sys.exit(main())
