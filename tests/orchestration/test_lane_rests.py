"""Lanes that rest or are held: what was fixed for a turn that did not happen is open meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from domains.rewards.model import Obstacle
from infrastructure.database.transaction import Database
from orchestration.lane.flow.setbacks import LaneSetbacks
from orchestration.lane.flow.turns import LaneTurns
from tests.orchestration.test_lane_rounds import a_decided_life, lane_row, prepared
from tests.support.books import assert_books_balance, order_of, rewards_of
from tests.support.connections import holding
from tests.support.flows import NOON
from tests.support.races import beside
from tests.support.rules import a_campaign, percent
from tests.support.shop import Shop, a_shop
from tests.support.triggers import FAIL, a_trigger

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LOCK = "SELECT 1 FROM shop_order WHERE order_reference = 'A-1' FOR NO KEY UPDATE"


async def hold(shop: Shop, *, held: bool) -> None:
    """An operator stops a shop's lane, or lets it go on."""
    await shop.flows.lane.set_lane_held(shop.merchant_id, held=held, repeat=None)


async def hold_before_the_decision(shop: Shop) -> None:
    """An operator stops the lane when its orders are fixed and not decided."""
    prepare = LaneTurns.prepare

    async def and_hold(self: LaneTurns, *args: Any, **more: Any) -> Any:
        batch = await prepare(self, *args, **more)
        await hold(shop, held=True)
        return batch

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(LaneTurns, "prepare", and_hold)
        await shop.look()


async def test_orders_are_open_while_their_lane_is_held(database: Database) -> None:
    """An operator stops a lane just before a decision: for days no buyer's proof would count."""
    shop = await a_shop(database, a_campaign())
    await shop.report("A-1", clientId="hinted")
    await hold_before_the_decision(shop)
    assert await rewards_of(shop) == []
    shop.flows.clock.advance(DAY)
    buyer = (await shop.claim("buyer", "A-1")).identity_group_id
    await hold(shop, held=False)
    await shop.work()

    assert [each.person for each in await rewards_of(shop)] == [buyer]


async def test_an_order_that_is_written_as_its_lane_begins_to_rest_is_open(
    engine: AsyncEngine, real_database: Database
) -> None:
    """It is passed over then: for minutes the buyer's proof would be refused."""
    shop = await a_shop(real_database, a_campaign())
    await shop.report("A-1", clientId="hinted")
    batch = await prepared(shop)

    async with holding(engine, LOCK):
        # The batch fails as a whole while a message about the order is on its way.
        await shop.flows.setbacks.open_again(batch)
        await shop.flows.setbacks.set_back(
            shop.merchant_id,
            next_sequence=batch.lane.next_sequence,
            obstacle=Obstacle.TIMED_OUT,
            size=batch.size,
        )
    assert (await lane_row(shop)).retry_time is not None
    buyer = (await shop.claim("buyer", "A-1")).identity_group_id
    shop.flows.clock.advance(HOUR)
    await shop.work()

    assert [each.person for each in await rewards_of(shop)] == [buyer]


