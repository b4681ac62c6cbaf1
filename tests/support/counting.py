"""The statements that are sent while something happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine


@contextmanager
def counting(acting_engine: AsyncEngine) -> Iterator[list[str]]:
    """The statements that are sent to the database until the block ends."""
    sent: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        sent.append(statement)

    event.listen(acting_engine.sync_engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(acting_engine.sync_engine, "before_cursor_execute", note)
