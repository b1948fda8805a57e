"""A window is read slice by slice, and a slice once: what is read again, and that nothing is lost or doubled by it."""

import gzip
import json
import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from langfuse_clients import HOST, Wire, a_trace
from light_parts import LightPart, steps_of
from trace_builders import START, a_record, attributes, request, run_inputs, wire_span, write_lines

from ninefold.api.artifacts import RunInputs
from ninefold.api.tracebackend import Capabilities
from ninefold.jobs.keeping import FolderParts, MemoryParts, Names
from ninefold.jobs.reading import PartLost, Reading, read_window
from ninefold.jobs.stock import Shard
from ninefold.traces import Window, collect, open_backend
from ninefold.traces.model import TraceRecord
from ninefold.traces.otlp import OtlpFiles
from ninefold.traces.private import Private
from standins.langfuse import Answer, Request, StandIn, ingest, write_export

DAY, HOUR = 86_400.0, 3600.0
FIRST = START / 1e9 // DAY * DAY - START / 1e9
"""The start of START's day, in seconds after START."""


def a_line(trace: int, day: float, *, solved: bool = True, last: bool = True) -> dict[str, Any]:
    """A trace with a session of its own that begins on a day, counted from that of START; without its `last` span."""
    at = FIRST + day * DAY
    judged = attributes(gen_ai__evaluation__name="solved", gen_ai__evaluation__score__value=float(solved))
    event = {"name": "gen_ai.evaluation.result", "attributes": judged}
    meta = {"app__museum": "north", "app__task": f"t{trace}", "gen_ai__conversation__id": f"s{trace}"}
    agent = {"gen_ai__operation__name": "invoke_agent", "gen_ai__agent__name": "guide"}
    first = wire_span(0, trace=trace, at=at, lasts=9, events=[event], **agent, **meta)
    return request(first, *([a_span(trace, day)] if last else []))


def a_span(trace: int, day: float, after: float = 1, n: int = 1) -> dict[str, Any]:
    """A tool call of a trace, some seconds after the trace began."""
    tool = {"gen_ai__operation__name": "execute_tool", "gen_ai__tool__name": "museum"}
    return wire_span(n, trace=trace, at=FIRST + day * DAY + after, gen_ai__tool__call__result="[]", **tool, **{})


def days(root: Path, number: int, per_day: int = 4) -> None:
    """A file a day."""
    for day in range(number):
        write_lines(root / f"{day:02}.jsonl", *(a_line(day * per_day + n + 1, day + n / 100) for n in range(per_day)))


@pytest.fixture(autouse=True)
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("passes", "reading"):
        monkeypatch.setattr(f"ninefold.jobs.{module}.Part", LightPart)


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


def read(root: Path, kept: MemoryParts, inputs: RunInputs | None = None, **options: Any) -> Reading:
    inputs = inputs or run_inputs()
    return read_window(open_backend(inputs.backend, root), inputs, kept, **options)


def table(reading: Reading, kept: MemoryParts, inputs: RunInputs | None = None) -> dict[str, int]:
    """Number of steps by trace: all that was kept."""
    return steps_of(reading.parts(kept, inputs or run_inputs()))


def at_once(root: Path) -> dict[str, int]:
    """The same, of the whole window in one table."""
    inputs = run_inputs()
    whole = collect(open_backend(inputs.backend, root), Window.of(inputs.window_start, inputs.window_end), inputs.agent)
    steps = Counter(whole.steps["trace_id"].to_pylist())
    return {trace: steps[trace] for trace in whole.traces["trace_id"].to_pylist()}


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


# ---------------------------------------------------------------- servers


class Server:
    """A backend that answers windows. `asked` are those that it was asked for, in hours since the first."""

    def __init__(self, *starts: float) -> None:
        self.losses: Counter[str] = Counter()
        self.asked: list[tuple[float, float]] = []
        self.traces = {f"trace-{n}": start for n, start in enumerate(starts)}

    def probe(self) -> Capabilities:
        raise AssertionError("nobody probes here")

    def read(self, window: Window) -> Iterator[TraceRecord]:
        self.asked.append(tuple((moment - BASE) / 3600e9 for moment in (window.start, window.end)))  # type: ignore[arg-type]
        for name, start in self.traces.items():
            moment = BASE + int(start * 3600e9)
            if window.holds(moment):
                made = a_record(name, [("list", "[]", True)], app__museum="m", app__task="t", session=name)
                yield type(made)(**{**{f: getattr(made, f) for f in made.__slots__}, "start_ts": moment})
            else:
                self.losses["outside_window"] += 1


