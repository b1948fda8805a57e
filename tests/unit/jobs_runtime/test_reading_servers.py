"""A server is asked for new hours, and for those that were not settled: what that is, and what is late."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from langfuse_clients import HOST, Wire, a_trace
from trace_builders import START, a_record, run_inputs

from ninefold.api.inputs import RunInputs
from ninefold.api.tracebackend import Capabilities
from ninefold.jobs.keeping import MemoryParts
from ninefold.jobs.reading import Reading, read_window
from ninefold.traces import Window
from ninefold.traces.model import TraceRecord
from ninefold.traces.private import Private
from standins.langfuse import Answer, Request, StandIn, ingest

pytestmark = pytest.mark.usefixtures("light")


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
