"""Reward work when something goes wrong: nothing is lost, nothing happens twice."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from domains.campaign.model import Recipient, Trigger
from domains.rewards.model import InteractionState, Obstacle
from domains.rewards.model.event import RETRY_PAUSE, TRIES_MAX, WAIT_PAUSE
from domains.rewards.model.lane import SET_BACK_PAUSE
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
from tests.support.connections import at_once, holding
from tests.support.flows import NOON, flows_on
from tests.support.rules import Limit, a_campaign, chained, percent
from tests.support.shop import Shop, a_shop

PAYING = a_campaign(
    amount=percent("10"),
    to=Recipient.REFERRER,
    trigger=Trigger.REFERRAL_PURCHASE,
    chaining=chained("20", "50"),
    limits=(Limit(amount="1000"),),
)
# In the order in which a batch writes them.
WRITTEN = (
    "budget_window",
    "ledger_unit",
    "budget_entry",
    "reward",
    "account",
    "transfer",
    "decision",
    "interaction",
    "reward_lane",
)
# A token with so many decimals that one order of this amount fits into a balance, and two do not.
DECIMALS = 58
ENORMOUS = "90000000000000000000"


async def a_busy_shop(database: Database, *, orders: int = 3) -> Shop:
    """A shop whose lane exists, with orders that wait to be decided."""
    shop = await a_shop(database, PAYING)
    await shop.flows.lane.set_lane_held(shop.merchant_id, held=False, repeat=None)
    await shop.arrive("friend")
    await shop.arrive("buyer", referrer="friend")
    for number in range(orders):
        await shop.buy("buyer", f"A-{number}")
    return shop


async def test_an_order_in_another_currency_waits_and_costs_no_try(database: Database) -> None:
    """Dollars would be paid out as if they were euros, or the order would be given up."""
    shop = await a_shop(database, a_campaign("fixed"), a_campaign("tenth", amount=percent("10")))
    await shop.buy("buyer", "dollars", ordered=NOON - timedelta(minutes=1), currency="USD")
    await shop.buy("buyer", "euros")
    pauses = []
    for _ in range(8):
        await shop.work()
        (waiting,) = [each for each in await events_of(shop) if each.state == "pending"]
        pauses.append(waiting.due_time - shop.flows.clock.now)
        shop.flows.clock.now = waiting.due_time

    # None of its campaigns has decided, so that none decides twice; the other order was not
    # kept waiting.
    assert (waiting.obstacle, waiting.try_count, waiting.wait_count) == (
        Obstacle.RATE_MISSING,
        0,
        8,
    )
    assert waiting.event_reference == "purchase:dollars"
    assert [each.event for each in await rewards_of(shop)] == ["purchase:euros"] * 2
    assert pauses[:3] == [WAIT_PAUSE, 2 * WAIT_PAUSE, 4 * WAIT_PAUSE]
    assert pauses[-1] == timedelta(hours=1)


async def test_an_order_that_pays_no_part_of_itself_needs_no_rate(database: Database) -> None:
    """A fixed reward would wait for a rate that it does not depend on."""
    shop = await a_shop(database, a_campaign("fixed"))
    await shop.buy("buyer", "dollars", currency="USD")

    await shop.work()

    assert await amounts_of(shop) == [("purchase:dollars", 1_000_000)]


async def test_one_event_that_fails_does_not_stop_the_others(database: Database) -> None:
    """A single order would keep a whole shop's rewards from being decided."""
    shop = await a_shop(database, a_campaign(amount=percent("100")), decimals=DECIMALS)
    totals = {"a": "1", "b": ENORMOUS, "c": "2", "d": ENORMOUS, "e": "3", "f": "4"}
    for order, total in totals.items():
        await shop.buy("buyer", order, totalPrice=total)

    await shop.work()

    states = await states_of(shop)
    assert states.pop("purchase:d") is InteractionState.PENDING
    assert set(states.values()) == {InteractionState.DECIDED}
    assert dict(await amounts_of(shop)) == {
        f"purchase:{order}": int(Decimal(total)) * 10**DECIMALS
        for order, total in totals.items()
        if order != "d"
    }
    (failed,) = [each for each in await events_of(shop) if each.state == "pending"]
    assert (failed.try_count, failed.obstacle) == (1, Obstacle.DECIDING_FAILED)
    assert failed.due_time == NOON + 2 * RETRY_PAUSE
    await assert_books_balance(database)


