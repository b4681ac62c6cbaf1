"""Orders in another currency: which rate they use, and how long they wait for it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from domains.campaign.model import ExchangeRate, Operator, Pair
from infrastructure.database.transaction import Database
from server.jobs.rate_announcements import RateAnnouncements
from tests.support.books import (
    amounts_of,
    assert_books_balance,
    events_of,
    explain,
    read,
    rewards_of,
)
from tests.support.connections import holding
from tests.support.flows import NOON, RATE_AGE_MAX
from tests.support.rules import a_campaign, a_condition, percent
from tests.support.shop import Shop, a_shop
from vocabulary.ids import ExchangeRateId

MINUTE = timedelta(minutes=1)
DOLLARS = Pair(base="USD", quote="EUR")
TENTH = a_campaign("tenth", amount=percent("10"))


async def observe(
    shop: Shop, rate: str, observed: datetime = NOON, *, pair: Pair = DOLLARS
) -> ExchangeRate:
    """A rate becomes known now."""
    added = ExchangeRate(
        exchange_rate_id=ExchangeRateId(uuid7()),
        pair=pair,
        rate=Decimal(rate),
        observe_time=observed,
        source="test",
        create_time=max(observed, shop.flows.clock.now),
    )
    async with shop.database.transaction() as tx:
        await shop.flows.rates.add(tx, added)
    return added


async def announce(shop: Shop) -> None:
    """Whoever waits for a rate that is there hears of it."""
    await RateAnnouncements(flow=shop.flows.rate_announcement).run()


async def test_the_newest_rate_at_the_order_s_time_is_used_and_kept(database: Database) -> None:
    """An order would be paid by a rate of another day, and nobody could say by which."""
    shop = await a_shop(database, TENTH)
    await observe(shop, "0.5", NOON - 2 * MINUTE)
    await observe(shop, "0.7", NOON - MINUTE)
    used = await observe(shop, "0.9", NOON)
    await observe(shop, "1.1", NOON + MINUTE)
    await observe(shop, "3", NOON, pair=Pair(base="EUR", quote="USD"))
    await observe(shop, "3", NOON, pair=Pair(base="GBP", quote="EUR"))
    shop.flows.clock.advance(2 * MINUTE)
    await shop.buy("buyer", "A-1", currency="USD", ordered=NOON)

    await shop.work()

    assert await amounts_of(shop) == [("purchase:A-1", 9_000_000)]
    (event,) = await read(database, "SELECT facts FROM interaction")
    assert event.facts["rates"] == {"USD/EUR": used.to_document()}


async def test_of_two_rates_of_one_instant_the_last_one_counts(database: Database) -> None:
    """Nobody could correct a rate that was typed wrong."""
    shop = await a_shop(database, TENTH)
    await observe(shop, "9")
    await observe(shop, "0.9")
    await shop.buy("buyer", "A-1", currency="USD")

    await shop.work()

    assert await amounts_of(shop) == [("purchase:A-1", 9_000_000)]


@pytest.mark.parametrize(
    ("age", "is_used"), [(RATE_AGE_MAX - timedelta(microseconds=1), True), (RATE_AGE_MAX, False)]
)
async def test_a_rate_that_is_too_old_is_none(
    database: Database, age: timedelta, is_used: bool
) -> None:
    """Rates would be used for ever once nobody enters new ones."""
    shop = await a_shop(database, TENTH)
    await observe(shop, "0.9", NOON - age)
    await shop.buy("buyer", "A-1", currency="USD")

    await shop.work()

    assert await amounts_of(shop) == ([("purchase:A-1", 9_000_000)] if is_used else [])


async def test_an_order_waits_only_for_campaigns_that_match_it(database: Database) -> None:
    """Rewards would wait for the rate of a campaign that pays nothing for this order."""
    large = a_condition("purchase.amount", Operator.GT, Decimal(1000))
    shop = await a_shop(
        database, a_campaign("fixed"), a_campaign("large", amount=percent("10"), when=large)
    )
    await shop.buy("buyer", "small", currency="USD")
    await shop.buy("buyer", "large", currency="USD", totalPrice="2000")

    await shop.work()

    # The large one waits as a whole: its fixed reward comes with the other one.
    assert await amounts_of(shop) == [("purchase:small", 1_000_000)]
    await observe(shop, "0.5")
    await announce(shop)
    await shop.work()
    assert await amounts_of(shop) == [
        ("purchase:large", 1_000_000),
        ("purchase:large", 100_000_000),
        ("purchase:small", 1_000_000),
    ]


async def test_whoever_waits_says_for_what_and_hears_of_it_at_once(database: Database) -> None:
    """An operator would have to guess which rate is missing, and then wait for an hour."""
    shop = await a_shop(database, TENTH)
    for minutes in range(3):
        await shop.buy("buyer", f"A-{minutes}", currency="USD", ordered=NOON - minutes * MINUTE)
    await shop.buy("buyer", "pounds", currency="GBP")
    await shop.work()

    view = (await explain(shop, "purchase:A-1")).view
    assert view.interaction.needed_rate == "USD/EUR"
    assert view.rate_start_time == NOON - MINUTE - RATE_AGE_MAX
    lane = await shop.flows.lane.get_lane(shop.merchant_id)
    assert [(each.pair, each.interaction_count) for each in lane.needed_rates] == [
        ("GBP/EUR", 1),
        ("USD/EUR", 3),
    ]
    dollars = lane.needed_rates[1]
    assert (dollars.first_time, dollars.last_time) == (NOON - 2 * MINUTE - RATE_AGE_MAX, NOON)

    # One that is newer than an order, or too old for it, is none for it.
    await observe(shop, "7", NOON - RATE_AGE_MAX - 2 * MINUTE)
    await announce(shop)
    await shop.work()
    assert await amounts_of(shop) == []
    await observe(shop, "0.9", NOON - MINUTE)
    await announce(shop)
    await shop.work()

    assert await amounts_of(shop) == [("purchase:A-0", 9_000_000), ("purchase:A-1", 9_000_000)]
    lane = await shop.flows.lane.get_lane(shop.merchant_id)
    assert [(each.pair, each.interaction_count) for each in lane.needed_rates] == [
        ("GBP/EUR", 1),
        ("USD/EUR", 1),
    ]
    assert (await explain(shop, "purchase:A-1")).view.interaction.needed_rate is None
    await assert_books_balance(database)


async def test_a_rate_that_comes_while_its_order_is_decided_is_heard_of(
    engine: AsyncEngine, real_database: Database
) -> None:
    """An order would wait for an hour for a rate that is there: it began to wait a moment late."""
    shop = await a_shop(real_database, TENTH)
    await shop.buy("buyer", "A-1", currency="USD")

    # It has looked for the rate, found none, and waits to say so.
    async with holding(engine, "LOCK TABLE interaction IN SHARE MODE") as holder:
        working = asyncio.ensure_future(shop.look())
        await holder.until_awaited()
        await observe(shop, "0.9")
        await announce(shop)
    await working
    await announce(shop)
    await shop.work()

    assert await amounts_of(shop) == [("purchase:A-1", 9_000_000)]


async def test_a_refund_ends_the_waiting(database: Database) -> None:
    """A returned order would be paid once its rate comes."""
    shop = await a_shop(database, TENTH)
    await shop.buy("buyer", "A-1", currency="USD")
    await shop.work()
    await shop.report("A-1", "refunded", currency="USD", ordered=NOON)
    await observe(shop, "0.9")
    await announce(shop)

    await shop.work()

    assert await rewards_of(shop) == []
    assert [each.needed_rate for each in await events_of(shop)] == [None]
    lane = await shop.flows.lane.get_lane(shop.merchant_id)
    assert not lane.needed_rates
    await assert_books_balance(database)


async def test_what_is_decided_stays_whatever_rates_come(database: Database) -> None:
    """A correction of yesterday's rate would change what people were told they earned."""
    shop = await a_shop(database, TENTH)
    await observe(shop, "0.9", NOON - MINUTE)
    await shop.buy("buyer", "A-1", currency="USD")
    await shop.work()

    await observe(shop, "2", NOON)
    await announce(shop)
    await shop.work()

    assert await amounts_of(shop) == [("purchase:A-1", 9_000_000)]
