"""The headers of a call, as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any


def read_headers(context: Any) -> tuple[dict[str, str], Collection[str]]:
    """The headers of a call by their names in lower case, and the names that came several times.

    Of these it is the last. gRPC hands over as bytes what is not UTF-8; it is read as Latin-1, as
    HTTP has it.
    """
    pairs = context.invocation_metadata() or ()
    headers = {
        name: value if isinstance(value, str) else value.decode("latin-1") for name, value in pairs
    }
    if len(headers) == len(pairs):
        return headers, ()
    counted = Counter(name for name, _ in pairs)
    return headers, [name for name, count in counted.items() if count > 1]


def every_header_of(context: Any) -> dict[str, list[str]]:
    """The headers of a call by their names in lower case, each as often as it was sent."""
    found: dict[str, list[str]] = {}
    for name, value in context.invocation_metadata() or ():
        text = value if isinstance(value, str) else value.decode("latin-1")
        found.setdefault(name, []).append(text)
    return found
