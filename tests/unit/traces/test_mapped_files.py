"""JSONL and Parquet files of one's own become the same table, by a mapping of columns."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from trace_builders import write_lines

from ninefold.api.tracebackend import TraceBackendSpec
from ninefold.traces import Window, open_backend
from ninefold.traces.files import nanos, pick
from ninefold.traces.model import TraceRecord

MAPPING = {
    "traceId": "trace",
    "sessionId": "ctx.session",
    "toolName": "tool",
    "toolArgs": "args",
    "toolResult": "result",
    "input": "question",
    "startTime": "at",
    "status": "status",
    "outcome": "solved",
    "agent": "agent",
    "metadata": ["ctx.museum", "level"],
}
ROWS: list[dict[str, Any]] = [
    {
        "trace": "t1",
        "at": "2025-06-15T12:00:00Z",
        "question": "Open the vault.",
        "ctx": {"session": "s1", "museum": "north"},
        "agent": "guide",
        "level": 2,
    },
    {
        "trace": "t1",
        "at": "2025-06-15T12:00:01Z",
        "tool": "museum",
        "args": '{"command": "open vault"}',
        "result": "closed",
        "status": "error",
    },
    {"trace": "t1", "at": "2025-06-15T12:00:01Z", "tool": "museum", "args": '{"command":"list"}', "solved": True},
    {"trace": "t2", "at": "2025-06-15T12:00:02Z", "tool": "museum", "args": "{}", "solved": False},
]


def read(root: Path, form: str = "jsonl", **mapping: Any) -> tuple[list[TraceRecord], dict[str, int]]:
    files = {"volume": {"configMap": {"name": "c"}}, "format": form, "mapping": {**MAPPING, **mapping}}
    backend = open_backend(TraceBackendSpec.model_validate({"files": files}), root)
    return list(backend.read(Window(0, 2**63))), {k: v for k, v in backend.losses.items() if v}


def test_rows_of_one_trace_become_its_steps(tmp_path: Path) -> None:
    write_lines(tmp_path / "rows.jsonl", *ROWS)
    (one, two), losses = read(tmp_path)
    assert not losses
    assert (one.trace_id, one.session_id, one.agent) == ("t1", "s1", "guide")
    assert one.metadata == {"ctx.museum": "north", "level": "2"}
    assert [(s.kind, s.tool_args, s.status) for s in one.steps] == [
        ("llm", None, "ok"),
        ("tool", '{"command":"open vault"}', "error"),
        ("tool", '{"command":"list"}', "ok"),
    ]
    assert one.messages[one.steps[0].messages_in_hash or ""] == (None, "user", "Open the vault.")
    assert [(s.name, s.value) for s in (*one.scores, *two.scores)] == [("solved", 1.0), ("solved", 0.0)]


def test_parquet_gives_what_jsonl_gives(tmp_path: Path) -> None:
    write_lines(tmp_path / "lines/rows.jsonl", *ROWS)
    (tmp_path / "columns").mkdir()
    columns = {key: [row.get(key) for row in ROWS] for row in ROWS for key in row}
    pq.write_table(pa.table(columns), tmp_path / "columns/rows.parquet")
    assert read(tmp_path / "columns", "parquet") == read(tmp_path / "lines")


def test_rows_that_cannot_be_placed_are_counted(tmp_path: Path) -> None:
    rows = [{"at": 1}, {"trace": "t", "at": "yesterday"}, "nonsense", "[1]", {"trace": "t3", "at": 1_750_000_000}]
    write_lines(tmp_path / "rows.jsonl", *rows)
    traces, losses = read(tmp_path)
    assert [t.trace_id for t in traces] == ["t3"]
    unplaced = {"rows_without_trace_id": 1, "rows_without_time": 1, "malformed_lines": 2}
    assert losses == unplaced | {"llm_without_content": 1}


def test_a_file_that_is_no_parquet_is_counted(tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").write_bytes(b"PAR1 but no more")
    assert read(tmp_path, "parquet") == ([], {"unreadable_files": 1})


@pytest.mark.parametrize(
    "moment",
    [1_750_000_000, 1_750_000_000_000, 1_750_000_000_000_000, 1_750_000_000_000_000_000, "2025-06-15T15:06:40+00:00"],
)
def test_seconds_milliseconds_microseconds_and_nanoseconds_are_told_apart(moment: Any) -> None:
    assert nanos(moment) == 1_750_000_000_000_000_000


def test_a_name_with_dots_is_tried_before_the_path() -> None:
    assert pick({"a.b": 1, "a": {"b": 2}}, "a.b") == 1
    assert pick({"a": {"b": 2}}, "a.b") == 2
    assert pick({"a": 3}, "a.b") is None
