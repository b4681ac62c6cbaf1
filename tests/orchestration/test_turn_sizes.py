"""Of few that are due, one that takes too long is found within a minute, and steps aside."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from domains.rewards.model import InteractionState
from infrastructure.database.engine import Limits, create_engine, database_of
from infrastructure.database.transaction import Database
from localmesh.postgres import Postgres
from tests.support.books import order_of, states_of
from tests.support.connections import Holder, holding
from tests.support.flows import NOON, flows_on
from tests.support.rules import a_campaign
from tests.support.shop import Shop, a_shop

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HASTY = Limits(statement=timedelta(milliseconds=250))
LOOKS_MAX = 12
_HOLD_ACCOUNT = "SELECT 1 FROM account WHERE owner = :person FOR UPDATE"
_FAILED_OFTEN = """
    UPDATE reward_lane SET failure_count = 4, obstacle = 'TIMED_OUT', retry_time = :now
    WHERE merchant_id = :merchant_id
"""
every_size = pytest.mark.parametrize("batch_size", [2, 200])


async def a_shop_with_a_slow_buyer(database: Database) -> Shop:
    """A buyer has an account, which somebody is about to hold."""
    shop = await a_shop(database, a_campaign())
    await shop.buy("slow", "S-0", ordered=NOON)
    await shop.work()
    shop.flows.clock.advance(SECOND)
    return shop


@asynccontextmanager
async def a_hasty_worker(
    shop: Shop, engine: AsyncEngine, postgres: Postgres, *, batch_size: int = 200
) -> AsyncIterator[tuple[Shop, Holder]]:
    """The shop served by a process that gives up early, while the slow buyer's account is held."""
    pool = create_engine(postgres.url, pool_size=2, application_name="hasty", limits=HASTY)
    person = (await order_of(shop, "S-0")).identity_group_id
    async with holding(engine, _HOLD_ACCOUNT, person=person) as holder:
        yield (
            shop.on(flows_on(database_of(pool), clock=shop.flows.clock, batch_size=batch_size)),
            holder,
        )
    await pool.dispose()


async def time_until_decided(worker: Shop, holder: Holder, event: str) -> timedelta:
    """How much time it takes, with a look as soon as the lane may be tried."""
    clock = worker.flows.clock
    begin = clock.now
    for _ in range(LOOKS_MAX):
        await worker.look()
        # Whoever is idle for long loses what they hold.
        await holder.until_awaited(by=0)
        if (await states_of(worker))[event] is InteractionState.DECIDED:
            break
        lane = await worker.flows.lane.get_lane(worker.merchant_id)
        clock.now = max(clock.now + SECOND, lane.retry_time or clock.now)
    else:
        pytest.fail(f"not decided after {clock.now - begin}: {event}")
    return clock.now - begin


@every_size
async def test_of_two_orders_one_that_takes_too_long_is_soon_found(
    engine: AsyncEngine, real_database: Database, postgres: Postgres, batch_size: int
) -> None:
    """A small shop would be paid after a quarter of an hour, because batches could be larger."""
    shop = await a_shop_with_a_slow_buyer(real_database)
    await shop.buy("slow", "A-1")
    shop.flows.clock.advance(SECOND)
    await shop.buy("buyer", "A-2")

    async with a_hasty_worker(shop, engine, postgres, batch_size=batch_size) as (worker, holder):
        waited = await time_until_decided(worker, holder, "purchase:A-2")

    assert waited <= MINUTE


@every_size
async def test_of_two_refunds_one_that_takes_too_long_is_soon_found(
    engine: AsyncEngine, real_database: Database, postgres: Postgres, batch_size: int
) -> None:
    """Nothing is decided meanwhile: a slow refund would stop all that a small shop pays."""
    shop = await a_shop_with_a_slow_buyer(real_database)
    await shop.buy("other", "R-1", ordered=NOON)
    await shop.work()
    shop.flows.clock.advance(SECOND)
    for order in ("S-0", "R-1"):
        await shop.report(order, "refunded", ordered=NOON)
    await shop.buy("buyer", "A-2")

    async with a_hasty_worker(shop, engine, postgres, batch_size=batch_size) as (worker, holder):
        waited = await time_until_decided(worker, holder, "purchase:A-2")

    assert waited <= MINUTE


async def test_a_refund_steps_aside_for_longer_than_its_lane_rests(
    engine: AsyncEngine, real_database: Database, postgres: Postgres
) -> None:
    """It would be back before the lane is tried again, and the lane fail anew, each time longer."""
    shop = await a_shop_with_a_slow_buyer(real_database)
    await shop.report("S-0", "refunded", ordered=NOON)
    await shop.buy("buyer", "A-2")
    async with real_database.transaction() as tx:
        await tx.execute(
            text(_FAILED_OFTEN), {"now": shop.flows.clock.now, "merchant_id": shop.merchant_id}
        )

    async with a_hasty_worker(shop, engine, postgres) as (worker, holder):
        waited = await time_until_decided(worker, holder, "purchase:A-2")

    # The lane fails once more and rests; then it goes on.
    assert waited <= 2 * MINUTE


async def test_an_order_steps_aside_for_longer_than_its_lane_rests(
    engine: AsyncEngine, real_database: Database, postgres: Postgres
) -> None:
    """It would be back before the lane is tried again, and stand before the others once more."""
    shop = await a_shop_with_a_slow_buyer(real_database)
    await shop.buy("slow", "S-1", ordered=NOON)
    async with real_database.transaction() as tx:
        await tx.execute(
            text(_FAILED_OFTEN), {"now": shop.flows.clock.now, "merchant_id": shop.merchant_id}
        )

    async with a_hasty_worker(shop, engine, postgres) as (worker, _):
        await worker.look()

    lane = await shop.flows.lane.get_lane(shop.merchant_id)
    assert lane.retry_time is not None
    assert (await order_of(shop, "S-1")).due_time > lane.retry_time
