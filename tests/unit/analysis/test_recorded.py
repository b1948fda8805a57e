"""Real agents, recorded: read in place when `shared/` stands beside the checkout."""

import json
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from trace_builders import SECOND, START, a_table, run_inputs

from ninefold.analysis import Analysis, analyze
from ninefold.api.agent import AgentSpec
from ninefold.api.inputs import RunInputs
from ninefold.api.tracebackend import TraceBackendSpec
from ninefold.traces import StepTable, Window, collect, open_backend
from ninefold.traces.assemble import assemble
from ninefold.traces.genai import text_of
from ninefold.traces.model import Message, Score, Span, TraceRecord

SHARED = Path(__file__).parents[4] / "shared"
EXPORTER = SHARED / "recorded" / "recorded_agent.py"
AIRLINE = SHARED / "data" / "tau-bench-airline" / "gpt-4o-airline.json"

pytestmark = [
    pytest.mark.recorded,
    pytest.mark.skipif(not EXPORTER.exists(), reason="no recordings beside the checkout"),
]


def an_agent(**wire: Any) -> AgentSpec:
    spec = run_inputs().agent.wire()
    return AgentSpec.model_validate({**spec, "traces": {**spec["traces"], **wire}})


def inputs_for(agent: AgentSpec, intent_key: str | None) -> RunInputs:
    return run_inputs(intent_key).model_copy(update={"agent": agent})


class TestOneQuestionAtATime:
    """520 traces of an agent that answers questions over twenty databases that nobody has described to it."""

    AGENT = an_agent(agentName="sql-agent", environment="production", taskKey="app.question")

    @pytest.fixture(scope="class", params=[0])
    @classmethod
    def table(cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> StepTable:
        folder = tmp_path_factory.mktemp("recorded")
        arguments = ["--data", SHARED / "data/intercode-sql/gpt-3.5", "--seed", str(request.param)]
        command = [sys.executable, EXPORTER, "export", "--split", "train", *arguments, "--out", folder / "traces.jsonl"]
        subprocess.run(command, check=True)
        backend = open_backend(
            TraceBackendSpec.model_validate({"otlp": {"volume": {"configMap": {"name": "c"}}}}), folder
        )
        return collect(backend, Window(0, 2**63), cls.AGENT)

    @pytest.fixture(scope="class")
    @classmethod
    def done(cls, table: StepTable) -> Analysis:
        return analyze(table, inputs_for(cls.AGENT, "app.database"))

    def test_every_trace_is_read_whole(self, table: StepTable) -> None:
        assert table.traces.num_rows == 520
        assert all(name.startswith("redacted_") for name in table.losses)
        assert table.steps["kind"].to_pylist().count("tool") > 3000

    def test_errors_have_a_handful_of_signatures(self, table: StepTable) -> None:
        assert len(set(table.steps["error_signature"].to_pylist())) < 20

    def test_what_is_missing_at_the_first_call_is_the_worst_pattern(self, done: Analysis) -> None:
        worst = done.report.patterns[0]
        assert (worst.kind, worst.decision.point) == ("ContextGap", "first call")
        assert worst.decision.better_example == "SHOW TABLES"
        assert worst.effect.low > 0.1

    def test_facts_are_many_small_and_of_their_database(self, done: Analysis) -> None:
        texts: dict[str, str] = {}
        for fact in done.report.patterns[0].facts:
            (database,) = fact.when.values()
            texts[database] = texts.get(database, "") + f"{fact.source}: {', '.join(fact.tokens)}\n"
        assert len(texts) >= 17
        assert max(map(len, texts.values())) < 3_000 * 4
        assert not re.search(r"@|\d{4}", "".join(texts.values()))

    def test_permuted_outcomes_hold_no_patterns(self, table: StepTable) -> None:
        outcomes = table.traces["outcome"].to_pylist()
        random.Random(1).shuffle(outcomes)
        place = table.traces.schema.get_field_index("outcome")
        traces = table.traces.set_column(place, "outcome", pa.array(outcomes, pa.bool_()))
        permuted = StepTable(traces, table.steps, table.scores, table.messages, table.losses, table.seen)
        assert analyze(permuted, inputs_for(self.AGENT, "app.database")).report.patterns == []


def airline_runs() -> list[TraceRecord]:
    """200 runs of an airline agent, 50 tasks four times, as records."""
    records = []
    for n, run in enumerate(json.loads(AIRLINE.read_text())):
        name = f"run-{n}"
        root = Span(name, name, START, START + 10_000 * SECOND, kind="agent", agent="guide")
        root.metadata, root.scores = {"app.task": run["task_id"]}, [Score("solved", run["reward"], "test", START)]
        spans, said = [root], list[Message]()
        answers = {m.get("tool_call_id"): m["content"] for m in run["traj"] if m["role"] == "tool"}
        for k, message in enumerate(run["traj"]):
            at = START + k * SECOND
            if message["role"] == "user":
                said = [*said, Message("user", message["content"] or "")]
                spans.append(Span(name, f"{name}-{k:04d}", at, at + 1, parent_id=name, kind="llm", messages=said))
            for call in message.get("tool_calls") or ():
                step = Span(
                    name, call["id"], at, at + 1, parent_id=name, kind="tool", tool_name=call["function"]["name"]
                )
                step.args, step.result = text_of(call["function"]["arguments"]), answers.get(call["id"])
                spans.append(step)
        records.append(assemble(spans, Counter()))
    return records


def test_fifty_tasks_run_four_times_show_no_pattern_and_tell_nobodys_data() -> None:
    report = analyze(a_table(airline_runs()), run_inputs(intent_key=None)).report
    assert (report.traces, report.patterns) == (200, [])
    assert any("TaskMix" in s and "runs of each of the" in s for s in report.unidentified)
