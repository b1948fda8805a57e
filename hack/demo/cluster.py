"""The demo in a cluster with real pods: `kind`, or whatever the kubeconfig points at.

Everything goes in the way a user would bring it: the chart by Helm, the agent as a Deployment, its traces into a
directory of the node. Therefore the cluster must have one node, or at least one that all these pods land on.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from harness.follow import Say
from harness.kubectl import Kubectl, Manifest
from testbed.binaries import binaries
from testbed.paths import REPOSITORY

SYSTEM = "ninefold-system"
RELEASE = "ninefold"
KIND = "ninefold-demo"
PROGRAM = ("__init__", "agent", "episode", "standin", "telemetry", "world")
"""Modules of this package that the agent consists of; they need the standard library alone."""
NODE_DIRECTORY = Path("/var/tmp/ninefold-demo")
PORT = 8901


@dataclass(frozen=True)
class Installation:
    """A cluster that is not ours to keep, and what was put into it. Written down, so that another process can undo it.

    `kind` names the kind cluster that the demo has made, if it has made one.
    """

    kubeconfig: str
    kind: str | None = None

    def kubectl(self, namespace: str = "default") -> Kubectl:
        return Kubectl.of_kubeconfig(tool("kubectl"), self.kubeconfig, namespace)

    def install(self, images: "Images", values: Sequence[str]) -> None:
        """Install or upgrade the chart, and wait until the operator is ready."""
        command = [tool("helm"), "upgrade", "--install", RELEASE, str(REPOSITORY / "charts" / "ninefold")]
        command += [f"--kubeconfig={self.kubeconfig}", f"--namespace={SYSTEM}", "--create-namespace"]
        command += ["--wait", "--timeout=5m"]
        for value in images.values():
            command += ["--set-string", value]
        for value in ("allowHostPath=true", *values):
            command += ["--set", value]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pods = self.kubectl(SYSTEM).run("get", "pods")
            raise RuntimeError(f"the chart did not come up: {done.stderr.strip()}\n{pods}")

    def remove(self, namespace: str) -> None:
        """Take away all that the demo brought: a whole kind cluster, else its namespaces, release and CRDs."""
        if self.kind:
            subprocess.run(["kind", "delete", "cluster", f"--name={self.kind}"], capture_output=True, check=False)
            return
        kubectl = self.kubectl()
        kubectl.run("delete", "namespace", namespace, "--ignore-not-found")
        command = [tool("helm"), "uninstall", RELEASE, f"--kubeconfig={self.kubeconfig}", f"--namespace={SYSTEM}"]
        subprocess.run([*command, "--ignore-not-found"], capture_output=True, check=False)
        kubectl.run("delete", "--ignore-not-found", "-f", str(REPOSITORY / "crds"))
        kubectl.run("delete", "namespace", SYSTEM, "--ignore-not-found")


@dataclass(frozen=True)
class Images:
    """References that the cluster's nodes can resolve, each with a tag."""

    operator: str = "ninefold/operator:demo"
    jobs: str = "ninefold/jobs:demo"

    def values(self) -> Iterator[str]:
        """As the chart wants them."""
        for component, reference in (("image", self.operator), ("jobs.image", self.jobs)):
            repository, _, tag = reference.rpartition(":")
            yield f"{component}.repository={repository}"
            yield f"{component}.tag={tag}"


def tool(name: str) -> str:
    """`kubectl` or `helm`: from PATH, else those that were built for the test bed."""
    return shutil.which(name) or str(binaries() / name)


def make_kind(kubeconfig: Path, images: Images, say: Say) -> Installation:
    """A kind cluster with both images in it."""
    say("creating a kind cluster")
    _must("kind", "create", "cluster", f"--name={KIND}", f"--kubeconfig={kubeconfig}", "--wait=120s")
    for target, reference in (("operator", images.operator), ("jobs", images.jobs)):
        say(f"building {reference}")
        _must("docker", "build", f"--target={target}", f"--tag={reference}", str(REPOSITORY))
        _must("kind", "load", "docker-image", reference, f"--name={KIND}")
    return Installation(str(kubeconfig), KIND)


def _must(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:3])}: {done.stderr.strip()[-2000:]}")


class ClusterPlace:
    """The agent runs as a Deployment of the Jobs' image; its program is mounted from a ConfigMap."""

    def __init__(self, kubectl: Kubectl, images: Images, namespace: str) -> None:
        self.kubectl = kubectl
        self.trace_directory = NODE_DIRECTORY
        self.url = f"http://shop-agent.{namespace}.svc:{PORT}/replay"
        self._image = images.jobs
        self._here = kubectl.within(namespace)

    def start_agent(self, components: Mapping[str, str]) -> dict[str, float]:
        """See `loop.Place`."""
        kubectl = self._here
        deployment, service, job = self._pods()
        kubectl.apply([_program(components), deployment, service])
        kubectl.run("rollout", "status", "deployment/shop-agent", "--timeout=180s")
        kubectl.apply([job])
        name = job["metadata"]["name"]
        kubectl.run("wait", "--for=condition=complete", f"job/{name}", "--timeout=180s")
        done: dict[str, float] = json.loads(kubectl.run("logs", f"job/{name}").splitlines()[-1])
        return done

    @contextmanager
    def reach(self) -> Iterator[str]:
        """See `loop.Place`; through `kubectl port-forward`, which chooses the port."""
        with self._here.running("port-forward", "service/shop-agent", f":{PORT}") as forward:
            assert forward.stdout is not None
            port = re.search(r":(\d+) ->", forward.stdout.readline())
            if port is None:
                raise RuntimeError("kubectl port-forward did not say which port it took")
            yield f"http://127.0.0.1:{port.group(1)}/replay"

    def _pods(self) -> list[Manifest]:
        found: list[Any] = list(yaml.safe_load_all(Path(__file__).with_name("pods.yaml").read_text()))
        for one in found:
            if template := one["spec"].get("template"):
                template["spec"]["containers"][0]["image"] = self._image
                for volume in template["spec"]["volumes"]:
                    if "hostPath" in volume:
                        volume["hostPath"]["path"] = str(self.trace_directory)
        return found


def _program(components: Mapping[str, str]) -> Manifest:
    here = Path(__file__).parent
    files = {f"{name}.py": (here / f"{name}.py").read_text() for name in PROGRAM}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "shop-agent-program"},
        "data": files | {"prompts.json": json.dumps(dict(components))},
    }
