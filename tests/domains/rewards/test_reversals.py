"""Reversals on PostgreSQL: what was taken back and is yet to be dealt with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from domains.rewards.model import OrderLife
from domains.rewards.repository import ReversalRepository
from infrastructure.database.transaction import Database
from tests.support.events import add_reversal
from vocabulary.ids import MerchantId

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
SHOP, ANOTHER = MerchantId(uuid4()), MerchantId(uuid4())

reversals = ReversalRepository()


async def test_a_life_waits_for_open_reversals_of_earlier_lives_of_its_order(
    database: Database,
) -> None:
    """Two lives of one order would be paid at once, or one refund hold up all that come again."""
    async with database.transaction() as tx:
        # Set aside because it failed: it is open all the same.
        await add_reversal(tx, SHOP, order="A", retry_time=NOON + timedelta(days=1))
        await add_reversal(tx, SHOP, order="A", generation=2)
        await add_reversal(tx, SHOP, order="B", drain_time=NOON, sequence=1)
        await add_reversal(tx, SHOP, order="B", generation=2)
        await add_reversal(tx, ANOTHER, order="C")
        lives = [
            OrderLife(order_reference=order, generation=generation)
            for order in "ABCD"
            for generation in (1, 2, 3)
        ]

        found = await reversals.list_with_earlier_open(tx, SHOP, lives)

    assert {(each.order_reference, each.generation) for each in found} == {
        ("A", 2),
        ("A", 3),
        ("B", 3),
    }
