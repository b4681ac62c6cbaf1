"""Paths of fields, in the proto's names and in those of JSON."""

from __future__ import annotations

import re
from collections.abc import Collection

from google.protobuf.descriptor import Descriptor, FieldDescriptor


def json_path(message: Descriptor | None, path: str) -> str:
    """`path`, written as a caller of JSON knows it: `orderId` for `order_reference`.

    A part that the message does not declare is left as it is: it names a header, or a key of
    a body that the contract does not describe.
    """
    parts = []
    current = message
    for part in path.split("."):
        name, bracket, index = part.partition("[")
        field = current.fields_by_name.get(name) if current is not None else None
        parts.append((field.json_name if field is not None else name) + bracket + index)
        current = field.message_type if field is not None else None
    return ".".join(parts)


UNKNOWN_PART = "…"
_INDEX = re.compile(r"\[\d{1,9}\]")


def known_path(message: Descriptor | None, path: str) -> str:
    """`path` in the proto's names, as far as the message declares it: what follows is a caller's.

    A key that a caller has made up may be anything, a secret as well.
    """
    parts: list[str] = []
    current = message
    for part in path.split("."):
        name, bracket, index = part.partition("[")
        field = _field_of(current, name)
        if field is None:
            return ".".join([*parts, UNKNOWN_PART])
        place = bracket + index
        parts.append(field.name + (place if _INDEX.fullmatch(place) else ""))
        if place and not _INDEX.fullmatch(place):
            return ".".join([*parts, UNKNOWN_PART])
        current = field.message_type
    return ".".join(parts)


def _field_of(message: Descriptor | None, name: str) -> FieldDescriptor | None:
    """By its name in the proto or in JSON."""
    if message is None:
        return None
    return next((field for field in message.fields if name in (field.name, field.json_name)), None)


def with_json_names(text: str, message: Descriptor | None, paths: Collection[str]) -> str:
    """`text` with these paths as `json_path` writes them, and with the names of what stands beside.

    A sentence about a field may speak of its neighbours and of what is inside it.
    """
    for path in sorted(filter(None, paths), key=len, reverse=True):
        text = _replaced(text, path, json_path(message, path))
    names: dict[str, str] = {}
    for path in paths:
        for known in _messages_at(message, path):
            names |= {field.name: field.json_name for field in known.fields}
    for name, written in names.items():
        # A single word may just be a word.
        if "_" in name and name != written:
            text = _replaced(text, name, written)
    return text


def _replaced(text: str, name: str, written: str) -> str:
    """Wherever it stands for itself: no part of a longer path, and not quoted."""
    pattern = rf"(?<![\w.\]\"\x27]){re.escape(name)}(?![\w\[]|\.\w)"
    return re.sub(pattern, lambda _: written, text)


def _messages_at(message: Descriptor | None, path: str) -> list[Descriptor]:
    """The message that holds the field, and the one that it is, if it is one."""
    holder, current = None, message
    for part in path.split(".") if path else ():
        holder = current
        field = None if current is None else current.fields_by_name.get(part.partition("[")[0])
        current = None if field is None else field.message_type
    return [each for each in (holder, current) if each is not None]
