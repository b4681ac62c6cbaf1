"""Housekeeping beside what fails, what is in use and what takes long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from domains.purchases.model.delivery import KEPT
from domains.rewards.model.event import DECISIONS_KEPT
from infrastructure.database.engine import Limits, create_engine, database_of
from infrastructure.database.transaction import Database
from localmesh.postgres import Postgres
from server.jobs.housekeeping import IN_USE_PAUSE, RUN_EVERY
from tests.server.jobs.test_housekeeping import housekeeping_of
from tests.support.books import count_of, read
from tests.support.connections import holding
from tests.support.flows import NOON, flows_on
from tests.support.shop import Shop, a_shop
from tests.support.triggers import a_trigger

DAY = timedelta(days=1)
HALF_A_SECOND = timedelta(milliseconds=500)
# A month that no other test makes partitions of.
LATER = datetime(2033, 5, 20, tzinfo=UTC)
_CALL = """
    INSERT INTO repeated_call (principal, method, request_id, digest, create_time)
    VALUES ('', '', gen_random_uuid(), '', :now)
"""
_DECISIONS = """
    INSERT INTO decision (interaction_id, campaign_id, decide_time, merchant_id, sequence,
                          rule_version, outcome, details)
    SELECT gen_random_uuid(), gen_random_uuid(), :now, gen_random_uuid(), n, 1, 'granted', '{}'
    FROM generate_series(1, 20) AS n
"""
# Each row takes long to write, wherever it is.
_SLOW = "ALTER TABLE decision ADD CONSTRAINT slow CHECK (pg_sleep(0.05)::text = '') NOT VALID"
_QUICK = "ALTER TABLE decision DROP CONSTRAINT IF EXISTS slow"
_MADE = "SELECT relname FROM pg_class WHERE relname ~ '^decision_[0-9]{6}$' ORDER BY 1"
_PLACES = "SELECT DISTINCT tableoid::regclass::text AS place FROM decision"


async def do(database: Database, statement: str, **parameters: object) -> None:
    async with database.transaction() as tx:
        await tx.execute(text(statement), parameters)


async def partitions(database: Database) -> list[str]:
    return [row.relname for row in await read(database, _MADE)]


@asynccontextmanager
async def months_of(database: Database) -> AsyncIterator[Shop]:
    """A shop in a month without partitions; whatever is made of them is dropped in the end."""
    shop = await a_shop(database)
    shop.flows.clock.now = LATER
    try:
        yield shop
    finally:
        await do(database, _QUICK)
        for name in await partitions(database):
            await do(database, f'DROP TABLE "{name}"')


async def test_what_cannot_be_forgotten_keeps_nothing_else_from_being_forgotten(
    database: Database,
) -> None:
    """One row that cannot be deleted would have strangers' claims and old calls pile up."""
    shop = await a_shop(database)
    await shop.claim("stranger", "never reported")
    await shop.report("A-1", clientId="buyer")
    await do(database, _CALL, now=NOON)
    shop.flows.clock.now = NOON + KEPT + DAY

    async with a_trigger(database, "delivery", "DELETE", "RAISE EXCEPTION 'a fault';"):
        # Not in silence.
        with pytest.raises(DBAPIError, match="a fault"):
            await housekeeping_of(shop).run()

    assert await count_of(shop, "order_claim") == 0
    assert await read(database, "SELECT 1 FROM repeated_call") == []
    assert await partitions(database) != []


async def test_a_partition_that_is_in_use_is_dropped_another_time(
    engine: AsyncEngine, real_database: Database
) -> None:
    """A backup that reads would have the job fail, be tried at once, and stop all writers again."""
    async with months_of(real_database) as shop:
        await housekeeping_of(shop).run()
        oldest, *others = await partitions(real_database)
        # Later on, the oldest one is the first that is too old.
        shop.flows.clock.advance(DECISIONS_KEPT + 31 * DAY)

        job = housekeeping_of(shop)
        async with holding(engine, "SELECT count(*) FROM decision"):
            with capture_logs() as lines:
                async with asyncio.timeout(10):
                    assert await job.run() == RUN_EVERY
                    # At once, because there was more to be forgotten.
                    await job.run()
        assert await partitions(real_database) == [oldest, *others]
        assert [each["event"] for each in lines] == ["partitions left as they are"]

        shop.flows.clock.advance(IN_USE_PAUSE)
        await job.run()
        assert oldest not in await partitions(real_database)


@pytest.mark.parametrize(
    "limits", [Limits(statement=HALF_A_SECOND), Limits(transaction=HALF_A_SECOND)]
)
async def test_moving_decisions_into_their_month_may_take_longer_than_anything_else(
    real_database: Database, postgres: Postgres, limits: Limits
) -> None:
    """A worker that comes back after long would begin to move them every hour, and never end."""
    async with months_of(real_database) as shop:
        await do(real_database, _SLOW)
        await do(real_database, _DECISIONS, now=LATER)
        pool = create_engine(postgres.url, pool_size=2, application_name="work", limits=limits)
        worker = shop.on(flows_on(database_of(pool), clock=shop.flows.clock))

        await housekeeping_of(worker).run()

        await pool.dispose()
        places = [row.place for row in await read(real_database, _PLACES)]
        assert places == ["decision_203305"]