async def test_after_five_tries_among_others_it_is_dead_and_visible(database: Database) -> None:
    """What never works would be tried for ever, or be forgotten without a trace."""
    shop = await a_shop(database, a_campaign(amount=percent("100")), decimals=DECIMALS)
    await shop.buy("buyer", "a", totalPrice=ENORMOUS)
    await shop.work()
    await shop.buy("buyer", "b", totalPrice=ENORMOUS)
    tries = 0
    while (await states_of(shop))["purchase:b"] is InteractionState.PENDING:
        # Something else that succeeds, each time.
        await shop.buy("somebody", f"c-{tries}", totalPrice="1")
        await shop.work()
        tries += 1
        shop.flows.clock.now = max(each.due_time for each in await events_of(shop))

    assert tries == TRIES_MAX
    (dead,) = [each for each in await events_of(shop) if each.state == "dead"]
    assert (dead.event_reference, dead.try_count) == ("purchase:b", TRIES_MAX)
    assert dead.obstacle == Obstacle.DECIDING_FAILED
    lane = await shop.flows.lane.get_lane(shop.merchant_id)
    assert (lane.dead_count, lane.due_count, lane.waiting_count) == (1, 0, 0)
    # A refund still closes it.
    await shop.report("b", "refunded", ordered=NOON)
    await shop.work()
    assert (await states_of(shop))["purchase:b"] is InteractionState.CANCELLED


async def test_a_campaign_that_cannot_be_read_costs_nobody_a_try(database: Database) -> None:
    """Five minutes of a mistake in one campaign would cost people their rewards for good."""
    shop = await a_busy_shop(database)
    async with database.transaction() as tx:
        kept = await tx.execute(text("SELECT rule::text FROM campaign_rule_version"))
        rule = kept.scalar_one()
        await tx.execute(text("UPDATE campaign_rule_version SET rule = rule - 'rewards'"))

    end = shop.flows.clock.now + timedelta(minutes=5)
    while shop.flows.clock.now < end:
        await shop.work()
        lane = await shop.flows.lane.get_lane(shop.merchant_id)
        assert (lane.obstacle, lane.due_count) == (Obstacle.CAMPAIGNS_UNREADABLE, 4)
        assert lane.retry_time is not None
        shop.flows.clock.now = lane.retry_time

    assert {(each.state, each.try_count) for each in await events_of(shop)} == {("pending", 0)}
    async with database.transaction() as tx:
        await tx.execute(
            text("UPDATE campaign_rule_version SET rule = CAST(:rule AS jsonb)"),
            {"rule": rule},
        )
    await shop.work()
    assert len(await amounts_of(shop)) == 6
    assert set((await states_of(shop)).values()) == {InteractionState.DECIDED}
    lane = await shop.flows.lane.get_lane(shop.merchant_id)
    assert (lane.obstacle, lane.retry_time) == (Obstacle.NONE, None)


@pytest.mark.parametrize("table", WRITTEN)
async def test_a_worker_that_is_killed_leaves_nothing_behind(
    engine: AsyncEngine, real_database: Database, table: str
) -> None:
    """A crash would burn budget, or leave rewards without a mark that they were decided."""
    shop = await a_busy_shop(real_database)
    before = [await count_of(shop, each) for each in WRITTEN if "budget" not in each]

    async with holding(engine, f"LOCK TABLE {table} IN SHARE MODE") as holder:
        dying = asyncio.ensure_future(shop.look())
        await holder.terminate(await holder.until_awaited())
    await dying

    assert [await count_of(shop, each) for each in WRITTEN if "budget" not in each] == before
    assert {each.try_count for each in await events_of(shop)} == {0}
    assert await used_of(shop, "welcome") == []
    lane = await shop.flows.lane.get_lane(shop.merchant_id)
    assert lane.obstacle is Obstacle.CONNECTION_LOST

    shop.flows.clock.advance(SET_BACK_PAUSE)
    await shop.work()
    await shop.work()

    assert await amounts_of(shop) == [
        (f"purchase:A-{number}", units) for number in range(3) for units in (2_000_000, 8_000_000)
    ]
    assert await used_of(shop, "welcome") == [30_000_000]
    await assert_books_balance(real_database)


