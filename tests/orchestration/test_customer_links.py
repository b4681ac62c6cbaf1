"""An order that is linked through its customer, until somebody shows its token."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domains.purchases.model import Link
from infrastructure.database.transaction import Database
from tests.support.books import order_of, rewards_of
from tests.support.rules import a_campaign
from tests.support.shop import Shop, a_shop

GRACE = timedelta(seconds=60)


async def a_rewarding_shop(database: Database) -> Shop:
    """Pays every buyer one euro, after the grace."""
    return await a_shop(database, a_campaign(), reward_delay=GRACE)


async def linked(shop: Shop, order: str) -> tuple[object, Link]:
    row = await order_of(shop, order)
    return row.identity_group_id, Link(row.link)


@pytest.mark.parametrize("claims_first", [True, False])
async def test_whoever_shows_the_token_is_the_buyer(database: Database, claims_first: bool) -> None:
    """Somebody who once claimed an order of a customer would get all that the customer buys."""
    shop = await a_rewarding_shop(database)
    await shop.report("A-1", customerId="c-1")
    await shop.claim("somebody", "A-1")
    for order in ("A-2", "A-3"):
        if claims_first:
            await shop.claim("buyer", order)
        await shop.report(order, customerId="c-1")
        if not claims_first:
            assert (await linked(shop, order))[1] is Link.CUSTOMER
            claimed = await shop.claim("buyer", order)
            assert claimed.purchase_id is not None
            # Once more, and by somebody who comes later.
            assert await shop.claim("buyer", order) == claimed
            assert (await shop.claim("somebody", order)).purchase_id is None
    shop.flows.clock.advance(GRACE)

    await shop.work()

    buyer = (await shop.arrive("buyer")).identity_group_id
    for order in ("A-2", "A-3"):
        assert await linked(shop, order) == (buyer, Link.CLAIM)
    assert {each.person for each in await rewards_of(shop) if each.event != "purchase:A-1"} == {
        buyer
    }
    assert len(await rewards_of(shop)) == 3


async def test_a_token_shown_after_the_grace_changes_nothing(database: Database) -> None:
    """An order whose rewards are decided would belong to one person, and its rewards to another."""
    shop = await a_rewarding_shop(database)
    await shop.report("A-1", customerId="c-1")
    known = await shop.claim("known", "A-1")
    await shop.report("A-2", customerId="c-1")
    shop.flows.clock.advance(GRACE)

    late = await shop.claim("late", "A-2")
    await shop.work()

    assert late.purchase_id is None
    assert await linked(shop, "A-2") == (known.identity_group_id, Link.CUSTOMER)
    assert {each.person for each in await rewards_of(shop)} == {known.identity_group_id}
