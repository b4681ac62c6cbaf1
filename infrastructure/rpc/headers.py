"""The headers of a call, as text."""

from __future__ import annotations

from typing import Any


def headers_of(context: Any) -> dict[str, str]:
    """The headers of a call by their names in lower case; the last of equal names.

    gRPC hands over as bytes what is not UTF-8; it is read as Latin-1, as HTTP has it.
    """
    return {
        name: value if isinstance(value, str) else value.decode("latin-1")
        for name, value in context.invocation_metadata() or ()
    }
