"""The inbox of deliveries: each is applied once, and none is lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from domains.purchases.errors import DeliveryNotDeadError, DeliveryNotFoundError
from domains.purchases.model.delivery import TRIES_MAX
from infrastructure.database.transaction import Database
from orchestration.purchase_webhook.errors import DeliveryPostponedError, DeliveryUnusableError
from tests.support.books import (
    amounts_of,
    assert_books_balance,
    count_of,
    deliveries_of,
    order_of,
    read,
)
from tests.support.deliveries import FAULT
from tests.support.flows import NOON
from tests.support.rules import a_campaign
from tests.support.shop import Shop, a_delivery, a_shop
from tests.support.triggers import FAIL, a_trigger
from vocabulary.ids import DeliveryId

HOUR = timedelta(hours=1)

REPAIR = "ALTER TABLE shop_order DROP CONSTRAINT mistake"

OURS = "SERVER_FAILED IntegrityError"


def mistake(*orders: str) -> str:
    """A mistake of ours, as a migration could make it: these orders cannot be stored."""
    named = ", ".join(f"'{order}'" for order in orders)
    return f"ALTER TABLE shop_order ADD CONSTRAINT mistake CHECK (order_reference NOT IN ({named}))"


async def change_schema(database: Database, *statements: str) -> None:
    async with database.transaction() as tx:
        for statement in statements:
            await tx.execute(text(statement))


async def the_delivery(shop: Shop, reference: str) -> Any:
    """The delivery with this id of its sender."""
    (found,) = [each for each in await deliveries_of(shop) if each.event_reference == reference]
    return found


async def a_failed_delivery(database: Database) -> Shop:
    """A shop one of whose deliveries could not be applied, while its browser claimed it."""
    shop = await a_shop(database, a_campaign())
    await change_schema(database, mistake("A-1"))
    with pytest.raises(DeliveryPostponedError) as postponed:
        await shop.report("A-1", event_id="event-1", clientId="buyer")
    (kept,) = await read(database, "SELECT delivery_id FROM delivery")
    assert postponed.value.metadata == {"delivery_id": str(kept.delivery_id)}
    return shop


async def inbox(shop: Shop) -> list[tuple[str, str, int]]:
    return [
        (each.event_reference, each.state, each.try_count) for each in await deliveries_of(shop)
    ]


async def test_a_delivery_that_fails_is_kept_whole_and_nothing_of_it_happens(
    database: Database,
) -> None:
    """A fault of ours would lose an order, or leave half of it."""
    shop = await a_failed_delivery(database)

    (kept,) = await deliveries_of(shop)
    assert kept.body == shop.order_body("A-1", clientId="buyer")
    assert (kept.state, kept.failure, kept.try_count) == (
        "failed",
        OURS,
        1,
    )
    assert kept.retry_time == NOON + timedelta(seconds=5)
    assert await count_of(shop, "shop_order") == 0
    assert await count_of(shop, "identity_node") == 0
    # Others are not kept from being applied.
    assert await shop.report("A-2") == "ok"


async def test_a_failed_delivery_is_applied_once_its_time_has_come(database: Database) -> None:
    """What we answered with "later" would never happen, or happen at once and for ever."""
    shop = await a_failed_delivery(database)
    await change_schema(database, REPAIR)

    await shop.flows.delivery_retries.run()
    assert await inbox(shop) == [("event-1", "failed", 1)]
    shop.flows.clock.advance(timedelta(seconds=5))
    await shop.flows.delivery_retries.run()
    await shop.work()

    assert await inbox(shop) == [("event-1", "applied", 2)]
    (kept,) = await deliveries_of(shop)
    assert (kept.failure, kept.retry_time) == ("", None)
    # The order is of when it was received, not of when it was tried again.
    assert (await order_of(shop, "A-1")).order_time == NOON
    assert await amounts_of(shop) == [("purchase:A-1", 1_000_000)]
    assert await shop.flows.purchase_webhook.retry_failed(shop.merchant_id) is False
    await assert_books_balance(database)


async def test_five_tries_among_others_and_it_is_dead_and_visible(database: Database) -> None:
    """A delivery that never works would be tried for ever, or disappear."""
    shop = await a_failed_delivery(database)
    waited: list[timedelta] = []
    while (kept := await the_delivery(shop, "event-1")).retry_time is not None:
        assert kept.try_count == len(waited) + 1 < TRIES_MAX + 1
        waited.append(kept.retry_time - shop.flows.clock.now)
        shop.flows.clock.now = kept.retry_time - timedelta(microseconds=1)
        assert await shop.flows.purchase_webhook.retry_failed(shop.merchant_id) is False
        # Another one of the shop is applied meanwhile.
        await shop.report(f"B-{len(waited)}", clientId="buyer")
        shop.flows.clock.now = kept.retry_time
        assert await shop.flows.purchase_webhook.retry_failed(shop.merchant_id) is True

    dead = await the_delivery(shop, "event-1")
    assert (dead.state, dead.try_count, dead.failure) == (
        "dead",
        TRIES_MAX,
        OURS,
    )
    assert len(waited) == TRIES_MAX - 1
    assert waited == sorted(waited)
    shop.flows.clock.advance(timedelta(days=1))
    assert await shop.flows.purchase_webhook.retry_failed(shop.merchant_id) is False


async def test_a_fault_that_all_deliveries_meet_kills_none(database: Database) -> None:
    """Hours of a fault of ours would cost a shop the orders of those hours."""
    shop = await a_failed_delivery(database)
    for _ in range(TRIES_MAX * 2):
        kept = await the_delivery(shop, "event-1")
        shop.flows.clock.now = kept.retry_time
        assert await shop.flows.purchase_webhook.retry_failed(shop.merchant_id) is True

    kept = await the_delivery(shop, "event-1")
    assert (kept.state, kept.try_count, kept.failure_count) == ("failed", 1, TRIES_MAX * 2 + 1)
    assert kept.retry_time - shop.flows.clock.now == timedelta(minutes=30)

    await change_schema(database, REPAIR)
    shop.flows.clock.now = kept.retry_time
    await shop.flows.delivery_retries.run()
    await shop.work()
    assert await amounts_of(shop) == [("purchase:A-1", 1_000_000)]


async def test_failures_of_others_are_no_reason_to_charge_a_try(database: Database) -> None:
    """Two orders that a fault of ours meets would kill each other's deliveries."""
    shop = await a_failed_delivery(database)
    await change_schema(database, REPAIR, mistake("A-1", "A-2"))
    shop.flows.clock.advance(timedelta(seconds=1))
    with pytest.raises(DeliveryPostponedError):
        await shop.report("A-2", event_id="event-2")

    for _ in range(TRIES_MAX):
        shop.flows.clock.advance(timedelta(hours=1))
        await shop.flows.delivery_retries.run()

    assert await inbox(shop) == [("event-1", "failed", 1), ("event-2", "failed", 1)]


