"""`python -m bench.analysis`: what the analysis finds of what was planted, how fast, and in how much memory.

Traces are made shard by shard and coded as they come (that is ingest, told apart); then the study of all of them is
timed: values, calibration, contrasts, cover, evidence. The same counts by pandas follow in the same run. The last
line is one JSON object.
"""

import argparse
import importlib
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa

from bench.analysis.direct import add_sequences
from bench.analysis.planted import SHARD, populate, read_plan, tables
from bench.analysis.planted.causes import DEFAULT
from bench.analysis.planted.score import Finding, score
from ninefold.analysis.decisions import tables as counted
from ninefold.analysis.decisions.coder import Coder
from ninefold.analysis.decisions.study import study
from ninefold.analysis.embedded import Embedded
from ninefold.analysis.engine import Engine
from ninefold.api.artifacts import Pattern
from ninefold.traces.table import StepTable


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.analysis", description=__doc__.split("\n")[0])
    parser.add_argument("--traces", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--causes", type=Path, default=DEFAULT, help="file of planted causes")
    parser.add_argument(
        "--sequences", action="store_true", help="code one shard and make the sequences of the others directly"
    )
    parser.add_argument("--pandas", action="store_true", help="also do the counts of the study with pandas")
    given = parser.parse_args()
    print(json.dumps(measure(given.traces, given.seed, given.causes, compare=given.pandas, direct=given.sequences)))


def measure(traces: int, seed: int, causes: Path, *, compare: bool, direct: bool = False) -> dict[str, Any]:
    plan = read_plan(causes)
    truth = []
    with Embedded() as engine:
        coder = Coder(engine, "app.intent")
        ingest = 0.0
        for shard in range(-(-traces // SHARD)):
            drawn = populate(min(SHARD, traces - shard * SHARD), seed, plan, shard)
            if direct and shard:
                truth.append(add_sequences(engine, coder, drawn))
                continue
            made = tables(drawn)
            truth.append(made.truth)
            began = time.perf_counter()
            coder.add(StepTable(made.traces, made.steps, pa.table({}), made.messages))
            ingest += time.perf_counter() - began
            print(f"{coder.traces} traces coded", file=sys.stderr)
            del made
        peak_before = _peak()
        began, cpu = time.perf_counter(), time.process_time()
        done = study(engine, coder, min_support=20, rate=0.1)
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        pandas_seconds = _pandas(engine) if compare else None
    for pattern in done.patterns:
        print(f"{pattern.kind}: {pattern.summary}", file=sys.stderr)
    found = score([_finding(p) for p in done.patterns], pa.concat_tables(truth), plan)
    return {
        "traces": coder.traces,
        "steps": coder.steps,
        "seed": seed,
        "recall": found.recall,
        "precision": found.precision,
        "patterns": len(done.patterns),
        "missed": found.missed,
        "decoys": found.decoys,
        "sequences_made_directly": direct,
        "ingest_seconds": None if direct else round(ingest, 3),
        "ingest_steps_per_second": None if direct else round(coder.steps / ingest),
        "study_seconds": round(seconds, 3),
        "study_cpu_seconds": round(cpu, 3),
        "pandas_counts_seconds": pandas_seconds,
        "peak_mib_after_ingest": peak_before,
        "peak_mib": _peak(),
        "load_average": round(os.getloadavg()[0], 1),
        "calibration": done.values.calibration.model_dump(),
    }


def _finding(p: Pattern) -> Finding:
    named = [p.decision.taken, p.decision.better or "", p.decision.point]
    blamed = "" if p.decision.taken.startswith("no ") else p.decision.taken
    return Finding(p.kind, named, blamed, p.evidence)


def _pandas(engine: Engine) -> float:
    """Seconds that pandas takes for the table of states alone, from the same sequences."""
    pd = importlib.import_module("pandas")  # a comparison, not a dependency
    rows = engine.arrow("SELECT n, intent, fold, solved, seq FROM coded").to_pandas()
    began = time.perf_counter()
    steps = rows.explode("seq")
    steps["before"] = steps.groupby("n")["seq"].shift(1).fillna(0)
    steps["next"] = steps.groupby("n")["seq"].shift(-1)
    steps["place"] = (steps.groupby("n").cumcount() + 1).clip(upper=8)
    alive = steps.dropna(subset=["next"])
    counts = alive.groupby(["intent", "fold", "before", "seq", "next", "place"], observed=True)["solved"]
    table = counts.agg(["count", "sum"])
    seconds = time.perf_counter() - began
    assert isinstance(table, pd.DataFrame)
    assert len(table) == len(counted.states(engine, counted.intents(engine)).n), (
        "pandas and the engine count differently"
    )
    return round(seconds, 3)


def _peak() -> int:
    """Largest resident memory of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
