"""kubectl as a function: what the harness knows of a cluster, a user of the cluster could know as well."""

import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from testbed.processes import environment_for_tools

Manifest = dict[str, Any]


class KubectlError(RuntimeError):
    """kubectl failed; the message is what it printed."""


@dataclass(frozen=True)
class Kubectl:
    """One cluster, one user, one namespace."""

    command: tuple[str, ...]
    namespace: str
    environment: Mapping[str, str] | None = None

    @classmethod
    def of_kubeconfig(cls, binary: str, kubeconfig: str, namespace: str) -> "Kubectl":
        return cls((binary, f"--kubeconfig={kubeconfig}"), namespace, environment_for_tools())

    def within(self, namespace: str) -> "Kubectl":
        """The same, in another namespace."""
        return replace(self, namespace=namespace)

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """Standard output of one call. Raises KubectlError with its standard error."""
        done = subprocess.run(
            self._line(arguments), input=stdin, capture_output=True, text=True, env=self.environment, check=False
        )
        if done.returncode:
            raise KubectlError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def get(self, kind: str, name: str) -> Manifest:
        """One object. Raises KubectlError when it is not there."""
        found: Manifest = json.loads(self.run("get", kind, name, "-o", "json"))
        return found

    def apply(self, manifests: Iterable[Manifest]) -> None:
        """Server-side apply, as `kubectl apply --server-side -f` of one List."""
        items = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        self.run("apply", "--server-side", "--field-manager=demo-user", "-f", "-", stdin=json.dumps(items))

    @contextmanager
    def running(self, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
        """A call that goes on, such as `get --watch`, with its output on `stdout`; killed at the end."""
        process = subprocess.Popen(
            self._line(arguments), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=self.environment
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()

    def _line(self, arguments: Sequence[str]) -> list[str]:
        return [*self.command, f"--namespace={self.namespace}", *arguments]
