"""Turns whose end fails, or takes too long: the lane is set back all the same, and goes on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from domains.rewards.model import Obstacle
from infrastructure.database.engine import Limits
from infrastructure.database.transaction import Database
from localmesh.postgres import Postgres
from tests.orchestration.test_lane_reversals import refunded_between_two_turns
from tests.orchestration.test_lane_rounds import lane_row
from tests.orchestration.test_lane_sizes import a_hasty_worker, looks
from tests.support.books import amounts_of
from tests.support.flows import flows_on
from tests.support.rules import a_campaign
from tests.support.shop import Shop, a_shop
from tests.support.triggers import a_trigger

SECOND = timedelta(seconds=1)
HASTY = Limits(statement=timedelta(milliseconds=300))
_SLOW_TO_LET_GO = """
    IF OLD.fixed_generation > 0 AND NEW.fixed_generation = 0 THEN PERFORM pg_sleep(0.1); END IF;
"""


async def a_shop_with_orders(database: Database, count: int) -> Shop:
    """Orders of one buyer, a second apart."""
    shop = await a_shop(database, a_campaign())
    for number in range(count):
        await shop.report(f"S-{number:02}", clientId="buyer")
        shop.flows.clock.advance(SECOND)
    return shop


async def test_letting_go_that_takes_too_long_is_tried_with_fewer(
    real_database: Database, postgres: Postgres
) -> None:
    """The next turn would be as large, end the same way, and nothing behind it be paid."""
    shop = await a_shop_with_orders(real_database, 12)

    async with (
        a_trigger(real_database, "shop_order", "UPDATE", _SLOW_TO_LET_GO),
        a_hasty_worker(shop, postgres, HASTY) as worker,
    ):
        await looks(worker, 8)

    assert len(await amounts_of(shop)) == 12


async def test_a_slow_end_of_a_failed_turn_sets_the_lane_back(
    real_database: Database, postgres: Postgres
) -> None:
    """The lane would try the same at once and for ever, and no operator see why."""
    shop = await a_shop_with_orders(real_database, 8)
    async with real_database.transaction() as tx:
        await tx.execute(text("UPDATE campaign_rule_version SET rule = rule - 'rewards'"))

    async with (
        a_trigger(real_database, "shop_order", "UPDATE", _SLOW_TO_LET_GO),
        a_hasty_worker(shop, postgres, HASTY) as worker,
    ):
        await worker.look()

    row = await lane_row(shop)
    assert (row.obstacle, row.failure_count) == (Obstacle.CAMPAIGNS_UNREADABLE, 1)


async def test_a_turn_that_fails_after_another_one_sets_the_lane_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look whose second turn fails would leave the lane as if nothing stood in its way."""
    shop = await a_shop(flows_on(database, batch_size=1), a_campaign())
    await refunded_between_two_turns(shop, monkeypatch)
    async with a_trigger(database, "reversal", "UPDATE", "RAISE query_canceled;"):
        await shop.look()

    row = await lane_row(shop)
    assert (row.obstacle, row.failure_count) == (Obstacle.TIMED_OUT, 1)
