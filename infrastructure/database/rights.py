"""What becomes of a table's rows once they are written: all that a process may do to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table

_KEY = "rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """`changed` are the columns whose values change; `are_deleted` says whether rows go."""

    changed: tuple[str, ...]
    are_deleted: bool


def rows(
    *,
    changed: tuple[str, ...] = (),
    written_once: tuple[str, ...] = (),
    are_deleted: bool = False,
) -> dict[Any, Any]:
    """For the `info` of a table: the columns that change, or all but those that never do.

    Rows that are locked are in a table of which a column changes: PostgreSQL locks no others.
    """
    return {_KEY: (changed, written_once, are_deleted)}


def only_appended() -> dict[Any, Any]:
    """For the `info` of a table whose rows stay as they were written."""
    return rows()


def rows_of(table: Table) -> Rows:
    """What a table says of its rows.

    Raises:
        KeyError: it does not say.
    """
    changed, written_once, are_deleted = table.info[_KEY]
    if written_once:
        changed = tuple(
            column.name
            for column in table.columns
            if column.name not in written_once and column.computed is None
        )
    return Rows(changed=changed, are_deleted=are_deleted)
