"""An order that is linked through its customer, until somebody shows its token."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domains.purchases.model import Link
from infrastructure.database.transaction import Database
from tests.support.books import assert_books_balance, order_of, rewards_of
from tests.support.rules import a_campaign
from tests.support.shop import Shop, a_shop
from vocabulary.ids import IdentityGroupId

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
            shop.flows.clock.advance(timedelta(seconds=1))
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


async def test_a_token_counts_until_the_order_is_decided(database: Database) -> None:
    """The buyer would lose the order because the clock was a second ahead of the worker."""
    shop = await a_rewarding_shop(database)
    await shop.report("A-1", customerId="c-1")
    known = await shop.claim("known", "A-1")
    for order in ("A-2", "A-3"):
        await shop.report(order, customerId="c-1")
    shop.flows.clock.advance(GRACE)
    in_time = await shop.claim("in time", "A-2")

    await shop.work()
    late = await shop.claim("late", "A-3")
    await shop.work()

    assert (in_time.purchase_id is None, late.purchase_id) == (False, None)
    assert await linked(shop, "A-2") == (in_time.identity_group_id, Link.CLAIM)
    # What is decided stays with whom it was decided for.
    assert await linked(shop, "A-3") == (known.identity_group_id, Link.CUSTOMER)
    assert {each.event: each.person for each in await rewards_of(shop)} == {
        "purchase:A-1": known.identity_group_id,
        "purchase:A-2": in_time.identity_group_id,
        "purchase:A-3": known.identity_group_id,
    }
    await assert_books_balance(database)


@pytest.mark.parametrize("way", ["a fast clock", "a later report"])
async def test_what_is_decided_stays_with_its_buyer_whatever_the_shop_s_clock_says(
    database: Database, way: str
) -> None:
    """An order would belong to one person, and its rewards to another."""
    shop = await a_rewarding_shop(database)
    known = await a_known_customer(shop)
    ahead = timedelta(hours=1) if way == "a fast clock" else timedelta()
    now = shop.flows.clock.now
    await shop.report("A-2", customerId="c-1", ordered=now, updated=now + ahead)
    shop.flows.clock.advance(GRACE)
    await shop.work()
    assert len(await rewards_of(shop)) == 2
    if way == "a later report":
        shop.flows.clock.advance(timedelta(days=3))
        await shop.report("A-2", customerId="c-1", ordered=now)

    late = await shop.claim("late", "A-2")
    await shop.work()

    assert late.purchase_id is None
    assert await linked(shop, "A-2") == (known, Link.CUSTOMER)
    await assert_books_balance(database)


async def test_a_customer_who_shows_the_token_is_not_followed_by_another(
    database: Database,
) -> None:
    """The second who shows a token would take the order from the first."""
    shop = await a_rewarding_shop(database)
    known = await a_known_customer(shop)
    await shop.report("A-2", customerId="c-1")

    assert (await shop.claim("known", "A-2")).purchase_id is not None
    assert (await shop.claim("late", "A-2")).purchase_id is None

    assert await linked(shop, "A-2") == (known, Link.CLAIM)


async def a_known_customer(shop: Shop) -> IdentityGroupId:
    """Somebody who claimed an earlier order of the customer `c-1`."""
    await shop.report("A-1", customerId="c-1")
    return (await shop.claim("known", "A-1")).identity_group_id
