"""The shim: what it starts never outlives the process that asked for it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from testbed.processes import SHIM
from testbed.waiting import eventually

STUBBORN_FAMILY = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
with open(sys.argv[1], "w") as file:
    print(os.getpid(), child.pid, file=file, flush=True)
time.sleep(float(sys.argv[2]))
"""
"""A program that ignores SIGTERM and has a child in another session."""

Shimmed = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def shimmed() -> Iterator[Shimmed]:
    """Start a command below a shim; whatever is left is cut off at the end."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*command: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([*SHIM, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.append(process)
        return process

    yield start
    for process in started:
        process.communicate(timeout=60)


@pytest.fixture
def pid_file(tmp_path: Path) -> Path:
    return tmp_path / "pids"


def family_of(pid_file: Path) -> list[int]:
    """The two process ids that the family wrote, once it did."""
    return eventually(
        lambda: [int(word) for word in pid_file.read_text().split()] if pid_file.exists() else [],
        "the family has started",
    )


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def assert_all_gone(pids: list[int]) -> None:
    eventually(lambda: not any(alive(pid) for pid in pids), f"none of {pids} is left")


@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", 137), ("kill -TERM $$", 143)],
)
def test_the_commands_end_becomes_the_shims(shimmed: Shimmed, script: str, code: int) -> None:
    assert shimmed("sh", "-c", script).wait(10) == code


def test_a_missing_command_is_127(shimmed: Shimmed) -> None:
    assert shimmed("no-such-command").wait(10) == 127


def test_sigterm_reaches_the_command_and_lets_it_finish(shimmed: Shimmed) -> None:
    process = shimmed("sh", "-c", "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done")
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.terminate()
    assert process.stdout.readline() == b"bye\n"
    assert process.wait(10) == 3


def test_sigusr1_kills_the_whole_tree(shimmed: Shimmed, pid_file: Path) -> None:
    process = shimmed(sys.executable, "-c", STUBBORN_FAMILY, str(pid_file), "1000")
    family = family_of(pid_file)
    process.send_signal(signal.SIGUSR1)
    assert process.wait(10) == 137
    assert_all_gone(family)


def test_what_the_command_leaves_running_is_killed(shimmed: Shimmed, pid_file: Path) -> None:
    process = shimmed(sys.executable, "-c", STUBBORN_FAMILY, str(pid_file), "0")
    family = family_of(pid_file)
    assert process.wait(10) == 0
    assert_all_gone(family)


def test_everything_dies_when_the_parent_is_killed(pid_file: Path) -> None:
    """SIGKILL leaves the parent no chance to clean up; the kernel closes the tether for it."""
    program = "import subprocess, sys, time; subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE); time.sleep(1000)"
    family_command = [sys.executable, "-c", STUBBORN_FAMILY, str(pid_file), "1000"]
    with subprocess.Popen([sys.executable, "-c", program, *SHIM, *family_command]) as parent:
        family = family_of(pid_file)
        assert all(alive(pid) for pid in family)
        parent.kill()
    assert_all_gone(family)


def test_the_command_dies_when_the_shim_is_killed(shimmed: Shimmed, pid_file: Path) -> None:
    process = shimmed(sys.executable, "-c", STUBBORN_FAMILY, str(pid_file), "1000")
    command, grandchild = family_of(pid_file)
    process.kill()
    assert process.wait(10) == -signal.SIGKILL
    assert_all_gone([command])
    os.kill(grandchild, signal.SIGKILL)  # documented limit: only the command itself goes with a killed shim
