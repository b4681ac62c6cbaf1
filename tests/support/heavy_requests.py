"""The requests of a method that are the most work for their bytes, made from its descriptor.

As bytes: a client would not make most of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor, FieldDescriptor

VARINT, LENGTH = 0, 2
NESTING = 90
"""Nearly as deep as protobuf reads."""
# The texts that cost the most to look at: plain, of several bytes each, and all forbidden.
TEXTS = {"plain": b"a", "accents": "\u00e9".encode(), "NUL": b"\0", "digits": b"9", "hex": b"0x"}
UNKNOWN_FIELD = 1_999


def heavy_requests(message: Descriptor, bytes_max: int) -> Iterator[tuple[str, bytes]]:
    """Each with the name of what is heavy about it, none larger than that."""
    yield "unknown fields", _filled(_key(UNKNOWN_FIELD, VARINT) + b"\x01", bytes_max)
    yield from _shapes(message, "", bytes_max, frozenset())


def _shapes(
    message: Descriptor, path: str, room: int, above: frozenset[str]
) -> Iterator[tuple[str, bytes]]:
    if message.full_name in above:
        return
    for field in message.fields:
        here = f"{path}{field.name}"
        inside = field.message_type
        if inside is None:
            yield from _scalars(field, here, room)
            continue
        if field.is_repeated:
            yield f"{here}: empty ones", _filled(_key(field.number, LENGTH) + b"\0", room)
        deep = _nested(field, room)
        if deep:
            yield f"{here}: in itself", deep
        # Room for the key and the length around it.
        for name, data in _shapes(inside, f"{here}.", room - 8, above | {message.full_name}):
            wrapped = _wrapped(field, data)
            yield name, wrapped
            if field.is_repeated:
                # Several of them, each with a share.
                yield f"{name}, in each", _filled(_wrapped(field, data[: _whole(data)]), room)


def _scalars(field: FieldDescriptor, path: str, room: int) -> Iterator[tuple[str, bytes]]:
    if field.type in {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES}:
        for name, unit in TEXTS.items():
            yield f"{path}: {name}", _wrapped(field, _filled(unit, room - 8))
        if field.is_repeated:
            yield f"{path}: empty ones", _filled(_key(field.number, LENGTH) + b"\0", room)
    elif field.is_repeated:
        yield f"{path}: many", _wrapped(field, _filled(b"\x01", room - 8))
        yield f"{path}: many wrong", _wrapped(field, _filled(b"\x7f", room - 8))


def _nested(field: FieldDescriptor, room: int) -> bytes:
    """The field inside itself, by the shortest way through other messages; and many beside it."""
    way = _way_back(field)
    if way is None:
        return b""
    one = b""
    for _ in range(NESTING // len(way)):
        for step in reversed(way):
            one = _wrapped(step, one)
    return _filled(one, room)


def _way_back(field: FieldDescriptor) -> list[FieldDescriptor] | None:
    """From the field down to the message that holds it."""
    waiting: list[list[FieldDescriptor]] = [[field]]
    seen: set[str] = set()
    while waiting:
        way = waiting.pop(0)
        inside = way[-1].message_type
        if inside is None or inside.full_name in seen:
            continue
        if inside == field.containing_type:
            return way
        seen.add(inside.full_name)
        waiting += [[*way, each] for each in inside.fields if each.message_type is not None]
    return None


def _whole(data: bytes) -> int:
    """How much of a shape stands for it: its first unit, where it is of many."""
    return min(len(data), 64)


def _filled(unit: bytes, room: int) -> bytes:
    return unit * (room // len(unit))


def _wrapped(field: FieldDescriptor, data: bytes) -> bytes:
    return _key(field.number, LENGTH) + _varint(len(data)) + data


def _key(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])
