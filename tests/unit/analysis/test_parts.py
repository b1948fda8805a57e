"""Parts of slices give, byte for byte, what one pass over all traces gives."""

import random

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trace_builders import a_record, a_table, run_inputs, visits

from bench.analysis.planted import populate, read_plan, tables
from ninefold.analysis import Analysis, Part, analyze, analyze_parts, together
from ninefold.analysis import sample as samples
from ninefold.traces import StepTable
from ninefold.traces.model import TraceRecord
from ninefold.traces.table import SCORES

INPUTS = run_inputs(replay={"maxCases": 40})
DESK = run_inputs("app.intent", "app.task", replay={"maxCases": 40})


def said(done: Analysis) -> tuple[bytes, bytes, bytes]:
    return done.report.to_bytes(), done.selection.to_bytes(), done.sealed.to_bytes()


def travelled(part: Part) -> Part:
    return Part.from_bytes(part.to_bytes())


def sliced(records: list[TraceRecord], slices: int) -> list[Part]:
    return [travelled(Part.of(a_table(records[i::slices]), INPUTS)) for i in range(slices)]


def rows(table: StepTable, ids: pa.Array) -> StepTable:
    """The part of a table that is about some traces."""
    own = [t.filter(pa.compute.is_in(t["trace_id"], value_set=ids)) for t in (table.traces, table.steps)]
    return StepTable(*own, SCORES.empty_table(), table.messages)


@pytest.fixture(scope="module")
def planted() -> StepTable:
    made = tables(populate(4_000, 5, read_plan()))
    return StepTable(made.traces, made.steps, SCORES.empty_table(), made.messages)


@pytest.fixture(scope="module")
def whole(planted: StepTable) -> tuple[bytes, bytes, bytes]:
    done = analyze(planted, DESK)
    assert len(done.report.patterns) > 3
    return said(done)


def test_eight_shards_in_any_order_are_one_pass(planted: StepTable, whole: tuple[bytes, bytes, bytes]) -> None:
    ids = planted.traces["trace_id"]
    parts = [travelled(Part.of(rows(planted, ids.take(list(range(i, len(ids), 8)))), DESK)) for i in range(8)]
    random.Random(2).shuffle(parts)
    assert said(analyze_parts(parts, DESK)) == whole


def test_thirty_days_one_by_one_are_one_pass(planted: StepTable, whole: tuple[bytes, bytes, bytes]) -> None:
    days = pa.compute.floor_temporal(planted.traces["start_ts"], unit="day")
    parts = []
    for day in pa.compute.unique(days):
        own = planted.traces["trace_id"].filter(pa.compute.equal(days, day))
        parts.append(travelled(Part.of(rows(planted, own), DESK)))
    assert len(parts) == 30
    assert said(analyze_parts(parts, DESK)) == whole


def test_a_slice_that_was_lost_is_read_again_and_nothing_changes() -> None:
    records = visits(400)
    parts = sliced(records, 5)
    parts[3] = sliced(records, 5)[3]
    assert said(analyze_parts(parts, INPUTS)) == said(analyze(a_table(records), INPUTS))


def test_late_traces_change_their_slice_alone() -> None:
    records = visits(240)
    early = Part.of(a_table(records[:100]), INPUTS)
    late = Part.of(a_table(records[:120]), INPUTS)
    rest = Part.of(a_table(records[120:]), INPUTS)
    assert analyze_parts([early, rest], INPUTS).report.traces == 220
    assert said(analyze_parts([late, rest], INPUTS)) == said(analyze(a_table(records), INPUTS))


