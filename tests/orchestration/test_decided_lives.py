"""Orders that a worker had fixed when it died, or when their shop corrected them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from infrastructure.database.transaction import Database
from orchestration.lane.flow.reversing import LaneReversals
from orchestration.lane.flow.turns import LaneTurns
from tests.orchestration.test_lane_rounds import a_decided_life, prepared
from tests.support.books import assert_books_balance, order_of, rewards_of
from tests.support.connections import holding
from tests.support.flows import NOON
from tests.support.rules import a_campaign, percent
from tests.support.shop import Shop, a_shop

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
LOCK = "SELECT 1 FROM shop_order WHERE order_reference = 'A-1' FOR NO KEY UPDATE"
TENTH = a_campaign("tenth", amount=percent("10"))


async def assert_both_lives_are_of(shop: Shop, hinted: UUID) -> None:
    """Somebody claims the second life, which is decided: it is the first one's buyer's."""
    await assert_books_balance(shop.database)
    shop.flows.clock.advance(SECOND)
    await shop.claim("late", "A-1")
    shop.flows.clock.advance(MINUTE)
    await shop.work()

    assert (await order_of(shop, "A-1")).identity_group_id == hinted
    assert [each.person for each in await rewards_of(shop)] == [hinted, hinted]
    await assert_books_balance(shop.database)


async def test_a_decided_life_whose_refund_meets_a_writer_keeps_its_buyer(
    engine: AsyncEngine, real_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that comes with a refund would hand a paid order to whoever claims it next."""
    shop, hinted, _ = await a_decided_life(real_database)
    for status in ("refunded", "confirmed"):
        await shop.report("A-1", status, ordered=NOON)
        shop.flows.clock.advance(SECOND)
    drain = LaneReversals.drain

    async def while_somebody_writes(self: LaneReversals, *args: Any) -> int | None:
        async with holding(engine, LOCK):
            return await drain(self, *args)

    with monkeypatch.context() as patched:
        patched.setattr(LaneReversals, "drain", while_somebody_writes)
        # Nobody writes any more when the next life is fixed.
        await shop.look()

    await assert_both_lives_are_of(shop, hinted)


async def test_a_decided_life_that_ends_within_a_turn_keeps_its_buyer(
    real_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refunded and paid again as a turn begins, a paid order would become another person's."""
    shop, hinted, _ = await a_decided_life(real_database)
    prepare = LaneTurns.prepare
    reports = ["refunded", "confirmed"]

    async def after_two_reports(self: LaneTurns, *args: Any, **more: Any) -> Any:
        while reports:
            await shop.report("A-1", reports.pop(0), ordered=NOON)
            shop.flows.clock.advance(SECOND)
        return await prepare(self, *args, **more)

    monkeypatch.setattr(LaneTurns, "prepare", after_two_reports)
    await shop.look()

    assert not reports
    await assert_both_lives_are_of(shop, hinted)


async def a_shop_that_waits_for_a_rate(database: Database) -> Shop:
    """Its order is to be tried again."""
    shop = await a_shop(database, TENTH)
    await shop.report("A-1", currency="USD", clientId="hinted")
    # It waits for a rate, and is tried again.
    await shop.work()
    shop.flows.clock.advance(MINUTE)
    return shop


@pytest.mark.parametrize("heard", ["claim", "date"])
async def test_a_currency_that_is_corrected_while_an_order_is_fixed_lets_go_of_it(
    database: Database, heard: str
) -> None:
    """It would be fixed for good: what buyer and shop say afterwards would count for nothing."""
    shop = await a_shop_that_waits_for_a_rate(database)
    batch = await prepared(shop)
    await shop.report("A-1", ordered=NOON, currency="GBP", clientId="hinted")
    outcome = await shop.flows.turns.decide(batch)
    assert outcome is not None
    assert outcome.decided_count == 0
    await shop.flows.turns.finish(batch, outcome.let_go, is_complete=True)
    row = await order_of(shop, "A-1")
    assert (row.fixed_generation, row.ready_round) == (0, None)
    shop.flows.clock.advance(SECOND)
    ordered = NOON if heard == "claim" else NOON - HOUR
    buyer = (await shop.arrive("hinted")).identity_group_id
    if heard == "claim":
        buyer = (await shop.claim("buyer", "A-1")).identity_group_id
    shop.flows.clock.advance(SECOND)
    await shop.report("A-1", ordered=ordered, currency="EUR", clientId="hinted")
    await shop.work()

    (reward,) = await rewards_of(shop)
    assert reward.person == buyer
    assert (await order_of(shop, "A-1")).order_time == ordered


async def test_an_order_that_is_corrected_while_it_is_fixed_leaves_the_books_right(
    database: Database,
) -> None:
    """An operator's check of the ledger would find an order that no lane is about to decide."""
    shop = await a_shop_that_waits_for_a_rate(database)
    await prepared(shop)

    await shop.report("A-1", ordered=NOON, currency="GBP", clientId="hinted")

    await assert_books_balance(database)


async def test_an_order_that_is_corrected_while_it_is_fixed_is_open_while_its_lane_rests(
    database: Database,
) -> None:
    """For minutes buyers' proof would be refused, and count for nothing in the end."""
    shop = await a_shop_that_waits_for_a_rate(database)
    batch = await prepared(shop)
    shop.flows.clock.advance(SECOND)
    await shop.report("A-1", currency="EUR", clientId="hinted", ordered=NOON)

    # The batch fails as a whole.
    await shop.flows.setbacks.open_again(batch)
    await assert_books_balance(database)
    buyer = (await shop.claim("buyer", "A-1")).identity_group_id
    await shop.work()

    (reward,) = await rewards_of(shop)
    assert reward.person == buyer
