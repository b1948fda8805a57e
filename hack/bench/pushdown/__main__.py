"""`python -m bench.pushdown`: what reading the exporter's table costs, by what the server is left to do.

The embedded engine behind a stand-in for the server's HTTP interface, in a process of its own, makes a day of traces
of five agents, with long prompts and histories that every turn repeats. They are read a quarter of a day at a time, as
a Job reads them, in four ways: as it was first done (all spans of the hours around), those of the window's traces,
their content once, and of one agent only. Told are the bytes that arrived, and CPU of the reader and of the server; the
last line is one JSON object.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa

from bench.analysis.studied import cpu_seconds
from ninefold.api.agent import AgentSpec
from ninefold.api.tracebackend import ClickHouseSource
from ninefold.traces import StepTable, Window, collect
from ninefold.traces import clickhouse as reader
from ninefold.traces.clickhouse_statements import STARTED, WHOLE

DAY = 24 * 3600 * 10**9
START = 1_790_000_000 * 10**9
PASSES = 4
_DDL = Path(__file__).parents[2] / "standins/otel_traces.sql"
_FILL = Path(__file__).parent / "day.sql"


class Weighed(httpx.HTTPTransport):
    """Counts the bytes of answers."""

    arrived = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle_request(request)
        self.arrived += int(answer.headers["Content-Length"])
        return answer


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.pushdown", description=__doc__.split("\n")[0])
    parser.add_argument("--traces", type=int, default=10_000)
    parser.add_argument("--ways", nargs="*", choices=WAYS, default=list(WAYS))
    given = parser.parse_args()
    command = [sys.executable, "-m", "standins.clickhouse", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            _asked(url, _DDL.read_text())
            _asked(url, _FILL.read_text(), traces=given.traces, start=START)
            found = [_measured(way, url, server.pid) for way in given.ways]
        finally:
            server.kill()
    every = [steps for row, steps in found if row["traces"] == given.traces]
    print(json.dumps({
        "traces": given.traces,
        "ways": [row for row, _ in found],
        "same_steps": all(steps.equals(every[0]) for steps in every),
        "load_average": round(os.getloadavg()[0], 1),
    }))  # fmt: skip


def _measured(way: str, url: str, server: int) -> tuple[dict[str, Any], pa.Table]:
    agent, whole, statement = WAYS[way]
    weighed, tables = Weighed(), list[StepTable]()
    vars(reader)["WHOLE"] = statement  # what the room imports is not its to export
    began, before = time.perf_counter(), (cpu_seconds([os.getpid()]), cpu_seconds([server]))
    for n in range(PASSES):
        backend = reader.ClickHouse(ClickHouseSource(url=url), {}, agent, weighed)
        backend._nested = whole
        window = Window(START + n * DAY // PASSES, START + (n + 1) * DAY // PASSES)
        tables.append(collect(backend, window, _agent(agent)))
    row = {
        "way": way,
        "traces": sum(t.traces.num_rows for t in tables),
        "mib": round(weighed.arrived / 2**20, 1),
        "reader_cpu_seconds": round(cpu_seconds([os.getpid()]) - before[0], 1),
        "server_cpu_seconds": round(cpu_seconds([server]) - before[1], 1),
        "seconds": round(time.perf_counter() - began, 1),
    }
    print(json.dumps(row), file=sys.stderr)
    return row, pa.concat_tables(t.steps for t in tables)


def _asked(url: str, sql: str, **values: int) -> None:
    params = {f"param_{name}": value for name, value in values.items()}
    httpx.post(url, params=params, content=sql.encode(), timeout=600).raise_for_status()


def _agent(name: str | None) -> AgentSpec:
    return AgentSpec.model_validate(
        {
            "model": {"name": "m"},
            "components": [{"name": "system", "text": "Be careful."}],
            "traces": {"backendRef": {"name": "b"}, **({"agentName": name} if name else {})},
            "success": {"score": "solved"},
            "delivery": {"configMap": "prompts"},
        }
    )


WAYS: dict[str, tuple[str | None, bool, str]] = {
    "all spans around": (None, True, WHOLE.replace(f" AND {STARTED}", "")),
    "traces of the window": (None, True, WHOLE),
    "content once": (None, False, WHOLE),
    "one agent of five": ("agent-1", False, WHOLE),
}
"""Of which agent, whether spans come whole, and the statement for those."""

if __name__ == "__main__":
    main()
