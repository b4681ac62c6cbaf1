"""When events are decided, in which order, and how often."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from domains.campaign.model import (
    Recipient,
    Trigger,
)
from domains.rewards.model import InteractionState
from infrastructure.database.transaction import Database
from tests.support.books import (
    amounts_of,
    assert_books_balance,
    count_of,
    events_of,
    rewards_of,
    states_of,
    used_of,
)
from tests.support.flows import NOON, Clock, flows_on
from tests.support.rules import (
    Limit,
    a_campaign,
    chained,
    percent,
)
from tests.support.shop import a_shop

MONTH_END = datetime(2025, 3, 31, 23, 59, 59, tzinfo=UTC)


async def test_events_are_decided_in_the_order_in_which_they_happened(database: Database) -> None:
    """Who gets the last of a budget would depend on whose report came first."""
    shop = await a_shop(database, a_campaign(limits=(Limit(amount="2"),)))
    shop.flows.clock.now = NOON + timedelta(days=3)
    for day, order in ((2, "late"), (1, "b at noon"), (1, "a at noon"), (0, "early")):
        await shop.buy("buyer", order, ordered=NOON + timedelta(days=day))

    await shop.work()

    assert {event for event, _ in await amounts_of(shop)} == {
        "purchase:early",
        "purchase:a at noon",
    }


async def test_an_order_waits_for_its_buyer_s_grace(database: Database) -> None:
    """Rewards would be decided before the buyer's browser has said who brought it."""
    shop = await a_shop(database, a_campaign(), reward_delay=timedelta(seconds=60))
    await shop.buy("buyer", "A-1")

    shop.flows.clock.now = NOON + timedelta(seconds=59)
    assert await shop.flows.reward_work.run() == timedelta(seconds=1)
    assert await amounts_of(shop) == []

    shop.flows.clock.advance(timedelta(seconds=1))
    await shop.work()
    assert await amounts_of(shop) == [("purchase:A-1", 1_000_000)]


@pytest.mark.parametrize("batch_size", [1, 3, 200])
async def test_the_size_of_a_batch_changes_nothing(database: Database, batch_size: int) -> None:
    """Decisions would see other budgets at the seam of two batches."""
    clock = Clock(NOON + timedelta(days=1))
    shop = await a_shop(
        flows_on(database, clock=clock, batch_size=batch_size),
        a_campaign("first", amount=percent("10"), limits=(Limit(amount="37"),)),
        a_campaign("second", limits=(Limit(amount="4"),)),
    )
    for number in range(7):
        ordered = NOON + timedelta(minutes=number)
        await shop.buy("buyer", f"A-{number}", ordered=ordered, totalPrice=f"{50 + 20 * number}")

    (lane,) = await shop.flows.reward.list_waiting_lanes()
    while (await shop.flows.reward.work(lane)).did_something:
        pass

    # Of the first campaign's 37: 5, 7, 9, 11, and 5 are left, too little for 13, 15 and 17.
    # The second one pays the first four.
    assert [(each.event, each.campaign) for each in await rewards_of(shop)] == [
        (f"purchase:A-{number}", campaign)
        for number in range(4)
        for campaign in ("first", "second")
    ]
    assert await used_of(shop, "first") == [32_000_000]
    assert await count_of(shop, "decision") == 14
    await assert_books_balance(database)


async def test_a_second_look_at_decided_events_does_nothing(database: Database) -> None:
    """People would be rewarded twice for one order."""
    shop = await a_shop(database, a_campaign())
    await shop.buy("buyer", "A-1")
    for _ in range(2):
        await shop.work()
        await shop.report("A-1")
        await shop.claim("buyer", "A-1")

    assert await amounts_of(shop) == [("purchase:A-1", 1_000_000)]
    assert (await events_of(shop))[0].decide_time == NOON


async def test_the_same_events_earn_the_same_at_another_merchant(database: Database) -> None:
    """Rewards would depend on chance: on ids, or on which report came first."""
    plans = (
        a_campaign("tenth", amount=percent("10"), limits=(Limit(amount="50"),)),
        a_campaign(
            "chain",
            amount=percent("5"),
            to=Recipient.REFERRER,
            trigger=Trigger.REFERRAL_PURCHASE,
            chaining=chained("20", "50"),
            limits=(Limit(amount="30"),),
        ),
    )
    clock = Clock()
    shops = [await a_shop(flows_on(database, clock=clock), *plans) for _ in range(2)]
    for shop, step in zip(shops, (1, -1), strict=True):
        clock.now = NOON
        for client, referrer in (("a", ""), ("b", "a"), ("c", "b"), ("d", "c")):
            await shop.arrive(client, referrer=referrer)
        clock.now = NOON + timedelta(days=1)
        # The second merchant hears of the same orders in the opposite order.
        for number in list(range(12))[::step]:
            await shop.buy(
                "abcd"[number % 4],
                f"A-{number}",
                ordered=NOON + timedelta(minutes=number),
                totalPrice=f"{10 + 7 * number}.99",
            )
        await shop.work()

    one, other = [[each.anonymous for each in await rewards_of(shop)] for shop in shops]
    assert one == other
    assert len(one) > 12
    await assert_books_balance(database)


async def test_a_held_lane_decides_nothing_until_it_is_released(database: Database) -> None:
    """An operator who stops a merchant's rewards would not stop them."""
    shop = await a_shop(database, a_campaign())
    reward, lanes = shop.flows.reward, shop.flows.lane
    await shop.buy("buyer", "A-1")
    await shop.buy("buyer", "A-2")
    await shop.report("A-2", "refunded")
    (seen_before,) = await reward.list_waiting_lanes()
    held = await lanes.set_lane_held(shop.merchant_id, held=True, repeat=None)

    await shop.work()
    # A worker that looked before the lane was held.
    outcome = await reward.work(seen_before)

    assert held.held
    assert not outcome.did_something
    lane = await lanes.get_lane(shop.merchant_id)
    # An order, and a reversal.
    assert (lane.held, lane.due_count, lane.oldest_due_time) == (True, 2, NOON)
    assert set((await states_of(shop)).values()) == {InteractionState.PENDING}

    await lanes.set_lane_held(shop.merchant_id, held=False, repeat=None)
    await shop.work()

    assert await amounts_of(shop) == [("purchase:A-1", 1_000_000)]
    assert (await lanes.get_lane(shop.merchant_id)).due_count == 0


@pytest.mark.parametrize("first", ["one", "other"])
async def test_visits_of_one_instant_are_decided_alike_in_whichever_order_they_are_told(
    database: Database, first: str
) -> None:
    """Who gets the last of a budget would depend on how often a history was imported."""
    shop = await a_shop(
        database,
        a_campaign(to=Recipient.USER, trigger=Trigger.REFERRAL, limits=(Limit(amount="1"),)),
    )
    await shop.arrive("friend")
    groups = {}
    for client in (first, "other" if first == "one" else "one"):
        groups[client] = (await shop.arrive(client, referrer="friend")).identity_group_id

    await shop.work()

    (reward,) = await rewards_of(shop)
    winner = min(groups, key=lambda client: hashlib.sha256(client.encode()).hexdigest())
    assert reward.person == groups[winner]
