"""`python -m testbed`: up is idempotent, down leaves nothing, a killed keeper takes everything along."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from testbed.background import State, leftovers, running_state
from testbed.paths import HACK
from testbed.waiting import eventually

pytestmark = pytest.mark.integration

POD = """
apiVersion: v1
kind: Pod
metadata: {name: sleeper}
spec:
  restartPolicy: Never
  containers: [{name: main, image: python, command: [sh, -c, "sleep 1000 & sleep 1000"]}]
"""


def command_line(directory: Path, command: str) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-m", "testbed", "--state", str(directory), command]
    return subprocess.run(arguments, cwd=HACK, capture_output=True, text=True, check=False)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """A state directory; whatever the test did, nothing runs in it afterwards."""
    yield tmp_path / "state"
    command_line(tmp_path / "state", "down")


def up(directory: Path) -> State:
    done = command_line(directory, "up")
    assert done.returncode == 0, done.stderr
    state = running_state(directory)
    assert state is not None
    return state


def run_a_pod(state: State) -> None:
    kubectl = [f"{state.binaries}/kubectl", f"--kubeconfig={state.kubeconfig}"]
    subprocess.run([*kubectl, "apply", "-f", "-"], input=POD, text=True, check=True, capture_output=True)
    wait = ["wait", "--for=condition=Ready", "pod/sleeper", "--timeout=60s"]
    subprocess.run([*kubectl, *wait], check=True, capture_output=True)


def sleepers(directory: Path) -> list[str]:
    return [command for command in leftovers(directory).values() if command == "sleep 1000"]


def test_up_twice_use_down(directory: Path) -> None:
    state = up(directory)
    assert up(directory) == state
    run_a_pod(state)
    eventually(lambda: len(sleepers(directory)) == 2, "the container's shell has come to its two programs")
    with Redis.from_url(state.redis_url) as client:
        assert client.ping()
    assert f"export KUBECONFIG={state.kubeconfig}\n" in command_line(directory, "env").stdout
    assert "kube-apiserver" in command_line(directory, "status").stdout
    assert command_line(directory, "down").returncode == 0
    assert leftovers(directory) == {}
    assert not directory.exists()
    for command in ("status", "env"):
        assert command_line(directory, command).returncode == 1
    assert command_line(directory, "down").returncode == 0


def test_a_killed_keeper_takes_everything_along_and_up_starts_anew(directory: Path) -> None:
    state = up(directory)
    run_a_pod(state)
    os.kill(state.pid, signal.SIGKILL)
    eventually(lambda: not leftovers(directory), "nothing is left")
    assert command_line(directory, "status").returncode == 1
    assert up(directory).pid != state.pid


def test_a_directory_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    for command in ("up", "down"):
        done = command_line(tmp_path, command)
        assert done.returncode == 1
        assert "is not the directory of a test bed" in done.stderr
    assert (tmp_path / "thesis.txt").exists()
