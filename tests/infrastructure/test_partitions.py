"""Tables by month: partitions made beside writers and readers, late or not."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from domains.rewards.model.event import DECISIONS_KEPT
from infrastructure.database.transaction import Database, Transaction
from tests.support.connections import holding
from tests.support.partitions import keep_months_as_of

LATER = datetime(2031, 5, 20, tzinfo=UTC)
KEPT = DECISIONS_KEPT
_ADD = text(
    """
    INSERT INTO decision (interaction_id, campaign_id, decide_time, merchant_id, sequence,
                          rule_version, outcome, details)
    VALUES (:id, :id, :decide_time, :id, 1, 1, 'granted', '{}')
    """
)
_MADE = text("SELECT relname FROM pg_class WHERE relname ~ '^decision_[0-9]{6}$'")
_WHERE = text("SELECT tableoid::regclass::text AS place, decide_time FROM decision ORDER BY 2")


async def add(tx: Transaction, *times: datetime) -> None:
    for time in times:
        await tx.execute(_ADD, {"id": uuid4(), "decide_time": time})


async def places(tx: Transaction) -> list[str]:
    return [row.place for row in await tx.execute(_WHERE)]


async def keep(tx: Transaction, now: datetime) -> None:
    await keep_months_as_of(tx, now)


async def test_what_came_before_its_partition_is_moved_into_it(database: Database) -> None:
    """A worker that comes back after months would never make a partition again."""
    async with database.transaction() as tx:
        await add(tx, LATER, LATER + timedelta(days=31), LATER + timedelta(days=300))
        assert await places(tx) == ["decision_default"] * 3
        for _ in range(2):
            await keep(tx, LATER)
            assert await places(tx) == ["decision_203105", "decision_203106", "decision_default"]
        await add(tx, LATER + timedelta(days=1))
        assert (await places(tx))[:2] == ["decision_203105"] * 2


async def test_a_partition_goes_once_all_of_it_is_too_old(database: Database) -> None:
    """Decisions would be forgotten too early, or the table grow for ever."""
    async with database.transaction() as tx:
        await keep(tx, LATER)
        await add(tx, LATER)
        await keep(tx, LATER + KEPT)
        assert await places(tx) == ["decision_203105"]
        await keep(tx, LATER + KEPT + timedelta(days=31))
        assert await places(tx) == []


async def test_while_somebody_reads_a_partition_waits_and_writers_do_not(
    engine: AsyncEngine, real_database: Database
) -> None:
    """A long report over decisions would stop everybody's rewards once a month."""
    now = datetime.now(UTC)
    try:
        async with real_database.transaction() as tx:
            await keep(tx, now)
        async with holding(engine, "SELECT count(*) FROM decision") as reader:
            making = asyncio.ensure_future(keep_later(real_database))
            await reader.until_awaited()
            async with real_database.transaction() as tx:
                await tx.execute(text("SET LOCAL lock_timeout = '100ms'"))
                await add(tx, now)
            assert not making.done()
            with pytest.raises(DBAPIError, match="lock timeout"):
                await making
        await keep_later(real_database)
    finally:
        async with engine.begin() as connection:
            rows = await connection.execute(_MADE)
            for name in rows.scalars().all():
                await connection.execute(text(f"DROP TABLE {name}"))


async def keep_later(database: Database) -> None:
    async with database.transaction() as tx:
        await keep(tx, LATER)