async def test_a_claim_that_is_on_its_way_as_a_lane_begins_to_rest_counts(
    engine: AsyncEngine, real_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The buyer would be told that the order is theirs, and another person be paid."""
    shop = await a_shop(real_database, a_campaign())
    await shop.report("A-1", clientId="hinted")
    open_again = LaneSetbacks.open_again
    claims = []

    async def while_it_is_claimed(self: LaneSetbacks, *args: Any) -> None:
        async with holding(engine, LOCK) as holder:
            claims.append(beside(shop.claim("buyer", "A-1")))
            await holder.until_awaited()
            await open_again(self, *args)

    monkeypatch.setattr(LaneSetbacks, "open_again", while_it_is_claimed)
    async with a_trigger(real_database, "reward", "INSERT", FAIL):
        await shop.look()
    (claimed,) = [await each for each in claims]
    assert (await lane_row(shop)).failure_count == 1
    shop.flows.clock.advance(HOUR)
    await shop.work()

    assert [each.person for each in await rewards_of(shop)] == [claimed.identity_group_id]
    await assert_books_balance(real_database)


async def test_what_a_dead_worker_fixed_is_open_while_its_lane_rests_for_its_reversals(
    database: Database,
) -> None:
    """A refund that takes too long would have the proof of all that the worker left refused."""
    shop = await a_shop(database, a_campaign())
    await shop.buy("other", "R-1")
    await shop.work()
    shop.flows.clock.advance(SECOND)
    await shop.report("A-1", clientId="hinted")
    # The worker dies here.
    await prepared(shop)
    async with a_trigger(database, "reversal", "UPDATE", "RAISE query_canceled;"):
        await shop.report("R-1", "refunded", ordered=NOON)
        await shop.look()
    assert (await lane_row(shop)).failure_count == 1
    shop.flows.clock.advance(SECOND)
    buyer = (await shop.claim("buyer", "A-1")).identity_group_id
    shop.flows.clock.advance(HOUR)
    await shop.work()

    persons = {each.event: each.person for each in await rewards_of(shop)}
    assert persons["purchase:A-1"] == buyer


async def test_what_is_decided_is_not_opened_after_a_turn_that_failed_late(
    database: Database,
) -> None:
    """Its reward would be one person's, and the order, with all its next lives, another one's."""
    shop, hinted, batch = await a_decided_life(database)

    await shop.flows.setbacks.open_again(batch)
    claimed = await shop.claim("late", "A-1")
    await shop.work()

    assert claimed.purchase_id is None
    assert (await order_of(shop, "A-1")).identity_group_id == hinted
    await assert_books_balance(database)


async def test_a_refund_does_not_end_the_rest_of_a_lane(database: Database) -> None:
    """A shop with a refund now and then would be tried in ever larger parts, each in vain."""
    shop = await a_shop(database, a_campaign())
    await shop.report("R-1", clientId="buyer", ordered=NOON)
    await shop.work()
    await shop.report("A-1", clientId="buyer")
    async with a_trigger(database, "reward", "INSERT", FAIL):
        for count in (1, 2):
            await shop.look()
            assert (await lane_row(shop)).failure_count == count
            shop.flows.clock.advance(HOUR)
        await shop.report("R-1", "refunded", ordered=NOON)
        await shop.look()

        assert (await lane_row(shop)).failure_count == 3


async def test_what_waits_for_a_rate_is_no_turn_that_succeeded(database: Database) -> None:
    """A lane that fails would be tried in ever larger parts, for an order that only waits."""
    shop = await a_shop(database, a_campaign(amount=percent("10")))
    await shop.report("A-1", currency="USD", clientId="buyer", ordered=NOON)
    for number in range(4):
        await shop.report(f"B-{number}", clientId="buyer", ordered=NOON + SECOND)
    shop.flows.clock.advance(HOUR)
    async with a_trigger(database, "reward", "INSERT", FAIL):
        for count in (1, 2, 3):
            await shop.look()
            assert (await lane_row(shop)).failure_count == count
            shop.flows.clock.advance(HOUR)

    assert (await order_of(shop, "A-1")).needed_rate == "USD/EUR"


async def test_a_released_lane_has_no_obstacle_of_before(database: Database) -> None:
    """An operator would look for a fault that is not there any more, and that nothing clears."""
    shop = await a_shop(database, a_campaign())
    await shop.report("A-1", clientId="buyer")
    async with a_trigger(database, "reward", "INSERT", FAIL):
        await shop.look()
    await hold(shop, held=True)
    shop.flows.clock.advance(SECOND)
    await shop.report("A-1", "refunded", ordered=NOON)
    await hold(shop, held=False)
    await shop.work()

    lane = await shop.flows.lane.get_lane(shop.merchant_id)
    assert (lane.due_count, lane.waiting_count, lane.obstacle) == (0, 0, Obstacle.NONE)
