"""ClickHouse's Native format as a server of today answers it over HTTP, which the embedded engine does not write.

A client that names its protocol (`client_protocol_version`) gets blocks that open with a block's info, and from 54454
on every column says whether its serialisation is a custom one. Go's driver, with which the OpenTelemetry collector
writes, asks for nothing but the server's name and the columns of a table: text and one number.

Source: ClickHouse/ClickHouse, `src/Formats/NativeWriter.cpp`; the other side is ClickHouse/clickhouse-go,
`lib/proto/block.go`.
"""

import struct
from typing import Any

FIRST = 54454
"""The first protocol whose columns say how they are serialised (DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION)."""
_INFO = b"\x01\x00\x02" + struct.pack("<i", -1) + b"\x00"
"""Field 1: no overflow row; field 2: no bucket; the end."""
_NUMBERS = {"UInt8": "<B", "UInt16": "<H", "UInt32": "<I", "UInt64": "<Q", "Int32": "<i", "Int64": "<q"}


def block(answer: dict[str, Any]) -> bytes:
    """An answer in JSONCompact (with `meta` and `data`) as one block. ValueError for a type that nobody asked for."""
    meta, rows = answer["meta"], answer["data"]
    out = bytearray(_INFO + _size(len(meta)) + _size(len(rows)))
    for place, column in enumerate(meta):
        out += _text(column["name"]) + _text(column["type"]) + b"\x00"
        for row in rows:
            out += _value(column["type"], row[place])
    return bytes(out)


def _value(kind: str, value: Any) -> bytes:
    if kind == "String":
        return _text(value)
    if kind in _NUMBERS:
        return struct.pack(_NUMBERS[kind], int(value))
    raise ValueError(f"the stand-in does not write columns of type {kind} for a client of this protocol")


def _text(text: str) -> bytes:
    data = text.encode()
    return _size(len(data)) + data


def _size(number: int) -> bytes:
    """An unsigned LEB128, as all lengths are written."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out + bytes([number]))
