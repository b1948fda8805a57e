"""When traces and specs do not meet, the sentence says what was looked for, what is there, and what to set."""

import pytest
from trace_builders import a_record, a_table, run_inputs

from ninefold.api.inputs import RunInputs
from ninefold.traces import StepTable, TracesProblem, check


def table(score: str = "solved") -> StepTable:
    return a_table([a_record("t", [("list rooms", "[]", True)], app__museum="m", app__task="1")], score=score)


def test_a_table_that_meets_its_specs_passes() -> None:
    check(table(), run_inputs())


@pytest.mark.parametrize(
    ("change", "reason", "sentence"),
    [
        ({"score": "quality"}, "ScoreNotFound", "carries the score 'quality'; seen are solved: set spec.success.score"),
        (
            {"task": "app.visit"},
            "TaskKeyNotFound",
            "'app.visit' in its metadata; seen are app.museum, app.task: set spec.t",
        ),
        (
            {"intent": "app.city"},
            "IntentKeyNotFound",
            "'app.city' in its metadata; seen are app.museum, app.task: set spec.a",
        ),
    ],
)
def test_a_name_that_was_never_seen(change: dict[str, str], reason: str, sentence: str) -> None:
    wire = run_inputs(change.get("intent", "app.museum"), change.get("task", "app.task")).wire()
    score = wire["agent"]["success"]["score"] = change.get("score", "solved")
    with pytest.raises(TracesProblem) as problem:
        check(table(score), RunInputs.model_validate(wire))
    assert problem.value.reason == reason
    assert sentence in problem.value.message


def test_no_trace_of_that_agent_names_those_seen() -> None:
    others = a_table([a_record("t", [])], agentName="porter")
    wire = run_inputs().wire()
    wire["agent"]["traces"]["agentName"] = "porter"
    with pytest.raises(
        TracesProblem, match=r"none of 1 traces is of agent 'porter'; seen are guide: set spec.traces.agentName"
    ):
        check(others, RunInputs.model_validate(wire))


def test_an_empty_window_says_how_many_lie_outside() -> None:
    empty = a_table([])
    outside = StepTable(empty.traces, empty.steps, empty.scores, empty.messages, {"outside_window": 7}, empty.seen)
    with pytest.raises(TracesProblem, match=r"the backend holds 7 from other times: widen spec.traces.window"):
        check(outside, run_inputs())


def test_files_without_any_trace_say_how_much_was_unreadable() -> None:
    empty = a_table([])
    broken = StepTable(empty.traces, empty.steps, empty.scores, empty.messages, {"malformed_lines": 3}, empty.seen)
    with pytest.raises(TracesProblem, match=r"no trace that could be read \(malformed_lines 3\): check that"):
        check(broken, run_inputs())
