"""A lint is one test: it looks at everything, and names each violation that it finds."""

from __future__ import annotations

from collections.abc import Iterable


def assert_none(violations: Iterable[str]) -> None:
    """Fails with one line for each violation."""
    found = list(violations)
    assert not found, "\n".join(["", *found])
