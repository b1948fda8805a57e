"""`python -m bench.analysis.permuted --backend manifests.yaml --traces folder`: what is found where nothing is.

Outcomes of recorded traces are shuffled within their tasks: every task stays as hard as it was, and within it nothing
that an agent did can have mattered. The whole analysis then runs on it, as often as asked, both looks and all. Told is
in how many runs any pattern was reported, and which; and beside it what tests would report that match nothing: the
share of success among traces that show a step (an action, and how it went) against those that do not, step by step, at
the same false discovery rate. What was read and coded is the same in every run and is made once. `--first` goes on
where another call has stopped: permutations are numbered. The files are those of `ninefold analyze`. The last line is
one JSON object.
"""

import argparse
import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ninefold.analysis.analyze import conclude
from ninefold.analysis.part import Part
from ninefold.analysis.stats.multiplicity import benjamini_hochberg
from ninefold.analysis.stats.proportions import two_proportions
from ninefold.analysis.together import Whole, together
from ninefold.cli.analysis import read_inputs
from ninefold.traces import Window, collect, open_backend


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.analysis.permuted", description=__doc__.split("\n")[0])
    parser.add_argument("--backend", type=Path, required=True, help="YAML with a TraceBackend, an Agent, and a policy")
    parser.add_argument("--traces", type=Path, required=True, help="folder that stands for the backend's volume")
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="number of the first permutation")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    inputs = read_inputs(given.backend)
    table = collect(open_backend(inputs.backend, given.traces), Window(0, 2**63), inputs.agent)
    whole = together([Part.of(table, inputs)])
    del table
    rate, support = inputs.policy.analysis.false_discovery_rate, inputs.policy.analysis.min_support
    runs, naively, named = 0, 0, Counter[str]()
    for number in range(given.first, given.first + given.times):
        permuted = shuffled(whole, np.random.default_rng([given.seed, number]))
        found = conclude(permuted, inputs).report.patterns
        runs += bool(found)
        naively += bool(unmatched(permuted, support, rate))
        named.update({f"{p.kind} at {p.decision.point}" for p in found})
        print(f"{number + 1}: {runs} runs with a pattern, {naively} by unmatched tests", file=sys.stderr)
    real = [f"{p.kind} at {p.decision.point}" for p in conclude(whole, inputs).report.patterns]
    told = {
        "analysed": int(pc.sum(whole.mine).as_py() or 0),
        "permuted": given.times,
        "runs_with_patterns": runs,
        "share": round(runs / max(1, given.times), 4),
        "unmatched_share": round(naively / max(1, given.times), 4),
        "patterns": dict(named.most_common()),
        "found_as_recorded": real,
        "unmatched_as_recorded": unmatched(whole, support, rate),
    }
    print(json.dumps(told))


def unmatched(whole: Whole, min_support: int, rate: float) -> list[str]:
    """Steps with which traces fail more often than without, as somebody finds them who matches nothing.

    A two-proportion test a step that `min_support` traces show and as many do not; Benjamini-Hochberg over all.
    """
    solved = np.asarray(whole.rows["solved"].filter(whole.mine)).astype(bool)
    sequences = whole.coded.sequences
    rows = np.repeat(np.arange(len(sequences)), np.diff(sequences.offsets.to_numpy()))
    took = np.zeros((len(sequences), len(whole.coded.symbols)), bool)
    took[rows, sequences.flatten().to_numpy()] = True
    n1, x1 = took.sum(0), took[solved].sum(0)
    n0, x0 = len(took) - n1, solved.sum() - x1
    tested = np.flatnonzero((n1 >= min_support) & (n0 >= min_support))
    p = [two_proportions((x1[i], n1[i]), (x0[i], n0[i])) for i in tested]
    worse = x1[tested] / n1[tested] < x0[tested] / n0[tested]
    kept = benjamini_hochberg(p, rate)
    return [str(whole.coded.symbols[i]) for i, bad, keep in zip(tested, worse, kept, strict=True) if bad and keep]


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
