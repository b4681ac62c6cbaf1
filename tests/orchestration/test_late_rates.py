"""Orders in another currency: they wait for a rate, hear of it, and are paid by it."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from domains.campaign.model import ExchangeRate, Pair
from domains.rewards.model import InteractionState
from infrastructure.database.transaction import Database
from server.jobs.rate_announcements import RateAnnouncements
from tests.support.books import (
    amounts_of,
    assert_books_balance,
    explain,
    order_of,
    read,
    states_of,
    used_of,
)
from tests.support.connections import holding
from tests.support.flows import NOON, RATE_AGE_MAX
from tests.support.races import beside
from tests.support.rules import Limit, a_campaign, percent
from tests.support.shop import Shop, a_shop
from vocabulary.ids import ExchangeRateId

TENTH = a_campaign("tenth", amount=percent("10"))
DOLLARS = Pair(base="USD", quote="EUR")


async def observe(shop: Shop, rate: str, time: datetime = NOON, *, pair: Pair = DOLLARS) -> None:
    """Somebody observes a rate."""
    async with shop.database.transaction() as tx:
        await shop.flows.rates.add(
            tx,
            ExchangeRate(
                exchange_rate_id=ExchangeRateId(uuid4()),
                pair=pair,
                rate=Decimal(rate),
                observe_time=time,
                source="test",
                create_time=time,
            ),
        )


async def announce(shop: Shop) -> bool:
    """Whether orders wait no longer."""
    released: list[bool] = []
    flow = shop.flows.rate_announcement
    await RateAnnouncements(flow=flow, released=lambda: released.append(True)).run()
    return bool(released)


async def unannounced(database: Database) -> int:
    return len(await read(database, "SELECT 1 FROM exchange_rate WHERE NOT announced"))


async def test_an_order_is_paid_as_soon_as_its_rate_is_known(database: Database) -> None:
    """It would wait up to an hour for a rate that is there."""
    shop = await a_shop(database, TENTH)
    await shop.buy("buyer", "dollars", currency="USD")
    await shop.buy("buyer", "pounds", currency="GBP")
    for _ in range(8):
        await shop.work()
        shop.flows.clock.advance(timedelta(hours=1))
    assert await amounts_of(shop) == []
    assert (await order_of(shop, "dollars")).needed_rate == "USD/EUR"

    await observe(shop, "0.9")
    assert await announce(shop) is True
    await shop.work()

    assert await amounts_of(shop) == [("purchase:dollars", 9_000_000)]
    assert (await states_of(shop))["purchase:pounds"] is InteractionState.PENDING
    assert (await announce(shop), await unannounced(database)) == (False, 0)
    await assert_books_balance(database)


async def test_an_order_that_waits_is_open_until_it_is_decided(database: Database) -> None:
    """Whoever shows the token would lose to a guess, because a rate is late."""
    shop = await a_shop(database, TENTH)
    await shop.report("A-1", currency="USD", clientId="hinted")
    await shop.work()
    buyer = (await shop.claim("buyer", "A-1")).identity_group_id

    await observe(shop, "0.9")
    await announce(shop)
    await shop.work()

    order = await order_of(shop, "A-1")
    assert (order.identity_group_id, order.link, order.decided_generation) == (buyer, "claim", 1)
    (decision,) = (await explain(shop, "purchase:A-1")).decisions
    assert decision.details["granted"][0]["identity_group_id"] == str(buyer)  # type: ignore[index]


async def test_an_order_that_waits_uses_up_no_budget_and_no_other_order_waits(
    database: Database,
) -> None:
    """The last of a budget would be kept for an order that may never be paid."""
    shop = await a_shop(
        database,
        a_campaign("fixed", limits=(Limit(amount="1"),)),
        a_campaign("tenth", amount=percent("10"), limits=(Limit(amount="10"),)),
    )
    await shop.buy("buyer", "dollars", ordered=NOON - timedelta(minutes=1), currency="USD")
    await shop.buy("buyer", "euros")

    await shop.work()

    assert await amounts_of(shop) == [
        ("purchase:euros", 1_000_000),
        ("purchase:euros", 10_000_000),
    ]
    assert (await used_of(shop, "fixed"), await used_of(shop, "tenth")) == (
        [1_000_000],
        [10_000_000],
    )
    assert (await explain(shop, "purchase:dollars")).decisions == []
    await assert_books_balance(database)


async def test_an_order_reported_in_another_currency_waits_for_that(database: Database) -> None:
    """Once corrected, an order would wait for a rate that it does not need."""
    shop = await a_shop(database, TENTH)
    await shop.buy("buyer", "A-1", currency="USD")
    await shop.work()

    shop.flows.clock.advance(timedelta(seconds=1))
    await shop.report("A-1", ordered=NOON)
    assert (await order_of(shop, "A-1")).needed_rate is None
    await shop.work()

    assert await amounts_of(shop) == [("purchase:A-1", 10_000_000)]


async def test_an_order_dated_anew_waits_for_the_rate_of_its_new_time(database: Database) -> None:
    """A rate that was too young for an order would be there, and the order not look."""
    shop = await a_shop(database, TENTH)
    shop.flows.clock.advance(timedelta(days=1))
    await shop.buy("buyer", "A-1", ordered=NOON + timedelta(hours=1), currency="USD")
    await observe(shop, "0.9", NOON - RATE_AGE_MAX - timedelta(hours=1))
    await shop.work()
    await announce(shop)
    assert await amounts_of(shop) == []

    shop.flows.clock.advance(timedelta(seconds=1))
    await shop.report("A-1", ordered=NOON - timedelta(hours=2), currency="USD")
    await shop.work()

    assert await amounts_of(shop) == [("purchase:A-1", 9_000_000)]


async def test_a_rate_that_comes_while_an_order_begins_to_wait_is_heard_of(
    engine: AsyncEngine, real_database: Database
) -> None:
    """Announced a moment too early, it would be found an hour later."""
    shop = await a_shop(real_database, TENTH)
    await shop.buy("buyer", "A-1", currency="USD")

    # The batch has found no rate, and is about to say so.
    async with holding(engine, "LOCK TABLE reward IN SHARE MODE") as holder:
        working = beside(shop.look())
        await holder.until_awaited()
        await observe(shop, "0.9")
        await announce(shop)
        assert await unannounced(real_database) == 0
    await working
    assert (await order_of(shop, "A-1")).needed_rate == "USD/EUR"

    await announce(shop)
    await shop.work()

    assert await amounts_of(shop) == [("purchase:A-1", 9_000_000)]
