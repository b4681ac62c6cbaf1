"""Transactions, and the guard that keeps the outside world out of them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import Executable, bindparam
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from infrastructure.database.failures import is_retryable

Result = TypeVar("Result")
Begin = Callable[[], AbstractAsyncContextManager[AsyncConnection]]

SERIALIZATION_RETRIES_MAX = 3
RETRY_PAUSE_SECONDS_MAX = 0.05

_open: ContextVar[bool] = ContextVar("transaction_open", default=False)


@dataclass(slots=True)
class Transaction:
    """What a statement runs in. Handed down, never opened by who receives it."""

    connection: AsyncConnection

    async def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        return await self.connection.execute(statement, parameters)

    async def copy(
        self, table: str, columns: Sequence[str], records: Iterable[tuple[Any, ...]]
    ) -> None:
        """Writes many rows at once with COPY. A row that breaks a constraint breaks them all."""
        raw = await self.connection.get_raw_connection()
        driver = raw.driver_connection
        assert driver is not None
        await driver.copy_records_to_table(table, columns=columns, records=records)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A part that is undone by itself when it raises, so that the rest can go on."""
        async with self.connection.begin_nested():
            yield


class Database:
    """Hands out transactions. None of them nests.

    `begin` opens one: a pool's, or a test's savepoint. `read` opens one that only reads and sees
    the database as it was at its first statement. `connect` opens a connection on which every
    statement commits by itself.
    """

    def __init__(self, *, begin: Begin, read: Begin, connect: Begin) -> None:
        self._begin = begin
        self._read = read
        self._connect = connect

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Commits when the block ends, rolls back when it raises."""
        return _held(self._begin)

    def reading(self) -> AbstractAsyncContextManager[Transaction]:
        """For several statements whose results belong together: one snapshot for all of them.

        Can neither write nor lock. BEGIN and COMMIT are two round trips more than `single` takes.
        """
        return _held(self._read)

    def single(self) -> AbstractAsyncContextManager[Transaction]:
        """For one statement: no BEGIN, no COMMIT, one round trip.

        A second one may follow that asks why the first found nothing.
        """
        return _held(self._connect)

    async def run(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """Runs `work`, which opens its own transaction, again when the database asks for it.

        A serialization failure or a deadlock rolls the transaction back as a whole, so it is
        safe to run it again.
        """
        for attempt in range(SERIALIZATION_RETRIES_MAX + 1):
            try:
                return await work()
            # COPY speaks with the driver itself, whose errors are no DBAPIErrors.
            except (DBAPIError, asyncpg.PostgresError) as failure:
                if attempt == SERIALIZATION_RETRIES_MAX or not is_retryable(failure):
                    raise
            await asyncio.sleep(random.uniform(0, RETRY_PAUSE_SECONDS_MAX))  # noqa: S311 - jitter
        raise AssertionError


@asynccontextmanager
async def _held(begin: Begin) -> AsyncIterator[Transaction]:
    assert_no_transaction()
    token = _open.set(True)
    try:
        async with begin() as connection:
            yield Transaction(connection)
    finally:
        _open.reset(token)


def jsonb(name: str) -> Any:
    """A parameter that is written as jsonb."""
    return bindparam(name, type_=JSONB)


def assert_no_transaction() -> None:
    """Fails if this task holds a transaction.

    Every adapter to the outside world calls this first: a slow or failing peer must not hold
    row locks, and what it did could not be rolled back.
    """
    assert not _open.get(), "the outside world waits until the transaction is over"
