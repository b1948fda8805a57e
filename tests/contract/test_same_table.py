"""One split of the recorded agent, about 520 traces, gives the same table whatever the route.

Every column of every row is compared, and every loss. What may differ is only what a route cannot carry: the cost and
the prompt's version (OpenTelemetry names neither), and what a backend's own clock cannot tell apart (`Route.tick`).
The recordings are dressed up first with what production has and they have not: users, versions, odd metadata, times
between two milliseconds.
"""

import gzip
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from langfuse_clients import SHARED, Contract, Wire
from mapped_rows import MAPPING, mapped
from moto.server import ThreadedMotoServer
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from otel_rows import insert
from protobuf_lines import as_protobuf
from trace_builders import an_agent_spec, attributes

from contract import sdk, servers
from ninefold.api.tracebackend import LOGIN_PREFIX, USER_HASH_KEY, Privacy, TraceBackendSpec
from ninefold.traces import Backend, StepTable, Window, collect, open_backend
from ninefold.traces.otlp import flats_in
from ninefold.traces.private import Private
from ninefold.traces.stored import on_volume
from standins.clickhouse import ClickHouseStandIn
from standins.langfuse import Project, StandIn, ingest, write_export
from standins.langfuse.answers import Generation

pytestmark = pytest.mark.recorded