async def test_one_success_of_others_costs_one_try(database: Database) -> None:
    """What was applied once would be held against a delivery at each of its failures."""
    shop = await a_failed_delivery(database)
    shop.flows.clock.advance(timedelta(seconds=1))
    await shop.report("A-2", event_id="event-2", clientId="buyer")

    for _ in range(TRIES_MAX):
        shop.flows.clock.advance(timedelta(hours=1))
        await shop.flows.delivery_retries.run()

    assert await inbox(shop) == [("event-1", "failed", 2), ("event-2", "applied", 1)]


@pytest.mark.parametrize("client", ["", "buyer"])
async def test_orders_that_earn_nothing_are_no_reason_to_charge_a_try(
    database: Database, client: str
) -> None:
    """A fault of all that earns would kill what it meets, because guests' orders go through."""
    shop = await a_failed_delivery(database)

    for number in range(TRIES_MAX + 1):
        shop.flows.clock.advance(timedelta(hours=1))
        # Nor are orders of an earlier time, whatever is reported of them.
        order = f"B-{number}" if not client else "B-1"
        await shop.report(order, clientId=client, totalPrice=str(number))
        await shop.flows.delivery_retries.run()

    kept = await the_delivery(shop, "event-1")
    # The first report of an order that earns is one.
    assert (kept.state, kept.try_count) == ("failed", 2 if client else 1)


