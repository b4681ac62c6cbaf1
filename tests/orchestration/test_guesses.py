"""A guess is as of when its report was received, whichever try applied it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from infrastructure.database.transaction import Database
from tests.orchestration.test_customer_evidence import first_report, persons_of
from tests.support.books import order_of
from tests.support.flows import NOON
from tests.support.rules import a_campaign
from tests.support.shop import Shop, a_shop

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


async def rewarded(shop: Shop, *clients: str) -> dict[str, str]:
    """Who has been rewarded for which order when all that failed was tried again."""
    shop.flows.clock.advance(MINUTE)
    await shop.flows.delivery_retries.run()
    shop.flows.clock.advance(2 * HOUR)
    await shop.work()
    return await persons_of(shop, *clients)


@pytest.mark.parametrize("fails", [False, True])
async def test_a_later_order_does_not_tell_whose_an_earlier_one_is(
    database: Database, *, fails: bool
) -> None:
    """A friend who orders with the account would be paid for what was bought before."""
    shop = await a_shop(database, a_campaign(), reward_delay=HOUR)
    await first_report(shop, fails=fails, customerId="c-1")
    await shop.report("A-2", customerId="c-1")
    await shop.claim("friend", "A-2")

    assert await rewarded(shop, "friend") == {"purchase:A-2": "friend"}


@pytest.mark.parametrize("fails", [False, True])
async def test_an_earlier_order_tells_whose_a_later_one_is(
    database: Database, *, fails: bool
) -> None:
    """A customer would lose an order because our first try of it failed."""
    shop = await a_shop(database, a_campaign(), reward_delay=HOUR)
    await shop.report("A-0", clientId="owner", customerId="c-1")
    await first_report(shop, fails=fails, customerId="c-1")
    await shop.report("A-2", clientId="friend", customerId="c-1")

    assert (await rewarded(shop, "owner", "friend"))["purchase:A-1"] == "owner"


@pytest.mark.parametrize("fails", [False, True])
async def test_of_two_customers_the_one_named_first_is_the_buyer(
    database: Database, *, fails: bool
) -> None:
    """Which of them is paid would be chosen by our fault."""
    shop = await a_shop(database, a_campaign(), reward_delay=HOUR)
    await shop.report("K-1", clientId="one", customerId="c-1")
    await shop.report("K-2", clientId="two", customerId="c-2")
    await first_report(shop, fails=fails, customerId="c-1")
    await shop.report("A-1", customerId="c-2", ordered=NOON)

    assert (await rewarded(shop, "one", "two"))["purchase:A-1"] == "one"


async def test_of_several_late_tries_the_first_received_counts(database: Database) -> None:
    """The one that was tried last would choose."""
    shop = await a_shop(database, a_campaign(), reward_delay=HOUR)
    for number in (1, 2, 3):
        await shop.report(f"K-{number}", clientId=f"{number}", customerId=f"c-{number}")
    await first_report(shop, fails=True, customerId="c-1")
    await first_report(shop, fails=True, customerId="c-2", ordered=NOON)
    await shop.report("A-1", customerId="c-3", ordered=NOON)

    assert (await rewarded(shop, "1", "2", "3"))["purchase:A-1"] == "1"


async def test_a_late_try_takes_nobody_away(database: Database) -> None:
    """An order that is about to be decided would have no buyer any more."""
    shop = await a_shop(database, a_campaign(), reward_delay=HOUR)
    await shop.report("K-2", clientId="two", customerId="c-2")
    await first_report(shop, fails=True, customerId="c-1")
    await shop.report("A-1", customerId="c-2", ordered=NOON)
    assert (await order_of(shop, "A-1")).link == "customer"

    assert (await rewarded(shop, "two"))["purchase:A-1"] == "two"


async def test_the_clocks_of_two_servers_need_not_agree(database: Database) -> None:
    """The next order of a customer would be nobody's, for a few milliseconds."""
    shop = await a_shop(database, a_campaign())
    await shop.report("A-1", clientId="owner", customerId="c-1")
    shop.flows.clock.advance(timedelta(milliseconds=-3))

    await shop.report("A-2", customerId="c-1")

    assert (await order_of(shop, "A-2")).link == "customer"
