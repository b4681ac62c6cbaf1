"""Paths of fields, in the proto's names and in those of JSON."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.descriptor import Descriptor


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


def with_json_paths(text: str, message: Descriptor | None, paths: Iterable[str]) -> str:
    """`text` with each of the paths in it as `json_path` writes it."""
    for path in filter(None, paths):
        text = text.replace(path, json_path(message, path))
    return text
