"""Which cluster to use: `CLUSTER=kind|kubeconfig|local`, or what is there.

- `kubeconfig`: the cluster that `KUBECONFIG` names. Its nodes must be able to pull the images.
- `kind`: a cluster in Docker named `ninefold`; both images are built here and loaded into it.
- `local`: this package's control plane and local node; no images at all.

Without `CLUSTER` the first that applies is taken, in this order; explicit wishes are never replaced
by something else. The `kind` path needs Docker: it is written after the documentation of kind and has
not been run on the machines where this project is built, which have no Docker engine.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from testbed import background
from testbed.binaries import binaries, say
from testbed.paths import REPOSITORY

Kind = Literal["kubeconfig", "kind", "local"]

KIND_CLUSTER = "ninefold"

IMAGES = {"operator": "ninefold-operator:dev", "jobs": "ninefold-jobs:dev"}
"""Target of the Dockerfile to the image name that it is built as."""


class ClusterError(RuntimeError):
    """The wished-for cluster cannot be had; the message says what is missing."""


@dataclass(frozen=True)
class Choice:
    """A kind of cluster, and the sentence that tells the user which and why."""

    kind: Kind
    sentence: str


@dataclass(frozen=True)
class Cluster:
    """A cluster that is ready for use. `redis_url` is set where the test bed brought a Redis along."""

    kind: Kind
    kubeconfig: Path
    redis_url: str | None = None


def choose(environment: Mapping[str, str], docker_answers: Callable[[], bool], have: Callable[[str], bool]) -> Choice:
    """Decide, from the environment and from what is installed; starts nothing."""
    wish = environment.get("CLUSTER", "")
    named = environment.get("KUBECONFIG", "")
    if wish and wish not in get_args(Kind):
        raise ClusterError(f"CLUSTER={wish} is not known: use kind, kubeconfig or local")
    if wish == "kubeconfig" and not named:
        raise ClusterError("CLUSTER=kubeconfig needs KUBECONFIG to name a file")
    if wish == "kind" and not have("kind"):
        raise ClusterError("CLUSTER=kind needs the program kind on PATH")
    if wish == "kind" and not docker_answers():
        raise ClusterError("CLUSTER=kind needs a running Docker, and `docker info` does not answer")
    if wish == "kubeconfig" or (not wish and named):
        return Choice("kubeconfig", f"using the cluster that KUBECONFIG names: {named}")
    if wish == "kind" or (not wish and have("kind") and docker_answers()):
        return Choice("kind", f"using kind: a cluster in Docker named {KIND_CLUSTER}")
    return Choice("local", "using the local control plane and the local node (a test bed: pods are processes)")


def choose_here() -> Choice:
    """`choose` for this machine and this environment."""
    return choose(os.environ, _docker_answers, lambda program: shutil.which(program) is not None)


def provide(choice: Choice, directory: Path = background.STATE) -> Cluster:
    """Bring the chosen cluster up, as far as it is ours to bring up. May be repeated."""
    say(choice.sentence)
    if choice.kind == "local":
        state = background.up(directory)
        return Cluster("local", Path(state.kubeconfig), state.redis_url)
    if choice.kind == "kind":
        return Cluster("kind", _kind_cluster(directory))
    kubeconfig = Path(os.environ["KUBECONFIG"].split(os.pathsep)[0])
    _run(str(binaries() / "kubectl"), f"--kubeconfig={kubeconfig}", "version")
    return Cluster("kubeconfig", kubeconfig)


def dispose(choice: Choice, directory: Path = background.STATE) -> None:
    """Take down what `provide` brought up; somebody else's cluster is left alone."""
    if choice.kind == "local":
        background.down(directory)
    elif choice.kind == "kind":
        _run("kind", "delete", "cluster", "--name", KIND_CLUSTER)
        shutil.rmtree(directory, ignore_errors=True)


def _kind_cluster(directory: Path) -> Path:
    if KIND_CLUSTER not in _run("kind", "get", "clusters").split():
        _run("kind", "create", "cluster", "--name", KIND_CLUSTER, "--wait", "120s")
    for target, image in IMAGES.items():
        say(f"building and loading {image}")
        _run("docker", "build", "--target", target, "--tag", image, str(REPOSITORY))
        _run("kind", "load", "docker-image", image, "--name", KIND_CLUSTER)
    directory.mkdir(parents=True, exist_ok=True)
    kubeconfig = directory / "kind.kubeconfig"
    kubeconfig.touch(mode=0o600)
    kubeconfig.write_text(_run("kind", "get", "kubeconfig", "--name", KIND_CLUSTER))
    return kubeconfig


def _docker_answers() -> bool:
    if not shutil.which("docker"):
        return False
    try:
        return subprocess.run(["docker", "info"], capture_output=True, timeout=10, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ClusterError(f"{' '.join(command)} failed:\n{done.stderr.strip()}")
    return done.stdout
