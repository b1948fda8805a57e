"""The study of what was ingested, in a process that holds nothing else: how long, and how much memory."""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Self

import numpy as np
import pyarrow as pa
from pyarrow import feather

from bench.analysis import by_pandas
from ninefold.analysis import standing
from ninefold.analysis.decisions.coder import Codes
from ninefold.analysis.decisions.coding import Symbol
from ninefold.analysis.decisions.coding_statements import CODED_COLUMNS
from ninefold.analysis.decisions.study import CodedTraces, Study, study
from ninefold.analysis.embedded import Embedded
from ninefold.analysis.engine import Engine
from ninefold.analysis.server import Server
from ninefold.api.findings import Pattern

CASES = 1_000
"""Cases that are sampled, by intent and outcome."""


@dataclass(frozen=True)
class Ingested:
    """Coded traces and what their codes stand for; in the place of the coder that made them."""

    coded: pa.Table
    codes: Codes
    traces: int
    matchable: bool
    tasks_named: bool

    @classmethod
    def of(cls, engine: Engine, coder: CodedTraces) -> Self:
        """What a coder has made, with its table from the engine."""
        codes = coder.codes  # puts the shards together, and into the engine
        coded = engine.arrow("SELECT * FROM coded")
        return cls(coded, codes, coder.traces, matchable=coder.matchable, tasks_named=coder.tasks_named)

    def save(self, folder: Path) -> None:
        feather.write_feather(self.coded, folder / "coded.arrow", compression="uncompressed")
        symbols = [asdict(s) for s in self.codes.symbols]
        told = {"symbols": symbols, "traces": self.traces}
        (folder / "codes.json").write_text(json.dumps({**told, "named": self.tasks_named}))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.analysis.studied")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--pandas", action="store_true")
    parser.add_argument("--server", action="store_true", help="on a stand-in for a ClickHouse server")
    given = parser.parse_args()
    with _home(given.server) as (engine, pid):
        ingested = _read(engine, given.folder)
        both = (os.getpid(), pid)
        forget_peak(both)
        before, spent = memory("VmRSS", both), []
        for _ in range(given.repeat):
            began, cpu = time.perf_counter(), cpu_seconds(both)
            done = study(engine, ingested, min_support=20, rate=0.1)
            budget = _standing(engine, done)
            cases = _sampled(engine)
            spent.append((time.perf_counter() - began, cpu_seconds(both) - cpu))
        peak = memory("VmHWM", both)
        print(
            json.dumps(
                {
                    "patterns": len(done.patterns),
                    "findings": [_finding(p) for p in done.patterns],
                    "study_seconds": round(median(s for s, _ in spent), 3),
                    "study_cpu_seconds": round(median(s for _, s in spent), 3),
                    "studies": given.repeat,
                    "ingested_mib": before,
                    "study_peak_mib": peak,
                    "cases": cases,
                    "budget": budget,
                    "calibration": done.values.calibration.model_dump(),
                    "pandas_counts_seconds": by_pandas.seconds(engine, ingested) if given.pandas else None,
                }
            )
        )


@contextmanager
def _home(server: bool) -> Iterator[tuple[Engine, int]]:
    """The engine, and the process that it works in."""
    if not server:
        with Embedded() as engine:
            yield engine, engine.pid
        return
    command = [sys.executable, "-m", "standins.clickhouse", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            with Server(process.stdout.readline().strip(), "default", "") as theirs:
                yield theirs, process.pid
        finally:
            process.kill()


def _read(engine: Engine, folder: Path) -> Ingested:
    told = json.loads((folder / "codes.json").read_text())
    engine.create("coded", CODED_COLUMNS)
    engine.load("shard", feather.read_table(folder / "coded.arrow", memory_map=True))
    engine.append("coded", "SELECT * FROM shard")
    engine.drop("shard")
    codes = Codes([Symbol(**s) for s in told["symbols"]])
    return Ingested(pa.table({}), codes, told["traces"], matchable=True, tasks_named=told["named"])


def _standing(engine: Engine, done: Study) -> str:
    """Nines by version and day, the trend, and what the next nine takes."""
    rows = engine.query("SELECT version, day, count() AS n, sum(solved) AS x FROM coded GROUP BY version, day")
    rates = {(str(r["version"]), int(r["day"])): (int(r["n"]), int(r["x"])) for r in rows}
    standing.versions(rates)
    standing.plateau(rates)
    traces, solved = (sum(v[i] for v in rates.values()) for i in (0, 1))
    budget = standing.budget(solved, traces, done.patterns)
    return budget.message if budget else ""


def _sampled(engine: Engine) -> int:
    """As many cases as a replay takes, in equal shares of every intent and outcome, by a hash."""
    rows = engine.arrow(
        f"""
        SELECT n, (row_number() OVER (PARTITION BY intent, solved ORDER BY hash)) / {CASES} AS place
        FROM (SELECT n, intent, solved, cityHash64(trace_id, 'case') AS hash FROM coded WHERE hash % 5 = 0)
        ORDER BY place, n LIMIT {CASES}
        """
    )
    return len(np.unique(rows["n"].combine_chunks().to_numpy()))


def _finding(p: Pattern) -> list[object]:
    """The fields of a `Finding`, and what is said."""
    named = [p.decision.taken, p.decision.better or "", p.decision.point]
    blamed = "" if p.decision.taken.startswith("no ") else p.decision.taken
    return [p.kind, named, blamed, p.evidence, p.summary]


def forget_peak(processes: Sequence[int]) -> None:
    """From here on the kernel counts the largest resident memory of these processes anew."""
    for pid in processes:
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def memory(name: str, processes: Sequence[int]) -> int:
    """Resident memory of these processes (`VmRSS`), or the largest of each since `forget_peak` (`VmHWM`), MiB."""
    found = [re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()) for pid in processes]
    return sum(int(each.group(1)) for each in found if each) // 1024


def cpu_seconds(processes: Sequence[int]) -> float:
    """What these processes have worked, in user and system mode."""
    stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in processes]
    return sum(int(ticks) for stat in stats for ticks in stat[11:13]) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
