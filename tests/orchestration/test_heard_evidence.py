"""Times that are heard while an order is fixed: which one counts, and what it has to wait for."""

from __future__ import annotations

from datetime import timedelta

from infrastructure.database.transaction import Database
from tests.orchestration.test_fixed_orders import wait_for_a_rate
from tests.orchestration.test_lane_rounds import prepared
from tests.orchestration.test_late_rates import announce, observe
from tests.support.books import amounts_of, order_of
from tests.support.flows import NOON
from tests.support.rules import a_campaign, percent
from tests.support.shop import a_shop

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
TENTH = a_campaign("tenth", amount=percent("10"))


async def test_of_two_times_that_are_heard_while_an_order_is_fixed_the_earlier_one_counts(
    database: Database,
) -> None:
    """The order of two messages would decide which rate, month and budget an order meets."""
    shop = await a_shop(database, TENTH)
    await shop.report("A-1", currency="USD", clientId="buyer")
    batch = await prepared(shop)
    for days in (2, 1):
        shop.flows.clock.advance(SECOND)
        await shop.report("A-1", ordered=NOON - days * DAY, currency="USD", clientId="buyer")

    await wait_for_a_rate(shop, batch)

    assert (await order_of(shop, "A-1")).order_time == NOON - 2 * DAY


async def test_the_same_time_told_again_while_an_order_is_fixed_is_nothing_new(
    database: Database,
) -> None:
    """A shop that repeats itself would have an order without a rate decided again and again."""
    shop = await a_shop(database, TENTH)
    await shop.report("A-1", currency="USD", clientId="buyer", ordered=NOON)
    batch = await prepared(shop)
    shop.flows.clock.advance(SECOND)
    await shop.report("A-1", currency="USD", clientId="buyer", ordered=NOON)

    await wait_for_a_rate(shop, batch)

    assert (await order_of(shop, "A-1")).needed_rate == "USD/EUR"


async def test_an_order_that_was_dated_while_it_was_fixed_is_due_at_once(
    database: Database,
) -> None:
    """It would wait for the rate of its old time, which may never come; its own is there."""
    shop = await a_shop(database, TENTH)
    await observe(shop, "0.5", NOON - 10 * DAY)
    await announce(shop)
    await shop.report("A-1", currency="USD", clientId="buyer", ordered=NOON)
    batch = await prepared(shop)
    shop.flows.clock.advance(SECOND)
    await shop.report("A-1", currency="USD", clientId="buyer", ordered=NOON - 5 * DAY)
    await wait_for_a_rate(shop, batch)

    await shop.work()

    assert await amounts_of(shop) == [("purchase:A-1", 5_000_000)]


async def test_a_second_life_waits_for_its_rate_although_another_time_was_heard(
    database: Database,
) -> None:
    """A decided order keeps its time: it would be tried at once instead, without a rate."""
    shop = await a_shop(database, TENTH)
    await shop.report("A-1", clientId="buyer", ordered=NOON)
    await shop.work()
    for status in ("refunded", "confirmed"):
        shop.flows.clock.advance(SECOND)
        await shop.report("A-1", status, currency="USD", ordered=NOON)
        if status == "refunded":
            await shop.work()
    batch = await prepared(shop)
    shop.flows.clock.advance(SECOND)
    await shop.report("A-1", currency="USD", ordered=NOON - DAY)

    await wait_for_a_rate(shop, batch)

    assert (await order_of(shop, "A-1")).needed_rate == "USD/EUR"
