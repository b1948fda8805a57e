"""`make demo`: see the loop close once, from traces to a promoted prompt, on whatever cluster is at hand.

    python -m demo [--cluster local|kind|kubeconfig] [--down] [--deadline SECONDS]
    python -m demo --stop          end what an earlier demo left running (`make clean`)

Exit codes: 0 the loop closed; 1 it did not, with the last condition on standard error; 130 interrupted.
"""

import argparse
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

from demo import live, show
from demo.background import AlreadyRunning, Lock, leave_running, stop
from demo.local import LocalPlace
from demo.loop import NAMESPACE, Place, close_the_loop
from harness.follow import Say
from harness.local import LocalCluster
from harness.prompts import mounted
from testbed.paths import REPOSITORY

LIVE_SEED = 1_000


def main() -> int:
    options = _options()
    home: Path = options.directory
    try:
        stopped = stop(home / "lock")
        if options.stop:
            shutil.rmtree(home, ignore_errors=True)
            return 0
        lock = Lock(home / "lock")
    except AlreadyRunning as error:
        print(error, file=sys.stderr)
        return 1
    say = _teller()
    if stopped:
        say("ended the demo that was still running")
    signal.signal(signal.SIGTERM, _terminated)
    try:
        return _local(lock, home / "run", options, say)
    except RuntimeError as error:
        print(f"The loop did not close: {error}\nLogs: {home / 'run'}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; nothing is left running", file=sys.stderr)
        return 130


def _local(lock: Lock, directory: Path, options: argparse.Namespace, say: Say) -> int:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    with LocalCluster(directory, say) as cluster:
        _play(LocalPlace(cluster), directory / "mounted", say, options.deadline)
        if options.down:
            return 0
        print(
            f"\nEverything is still up. Look around with\n"
            f"  export KUBECONFIG={cluster.kubeconfig}\n"
            f"  {cluster.control_plane.binaries / 'kubectl'} -n {NAMESPACE} describe nfr\n"
            f"Logs: {directory}. End it with `make clean`."
        )
        leave_running(lock)
    return 0


def _play(place: Place, mount: Path, say: Say, deadline: float) -> None:
    kubectl, run = close_the_loop(place, say, deadline)
    out = show.console()
    show.show(out, kubectl, run)
    prompts = mounted(kubectl, "shop-support-prompts", mount)
    baseline = show.versions(kubectl, run["status"]["agent"])[0].content.components
    cases = live.fresh_cases(LIVE_SEED)
    before = live.success(place.url, cases, lambda _: baseline)
    after = live.success(place.url, cases, lambda metadata: prompts.render(metadata).components)
    out.print(
        f"\n{len(cases)} new customers, answered with what ninefold.client renders from that ConfigMap: "
        f"{before:.1%} → {after:.1%} right ({prompts.version})."
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="demo", description="See the loop close once.")
    parser.add_argument("--cluster", choices=["local"], default="local")
    parser.add_argument("--down", action="store_true", help="leave nothing running at the end")
    parser.add_argument("--deadline", type=float, default=600, help="seconds within which the run must end")
    parser.add_argument("--directory", type=Path, default=REPOSITORY / ".demo", help="for logs and data")
    parser.add_argument("--stop", action="store_true", help="end what an earlier demo left running")
    return parser.parse_args()


def _teller() -> Say:
    started = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - started:5.0f} s] {line}", flush=True)

    return say


def _terminated(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
