"""The pool of connections, when their server goes away."""

from __future__ import annotations

import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from infrastructure.database.engine import create_engine, database_of
from infrastructure.database.transaction import Transaction
from server.embedded.postgres import Postgres
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
