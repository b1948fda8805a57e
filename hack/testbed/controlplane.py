"""A real Kubernetes control plane as three child processes: etcd, API server, controller manager.

It is what a cluster has above its nodes: admission, CEL validation, RBAC, server-side apply, watches,
the Job controller, garbage collection, namespace deletion. It has no scheduler and no node; for
pods that run, put `testbed.localnode` beside it.

What differs from a production set-up, and why:

- etcd does not fsync: the data never outlives the run, and start-up is several times faster.
- The controller manager runs the controllers that the tests meet (`CONTROLLERS`), without leader
  election: fewer idle watches on a small machine, and no lease writes in the audit log.
- Everything listens on the loopback interface, on ports that were free a moment ago.

What does not differ: TLS with a certificate authority that every kubeconfig names, RBAC as the only
authorizer, default admission (so `automountServiceAccountToken: false` is what keeps tokens out of
pods), and signed service-account tokens.
"""

import csv
import datetime
import json
import ssl
import subprocess
import urllib.request
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed import audit
from testbed.binaries import binaries
from testbed.kubeconfig import write_kubeconfig
from testbed.pki import Authority
from testbed.ports import free_port
from testbed.processes import Daemon, environment_for_tools
from testbed.server import Server
from testbed.waiting import eventually

CONTROLLERS = (
    "clusterrole-aggregation-controller",
    "cronjob-controller",
    "deployment-controller",
    "disruption-controller",
    "garbage-collector-controller",
    "job-controller",
    "namespace-controller",
    "node-lifecycle-controller",
    "persistentvolume-binder-controller",
    "persistentvolumeclaim-protection-controller",
    "pod-garbage-collector-controller",
    "replicaset-controller",
    "resourcequota-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "statefulset-controller",
    "ttl-after-finished-controller",
)

READY_SECONDS = 60.0
"""Far above the usual two or three seconds: a busy CI machine is slow, not broken."""


@dataclass(frozen=True)
class User:
    """Somebody who may log in with a bearer token; what they may do is up to RBAC."""

    token: str
    name: str
    groups: tuple[str, ...] = ()


ADMIN = User(token="testbed-admin", name="admin", groups=("system:masters",))


