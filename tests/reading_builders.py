"""Files with a history of several days, and what a reading of them in slices gives."""

from collections import Counter
from pathlib import Path
from typing import Any

from light_parts import steps_of
from trace_builders import START, attributes, request, run_inputs, wire_span, write_lines

from ninefold.api.inputs import RunInputs
from ninefold.jobs.keeping import MemoryParts
from ninefold.jobs.reading import Reading, read_window
from ninefold.traces import Window, collect, open_backend

DAY = 86_400.0
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
