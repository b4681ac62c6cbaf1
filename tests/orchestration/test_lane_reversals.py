"""What was taken back is dealt with before anything is decided that it would pay for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from infrastructure.database.transaction import Database
from orchestration.lane.flow.reversing import LaneReversals
from orchestration.lane.flow.turns import LaneTurns
from tests.orchestration.test_lane_rounds import prepared, the_lane
from tests.support.books import amounts_of, assert_books_balance, order_of, rewards_of
from tests.support.connections import holding
from tests.support.flows import NOON, flows_on
from tests.support.rules import Limit, a_campaign, percent
from tests.support.shop import Shop, a_shop
from tests.support.triggers import FAIL, a_trigger

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
ONE = a_campaign(limits=(Limit(amount="1"),))


async def a_shop_with_an_order_paid_again(database: Database) -> Shop:
    """Paid, decided, cancelled, paid again; the budget is enough for one of the two."""
    shop = await a_shop(database, ONE)
    await shop.buy("buyer", "A-1")
    await shop.work()
    for status in ("cancelled", "confirmed"):
        shop.flows.clock.advance(SECOND)
        await shop.report("A-1", status, ordered=NOON)
    return shop


async def refunded_between_two_turns(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A-1 is paid, B-1 and C-1 are due; A-1 will be refunded after the next turn."""
    await shop.buy("buyer", "A-1")
    await shop.work()
    for order in ("B-1", "C-1"):
        shop.flows.clock.advance(MINUTE)
        await shop.buy("buyer", order)
    finish = LaneTurns.finish
    turns = 0

    async def finish_and_refund(self: LaneTurns, *args: Any, **more: Any) -> None:
        nonlocal turns
        await finish(self, *args, **more)
        turns += 1
        if turns == 1:
            await shop.report("A-1", "refunded", ordered=NOON)

    monkeypatch.setattr(LaneTurns, "finish", finish_and_refund)


async def test_a_refund_between_two_turns_frees_what_the_second_one_needs(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look lasts for twenty turns: what was taken back meanwhile would be seen too late."""
    shop = await a_shop(flows_on(database, batch_size=1), ONE)
    await refunded_between_two_turns(shop, monkeypatch)
    await shop.look()

    # B-1 was decided before the refund was heard of, C-1 after it.
    assert dict(await amounts_of(shop)) == {"purchase:A-1": 0, "purchase:C-1": 1_000_000}


@pytest.mark.parametrize("limits", [(Limit(amount="1"),), ()])
async def test_nothing_is_decided_while_another_worker_keeps_refunds_from_being_dealt_with(
    engine: AsyncEngine,
    real_database: Database,
    monkeypatch: pytest.MonkeyPatch,
    limits: tuple[Limit, ...],
) -> None:
    """An order would be refused for want of what is free, or be paid for two lives at once."""
    shop = await a_shop(real_database, a_campaign(limits=limits))
    await shop.buy("buyer", "A-1")
    await shop.work()
    for status in ("cancelled", "confirmed"):
        shop.flows.clock.advance(SECOND)
        await shop.report("A-1", status, ordered=NOON)
    drain = LaneReversals.drain

    async def while_another_has_the_lane(self: LaneReversals, *args: Any) -> int | None:
        lock = "SELECT 1 FROM reward_lane WHERE merchant_id = :merchant_id FOR NO KEY UPDATE"
        async with holding(engine, lock, merchant_id=shop.merchant_id):
            return await drain(self, *args)

    with monkeypatch.context() as patched:
        patched.setattr(LaneReversals, "drain", while_another_has_the_lane)
        await shop.look()
    assert await amounts_of(shop) == [("purchase:A-1", 1_000_000)]
    await shop.work()

    assert dict(await amounts_of(shop)) == {"purchase:A-1": 0, "purchase:A-1#2": 1_000_000}
    await assert_books_balance(real_database)


async def test_a_new_life_waits_until_the_one_before_was_taken_back(database: Database) -> None:
    """A refund that fails once would have two lives of one order paid, or the new one refused."""
    shop = await a_shop_with_an_order_paid_again(database)

    async with a_trigger(database, "reward", "UPDATE", FAIL):
        await shop.look()
    assert await amounts_of(shop) == [("purchase:A-1", 1_000_000)]
    await assert_books_balance(database)
    # It is open meanwhile.
    assert (await order_of(shop, "A-1")).decided_generation == 1
    for _ in range(2):
        shop.flows.clock.advance(MINUTE)
        await shop.work()

    assert dict(await amounts_of(shop)) == {"purchase:A-1": 0, "purchase:A-1#2": 1_000_000}
    await assert_books_balance(database)


async def test_a_new_life_is_its_own_buyer_s_although_a_look_is_old(database: Database) -> None:
    """What a worker that died had fixed of the life before would be decided as that one's."""
    shop = await a_shop(database, a_campaign(amount=percent("10")))
    await shop.report("A-1", clientId="hinted")
    await prepared(shop)
    lane = await the_lane(shop)
    for status in ("refunded", "confirmed"):
        shop.flows.clock.advance(SECOND)
        await shop.report("A-1", status, ordered=NOON, currency="USD")
    assert not lane.has_reversals

    await shop.flows.reward.work(lane)
    shop.flows.clock.advance(SECOND)
    buyer = (await shop.claim("buyer", "A-1")).identity_group_id
    await shop.report("A-1", ordered=NOON, currency="EUR")
    shop.flows.clock.advance(MINUTE)
    await shop.work()

    (reward,) = await rewards_of(shop)
    assert reward.person == buyer


async def test_a_refund_whose_order_is_held_keeps_nobody_from_being_paid(
    engine: AsyncEngine, real_database: Database
) -> None:
    """A lane that takes one at a time would do nothing else than look at that refund."""
    shop = await a_shop(flows_on(real_database, batch_size=1), a_campaign())
    await shop.buy("buyer", "A-1")
    await shop.work()
    shop.flows.clock.advance(SECOND)
    await shop.report("A-1", "refunded", ordered=NOON)
    await shop.buy("buyer", "B-1")

    lock = "SELECT 1 FROM shop_order WHERE order_reference = 'A-1' FOR NO KEY UPDATE"
    async with holding(engine, lock):
        await shop.look()
        assert dict(await amounts_of(shop)) == {
            "purchase:A-1": 1_000_000,
            "purchase:B-1": 1_000_000,
        }
    await shop.work()

    assert dict(await amounts_of(shop)) == {"purchase:A-1": 0, "purchase:B-1": 1_000_000}
    await assert_books_balance(real_database)
