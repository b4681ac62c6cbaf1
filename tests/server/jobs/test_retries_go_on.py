"""Deliveries that hang, or cost their connection: all others are tried all the same."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from infrastructure.database.engine import Limits, create_engine, database_of
from infrastructure.database.transaction import Database
from localmesh.postgres import Postgres
from server.jobs.delivery_retries import BATCH_MAX
from tests.server.jobs.test_delivery_retries import HELD, fail, states
from tests.support.books import deliveries_of
from tests.support.connections import holding
from tests.support.flows import flows_on
from tests.support.races import beside
from tests.support.rules import a_campaign
from tests.support.shop import a_shop
from tests.support.triggers import a_trigger

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
MANY = BATCH_MAX + 20


async def test_a_delivery_that_hangs_ends_no_turns_of_other_shops(
    engine: AsyncEngine, real_database: Database
) -> None:
    """A run ends with its slowest: all that is more than a batch would wait for that one."""
    flows = flows_on(real_database, lanes_max=4)
    slow, busy = await a_shop(flows, a_campaign()), await a_shop(flows, a_campaign())
    await slow.claim("buyer", "S-1")
    await fail(slow, "S-1")
    await fail(busy, *(f"A-{number}" for number in range(MANY)))
    flows.clock.advance(MINUTE)

    async with holding(engine, HELD, order="S-1") as holder:
        running = beside(flows.delivery_retries.run())
        await holder.until_awaited()
        async with asyncio.timeout(20):
            while await states(busy) != {"applied": MANY}:
                await asyncio.sleep(0.1)
                await holder.until_awaited()
        assert not running.done()
    await running
    assert await states(slow) == {"applied": 1}


@pytest.mark.parametrize(
    "how",
    [
        "PERFORM pg_terminate_backend(pg_backend_pid());",
        # Longer than a transaction may take, less than a statement may.
        "PERFORM pg_sleep(1);",
    ],
)
async def test_a_delivery_that_costs_its_connection_steps_aside(
    real_database: Database, postgres: Postgres, how: str
) -> None:
    """It would be its shop's next one for ever, and nothing behind it be applied."""
    shop = await a_shop(real_database, a_campaign())
    await fail(shop, "B-1")
    shop.flows.clock.advance(SECOND)
    await fail(shop, "A-1", "A-2")
    shop.flows.clock.advance(MINUTE)
    body = f"IF NEW.order_reference = 'B-1' THEN {how} END IF;"
    limits = Limits(statement=2 * SECOND, transaction=timedelta(milliseconds=600))
    pool = create_engine(postgres.url, pool_size=4, application_name="work", limits=limits)
    worker = flows_on(database_of(pool), clock=shop.flows.clock, lanes_max=4)

    async with a_trigger(real_database, "shop_order", "INSERT", body):
        for _ in range(3):
            # It is told that the connection was lost, and the job goes on.
            with suppress(DBAPIError):
                await worker.delivery_retries.run()
            shop.flows.clock.advance(HOUR)
    await pool.dispose()

    found = {each.event_reference: each for each in await deliveries_of(shop)}
    assert {event: each.state for event, each in found.items()} == {
        "A-1": "applied",
        "A-2": "applied",
        "B-1": "failed",
    }
    assert found["B-1"].failure_count > 1


async def test_a_due_delivery_is_found_behind_any_number_that_are_not(database: Database) -> None:
    """Shops whose deliveries wait would keep the ones of a shop behind them from being tried."""
    shops = sorted([await a_shop(database) for _ in range(12)], key=lambda each: each.merchant_id)
    due = shops[-1]
    for shop in shops:
        if shop is not due:
            shop.flows.clock.advance(HOUR)
        await fail(shop, "A-1")
    due.flows.clock.advance(10 * SECOND)

    await due.flows.delivery_retries.run()

    assert await states(due) == {"applied": 1}
