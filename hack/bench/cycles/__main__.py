"""`python -m bench.cycles`: what a day of new traces costs, by the length of the history that is kept as parts.

Every day is made, coded, read and packed as a pod would; then the kept parts are read back, put together and analysed.
Times are told apart by what they hang on: on the new day (its part), and on the history. CPU seconds are those of this
process and of its engine, and so is the peak, which leaves out the making of the day. The last line is one JSON object.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bench.analysis.planted import populate, read_plan, tables
from bench.analysis.studied import cpu_seconds, forget_peak, memory
from ninefold.analysis import Embedded, Part, conclude, together
from ninefold.api.inputs import RunInputs
from ninefold.traces import StepTable
from ninefold.traces.table import SCORES


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.cycles", description=__doc__.split("\n")[0])
    parser.add_argument("--day", type=int, default=10_000, help="traces of one day")
    parser.add_argument("--days", type=int, default=6)
    parser.add_argument("--at", type=int, nargs="*", default=[1, 2, 4], help="days after which a cycle is measured")
    given = parser.parse_args()
    print(json.dumps(measure(given.day, given.days, {*given.at, given.days})))


def measure(day: int, days: int, at: set[int]) -> dict[str, Any]:
    inputs, plan, kept = inputs_of_an_agent(), read_plan(), list[bytes]()
    cycles = []
    with Embedded() as engine:
        both = (os.getpid(), engine.pid)  # the engine's process is the next one's too
    for number in range(days):
        made = tables(populate(day, 0, plan, number))
        table = StepTable(made.traces, made.steps, SCORES.empty_table(), made.messages)
        spent: dict[str, float] = {}
        forget_peak(both)
        with _timed(spent, "part", both):
            kept.append(Part.of(table, inputs).to_bytes())
        del made, table
        if number + 1 not in at:
            continue
        forget_peak(both)
        with _timed(spent, "together", both):
            whole = together(map(Part.from_bytes, kept))
        with _timed(spent, "analysis", both):
            done = conclude(whole, inputs)
        cycles.append(
            {
                "traces": done.report.traces,
                "parts_bytes": sum(map(len, kept)),
                "bytes_a_trace": round(sum(map(len, kept)) / done.report.traces, 1),
                "patterns": len(done.report.patterns),
                **spent,
                # Of this process; the engine's own holds the tables of one statement beside it.
                "peak_mib": memory("VmHWM", both),
            }
        )
        print(json.dumps(cycles[-1]), file=sys.stderr)
    return {"day": day, "cycles": cycles, "load_average": round(os.getloadavg()[0], 1)}


@contextmanager
def _timed(spent: dict[str, float], name: str, both: Sequence[int]) -> Iterator[None]:
    began, cpu = time.perf_counter(), cpu_seconds(both)
    yield
    spent[f"{name}_seconds"] = round(time.perf_counter() - began, 3)
    spent[f"{name}_cpu_seconds"] = round(cpu_seconds(both) - cpu, 2)


def inputs_of_an_agent() -> RunInputs:
    """Of a run over twenty years, for an agent whose traces have a task, an intent and a score."""
    return RunInputs.model_validate(
        {
            "run": "r",
            "runUid": "u",
            "namespace": "n",
            "agentName": "desk",
            "agentUid": "a",
            "agent": {
                "model": {"name": "m", "endpoint": "https://model.example/v1"},
                "components": [{"name": "system", "text": "Help."}],
                "traces": {"backendRef": {"name": "b"}, "taskKey": "app.task"},
                "success": {"score": "solved", "atLeast": 1},
                "replay": {"endpoint": {"url": "http://agent.example"}},
                "delivery": {"mode": "Client", "configMap": "desk"},
            },
            "policy": {"agentRef": {"name": "desk"}, "analysis": {"intentKey": "app.intent"}},
            "backend": {"otlp": {"volume": {"configMap": {"name": "c"}}}},
            "baseline": {"components": {"system": "Help."}},
            "windowStart": "2020-01-01T00:00:00Z",
            "windowEnd": "2040-01-01T00:00:00Z",
        }
    )


if __name__ == "__main__":
    main()
