"""Orders that are opened again: taken back, tried again, or heard of their rate."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Integer, Text

from domains.purchases.model.lane_queue import ReleasedOrders
from infrastructure.database.transaction import Transaction
from vocabulary.ids import MerchantId

# An order that was taken back before it was decided is open again, for its next life. One that is
# being written keeps its buyer: what was fixed once never harms.
# Locks: orders, SKIP LOCKED, because whoever calls this holds the lane.
_LIFT = text(
    """
    WITH locked AS MATERIALIZED (
        SELECT order_reference FROM shop_order
        WHERE merchant_id = :merchant_id AND order_reference = ANY(:order_references)
        FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE shop_order AS known SET decided_generation = known.decided_before
    FROM locked JOIN unnest(:order_references, :generations)
        AS lifted (order_reference, generation) USING (order_reference)
    WHERE known.merchant_id = :merchant_id AND known.order_reference = locked.order_reference
      AND known.order_reference = ANY(ARRAY(SELECT order_reference FROM locked))
      AND known.decided_generation = lifted.generation
    """
).bindparams(
    bindparam("order_references", type_=ARRAY(Text)),
    bindparam("generations", type_=ARRAY(Integer)),
)
# Locks: orders, in the order of their keys.
_REQUEUE = text(
    """
    WITH locked AS MATERIALIZED (
        SELECT order_reference FROM shop_order
        WHERE merchant_id = :merchant_id AND order_reference = ANY(:order_references)
        ORDER BY order_reference
        FOR NO KEY UPDATE
    )
    UPDATE shop_order AS known SET due_time = :now
    FROM locked JOIN unnest(:order_references, :generations)
        AS revived (order_reference, generation) USING (order_reference)
    WHERE known.merchant_id = :merchant_id AND known.order_reference = locked.order_reference
      AND known.order_reference = ANY(ARRAY(SELECT order_reference FROM locked))
      AND known.interaction_generation = revived.generation AND known.state = 'confirmed'
      AND known.generation = revived.generation AND known.due_time IS NULL
    RETURNING known.order_reference
    """
).bindparams(
    bindparam("order_references", type_=ARRAY(Text)),
    bindparam("generations", type_=ARRAY(Integer)),
)
# Orders that wait for a rate of a pair that was observed by now. Those that are being written are
# counted and left as they are: one of them would hold up whoever waits for any rate.
# Locks: orders, SKIP LOCKED. Serves itself from ix_shop_order_needed_rate.
_RELEASE_FOR_RATE = text(
    """
    WITH waiting AS MATERIALIZED (
        SELECT merchant_id, order_reference FROM shop_order
        WHERE needed_rate = :pair AND order_time >= :observe_time AND order_time < :stale_time
        ORDER BY order_time LIMIT :batch_size
    ), locked AS MATERIALIZED (
        SELECT known.merchant_id, known.order_reference FROM waiting CROSS JOIN LATERAL (
            SELECT merchant_id, order_reference FROM shop_order
            WHERE merchant_id = waiting.merchant_id AND order_reference = waiting.order_reference
              -- Not by `=`, which would have it found by the index of the rate.
              AND needed_rate IS NOT DISTINCT FROM :pair
            FOR NO KEY UPDATE SKIP LOCKED
        ) AS known
    ), released AS (
        UPDATE shop_order AS known SET due_time = :now, needed_rate = NULL
        -- No limit: it keeps PostgreSQL from taking these for a large part of the table.
        FROM (SELECT * FROM locked LIMIT (SELECT count(*) FROM locked)) AS freed
        WHERE known.merchant_id = freed.merchant_id
          AND known.order_reference = freed.order_reference
    )
    SELECT (SELECT count(*) FROM waiting) AS found_count,
           (SELECT count(*) FROM locked) AS released_count
    """
)


class ReopeningRepository:
    async def lift(
        self, tx: Transaction, merchant_id: MerchantId, lives: Sequence[tuple[str, int]]
    ) -> None:
        """Opens orders again whose lives ended before they were decided."""
        await tx.execute(
            _LIFT,
            {
                "merchant_id": merchant_id,
                "order_references": [order_reference for order_reference, _ in lives],
                "generations": [generation for _, generation in lives],
            },
        )

    async def requeue(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        lives: Sequence[tuple[str, int]],
        *,
        now: datetime,
    ) -> Sequence[str]:
        """Makes orders due now that had nothing to decide; returns which ones."""
        rows = await tx.execute(
            _REQUEUE,
            {
                "merchant_id": merchant_id,
                "order_references": [order_reference for order_reference, _ in lives],
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
