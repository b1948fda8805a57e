"""`python -m bench.analysis.permuted --backend manifests.yaml --traces folder`: what is found where nothing is.

Outcomes of recorded traces are shuffled within their tasks: every task stays as hard as it was, and within it nothing
that an agent did can have mattered. The whole analysis then runs on it, as often as asked, both looks and all. Told is
in how many runs any pattern was reported, and which. The files are those of `ninefold analyze`. The last line is one
JSON object.
"""

import argparse
import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ninefold.analysis.analyze import conclude
from ninefold.analysis.part import Part
from ninefold.analysis.together import Whole, together
from ninefold.cli.analysis import read_inputs
from ninefold.traces import Window, collect, open_backend


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.analysis.permuted", description=__doc__.split("\n")[0])
    parser.add_argument("--backend", type=Path, required=True, help="YAML with a TraceBackend, an Agent, and a policy")
    parser.add_argument("--traces", type=Path, required=True, help="folder that stands for the backend's volume")
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    inputs = read_inputs(given.backend)
    table = collect(open_backend(inputs.backend, given.traces), Window(0, 2**63), inputs.agent)
    whole = together([Part.of(table, inputs)])
    del table
    runs, named = 0, Counter[str]()
    for number in range(given.times):
        found = conclude(shuffled(whole, np.random.default_rng([given.seed, number])), inputs).report.patterns
        runs += bool(found)
        named.update({f"{p.kind} at {p.decision.point}" for p in found})
        print(f"{number + 1} runs, {runs} with a pattern", file=sys.stderr)
    real = [f"{p.kind} at {p.decision.point}" for p in conclude(whole, inputs).report.patterns]
    print(json.dumps(_told(given.times, runs, named, real, whole)))


def _told(times: int, runs: int, named: Counter[str], real: list[str], whole: Whole) -> dict[str, Any]:
    return {
        "analysed": int(pc.sum(whole.mine).as_py() or 0),
        "permuted": times,
        "runs_with_patterns": runs,
        "share": round(runs / max(1, times), 4),
        "patterns": dict(named.most_common()),
        "found_as_recorded": real,
    }


def shuffled(whole: Whole, rng: np.random.Generator) -> Whole:
    """The same with outcomes of the analysis bucket shuffled within each task."""
    task, mine = whole.rows["task"].combine_chunks().to_numpy(), np.asarray(whole.mine)
    solved = np.asarray(whole.rows["solved"]).astype(bool)
    solved[mine] = within(task[mine], solved[mine], rng)
    rows = _with(whole.rows, solved)
    place = pc.index_in(whole.sample.traces["trace_id"], value_set=rows["trace_id"].combine_chunks())
    traces = _with(whole.sample.traces, solved[place.to_numpy()])
    return replace(whole, rows=rows, sample=replace(whole.sample, traces=traces))


def within(task: NDArray[np.uint64], values: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """The values in another order, each within its task."""
    out = np.empty_like(values)
    out[np.argsort(task, kind="stable")] = values[np.lexsort((rng.random(len(task)), task))]
    return out


def _with(table: pa.Table, solved: NDArray[np.bool_]) -> pa.Table:
    return table.set_column(table.schema.get_field_index("solved"), "solved", pa.array(solved))


if __name__ == "__main__":
    main()
