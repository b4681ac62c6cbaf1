"""Numbers of things, as people say them."""

from __future__ import annotations


def counted(count: int, one: str, many: str | None = None) -> str:
    """`1 webhook`, `2 webhooks`. `many` where an `s` does not make it."""
    return f"{count} {one if count == 1 else many or one + 's'}"
