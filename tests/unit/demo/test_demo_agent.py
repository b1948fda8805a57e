"""The demo's stand-in keeps what its docstring says, for a demo is only worth what its agent is worth."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from demo import telemetry
from demo.agent import traffic
from demo.episode import Episode, Model, run
from demo.loop import MANIFESTS, components
from demo.standin import complete
from demo.world import SHOPS, ask, understand
from ninefold.api.agent import AgentSpec
from ninefold.api.policy import OptimizationPolicySpec
from ninefold.api.tracebackend import TraceBackendSpec


class InProcess(Model):
    """The stand-in without the socket; requests still cross a JSON boundary."""

    def __init__(self) -> None:
        pass

    def complete(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return complete(json.loads(json.dumps(request)))


BASELINE = components(yaml.safe_load((MANIFESTS / "agent.yaml").read_text()))
SESSIONS = traffic(seed=0)


def episodes(extra: Mapping[str, str] | None = None, system: str = "", every: int = 3) -> list[Episode]:
    texts = {**BASELINE, "system": BASELINE["system"] + system, **(extra or {})}
    return [
        run(InProcess(), shop, ask(task, phrasing), texts, number)
        for number, (shop, task, phrasing) in enumerate(SESSIONS[::every])
    ]


def success(found: list[Episode]) -> float:
    return sum(one.score for one in found) / len(found)


def codes_of(shop: str) -> str:
    return ", ".join(code for codes in SHOPS[shop].call("list_codes", {}).values() for code in codes)


def test_the_agent_works_mostly() -> None:
    assert 0.55 <= success(episodes(every=1)) <= 0.70


def test_tasks_come_back_in_other_words() -> None:
    tasks = {(shop, task) for shop, task, _ in SESSIONS}
    assert 550 <= len(SESSIONS) <= 650
    assert len(tasks) == 150
    assert {shop for shop, _, _ in SESSIONS} == set(SHOPS)


def test_every_phrasing_is_understood_as_its_task() -> None:
    assert all(understand(ask(task, phrasing)) == task for _, task, phrasing in SESSIONS)


def test_the_same_request_gets_the_same_answer() -> None:
    assert episodes() == episodes()


def test_it_looks_up_first_when_a_short_sentence_says_so() -> None:
    told = episodes(system="\n\nCall list_codes before any other tool.")
    assert success(told) > success(episodes()) + 0.15
    assert sum(one.turns[0].tool == "list_codes" for one in told) > 0.8 * len(told)


@pytest.mark.parametrize("sentence", ["Never call list_codes first.", "There is list_codes.", "Be thorough first."])
def test_other_sentences_do_not_make_it_look_up(sentence: str) -> None:
    told = episodes(system="\n\n" + sentence)
    assert sum(one.turns[0].tool == "list_codes" for one in told) < 0.35 * len(told)


def test_codes_in_the_prompt_mend_it_and_those_of_another_shop_break_it() -> None:
    own = [run(InProcess(), s, ask(t, p), {**BASELINE, "context.codes": codes_of(s)}, n) for n, (s, t, p) in some()]
    other = {shop: codes_of(name) for shop, name in zip(SHOPS, [*list(SHOPS)[1:], next(iter(SHOPS))], strict=True)}
    wrong = [run(InProcess(), s, ask(t, p), {**BASELINE, "context.codes": other[s]}, n) for n, (s, t, p) in some()]
    assert success(own) > 0.8
    assert success(wrong) < success(episodes())


def some() -> list[tuple[int, tuple[str, Any, int]]]:
    return list(enumerate(SESSIONS[::3]))


def test_no_prompt_mends_everything() -> None:
    best = [
        run(InProcess(), s, ask(t, p), {**BASELINE, "context.codes": "Call list_codes first. " + codes_of(s)}, n)
        for n, (s, t, p) in some()
    ]
    assert success(best) < 0.95


def test_a_trace_says_what_happened() -> None:
    episode = next(one for one in episodes() if any(turn.failed for turn in one.turns))
    line = telemetry.trace(episode, number=0, task="t", start=1000.0)
    root, *steps = line["resourceSpans"][0]["scopeSpans"][0]["spans"]
    tools = [span for span in steps if span["name"].startswith("execute_tool")]
    assert [bool(span["status"]) for span in tools] == [turn.failed for turn in episode.turns if turn.tool]
    assert root["events"][0]["attributes"][1]["value"] == {"doubleValue": episode.score}
    assert {span["parentSpanId"] for span in steps} == {root["spanId"]}


@pytest.mark.parametrize(
    ("name", "model"),
    [("agent", AgentSpec), ("policy", OptimizationPolicySpec), ("tracebackend", TraceBackendSpec)],
)
def test_the_manifests_are_what_the_api_reads(name: str, model: type) -> None:
    spec = yaml.safe_load((MANIFESTS / f"{name}.yaml").read_text())["spec"]
    read = model.model_validate(spec).model_dump(mode="json", by_alias=True, exclude_unset=True)  # type: ignore[attr-defined]
    assert read == spec
