"""Orders and referrals that cannot be read: they step aside unread, and cost nobody anything."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from domains.campaign.model import Recipient, Trigger
from domains.rewards.model import InteractionState
from domains.rewards.service.due_interactions import UNREAD_PAUSE
from infrastructure.database.transaction import Database
from tests.orchestration.test_lane_rounds import a_decided_life, lane_row
from tests.support.books import assert_books_balance, events_of, order_of, states_of
from tests.support.flows import NOON, flows_on
from tests.support.rules import a_campaign
from tests.support.shop import Shop, a_shop

SECOND = timedelta(seconds=1)
_ITEMS = "UPDATE shop_order SET items = '{}' WHERE order_reference = 'A-1'"
# What another version may have written, or somebody by hand.
UNREADABLE = {
    "a line lacks a key": _ITEMS.format('[{"name": "mug"}]'),
    "a line has keys of tomorrow": _ITEMS.format('[{"sku": 1}]'),
    "a price is no number": _ITEMS.format(
        '[{"product_reference": "1", "quantity": 1, "price": "NULL",'
        ' "name": "", "title": "", "image_url": ""}]'
    ),
    "lines are no list": _ITEMS.format('{"1": {}}'),
    "lines are nothing": _ITEMS.format("null"),
    "its interaction is gone": "DELETE FROM interaction WHERE order_reference = 'A-1'",
}


async def change(database: Database, statement: str) -> None:
    """Somebody changes what is stored."""
    async with database.transaction() as tx:
        await tx.execute(text(statement))


async def decided_of(shop: Shop) -> set[str]:
    """Which events are decided."""
    return {
        event
        for event, state in (await states_of(shop)).items()
        if state is InteractionState.DECIDED
    }


async def a_shop_with_a_referral(database: Database) -> Shop:
    """A friend brought a visitor, and is paid for it."""
    shop = await a_shop(
        database,
        a_campaign(),
        a_campaign("brought", to=Recipient.REFERRER, trigger=Trigger.REFERRAL),
    )
    await shop.arrive("friend")
    await shop.arrive("visitor", referrer="friend")
    return shop


@pytest.mark.parametrize("place", ["first", "last"])
@pytest.mark.parametrize("what", UNREADABLE)
async def test_an_order_that_cannot_be_read_holds_up_no_other(
    database: Database, what: str, place: str
) -> None:
    """One row would stop all that a shop pays, for good, and nobody know which row it is."""
    shop = await a_shop(database, a_campaign())
    others = [f"B-{number}" for number in range(3)]
    for order in ["A-1", *others] if place == "first" else [*others, "A-1"]:
        await shop.report(order, clientId="buyer")
        shop.flows.clock.advance(SECOND)
    await change(database, UNREADABLE[what])

    await shop.look()
    # And one that comes later.
    await shop.report("B-3", clientId="buyer")
    await shop.look()

    events = {f"purchase:{order}" for order in [*others, "B-3"]}
    assert await decided_of(shop) == events
    row = await lane_row(shop)
    assert (row.obstacle, row.failure_count) == ("", 0)


async def test_an_order_that_cannot_be_read_costs_no_try_and_is_decided_once_it_can(
    database: Database,
) -> None:
    """After a version that was rolled back, a buyer would never be paid."""
    shop = await a_shop(database, a_campaign())
    for order in ("A-1", "B-1"):
        await shop.report(order, clientId="buyer")
    await change(database, UNREADABLE["a line lacks a key"])
    for _ in range(10):
        await shop.look()
        shop.flows.clock.advance(UNREAD_PAUSE)
    (unread,) = [each for each in await events_of(shop) if "A-1" in each.event_reference]
    assert (unread.state, unread.try_count) == ("pending", 0)
    assert unread.obstacle

    await change(database, _ITEMS.format("[]"))
    await shop.work()

    assert await decided_of(shop) == {"purchase:A-1", "purchase:B-1"}
    await assert_books_balance(database)


async def test_a_reason_of_another_version_is_no_obstacle(database: Database) -> None:
    """A shop's orders would wait for ever for a reason that nobody knows any more."""
    shop = await a_shop_with_a_referral(database)
    for order in ("A-1", "B-1"):
        await shop.report(order, clientId="buyer")
    await change(database, "UPDATE interaction SET obstacle = 'OF_TOMORROW'")
    shop.flows.clock.advance(SECOND)

    await shop.work()

    assert len(await decided_of(shop)) == 3


async def test_a_referral_that_cannot_be_read_holds_up_no_other(database: Database) -> None:
    """One row about a visitor would stop all that their shop pays."""
    shop = await a_shop_with_a_referral(database)
    # As when a person asks to be forgotten.
    await change(database, "DELETE FROM referral_link")
    shop.flows.clock.advance(SECOND)
    await shop.report("A-1", clientId="buyer")
    await shop.arrive("another", referrer="friend")

    await shop.look()

    (unread,) = [each for each in await events_of(shop) if each.state == "pending"]
    assert (len(await decided_of(shop)), unread.try_count) == (2, 0)


async def test_an_operator_is_told_which_order_cannot_be_read(database: Database) -> None:
    """Among a million orders nobody would find the one that is to be mended."""
    shop = await a_shop(database, a_campaign())
    for order in ("A-1", "B-1"):
        await shop.report(order, clientId="buyer")
    await change(database, UNREADABLE["a line lacks a key"])

    with capture_logs() as lines:
        await shop.look()

    (told,) = [each for each in lines if each["event"] == "cannot be read"]
    assert "A-1" in told.values()
    assert told["merchant_id"] == str(shop.merchant_id)
    assert not [each for each in lines if each["event"] == "lane failed"]


@pytest.mark.parametrize("batch_size", [2, 200])
async def test_an_order_that_cannot_be_read_is_searched_for_once(
    database: Database, batch_size: int
) -> None:
    """Each time that it is met all others would wait with it, all day long."""
    shop = await a_shop(flows_on(database, batch_size=batch_size), a_campaign())
    for order in ("A-1", *(f"B-{number}" for number in range(8))):
        await shop.report(order, clientId="buyer")
    await change(database, UNREADABLE["a line lacks a key"])

    for number in range(3):
        # As they come all the time.
        await shop.report(f"C-{number}", clientId="buyer")
        await shop.look()
        (unread,) = [each for each in await events_of(shop) if "A-1" in each.event_reference]
        assert (unread.wait_count, unread.due_time) == (1, NOON + UNREAD_PAUSE)
        assert f"purchase:C-{number}" in await decided_of(shop)
        shop.flows.clock.advance(timedelta(minutes=3))


async def test_what_is_decided_is_not_opened_by_whoever_cannot_read_it(
    database: Database,
) -> None:
    """Another version decided it and was killed; then the order is one person's, its reward not."""
    shop, hinted, _ = await a_decided_life(database)
    await shop.report("B-1", clientId="other")
    await change(database, UNREADABLE["a line lacks a key"])
    for _ in range(3):
        await shop.look()
        shop.flows.clock.advance(10 * SECOND)
    assert "purchase:B-1" in await decided_of(shop)

    claimed = await shop.claim("buyer", "A-1")
    await change(database, _ITEMS.format("[]"))
    shop.flows.clock.advance(UNREAD_PAUSE)
    await shop.work()

    assert claimed.purchase_id is None
    assert (await order_of(shop, "A-1")).identity_group_id == hinted
    await assert_books_balance(database)
