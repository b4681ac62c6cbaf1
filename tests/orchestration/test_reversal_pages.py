"""Refunds behind one that cannot be dealt with are dealt with before anything is decided."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from infrastructure.database.transaction import Database
from tests.support.books import amounts_of, order_of
from tests.support.connections import holding
from tests.support.flows import NOON
from tests.support.rules import Limit, a_campaign
from tests.support.shop import Shop, a_shop
from tests.support.triggers import a_trigger

SECOND = timedelta(seconds=1)
TWO = a_campaign(limits=(Limit(amount="2"),))
_LOCK = "SELECT 1 FROM shop_order WHERE order_reference = 'A-1' FOR NO KEY UPDATE"
_SET_BACK = """
    UPDATE reward_lane SET failure_count = :count, retry_time = :now, obstacle = 'TIMED_OUT'
    WHERE merchant_id = :merchant_id
"""


async def fail_often(shop: Shop, count: int) -> None:
    """The lane failed so often for some reason of its own; it may be tried again by now."""
    async with shop.database.transaction() as tx:
        await tx.execute(
            text(_SET_BACK),
            {"count": count, "now": shop.flows.clock.now, "merchant_id": shop.merchant_id},
        )


async def obstacle_of(
    shop: Shop, engine: AsyncEngine, first: str
) -> AbstractAsyncContextManager[object]:
    """The order of the first refund is being written, or the refund fails alone."""
    if first == "held":
        return holding(engine, _LOCK)
    purchase_id = (await order_of(shop, "A-1")).purchase_id
    body = f"IF OLD.purchase_id = '{purchase_id}' THEN RAISE EXCEPTION 'a fault'; END IF;"
    return a_trigger(shop.database, "reward", "UPDATE", body)


@pytest.mark.parametrize("first", ["held", "failing"])
@pytest.mark.parametrize("failure_count", [0, 8])
async def test_a_refund_behind_one_that_cannot_be_dealt_with_frees_what_the_next_order_needs(
    engine: AsyncEngine, real_database: Database, failure_count: int, first: str
) -> None:
    """A lane that takes one refund at a time would refuse an order for what is free by then."""
    shop = await a_shop(real_database, TWO)
    for order in ("A-1", "A-2"):
        await shop.buy("buyer", order)
    await shop.work()
    for order in ("A-1", "A-2"):
        shop.flows.clock.advance(SECOND)
        await shop.report(order, "refunded", ordered=NOON)
    shop.flows.clock.advance(SECOND)
    await shop.buy("buyer", "B-1")
    if failure_count:
        await fail_often(shop, failure_count)

    async with await obstacle_of(shop, engine, first):
        await shop.look()
        await shop.look()

    amounts = dict(await amounts_of(shop))
    assert amounts == {"purchase:A-1": 1_000_000, "purchase:A-2": 0, "purchase:B-1": 1_000_000}