DDL = Path(__file__).parents[2] / "hack/standins/otel_traces.sql"
VOLUME = {"persistentVolumeClaim": {"claimName": "traces"}}
PRIVACY = {"userHashKeySecretRef": {"name": "privacy", "key": "user-hash"}}
SECRETS = {
    USER_HASH_KEY: "0123456789abcdef0123456789abcdef",
    f"{LOGIN_PREFIX}ACCESS_KEY_ID": "key",
    f"{LOGIN_PREFIX}SECRET_ACCESS_KEY": "secret",
}
UNEQUAL = {
    "traces": {"cost_usd"},
    "steps": {"cost_usd", "prompt_version"},
    "scores": set[str](),
    "messages": set[str](),
}
MICROSECOND, MILLISECOND = 1_000, 1_000_000
Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Recorded:
    """The recordings, as OTLP-JSON lines in a file by itself."""

    folder: Path
    lines: list[str]

    @cached_property
    def project(self) -> Project:
        return ingest(self.lines)

    @property
    def window(self) -> Window:
        roots = [json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"][0] for line in self.lines]
        starts = [int(root["startTimeUnixNano"]) for root in roots]
        return Window(min(starts), max(starts) + 1)


@dataclass(frozen=True)
class Route:
    """A way of the recordings to a backend that holds them. `tick`: nanoseconds that it can tell apart."""

    opened: Callable[[Recorded, Path], Any]
    tick: int = 1
    needs: tuple[str, ...] = ()
    """Real servers."""
    own_losses: frozenset[str] = field(default_factory=frozenset)
    """Counted by this backend alone."""


# ---------------------------------------------------------------- the recordings


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    out = tmp_path_factory.mktemp("recorded") / "traces.jsonl"
    agent, data = SHARED / "recorded" / "recorded_agent.py", SHARED / "data" / "intercode-sql" / "gpt-3.5"
    asked = ["export", "--data", str(data), "--split", "train", "--seed", "0", "--out", str(out)]
    subprocess.run([sys.executable, str(agent), *asked], check=True)
    lines = [dressed(n, json.loads(line)) for n, line in enumerate(out.read_text().splitlines())]
    assert len(lines) > 500
    out.write_text("\n".join(lines))
    return Recorded(out.parent, lines)


def dressed(n: int, request: dict[str, Any]) -> str:
    """A recording with a user, versions, metadata of every type, and times between two milliseconds."""
    (group,) = request["resourceSpans"]
    group["resource"]["attributes"] += attributes(service__version="2.1.0")
    spans = group["scopeSpans"][0]["spans"]
    for k, span in enumerate(spans):
        for name in ("startTimeUnixNano", "endTimeUnixNano"):
            span[name] = str(int(span[name]) + n * 1_234_567 + k * 1_001)
        for event in span.get("events", ()):
            event["timeUnixNano"] = span["endTimeUnixNano"]
    own = {
        "app__rate": 0.5,
        "app__paid": n % 2 == 0,
        "app__round": 2.0,
        "app__tags": ["a", "b"],
        "app__städte": "Köln ☂",
    }
    spans[0]["attributes"] += attributes(user__id=f"user-{n % 7}", **own)
    return json.dumps(request, ensure_ascii=False)


@pytest.fixture(scope="module")
def expected(recorded: Recorded) -> StepTable:
    """What the file of OTLP-JSON lines gives."""
    table = read(of_spec({"otlp": {"volume": VOLUME, "path": "traces.jsonl"}}, recorded.folder), recorded)
    assert table.traces.num_rows == len(recorded.lines)
    assert pa.compute.sum(table.traces["outcome"]).as_py() > 100
    return table


# ---------------------------------------------------------------- OpenTelemetry


def of_spec(source: dict[str, Any], root: Path | None = None) -> Backend:
    return open_backend(TraceBackendSpec.model_validate({**source, "privacy": PRIVACY}), root, SECRETS)


@contextmanager
def gzipped(recorded: Recorded, folder: Path) -> Iterator[Backend]:
    (folder / "traces.json.gz").write_bytes(gzip.compress("\n".join(recorded.lines).encode()))
    yield of_spec({"otlp": {"volume": VOLUME}}, folder)


@contextmanager
def protobuf(recorded: Recorded, folder: Path) -> Iterator[Backend]:
    """One message after the other, each with its length before it, as the file exporter writes protobuf."""
    records = [as_protobuf(line).SerializeToString() for line in recorded.lines]
    (folder / "traces.binpb").write_bytes(b"".join(len(r).to_bytes(4, "big") + r for r in records))
    yield of_spec({"otlp": {"volume": VOLUME}}, folder)


@contextmanager
def object_store(recorded: Recorded, folder: Path) -> Iterator[Backend]:
    """Objects of some traces each, in partitioned folders, as the S3 exporter writes them."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
        s3 = boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys)
        s3.create_bucket(Bucket="telemetry")
        for n in range(0, len(recorded.lines), 100):
            whole = TracesData()
            for line in recorded.lines[n : n + 100]:
                whole.resource_spans.extend(as_protobuf(line).resource_spans)
            key = f"otel/year=2026/month=11/day=23/hour={n // 100:02}/traces_{n}.binpb.gz"
            s3.put_object(Bucket="telemetry", Key=key, Body=gzip.compress(whole.SerializeToString()))
        names = ("accessKeyIdSecretRef", "secretAccessKeySecretRef")
        refs = {name: {"name": "s3", "key": "k"} for name in names}
        yield of_spec({"otlp": {"objectStore": {"url": "s3://telemetry/otel", "endpoint": url, **refs}}})
    finally:
        server.stop()


@contextmanager
def exporters_table(recorded: Recorded, folder: Path) -> Iterator[Backend]:
    """The exporter's table, filled as it fills it."""
    with ClickHouseStandIn() as server:
        server.query(DDL.read_bytes())
        insert(server, flats_in(on_volume([recorded.folder / "traces.jsonl"], recorded.folder), Counter()))
        yield of_spec({"clickhouse": {"url": server.url}})


@contextmanager
def collected(recorded: Recorded, folder: Path, path: str) -> Iterator[Backend]:
    with servers.collector(folder) as url:
        sdk.send(url, recorded.lines)
    yield of_spec({"otlp": {"volume": VOLUME, "path": path}}, folder)


@contextmanager
def collected_into_clickhouse(recorded: Recorded, folder: Path) -> Iterator[Backend]:
    with ClickHouseStandIn() as server, servers.collector(folder, server.url) as url:
        sdk.send(url, recorded.lines)
        yield of_spec({"clickhouse": {"url": server.url}})


@contextmanager
def jaeger(recorded: Recorded, folder: Path) -> Iterator[Backend]:
    with servers.jaeger(folder) as (otlp, query):
        sdk.send(otlp, recorded.lines)
        yield of_spec({"jaeger": {"url": query}})


# ---------------------------------------------------------------- Langfuse, and files of one's own


def langfuse(generation: Generation) -> Callable[[Recorded, Path], Any]:
    @contextmanager
    def opened(recorded: Recorded, folder: Path) -> Iterator[Backend]:
        contract = Contract(SHARED / "data" / "langfuse-openapi.yml") if generation != "v2" else None
        backend = Wire(StandIn(recorded.project, generation), contract).backend()
        # As `open_backend` wraps it, which has no place for a stand-in.
        yield Private(backend, Privacy.model_validate(PRIVACY), SECRETS)

    return opened


def export(kind: Any) -> Callable[[Recorded, Path], Any]:
    @contextmanager
    def opened(recorded: Recorded, folder: Path) -> Iterator[Backend]:
        """Three runs, whose bounds are times of observations: those rows come twice."""
        times = sorted(row["startTime"] for row in recorded.project.observations)
        edges = [times[0], times[len(times) // 3], times[len(times) // 2], "2040-01-01T00:00:00.000Z"]
        write_export(recorded.project, folder, list(pairwise(edges)), kind)
        yield of_spec({"langfuse": {"export": {"volume": VOLUME, "format": kind}}}, folder)

    return opened


def files(form: str) -> Callable[[Recorded, Path], Any]:
    @contextmanager
    def opened(recorded: Recorded, folder: Path) -> Iterator[Backend]:
        rows = [row for line in recorded.lines for row in mapped(json.loads(line))]
        if form == "parquet":
            pq.write_table(pa.Table.from_pylist(rows), folder / "rows.parquet")
        else:
            (folder / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
        yield of_spec({"files": {"volume": VOLUME, "format": form, "mapping": MAPPING}}, folder)

    return opened


TWICE = frozenset({"duplicate_observations", "duplicate_scores"})
ROUTES = {
    "gzipped": Route(gzipped),
    "OTLP file, protobuf": Route(protobuf),
    "OTLP in an object store": Route(object_store),
    "exporter's table in ClickHouse": Route(exporters_table),
    "collector, JSON": Route(lambda r, f: collected(r, f, "traces.json"), needs=("collector",)),
    "collector, protobuf in zstd": Route(lambda r, f: collected(r, f, "traces.binpb.zst"), needs=("collector",)),
    "collector and ClickHouse": Route(collected_into_clickhouse, needs=("collector",)),
    "Jaeger": Route(jaeger, MICROSECOND, needs=("jaeger",)),
    "Langfuse 4": Route(langfuse("v4"), MILLISECOND),
    "Langfuse 3": Route(langfuse("v3"), MILLISECOND),
    "Langfuse 2": Route(langfuse("v2"), MILLISECOND),
    "Langfuse export, Parquet": Route(export("parquet"), MILLISECOND, own_losses=TWICE),
    "Langfuse export, JSON lines": Route(export("jsonl"), MILLISECOND, own_losses=TWICE),
    "mapped JSON lines": Route(files("jsonl")),
    "mapped Parquet": Route(files("parquet")),
}


@pytest.mark.parametrize("name", ROUTES)
def test_every_route_gives_the_same_table(name: str, recorded: Recorded, expected: StepTable, tmp_path: Path) -> None:
    route = ROUTES[name]
    if missing := [server for server in route.needs if servers.cached(server) is None]:
        pytest.skip(f"{missing[0]} is not built: `make contract` builds it")
    with route.opened(recorded, tmp_path) as backend:
        table = read(backend, recorded, route.tick)
    wanted, found = rows_of(expected, route.tick), rows_of(table, route.tick)
    for part, rows in wanted.items():
        for theirs, own in zip(rows, found[part], strict=False):
            assert own == theirs, part
        assert len(found[part]) == len(rows), part
    assert {k: n for k, n in table.losses.items() if k not in route.own_losses} == expected.losses


def read(backend: Backend, recorded: Recorded, tick: int = 1) -> StepTable:
    """The table of the window, whose first moment a backend may know only to the tick before."""
    window = Window(recorded.window.start // tick * tick, recorded.window.end)
    return collect(backend, window, an_agent_spec())


def rows_of(table: StepTable, tick: int) -> Rows:
    """The table as rows in a fixed order, without the columns that may differ, times cut to the tick."""
    found: Rows = {}
    for part, unequal in UNEQUAL.items():
        columns = getattr(table, part)
        for place, column in enumerate(columns.schema):
            if pa.types.is_timestamp(column.type):
                nanos = pa.array([v // tick * tick for v in columns[column.name].cast(pa.int64()).to_pylist()])
                columns = columns.set_column(place, column.name, nanos)
        rows = columns.drop_columns(sorted(unequal)).to_pylist()
        found[part] = sorted(rows, key=lambda row: [str(row.get(k)) for k in ("trace_id", "step_id", "hash", "name")])
    return found
