"""What is wrong with the content of a backend costs what docs/backends.md says and no more, whatever the backend.

Each row is one odd trace beside one good trace, held by every kind of backend. The good one is always read whole.
"""

import gzip
import json
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from holding import BROKEN, KINDS, VOLUME, opened
from trace_builders import SECOND, START, an_agent_spec, attributes, request, wire_span, write_lines

from ninefold.traces import Window, tabulate
from ninefold.traces.model import TraceRecord
from ninefold.traces.spool import by_trace, weight

YEAR = 365 * 24 * 3600
WINDOW = Window(START - 3600 * SECOND, START + 3600 * SECOND)
SERVERS = ("clickhouse", "langfuse v4", "langfuse v1")
"""They are asked for the spans of a window: what lies years away is not seen."""
Spans = list[dict[str, Any]]


def spans(trace: int = 1) -> Spans:
    """An agent's run with a turn of the model and a call of a tool."""
    said = [{"role": "user", "parts": [{"type": "text", "content": "Open the vault."}]}]
    answer = [{"role": "assistant", "parts": [{"type": "text", "content": "I look."}]}]
    return [
        wire_span(0, lasts=10, trace=trace, gen_ai__operation__name="invoke_agent", gen_ai__agent__name="guide"),
        wire_span(
            1, at=1, trace=trace, gen_ai__operation__name="chat",
            gen_ai__input__messages=json.dumps(said), gen_ai__output__messages=json.dumps(answer),
        ),
        wire_span(
            2, at=2, trace=trace, gen_ai__operation__name="execute_tool", gen_ai__tool__name="museum",
            gen_ai__tool__call__arguments='{"command":"list"}', gen_ai__tool__call__result="atrium, vault",
        ),
    ]  # fmt: skip


def timed(number: int, *, at: float, lasts: float = 1) -> Spans:
    """One of the three spans has another time."""
    found = spans()
    place = START + int(at * 10**9)
    found[number] |= {"startTimeUnixNano": str(place), "endTimeUnixNano": str(place + int(lasts * 10**9))}
    return found


def changed(number: int, **values: Any) -> Spans:
    """One of the three spans says something else; None: not at all."""
    found = spans()
    names = {k.replace("__", ".") for k in values}
    kept = [a for a in found[number]["attributes"] if a["key"] not in names]
    found[number]["attributes"] = kept + attributes(**{k: v for k, v in values.items() if v is not None})
    return found


def judged(value: Any) -> Spans:
    found = spans()
    said = [*attributes(gen_ai__evaluation__name="solved"), {"key": "gen_ai.evaluation.score.value", "value": value}]
    found[0]["events"] = [{"name": "gen_ai.evaluation.result", "timeUnixNano": str(START), "attributes": said}]
    return found


def cyclic() -> Spans:
    found = spans()
    found[0]["parentSpanId"] = found[2]["spanId"]
    return found


def endless() -> Spans:
    return [*spans(), *(wire_span(n, at=3, trace=1, gen_ai__operation__name="chat") for n in range(3, 60))]


@dataclass(frozen=True)
class Case:
    """An odd trace, the loss that it counts as, and how many steps of it are read (0: it is left out)."""

    odd: Spans
    loss: str | None = None
    steps: int = 3
    elsewhere: dict[str, tuple[str | None, int]] = field(default_factory=dict)
    """Loss and steps by kind of backend, where it differs."""


