"""Tables and a few values as bytes and back: a magic word, then blocks with their lengths, a head and Arrow streams.

Equal contents give equal bytes, and nothing is ever executed on reading them.
"""

import json
import struct
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

_LENGTH = struct.Struct("<Q")
_COMPRESSED = pa.ipc.IpcWriteOptions(compression="zstd")


def pack(magic: bytes, head: Mapping[str, Any], tables: Mapping[str, pa.Table]) -> bytes:
    """`head` must be plain JSON."""
    blocks = [json.dumps({**head, "tables": list(tables)}, sort_keys=True).encode()]
    blocks += [_packed(table) for table in tables.values()]
    return magic + b"".join(_LENGTH.pack(len(block)) + block for block in blocks)


def unpack(magic: bytes, data: bytes) -> tuple[dict[str, Any], dict[str, pa.Table]]:
    """Raises ValueError when the bytes are cut, changed or others."""
    if not data.startswith(magic):
        raise ValueError("they begin otherwise")
    try:
        first, *blocks = _blocks(data, len(magic))
        head: dict[str, Any] = json.loads(first)
        return head, dict(zip(head.pop("tables"), map(_unpacked, blocks), strict=True))
    except (pa.ArrowException, OSError, struct.error, KeyError, TypeError, AttributeError) as error:
        raise ValueError(str(error)) from None


def _packed(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=_COMPRESSED) as writer:
        writer.write_table(table.combine_chunks())
    return bytes(sink.getvalue())


def _unpacked(block: bytes) -> pa.Table:
    return pa.ipc.open_stream(block).read_all()


def _blocks(data: bytes, at: int) -> list[bytes]:
    out = []
    while at < len(data):
        (size,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if at + size > len(data):
            raise ValueError("they end too early")
        out.append(data[at : at + size])
        at += size
    return out
