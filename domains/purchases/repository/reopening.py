"""Orders that are opened again: taken back, tried again, or heard of their rate."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Boolean, Integer, Text

from domains.purchases.model.lane_queue import FixedLife, ReleasedOrders
from infrastructure.database.sql_files import sql_file
from infrastructure.database.transaction import Transaction
from vocabulary.ids import MerchantId

_SETTLE = sql_file(__file__, "settle.sql").bindparams(
    bindparam("order_references", type_=ARRAY(Text)),
    bindparam("generations", type_=ARRAY(Integer)),
    bindparam("is_decided", type_=ARRAY(Boolean)),
)
# Locks: orders, in the order of their keys. A statement of its own: what is changed next is as of
# now.
_LOCK = text(
    """
    SELECT FROM shop_order
    WHERE merchant_id = :merchant_id AND order_reference = ANY(:order_references)
    ORDER BY order_reference
    FOR NO KEY UPDATE
    """
).bindparams(bindparam("order_references", type_=ARRAY(Text)))
_REQUEUE = text(
    """
    UPDATE shop_order AS known SET due_time = :now
    FROM unnest(:order_references, :generations) AS revived (order_reference, generation)
    WHERE known.merchant_id = :merchant_id AND known.order_reference = revived.order_reference
      AND known.order_reference = ANY(:order_references)
      AND known.interaction_generation = revived.generation AND known.state = 'confirmed'
      AND known.generation = revived.generation AND known.due_time IS NULL
    RETURNING known.order_reference
    """
).bindparams(
    bindparam("order_references", type_=ARRAY(Text)),
    bindparam("generations", type_=ARRAY(Integer)),
)
_RELEASE_FOR_RATE = sql_file(__file__, "release_for_rate.sql")


class ReopeningRepository:
    async def settle(
        self, tx: Transaction, merchant_id: MerchantId, lives: Sequence[FixedLife]
    ) -> Sequence[str]:
        """Notes of lives that were fixed whether they were decided.

        Returns the orders of which that was noted, or that had nothing to note. The others are
        being written.
        """
        rows = await tx.execute(
            _SETTLE,
            {
                "merchant_id": merchant_id,
                "order_references": [each.order_reference for each in lives],
                "generations": [each.generation for each in lives],
                "is_decided": [each.is_decided for each in lives],
            },
        )
        return [row.order_reference for row in rows]

    async def requeue(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        lives: Sequence[tuple[str, int]],
        *,
        now: datetime,
    ) -> Sequence[str]:
        """Makes orders due now that had nothing to decide; returns which ones."""
        references = [order_reference for order_reference, _ in lives]
        await tx.execute(_LOCK, {"merchant_id": merchant_id, "order_references": references})
        rows = await tx.execute(
            _REQUEUE,
            {
                "merchant_id": merchant_id,
                "order_references": references,
                "generations": [generation for _, generation in lives],
                "now": now,
            },
        )
        return [row.order_reference for row in rows]

    async def release_for_rate(
        self,
        tx: Transaction,
        *,
        pair: str,
        observe_time: datetime,
        stale_time: datetime,
        now: datetime,
        limit: int,
    ) -> ReleasedOrders:
        """Makes orders due now that waited for a rate as of their time."""
        row = (
            await tx.execute(
                _RELEASE_FOR_RATE,
                {
                    "pair": pair,
                    "observe_time": observe_time,
                    "stale_time": stale_time,
                    "now": now,
                    "batch_size": limit,
                },
            )
        ).one()
        return ReleasedOrders(found_count=row.found_count, count=row.released_count)
