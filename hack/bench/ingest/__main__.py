"""`python -m bench.ingest`: spans a second and core from OTLP-JSON files to parts, and where that has moved to.

Two forms of the same agent's traces are read: *conversations*, whose model calls repeat the whole history, and *short*
ones, with a tool call a span and one answer. `--beside CHECKOUT` reads them with another checkout too, in turns, and
tells the ratio and whether both gave the same parts. Times are user and system CPU, medians, for a busy machine. Beside
each stands what merely parsing the same lines costs, which no reader can beat. The last line is one JSON object.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from bench.cycles.__main__ import inputs_of_an_agent
from bench.ingest import conversations

FILES = 4


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.ingest", description=__doc__.split("\n")[0])
    parser.add_argument("--traces", type=int, default=2_500)
    parser.add_argument("--repeat", type=int, default=3, help="readings of which the median is told")
    parser.add_argument("--beside", type=Path, help="another checkout, such as a git worktree of an older commit")
    given = parser.parse_args()
    sides = {"here": Path(__file__).parents[3]} | ({"beside": given.beside.resolve()} if given.beside else {})
    with tempfile.TemporaryDirectory(prefix="ninefold-bench-") as folder:
        _write(Path(folder) / "warm", "short", 10)
        found = {form: measure(Path(folder) / form, form, given, sides) for form in ("conversations", "short")}
    print(json.dumps({**found, "load_average": round(os.getloadavg()[0], 1)}))


def measure(folder: Path, form: str, given: argparse.Namespace, sides: dict[str, Path]) -> dict[str, Any]:
    spans = _write(folder, form, given.traces)
    runs: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
    for _ in range(given.repeat):
        for side, checkout in sides.items():
            runs[side].append(_read(folder, checkout))
            print(form, side, {k: v for k, v in runs[side][-1].items() if k != "parts"}, file=sys.stderr)
    cpu = {side: median(run["cpu_seconds"] for run in own) for side, own in runs.items()}
    out: dict[str, Any] = {"spans": spans, "bytes": sum(f.stat().st_size for f in folder.iterdir())}
    for side, own in runs.items():
        out[side] = {
            "microseconds_a_span": round(cpu[side] / spans * 1e6, 1),
            "spans_a_second_and_core": round(spans / cpu[side]),
            "times_parsing": round(cpu[side] / median(run["parse_cpu_seconds"] for run in own), 1),
            "peak_mib": max(run["peak_mib"] for run in own),
        }
    if "beside" in sides:
        out["ratio"] = round(cpu["beside"] / cpu["here"], 2)
        out["same_parts"] = runs["here"][0]["parts"] == runs["beside"][0]["parts"]
    return out


def _write(folder: Path, form: str, traces: int) -> int:
    """Some files of traces; the number of their spans."""
    folder.mkdir()
    content = form == "conversations"
    made = conversations.lines(traces if content else traces * 2, turns=5 if content else 10, content=content)
    files = [(folder / f"{n}.jsonl").open("w") for n in range(FILES)]
    spans = 0
    for n, line in enumerate(made):
        files[n % FILES].write(line + "\n")
        spans += line.count('"spanId"')
    for file in files:
        file.close()
    return spans


def _read(folder: Path, checkout: Path) -> dict[str, Any]:
    """What one reading by a checkout says of itself."""
    paths = os.pathsep.join(str(checkout / inner) for inner in ("operator", "hack"))
    command = [
        sys.executable,
        str(Path(__file__).with_name("side.py")),
        str(folder),
        json.dumps(inputs_of_an_agent().wire()),
    ]
    said = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": paths}
    )
    found: dict[str, Any] = json.loads(said.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