class ControlPlane(Server):
    """etcd, kube-apiserver and kube-controller-manager, as a context manager.

    `directory` keeps data, keys, logs and kubeconfigs; without one a temporary directory is used and
    removed at the end. `users` may log in besides `ADMIN`, with exactly the rights that RBAC objects
    give them. The binaries are built first if this machine has none yet.
    """

    def __init__(
        self,
        directory: Path | None = None,
        users: Iterable[User] = (),
        port: int | None = None,
    ) -> None:
        super().__init__(directory, "controlplane")
        self.port = port or free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.audit_log = self.directory / "audit.log"
        self.users = {user.name: user for user in (ADMIN, *users)}
        self.binaries = binaries()
        self.authority = Authority(self.directory / "pki")
        self._trust = ssl.create_default_context(cafile=str(self.authority.certificate_file))
        self._etcd_port = free_port()
        self._signing_key = self.authority.signing_key("service-accounts")
        self._write_inputs()
        self._etcd = self._daemon("etcd", self._etcd_flags())
        self._apiserver = self._daemon("kube-apiserver", self._apiserver_flags())
        self._controllers = self._daemon("kube-controller-manager", self._controller_flags())

    # ------------------------------------------------------------------ life

    def start(self) -> None:
        """Start all three and wait until the API server says `readyz` and namespaces get accounts."""
        self._etcd.start()
        self._apiserver.start()
        self._apiserver.wait_until(self._ready, READY_SECONDS)
        self._controllers.start()
        self._controllers.wait_until(self._takes_pods, READY_SECONDS)

    def stop(self) -> None:
        """Stop all three; clients first, so that none logs the loss of its server."""
        for daemon in (self._controllers, self._apiserver, self._etcd):
            daemon.stop()
        super().stop()

    def restart_apiserver(self) -> None:
        """Kill the API server, start it on the same data and port, wait until it is ready.

        Every watch and every open request breaks, as when a one-node control plane fails.
        """
        self.stop_apiserver()
        self.start_apiserver()

    def stop_apiserver(self) -> None:
        """Make the API server unreachable until `start_apiserver`."""
        self._apiserver.kill()

    def start_apiserver(self) -> None:
        self._apiserver.start()
        self._apiserver.wait_until(self._ready, READY_SECONDS)

    # ------------------------------------------------------------------ access

    def kubeconfig(self, user: str = "admin") -> Path:
        """A kubeconfig for `admin` or one of `users`; it names the server's authority."""
        return self._kubeconfig(user, {"token": self.users[user].token})

    def certificate_kubeconfig(self, user: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig for any user name at all, proven by a client certificate made on the spot."""
        certificate, key = self.authority.client(user, user, groups)
        return self._kubeconfig(user, {"client-certificate": certificate, "client-key": key})

    def service_account_kubeconfig(self, namespace: str, name: str, hours: int = 24) -> Path:
        """A kubeconfig with a real, signed token of an existing service account.

        What a pod of that account would hold: the way to try a chart's RBAC from outside.
        """
        token = self.kubectl("create", "token", name, f"--namespace={namespace}", f"--duration={hours}h").stdout.strip()
        return self._kubeconfig(f"{namespace}.{name}", {"token": token})

    def kubectl(
        self, *arguments: str, user: str = "admin", stdin: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run the control plane's own kubectl; with `check`, a failure raises with what it printed."""
        command = [
            str(self.binaries / "kubectl"),
            f"--kubeconfig={self.kubeconfig(user)}",
            f"--cache-dir={self.directory / 'kubectl-cache'}",
            *arguments,
        ]
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, env=environment_for_tools(), check=False
        )
        if check and done.returncode:
            raise RuntimeError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done

    def create_namespace(self, name: str) -> None:
        """A new namespace that takes pods: its account comes from a controller, late where that just reconnects."""
        self.kubectl("create", "namespace", name)
        eventually(lambda: self._takes_pods(name), f"namespace {name} has its default account")

    def get(self, path: str) -> bytes | None:
        """What the API server answers the administrator at this path; None if it refuses or is away.

        For polling: a process for each look, as `kubectl` is, would slow down what is waited for.
        """
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {ADMIN.token}"})
        try:
            with urllib.request.urlopen(request, timeout=5, context=self._trust) as answer:
                body: bytes = answer.read()
                return body
        except OSError:
            return None

    def audit_writes(self, user: str | None = None, since: datetime.datetime | None = None) -> list[dict[str, Any]]:
        """The writes that the API server recorded, oldest first; see `testbed.audit`."""
        return audit.read_writes(self.audit_log, user, since)

    # ------------------------------------------------------------------ pieces

    def _daemon(self, name: str, flags: list[str]) -> Daemon:
        log = self.directory / f"{name}.log"
        return Daemon(name, [str(self.binaries / name), *flags], log, environment_for_tools())

    def _write_inputs(self) -> None:
        """The two files that the API server reads beside its keys."""
        (self.directory / "audit-policy.json").write_text(json.dumps(audit.POLICY))
        tokens = self.directory / "tokens.csv"
        tokens.touch(mode=0o600)
        with tokens.open("w", newline="") as file:
            rows = csv.writer(file)
            for user in self.users.values():
                rows.writerow([user.token, user.name, user.name, ",".join(user.groups)])

    def _etcd_flags(self) -> list[str]:
        clients = f"http://127.0.0.1:{self._etcd_port}"
        peers = f"http://127.0.0.1:{free_port()}"
        return [
            f"--data-dir={self.directory / 'etcd'}",
            "--unsafe-no-fsync",
            "--log-level=warn",
            f"--listen-client-urls={clients}",
            f"--advertise-client-urls={clients}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
        ]

    def _apiserver_flags(self) -> list[str]:
        authority = self.authority
        certificate, key = authority.server("apiserver")
        kubelet_certificate, kubelet_key = authority.client("apiserver-to-node", "kube-apiserver")
        return [
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--secure-port={self.port}",
            "--service-cluster-ip-range=10.96.0.0/16",
            f"--tls-cert-file={certificate}",
            f"--tls-private-key-file={key}",
            f"--client-ca-file={authority.certificate_file}",
            f"--kubelet-certificate-authority={authority.certificate_file}",
            f"--kubelet-client-certificate={kubelet_certificate}",
            f"--kubelet-client-key={kubelet_key}",
            "--kubelet-preferred-address-types=InternalIP",
            f"--token-auth-file={self.directory / 'tokens.csv'}",
            "--anonymous-auth=false",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-signing-key-file={self._signing_key}",
            f"--service-account-key-file={self._signing_key}",
            f"--audit-policy-file={self.directory / 'audit-policy.json'}",
            f"--audit-log-path={self.audit_log}",
        ]

    def _controller_flags(self) -> list[str]:
        kubeconfig = self.certificate_kubeconfig("system:kube-controller-manager")
        return [
            f"--kubeconfig={kubeconfig}",
            "--bind-address=127.0.0.1",
            f"--secure-port={free_port()}",
            "--leader-elect=false",
            "--use-service-account-credentials=true",
            f"--controllers={','.join(CONTROLLERS)}",
            f"--root-ca-file={self.authority.certificate_file}",
            f"--service-account-private-key-file={self._signing_key}",
        ]

    def _kubeconfig(self, name: str, credentials: dict[str, Any]) -> Path:
        path = self.directory / f"{name.replace(':', '-')}.kubeconfig"
        return write_kubeconfig(path, self.url, self.authority.certificate_file, credentials)

    def _ready(self) -> bool:
        return self.get("/readyz") is not None

    def _takes_pods(self, namespace: str = "default") -> bool:
        """Pods are refused before their namespace has its `default` account."""
        return self.get(f"/api/v1/namespaces/{namespace}/serviceaccounts/default") is not None
