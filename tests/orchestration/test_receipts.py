"""When a delivery came: at its first receipt, however often it fails or is sent again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from domains.campaign.model import Recipient, Trigger
from infrastructure.database.transaction import Database
from orchestration.purchase_webhook.errors import DeliveryPostponedError, DeliveryUnusableError
from tests.support.books import amounts_of, deliveries_of, order_of, read
from tests.support.deliveries import FAULT
from tests.support.flows import NOON
from tests.support.rules import a_campaign
from tests.support.shop import Shop, a_delivery, a_shop

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
BREAK = "ALTER TABLE shop_order ADD CONSTRAINT mistake CHECK (state <> 'confirmed')"
REPAIR = "ALTER TABLE shop_order DROP CONSTRAINT mistake"


async def alter(database: Database, statement: str) -> None:
    async with database.transaction() as tx:
        await tx.execute(text(statement))


async def report_without_times(
    shop: Shop, status: str = "confirmed", *, event_id: str = "confirmed", **said: Any
) -> str:
    """A report that is of when it came."""
    return await shop.report(
        "A-1",
        status,
        event_id=event_id,
        **{"updatedAt": None, "createdAt": None, "clientId": "buyer", **said},
    )


async def received(shop: Shop) -> list[object]:
    rows = await read(
        shop.database,
        "SELECT receive_time FROM delivery WHERE merchant_id = :merchant_id ORDER BY 1",
        merchant_id=shop.merchant_id,
    )
    return [row.receive_time for row in rows]


@pytest.mark.parametrize("who", ["our retry", "the shop's, applied", "the shop's, failing once"])
async def test_a_delivery_that_failed_is_of_when_it_first_came(
    database: Database, who: str
) -> None:
    """A confirmation that we could not take would be sent again after the cancellation, and win."""
    shop = await a_shop(database, a_campaign())
    clock = shop.flows.clock
    await alter(database, BREAK)
    with pytest.raises(DeliveryPostponedError):
        await report_without_times(shop)
    clock.advance(SECOND)
    assert await report_without_times(shop, "cancelled", event_id="cancelled") == "ok"
    clock.advance(SECOND)
    if who == "the shop's, failing once":
        with pytest.raises(DeliveryPostponedError):
            await report_without_times(shop)
        # It is tried again a while after it failed, not after it first came.
        (failed,) = [each for each in await deliveries_of(shop) if each.state == "failed"]
        assert failed.retry_time == clock.now + timedelta(seconds=5)
    await alter(database, REPAIR)

    if who == "the shop's, applied":
        assert await report_without_times(shop) == "ok"
    clock.advance(MINUTE)
    await shop.flows.delivery_retries.run()
    await shop.work()

    assert {each.state for each in await deliveries_of(shop)} <= {"applied", "ignored"}
    assert await received(shop) == [NOON, NOON + SECOND]
    assert ((await order_of(shop, "A-1")).state, await amounts_of(shop)) == ("cancelled", [])


async def test_a_delivery_that_failed_dates_its_order_by_when_it_first_came(
    database: Database,
) -> None:
    """Sent again after an outage of ours, an order would be later than a visit that it preceded."""
    shop = await a_shop(
        database, a_campaign(to=Recipient.REFERRER, trigger=Trigger.REFERRAL_PURCHASE)
    )
    await shop.arrive("friend")
    await alter(database, BREAK)
    with pytest.raises(DeliveryPostponedError):
        await report_without_times(shop)
    shop.flows.clock.advance(SECOND)
    await shop.arrive("buyer", referrer="friend")
    shop.flows.clock.advance(SECOND)
    await alter(database, REPAIR)
    assert await report_without_times(shop) == "ok"
    await shop.work()

    assert (await order_of(shop, "A-1")).order_time == NOON
    assert await amounts_of(shop) == []


async def test_an_id_that_is_not_signed_dates_no_other_body(database: Database) -> None:
    """Under the id of one that we refused, a cancellation would be older than what it cancels."""
    shop = await a_shop(database, a_campaign())
    with pytest.raises(DeliveryUnusableError):
        await report_without_times(shop, currency="euro", event_id="1")
    shop.flows.clock.advance(SECOND)
    await report_without_times(shop, event_id="2")
    shop.flows.clock.advance(SECOND)
    await report_without_times(shop, "cancelled", event_id="1")
    await shop.work()

    assert await received(shop) == [NOON, NOON + SECOND, NOON + 2 * SECOND]
    assert ((await order_of(shop, "A-1")).state, await amounts_of(shop)) == ("cancelled", [])


async def test_a_body_that_was_mended_may_name_a_time_after_it_first_came(
    database: Database,
) -> None:
    """What the shop says of the days since would be taken for a time of the future."""
    shop = await a_shop(database, a_campaign())
    with pytest.raises(DeliveryUnusableError):
        await shop.report("A-1", event_id="event", currency="euro")
    shop.flows.clock.advance(3 * DAY)
    later = shop.flows.clock.now - SECOND
    await shop.report("A-1", event_id="event", ordered=later, updated=later)

    order = await order_of(shop, "A-1")
    assert (order.order_time, order.event_time) == (later, later)


async def test_receipts_at_once_are_of_the_first_one(database: Database) -> None:
    """Neither has seen the other; whichever is kept last would date the delivery."""
    shop = await a_shop(database)
    body = shop.order_body("A-1")
    first = a_delivery(shop, body, event_id="event")
    shop.flows.clock.advance(SECOND)
    second = a_delivery(shop, body, event_id="another")
    for each in (second, first, second):
        async with database.transaction() as tx:
            await shop.flows.deliveries.keep_failed(tx, each, failure=FAULT, now=each.receive_time)

    assert await received(shop) == [NOON]


async def test_a_delivery_that_was_applied_dates_no_other(database: Database) -> None:
    """The same bytes of another shop, or others of this one, would be of the time of the first."""
    shop, other = await a_shop(database), await a_shop(database)
    for each in (shop, other):
        each.flows.clock.advance(MINUTE)
        await report_without_times(each)
    shop.flows.clock.advance(MINUTE)
    await report_without_times(shop, totalPrice="99")

    assert await received(shop) == [NOON + MINUTE, NOON + 2 * MINUTE]
    assert await received(other) == [NOON + MINUTE]