FAR = dict.fromkeys(SERVERS, (None, 2))
CASES = {
    "a child begins before its parent": Case(timed(2, at=-30), "clock_skew"),
    "a span ends before it begins": Case(timed(2, at=2, lasts=-5), "clock_skew"),
    "a span takes a month": Case(timed(2, at=2, lasts=YEAR / 12), "clock_skew"),
    "a span's clock was never set": Case(timed(2, at=-START / 10**9 + 60), "clock_skew", elsewhere=FAR),
    "a span lies in the future": Case(timed(2, at=75 * YEAR), "clock_skew", elsewhere=FAR),
    "parents in a circle": Case(cyclic(), "cyclic_parents"),
    "a span comes twice": Case(
        [*spans(), spans()[2]],
        "duplicate_spans",
        elsewhere={kind: ("duplicate_observations", 3) for kind in KINDS if kind.startswith("langfuse")},
    ),
    "bytes that are no text": Case(changed(2, gen_ai__tool__call__result=f"caf{BROKEN.decode()}"), "invalid_utf8"),
    "a score that is not a number": Case(judged({"doubleValue": "NaN"}), "scores_without_number"),
    "a score without an end": Case(judged({"doubleValue": "Infinity"}), "scores_without_number"),
    "a turn without content": Case(
        changed(1, gen_ai__input__messages=None, gen_ai__output__messages=None), "llm_without_content"
    ),
    "arguments that nest without an end": Case(changed(2, gen_ai__tool__call__arguments="[" * 50_000)),
    "a number above all counters": Case(changed(1, gen_ai__usage__input_tokens=str(10**30))),
    "more spans than any agent's": Case(endless(), "oversized_traces", 0),
    "more text than any agent's": Case(
        changed(2, gen_ai__tool__call__result="x" * 60_000), "oversized_traces", 0
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that a test reaches."""
    for module in ("spool", "clickhouse"):
        monkeypatch.setattr(f"ninefold.traces.{module}.MAX_RECORDS", 50)
    for module in ("spool", "langfuse.backend"):
        monkeypatch.setattr(f"ninefold.traces.{module}.MAX_TRACE", 55_000)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CASES)
def test_an_odd_trace_costs_what_the_page_says(name: str, kind: str, tmp_path: Path) -> None:
    case = CASES[name]
    loss, steps = case.elsewhere.get(kind, (case.loss, case.steps))
    with KINDS[kind]([request(*case.odd), request(*spans(2))], tmp_path) as backend:
        found: dict[str, TraceRecord] = {r.trace_id[-1]: r for r in backend.read(WINDOW)}
        losses = {k: n for k, n in backend.losses.items() if n}
    table = tabulate(found.values(), an_agent_spec(), Counter())
    assert table.traces.num_rows == len(found), "all of it fits into the table"
    assert len(found.pop("2").steps) == 3, "the good trace is read whole"
    assert [len(r.steps) for r in found.values()] == [steps] * bool(steps)
    assert not losses if loss is None else losses[loss] >= 1
    assert not losses.keys() - {loss, "orphan_spans"}
    if loss == "clock_skew":
        assert all(0 <= r.end_ts - START <= 12 * 10**9 for r in found.values()), (
            "its clock says nothing about the trace"
        )
    if loss == "scores_without_number":
        assert [s.value for r in found.values() for s in r.scores] == [None]
    if loss == "invalid_utf8":
        assert "caf" in str(found["1"].steps[2].tool_result) and "\ufffd" in str(found["1"].steps[2].tool_result)


@pytest.mark.parametrize("kind", KINDS)
def test_a_trace_of_another_century_is_in_no_window(kind: str, tmp_path: Path) -> None:
    late = [{**s, "startTimeUnixNano": str(START + 75 * YEAR * 10**9 + n)} for n, s in enumerate(spans())]
    late = [{**s, "endTimeUnixNano": s["startTimeUnixNano"]} for s in late]
    with KINDS[kind]([request(*late), request(*spans(2))], tmp_path) as backend:
        assert [r.trace_id[-1] for r in backend.read(WINDOW)] == ["2"]
        asked_by_time = (*SERVERS, "tempo", "jaeger")
        assert backend.losses["outside_window"] == (0 if kind in asked_by_time else 1)


@pytest.mark.parametrize("kind", KINDS)
def test_thousands_of_tiny_traces_in_one_second_are_all_read(kind: str, tmp_path: Path) -> None:
    many = 300 if kind in ("jaeger", "tempo", "clickhouse") else 2_000
    tiny = [request(wire_span(0, trace=n + 1, gen_ai__operation__name="invoke_agent")) for n in range(many)]
    with KINDS[kind](tiny, tmp_path) as backend:
        assert len({r.trace_id for r in backend.read(WINDOW)}) == many
        assert not +backend.losses


# ---------------------------------------------------------------- what only files can hold


def bomb(line: bytes) -> bytes:
    return gzip.compress(line * (2**22 // len(line)))


GZIPPED = {
    "OTLP": {"otlp": {"volume": VOLUME}},
    "mapped": {"files": {"volume": VOLUME, "mapping": {"traceId": "t", "startTime": "at"}}},
}


@pytest.mark.parametrize("source", GZIPPED.values(), ids=GZIPPED)
@pytest.mark.parametrize("line", [b"\x00" * 4096, b'{"t": "1"}\n', b"\n"], ids=["zeros", "rows", "blank lines"])
def test_a_zip_bomb_is_left_when_it_shows(
    source: dict[str, Any], line: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ninefold.traces.bombs.FREE_EXPANSION", 2**20)
    monkeypatch.setattr("ninefold.traces.bombs.MAX_EXPANSION", 50)
    (tmp_path / "t.jsonl.gz").write_bytes(bomb(line))
    backend = opened(source, tmp_path)
    assert not list(backend.read(WINDOW))
    assert backend.losses["zip_bombs"] == 1


def test_a_parquet_file_that_unpacks_to_far_more_than_it_is_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ninefold.traces.bombs.FREE_EXPANSION", 2**20)
    rows = pa.table({"t": ["1"] * 4, "at": [START] * 4, "said": ["x" * 2**20] * 4})
    pq.write_table(rows, tmp_path / "t.parquet", compression="zstd", use_dictionary=False)
    files = {"volume": VOLUME, "format": "parquet", "mapping": {"traceId": "t", "startTime": "at", "input": "said"}}
    backend = opened({"files": files}, tmp_path)
    assert not list(backend.read(WINDOW))
    assert backend.losses["zip_bombs"] == 1


def test_parquet_text_that_is_none_is_replaced(tmp_path: Path) -> None:
    said = pa.Array.from_buffers(pa.string(), 2, pa.array([b"caf\xe9", b"fine"], pa.binary()).buffers())
    pq.write_table(pa.table({"t": ["1", "2"], "at": [START] * 2, "said": said}), tmp_path / "t.parquet")
    files = {"volume": VOLUME, "format": "parquet", "mapping": {"traceId": "t", "startTime": "at", "input": "said"}}
    backend = opened({"files": files}, tmp_path)
    heard = [content for r in backend.read(WINDOW) for _, _, content in r.messages.values()]
    assert heard == ["caf\ufffd", "fine"]
    assert +backend.losses == {"invalid_utf8": 1}


# ---------------------------------------------------------------- memory


LARGE = 4 * 2**20


@pytest.mark.parametrize("size", [None, 2**40], ids=["of unknown size", "through the spool"])
def test_a_trace_without_an_end_is_not_held(size: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """100 times what one trace may have streams by; what is held stays near that limit."""
    monkeypatch.setattr("ninefold.traces.spool.MAX_TRACE", LARGE)
    monkeypatch.setattr("ninefold.traces.spool.IN_MEMORY", LARGE)
    monkeypatch.setattr("ninefold.traces.spool.MAX_PARTS", 8)
    monkeypatch.setattr("ninefold.traces.spool.MAX_RECORDS", 10**6)

    def stream() -> Iterator[tuple[str, dict[str, Any]]]:
        for n in range(1000):
            yield "run-away", {"attributes": {"gen_ai.output.messages": f"{n:07}" + "x" * (LARGE // 10)}}
            if n % 100 == 0:
                yield f"good {n}", {"attributes": {}}

    losses = Counter[str]()
    tracemalloc.start()
    try:
        found = list(by_trace(stream(), size, losses))
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found) == 10 and losses == {"oversized_traces": 1}
    assert held < 4 * LARGE


def test_weight_is_that_of_the_texts_however_deep() -> None:
    deep: Any = "four"
    for _ in range(5_000):
        deep = [{"a": deep}]
    assert weight({"one": "abc", "two": deep, "three": 7}) == 7


def test_a_damaged_line_costs_itself_alone(tmp_path: Path) -> None:
    write_lines(tmp_path / "t.jsonl", request(*spans(1)), "[" * 100_000, b"\xff\xfe", request(*spans(2)))
    backend = opened({"otlp": {"volume": VOLUME}}, tmp_path)
    assert len(list(backend.read(WINDOW))) == 2
    assert +backend.losses == {"malformed_lines": 1, "malformed_records": 1}
