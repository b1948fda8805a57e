"""Which cluster to use: `CLUSTER=kind|kubeconfig|local`, or what is there.

- `kubeconfig`: the cluster that `KUBECONFIG` names.
- `kind`: a cluster in Docker, for machines that have both programs.
- `local`: this package's control plane and local node; no images at all.

Without a wish the first that applies is taken, in this order; a wish is kept or refused, never replaced by
something else. Only the decision is made here, and nothing is started: what is put into a cluster is up to
the caller. `kind` cannot be tried on the machines where this project is built, which have no Docker engine.
"""

import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["kubeconfig", "kind", "local"]


class ClusterError(RuntimeError):
    """The wished-for cluster cannot be had; the message says what is missing."""


@dataclass(frozen=True)
class Choice:
    """A kind of cluster, and the sentence that tells the user which and why."""

    kind: Kind
    sentence: str


def choose(
    environment: Mapping[str, str],
    docker_answers: Callable[[], bool],
    have: Callable[[str], bool],
) -> Choice:
    """Decide, from `CLUSTER` and `KUBECONFIG` in the environment and from what is installed."""
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
        return Choice("kind", "using kind: a cluster in Docker")
    return Choice("local", "using the local control plane and the local node (a test bed: pods are processes)")


def choose_here(environment: Mapping[str, str]) -> Choice:
    """`choose` with what this machine has."""
    return choose(environment, docker_is_here, lambda program: shutil.which(program) is not None)


def docker_is_here() -> bool:
    """Whether there is a Docker, and it answers soon."""
    if not shutil.which("docker"):
        return False
    try:
        return subprocess.run(["docker", "info"], capture_output=True, timeout=10, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False
