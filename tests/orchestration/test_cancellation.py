"""Orders that were taken back: their rewards, their budgets, their next life."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domains.campaign.model import Asset, CalendarMonths, Campaign, Recipient, Trigger
from domains.rewards.model import InteractionState, RewardState
from infrastructure.database.transaction import Database
from tests.support.books import (
    amounts_of,
    assert_books_balance,
    count_of,
    order_of,
    read,
    rewards_of,
    states_of,
    used_of,
    windows_of,
)
from tests.support.flows import NOON, flows_on
from tests.support.rules import Limit, a_campaign, chained, fixed, percent
from tests.support.shop import Shop, a_shop

MINUTE = timedelta(minutes=1)
A_MONTH = CalendarMonths(time_zone="UTC")


async def take_back(shop: Shop, order: str, status: str = "refunded") -> None:
    """The shop reports, a minute later, that an order was taken back."""
    shop.flows.clock.advance(MINUTE)
    await shop.report(order, status, ordered=NOON, updated=shop.flows.clock.now)


async def balances(database: Database) -> list[int]:
    rows = await read(database, "SELECT balance FROM account WHERE balance <> 0")
    return [int(row.balance) for row in rows]


@pytest.mark.parametrize("status", ["refunded", "cancelled"])
async def test_a_refund_takes_everything_back_to_the_base_unit(
    database: Database, status: str
) -> None:
    """Returned goods would stay rewarded, or a budget lose or gain what was spent on them."""
    shop = await a_shop(
        database,
        a_campaign(
            "chain",
            amount=percent("3.3333"),
            to=Recipient.REFERRER,
            trigger=Trigger.REFERRAL_PURCHASE,
            chaining=chained("33.3333", "33.3333"),
            limits=(Limit(amount="1000"), Limit(amount="50", label="month", window=A_MONTH)),
        ),
        a_campaign(
            "points",
            amount=fixed("0.000007"),
            asset=Asset.POINTS,
            limits=(Limit(amount="1", asset=Asset.POINTS),),
        ),
    )
    for client, referrer in (("a", ""), ("b", "a"), ("c", "b")):
        await shop.arrive(client, referrer=referrer)
    await shop.buy("c", "stays", totalPrice="10.01")
    await shop.work()
    before = (await used_of(shop, "chain"), await used_of(shop, "points"))
    await shop.buy("c", "A-1", totalPrice="77.77")
    await shop.work()
    assert (await used_of(shop, "chain"), await used_of(shop, "points")) != before

    await take_back(shop, "A-1", status)
    await shop.work()

    assert (await used_of(shop, "chain"), await used_of(shop, "points")) == before
    rewards = [each for each in await rewards_of(shop) if each.event == "purchase:A-1"]
    assert len(rewards) == 4
    assert {(each.state, each.base_units) for each in rewards} == {(RewardState.CANCELLED, 0)}
    assert all(units > 0 for event, units in await amounts_of(shop) if event == "purchase:stays")
    await assert_books_balance(database)


async def test_a_second_refund_changes_nothing(database: Database) -> None:
    """A shop that repeats itself would fill a budget above what was taken from it."""
    shop = await a_shop(database, a_campaign(limits=(Limit(amount="1"),)))
    await shop.buy("buyer", "A-1")
    await shop.work()
    await take_back(shop, "A-1")
    await shop.work()
    tables = ("transfer", "reversal", "decision", "interaction", "reward")
    before = [await count_of(shop, table) for table in tables]

    await take_back(shop, "A-1")
    await take_back(shop, "A-1", "cancelled")
    await shop.work()

    assert [await count_of(shop, table) for table in tables] == before
    assert await balances(database) == []
    assert await used_of(shop, "welcome") == []
    await shop.report("A-2")
    await shop.claim("buyer", "A-2")
    await shop.work()
    assert await used_of(shop, "welcome") == [1_000_000]
    await assert_books_balance(database)


async def test_a_refund_is_caused_by_its_reversal(database: Database) -> None:
    """The books would not say which refund an amount went back for."""
    shop = await a_shop(database, a_campaign())
    await shop.buy("buyer", "A-1")
    await shop.work()
    await shop.report("A-1", "refunded")
    await shop.work()

    (reversal,) = await read(database, "SELECT reversal_id FROM reversal")
    moved = await read(database, "SELECT kind, cause_id = reward_id FROM transfer ORDER BY kind")
    assert [tuple(each) for each in moved] == [("grant", True), ("refund", False)]
    (refund,) = await read(database, "SELECT cause_id FROM transfer WHERE kind = 'refund'")
    assert refund.cause_id == reversal.reversal_id


async def test_what_is_not_decided_yet_never_is(database: Database) -> None:
    """An order returned at once would be rewarded and then taken back, or only rewarded."""
    shop = await a_shop(database, a_campaign(), reward_delay=timedelta(hours=1))
    await shop.buy("buyer", "A-1")
    await take_back(shop, "A-1")
    await shop.work()
    assert await states_of(shop) == {"purchase:A-1": InteractionState.CANCELLED}

    shop.flows.clock.advance(timedelta(days=1))
    await shop.work()

    assert await amounts_of(shop) == []
    assert await count_of(shop, "decision") == 0


async def test_a_refund_goes_before_the_order_in_one_turn(database: Database) -> None:
    """What was refunded would take the last of a budget from the orders that stay."""
    shop = await a_shop(database, a_campaign(limits=(Limit(amount="1"),)))
    await shop.buy("one", "A-1")
    await shop.work()
    await take_back(shop, "A-1")
    await shop.buy("other", "A-2")

    await shop.work()

    assert await amounts_of(shop) == [("purchase:A-1", 0), ("purchase:A-2", 1_000_000)]


async def test_an_order_that_is_confirmed_anew_earns_anew(database: Database) -> None:
    """A refund by mistake would cost the buyer the reward for good, or pay it twice."""
    shop = await a_shop(database, a_campaign(amount=percent("10"), limits=(Limit(amount="100"),)))
    await shop.buy("buyer", "A-1")
    await shop.work()
    for total in ("50", "20"):
        await take_back(shop, "A-1")
        shop.flows.clock.advance(MINUTE)
        await shop.report("A-1", ordered=NOON, updated=shop.flows.clock.now, totalPrice=total)
        await shop.work()

    assert await amounts_of(shop) == [
        ("purchase:A-1", 0),
        ("purchase:A-1#2", 0),
        ("purchase:A-1#3", 2_000_000),
    ]
    assert (await order_of(shop, "A-1")).generation == 3
    assert await used_of(shop, "welcome") == [2_000_000]
    await assert_books_balance(database)


async def test_a_life_that_nobody_saw_does_not_mix_with_the_next(database: Database) -> None:
    """A refund of the first life, worked on late, would take the second one's rewards."""
    shop = await a_shop(database, a_campaign())
    await shop.buy("buyer", "A-1")
    await take_back(shop, "A-1")
    shop.flows.clock.advance(MINUTE)
    await shop.report("A-1", ordered=NOON, updated=shop.flows.clock.now)

    await shop.work()

    assert await states_of(shop) == {
        "purchase:A-1": InteractionState.CANCELLED,
        "purchase:A-1#2": InteractionState.DECIDED,
    }
    assert await amounts_of(shop) == [("purchase:A-1#2", 1_000_000)]


