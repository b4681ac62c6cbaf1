"""One time for all processes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from infrastructure.database.clock import DatabaseClock
from infrastructure.database.transaction import Database

ROUND_TRIP_MAX = timedelta(seconds=1)


@pytest.mark.parametrize("minutes", [-5, 0, 5])
async def test_the_database_s_time_is_everybody_s(engine: AsyncEngine, minutes: int) -> None:
    """Two servers would put one shop's reports in different orders."""

    @asynccontextmanager
    async def connect() -> AsyncIterator[AsyncConnection]:
        # A database on another host, whose clock is ahead of ours or behind it.
        async with engine.connect() as connection, connection.begin() as undone:
            for statement in (
                "CREATE SCHEMA elsewhere",
                f"""
                CREATE FUNCTION elsewhere.clock_timestamp() RETURNS timestamptz LANGUAGE sql
                AS $$ SELECT pg_catalog.clock_timestamp() + interval '{minutes} minutes' $$
                """,
                "SET LOCAL search_path = elsewhere, pg_catalog",
            ):
                await connection.execute(text(statement))
            yield connection
            await undone.rollback()

    clock = DatabaseClock()
    assert abs(clock() - datetime.now(UTC)) < ROUND_TRIP_MAX

    await clock.synchronise(Database(begin=connect, read=connect, connect=connect))

    difference = clock() - datetime.now(UTC)
    assert abs(difference - timedelta(minutes=minutes)) < ROUND_TRIP_MAX
    assert clock().tzinfo is not None