BASE = START // 3_600_000_000_000 * 3_600_000_000_000


def of_server(server: Server, kept: MemoryParts, start: float, end: float, lateness: str = "2h") -> Reading:
    wire = run_inputs(traces={"lateness": lateness, "window": "24h"}).wire()
    wire["backend"] = {"jaeger": {"url": "http://jaeger:16686"}}
    for name, hours in (("windowStart", start), ("windowEnd", end)):
        wire[name] = f"{_moment(hours)}"
    inputs = RunInputs.model_validate(wire)
    server.asked.clear()
    return read_window(Private(server, inputs.backend.privacy, {}), inputs, kept)


def _moment(hours: float) -> str:
    return datetime.fromtimestamp(BASE / 1e9 + hours * 3600, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_window_begins_with_its_first_hour_and_ends_with_the_run(tmp_path: Path) -> None:
    server, kept = Server(0.2, 3.4, 5.9), MemoryParts()
    found = of_server(server, kept, 0.5, 5.5)
    assert (len(found.slices), found.traces) == (6, 2)
    assert (server.asked[0][0], server.asked[-1][1]) == (0, 5.5)
    assert all(one[1] == two[0] for one, two in zip(server.asked, server.asked[1:], strict=False))


def test_a_second_cycle_asks_for_what_is_new_and_for_what_was_not_settled() -> None:
    server, kept = Server(*(n / 2 for n in range(60))), MemoryParts()
    of_server(server, kept, 0, 10)
    found = of_server(server, kept, 2, 14)
    assert server.asked[0][0] == 8  # ended at 9, and was read at 10, which is less than two hours later
    assert (found.read, found.traces) == (6, 24)


def test_the_same_run_reads_nothing_twice() -> None:
    server, kept = Server(1, 2, 3), MemoryParts()
    of_server(server, kept, 0, 10)
    assert of_server(server, kept, 0, 10).read == 0
    assert server.asked == []


def test_a_late_trace_corrects_its_hour_within_the_lateness_and_is_counted() -> None:
    server, kept = Server(1, 8.5), MemoryParts()
    of_server(server, kept, 0, 10)
    server.traces |= {"late": 8.7, "too late": 1.5}
    found = of_server(server, kept, 0, 14)
    assert (found.traces, found.tally.losses["late_traces"]) == (3, 1)
    assert of_server(server, kept, 0, 20).tally.losses["late_traces"] == 1


def test_what_a_slice_sees_of_its_neighbours_is_no_loss() -> None:
    server, kept = Server(*(n / 2 for n in range(20))), MemoryParts()
    assert "outside_window" not in of_server(server, kept, 0, 10).tally.losses


def test_langfuse_is_asked_for_new_hours_only_and_once_for_scores() -> None:
    project = ingest(a_trace(n * 30) for n in range(40))  # one each half hour, from the START on
    asked: list[str] = []

    class Noting(StandIn):
        def answer(self, request: Request) -> Answer:
            asked.append(request.target)
            return super().answer(request)

    wire, kept = Wire(Noting(project)), MemoryParts()
    keys = {side: {"name": "langfuse", "key": "k"} for side in ("publicKeySecretRef", "secretKeySecretRef")}

    def cycle(start: float, end: float) -> Reading:
        given = run_inputs(traces={"lateness": "1h", "window": "24h"}).wire()
        given |= {"backend": {"langfuse": {"host": HOST, **keys}}}
        inputs = RunInputs.model_validate(given | {"windowStart": _moment(start), "windowEnd": _moment(end)})
        asked.clear()
        return read_window(Private(wire.backend(), inputs.backend.privacy, {}), inputs, kept)

    assert cycle(0, 12).traces == 24
    found = cycle(1, 15)
    reads = [parse_qs(urlsplit(one).query) for one in asked if "/v2/observations" in one and "core%2C" in one]
    since = min(query["fromStartTime"][0] for query in reads)
    assert since == _moment(10).replace("Z", ".000Z")  # 11 was not settled at 12, and one hour of overlap
    assert (found.read, found.traces) == (4, 28)
    assert sum("/v3/scores" in one for one in asked) == 1
