"""`python -m bench.analysis`: what the analysis finds of what was planted, how fast, and in how much memory.

Traces are made shard by shard and coded as they come (that is ingest, told apart); then the study of all of them is
timed in a process of its own, `--repeat` times with the median told: values, calibration, contrasts, cover, evidence,
nines, and the sampling of cases. Its memory is counted from when what was ingested lies in the engine. `--growth` does
this at several sizes and tells the exponent of growth; `--pandas` does the counts of the study once more (`by_pandas`
says which). The last line is one JSON object.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa

from bench.analysis.direct import add_sequences
from bench.analysis.planted import SHARD, populate, read_plan, tables
from bench.analysis.planted.causes import DEFAULT
from bench.analysis.planted.score import Finding, score
from bench.analysis.studied import Ingested
from ninefold.analysis.decisions.coder import Coder
from ninefold.analysis.embedded import Embedded
from ninefold.traces.table import StepTable


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.analysis", description=__doc__.split("\n")[0])
    parser.add_argument("--traces", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--causes", type=Path, default=DEFAULT, help="file of planted causes")
    parser.add_argument(
        "--sequences", action="store_true", help="code one shard and make the sequences of the others directly"
    )
    parser.add_argument("--repeat", type=int, default=1, help="studies of which the median is told")
    parser.add_argument("--pandas", action="store_true", help="also do the counts of the study with pandas")
    parser.add_argument("--server", action="store_true", help="study on a stand-in for a ClickHouse server")
    parser.add_argument("--growth", type=int, nargs="+", help="sizes, such as 100000 1000000: one process each")
    given = parser.parse_args()
    print(json.dumps(growth(given) if given.growth else measure(given)))


def growth(given: argparse.Namespace) -> dict[str, Any]:
    """Every size in a process of its own; the exponent of time between the smallest and the largest."""
    own = ["--seed", str(given.seed), "--causes", str(given.causes), "--repeat", str(given.repeat), "--sequences"]
    own += ["--pandas"] if given.pandas else []
    own += ["--server"] if given.server else []
    rows = []
    for size in given.growth:
        command = [sys.executable, "-m", "bench.analysis", "--traces", str(size), *own]
        row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
        rows.append({name: row[name] for name in ROW})
        print(json.dumps(rows[-1]), file=sys.stderr)
    small, large = rows[0], rows[-1]
    times = math.log(large["study_cpu_seconds"] / small["study_cpu_seconds"])
    return {"sizes": rows, "exponent": round(times / math.log(large["traces"] / small["traces"]), 2)}


ROW = ("traces", "steps", "study_seconds", "study_cpu_seconds", "pandas_counts_seconds", "ingested_mib",
       "study_peak_mib", "recall", "precision", "load_average")  # fmt: skip


def measure(given: argparse.Namespace) -> dict[str, Any]:
    plan = read_plan(given.causes)
    truth = []
    with Embedded() as engine, tempfile.TemporaryDirectory(prefix="ninefold-bench-") as folder:
        coder = Coder(engine, "app.intent")
        ingest = 0.0
        for shard in range(-(-given.traces // SHARD)):
            drawn = populate(min(SHARD, given.traces - shard * SHARD), given.seed, plan, shard)
            if given.sequences and shard:
                truth.append(add_sequences(engine, coder, drawn))
                continue
            made = tables(drawn)
            truth.append(made.truth)
            began = time.perf_counter()
            coder.add(StepTable(made.traces, made.steps, pa.table({}), made.messages))
            ingest += time.perf_counter() - began
            print(f"{coder.traces} traces coded", file=sys.stderr)
            del made
        began = time.perf_counter()
        ingested = Ingested.of(engine, coder)
        ingest += time.perf_counter() - began
        ingested.save(Path(folder))
        done = _studied(Path(folder), given)
    for kind, *_, summary in done["findings"]:
        print(f"{kind}: {summary}", file=sys.stderr)
    found = score([Finding(*f[:4]) for f in done.pop("findings")], pa.concat_tables(truth), plan)
    return {
        "traces": coder.traces,
        "steps": coder.steps,
        "seed": given.seed,
        "recall": found.recall,
        "precision": found.precision,
        "missed": found.missed,
        "decoys": found.decoys,
        "sequences_made_directly": given.sequences,
        "ingest_seconds": None if given.sequences else round(ingest, 3),
        "ingest_steps_per_second": None if given.sequences else round(coder.steps / ingest),
        **done,
        "load_average": round(os.getloadavg()[0], 1),
    }


def _studied(folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """What a process of its own says, which holds nothing but what was ingested."""
    command = [sys.executable, "-m", "bench.analysis.studied", str(folder), "--repeat", str(given.repeat)]
    command += ["--pandas"] if given.pandas else []
    command += ["--server"] if given.server else []
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
