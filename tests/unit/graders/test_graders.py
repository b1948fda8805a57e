"""docs/judges.md, "Graders": one grade for a recorded trace and for a replayed case."""

from collections import Counter
from typing import Any

import pytest
from trace_builders import a_record, an_agent_spec

from ninefold.api.agent import Success
from ninefold.graders import BadRuleError, Given, Graders, better_known
from ninefold.replay import Answer, Request
from ninefold.replay.buyer import given_of
from ninefold.traces import TracesProblem, tabulate
from ninefold.traces.given import final_output
from ninefold.traces.given import given_of as given_of_trace

Q = "How many?"


def success(*rules: dict[str, Any], **rest: Any) -> Success:
    return Success.model_validate({"rules": list(rules), **rest})


def grade(rule: dict[str, Any], output: str | None, **given: Any) -> bool | None:
    return Graders(success(rule)).grade(Given(Q, output, **given)).success


@pytest.mark.parametrize(
    ("rule", "output", "given", "found"),
    [
        ({"regex": {"pattern": r"\bdone\b"}}, "It is done.", {}, True),
        ({"regex": {"pattern": r"\bdone\b"}}, "undone", {}, False),
        ({"regex": {"pattern": "done"}}, " " * 20_000 + "done", {}, False),
        ({"exact": {"expectedKey": "want"}}, " room  7", {"metadata": {"want": "Room 7"}}, True),
        ({"exact": {"expectedKey": "want"}}, "Room 8", {"metadata": {"want": "Room 7"}}, False),
        ({"exact": {"expectedKey": "want"}}, "Room 7", {}, None),
        ({"numeric": {"expectedKey": "n"}}, "Of 7 rooms, in all 1,200", {"metadata": {"n": "1200"}}, True),
        ({"numeric": {"expectedKey": "n"}}, "0.3", {"metadata": {"n": 0.1 + 0.2}}, True),
        ({"numeric": {"expectedKey": "n", "tolerance": 1}}, "about 1201.5", {"metadata": {"n": 1200}}, False),
        ({"numeric": {"expectedKey": "n"}}, "none", {"metadata": {"n": 1200}}, False),
        ({"numeric": {"expectedKey": "n"}}, "7", {"metadata": {"n": "many"}}, None),
        ({"jsonSchema": {"schema": {"type": "object", "required": ["n"]}}}, '{"n": 3}', {}, True),
        ({"jsonSchema": {"schema": {"type": "object", "required": ["n"]}}}, "{}", {}, False),
        ({"jsonSchema": {"schema": {"oneOf": [{"type": "integer"}, {"type": "null"}]}}}, "true", {}, False),
        ({"jsonSchema": {"schema": {"type": "object"}}}, "not json", {}, False),
        ({"grounded": {}}, "There are 120 in wh_north.", {"shown": ("wh_north has 120 left",)}, True),
        ({"grounded": {}}, "There are 130 in wh_north.", {"shown": ("wh_north has 120 left",)}, False),
        ({"grounded": {}}, "There are 120 in wh_south.", {"shown": ("wh_north has 120 left",)}, False),
        ({"grounded": {}}, 'It says "come at once".', {"shown": ("it says to wait",)}, False),
        ({"grounded": {}}, "120", {}, None),
    ],
)
def test_a_rule_says_what_it_says(rule: dict[str, Any], output: str, given: dict[str, Any], found: bool | None) -> None:
    assert grade(rule, output, **given) is found
    assert grade(rule, None, **given) is None


def test_a_recorded_score_decides_whatever_rules_say() -> None:
    graders = Graders(success({"regex": {"pattern": "done"}}, score="solved"))
    scored = graders.grade(Given(Q, "undone", scores={"solved": 1.0}))
    assert (scored.success, scored.by) == (True, "score")
    assert graders.grade(Given(Q, "not yet")).by == "rules"


