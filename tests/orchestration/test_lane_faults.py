"""Lanes when reversals pile up, when one lane fails, and when the database is slow."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from domains.rewards.model import InteractionState, Obstacle
from domains.rewards.model.event import TRIES_MAX
from domains.rewards.model.lane import SET_BACK_PAUSE_MAX
from infrastructure.database.engine import Limits, create_engine, database_of
from infrastructure.database.transaction import Database
from localmesh.postgres import Postgres
from tests.support.books import (
    amounts_of,
    assert_books_balance,
    count_of,
    events_of,
    read,
    used_of,
)
from tests.support.connections import holding
from tests.support.flows import NOON, flows_on
from tests.support.rules import Limit, a_campaign
from tests.support.shop import Shop, a_shop

CAMPAIGN = a_campaign(limits=(Limit(amount="1"),))


@pytest.mark.parametrize("reversals", [0, 1, 2, 3, 5])
async def test_refunded_orders_use_up_no_budget_however_many_there_are(
    database: Database, reversals: int
) -> None:
    """After a mass refund nobody would be paid: refunded orders took the last of the budget."""
    shop = await a_shop(flows_on(database, batch_size=2), CAMPAIGN)
    for number in range(reversals):
        await shop.report(f"returned before {number}")
        await shop.report(f"returned before {number}", "refunded")
    await shop.buy("buyer", "a returned")
    await shop.buy("buyer", "b kept")
    await shop.report("a returned", "refunded")

    await shop.work()

    assert await amounts_of(shop) == [("purchase:b kept", 1_000_000)]
    assert await used_of(shop, "welcome") == [1_000_000]
    await assert_books_balance(database)


async def test_what_refunds_free_is_there_for_the_next_order(database: Database) -> None:
    """After a mass refund an order would be refused for want of what is about to be free."""
    shop = await a_shop(flows_on(database, batch_size=2), CAMPAIGN)
    returned = ("b", "c", "a paid")
    for order in returned:
        await shop.buy("buyer", order)
    await shop.work()
    assert await amounts_of(shop) == [("purchase:a paid", 1_000_000)]

    for order in returned:
        shop.flows.clock.advance(timedelta(seconds=1))
        await shop.report(order, "refunded", ordered=NOON)
    await shop.buy("buyer", "kept")
    await shop.work()

    assert dict(await amounts_of(shop)) == {"purchase:a paid": 0, "purchase:kept": 1_000_000}
    await assert_books_balance(database)


async def a_shop_whose_reversal_fails(database: Database) -> Shop:
    """Its books are damaged: less is pending than its reward says."""
    shop = await a_shop(database, a_campaign())
    await shop.buy("buyer", "A-1")
    await shop.work()
    async with database.transaction() as tx:
        await tx.execute(
            text(
                "UPDATE account SET balance = 0 WHERE kind = 'recipient_pending'"
                " AND merchant_id = :merchant_id"
            ),
            {"merchant_id": shop.merchant_id},
        )
    await shop.report("A-1", "refunded")
    return shop


async def test_a_lane_that_fails_holds_up_no_other(database: Database) -> None:
    """One merchant's damaged books would stop the rewards of all merchants."""
    damaged = await a_shop_whose_reversal_fails(database)
    healthy = await a_shop(damaged.flows, a_campaign())
    await healthy.buy("buyer", "A-1")

    for _ in range(2):
        await healthy.look()

    assert len(await amounts_of(healthy)) == 1
    rows = await read(database, "SELECT drain_time FROM reversal")
    assert [row.drain_time for row in rows] == [None]


async def test_a_worker_that_dies_among_reversals_leaves_nothing_behind(
    engine: AsyncEngine, real_database: Database
) -> None:
    """A refund would be booked twice, or in part."""
    shop = await a_shop(real_database, a_campaign(limits=(Limit(amount="1000"),)))
    for order in ("A-1", "A-2"):
        await shop.buy("buyer", order)
    await shop.work()
    for order in ("A-1", "A-2"):
        await shop.report(order, "refunded")

    for table in ("reversal", "interaction", "reward", "budget_window", "account", "transfer"):
        async with holding(engine, f"LOCK TABLE {table} IN SHARE MODE") as holder:
            dying = asyncio.ensure_future(shop.look())
            await holder.terminate(await holder.until_awaited())
        await dying
        assert [base_units for _, base_units in await amounts_of(shop)] == [1_000_000] * 2
        shop.flows.clock.advance(SET_BACK_PAUSE_MAX)

    await shop.work()

    assert [base_units for _, base_units in await amounts_of(shop)] == [0, 0]
    assert await used_of(shop, "welcome") == []
    assert await count_of(shop, "transfer") == 4
    await assert_books_balance(real_database)


async def test_slow_minutes_of_the_database_kill_no_event(
    engine: AsyncEngine, real_database: Database, postgres: Postgres
) -> None:
    """Rewards of many orders would be lost for good, because a backup held a lock for a while."""
    shop = await a_shop(real_database, a_campaign())
    await shop.buy("buyer", "A-1")
    hasty = create_engine(
        postgres.url,
        pool_size=2,
        application_name="hasty",
        limits=Limits(statement=timedelta(milliseconds=500)),
    )
    clock = shop.flows.clock
    slow = shop.on(flows_on(database_of(hasty), clock=clock))
    pauses = []
    try:
        async with holding(engine, "LOCK TABLE transfer IN ACCESS EXCLUSIVE MODE"):
            for _ in range(TRIES_MAX + 1):
                await slow.look()
                lane = await shop.flows.lane.get_lane(shop.merchant_id)
                assert lane.obstacle is Obstacle.TIMED_OUT
                pauses.append(lane.retry_time)
                clock.advance(timedelta(hours=1))
    finally:
        await hasty.dispose()

    # Each time it was tried.
    assert len(set(pauses)) == TRIES_MAX + 1
    (event,) = await events_of(shop)
    assert (event.try_count, event.state) == (0, InteractionState.PENDING)
    await shop.work()
    assert len(await amounts_of(shop)) == 1
