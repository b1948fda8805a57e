"""What a call brings in that nothing before it supports: identifiers, numbers and quotations, and where."""

import random

import pyarrow as pa
import pytest
from trace_builders import a_record, a_table, run_inputs

from ninefold.analysis import analyze
from ninefold.analysis.detectors.hallucination import FIRST_VALUE, unsupported_values
from ninefold.analysis.episodes import Call
from ninefold.analysis.reading import Near, Told, read
from ninefold.analysis.words import numbers, quotations
from ninefold.api.findings import Pattern
from ninefold.traces.model import TraceRecord


def values(args: str, *results: str, told: str = "", given: str = "") -> set[str]:
    """What kinds of values of a call nothing supports; results of earlier calls went well."""
    said = [*(("", result) for result in results), (args, "")]
    rows = [{"tool": "desk", "args": text, "result": result, "error": None} for text, result in said]
    heard = Told(frozenset(told.lower().split()), frozenset(given.split()))
    call = read(pa.Table.from_pylist(rows), [0] * len(said), [heard]).to_pylist()[-1]
    named = Call(len(said), "desk", "desk()", "", None, figure=call["figure"], quoted=call["quoted"])
    return set(unsupported_values(named, Near({"where", "like"})))


def test_numbers_that_say_something() -> None:
    assert numbers("1,250 seats, 2.5 hours, 7 days, A320, 1984") == {"1250", "2.5", "1984"}


def test_quotations_are_what_stands_in_quotes_within_a_text() -> None:
    assert quotations("{\"query\": \"name LIKE 'Blue Room' AND x = ''\"}") == {"blue room"}


@pytest.mark.parametrize(
    ("args", "result", "told", "given", "unsupported"),
    [
        ("{\"q\": \"price < 4500\"}", "", "", "", {"a number"}),
        ("{\"q\": \"price < 4500\"}", "from 4,500 up", "", "", set()),
        ("{\"q\": \"price < 4500\"}", "", "", "4500", set()),
        ("{\"q\": \"name = 'Blue Room'\"}", "", "open the blue room", "", set()),
        ("{\"q\": \"name = 'Rooms'\"}", "", "open the room", "", set()),
        ("{\"q\": \"name = 'Vault'\"}", "[\"Atrium\"]", "open the room", "", {"a quotation"}),
        ("{\"q\": \"name = 'Vault' and year = 1984\"}", "", "", "", {"a number", "a quotation"}),
    ],
)  # fmt: skip
def test_a_value_is_supported_by_messages_and_by_results(
    args: str, result: str, told: str, given: str, unsupported: set[str]
) -> None:
    assert values(args, result, told=told, given=given) == unsupported


def tickets(n: int) -> list[TraceRecord]:
    """Traces of a guide that sells tickets. Half of them quote a price that nobody has told them, and mostly fail."""
    rng = random.Random(0)
    records = []
    for i in range(n):
        task, price = i // 4, 1_000 + 7 * (i // 4)
        invents = rng.random() < 0.5
        calls = [
            ("price", f'{{"price": {price}}}', True),
            (f"sell {price + 3_000 if invents else price}", "done", True),
        ]
        calls.append(("close", "done", True))
        solved = rng.random() < (0.2 if invents else 0.8)
        meta = {"app__museum": f"m{task % 8}", "app__task": f"t{task}"}
        records.append(a_record(f"trace-{i}", calls, solved=solved, session=f"s{i}", **meta))
    return records


@pytest.fixture(scope="module")
def found() -> list[Pattern]:
    return analyze(a_table(tickets(600)), run_inputs()).report.patterns


def test_an_invented_number_is_a_trigger_with_the_call_that_brought_it_in(found: list[Pattern]) -> None:
    (pattern,) = [p for p in found if p.decision.point == FIRST_VALUE]
    assert pattern.kind == "HallucinationTrigger"
    assert pattern.effect.low < 0.6 < pattern.effect.high
    assert [i.trace_id for i in pattern.introduced] == pattern.evidence
    assert {i.call for i in pattern.introduced} == {2}
    assert {i.action for i in pattern.introduced} == {"museum(command=sell …)"}


def test_the_values_themselves_are_never_told(found: list[Pattern]) -> None:
    assert {name for p in found for i in p.introduced for name in i.names} <= {
        "a number",
        "a number or a numbered identifier",
    }


def test_it_is_told_once(found: list[Pattern]) -> None:
    assert [p.kind for p in found].count("HallucinationTrigger") == 1
