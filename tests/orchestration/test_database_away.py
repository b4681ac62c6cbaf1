"""The database goes away: nothing is half done, and doing it again does it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from infrastructure.database.engine import create_engine, database_of
from infrastructure.database.failures import is_away
from infrastructure.database.transaction import Database
from localmesh.postgres import Postgres
from orchestration.purchase_webhook.errors import DeliveryPostponedError
from tests.support.books import amounts_of, assert_books_balance, count_of, deliveries_of, read
from tests.support.connections import WAIT_SECONDS_MAX, holding, losses_of
from tests.support.flows import flows_on
from tests.support.postgres import free_port
from tests.support.rules import a_campaign
from tests.support.shop import Shop, a_shop

Deed = Callable[[Shop], Coroutine[Any, Any, object]]
TABLES = ("delivery", "shop_order", "interaction", "identity_node", "touchpoint", "referral_link")
CONNECTIONS = 3


async def report(shop: Shop) -> object:
    return await shop.report("A-1", event_id="event-1", clientId="visitor", customerId="c-1")


async def claim(shop: Shop) -> object:
    return await shop.claim("visitor", "A-1")


async def arrive(shop: Shop) -> object:
    return await shop.arrive("visitor", referrer="friend")


DEEDS = pytest.mark.parametrize("deed", [report, claim, arrive])


async def counts(shop: Shop) -> list[int]:
    return [await count_of(shop, table) for table in TABLES]


async def a_visited_shop(database: Database) -> Shop:
    shop = await a_shop(database, a_campaign())
    await shop.arrive("friend")
    return shop


@pytest.fixture
async def small_pool(postgres: Postgres) -> AsyncIterator[AsyncEngine]:
    """Connections of their own, all of which a test may end."""
    pool = create_engine(postgres.url, pool_size=CONNECTIONS, application_name="short-lived")
    yield pool
    await pool.dispose()


@DEEDS
async def test_without_a_database_nothing_happens_and_the_caller_may_try_again(
    real_database: Database, postgres: Postgres, deed: Deed
) -> None:
    """A shop would believe that its order was taken, or never send it again."""
    shop = await a_visited_shop(real_database)
    before = await counts(shop)
    nowhere = create_engine(
        postgres.url.replace(f":{postgres.port}/", f":{free_port()}/"),
        pool_size=1,
        application_name="nowhere",
    )
    try:
        with pytest.raises(Exception) as failed:  # noqa: PT011 - of what kind is asked below
            await deed(shop.on(flows_on(database_of(nowhere))))
    finally:
        await nowhere.dispose()

    assert is_away(failed.value)
    assert await counts(shop) == before
    await deed(shop)
    assert await counts(shop) != before


# Cut at the first and at the last table that each of them writes to.
@pytest.mark.parametrize(
    ("deed", "table"),
    [
        (report, "identity_node"),
        (report, "shop_order"),
        (report, "delivery"),
        (claim, "identity_node"),
        (claim, "shop_order"),
        (arrive, "identity_node"),
        (arrive, "interaction"),
    ],
)
async def test_a_connection_cut_in_the_middle_leaves_nothing(
    engine: AsyncEngine, real_database: Database, deed: Deed, table: str
) -> None:
    """Half an order or half a visitor would be there, and the other half never come."""
    shop = await a_visited_shop(real_database)
    await shop.claim("somebody else", "A-1", token="guess")
    before = await counts(shop)

    async with holding(engine, f"LOCK TABLE {table} IN SHARE MODE") as holder:
        cut = asyncio.ensure_future(deed(shop))
        await holder.terminate(await holder.until_awaited())
    with pytest.raises(Exception) as failed:  # noqa: PT011 - of what kind is asked below
        await cut

    assert is_away(failed.value)
    assert await counts(shop) == before
    await deed(shop)
    await shop.report("A-1", event_id="event-1")
    await shop.claim("visitor", "A-1")
    await shop.work()
    assert await amounts_of(shop) == [("purchase:A-1", 1_000_000)]
    await assert_books_balance(real_database)


async def test_a_restarted_database_is_found_again(
    engine: AsyncEngine, small_pool: AsyncEngine, real_database: Database
) -> None:
    """A call would fail for every connection of before, or for every process at least one."""
    shop = await a_visited_shop(real_database)
    served = shop.on(flows_on(database_of(small_pool)))
    losses = losses_of(small_pool)
    async with asyncio.TaskGroup() as group:
        for number in range(CONNECTIONS):
            group.create_task(served.claim("visitor", f"B-{number}"))
    async with engine.begin() as connection:
        ended = await connection.execute(
            text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE application_name = 'short-lived'"
            )
        )
        assert len(ended.all()) == CONNECTIONS
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        for _ in range(CONNECTIONS):
            await losses.get()

    assert await report(served) == "ok"
    async with asyncio.TaskGroup() as group:
        for number in range(CONNECTIONS):
            group.create_task(served.claim("visitor", f"B-{number}"))
    assert [each.state for each in await deliveries_of(shop)] == ["applied"]


async def test_a_retry_that_is_cut_costs_no_try(
    engine: AsyncEngine, real_database: Database
) -> None:
    """A database that restarts a few times would use up the tries of what waits."""
    shop = await a_visited_shop(real_database)
    try:
        async with engine.begin() as connection:
            await connection.execute(
                text("ALTER TABLE shop_order ADD CONSTRAINT mistake CHECK (false) NOT VALID")
            )
        with pytest.raises(DeliveryPostponedError):
            await report(shop)
    finally:
        async with engine.begin() as connection:
            await connection.execute(text("ALTER TABLE shop_order DROP CONSTRAINT mistake"))
    shop.flows.clock.advance(timedelta(seconds=5))

    async with holding(engine, "LOCK TABLE shop_order IN SHARE MODE") as holder:
        cut = asyncio.ensure_future(shop.flows.delivery_retries.run())
        await holder.terminate(await holder.until_awaited())
    with pytest.raises(Exception) as failed:  # noqa: PT011 - of what kind is asked below
        await cut

    assert is_away(failed.value)
    (kept,) = await deliveries_of(shop)
    assert (kept.state, kept.try_count) == ("failed", 1)
    # It waits like one that failed, so that it holds up none of its shop.
    assert kept.retry_time == shop.flows.clock.now + timedelta(seconds=30)
    shop.flows.clock.advance(timedelta(seconds=30))
    await shop.flows.delivery_retries.run()
    (kept,) = await deliveries_of(shop)
    assert (kept.state, kept.try_count) == ("applied", 2)
    assert len(await read(real_database, "SELECT 1 FROM shop_order")) == 1
