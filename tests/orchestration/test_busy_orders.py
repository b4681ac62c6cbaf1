"""Orders that others write all the time, or for long: they and their neighbours are decided."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from infrastructure.database.engine import create_engine, database_of
from infrastructure.database.transaction import Database
from localmesh.postgres import Postgres
from server.jobs.reward_work import PAUSE
from tests.support.books import amounts_of, assert_books_balance
from tests.support.connections import holding
from tests.support.flows import flows_on
from tests.support.rules import a_campaign
from tests.support.shop import Shop, a_shop

MINUTE = timedelta(minutes=1)
CALLERS = 8
SECONDS_MAX = 5.0

_LOCK = "SELECT 1 FROM shop_order WHERE order_reference = 'A-1' FOR UPDATE"


async def paid_at(shop: Shop) -> list[str]:
    return sorted(event for event, _ in await amounts_of(shop))


async def until(shop: Shop, *, paid: list[str]) -> None:
    """Looks as a worker does, until just this is paid."""
    async with asyncio.timeout(SECONDS_MAX):
        while await paid_at(shop) != paid:
            await shop.look()
            await asyncio.sleep(PAUSE.total_seconds() / 4)


async def test_an_order_that_is_written_for_long_holds_up_no_other(
    engine: AsyncEngine, real_database: Database
) -> None:
    """Whoever holds one order's row would stop everything that the shop pays."""
    shop = await a_shop(real_database, a_campaign())
    for order in ("A-1", "A-2"):
        await shop.buy("buyer", order)
    (lane,) = await shop.flows.reward.list_waiting_lanes()
    await shop.flows.turns.make(shop.merchant_id)
    batch = await shop.flows.turns.prepare(lane, limit=1)
    assert batch is not None

    async with holding(engine, _LOCK):
        await until(shop, paid=["purchase:A-2"])
        # What comes while the round cannot end.
        shop.flows.clock.advance(timedelta(seconds=1))
        await shop.buy("buyer", "A-3")
        await until(shop, paid=["purchase:A-2", "purchase:A-3"])
    await shop.work()

    assert await paid_at(shop) == ["purchase:A-1", "purchase:A-2", "purchase:A-3"]
    await assert_books_balance(real_database)


async def test_an_order_that_everybody_claims_all_the_time_is_decided(
    real_database: Database, postgres: Postgres
) -> None:
    """A stranger would keep a buyer from their reward as long as they like."""
    shop = await a_shop(real_database, a_campaign())
    await shop.buy("buyer", "A-1")
    pool = create_engine(postgres.url, pool_size=CALLERS, application_name="strangers")
    theirs = shop.on(flows_on(database_of(pool), clock=shop.flows.clock))
    over = False

    async def claim(number: int) -> None:
        while not over:
            await theirs.claim(f"stranger {number}", "A-1", token="invented")

    async with asyncio.TaskGroup() as group:
        for number in range(CALLERS):
            group.create_task(claim(number))
        await asyncio.sleep(0.2)
        try:
            await until(shop, paid=["purchase:A-1"])
        finally:
            over = True
    await pool.dispose()


async def test_an_order_that_was_written_late_is_decided_although_its_lane_is_always_busy(
    engine: AsyncEngine, real_database: Database
) -> None:
    """Whenever a worker takes in what is late, the lane is being worked on: it would wait for ever.

    The order was being written when its round was taken in, as after a long import.
    """
    shop = await a_shop(flows_on(real_database, thorough_every=MINUTE), a_campaign())
    clock, work = shop.flows.clock, shop.flows.reward_work
    await shop.report("A-1", clientId="buyer")
    clock.advance(10 * MINUTE)
    await shop.report("new", clientId="buyer")
    async with holding(engine, _LOCK):
        await shop.look()
    assert await paid_at(shop) == ["purchase:new"]

    for minute in range(2):
        await shop.report(f"busy {minute}", clientId="buyer")
        async with holding(engine, "LOCK TABLE transfer IN SHARE MODE") as holder:
            await work.run()
            await holder.until_awaited()
            clock.advance(MINUTE)
            # It is thorough, but the lane is being worked on.
            await work.run()
        await work.finish()

    assert "purchase:A-1" in await paid_at(shop)
