"""What reports of one order add up to: their times, and what was bought."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from domains.purchases.model import OrderState
from infrastructure.database.transaction import Database
from orchestration.purchase_webhook.errors import DeliveryUnusableError
from tests.support.books import amounts_of, deliveries_of, events_of, order_of
from tests.support.flows import NOON
from tests.support.rules import a_campaign
from tests.support.shop import a_shop


async def test_an_order_is_never_placed_in_the_future(database: Database) -> None:
    """A shop whose clock is ahead would charge next month's budget, or none at all."""
    shop = await a_shop(database)
    ahead = timedelta(seconds=1)
    for future, changed in (
        ("2025-03-01T12:00:01Z", NOON + ahead),
        ("9999-12-31T23:59:59-11:59", NOON + 5 * ahead),
    ):
        await shop.report(future, createdAt=future, updatedAt=future)
        order = await order_of(shop, future)
        assert (order.order_time, order.first_report_time) == (NOON, NOON)
        assert order.event_time == changed


# A report that is dated much ahead is of its receipt, so none is here.
@pytest.mark.parametrize("minutes", [1, 6])
async def test_a_refund_counts_however_late_it_is_heard(database: Database, minutes: int) -> None:
    """A shop would be answered `ok` to a refund, and pay what was earned."""
    shop = await a_shop(database, a_campaign(), reward_delay=timedelta())
    await shop.buy("buyer", "A-1", updated=NOON)
    shop.flows.clock.now = NOON + timedelta(minutes=minutes)
    await shop.report("A-1", "refunded", updated=NOON + timedelta(minutes=1))
    # The shop's own order of events, however late and in whichever order they are heard.
    shop.flows.clock.now = NOON + timedelta(minutes=10)
    await shop.report("A-1", updated=NOON + timedelta(seconds=30))

    await shop.work()

    order = await order_of(shop, "A-1")
    assert (order.state, order.generation) == (OrderState.REFUNDED, 1)
    assert await amounts_of(shop) == []


async def test_a_shop_with_a_fast_clock_is_not_waited_for(database: Database) -> None:
    """Buyers would earn an hour late, because their shop's clock is an hour ahead."""
    shop = await a_shop(database, a_campaign())
    await shop.buy("buyer", "A-1", updated=NOON + timedelta(hours=1))

    await shop.work()

    assert len(await amounts_of(shop)) == 1


LINE = {"productId": "sku", "quantity": 1, "price": "9", "name": "n", "title": "t"}


async def test_a_short_report_leaves_what_was_bought(database: Database) -> None:
    """A refund that names the order alone would wipe out what was refunded, for good."""
    full = {"customerId": "c-1", "totalPrice": "9", "currency": "EUR", "items": [LINE]}
    short: dict[str, Any] = {"customerId": None, "totalPrice": None, "currency": None, "items": []}
    told: list[tuple[str, int, dict[str, Any]]] = [
        ("pending", 0, short),
        ("confirmed", 1, full),
        ("cancelled", 2, short),
        ("refunded", 3, {**full, "totalPrice": "8"}),
        ("refunded", 4, short),
    ]
    for order_of_arrival in list(permutations(told))[::7]:
        shop = await a_shop(database)
        shop.flows.clock.advance(timedelta(hours=1))
        for status, minutes, body in order_of_arrival:
            updated = NOON + timedelta(minutes=minutes)
            await shop.report("A-1", status, ordered=NOON, updated=updated, **body)

        order = await order_of(shop, "A-1")
        assert (order.state, str(order.total), order.currency) == ("refunded", "8", "EUR")
        assert order.customer_reference == "c-1"
        assert len(order.items) == 1


@pytest.mark.parametrize("stated_first", [True, False])
async def test_a_time_that_the_shop_named_is_the_order_s(
    database: Database, stated_first: bool
) -> None:
    """The month that is charged would depend on which report came first."""
    shop = await a_shop(database, a_campaign(), reward_delay=timedelta(hours=1))
    await shop.claim("buyer", "A-1")
    stated = {"createdAt": (NOON - timedelta(days=40)).isoformat()}
    unstated: dict[str, str | None] = {"createdAt": None}
    for body in (stated, unstated) if stated_first else (unstated, stated):
        shop.flows.clock.advance(timedelta(minutes=1))
        await shop.report("A-1", updated=shop.flows.clock.now, **body)

    assert (await order_of(shop, "A-1")).order_time == NOON - timedelta(days=40)
    assert [each.event_time for each in await events_of(shop)] == [NOON - timedelta(days=40)]


async def test_an_older_report_that_says_more_is_no_ignored_one(database: Database) -> None:
    """A shop's operator would search for where the total came from."""
    shop = await a_shop(database)
    shop.flows.clock.advance(timedelta(hours=1))
    await shop.report("A-1", "refunded", updated=NOON, totalPrice=None, currency=None)
    await shop.report("A-1", "confirmed", updated=NOON - timedelta(minutes=1))
    await shop.report("A-1", "pending", updated=NOON - timedelta(minutes=2))

    assert str((await order_of(shop, "A-1")).total) == "100.00"
    states = [each.state for each in await deliveries_of(shop)]
    assert sorted(states) == ["applied", "applied", "ignored"]


@pytest.mark.parametrize("number", ["1e41", "1e999999999", "1e-101", "1e999999999999", "-1", "1e3"])
async def test_a_number_with_a_huge_exponent_costs_nothing(database: Database, number: str) -> None:
    """Ninety bytes of a shop would fill the memory of the server."""
    shop = await a_shop(database)
    body = shop.order_body("A-1").replace(b'"100.00"', number.encode())
    if number == "1e3":
        assert await shop.deliver(body) == "ok"
        assert (await order_of(shop, "A-1")).total == 1000
        return
    with pytest.raises(DeliveryUnusableError) as refused:
        await shop.deliver(body)
    assert refused.value.field == "totalPrice"
