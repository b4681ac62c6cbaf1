"""Who pays with a try for a failure: only whoever fails while something else earns."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from domains.campaign.model import Operator, Recipient, Trigger
from domains.rewards.model import InteractionState, Obstacle
from domains.rewards.model.event import TRIES_MAX, WAIT_PAUSE
from infrastructure.database.transaction import Database
from orchestration.lane.flow.prepared import BatchOutcome, PreparedBatch
from orchestration.lane.flow.searching import FAILURES_MAX
from orchestration.lane.flow.turns import LaneTurns
from tests.orchestration.test_lane_rounds import lane_row, prepared
from tests.support.books import (
    amounts_of,
    assert_books_balance,
    count_of,
    events_of,
    order_of,
    states_of,
)
from tests.support.connections import holding
from tests.support.flows import NOON, flows_on
from tests.support.rules import a_campaign, a_condition, percent
from tests.support.shop import Shop, a_shop
from tests.support.triggers import FAIL, a_trigger

LOOKS_MAX = 5
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
A_WHILE = 6 * MINUTE
"""Longer than a lane ever rests."""

# A token with so many decimals that one order of this amount fits into a balance, and two do not.
DECIMALS = 58
ENORMOUS = "90000000000000000000"


async def tries_of(shop: Shop) -> dict[str, tuple[str, int]]:
    return {each.event_reference: (each.state, each.try_count) for each in await events_of(shop)}


async def looks(shop: Shop, count: int) -> None:
    """So many looks, each when the lane has rested."""
    for _ in range(count):
        await shop.look()
        shop.flows.clock.advance(A_WHILE)


async def a_shop_with_poison(database: Database, count: int, **more: Any) -> Shop:
    """Orders that can never be decided, the oldest of the lane."""
    shop = await a_shop(
        flows_on(database, **more), a_campaign(amount=percent("100")), decimals=DECIMALS
    )
    await shop.buy("whale", "A-0", totalPrice=ENORMOUS, ordered=NOON - HOUR)
    await shop.work()
    for number in range(count):
        await shop.report(
            f"P-{number:03}", clientId="whale", totalPrice=ENORMOUS, ordered=NOON - MINUTE
        )
    return shop


async def test_one_that_only_waits_is_no_proof(database: Database) -> None:
    """Rewards cannot be written for some minutes: whatever earns dies, because another waits."""
    shop = await a_shop(database, a_campaign(amount=percent("10")))
    for number in range(3):
        await shop.report(f"A-{number}", clientId="buyer")
    await shop.report("dollars", clientId="buyer", currency="USD")

    async with a_trigger(database, "reward", "INSERT", FAIL):
        await looks(shop, TRIES_MAX + 1)

    events = {each.event_reference: each for each in await events_of(shop)}
    assert {(each.state, each.try_count) for each in events.values()} == {("pending", 0)}
    # While the lane rests, the rate is waited for; it is not due again with the others.
    dollars = events["purchase:dollars"]
    assert (dollars.obstacle, dollars.needed_rate) == (Obstacle.RATE_MISSING, "USD/EUR")
    assert dollars.wait_count <= TRIES_MAX + 1
    # Waiting makes the lane no larger again, nor its rest shorter.
    assert (await lane_row(shop)).failure_count == TRIES_MAX + 1
    shop.flows.clock.advance(HOUR)
    await shop.work()
    assert len(await amounts_of(shop)) == 3


async def test_what_waits_for_a_rate_is_not_due_with_a_lane_that_is_set_back(
    database: Database,
) -> None:
    """Its wait would be forgotten, and the order decided again with each try of the others."""
    shop = await a_shop(database, a_campaign(amount=percent("10")))
    await shop.report("A-1", clientId="buyer")
    await shop.report("dollars", clientId="buyer", currency="USD")

    async with a_trigger(database, "reward", "INSERT", FAIL):
        await shop.look()

    rows = await events_of(shop)
    async with database.single() as tx:
        found = await tx.execute(
            text("SELECT due_time, needed_rate FROM shop_order ORDER BY order_reference")
        )
        orders = [tuple(row) for row in found]
    assert orders == [(NOON, None), (NOON + WAIT_PAUSE, "USD/EUR")]
    assert [each.wait_count for each in rows] == [0, 1]


async def test_one_that_earns_nothing_is_no_proof_but_the_lane_goes_on(database: Database) -> None:
    """A fault of the table of rewards would kill all that earn, or hold up what earns nothing."""
    shop = await a_shop(
        database, a_campaign(when=a_condition("purchase.currency", Operator.EQ, "EUR"))
    )
    for number in range(4):
        await shop.report(f"A-{number}", clientId="buyer")
    async with a_trigger(database, "reward", "INSERT", FAIL):
        for number in range(TRIES_MAX + 1):
            await shop.report(f"dollars-{number}", clientId="buyer", currency="USD")
            await looks(shop, 1)
            events = await events_of(shop)
            failing = [each for each in events if each.state == "pending"]
            assert {(each.try_count, each.obstacle) for each in failing} == {
                (0, Obstacle.DECIDING_FAILED)
            }
            assert len(events) - len(failing) == number + 1
    # Each time they wait longer.
    assert {each.wait_count for each in failing} == {TRIES_MAX}

    shop.flows.clock.advance(HOUR)
    await shop.work()
    assert len(await amounts_of(shop)) == 4


async def test_a_lane_that_another_worker_has_is_no_proof(
    engine: AsyncEngine, real_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks at the same lane at the wrong moment would kill its events."""
    shop = await a_shop(real_database, a_campaign())
    for number in range(2):
        await shop.report(f"A-{number}", clientId="buyer")
    decide = LaneTurns.decide
    attempts = 0

    async def while_another_has_it(turns: LaneTurns, batch: PreparedBatch) -> BatchOutcome | None:
        nonlocal attempts
        attempts += 1
        # The whole, the first half, the second half.
        if attempts % 3:
            return await decide(turns, batch)
        lane = "SELECT 1 FROM reward_lane WHERE merchant_id = :merchant_id FOR UPDATE"
        async with holding(engine, lane, merchant_id=shop.merchant_id):
            return await decide(turns, batch)

    monkeypatch.setattr(LaneTurns, "decide", while_another_has_it)
    async with a_trigger(real_database, "reward", "INSERT", FAIL):
        await looks(shop, TRIES_MAX + 1)

    assert attempts >= 3 * TRIES_MAX
    assert set((await tries_of(shop)).values()) == {("pending", 0)}


