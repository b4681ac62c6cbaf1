"""Claims that are forgotten after thirty days, and those that are not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from infrastructure.database.transaction import Database, Transaction
from tests.support.books import order_of
from tests.support.connections import Holder
from tests.support.flows import NOON
from tests.support.races import beside
from tests.support.rules import a_campaign
from tests.support.shop import a_shop

DAY = timedelta(days=1)


async def test_an_order_that_is_claimed_anew_while_it_is_forgotten_finds_its_buyer(
    engine: AsyncEngine, real_database: Database
) -> None:
    """It has as many claims as before, but others: a report would take them for those it read."""
    shop = await a_shop(real_database, a_campaign())
    await shop.claim("stranger", "A-1", token="invented")
    shop.flows.clock.advance(31 * DAY)

    async with engine.connect() as connection:
        holder = Holder(connection)
        await shop.flows.purchases.forget_claims(
            Transaction(connection), now=shop.flows.clock.now, batch_size=1_000
        )
        claiming = beside(shop.claim("buyer", "A-1"))
        await holder.until_awaited()
        reporting = beside(shop.report("A-1"))
        await holder.until_awaited(by=2)
        await connection.commit()
    buyer = (await claiming).identity_group_id
    await reporting

    assert (await order_of(shop, "A-1")).identity_group_id == buyer


@pytest.mark.parametrize("days", [(29,), (0, 29)])
async def test_a_claim_that_is_told_again_is_kept_from_then_on(
    database: Database, days: tuple[int, ...]
) -> None:
    """Who shows their token twice would be worse off than who does it once."""
    shop = await a_shop(database, a_campaign())
    for day in days:
        shop.flows.clock.now = NOON + day * DAY
        told = await shop.claim("buyer", "A-1")
    shop.flows.clock.now = NOON + 31 * DAY
    async with database.transaction() as tx:
        await shop.flows.purchases.forget_claims(tx, now=shop.flows.clock.now, batch_size=1_000)

    await shop.report("A-1")

    assert (await order_of(shop, "A-1")).identity_group_id == told.identity_group_id
