"""The other environment of the optimizer benchmark: a recorded agent, asked through the same ledger."""

import random
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

from bench.optimizers.environment import Environment
from bench.optimizers.measure import regressions, shown
from bench.optimizers.recording import RECORDED, Question, Replays, ceiling
from bench.optimizers.reflection import FREIGHT

CASE = {"case_id": "7", "input": "How many?", "metadata": {"app.task": 7, "app.database": "zoo"}}


def test_every_case_asked_of_the_endpoint_is_booked() -> None:
    def play(case: Mapping[str, Any], components: Mapping[str, str]) -> dict[str, Any]:
        step = {"name": "sql", "input": {"query": "x"}, "output": "Unknown column", "status": "error"}
        scores = {"solved": float("first" in components["system"])}
        usage = {"prompt_tokens": 5, "completion_tokens": 2}
        return {"steps": [step], "scores": scores, "output": "3", "usage": usage}

    ledger, question = Replays(play, "solved"), Question(CASE, "zoo", "app.task")
    runs = [ledger.run(question, {"system": text}) for text in ("look first", "guess", "guess")]
    assert ledger.calls == 3 and [run.solved for run in runs] == [True, False, False]
    assert question.key == "7" and not runs[0].calls[0].ok and runs[0].tokens == 7


def test_a_loss_is_shown_where_chance_over_clusters_does_not_explain_it() -> None:
    tasks = [
        Question({"input": "", "metadata": {"app.task": f"{region}{n}", "q": f"{region}{n}"}}, region, "q")
        for region, most in (("few", 4), ("many", 40))
        for n in range(most)
    ]
    place = cast(Environment, SimpleNamespace(unseen=tasks))
    before = {task.key: 1.0 for task in tasks}
    after = before | {"few0": 0.0} | {f"many{n}": 0.0 for n in range(12)}
    assert regressions(place, before, after) == ["few", "many"]
    assert shown(place, before, after) == ["many"]


def test_what_is_reachable_is_the_best_line_of_the_ceiling() -> None:
    assert ceiling("blind  solved    2 of 10 (20.0%)\nboth   solved  7 of 10 (70.0%)\nlook  solved 5 of 10") == 0.7


def test_the_stand_in_writes_what_it_notices_or_the_names_that_it_sees() -> None:
    draw = random.Random(0)
    evidence = "Unknown column 'a' ... [('cage', 'int'), ('keeper', 'int')]"
    written = {RECORDED.write(evidence, draw) for _ in range(200)}
    assert {
        "Before the first statement, run SHOW TABLES and DESC.",
        "Names to use are cage, int, keeper, int.",
    } <= written


def test_without_anything_noticed_no_answer_is_written() -> None:
    draw = random.Random(0)
    assert {FREIGHT.write("all is well", draw) for _ in range(200)} <= {*FREIGHT.useless, *FREIGHT.harmful}
