"""docs/replay.md, "Trajectory": cases bring their tool calls where replay runs the loop, and only there."""

from typing import Any

import pyarrow as pa

from ninefold.analysis.cases import MAX_RECORDED, _recorded, chosen


def steps(*rows: tuple[str, int, str, str | None, str]) -> pa.Table:
    """(trace, place, arguments, result, status) of calls of `find`, beside a model's step."""
    columns: dict[str, list[Any]] = {
        name: [] for name in ("trace_id", "step_idx", "tool_args", "tool_result", "status")
    }
    for row in rows:
        for name, value in zip(columns, row, strict=True):
            columns[name].append(value)
    number = len(rows)
    named = {"kind": ["tool"] * number, "tool_name": ["find"] * number, "name": [None] * number}
    return pa.table({**columns, **named})


def test_calls_come_in_order_with_their_results_and_errors() -> None:
    found = _recorded(steps(("t", 2, "{}", "second", "error"), ("t", 1, '{"a": 1}', "first", "ok")))
    assert [(one["arguments"], one["result"], one["error"]) for one in found["t"]] == [
        ('{"a": 1}', "first", False),
        ("{}", "second", True),
    ]


def test_a_result_that_is_not_there_or_has_no_room_is_left_out_whole() -> None:
    long = "x" * MAX_RECORDED
    found = _recorded(steps(("t", 1, "{}", None, "ok"), ("t", 2, "{}", long, "ok"), ("t", 3, "{}", "short", "ok")))
    assert [one["result"] for one in found["t"]] == ["short"]


def opening(n: int, started: int) -> dict[str, Any]:
    return {"trace_id": f"t-{n:03}", "bucket": 2, "intent": None, "solved": True, "rank": n, "started": started}


def test_sealed_cases_rotate_new_traces_go_first_and_old_ones_fill_up() -> None:
    opened = 1_767_225_600  # 2026-01-01
    rows = [opening(n, opened + (60 if n >= 70 else -60)) for n in range(100)]
    strata = {(2, None, True): 100}

    def new(limit: int, since: str | None) -> int:
        return sum(row["started"] > opened for row in chosen("sealed", rows, strata, limit, since))

    assert new(20, "2026-01-01T00:00:00Z") == 20
    assert new(50, "2026-01-01T00:00:00Z") == 30
    assert new(50, None) == 0
