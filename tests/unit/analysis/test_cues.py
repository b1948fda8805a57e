"""A cue turns the comparison of two tools round; what all traces show, or what few tasks share, does not."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pytest
from builders import a_pattern

from ninefold.analysis.cues import with_cues
from ninefold.analysis.population import Population
from ninefold.analysis.reading import Told, read
from ninefold.analysis.sample import TOLD, TRACES, Sample
from ninefold.api.findings import Cue, Pattern

CONFUSION = a_pattern(kind="ToolSelectionBias", point="after reserve(…)", taken="pay_cash()", better="pay_card(n=<n>)")


@dataclass(frozen=True)
class Visit:
    """A trace of two calls: what the first one shows, and which tool the second one is."""

    n: int
    tool: str
    solved: bool
    shown: str
    asks: str


def a_visit(n: int, tool: str, solved: bool, shown: dict[str, object], asks: str = "a room") -> Visit:
    return Visit(n, tool, solved, json.dumps({"state": "held", "guest": f"guest{n}x", **shown}), asks)


def a_population(visits: Sequence[Visit]) -> Population:
    traces = [
        {"key": v.n, "trace_id": f"t{v.n}", "session_id": f"s{v.n}", "task_key": f"task-{v.n}", "solved": v.solved,
         "intent": "rome" if v.n % 2 else "oslo", "told": v.asks, "calls": 2}
        for v in visits
    ]  # fmt: skip
    calls = [
        {"tool": tool, "args": "{}", "result": result, "error": None}
        for v in visits
        for tool, result in (("reserve", v.shown), (v.tool, "{}"))
    ]
    told = [{"hash": asks, "words": asks.split()} for asks in sorted({v.asks for v in visits})]
    return Population.of_sample(
        Sample(
            pa.Table.from_pylist(traces, TRACES),
            read(pa.Table.from_pylist(calls), [i // 2 for i in range(len(calls))], [Told()] * len(visits)),
            pa.Table.from_pylist(told, TOLD),
        )
    )


def visits(key: str = "rate", value: object = "prepaid", asks: str = "a room") -> list[Visit]:
    """Half of the visits show the value; there cards win, and cash wins elsewhere."""
    out = []
    for n in range(400):
        special, card = n % 2 == 0, n % 4 < 2
        shown = {key: value if special and not asks.startswith("early") else "usual"}
        said = asks if special else "a room"
        out.append(a_visit(n, "pay_card" if card else "pay_cash", card == special or n % 10 == 0, shown, said))
    return out


def cue(population: list[Visit], pattern: Pattern = CONFUSION, support: int = 20) -> Cue | None:
    (found,) = with_cues([pattern], a_population(population), support)
    return found.decision.cue


@pytest.mark.parametrize(("value", "told"), [("prepaid", "prepaid"), (True, "true")])
def test_a_field_of_an_earlier_result_tells_which_tool_is_right(value: object, told: str) -> None:
    assert cue(visits(value=value)) == Cue(tool="reserve", name="rate", value=told, tasks=200)


def test_a_word_of_the_request_does_so_too() -> None:
    assert cue(visits(asks="early room")) == Cue(value="early", tasks=200)


def test_what_every_trace_shows_is_no_cue() -> None:
    assert cue(visits(value="usual")) is None


def test_what_few_tasks_share_is_no_cue() -> None:
    assert cue(visits(), support=150) is None


def test_what_goes_along_with_failure_whatever_is_called_is_no_cue() -> None:
    failing = [a_visit(n, "pay_card" if n % 4 < 2 else "pay_cash", n % 2 == 1, {"x": "ab"[n % 2]}) for n in range(400)]
    assert cue(failing) is None


def test_only_confusions_of_tools_get_one() -> None:
    gap = a_pattern(kind="ContextGap", taken="pay_cash()", better="pay_card(n=<n>)")
    assert cue(visits(), gap) is None
    same = a_pattern(kind="ToolSelectionBias", taken="pay_card(a=…)", better="pay_card(n=<n>)")
    assert cue(visits(), same) is None


def test_within_the_intents_of_the_pattern_alone() -> None:
    assert cue(visits(), CONFUSION.model_copy(update={"intents": ["rome"]})) is None
