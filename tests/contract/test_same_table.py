"""The recorded agent's traces, pushed through every route of OpenTelemetry's, give the same table."""

import gzip
import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx
import pytest
from langfuse_clients import SHARED
from otel_rows import insert
from same_table import assert_same

from contract import servers
from ninefold.api.tracebackend import TraceBackendSpec
from ninefold.traces import Window, open_backend
from ninefold.traces.model import TraceRecord
from ninefold.traces.otlp import flats_in
from ninefold.traces.stored import on_volume
from standins.clickhouse import ClickHouseStandIn

pytestmark = pytest.mark.recorded
ALWAYS = Window(10**18, 4 * 10**18)
DDL = Path(__file__).parents[2] / "hack/standins/otel_traces.sql"


def files(root: Path, path: str) -> list[TraceRecord]:
    spec = TraceBackendSpec.model_validate({"otlp": {"volume": {"configMap": {"name": "c"}}, "path": path}})
    return list(open_backend(spec, root).read(ALWAYS))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("recorded") / "traces.jsonl"
    agent, data = SHARED / "recorded" / "recorded_agent.py", SHARED / "data" / "intercode-sql" / "gpt-3.5"
    asked = ["export", "--data", str(data), "--split", "train", "--seed", "0", "--out", str(out)]
    subprocess.run([sys.executable, str(agent), *asked], check=True)
    return out


@pytest.fixture(scope="module")
def wanted(recorded: Path) -> list[TraceRecord]:
    traces = files(recorded.parent, recorded.name)
    assert len(traces) > 500
    return traces


def test_gzipped(recorded: Path, wanted: list[TraceRecord]) -> None:
    packed = recorded.with_name("traces.json.gz")
    packed.write_bytes(gzip.compress(recorded.read_bytes()))
    assert_same(wanted, files(recorded.parent, packed.name))


def test_the_exporters_table_in_clickhouse(recorded: Path, wanted: list[TraceRecord]) -> None:
    with ClickHouseStandIn() as server:
        server.query(DDL.read_bytes())
        insert(server, flats_in(on_volume([recorded], recorded.parent), Counter()))
        spec = TraceBackendSpec.model_validate({"clickhouse": {"url": server.url}})
        assert_same(wanted, open_backend(spec, None, {}).read(ALWAYS))


@pytest.mark.skipif(servers.cached("collector") is None, reason="collector is not built: `make contract` builds it")
def test_a_real_collectors_files(recorded: Path, wanted: list[TraceRecord], tmp_path: Path) -> None:
    with servers.collector(tmp_path) as url:
        push(url, recorded)
    for name in ("traces.json", "traces.binpb", "traces.json.zst", "traces.binpb.zst"):
        assert_same(wanted, files(tmp_path, name))


@pytest.mark.skipif(servers.cached("jaeger") is None, reason="jaeger is not built: `make contract` builds it")
def test_a_real_jaeger(recorded: Path, wanted: list[TraceRecord], tmp_path: Path) -> None:
    near = Window(min(r.start_ts for r in wanted), max(r.start_ts for r in wanted) + 1)
    with servers.jaeger(tmp_path) as (otlp, query):
        push(otlp, recorded)
        spec = TraceBackendSpec.model_validate({"jaeger": {"url": query}})
        assert_same(wanted, open_backend(spec, None, {}).read(near), resolution=1000)


def push(url: str, lines: Path) -> None:
    with httpx.Client(headers={"Content-Type": "application/json"}) as client, lines.open("rb") as file:
        for line in file:
            client.post(f"{url}/v1/traces", content=line).raise_for_status()
