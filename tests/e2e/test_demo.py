"""The loop closes: the two programs that show it, run as a user runs them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.paths import REPOSITORY

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SHARED = Path(os.environ.get("NINEFOLD_SHARED", REPOSITORY.parent / "shared"))


def program(*command: str) -> subprocess.CompletedProcess[str]:
    paths = f"{REPOSITORY / 'operator'}:{REPOSITORY / 'hack'}"
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_demo_closes_the_loop(tmp_path: Path) -> None:
    done = program("demo", "--cluster", "local", "--down", "--directory", str(tmp_path / "demo"))
    assert done.returncode == 0, done.stdout + done.stderr
    for shown in ("Succeeded=True", "nines lost", "=== ", "release.json", "→"):
        assert shown in done.stdout


def test_the_demo_says_why_when_the_loop_does_not_close(tmp_path: Path) -> None:
    done = program("demo", "--cluster", "local", "--down", "--deadline", "1", "--directory", str(tmp_path / "demo"))
    assert done.returncode == 1
    assert "The loop did not close: no run ended within 1 s." in done.stderr


@pytest.mark.recorded
@pytest.mark.skipif(not (SHARED / "recorded").exists(), reason="needs the recordings beside the checkout")
def test_the_recorded_agent_gets_a_better_prompt() -> None:
    done = program("recorded", "--data", str(SHARED), "--seeds", "0", "--control", "wrong-key")
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["promoted"] / figures["cases"] >= 0.63  # goal of the mean over seeds: 0.66; one seed varies
    assert figures["invented_per_case"] <= 0.7
    assert figures["wins"] - figures["losses"] == figures["promoted"] - figures["blind"]