async def test_several_workers_and_a_fault_of_all_cost_nobody_a_try(
    real_database: Database,
) -> None:
    """The same, with workers that look all the time."""
    shop = await a_shop(flows_on(real_database), a_campaign())
    for number in range(6):
        await shop.report(f"A-{number}", clientId="buyer")
    clock = shop.flows.clock
    workers = [shop.on(flows_on(real_database, clock=clock)) for _ in range(3)]

    async def keep_looking(worker: Shop) -> None:
        for _ in range(4):
            await worker.look()

    async with a_trigger(real_database, "reward", "INSERT", FAIL):
        for _ in range(8):
            await asyncio.gather(*(keep_looking(each) for each in workers))
            clock.advance(A_WHILE)

    assert set((await tries_of(shop)).values()) == {("pending", 0)}


async def test_one_failure_costs_one_try_however_many_workers_meet_it(
    real_database: Database,
) -> None:
    """Five tries, meant to take minutes, would be over in a second."""
    shop = await a_shop_with_poison(real_database, 1)
    for number in range(24):
        await shop.report(f"B-{number:02}", clientId=f"buyer {number}", totalPrice="1")
    clock = shop.flows.clock
    workers = [shop.on(flows_on(real_database, clock=clock)) for _ in range(4)]

    async def keep_looking(worker: Shop) -> None:
        for _ in range(15):
            await worker.look()
            await asyncio.sleep(0.01)

    await asyncio.gather(*(keep_looking(each) for each in workers))

    state, charged = (await tries_of(shop))["purchase:P-000"]
    # None, if whoever met it always lost the lane before it was proven.
    assert (state, charged) in {("pending", 0), ("pending", 1)}
    # As soon as one worker is let alone with something that earns, it pays for one failure more:
    # once it has gone through what the others have left, if they left something.
    await shop.report("Z", clientId="buyer", totalPrice="1")
    for _ in range(LOOKS_MAX):
        clock.advance(HOUR)
        await shop.look()
        if (await tries_of(shop))["purchase:P-000"] != ("pending", charged):
            break
    assert (await tries_of(shop))["purchase:P-000"] == ("pending", charged + 1)
    await assert_books_balance(real_database)


