"""What a failed statement says about the database, the call, or the moment."""

from __future__ import annotations

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

STATEMENT_TIMED_OUT = "57014"
TRANSACTION_TIMED_OUT = "25P04"
IDLE_TOO_LONG = "25P03"
LOCK_TIMED_OUT = "55P03"
_TIMED_OUT = {STATEMENT_TIMED_OUT, TRANSACTION_TIMED_OUT, IDLE_TOO_LONG, LOCK_TIMED_OUT}
_RETRYABLE = {"40001", "40P01"}

# Connection trouble, no such role, no such database, no resources (disk full too), operator
# intervention.
_AWAY = {"08", "28", "3D", "53", "57"}


def sqlstate(failure: BaseException) -> str | None:
    """The five characters by which PostgreSQL names what went wrong; None if it did not say."""
    said = failure.orig if isinstance(failure, DBAPIError) else failure
    state: str | None = getattr(said, "sqlstate", None)
    return state


def is_retryable(failure: BaseException) -> bool:
    """Whether the transaction may just be run again: a deadlock, a serialization failure."""
    return sqlstate(failure) in _RETRYABLE


def is_timeout(failure: BaseException) -> bool:
    """Whether something took longer than it may: a statement, a transaction, a wait for a lock."""
    return sqlstate(failure) in _TIMED_OUT


def is_away(failure: BaseException) -> bool:
    """Whether the database could not be reached or had no room, rather than a call being bad.

    What took too long is not that: it is set aside for a while, or all that comes after it
    would wait as well.
    """
    if is_timeout(failure):
        return False
    if isinstance(failure, (PoolTimeoutError, OSError, InterfaceError, OperationalError)):
        return True
    # The driver's own, from COPY; a ValueError among them is about what we sent.
    if isinstance(failure, asyncpg.InterfaceError) and not isinstance(failure, ValueError):
        return True
    if isinstance(failure, DBAPIError) and failure.connection_invalidated:
        return True
    # What the driver says when a connection is cut while it is being opened.
    said = failure.orig.__cause__ if isinstance(failure, DBAPIError) and failure.orig else failure
    if isinstance(said, asyncpg.InternalClientError):
        return True
    state = sqlstate(failure)
    return state is not None and state[:2] in _AWAY