async def test_the_delivery_that_waits_the_longest_is_tried_first(database: Database) -> None:
    """While new ones fail, an old one would never have its turn."""
    shop = await a_failed_delivery(database)
    await change_schema(database, REPAIR, mistake("A-1", "A-2"))
    shop.flows.clock.advance(timedelta(seconds=1))
    with pytest.raises(DeliveryPostponedError):
        await shop.report("A-2", event_id="event-2")
    await change_schema(database, REPAIR)
    shop.flows.clock.advance(timedelta(minutes=1))

    assert await shop.flows.purchase_webhook.retry_failed(shop.merchant_id) is True

    assert await inbox(shop) == [("event-1", "applied", 2), ("event-2", "failed", 1)]


async def test_a_dead_delivery_is_tried_again_on_demand(database: Database) -> None:
    """A delivery that died of what was mended since would be lost for good."""
    shop = await a_failed_delivery(database)
    deliveries = shop.flows.deliveries
    (kept,) = await deliveries_of(shop)
    async with database.transaction() as tx:
        with pytest.raises(DeliveryNotDeadError):
            await deliveries.retry_dead(
                tx, shop.merchant_id, kept.delivery_id, now=shop.flows.clock.now
            )
        await tx.execute(text("UPDATE delivery SET state = 'dead', retry_time = NULL"))
        with pytest.raises(DeliveryNotFoundError):
            await deliveries.retry_dead(
                tx, shop.merchant_id, DeliveryId(uuid4()), now=shop.flows.clock.now
            )
    await change_schema(database, REPAIR)

    async with database.transaction() as tx:
        count = await deliveries.retry_all_dead(tx, shop.merchant_id, now=shop.flows.clock.now)
        again = await deliveries.retry_all_dead(tx, shop.merchant_id, now=shop.flows.clock.now)
    assert (count, again) == (1, 0)
    revived = await the_delivery(shop, "event-1")
    assert (revived.state, revived.try_count, revived.failure) == (
        "failed",
        0,
        OURS,
    )
    await shop.flows.delivery_retries.run()

    assert (await the_delivery(shop, "event-1")).state == "applied"


async def test_one_that_fails_does_not_keep_others_from_their_retry(database: Database) -> None:
    """One delivery that always fails would be tried first, for ever, and no other."""
    shop = await a_failed_delivery(database)
    await change_schema(database, REPAIR, mistake("A-1", "A-2"))
    with pytest.raises(DeliveryPostponedError):
        await shop.report("A-2", event_id="event-2")
    await change_schema(database, REPAIR, mistake("A-1"))
    shop.flows.clock.advance(timedelta(seconds=5))

    await shop.flows.delivery_retries.run()

    kept = await the_delivery(shop, "event-1")
    assert (kept.state, kept.failure_count) == ("failed", 2)
    assert (await the_delivery(shop, "event-2")).state == "applied"


async def test_sending_a_failed_delivery_again_is_safe(database: Database) -> None:
    """The shop's own repetition would be refused, or be applied beside ours."""
    shop = await a_failed_delivery(database)
    with pytest.raises(DeliveryPostponedError):
        await shop.report("A-1", event_id="event-1", clientId="buyer")
    assert await inbox(shop) == [("event-1", "failed", 1)]
    await change_schema(database, REPAIR)

    assert await shop.report("A-1", event_id="event-1", clientId="buyer") == "ok"
    shop.flows.clock.advance(timedelta(minutes=1))
    await shop.flows.delivery_retries.run()
    await shop.work()

    assert await inbox(shop) == [("event-1", "applied", 2)]
    assert await amounts_of(shop) == [("purchase:A-1", 1_000_000)]


