"""`python -m ninefold.jobs`: the command line, lazy imports, and SIGTERM."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ninefold.jobs.__main__ import main
from testbed import RedisServer

OPERATOR = Path(__file__).parents[3] / "operator"

STAGE = """
import sys, time, asyncio
from ninefold.api.artifacts import ProbeReport
async def run(context):
    assert not {"chdb", "openai", "httpx", "kubernetes", "kopf"} & set(sys.modules), "a probe needs none of these"
    print("running", flush=True)
    await asyncio.to_thread(time.sleep, 3600)
"""
"""A stage in a thread that nobody can cancel, as an engine's is."""


def test_replay_must_name_its_bucket(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["replay"])
    assert caught.value.code == 2
    assert "replay needs --bucket selection or --bucket sealed" in capsys.readouterr().err


def test_sigterm_ends_the_pod_at_once_and_with_a_sentence(redis_server: RedisServer, tmp_path: Path) -> None:
    (tmp_path / "inputs.json").write_text('{"backend": {}}')
    (tmp_path / "stand_in.py").write_text(STAGE)
    start = "import sys, runpy, stand_in; sys.modules['ninefold.jobs.probe'] = stand_in; sys.argv[1:] = ['probe'];"
    process = subprocess.Popen(
        [sys.executable, "-c", start + "runpy.run_module('ninefold.jobs', run_name='__main__')"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ
        | {
            "PYTHONPATH": f"{OPERATOR}:{tmp_path}",
            "NINEFOLD_INPUTS": str(tmp_path / "inputs.json"),
            "NINEFOLD_REDIS_URL": redis_server.url,
            "NINEFOLD_ARTIFACT": "ninefold:b:artifact:probe:1:1",
            "NINEFOLD_TERMINATION_LOG": str(tmp_path / "termination-log"),
        },
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"running\n"
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=20)
    assert process.returncode == 1
    assert json.loads((tmp_path / "termination-log").read_text())["reason"] == "Interrupted"
    assert json.loads(log.splitlines()[-1])["level"] == "ERROR"