CALLS = st.tuples(
    st.sampled_from(["list rooms", "open atrium_1", "open vault", "find 'x' now", "7 up", "go", "sell all", ""]),
    st.sampled_from(["[]", "There is no room", '["atrium_1", "vault_2"]', ""]),
    st.booleans(),
)
TRACES = st.lists(
    st.tuples(st.lists(CALLS, max_size=5), st.booleans(), st.integers(0, 6), st.integers(0, 9), st.integers(0, 2)),
    max_size=40,
)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TRACES, st.lists(st.integers(0, 3), min_size=40, max_size=40), st.randoms(use_true_random=False))
def test_any_slices_of_any_traces_are_one_pass(
    traces: list[tuple[list[tuple[str, str, bool]], bool, int, int, int]], place: list[int], order: random.Random
) -> None:
    records = [
        a_record(f"t{i}", calls, solved=solved, session=f"s{s}", app__task=f"k{task}", app__museum=f"m{m}")
        for i, (calls, solved, task, s, m) in enumerate(traces)
    ]
    slices = [[r for r, p in zip(records, place, strict=False) if p == number] for number in range(4)]
    parts = [travelled(Part.of(a_table(own), INPUTS)) for own in slices]
    order.shuffle(parts)
    assert said(analyze_parts(parts, INPUTS)) == said(analyze(a_table(records), INPUTS))


def test_a_sample_that_is_cut_by_size_is_cut_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    records = visits(300)
    monkeypatch.setattr(samples, "READ", 120)
    by_number = said(analyze(a_table(records), INPUTS))
    assert said(analyze_parts(sliced(records, 4), INPUTS)) == by_number
    monkeypatch.setattr(samples, "READ_TEXT", 20_000)
    by_size = said(analyze(a_table(records), INPUTS))
    assert by_size != by_number
    assert said(analyze_parts(sliced(records, 4), INPUTS)) == by_size


def test_parts_that_hold_the_same_traces_leave_the_same_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of what parts have sampled is let go while they come in; copies of a trace count once for it."""
    monkeypatch.setattr(samples, "READ", 40)
    records = visits(300)
    once = analyze(a_table(records), INPUTS)
    again = analyze_parts([*sliced(records, 6), *sliced(records, 6)], INPUTS)
    assert again.report.losses == {"duplicate_traces": 300}
    assert again.report.patterns == once.report.patterns
    assert said(again)[1:] == said(once)[1:]


def test_what_had_no_room_in_one_part_leaves_no_room_in_the_union(monkeypatch: pytest.MonkeyPatch) -> None:
    records = [a_record(f"t{i}", [("list rooms", "x" * (9_000 if i % 4 == 0 else 10), True)]) for i in range(160)]
    monkeypatch.setattr(samples, "READ_TEXT", 30_000)
    parts = [*sliced(records[::4], 1), *sliced([r for i, r in enumerate(records) if i % 4], 2)]
    kept = [set(together(some).sample.traces["trace_id"].to_pylist()) for some in (sliced(records, 1), parts)]
    assert kept[0] == kept[1]
    assert 3 < len(kept[0]) < 160


def test_a_part_that_is_given_twice_counts_once() -> None:
    one, other = sliced(visits(60), 2)
    again = analyze_parts([one, other, one], INPUTS).report
    assert again.traces == 60
    assert again.losses == {"duplicate_traces": 30}


def test_parts_of_other_settings_are_refused_with_a_sentence() -> None:
    one = Part.of(a_table(visits(20)), INPUTS)
    other = Part.of(a_table(visits(20)), run_inputs(None))
    with pytest.raises(ValueError, match=r"different settings.*read the slices of traces again"):
        analyze_parts([one, other], INPUTS)


def test_a_part_above_the_limit_asks_for_more_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ninefold.analysis.part.MAX_PART", 1_000)
    with pytest.raises(ValueError, match="read the window in more slices"):
        Part.of(a_table(visits(20)), INPUTS).to_bytes()


@pytest.mark.parametrize("data", [b"", b"PK", b"ninefold part 1\nold", b"ninefold part 3\n" + b"x" * 40])
def test_foreign_and_old_bytes_are_refused_with_a_sentence(data: bytes) -> None:
    with pytest.raises(ValueError, match="read the slice of traces again"):
        Part.from_bytes(data)


def test_a_damaged_part_is_refused() -> None:
    data = Part.of(a_table(visits(20)), INPUTS).to_bytes()
    with pytest.raises(ValueError, match="read the slice of traces again"):
        Part.from_bytes(data[:-50])
