"""A failure costs one try, whoever writes the order meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from domains.purchases.model.lane_queue import LetGo
from domains.rewards.model.event import TRIES_MAX
from infrastructure.database.transaction import Database, Transaction
from orchestration.lane.flow.lane_orders import LaneOrders
from orchestration.lane.flow.prepared import PreparedBatch
from tests.orchestration.test_lane_proof import a_shop_with_poison, tries_of
from tests.support.connections import holding

LOCK = "SELECT 1 FROM shop_order WHERE order_reference = 'P-000' FOR NO KEY UPDATE"


async def test_one_failure_costs_one_try_although_somebody_writes_its_order(
    engine: AsyncEngine, real_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would stay in its round: five tries, meant to take minutes, be over in one."""
    shop = await a_shop_with_poison(real_database, 1)
    let_go = LaneOrders.let_go

    async def while_it_is_written(
        self: LaneOrders, tx: Transaction, batch: PreparedBatch, gone: Sequence[LetGo]
    ) -> None:
        # Not when it is fixed next.
        async with holding(engine, LOCK):
            await let_go(self, tx, batch, gone)

    monkeypatch.setattr(LaneOrders, "let_go", while_it_is_written)
    for number in range(TRIES_MAX):
        await shop.report(f"B-{number}", clientId=f"buyer {number}", totalPrice="1")
        await shop.look()

    # All of it in one instant; the second try is due some seconds later.
    assert (await tries_of(shop))["purchase:P-000"] == ("pending", 1)
