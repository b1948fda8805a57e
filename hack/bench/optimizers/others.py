"""The other two: `gepa.optimize` with its defaults, and random search. Same agent, same ledger, same reflection.

GEPA gets its training set from the sessions that our analysis reads and validates on our selection cases. It calls the
agent for its minibatches as well, for it reads no recorded traces; that is its design, and part of what is compared.
On the desk its feedback is the desk's own complaint, which our analysis does not see.
"""

import contextlib
import io
import random
from collections.abc import Mapping, Sequence
from typing import Any, cast

from gepa.api import optimize
from gepa.core.adapter import EvaluationBatch
from gepa.core.result import GEPAResult

from bench.optimizers.environment import Environment, Ledger, Run, Task
from bench.optimizers.history import transcript
from bench.optimizers.ours import Outcome
from ninefold.api.inputs import VersionContent


class DeskAdapter:
    """GEPA's view of an environment (`gepa.core.adapter.GEPAAdapter`)."""

    propose_new_texts = None

    def __init__(self, desk: Ledger) -> None:
        self._desk = desk

    def evaluate(
        self, batch: list[Task], candidate: dict[str, str], capture_traces: bool = False
    ) -> EvaluationBatch[Run, str]:
        runs = [self._desk.run(task, candidate) for task in batch]
        return EvaluationBatch(
            [r.output for r in runs], [float(r.solved) for r in runs], runs if capture_traces else None
        )

    def make_reflective_dataset(
        self, candidate: dict[str, str], eval_batch: EvaluationBatch[Run, str], components_to_update: list[str]
    ) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        records = [
            {"Inputs": run.task.question, "Generated Outputs": transcript(run), "Feedback": run.said}
            for run in eval_batch.trajectories or []
        ]
        return dict.fromkeys(components_to_update, records)


def by_gepa(
    place: Environment, desk: Ledger, train: list[Task], validation: list[Task], *, seed: int, calls: int
) -> Outcome:
    draw = random.Random(f"reflect/{seed}")

    def lm(prompt: Any) -> str:
        _, current, rest = str(prompt).split("```", 2)
        evidence = rest.split("Your task is to write", 1)[0]
        return f"```\n{current.strip()}\n{place.writer.write(evidence, draw)}\n```"

    with contextlib.redirect_stdout(io.StringIO()):
        result: GEPAResult[str, int] = optimize(
            dict(place.baseline.components),
            trainset=train,
            valset=validation,
            adapter=cast(Any, DeskAdapter(desk)),
            reflection_lm=lm,
            max_metric_calls=calls,
            seed=seed,
        )
    path, best = [], -1.0
    for candidate, score, at in zip(
        result.candidates, result.val_aggregate_scores, result.discovery_eval_counts, strict=True
    ):
        if score > best:
            best = score
            path.append((at, VersionContent(components=candidate)))
    return Outcome(path[-1][1], desk.calls, best, result.val_aggregate_scores[0], path)


def by_chance(place: Environment, desk: Ledger, validation: list[Task], seed: int, calls: int) -> Outcome:
    """Random search: a sentence written without evidence is appended to the best so far, and kept if it scores more."""
    draw = random.Random(f"chance/{seed}")
    content, path = place.baseline, [(0, place.baseline)]
    best = reference = _score(desk, validation, content)
    while desk.calls + len(validation) <= calls:
        system = f"{content.components['system']}\n{draw.choice(place.writer.sentences)}"
        tried = VersionContent(components={"system": system})
        if (score := _score(desk, validation, tried)) > best:
            best, content = score, tried
            path.append((desk.calls, tried))
    return Outcome(content, desk.calls, best, reference, path)


def _score(desk: Ledger, tasks: list[Task], content: VersionContent) -> float:
    return sum(desk.run(task, content.components).solved for task in tasks) / len(tasks)
