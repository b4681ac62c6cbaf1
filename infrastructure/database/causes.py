"""What PostgreSQL said of a failure, as far as a log may hold it.

PostgreSQL's details, hints and contexts hold values of rows and parameters, and so does the text of
an exception. Its primary message names what was wrong; in some classes it quotes a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from infrastructure.database.failures import sqlstate

MESSAGE_CHARACTERS_MAX = 300

# Their primary messages name tables, columns, constraints, roles and settings, and quote no value.
_WITHOUT_VALUES = frozenset(
    ("08", "0A", "23", "25", "28", "2B", "3D", "3F", "40", "42", "53", "54", "55", "57", "58")
)
# From the first quotation mark to the last: a quoted value may hold others.
_QUOTED = re.compile(r'".*"', re.DOTALL)
_BYTES = re.compile(r"0x[0-9A-Fa-f]{2}(?: 0x[0-9A-Fa-f]{2})*")
_NAMES = ("schema_name", "table_name", "column_name", "constraint_name")
_ARGUMENT = re.compile(r"invalid input for query argument \$\d+")


def database_cause(failure: BaseException) -> Mapping[str, str]:
    """SQLSTATE, primary message and names of what it is about; empty if the failure has none."""
    if isinstance(failure, PoolTimeoutError):
        return {"cause": "no connection of the pool became free in time"}
    said = said_by_driver(failure)
    if isinstance(said, asyncpg.PostgresError):
        state = sqlstate(said) or ""
        names = {
            name.removesuffix("_name"): str(value)
            for name in _NAMES
            if (value := getattr(said, name, None))
        }
        return {"sqlstate": state, "cause": _primary_message(said, state), **names}
    if isinstance(said, (asyncpg.InterfaceError, asyncpg.InternalClientError)):
        return {"cause": _words_of_driver(said, may_hold_values=isinstance(said, ValueError))}
    return {}


def said_by_driver(failure: BaseException) -> BaseException | None:
    """The driver's own exception, which SQLAlchemy wraps twice."""
    if not isinstance(failure, DBAPIError):
        return failure
    wrapped = failure.orig
    return wrapped if wrapped is None or wrapped.__cause__ is None else wrapped.__cause__


def _primary_message(said: asyncpg.PostgresError, state: str) -> str:
    message = getattr(said, "message", None)
    is_without_values = state[:2] in _WITHOUT_VALUES
    if message is None:
        # The driver says so by itself.
        return _words_of_driver(said, may_hold_values=not is_without_values)
    if not is_without_values:
        message = _BYTES.sub("…", _QUOTED.sub("…", message))
    return _one_line(message)


def _words_of_driver(said: Exception, *, may_hold_values: bool) -> str:
    """Its fixed texts; of an argument that it cannot send it tells the value as well."""
    text = str(said)
    if may_hold_values:
        found = _ARGUMENT.match(text)
        return found[0] if found else ""
    return _one_line(text)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:MESSAGE_CHARACTERS_MAX]