async def test_what_another_worker_has_charged_is_not_charged_again(database: Database) -> None:
    """A worker that was frozen for a while would charge for what it saw then."""
    shop = await a_shop(database, a_campaign())
    for order in ("A-1", "A-2"):
        await shop.report(order, clientId="buyer")
    batch = await prepared(shop)
    async with database.transaction() as tx:
        events = (await shop.flows.turns.load_in(tx, batch)).events[:1]

    for _ in range(2):
        assert await shop.flows.setbacks.set_aside(batch, events, obstacle=Obstacle.DECIDING_FAILED)

    assert (await tries_of(shop))["purchase:A-1"] == ("pending", 1)


async def test_an_operator_may_try_again_at_once_what_has_just_died(database: Database) -> None:
    """Between its last try and its order's end of the round, it would be lost for good."""
    shop = await a_shop(database, a_campaign())
    for order in ("A-1", "A-2"):
        await shop.report(order, clientId="buyer")
    batch = await prepared(shop)
    async with database.transaction() as tx:
        await tx.execute(
            text("UPDATE interaction SET try_count = :tries WHERE order_reference = 'A-1'"),
            {"tries": TRIES_MAX - 1},
        )
        failed, other = (await shop.flows.turns.load_in(tx, batch)).events
    outcome = await shop.flows.turns.decide(batch.of([other]))
    assert outcome is not None
    await shop.flows.setbacks.set_aside(batch, [failed], obstacle=Obstacle.DECIDING_FAILED)
    assert (await states_of(shop))["purchase:A-1"] is InteractionState.DEAD

    assert await shop.flows.lane.retry_dead(shop.merchant_id, None, repeat=None) == 1
    await shop.flows.turns.finish(batch, outcome.let_go, is_complete=True)
    await shop.work()

    assert (await states_of(shop))["purchase:A-1"] is InteractionState.DECIDED


