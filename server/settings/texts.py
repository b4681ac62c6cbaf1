"""Readers of what several groups write alike."""

from __future__ import annotations

from collections.abc import Callable


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Reads a whole number between two others, these included."""

    def read(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            message = f"must be a whole number from {least} to {most}"
            raise ValueError(message)
        return int(text)

    return read