def test_all_rules_must_hold_and_one_that_fails_is_enough() -> None:
    both = Graders(success({"regex": {"pattern": "room"}}, {"exact": {"expectedKey": "want"}}))
    assert both.grade(Given(Q, "a house")).success is False
    assert both.grade(Given(Q, "a room")).success is None, "the other rule has nothing to say"
    assert both.grade(Given(Q, "a room", metadata={"want": "A room"})).success is True


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"regex": {"pattern": "(room"}}, "the regex does not compile"),
        ({"jsonSchema": {"schema": {"type": "room"}}}, "is no JSON Schema at type"),
        ({"jsonSchema": {"schema": {"$ref": "https://schemas.example/room"}}}, "and nothing is fetched"),
    ],
)
def test_a_rule_that_cannot_be_checked_is_refused_with_a_sentence(rule: dict[str, Any], says: str) -> None:
    with pytest.raises(BadRuleError, match=says):
        Graders(success(rule))


def test_a_judge_decides_only_where_score_and_rules_do_not() -> None:
    graders = Graders(success(score="solved", judges={"rubric": "r", "gate": {"endpoint": "http://j", "model": "m"}}))
    scored, open_one = graders.grade(Given(Q, "a", scores={"solved": 0.0})), graders.grade(Given(Q, "a"))
    assert (better_known(scored, True).success, better_known(scored, True).verdict) == (False, "Pass")
    judged = better_known(open_one, True)
    assert (judged.success, judged.by) == (True, "judge")
    silent = better_known(open_one, None)
    assert (silent.success, silent.by, silent.missing) == (None, "judge", "the judge gave no verdict")


def test_a_trace_and_a_replay_of_it_get_the_same_grade() -> None:
    record = a_record("t-1", [("list rooms", '["r_south", "r_north"]', True)], app__want="r_north")
    rules = success({"grounded": {}}, {"exact": {"expectedKey": "app.want"}})
    recorded = given_of_trace(record, None)
    request = Request("t-1", recorded.question, dict(record.metadata), {"system": "Guide visitors."}, 0)
    for said in ("r_north", "r_south", "r_west"):
        answer = Answer(scores={}, output=said, shown=['["r_south", "r_north"]'])
        of_trace = Graders(rules).grade(Given(recorded.question, said, recorded.shown, recorded.metadata))
        assert Graders(rules).grade(given_of(request, answer)) == of_trace
        assert of_trace.success is (said == "r_north")


def test_the_final_output_is_the_last_thing_that_a_model_said() -> None:
    assert final_output([("agent", "the end"), ("llm", "first"), ("tool", None), ("llm", "the end")]) == "the end"
    assert final_output([("agent", "only this"), ("tool", None)]) == "only this"
    assert final_output([("tool", None)]) is None


def test_a_trace_without_a_score_is_judged_by_rules() -> None:
    spec = an_agent_spec().model_copy(update={"success": success({"regex": {"pattern": "open"}}, score="solved")})
    records = [
        a_record("by-rule", [], says="Room 7 is open.", solved=None),
        a_record("by-score", [], says="Room 7 is open.", solved=False),
        a_record("silent", [], solved=None),
    ]
    losses: Counter[str] = Counter()
    rows = {row["trace_id"]: row for row in tabulate(records, spec, losses).traces.to_pylist()}
    assert {name: (row["outcome"], row["outcome_source"]) for name, row in rows.items()} == {
        "by-rule": (True, "ninefold/rules"),
        "by-score": (False, "test"),
        "silent": (None, None),
    }
    assert losses["unjudged"] == 1


def test_a_bad_rule_stops_the_reading_of_traces_with_its_sentence() -> None:
    spec = an_agent_spec().model_copy(update={"success": success({"regex": {"pattern": "("}})})
    with pytest.raises(TracesProblem, match="does not compile") as raised:
        tabulate([], spec, Counter())
    assert raised.value.reason == "BadRule"
