"""A window is read slice by slice, and a slice once: what is read again, and that nothing is lost or doubled by it."""

import gzip
import json
import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from langfuse_clients import a_trace
from reading_builders import a_line, a_span, at_once, days, read, table
from trace_builders import START, request, run_inputs, write_lines

from ninefold.api.inputs import RunInputs
from ninefold.jobs.keeping import FolderParts, MemoryParts, Names
from ninefold.jobs.reading import PartLost
from ninefold.jobs.stock import Shard
from ninefold.traces import Window, collect, open_backend
from ninefold.traces.otlp import OtlpFiles
from standins.langfuse import ingest, write_export

pytestmark = pytest.mark.usefixtures("light")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Which objects were opened, and how often."""
    found: Counter[str] = Counter()
    rows = OtlpFiles.rows

    def counted(self: OtlpFiles, one: Any) -> Iterator[Any]:
        found[one.name] += 1
        return rows(self, one)

    monkeypatch.setattr(OtlpFiles, "rows", counted)
    return found


def test_slices_together_are_what_one_reading_gives(tmp_path: Path, opened: Counter[str]) -> None:
    days(tmp_path, 5)
    kept = MemoryParts()
    found = read(tmp_path, kept)
    assert (len(found.slices), found.read, found.traces) == (5, 5, 20)
    assert opened == {f"{day:02}.jsonl": 1 for day in range(5)}
    assert table(found, kept) == at_once(tmp_path)


def test_a_second_cycle_opens_only_new_objects(tmp_path: Path, opened: Counter[str]) -> None:
    days(tmp_path, 5)
    kept = MemoryParts()
    read(tmp_path, kept)
    opened.clear()
    write_lines(tmp_path / "05.jsonl", a_line(100, 5.2), a_line(101, 5.3))
    found = read(tmp_path, kept)
    assert opened == {"05.jsonl": 1}
    assert (len(found.slices), found.read, found.traces) == (6, 1, 22)
    assert table(found, kept) == at_once(tmp_path)


def test_a_late_span_corrects_the_slice_of_its_trace(tmp_path: Path, opened: Counter[str]) -> None:
    days(tmp_path, 5)
    kept = MemoryParts()
    assert table(read(tmp_path, kept), kept)[f"{1:032x}"] == 2
    opened.clear()
    write_lines(tmp_path / "late.jsonl", request(a_span(1, 0.0, after=30, n=2)))
    found = read(tmp_path, kept)
    assert (found.read, table(found, kept)[f"{1:032x}"]) == (1, 3)
    assert opened == {"late.jsonl": 1, "00.jsonl": 1}
    assert table(found, kept) == at_once(tmp_path)


def test_a_trace_that_turns_out_to_have_begun_earlier_moves_to_the_slice_before(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", a_line(1, 1.001), a_line(2, 0.5), a_line(3, 1.5))
    kept = MemoryParts()
    assert [head.traces for head in read(tmp_path, kept).heads] == [1, 2]
    write_lines(tmp_path / "b.jsonl", request(a_span(1, 0.99, n=2)))
    found = read(tmp_path, kept)
    assert ([head.traces for head in found.heads], found.read) == ([2, 1], 2)
    assert table(found, kept) == at_once(tmp_path)


def test_a_trace_across_midnight_belongs_to_the_day_of_its_start_whatever_file_its_spans_are_in(tmp_path: Path) -> None:
    write_lines(tmp_path / "b.jsonl", a_line(1, 0.9999, last=False), a_line(2, 0.5))
    write_lines(tmp_path / "a.jsonl", request(a_span(1, 0.9999, after=60)), a_line(3, 1.5))
    kept = MemoryParts()
    found = read(tmp_path, kept)
    assert [head.traces for head in found.heads] == [2, 1]
    assert table(found, kept) == at_once(tmp_path) == {f"{n:032x}": 2 for n in (1, 2, 3)}


def test_a_file_that_grows_makes_only_the_slices_of_its_new_lines_stale(tmp_path: Path, opened: Counter[str]) -> None:
    lines = [a_line(n + 1, n / 2) for n in range(10)]
    write_lines(tmp_path / "all.jsonl", *lines)
    kept = MemoryParts()
    assert read(tmp_path, kept).read == 5
    write_lines(tmp_path / "all.jsonl", *lines, a_line(11, 4.9), a_line(12, 5.0))
    found = read(tmp_path, kept)
    assert (found.read, len(found.slices)) == (2, 6)
    assert opened == {"all.jsonl": 2}
    assert table(found, kept) == at_once(tmp_path)


def test_a_copy_with_a_new_time_is_opened_once_and_no_slice_is_read(tmp_path: Path, opened: Counter[str]) -> None:
    days(tmp_path, 3)
    kept = MemoryParts()
    read(tmp_path, kept)
    opened.clear()
    os.utime(tmp_path / "01.jsonl", ns=(1, 1))
    assert (read(tmp_path, kept).read, opened) == (0, {"01.jsonl": 1})
    assert (read(tmp_path, kept).read, opened) == (0, {"01.jsonl": 1})


def test_a_changed_object_with_an_old_time_is_read_for_its_size(tmp_path: Path) -> None:
    days(tmp_path, 2)
    kept = MemoryParts()
    read(tmp_path, kept)
    before = (tmp_path / "00.jsonl").stat()
    write_lines(tmp_path / "00.jsonl", a_line(1, 0.1), a_line(50, 0.2))
    os.utime(tmp_path / "00.jsonl", ns=(before.st_atime_ns, before.st_mtime_ns))
    found = read(tmp_path, kept)
    assert found.read == 1
    assert table(found, kept) == at_once(tmp_path)


def test_what_is_gone_from_the_objects_is_gone_from_the_slices(tmp_path: Path) -> None:
    days(tmp_path, 3)
    kept = MemoryParts()
    read(tmp_path, kept)
    (tmp_path / "01.jsonl").unlink()
    found = read(tmp_path, kept)
    assert (found.read, len(found.slices)) == (0, 2)
    assert table(found, kept) == at_once(tmp_path)


def test_losses_are_the_same_however_often_a_window_is_read(tmp_path: Path) -> None:
    days(tmp_path, 3)
    write_lines(tmp_path / "odd.jsonl", "{no json", a_line(70, 1.0), a_line(70, 1.0), a_line(71, -3000))
    kept = MemoryParts()
    first = read(tmp_path, kept).tally.losses
    assert (first["malformed_lines"], first["duplicate_spans"], first["outside_window"]) == (1, 2, 1)
    write_lines(tmp_path / "03.jsonl", a_line(80, 3.0))
    assert read(tmp_path, kept).tally.losses == first


def test_late_traces_are_counted_and_stay_counted(tmp_path: Path) -> None:
    days(tmp_path, 3)
    kept = MemoryParts()
    read(tmp_path, kept)
    for n in (90, 91):
        write_lines(tmp_path / f"late-{n}.jsonl", a_line(n, 0.3))
        assert read(tmp_path, kept).tally.losses["late_traces"] == n - 89
    assert read(tmp_path, kept).tally.losses["late_traces"] == 2


def test_an_object_that_breaks_off_is_opened_again_by_the_next_run(tmp_path: Path, opened: Counter[str]) -> None:
    days(tmp_path, 1)
    packed = gzip.compress(b"".join(json.dumps(a_line(n, 0.5)).encode() + b"\n" for n in range(60, 64)))
    (tmp_path / "x.gz").write_bytes(packed[:-20])
    kept = MemoryParts()
    first, later = run_inputs(), RunInputs.model_validate({**run_inputs().wire(), "windowEnd": "2040-01-02T00:00:00Z"})
    read(tmp_path, kept, first)
    read(tmp_path, kept, first)
    assert opened["x.gz"] == 1
    read(tmp_path, kept, later)
    assert opened["x.gz"] == 2


def test_an_object_that_changes_while_it_is_read_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    days(tmp_path, 2)
    kept = MemoryParts()
    read(tmp_path, kept)
    write_lines(tmp_path / "late.jsonl", request(a_span(1, 0.0, after=30, n=2)))
    rows, swapped = OtlpFiles.rows, list[str]()

    def swap(self: OtlpFiles, one: Any) -> Iterator[Any]:
        if one.name == "00.jsonl" and not swapped:  # between the listing and the opening
            swapped.append(one.name)
            write_lines(tmp_path / "00.jsonl", a_line(1, 0.0), a_line(99, 0.1))
        return rows(self, one)

    monkeypatch.setattr(OtlpFiles, "rows", swap)
    found = read(tmp_path, kept)
    assert swapped
    assert table(found, kept) == at_once(tmp_path)


def test_shards_share_the_slices_and_the_objects(tmp_path: Path, opened: Counter[str]) -> None:
    days(tmp_path, 8)
    kept = MemoryParts()
    shards = [read(tmp_path, kept, shard=Shard(n, 3)) for n in range(3)]
    assert [len(found.slices) for found in shards] == [3, 3, 2]
    assert sum(found.read for found in shards) == 8
    whole = read(tmp_path, kept)
    assert (whole.read, table(whole, kept)) == (0, at_once(tmp_path))
    assert max(opened.values()) <= 3


def test_a_shard_leaves_to_others_what_they_have_claimed_until_their_time_is_over(tmp_path: Path) -> None:
    days(tmp_path, 4)

    class Claimed(MemoryParts):
        """Another shard holds every object at first, and dies."""

        patience = 3

        def claim(self, name: str, by: str, lasts: Any) -> bool:
            return self.patience <= 0

    kept = Claimed()

    def pause(seconds: float) -> None:
        kept.patience -= 1

    found = read(tmp_path, kept, shard=Shard(1, 2), pause=pause)
    assert (kept.patience, found.read) == (0, 2)


def test_parts_of_other_settings_are_not_taken(tmp_path: Path) -> None:
    one = Names.of(run_inputs())
    assert Names.of(run_inputs()) == one
    assert Names.of(run_inputs(intent_key=None)).reading != one.reading
    wire = run_inputs().wire()
    wire["backend"]["privacy"]["redact"] = ["Mail"]
    assert Names.of(RunInputs.model_validate(wire)).reading != one.reading
    assert Names.of(RunInputs.model_validate(wire)).source == one.source
    wire["backend"]["otlp"]["path"] = "other"
    assert Names.of(RunInputs.model_validate(wire)).source != one.source


def test_a_folder_keeps_parts_for_the_next_reading(tmp_path: Path, opened: Counter[str]) -> None:
    days(tmp_path / "traces", 3)
    read(tmp_path / "traces", FolderParts(tmp_path / "kept"))
    opened.clear()
    again = FolderParts(tmp_path / "kept")
    found = read(tmp_path / "traces", again)
    assert (found.read, opened) == (0, {})
    assert table(found, again) == at_once(tmp_path / "traces")


def test_a_part_that_was_damaged_is_read_again(tmp_path: Path) -> None:
    days(tmp_path, 2)
    kept = FolderParts(tmp_path / ".kept")
    found = read(tmp_path, kept)
    part = next((tmp_path / ".kept").glob("*.part"))
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(PartLost):
        list(found.parts(kept, run_inputs()))
    again = read(tmp_path, kept)
    assert (again.read, table(again, kept)) == (1, at_once(tmp_path))


def test_mapped_files_lose_in_slices_what_they_lose_at_once(tmp_path: Path) -> None:
    rows = [{"t": f"t{n}", "at": START // 10**9 + n * 40_000, "tool": "museum", "won": n % 2} for n in range(9)]
    write_lines(tmp_path / "a.jsonl", *rows, {"t": "timeless", "tool": "museum"}, {"at": 1}, "{broken")
    write_lines(tmp_path / "b.jsonl", *({**row, "at": row["at"] + 60_000} for row in rows))
    wire = run_inputs().wire()
    mapping = {"traceId": "t", "startTime": "at", "toolName": "tool", "outcome": "won"}
    wire["backend"] = {"files": {"volume": {"configMap": {"name": "c"}}, "mapping": mapping}}
    wire["agent"]["success"]["score"] = "won"
    inputs, kept = RunInputs.model_validate(wire), MemoryParts()
    found = read(tmp_path, kept, inputs)
    whole = collect(open_backend(inputs.backend, tmp_path), Window(0, 2**62), inputs.agent)
    assert table(found, kept, inputs) == Counter(whole.steps["trace_id"].to_pylist())
    assert +found.tally.losses == Counter(whole.losses)
    assert found.tally.losses["rows_without_time"] == 1


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_an_export_of_langfuse_in_slices_is_what_it_is_at_once(kind: Any, tmp_path: Path) -> None:
    runs = [
        ("2025-06-15T15:00:00.000Z", "2025-06-16T03:00:00.000Z"),
        ("2025-06-16T03:00:00.000Z", "2025-06-20T00:00:00.000Z"),
    ]
    write_export(ingest(a_trace(n * 300) for n in range(12)), tmp_path, runs, kind)
    wire = run_inputs().wire()
    wire["backend"] = {"langfuse": {"export": {"volume": {"configMap": {"name": "c"}}, "format": kind}}}
    inputs, kept = RunInputs.model_validate(wire), MemoryParts()
    found = read(tmp_path, kept, inputs)
    whole = collect(open_backend(inputs.backend, tmp_path), Window(0, 2**62), inputs.agent)
    assert (len(found.slices), read(tmp_path, kept, inputs).read) == (3, 0)
    assert table(found, kept, inputs) == Counter(whole.steps["trace_id"].to_pylist())


def test_a_row_with_a_time_inside_a_nested_column_is_kept(tmp_path: Path) -> None:
    moment = datetime(2025, 6, 15, tzinfo=UTC)
    rows = [{"t": "t1", "at": moment, "tool": "museum", "args": {"from": moment}, "won": 1.0}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    wire = run_inputs().wire()
    mapping = {"traceId": "t", "startTime": "at", "toolName": "tool", "toolArgs": "args", "outcome": "won"}
    wire["backend"] = {"files": {"volume": {"configMap": {"name": "c"}}, "format": "parquet", "mapping": mapping}}
    inputs, kept = RunInputs.model_validate(wire), MemoryParts()
    assert table(read(tmp_path, kept, inputs), kept, inputs) == {"t1": 1}
