"""Protobuf messages whose texts are no UTF-8, with U+FFFD where that is so: protobuf itself refuses the whole message.

Source: protobuf.dev, "Encoding": a message is a row of fields, each a tag (number and wire type) and a value; texts and
inner messages have their length before them, so a text that grows changes the lengths of all messages around it.
"""

from typing import Any

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_SIZES = {_FIXED64: 8, _FIXED32: 4}
_LONGEST_VARINT = 10


def with_text(data: bytes, message: Any) -> bytes:
    """The bytes of a message of this descriptor, every text valid. ValueError when they are no message."""
    out, place = bytearray(), 0
    while place < len(data):
        begin = place
        tag, place = _varint(data, place)
        wire = tag & 7
        if wire == _LENGTH:
            size, place = _varint(data, place)
            inner, place = _cut(data, place, size)
            field = message.fields_by_number.get(tag >> 3)
            if field is not None and field.message_type is not None:
                inner = with_text(inner, field.message_type)
            elif field is not None and field.type == field.TYPE_STRING:
                inner = inner.decode(errors="replace").encode()
            out += _number(tag) + _number(len(inner)) + inner
            continue
        if wire == _VARINT:
            _, place = _varint(data, place)
        elif wire in _SIZES:
            _, place = _cut(data, place, _SIZES[wire])
        else:
            raise ValueError("no wire type of protobuf 3")
        out += data[begin:place]
    return bytes(out)


def _cut(data: bytes, place: int, size: int) -> tuple[bytes, int]:
    if place + size > len(data):
        raise ValueError("the message ends before a field does")
    return data[place : place + size], place + size


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for n, byte in enumerate(data[place : place + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << 7 * n
        if byte < 0x80:
            return value, place + n + 1
    raise ValueError("a number does not end")


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
