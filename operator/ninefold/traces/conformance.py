"""Whether a trace backend keeps its promises: for the authors of plugins, in their own test-suite.

    from ninefold.traces.conformance import check_backend

    def test_conformance():
        check_backend(lambda: MyBackend(context), window)

Give it a factory and a window in which the backend holds at least two traces that did not start at the same moment.
It raises AssertionError with a sentence for the first promise that is broken, and needs no test framework.
"""

from collections import Counter
from collections.abc import Callable

from ninefold.api.tracebackend import Capabilities
from ninefold.traces.backend import Backend, Window
from ninefold.traces.model import TraceRecord

_KINDS = ("llm", "tool", "agent")


def check_backend(make: Callable[[], Backend], window: Window) -> None:
    """Every promise of `ninefold.traces.backend.Backend`, one after the other."""
    records = list(make().read(window))
    _require(len({r.start_ts for r in records}) > 1, "the window must hold two traces or more, begun at two moments")
    for record in records:
        check_record(record)
        _require(window.holds(record.start_ts), f"trace {record.trace_id} did not start in the window: leave it out")
    ids = Counter(r.trace_id for r in records)
    _require(max(ids.values()) == 1, f"trace {ids.most_common(1)[0][0]} came twice: yield every trace once, whole")
    _check_repeats(make, window, records)
    _check_halves(make, window, records)
    _check_probe(make())


def check_record(record: TraceRecord) -> None:
    """What holds for one trace by itself."""
    name = record.trace_id
    _require(bool(name and record.session_id), "a trace needs an id, and a session's id (its own where there is none)")
    _require(
        record.end_ts >= record.start_ts > 10**17, f"trace {name}: times are nanoseconds since 1970, end not first"
    )
    _require(
        [s.step_idx for s in record.steps] == list(range(len(record.steps))),
        f"trace {name}: number its steps from 0, in their order",
    )
    known = {s.step_id for s in record.steps}
    _require(len(known) == len(record.steps), f"trace {name}: a step's id comes twice")
    for step in record.steps:
        where = f"trace {name}, step {step.step_idx}"
        _require(step.trace_id == name, f"{where}: it names another trace")
        _require(step.kind in _KINDS, f"{where}: its kind is none of {', '.join(_KINDS)}")
        _require(step.kind != "tool" or bool(step.tool_name), f"{where}: a tool call needs the tool's name")
        for key in (step.messages_in_hash, step.system_prompt_hash):
            _require(key is None or key in record.messages, f"{where}: it refers to a message that the trace lacks")
    for parent, _, _ in record.messages.values():
        _require(parent is None or parent in record.messages, f"trace {name}: the message before one is missing")
    _require(
        all(isinstance(v, str) for v in record.metadata.values()),
        f"trace {name}: metadata is text: `ninefold.traces.assemble.assemble` makes it so",
    )


def _check_repeats(make: Callable[[], Backend], window: Window, records: list[TraceRecord]) -> None:
    again = {r.trace_id: r for r in make().read(window)}
    same = again == {r.trace_id: r for r in records}
    _require(same, "a second reading of the same window gave something else: retries rest on equal answers")


def _check_halves(make: Callable[[], Backend], window: Window, records: list[TraceRecord]) -> None:
    """Windows that follow each other lose nothing and double nothing."""
    middle = sorted(r.start_ts for r in records)[len(records) // 2]
    parts = (Window(window.start, middle), Window(middle, window.end))
    halves = Counter(r.trace_id for part in parts for r in make().read(part))
    _require(
        halves == Counter(r.trace_id for r in records),
        "two windows that follow each other do not give what the whole gives: a trace belongs to the window in which "
        "it starts, the start included, the end not",
    )


def _check_probe(backend: Backend) -> None:
    found = backend.probe()
    _require(isinstance(found, Capabilities), "probe() returns ninefold.api.tracebackend.Capabilities")
    _require(found.traces > 0, "probe() found no trace although read() does")
    _require(isinstance(backend.losses, Counter), "losses is a collections.Counter: what was left out, by name")


def _require(holds: bool, sentence: str) -> None:
    if not holds:
        raise AssertionError(sentence)
