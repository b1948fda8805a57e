"""The engine's two homes: the same statements give the same artifacts, within limits, and can be interrupted.

No ClickHouse server is at hand: its HTTP interface before the embedded engine, in a process of its own, stands in.
"""

import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from trace_builders import a_table, run_inputs, visits

from ninefold.analysis import Part, analyze_parts
from ninefold.analysis.embedded import Embedded
from ninefold.analysis.engine import Engine, EngineError
from ninefold.analysis.limits import Limits, limits
from ninefold.analysis.process import Process
from ninefold.analysis.server import Server

MIB = 2**20


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    path = os.pathsep.join(p for p in sys.path if p)
    with subprocess.Popen(
        [sys.executable, "-m", "standins.clickhouse", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.kill()


def databases(server: Server) -> list[str]:
    return [r["name"] for r in server.query("SELECT name FROM system.databases WHERE startsWith(name, 'ninefold_')")]


@pytest.fixture(params=["embedded", "server"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    if request.param == "embedded":
        with Embedded() as own:
            yield own
    else:
        with Server(request.getfixturevalue("url"), "default", "") as theirs:
            yield theirs


def test_both_homes_give_the_same_artifacts(url: str) -> None:
    inputs = run_inputs()
    part = Part.of(a_table(visits(400)), inputs)
    here = analyze_parts([part], inputs)
    there = analyze_parts([part], inputs, home=lambda: Server(url, "default", ""))
    assert here.report.patterns
    assert there.report.to_bytes() == here.report.to_bytes()
    assert (there.selection, there.sealed) == (here.selection, here.sealed)


def test_tables_go_in_and_arrow_comes_out(engine: Engine) -> None:
    rows = pa.table(
        {
            "n": pa.array([1, 2], pa.uint32()),
            "said": ["a", None],
            "ok": [True, False],
            "seq": pa.array([[1, 2], []], pa.list_(pa.uint16())),
        }
    )
    engine.load("one", rows)
    engine.derive("two", "SELECT n, length(seq) AS size FROM one WHERE ok")
    engine.create("three", "n UInt32, size UInt64")
    engine.append("three", "SELECT * FROM two")
    assert engine.query("SELECT * FROM three") == [{"n": 1, "size": 2}]
    assert engine.query("SELECT ifNull(said, '-') AS said FROM one ORDER BY n") == [{"said": "a"}, {"said": "-"}]
    assert engine.arrow("SELECT seq FROM one ORDER BY n")["seq"].to_pylist() == [[1, 2], []]
    engine.load("one", rows.slice(0, 0))
    assert engine.query("SELECT count() AS n FROM one") == [{"n": 0}]
    engine.drop("one")
    with pytest.raises(EngineError, match="UNKNOWN_TABLE"):
        engine.query("SELECT * FROM one")


def test_an_error_says_nothing_of_the_data(engine: Engine) -> None:
    with pytest.raises(EngineError) as raised:
        engine.query("SELECT toUInt8(concat('secret', toString(number))) FROM numbers(2)")
    assert "secret" not in str(raised.value)


def test_a_database_is_gone_when_its_analysis_is(url: str) -> None:
    with Server(url, "default", "") as server:
        assert len(databases(server)) == 1
    with Server(url, "default", "") as next_one:
        assert len(databases(next_one)) == 1


def test_what_a_pod_that_died_has_left_is_dropped_a_day_later(url: str) -> None:
    now = datetime.now(UTC)
    left = [f"ninefold_{(now - timedelta(hours=h)).strftime('%Y%m%d%H%M%S')}_{h}" for h in (2, 30)]
    with Server(url, "default", "") as server:
        for name in (*left, "ninefold_of_somebody"):
            server._command(f"CREATE DATABASE {name}")
    with Server(url, "default", "") as next_one:
        names = databases(next_one)
        assert left[0] in names
        assert left[1] not in names
        assert "ninefold_of_somebody" in names
        for name in (left[0], "ninefold_of_somebody"):
            next_one._command(f"DROP DATABASE {name}")


def test_a_server_that_is_not_there_is_told_without_its_address() -> None:
    with pytest.raises(EngineError) as raised:
        Server("http://127.0.0.1:9", "default", "a password")
    assert "password" not in str(raised.value)


# ---------------------------------------------------------------- limits


def test_limits_are_those_of_the_cgroup(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text(f"{1000 * MIB}\n")
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    own = limits(tmp_path)
    assert own == Limits(650 * MIB, 2)
    assert own.settings() == {
        "max_memory_usage": 650 * MIB,
        "max_bytes_before_external_group_by": 390 * MIB,
        "max_bytes_ratio_before_external_group_by": 0,
        "max_bytes_before_external_sort": 390 * MIB,
        "max_bytes_ratio_before_external_sort": 0,
        "max_threads": 2,
    }


def test_limits_of_the_first_version_of_cgroups_are_read_too(tmp_path: Path) -> None:
    for name in ("memory", "cpu"):
        (tmp_path / name).mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text(str(100 * MIB))
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("50000")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert limits(tmp_path) == Limits(65 * MIB, 1)


@pytest.mark.parametrize(("memory", "cpu"), [("max", "max 100000"), ("", ""), ("9223372036854771712", "-1 100000")])
def test_without_a_limit_the_engine_keeps_its_own(tmp_path: Path, memory: str, cpu: str) -> None:
    (tmp_path / "memory.max").write_text(memory)
    (tmp_path / "cpu.max").write_text(cpu)
    assert limits(tmp_path).settings() == {}


def test_a_statement_that_needs_more_than_the_limit_says_what_to_give() -> None:
    with (
        Embedded(Limits(memory=300 * MIB)) as engine,
        pytest.raises(EngineError, match=r"spec\.jobs\.resources\.limits") as raised,
    ):
        engine.query("SELECT length(groupArray(number)) AS n FROM numbers(200000000)")
    assert raised.value.reason == "OutOfMemory"


GROUPED = "SELECT sum(c) AS n FROM (SELECT number % 1000000 AS k, uniqExact(number) AS c FROM numbers(1e6) GROUP BY k)"


def test_what_is_grouped_spills_to_disk_before_the_limit() -> None:
    with Embedded(Limits(memory=300 * MIB, threads=2)) as engine:
        assert engine.query(GROUPED) == [{"n": 1_000_000}]


def test_without_a_spill_the_same_statement_is_out_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ninefold.analysis.limits.SPILL", 0)
    with Embedded(Limits(memory=300 * MIB, threads=2)) as engine, pytest.raises(EngineError) as raised:
        engine.query(GROUPED)
    assert raised.value.reason == "OutOfMemory"


# ---------------------------------------------------------------- a process of its own

MINUTES = "SELECT sum(sipHash64(number)) AS n FROM numbers(30000000000)"


def test_the_engine_lives_in_a_process_that_knows_no_secret_and_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NINEFOLD_MODEL_API_KEY", "a secret")
    own = Limits(memory=333 * MIB)
    with Embedded(own) as engine:
        first = engine.pid
        engine.load("one", pa.table({"n": [1]}))
    assert first != os.getpid()
    assert b"a secret" not in Path(f"/proc/{first}/environ").read_bytes()
    with Embedded(own) as engine:
        assert engine.pid == first
        with pytest.raises(EngineError, match="UNKNOWN_TABLE"):
            engine.query("SELECT * FROM one")


@pytest.mark.parametrize(
    ("how", "reason", "says"),
    [
        (
            signal.SIGKILL,
            "OutOfMemory",
            r"was killed .* as the kernel does when memory runs out.*spec\.jobs\.resources",
        ),
        (signal.SIGSEGV, "EngineDied", r"ended in the middle of a statement \(signal 11\)"),
    ],
)
def test_an_engine_that_dies_is_a_sentence_and_the_next_one_works(how: int, reason: str, says: str) -> None:
    with pytest.raises(EngineError, match=says) as raised, Embedded() as engine:
        threading.Thread(target=_once_at_work, args=(engine.pid, how)).start()
        engine.query(MINUTES)
    assert raised.value.reason == reason
    with Embedded() as engine:
        assert engine.query("SELECT 1 AS n") == [{"n": 1}]


def _once_at_work(pid: int, how: int) -> None:
    """Send a signal to a process that has begun to burn its time."""
    began = _ticks(pid)
    while _ticks(pid) < began + 5:
        pass
    os.kill(pid, how)


def _ticks(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11])


def test_the_kernel_is_to_take_the_engine_before_who_asks() -> None:
    with Embedded() as engine:
        assert Path(f"/proc/{engine.pid}/oom_score_adj").read_text() == "1000\n"


def test_a_long_statement_is_told_while_it_is_at_work(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ninefold.analysis.process.STILL", 0.01)
    with caplog.at_level("INFO"), Embedded() as engine:
        engine.query("-- Something long.\nSELECT sum(sipHash64(number)) AS n FROM numbers(5000000)")
    assert "engine: still at Something long." in caplog.messages


def test_a_signal_ends_a_statement_and_the_engine_with_it() -> None:
    path = os.pathsep.join(p for p in sys.path if p)
    program = (
        "import signal\n"
        "from ninefold.analysis.embedded import Embedded\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "with Embedded() as engine:\n"
        "    print(engine.pid, engine._process.folder, flush=True)\n"
        f"    engine.query('{MINUTES}')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    ) as process:
        assert process.stdout is not None
        pid, folder = process.stdout.readline().split()
        process.send_signal(signal.SIGINT)
        # The statement alone would take minutes.
        assert process.wait(timeout=60) != 0
    assert not Path(f"/proc/{pid.decode()}").exists()
    assert not Path(folder.decode()).exists()


def test_an_engine_goes_with_who_asked_however_that_one_went() -> None:
    process = Process(Limits())
    gone = os.pidfd_open(process.pid)
    process._pipe.send_bytes(json.dumps([MINUTES, "Null"]).encode())
    process._pipe.close()
    assert select.select([gone], [], [], 60)[0]
    os.close(gone)
    process.end()
    assert not Path(process.folder).exists()
