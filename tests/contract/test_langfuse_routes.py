"""The same recorded traces, over OpenTelemetry's files and over every way out of Langfuse, give the same table.

What differs, and why it must:
- `cost_usd`: OpenTelemetry carries none. `prompt_version`: it names no attribute for it.
- the source of a score: it came as an event with the trace, or was sent to Langfuse's API as one.
- the type of a metadata value: Langfuse stores the attributes of a span as text (`3` becomes "3"), which is compared as
  text here, as `when` and `taskKey` compare it.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langfuse_clients import ALL_TIME, SHARED, Contract, Wire
from trace_builders import an_agent_spec

from ninefold.api.tracebackend import OtlpSource, Privacy, TraceBackendSpec
from ninefold.traces import Backend, StepTable, collect, open_backend
from ninefold.traces.private import Private
from standins.langfuse import Project, StandIn, ingest, write_export

pytestmark = pytest.mark.recorded

TRACES = 100
VOLUME = {"persistentVolumeClaim": {"claimName": "traces"}}
YEAR = [
    ("2020-01-01T00:00:00.000Z", "2025-10-09T12:00:00.000Z"),
    ("2025-10-09T12:00:00.000Z", "2040-01-01T00:00:00.000Z"),
]
UNEQUAL = {
    "traces": ("cost_usd", "outcome_source", "metadata"),
    "steps": ("cost_usd", "prompt_version"),
    "scores": ("source",),
    "messages": (),
}
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """One OTLP line a trace, of an agent that was recorded at work."""
    out = tmp_path_factory.mktemp("recorded") / "traces.jsonl"
    agent, data = SHARED / "recorded" / "recorded_agent.py", SHARED / "data" / "intercode-sql" / "gpt-3.5"
    asked = ["export", "--data", str(data), "--split", "test", "--seed", "0", "--out", str(out)]
    subprocess.run([sys.executable, str(agent), *asked], check=True)
    return out.read_text().splitlines()[:TRACES]


@pytest.fixture(scope="module")
def project(lines: list[str]) -> Project:
    return ingest(lines)


@pytest.fixture(scope="module")
def over_otlp(lines: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Rows, dict[str, int]]:
    root = tmp_path_factory.mktemp("otlp")
    (root / "traces.jsonl").write_text("\n".join(lines))
    spec = TraceBackendSpec(otlp=OtlpSource.model_validate({"volume": VOLUME}))
    table = read(open_backend(spec, root))
    return rows_of(table), table.losses


def read(backend: Backend) -> StepTable:
    return collect(backend, ALL_TIME, an_agent_spec())


def rows_of(table: StepTable) -> Rows:
    """The table as rows in a fixed order, without the columns that must differ."""
    found: Rows = {}
    for name, unequal in UNEQUAL.items():
        rows = getattr(table, name).to_pylist()
        for row in rows:
            if "metadata" in row:
                row["metadata_as_text"] = {k: str(v) for k, v in json.loads(row["metadata"]).items()}
            for column in unequal:
                del row[column]
        found[name] = sorted(rows, key=lambda row: [str(row.get(k)) for k in ("trace_id", "step_id", "hash", "name")])
    return found


def over_api(generation: Any) -> Callable[[Project, Path], Backend]:
    def route(project: Project, root: Path) -> Backend:
        contract = Contract(SHARED / "data" / "langfuse-openapi.yml") if generation != "v2" else None
        # As `open_backend` wraps it, which has no place for a stand-in.
        return Private(Wire(StandIn(project, generation), contract).backend(), Privacy(), {})

    return route


def over_export(kind: Any) -> Callable[[Project, Path], Backend]:
    def route(project: Project, root: Path) -> Backend:
        write_export(project, root, YEAR, kind)
        source = {"export": {"volume": VOLUME, "format": kind}}
        return open_backend(TraceBackendSpec.model_validate({"langfuse": source}), root)

    return route


ROUTES = {
    "version 4": over_api("v4"),
    "version 3": over_api("v3"),
    "version 2": over_api("v2"),
    "export as Parquet": over_export("parquet"),
    "export as JSON lines": over_export("jsonl"),
}


@pytest.mark.parametrize("route", ROUTES)
def test_every_way_out_of_langfuse_gives_the_table_of_the_otlp_file(
    route: str, project: Project, over_otlp: tuple[Rows, dict[str, int]], tmp_path: Path
) -> None:
    table = read(ROUTES[route](project, tmp_path))
    found, (expected, losses) = rows_of(table), over_otlp
    assert len(found["traces"]) == TRACES
    for name, rows in expected.items():
        assert len(found[name]) == len(rows)
        for own, theirs in zip(found[name], rows, strict=True):
            assert own == theirs
    assert {name: n for name, n in table.losses.items() if name != "duplicate_observations"} == losses
