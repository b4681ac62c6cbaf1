"""Transactions, and the guard that keeps the outside world out of them."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
from sqlalchemy import Executable, bindparam, text
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

_REMEMBER = text(
    """
    INSERT INTO repeated_call (principal, method, request_id, digest)
    VALUES (:principal, :method, :request_id, :digest)
    ON CONFLICT DO NOTHING
    RETURNING 1
    """
)
_RECALL = text(
    """
    SELECT digest, answer FROM repeated_call
    WHERE principal = :principal AND method = :method AND request_id = :request_id
    """
)
_ANSWER = text(
    """
    UPDATE repeated_call SET answer = :answer
    WHERE principal = :principal AND method = :method AND request_id = :request_id
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """A call that may come again: who made it, under which id, and what it asked.

    `to_bytes` makes the bytes that are kept from what the call resulted in.
    """

    principal: str
    method: str
    request_id: UUID
    digest: bytes
    to_bytes: Callable[[Any], bytes]

    @property
    def key(self) -> dict[str, object]:
        return {
            # A principal may be a client id, which is a secret: only its hash is stored.
            "principal": hashlib.sha256(self.principal.encode()).digest(),
            "method": self.method,
            "request_id": self.request_id,
        }


class AlreadyAnsweredError(Exception):
    """The call was made before; `answer` is what it was answered then."""

    def __init__(self, answer: bytes) -> None:
        super().__init__("answered before")
        self.answer = answer


class RequestIdReusedError(Exception):
    """The request id was used for another request."""

    def __init__(self, request_id: UUID) -> None:
        super().__init__("request id reused")
        self.request_id = request_id


@dataclass(slots=True)
class Transaction:
    """What a statement runs in. Handed down, never opened by who receives it."""

    connection: AsyncConnection
    repeat: Repeat | None = None
    _answered: bool = field(default=False, init=False)

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

    async def answer(self, result: object) -> None:
        """Keeps what the call resulted in, for the case that it comes again.

        The last statement of a transaction that was opened for a repeatable call; does
        nothing in any other.
        """
        if self.repeat is not None:
            self._answered = True
            kept = {**self.repeat.key, "answer": self.repeat.to_bytes(result)}
            await self.connection.execute(_ANSWER, kept)

    async def _begin_repeat(self) -> None:
        if self.repeat is None:
            return
        fresh = await self.connection.execute(
            _REMEMBER, {**self.repeat.key, "digest": self.repeat.digest}
        )
        if fresh.first() is not None:
            return
        # A statement of its own: the first call may have committed after ours began to wait.
        before = (await self.connection.execute(_RECALL, self.repeat.key)).one()
        if before.digest != self.repeat.digest:
            raise RequestIdReusedError(self.repeat.request_id)
        raise AlreadyAnsweredError(before.answer)


class Database:
    """Hands out transactions.

    `begin` opens one: a pool's, or a test's savepoint. `connect` opens a connection on which
    every statement commits by itself.
    """

    def __init__(self, *, begin: Begin, connect: Begin) -> None:
        self._begin = begin
        self._connect = connect

    @asynccontextmanager
    async def transaction(self, *, repeat: Repeat | None = None) -> AsyncIterator[Transaction]:
        """Commits when the block ends, rolls back when it raises. Does not nest.

        With `repeat`, the block runs at most once for a request id, and must end with
        `Transaction.answer`.

        Raises:
            AlreadyAnsweredError: the call was made before, with the same request.
            RequestIdReusedError: the request id was used with another request.
        """
        assert_no_transaction()
        token = _open.set(True)
        try:
            async with self._begin() as connection:
                tx = Transaction(connection, repeat=repeat)
                await tx._begin_repeat()  # noqa: SLF001 - one class in two, in one file
                yield tx
                assert repeat is None or tx._answered, "a repeatable call keeps its answer"  # noqa: SLF001
        finally:
            _open.reset(token)

    @asynccontextmanager
    async def single(self) -> AsyncIterator[Transaction]:
        """For one statement: no BEGIN, no COMMIT, one round trip."""
        assert_no_transaction()
        token = _open.set(True)
        try:
            async with self._connect() as connection:
                yield Transaction(connection)
        finally:
            _open.reset(token)

    def statement(self, *, repeat: Repeat | None) -> AbstractAsyncContextManager[Transaction]:
        """For one statement of a call that may carry a request id: BEGIN and COMMIT only then."""
        return self.single() if repeat is None else self.transaction(repeat=repeat)

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


def jsonb(name: str) -> Any:
    """A parameter that is written as jsonb."""
    return bindparam(name, type_=JSONB)


def assert_no_transaction() -> None:
    """Fails if this task holds a transaction.

    Every adapter to the outside world calls this first: a slow or failing peer must not hold
    row locks, and what it did could not be rolled back.
    """
    assert not _open.get(), "the outside world waits until the transaction is over"
