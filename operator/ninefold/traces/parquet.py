"""Rows of a Parquet file that others wrote, a batch at a time, whatever is in it."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ninefold.traces.bombs import allowed

_BATCH = 1024
"""Rows that are unpacked at once."""


def rows(
    path: Path, losses: Counter[str], columns: Callable[[Collection[str]], list[str]] | None = None
) -> Iterator[dict[str, Any]]:
    """The rows, of all columns or of those that `columns` chooses from their names. Never raises for content.

    A file that says of itself that it unpacks to far more than it is counts as `zip_bombs`; one that ends or is
    broken gives what it has and counts as `unreadable_files`. Text that is no UTF-8 is read with U+FFFD.
    """
    try:
        with pq.ParquetFile(path) as file:
            groups = [file.metadata.row_group(n).total_byte_size for n in range(file.metadata.num_row_groups)]
            if sum(groups) > allowed(path.stat().st_size):
                losses["zip_bombs"] += 1
                return
            wanted = None if columns is None else columns(file.schema_arrow.names)
            for batch in file.iter_batches(batch_size=_BATCH, columns=wanted):
                yield from _listed(batch, losses)
    except (pa.ArrowException, OSError):
        losses["unreadable_files"] += 1


def _listed(batch: pa.RecordBatch, losses: Counter[str]) -> list[dict[str, Any]]:
    try:
        return list(batch.to_pylist())
    except UnicodeDecodeError:
        losses["invalid_utf8"] += 1
    columns = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            columns[name] = column.to_pylist()
        except UnicodeDecodeError:
            columns[name] = [_text(value) for value in column]
    return [{name: values[n] for name, values in columns.items()} for n in range(batch.num_rows)]


def _text(value: Any) -> Any:
    """One value as Python has it. Inside lists and objects, what is no text makes all of it none."""
    try:
        return value.as_py()
    except UnicodeDecodeError:
        buffer = value.as_buffer() if hasattr(value, "as_buffer") else None
        return None if buffer is None else buffer.to_pybytes().decode(errors="replace")