@pytest.mark.parametrize("table", ["budget_window", "transfer", "decision", "reward"])
async def test_a_refund_during_the_work_waits_for_nothing_and_wins(
    engine: AsyncEngine, real_database: Database, table: str
) -> None:
    """A shop would wait for a batch, or rewards of a returned order would stay."""
    shop = await a_busy_shop(real_database)

    async with holding(engine, f"LOCK TABLE {table} IN SHARE MODE") as holder:
        working = asyncio.ensure_future(shop.look())
        await holder.until_awaited()
        shop.flows.clock.advance(timedelta(seconds=1))
        async with asyncio.timeout(5):
            answer = await shop.report(
                "A-1", "refunded", ordered=NOON, updated=shop.flows.clock.now
            )
        assert answer == "ok"
    await working
    await shop.work()

    assert dict(await amounts_of(shop)) == {
        "purchase:A-0": 8_000_000,
        "purchase:A-1": 0,
        "purchase:A-2": 8_000_000,
    }
    assert await used_of(shop, "welcome") == [20_000_000]
    await assert_books_balance(real_database)


async def test_another_worker_leaves_a_taken_lane_alone(
    engine: AsyncEngine, real_database: Database
) -> None:
    """Two writers of one merchant's money would decide by chance who gets the last of it."""
    shop = await a_busy_shop(real_database)
    elsewhere = await a_busy_shop(real_database)
    other = flows_on(real_database, lanes_max=8)
    other.clock.now = shop.flows.clock.now
    lane = next(
        each
        for each in await other.reward.list_waiting_lanes()
        if each.merchant_id == shop.merchant_id
    )

    async with holding(engine, "LOCK TABLE transfer IN SHARE MODE") as holder:
        first = asyncio.ensure_future(shop.flows.reward.work(lane))
        await holder.until_awaited()
        async with asyncio.timeout(5):
            outcome = await other.reward.work(lane)
            assert not outcome.did_something
        # The lanes of other merchants are free meanwhile.
        second = asyncio.ensure_future(elsewhere.on(other).look())
        await holder.until_awaited(by=2)

    assert (await first).reward_count == 6
    await second
    assert len(await amounts_of(elsewhere)) == len(await amounts_of(shop)) == 6


async def test_many_workers_give_the_same_rewards_as_one(real_database: Database) -> None:
    """Who gets the last of a budget would depend on how many workers there are."""
    plans = (
        a_campaign("tenth", amount=percent("10"), limits=(Limit(amount="150"),)),
        a_campaign("fixed", limits=(Limit(amount="25"),)),
        PAYING,
    )
    shops = []
    for workers in (1, 2, 4):
        processes = [flows_on(real_database, batch_size=3) for _ in range(workers)]
        shop = await a_shop(processes[0], *plans)
        await shop.arrive("friend")
        await shop.arrive("buyer", referrer="friend")
        for number in range(40):
            ordered = NOON + timedelta(seconds=number * 7 % 40)
            shop.flows.clock.now = NOON + timedelta(hours=1)
            await shop.buy("buyer", f"A-{number}", ordered=ordered, totalPrice=f"{5 + number}.55")
        for process in processes:
            process.clock.now = NOON + timedelta(hours=2)
        await at_once(*(shop.on(process).work for process in processes))
        shops.append(shop)

    one, two, four = [[each.anonymous for each in await rewards_of(shop)] for shop in shops]
    assert one == two == four
    assert {campaign for _, campaign, *_ in one} == {"tenth", "fixed", "welcome"}
    assert [await used_of(shop, "fixed") for shop in shops] == [[25_000_000]] * 3
    for shop in shops:
        assert set((await states_of(shop)).values()) == {InteractionState.DECIDED}
    await assert_books_balance(real_database)