async def test_a_correct_body_counts_beside_one_that_could_not_work(database: Database) -> None:
    """A shop that repairs its message would have to invent a new id for it."""
    shop = await a_shop(database, a_campaign())
    for _ in range(2):
        with pytest.raises(DeliveryUnusableError):
            await shop.report("A-1", event_id="event-1", totalPrice=None)
    assert await inbox(shop) == [("event-1", "dead", 1)]

    assert await shop.report("A-1", event_id="event-1") == "ok"
    await shop.claim("buyer", "A-1")
    await shop.work()

    assert await inbox(shop) == [("event-1", "dead", 1), ("event-1", "applied", 1)]
    assert await amounts_of(shop) == [("purchase:A-1", 1_000_000)]


async def test_an_unusable_body_does_not_undo_what_was_applied(database: Database) -> None:
    """A shop that sends rubbish under a known id would wipe out the delivery it stands for."""
    shop = await a_shop(database)
    await shop.report("A-1", event_id="event-1")

    with pytest.raises(DeliveryUnusableError):
        await shop.deliver(b"{}", event_id="event-1")

    applied, dead = await deliveries_of(shop)
    assert (applied.state, applied.body) == ("applied", shop.order_body("A-1"))
    assert (dead.state, dead.body) == ("dead", b"{}")
    assert (await order_of(shop, "A-1")).total == 100


async def test_a_try_that_fails_beside_one_that_was_applied_leaves_it(database: Database) -> None:
    """A shop whose tries overlap would have its order applied once more."""
    shop = await a_shop(database)
    body = shop.order_body("A-1")
    await shop.deliver(body, event_id="event-1")
    async with database.transaction() as tx:
        await shop.flows.deliveries.keep_failed(
            tx, a_delivery(shop, body, event_id="event-2"), failure=FAULT, now=NOON
        )

    assert await inbox(shop) == [("event-1", "applied", 1)]


async def test_what_a_sender_calls_a_delivery_is_shown_as_far_as_it_is_kept(
    database: Database,
) -> None:
    """A long id would not fit into an index, or a word for none would stand for one."""
    shop = await a_shop(database)
    for number, event_id in enumerate(("x" * 4_000, "undefined", "")):
        assert await shop.report(f"A-{number}", event_id=event_id) == "ok"

    assert [each.event_reference for each in await deliveries_of(shop)] == ["", "", "x" * 255]


async def test_shops_may_send_the_same_bytes(database: Database) -> None:
    """Two shops with one integration that count their orders from 1 would swallow each other's."""
    shops = [await a_shop(database) for _ in range(2)]
    for shop in shops:
        await shop.report("A-1", event_id="1")

    assert [await inbox(shop) for shop in shops] == [[("1", "applied", 1)]] * 2


async def test_a_dead_delivery_that_is_sent_again_has_all_its_tries(database: Database) -> None:
    """One minute in which all reports fail would have it dead again, without another try."""
    shop = await a_shop(database, a_campaign())
    body = shop.order_body("A-1", clientId="buyer")
    only_this = f"IF NEW.order_reference = 'A-1' THEN {FAIL} END IF;"
    async with a_trigger(database, "shop_order", "INSERT", only_this):
        with pytest.raises(DeliveryPostponedError):
            await shop.deliver(body, event_id="event-1")
        for number in range(TRIES_MAX):
            shop.flows.clock.advance(HOUR)
            await shop.report(f"B-{number}", clientId="buyer")
            shop.flows.clock.advance(HOUR)
            await shop.flows.delivery_retries.run()
    assert await state_of_event(shop, "event-1") == ("dead", TRIES_MAX)

    async with a_trigger(database, "shop_order", "INSERT", FAIL):
        with pytest.raises(DeliveryPostponedError):
            await shop.deliver(body, event_id="event-1")
        shop.flows.clock.advance(HOUR)
        await shop.flows.delivery_retries.run()

    assert await state_of_event(shop, "event-1") == ("failed", 0)


async def state_of_event(shop: Shop, event_id: str) -> tuple[str, int]:
    """How far a delivery of an event has come, and how many tries it was charged."""
    [found] = [each for each in await deliveries_of(shop) if each.event_reference == event_id]
    return found.state, found.try_count
