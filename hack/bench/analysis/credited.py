"""`python -m bench.analysis.credited --backend manifests.yaml --traces folder`: how well values and effects hold.

Of the traces that still go on after three steps, each fold of tasks is predicted from the four others: area under the
ROC curve, Brier skill against the mean, and calibration slope. Then the patterns, worst first, each with its matched
effect and what mending it is predicted to gain. `--everything` takes the traces of all buckets, for a look at
recordings of which nothing need be held out. The files are those of `ninefold analyze`. The last line is one JSON
object.
"""

import argparse
import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from ninefold.analysis import analyze
from ninefold.api.findings import AnalysisReport
from ninefold.cli.analysis import read_inputs
from ninefold.traces import StepTable, Window, bucket_of, collect, open_backend


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.analysis.credited", description=__doc__.split("\n")[0])
    parser.add_argument("--backend", type=Path, required=True, help="YAML with a TraceBackend, an Agent, and a policy")
    parser.add_argument("--traces", type=Path, required=True, help="folder that stands for the backend's volume")
    parser.add_argument("--everything", action="store_true", help="hold nothing out for replays")
    given = parser.parse_args()
    inputs = read_inputs(given.backend)
    table = collect(open_backend(inputs.backend, given.traces), Window(0, 2**63), inputs.agent)
    print(json.dumps(told(analyze(held_in(table) if given.everything else table, inputs).report)))


def held_in(table: StepTable) -> StepTable:
    """The same with every session called by a name that the analysis bucket has."""
    sessions = table.traces["session_id"].to_pylist()
    named = {s: next(n for k in itertools.count() if bucket_of(n := f"{s}/{k}") == "analysis") for s in set(sessions)}
    place = table.traces.schema.get_field_index("session_id")
    column = pa.array([named[s] for s in sessions], pa.string())
    return replace(table, traces=table.traces.set_column(place, "session_id", column))


def told(report: AnalysisReport) -> dict[str, Any]:
    """The figures of a report that tell whether credit can be trusted."""
    return {
        "analysed": report.analysed,
        "calibration": report.calibration and report.calibration.model_dump(),
        "patterns": [
            {
                "kind": p.kind,
                "point": p.decision.point,
                "better": p.decision.better_example or p.decision.better,
                "effect": p.effect.model_dump(),
                "predicted": p.predicted and p.predicted.model_dump(),
                "facts_cover": p.facts_cover,
            }
            for p in report.patterns
        ],
        "unidentified": report.unidentified,
    }


if __name__ == "__main__":
    main()
