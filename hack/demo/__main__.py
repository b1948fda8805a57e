"""`make demo`: see the loop close once, from traces to a promoted prompt, on whatever cluster is at hand.

    python -m demo [--cluster local|kind|kubeconfig] [--down] [--deadline SECONDS]
    python -m demo --stop          end what an earlier demo left running (`make clean`)

Without `--cluster`: kind where kind and Docker are there, else local. A cluster behind a kubeconfig is only touched
when asked for; its nodes must have the images that `--operator-image` and `--jobs-image` name.

Exit codes: 0 the loop closed; 1 it did not, with the last condition on standard error; 130 interrupted.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

from demo import live, show
from demo.background import Lock, leave_running, stop
from demo.cluster import ClusterPlace, Images, Installation, make_kind
from demo.local import LocalPlace
from demo.loop import NAMESPACE, Place, close_the_loop
from harness.follow import Say
from harness.local import LocalCluster
from harness.prompts import mounted
from testbed.cluster import Choice, choose_here
from testbed.paths import REPOSITORY

LIVE_SEED = 1_000
INSTALLED = "installed.json"


def main() -> int:
    options = _options()
    home: Path = options.directory
    say = _teller()
    signal.signal(signal.SIGTERM, _terminated)
    try:
        _end_the_last(home, say)
        if options.stop:
            shutil.rmtree(home, ignore_errors=True)
            return 0
        lock = Lock(home / "lock")
        choice = _choice(options.cluster)
        say(choice.sentence)
        shutil.rmtree(home / "run", ignore_errors=True)
        (home / "run").mkdir()
        if choice.kind == "local":
            _on_this_machine(lock, home / "run", options, say)
        else:
            _in_a_cluster(home, choice.kind, options, say)
    except RuntimeError as error:
        print(f"The loop did not close: {error}\nLogs: {home / 'run'}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; nothing is left running", file=sys.stderr)
        return 130
    return 0


def _choice(wish: str | None) -> Choice:
    """A KUBECONFIG that happens to be set may name somebody's production: it counts only when it is asked for."""
    named = os.environ.get("KUBECONFIG") or str(Path("~/.kube/config").expanduser())
    return choose_here({"CLUSTER": wish, "KUBECONFIG": named} if wish else {})


def _end_the_last(home: Path, say: Say) -> None:
    """Whatever an earlier demo has left, in the background or in a cluster."""
    if stop(home / "lock"):
        say("ended the demo that was still running")
    _uninstall(home, say)


def _uninstall(home: Path, say: Say) -> None:
    if (home / INSTALLED).exists():
        say("removing what the demo installed into its cluster")
        Installation(**json.loads((home / INSTALLED).read_text())).remove(NAMESPACE)
        (home / INSTALLED).unlink()


def _on_this_machine(lock: Lock, directory: Path, options: argparse.Namespace, say: Say) -> None:
    with LocalCluster(directory, say) as cluster:
        _play(LocalPlace(cluster), directory, say, options.deadline)
        if not options.down:
            _tell_where_to_look(str(cluster.kubeconfig), str(cluster.control_plane.binaries / "kubectl"), directory)
            leave_running(lock)


def _in_a_cluster(home: Path, cluster: str, options: argparse.Namespace, say: Say) -> None:
    images = Images(options.operator_image, options.jobs_image)
    if cluster == "kind":
        made = make_kind(home / "run" / "kubeconfig", images, say)
    else:
        made = Installation(os.environ.get("KUBECONFIG") or str(Path("~/.kube/config").expanduser()))
    (home / INSTALLED).write_text(json.dumps(asdict(made)))
    closed = False
    try:
        say("installing the chart")
        made.install(images, options.set)
        _play(ClusterPlace(made.kubectl(), images, NAMESPACE), home / "run", say, options.deadline)
        closed = True
    finally:
        if options.down or not closed:
            _uninstall(home, say)
    if not options.down:
        _tell_where_to_look(made.kubeconfig, "kubectl", home / "run")


def _play(place: Place, directory: Path, say: Say, deadline: float) -> None:
    kubectl, run = close_the_loop(place, say, deadline)
    out = show.console()
    show.show(out, kubectl, run)
    prompts = mounted(kubectl, "shop-support-prompts", directory / "mounted")
    baseline = show.versions(kubectl, run["status"]["agent"])[0].content.components
    cases = live.fresh_cases(LIVE_SEED)
    with place.reach() as url:
        before = live.success(url, cases, lambda _: baseline)
        after = live.success(url, cases, lambda metadata: prompts.render(metadata).components)
    out.print(
        f"\n{len(cases)} new customers, answered with what ninefold.client renders from that ConfigMap: "
        f"{before:.1%} → {after:.1%} right ({prompts.version})."
    )


def _tell_where_to_look(kubeconfig: str, kubectl: str, logs: Path) -> None:
    print(
        f"\nEverything is still up. Look around with\n"
        f"  export KUBECONFIG={kubeconfig}\n"
        f"  {kubectl} -n {NAMESPACE} describe nfr\n"
        f"Logs: {logs}. End it with `make clean`."
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="demo", description="See the loop close once.")
    parser.add_argument("--cluster", choices=["local", "kind", "kubeconfig"], help="default: what is there")
    parser.add_argument("--down", action="store_true", help="leave nothing running at the end")
    parser.add_argument("--deadline", type=float, default=600, help="seconds within which the run must end")
    parser.add_argument("--directory", type=Path, default=REPOSITORY / ".demo", help="for logs and data")
    parser.add_argument("--operator-image", default=Images.operator, help="in a cluster: the operator's image")
    parser.add_argument("--jobs-image", default=Images.jobs, help="in a cluster: the Jobs' image")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="in a cluster: chart values")
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