async def test_orders_whose_ids_look_like_lives_are_their_own(database: Database) -> None:
    """Refunding the order `A#2` would take back the second life of the order `A`."""
    shop = await a_shop(database, a_campaign())
    await shop.buy("buyer", "A")
    await shop.buy("buyer", "A#2")
    await shop.work()
    await take_back(shop, "A")
    shop.flows.clock.advance(MINUTE)
    await shop.report("A", ordered=NOON, updated=shop.flows.clock.now)
    await shop.work()

    await take_back(shop, "A#2")
    await shop.work()

    assert await amounts_of(shop) == [
        ("purchase:A", 0),
        ("purchase:A##2", 0),
        ("purchase:A#2", 1_000_000),
    ]


async def test_budget_returns_to_the_month_that_was_charged(database: Database) -> None:
    """A refund in April would fill April's budget with March's money."""
    shop = await a_shop(
        database,
        a_campaign(limits=(Limit(amount="1", window=A_MONTH),)),
    )
    await shop.buy("buyer", "march")
    await shop.work()
    april = datetime(2025, 4, 10, tzinfo=UTC)
    shop.flows.clock.now = april
    await shop.buy("buyer", "april")
    await shop.work()
    assert await used_of(shop, "welcome") == [1_000_000, 1_000_000]

    await take_back(shop, "march")
    await shop.work()
    await shop.buy("buyer", "another april")
    await shop.work()
    await shop.report("another march", ordered=NOON)
    await shop.claim("buyer", "another march")
    await shop.work()

    windows = await windows_of(shop, "welcome")
    assert [(each.start_time.month, each.used, each.refused_count) for each in windows] == [
        (3, 1_000_000, 0),
        (4, 1_000_000, 1),
    ]
    await assert_books_balance(database)


async def test_a_campaign_that_is_over_still_gets_its_budget_back(database: Database) -> None:
    """Refunds after a campaign's end would leave rewards pending that nobody earned."""
    shop = await a_shop(database, a_campaign(limits=(Limit(amount="9"),)))
    await shop.buy("buyer", "A-1")
    await shop.work()
    await shop.change("welcome", Campaign.archive)

    await take_back(shop, "A-1")
    await shop.work()

    assert await amounts_of(shop) == [("purchase:A-1", 0)]
    assert await balances(database) == []
    await assert_books_balance(database)


async def test_many_refunds_are_dealt_with_batch_by_batch(database: Database) -> None:
    """A shop that takes back everything would leave the rest of it rewarded."""
    shop = await a_shop(flows_on(database, batch_size=3), a_campaign(limits=(Limit(amount="9"),)))
    for number in range(8):
        await shop.buy("buyer", f"A-{number}")
    await shop.work()
    shop.flows.clock.advance(MINUTE)
    for number in range(7):
        await shop.report(f"A-{number}", "refunded", ordered=NOON, updated=shop.flows.clock.now)
    [lane] = await shop.flows.reward.list_waiting_lanes()
    first = await shop.flows.reward.work(lane)
    await shop.work()

    # A turn is bounded: other lanes wait for its place.
    assert (first.reversed_count, first.decided_count, first.is_over) == (3, 0, False)
    assert [event for event, units in await amounts_of(shop) if units] == ["purchase:A-7"]
    assert await used_of(shop, "welcome") == [1_000_000]
    await assert_books_balance(database)


async def test_a_refund_of_an_order_without_a_buyer_is_harmless(database: Database) -> None:
    """A lane would stumble over an order that never earned anything."""
    shop = await a_shop(database, a_campaign())
    await shop.report("A-1")
    await take_back(shop, "A-1")
    await take_back(shop, "never heard of")
    # What earned nothing has nothing to take back.
    assert await count_of(shop, "reversal") == 0

    await shop.work()

    assert await states_of(shop) == {}
    lane = await shop.flows.lane.get_lane(shop.merchant_id)
    assert lane.due_count == 0
