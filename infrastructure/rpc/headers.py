"""The headers of a call, as text."""

from __future__ import annotations

from typing import Any


def headers_of(context: Any) -> dict[str, str]:
    """The headers of a call by their names in lower case; the last of equal names.

    gRPC hands over as bytes what is not UTF-8; it is read as Latin-1, as HTTP has it.
    """
    return {name: values[-1] for name, values in every_header_of(context).items()}


def every_header_of(context: Any) -> dict[str, list[str]]:
    """The headers of a call by their names in lower case, each as often as it was sent."""
    found: dict[str, list[str]] = {}
    for name, value in context.invocation_metadata() or ():
        text = value if isinstance(value, str) else value.decode("latin-1")
        found.setdefault(name, []).append(text)
    return found
