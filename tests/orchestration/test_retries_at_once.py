"""Deliveries that are tried again while others hold what they need."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from infrastructure.database.engine import create_engine, database_of
from infrastructure.database.transaction import Database
from localmesh.postgres import Postgres
from tests.support.books import amounts_of, assert_books_balance, deliveries_of, order_of
from tests.support.connections import Holder, give_way_late, give_way_never, holding
from tests.support.deliveries import FAULT
from tests.support.flows import NOON, flows_on
from tests.support.races import beside
from tests.support.rules import a_campaign
from tests.support.shop import Shop, a_delivery, a_shop

_LOCK_ORDER = """
    SELECT 1 FROM shop_order
    WHERE merchant_id = :merchant_id AND order_reference = :order FOR UPDATE
"""
_CLAIM_ONCE_MORE = """
    UPDATE shop_order SET claim_count = claim_count + 1 WHERE order_reference = :order
"""
_LOCK_DELIVERY = "SELECT 1 FROM delivery WHERE event_reference = :event FOR UPDATE"


async def a_shop_with_failed_deliveries(database: Database, *orders: str) -> Shop:
    """Deliveries of these orders wait to be tried again; the orders are claimed and known."""
    shop = await a_shop(database, a_campaign())
    async with database.transaction() as tx:
        for order in orders:
            await shop.flows.deliveries.keep_failed(
                tx,
                a_delivery(shop, shop.order_body(order), event_id=f"event of {order}"),
                failure=FAULT,
                now=shop.flows.clock.now,
            )
    for order in orders:
        await shop.claim("buyer", order)
    shop.flows.clock.advance(timedelta(seconds=5))
    return shop


async def inbox(shop: Shop) -> list[tuple[str, str, int, int]]:
    return [
        (each.event_reference, each.state, each.try_count, each.failure_count)
        for each in await deliveries_of(shop)
    ]


async def test_a_delivery_that_is_tried_now_holds_up_no_other(
    engine: AsyncEngine, real_database: Database
) -> None:
    """One retry that hangs would stop the retries of all shops."""
    shop = await a_shop_with_failed_deliveries(real_database, "A-1", "A-2")

    async with holding(engine, _LOCK_DELIVERY, event="event of A-1"):
        async with asyncio.timeout(5):
            await shop.flows.delivery_retries.run()

    assert await inbox(shop) == [
        ("event of A-1", "failed", 1, 1),
        ("event of A-2", "applied", 2, 1),
    ]


async def test_a_deadlock_is_run_again_and_costs_no_try(
    engine: AsyncEngine, real_database: Database, postgres: Postgres
) -> None:
    """A shop that repeats itself while we retry would use up its own delivery's tries."""
    pool = create_engine(postgres.url, pool_size=2, application_name="tests")
    give_way_late(pool)
    shop = await a_shop_with_failed_deliveries(real_database, "A-1")
    retries = flows_on(database_of(pool), clock=shop.flows.clock).delivery_retries

    async with holding(engine, _LOCK_ORDER, merchant_id=shop.merchant_id, order="A-1") as holder:
        await give_way_never(holder)
        retrying = beside(retries.run())
        # It holds the delivery's row and waits for the order's; now each waits for the other.
        await holder.until_awaited()
        await holder.connection.execute(text(_LOCK_DELIVERY), {"event": "event of A-1"})
    await retrying
    await pool.dispose()

    assert await inbox(shop) == [("event of A-1", "applied", 2, 1)]
    await shop.work()
    assert await amounts_of(shop) == [("purchase:A-1", 1_000_000)]
    await assert_books_balance(real_database)


async def test_claims_that_came_while_a_report_waited_are_seen(
    engine: AsyncEngine, real_database: Database
) -> None:
    """A buyer's claim would be passed over, because the order's row was being written."""
    shop = await a_shop(real_database, a_campaign())
    for minutes, is_retry in ((1, False), (2, True)):
        order = f"A-{minutes}"
        await shop.claim("stranger", order, token="invented")
        if is_retry:
            async with real_database.transaction() as tx:
                await shop.flows.deliveries.keep_failed(
                    tx,
                    a_delivery(shop, shop.order_body(order), event_id=order),
                    failure=FAULT,
                    now=shop.flows.clock.now,
                )
            shop.flows.clock.now = NOON + timedelta(minutes=5)
        async with holding(
            engine, _LOCK_ORDER, merchant_id=shop.merchant_id, order=order
        ) as holder:
            claiming = beside(shop.claim("buyer", order))
            await holder.until_awaited()
            reporting = beside(
                shop.flows.delivery_retries.run() if is_retry else shop.report(order)
            )
            await holder.until_awaited(by=2)
        await asyncio.gather(claiming, reporting)

        found = await order_of(shop, order)
        assert (found.link, found.claim_count) == ("claim", 2)
        buyer: UUID = found.identity_group_id
        assert buyer == (await claiming).identity_group_id


async def test_a_report_that_comes_again_waits_for_whoever_has_the_order(
    engine: AsyncEngine, real_database: Database
) -> None:
    """With claims one after the other, a shop would be told to try again later."""
    shop = await a_shop(real_database, a_campaign())
    await shop.claim("stranger", "A-1", token="invented")

    async with engine.connect() as connection:
        next_one = Holder(connection)
        async with holding(
            engine, _LOCK_ORDER, merchant_id=shop.merchant_id, order="A-1"
        ) as holder:
            claiming = beside(shop.claim("buyer", "A-1"))
            await holder.until_awaited()
            reporting = beside(shop.report("A-1"))
            await holder.until_awaited(by=2)
            # Another claim is next, and not committed when the report comes again.
            writing = beside(connection.execute(text(_CLAIM_ONCE_MORE), {"order": "A-1"}))
            await holder.until_awaited(by=3)
        await claiming
        await writing
        # Unless the report came again first: PostgreSQL promises no order to those who wait.
        awaited = beside(next_one.until_awaited())
        await asyncio.wait({awaited, reporting}, return_when=asyncio.FIRST_COMPLETED)
        awaited.cancel()
        await connection.commit()

    assert await reporting == "ok"
    found = await order_of(shop, "A-1")
    assert (found.link, found.claim_count) == ("claim", 3)
