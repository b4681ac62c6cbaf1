"""The pool of connections, when their server goes away."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from infrastructure.database.engine import create_engine, database_of
from infrastructure.database.failures import is_away, sqlstate
from infrastructure.database.transaction import Transaction
from localmesh.postgres import Postgres
from tests.support.connections import WAIT_SECONDS_MAX, losses_of

_WHO = text("SELECT pg_backend_pid()")
_TERMINATE = text("SELECT pg_terminate_backend(:pid, 5000)")


async def test_a_connection_whose_server_went_away_is_not_handed_out(
    postgres: Postgres, engine: AsyncEngine
) -> None:
    """The first call of every process would fail after each restart of the database."""
    pool = create_engine(postgres.url, pool_size=1, application_name="tests")
    database = database_of(pool)
    losses = losses_of(pool)

    async def who(tx: Transaction) -> int:
        pid: int = (await tx.execute(_WHO)).scalar_one()
        return pid

    try:
        async with database.single() as tx:
            before = await who(tx)
        async with engine.connect() as other:
            await other.execute(_TERMINATE, {"pid": before})
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            await losses.get()

        async with database.single() as tx:
            assert await who(tx) != before
        async with database.transaction() as tx:
            assert await who(tx) != before
    finally:
        await pool.dispose()


async def test_a_statement_that_takes_too_long_is_not_a_database_that_is_away(
    engine: AsyncEngine,
) -> None:
    """What it works on would be tried for ever, and hold up everything behind it."""
    async with engine.connect() as connection:
        await connection.execute(text("SET LOCAL statement_timeout = 1"))
        with pytest.raises(DBAPIError) as raised:
            await connection.execute(text("SELECT pg_sleep(5)"))

    assert sqlstate(raised.value) == "57014"
    assert not is_away(raised.value)


def test_a_connection_that_is_cut_while_it_opens_is_a_database_that_is_away() -> None:
    """An event would be charged a try, and a report kept for later, for somebody's restart."""
    cut = Exception("cannot switch to state 11; another operation (2) is in progress")
    cut.__cause__ = asyncpg.InternalClientError(*cut.args)

    assert is_away(DBAPIError("show transaction isolation level", {}, cut))
    assert not is_away(DBAPIError("SELECT 1 / 0", {}, Exception("division by zero")))


async def test_an_error_does_not_repeat_what_was_sent(engine: AsyncEngine) -> None:
    """A client id or a body would stand in the log of whoever met the error."""
    async with engine.connect() as connection:
        with pytest.raises(DBAPIError) as raised:
            await connection.execute(text("SELECT CAST(:sent AS text) / 0"), {"sent": "secret"})

    assert "secret" not in str(raised.value)
