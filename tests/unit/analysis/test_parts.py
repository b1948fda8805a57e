"""Parts of slices give what one pass over all traces gives."""

import pytest
from trace_builders import a_table, run_inputs, visits

from ninefold.analysis import Part, analyze, analyze_parts

INPUTS = run_inputs()


def parts(traces: int, slices: int) -> list[Part]:
    records = visits(traces)
    return [Part.of(a_table(records[i::slices]), INPUTS) for i in range(slices)]


def test_slices_in_any_order_give_what_one_pass_gives() -> None:
    whole = analyze(a_table(visits(400)), INPUTS)
    travelled = [Part.from_bytes(part.to_bytes()) for part in parts(400, 5)]
    assert analyze_parts(travelled[::-1], INPUTS) == analyze_parts(travelled, INPUTS) == whole


def test_a_part_that_is_read_twice_counts_once() -> None:
    one, other = parts(60, 2)
    again = analyze_parts([one, other, one], INPUTS).report
    assert again.traces == 60
    assert again.losses == {"duplicate_traces": 30}


@pytest.mark.parametrize("data", [b"", b"PK", b"ninefold part 0\nold", b"ninefold part 1\n" + b"x" * 40])
def test_foreign_and_old_bytes_are_refused_with_a_sentence(data: bytes) -> None:
    with pytest.raises(ValueError, match="read the slice of traces again"):
        Part.from_bytes(data)
