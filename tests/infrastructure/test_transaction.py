"""What is run again, how often, and what is not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from infrastructure.database.engine import Limits, create_engine, database_of
from infrastructure.database.failures import is_away, is_retryable, is_timeout
from infrastructure.database.transaction import SERIALIZATION_RETRIES_MAX, Database
from localmesh.postgres import Postgres
from tests.support.connections import give_way_late, give_way_never, holding
from tests.support.races import beside

_MAKE = (
    "CREATE TABLE parent (id int PRIMARY KEY)",
    "CREATE TABLE child (parent_id int REFERENCES parent)",
    "INSERT INTO parent VALUES (1), (2)",
)
_DROP = "DROP TABLE IF EXISTS child, parent"
_LOCK = "SELECT 1 FROM parent WHERE id = :id FOR UPDATE"


@pytest.fixture
async def family(engine: AsyncEngine) -> AsyncIterator[None]:
    """Two rows, and a table of rows that name one of them."""
    async with engine.begin() as connection:
        for statement in _MAKE:
            await connection.execute(text(statement))
    yield
    async with engine.begin() as connection:
        await connection.execute(text(_DROP))


def of_sqlalchemy(failure: asyncpg.PostgresError) -> DBAPIError:
    return DBAPIError("SELECT 1", None, failure)


ASKED_FOR = (
    asyncpg.DeadlockDetectedError("deadlock"),
    asyncpg.SerializationError("serialization"),
    of_sqlalchemy(asyncpg.DeadlockDetectedError("deadlock")),
    of_sqlalchemy(asyncpg.SerializationError("serialization")),
)


class Work:
    """Fails so often, then succeeds."""

    def __init__(self, failure: Exception, *, failures: int) -> None:
        self.count = 0
        self._failure = failure
        self._failures = failures

    async def __call__(self) -> str:
        self.count += 1
        if self.count <= self._failures:
            raise self._failure
        return "done"


@pytest.mark.parametrize("failure", ASKED_FOR, ids=repr)
async def test_what_the_database_asks_for_is_run_again_three_times(
    database: Database, failure: Exception
) -> None:
    """A meeting of two transactions would be an error to whoever called."""
    enough = Work(failure, failures=SERIALIZATION_RETRIES_MAX)
    assert await database.run(enough) == "done"
    assert enough.count == SERIALIZATION_RETRIES_MAX + 1

    too_many = Work(failure, failures=SERIALIZATION_RETRIES_MAX + 1)
    with pytest.raises(type(failure)):
        await database.run(too_many)
    assert too_many.count == SERIALIZATION_RETRIES_MAX + 1


@pytest.mark.parametrize(
    "failure",
    [
        asyncpg.UniqueViolationError("twice"),
        of_sqlalchemy(asyncpg.QueryCanceledError("slow")),
        asyncpg.LockNotAvailableError("locked"),
        ValueError("ours"),
    ],
    ids=repr,
)
async def test_what_fails_by_itself_is_not_run_again(
    database: Database, failure: Exception
) -> None:
    """A call that is wrong, or took too long, would be made four times."""
    work = Work(failure, failures=1)
    with pytest.raises(type(failure)):
        await database.run(work)
    assert work.count == 1


@pytest.mark.usefixtures("family")
async def test_rows_that_are_copied_are_copied_again_after_a_deadlock(
    engine: AsyncEngine, postgres: Postgres
) -> None:
    """COPY speaks with the driver itself: its deadlocks would end a batch."""
    pool = create_engine(postgres.url, pool_size=2, application_name="tests")
    give_way_late(pool)
    database = database_of(pool)

    async def copy() -> None:
        async with database.transaction() as tx:
            await tx.execute(text(_LOCK), {"id": 2})
            await tx.copy("child", ("parent_id",), [(1,)])

    async with holding(engine, _LOCK, id=1) as holder:
        await give_way_never(holder)
        copying = beside(database.run(copy))
        await holder.until_awaited()
        # Now each waits for the other.
        await holder.connection.execute(text(_LOCK), {"id": 2})
    await copying

    async with database.single() as tx:
        assert (await tx.execute(text("SELECT count(*) FROM child"))).scalar_one() == 1
    await pool.dispose()


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (asyncpg.QueryCanceledError(""), "timeout"),
        (asyncpg.LockNotAvailableError(""), "timeout"),
        (asyncpg.IdleInTransactionSessionTimeoutError(""), "timeout"),
        (asyncpg.AdminShutdownError(""), "away"),
        (asyncpg.TooManyConnectionsError(""), "away"),
        (asyncpg.DiskFullError(""), "away"),
        (asyncpg.ConnectionDoesNotExistError(""), "away"),
        (asyncpg.InterfaceError("closed"), "away"),
        (ConnectionResetError(), "away"),
        (asyncpg.DeadlockDetectedError(""), "retryable"),
        (asyncpg.SerializationError(""), "retryable"),
        (asyncpg.UniqueViolationError(""), "fault"),
        (asyncpg.DataError(""), "fault"),
        (ValueError(), "fault"),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Exception) else each,
)
def test_every_failure_is_of_one_kind(failure: Exception, kind: str) -> None:
    """A slow minute would be taken for a broken order, or a broken order for a slow minute."""
    assert [is_timeout(failure), is_away(failure), is_retryable(failure)] == [
        kind == each for each in ("timeout", "away", "retryable")
    ]


async def test_a_connection_is_held_to_its_limits(postgres: Postgres) -> None:
    """A process that stops in the middle would hold a merchant's lane for ever."""
    tenth = timedelta(milliseconds=100)
    limits = Limits(statement=tenth, idle_in_transaction=tenth, lock=tenth)
    pool = create_engine(postgres.url, pool_size=2, application_name="hasty", limits=limits)
    shown = {}
    try:
        async with database_of(pool).single() as tx:
            for name in (
                "statement_timeout",
                "idle_in_transaction_session_timeout",
                "lock_timeout",
                "transaction_timeout",
            ):
                shown[name] = (await tx.execute(text(f"SHOW {name}"))).scalar_one()
    finally:
        await pool.dispose()

    assert shown == {
        "statement_timeout": "100ms",
        "idle_in_transaction_session_timeout": "100ms",
        "lock_timeout": "100ms",
        "transaction_timeout": "0",
    }
