"""Orders that are opened again: taken back, tried again, or heard of their rate."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Boolean, Integer, Text

from domains.purchases.model.lane_queue import FixedLife, ReleasedOrders
from infrastructure.database.transaction import Transaction
from vocabulary.ids import MerchantId

OUTCOME = """
        fixed_generation = 0,
        decided_generation = CASE WHEN gone.is_decided THEN gone.generation
                                  ELSE known.decided_generation END,
        fixed_group_id = CASE WHEN gone.is_decided OR known.decided_generation > 0
                              THEN known.fixed_group_id END,
        fixed_link = CASE WHEN gone.is_decided OR known.decided_generation > 0
                          THEN known.fixed_link END,
        fixed_report_time = CASE WHEN gone.is_decided OR known.decided_generation > 0
                                 THEN known.fixed_report_time END,
        order_time = CASE WHEN gone.is_decided OR known.decided_generation > 0
                          THEN known.order_time
                          ELSE COALESCE(known.heard_time, known.order_time) END,
        heard_time = NULL
"""
"""What an order that was fixed is once it is known whether it was decided.

Decided for good, it keeps its buyer and its times; else they are open again, with everything that
was heard meanwhile.
"""

# Lives that were fixed and not let go of: whether they were decided is known by now. An order that
# is being written is passed over, and settled next time.
# Locks: orders, SKIP LOCKED, because whoever calls this holds the lane.
_SETTLE = text(
    f"""
    WITH locked AS MATERIALIZED (
        SELECT order_reference FROM shop_order
        WHERE merchant_id = :merchant_id AND order_reference = ANY(:order_references)
        FOR NO KEY UPDATE SKIP LOCKED
    ), settled AS (
        UPDATE shop_order AS known SET {OUTCOME}
        FROM locked JOIN unnest(:order_references, :generations, :is_decided)
            AS gone (order_reference, generation, is_decided) USING (order_reference)
        WHERE known.merchant_id = :merchant_id AND known.order_reference = locked.order_reference
          AND known.order_reference = ANY(ARRAY(SELECT order_reference FROM locked))
          AND known.fixed_generation = gone.generation
    )
    SELECT order_reference FROM locked
    """
).bindparams(
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