async def test_a_campaign_that_becomes_unreadable_during_a_search_costs_no_try(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was decided before would be the proof that all after it are to blame."""
    shop = await a_shop_with_poison(database, 1)
    for number in range(7):
        await shop.report(f"Z-{number}", clientId=f"buyer {number}", totalPrice="1")
    decide = LaneTurns.decide
    decided = 0

    async def break_then(turns: LaneTurns, batch: PreparedBatch) -> BatchOutcome | None:
        nonlocal decided
        outcome = await decide(turns, batch)
        assert outcome is not None
        decided += outcome.reward_count
        if decided:
            async with database.transaction() as tx:
                await tx.execute(text("UPDATE campaign_rule_version SET rule = rule - 'rewards'"))
        return outcome

    monkeypatch.setattr(LaneTurns, "decide", break_then)
    await shop.look()

    assert 0 < decided < 7
    assert {tries for _, tries in (await tries_of(shop)).values()} == {0}
    await shop.look()
    lane = await shop.flows.lane.get_lane(shop.merchant_id)
    assert lane.obstacle is Obstacle.CAMPAIGNS_UNREADABLE


@pytest.mark.parametrize("count", [1, FAILURES_MAX - 1, FAILURES_MAX, FAILURES_MAX + 1, 40])
async def test_orders_behind_poison_are_decided(database: Database, count: int) -> None:
    """One fault that some orders meet would stop all later orders of the shop, for good."""
    shop = await a_shop_with_poison(database, count)
    for number in range(3):
        await shop.report(f"Z-{number}", clientId=f"buyer {number}", totalPrice="1")

    await looks(shop, 2)

    states = await states_of(shop)
    assert [states[f"purchase:Z-{number}"] for number in range(3)] == [InteractionState.DECIDED] * 3
    # It is to blame, and an operator sees it.
    poison = [each for each in await events_of(shop) if "P-" in each.event_reference]
    assert {each.try_count for each in poison} <= {1, 2}
    assert {each.obstacle for each in poison} == {Obstacle.DECIDING_FAILED}
    await assert_books_balance(database)


@pytest.mark.parametrize("behind", ["order", "referral"])
async def test_what_comes_after_a_batch_of_poison_is_decided(
    database: Database, behind: str
) -> None:
    """A batch full of broken orders would be the last one that a shop ever sees."""
    shop = await a_shop(
        flows_on(database, batch_size=4),
        a_campaign("bought", amount=percent("100")),
        a_campaign("brought", to=Recipient.REFERRER, trigger=Trigger.REFERRAL),
        decimals=DECIMALS,
    )
    await shop.buy("whale", "A-0", totalPrice=ENORMOUS, ordered=NOON - HOUR)
    await shop.work()
    for number in range(12):
        await shop.report(
            f"P-{number:03}", clientId="whale", totalPrice=ENORMOUS, ordered=NOON - MINUTE
        )
    if behind == "order":
        await shop.report("Z", clientId="buyer", totalPrice="1")
    else:
        await shop.arrive("friend")
        await shop.arrive("brought", referrer="friend")

    await looks(shop, 1)

    tries = await tries_of(shop)
    assert [state for name, (state, _) in tries.items() if "P-" not in name] == ["decided"] * 2
    assert {tried for name, (_, tried) in tries.items() if "P-" in name} == {1}


async def test_a_proof_is_searched_farther_from_the_end_after_each_failure(
    database: Database,
) -> None:
    """Good orders between bad ones at both ends of a round would never be found."""
    shop = await a_shop_with_poison(database, 6, batch_size=4)
    await shop.report("Z", clientId="buyer", totalPrice="1")
    for number in range(10):
        await shop.report(
            f"Q-{number:03}", clientId="whale", totalPrice=ENORMOUS, ordered=NOON + MINUTE
        )

    await looks(shop, 3)

    assert (await states_of(shop))["purchase:Z"] is InteractionState.DECIDED


async def test_orders_behind_poison_are_decided_although_each_attempt_is_slow(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search would always end before it has found the first order that can be decided."""
    shop = await a_shop_with_poison(database, 2)
    for number in range(60):
        await shop.report(f"Z-{number:03}", clientId=f"buyer {number}", totalPrice="1")
    decide = LaneTurns.decide

    async def slow(turns: LaneTurns, batch: PreparedBatch) -> BatchOutcome | None:
        shop.flows.clock.advance(timedelta(milliseconds=1_500))
        return await decide(turns, batch)

    monkeypatch.setattr(LaneTurns, "decide", slow)

    await looks(shop, 8)

    states = list((await states_of(shop)).values())
    assert states.count(InteractionState.DECIDED) == 61


async def test_a_rehearsal_leaves_nothing_behind(database: Database) -> None:
    """Rewards would be written that nobody decided, or an order stay fixed."""
    shop = await a_shop_with_poison(database, 4, batch_size=4)
    await shop.report("Z", clientId="buyer", totalPrice="1")
    tables = ("reward", "transfer", "decision")
    before = [await count_of(shop, each) for each in tables]
    (lane,) = await shop.flows.reward.list_waiting_lanes()

    outcome = await shop.flows.reward.work(lane)

    assert (len(outcome.failed), outcome.decided_count) == (4, 0)
    tries = await tries_of(shop)
    assert (tries["purchase:P-000"], tries["purchase:Z"]) == (("pending", 1), ("pending", 0))
    assert [await count_of(shop, each) for each in tables] == before
    assert (await order_of(shop, "Z")).decided_generation == 0
