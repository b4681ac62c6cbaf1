"""Deliveries of several shops that are tried again, side by side."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from infrastructure.database.engine import Limits, create_engine, database_of
from infrastructure.database.transaction import Database
from localmesh.postgres import Postgres
from server.jobs.delivery_retries import BATCH_MAX, MERCHANTS_MAX, DeliveryRetries
from tests.support.books import deliveries_of
from tests.support.connections import holding
from tests.support.deliveries import FAULT
from tests.support.flows import Flows, flows_on
from tests.support.races import beside
from tests.support.rules import a_campaign
from tests.support.shop import Shop, a_delivery, a_shop
from vocabulary.ids import MerchantId

PAUSE = timedelta(seconds=5)
HELD = "SELECT 1 FROM shop_order WHERE order_reference = :order FOR NO KEY UPDATE"


async def fail(shop: Shop, *orders: str) -> None:
    """Deliveries of these orders failed at their first try."""
    async with shop.database.transaction() as tx:
        for order in orders:
            await shop.flows.deliveries.keep_failed(
                tx,
                a_delivery(shop, shop.order_body(order), event_id=order),
                failure=FAULT,
                now=shop.flows.clock.now,
            )


async def states(shop: Shop) -> Counter[str]:
    return Counter(each.state for each in await deliveries_of(shop))


@asynccontextmanager
async def hasty_flows(postgres: Postgres, shop: Shop) -> AsyncIterator[Flows]:
    """Whoever waits for three tenths of a second gives up."""
    pool = create_engine(
        postgres.url,
        pool_size=MERCHANTS_MAX + 1,
        application_name="hasty",
        limits=Limits(statement=timedelta(milliseconds=300)),
    )
    yield flows_on(database_of(pool), clock=shop.flows.clock, lanes_max=MERCHANTS_MAX)
    await pool.dispose()


async def test_deliveries_that_take_too_long_hold_up_no_other_shop(
    engine: AsyncEngine, real_database: Database, postgres: Postgres
) -> None:
    """A hundred of one shop, each waited for, would come before the first of another."""
    slow, other = await a_shop(real_database, a_campaign()), await a_shop(real_database)
    await slow.claim("buyer", "A-1")
    async with slow.database.transaction() as tx:
        for number in range(20):
            body = slow.order_body("A-1", note=number)
            delivery = a_delivery(slow, body, event_id=f"{number}")
            await slow.flows.deliveries.keep_failed(
                tx, delivery, failure=FAULT, now=delivery.receive_time
            )
    await fail(other, "B-1")
    for shop in (slow, other):
        shop.flows.clock.now += PAUSE

    async with (
        hasty_flows(postgres, slow) as flows,
        holding(engine, HELD, order="A-1"),
        asyncio.timeout(4),
    ):
        await flows.delivery_retries.run()

    assert await states(other) == {"applied": 1}
    # It had one turn, which cost it no more than a pause.
    (tried,) = [each for each in await deliveries_of(slow) if each.failure_count == 2]
    assert (tried.state, tried.try_count) == ("failed", 1)


async def test_several_shops_have_their_turns_side_by_side(
    real_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few that are slow would hold up all that are not; or one have all connections."""
    shops = [await a_shop(real_database) for _ in range(MERCHANTS_MAX + 2)]
    for shop in shops:
        await fail(shop, "A-1", "A-2")
    flow = flows_on(real_database, clock=shops[0].flows.clock).purchase_webhook
    shops[0].flows.clock.advance(PAUSE)
    working: Counter[MerchantId] = Counter()
    most = 0
    real = flow.retry_failed

    async def retry_failed(merchant_id: MerchantId) -> bool:
        nonlocal most
        working[merchant_id] += 1
        assert working[merchant_id] == 1, "one delivery of a shop at a time"
        most = max(most, working.total())
        await asyncio.sleep(0.05)
        goes_on = await real(merchant_id)
        working[merchant_id] -= 1
        return goes_on

    monkeypatch.setattr(flow, "retry_failed", retry_failed)
    await DeliveryRetries(flow=flow).run()

    assert most == MERCHANTS_MAX
    for shop in shops:
        assert await states(shop) == {"applied": 2}


async def test_a_shop_that_becomes_due_meanwhile_has_its_turn(
    engine: AsyncEngine, real_database: Database
) -> None:
    """One delivery that hangs would hold up whatever fails after it."""
    slow, other = await a_shop(real_database, a_campaign()), await a_shop(real_database)
    await slow.claim("buyer", "A-1")
    await fail(slow, "A-1")
    flow = flows_on(real_database, clock=slow.flows.clock).purchase_webhook
    slow.flows.clock.advance(PAUSE)

    async with holding(engine, HELD, order="A-1") as holder:
        retrying = beside(DeliveryRetries(flow=flow).run())
        await holder.until_awaited()
        await fail(other, "B-1")
        async with asyncio.timeout(4):
            while await states(other) != {"applied": 1}:  # noqa: ASYNC110 - the table says it
                await asyncio.sleep(0.05)
    await retrying
    assert await states(slow) == {"applied": 1}


async def test_a_run_is_bounded_and_merchants_take_turns(database: Database) -> None:
    """A shop with many would come before all others, and a worker not be stopped."""
    shops = [await a_shop(database) for _ in range(3)]
    many = [f"A-{number}" for number in range(BATCH_MAX)]
    for shop in shops:
        await fail(shop, *many)
        shop.flows.clock.advance(PAUSE)
    flow = shops[0].flows.purchase_webhook

    await DeliveryRetries(flow=flow, merchants_max=1).run()

    applied = [(await states(shop))["applied"] for shop in shops]
    assert sum(applied) == BATCH_MAX
    assert max(applied) - min(applied) <= 1


async def test_a_fault_of_one_shop_ends_no_other_s_turn(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is raised for one merchant would leave all after it for another time."""
    shops = sorted([await a_shop(database) for _ in range(3)], key=lambda each: each.merchant_id)
    for shop in shops:
        await fail(shop, "A-1", "A-2")
        shop.flows.clock.advance(PAUSE)
    flow = shops[0].flows.purchase_webhook
    real = flow.retry_failed
    tried: Counter[MerchantId] = Counter()
    broken = {shops[0].merchant_id: ValueError("bad"), shops[1].merchant_id: OSError("away")}

    async def retry_failed(merchant_id: MerchantId) -> bool:
        tried[merchant_id] += 1
        if merchant_id in broken:
            raise broken[merchant_id]
        return await real(merchant_id)

    monkeypatch.setattr(flow, "retry_failed", retry_failed)
    # That a connection was lost is told, when everybody has had a turn.
    with pytest.raises(OSError, match="away"):
        await DeliveryRetries(flow=flow, merchants_max=1).run()

    assert await states(shops[2]) == {"applied": 2}
    assert [tried[shop.merchant_id] for shop in shops[:2]] == [1, 1]
