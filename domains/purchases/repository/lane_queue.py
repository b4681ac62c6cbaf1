"""Orders as the lane of their merchant meets them: due, ready, fixed, and let go of again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import Boolean, DateTime, Integer, Text

from domains.purchases.model import Purchase
from domains.purchases.model.lane_queue import FixedOrder, LetGo
from domains.purchases.repository.orders import PURCHASE_COLUMNS, to_purchase
from infrastructure.database.bounds import FIRST_TIME
from infrastructure.database.sql_files import sql_file
from infrastructure.database.transaction import Transaction
from vocabulary.ids import MerchantId

# Orders that are locked are being written right now, and are taken in by the next round.
# Locks: orders, SKIP LOCKED. Serves itself from ix_shop_order_due.
_PROMOTE = text(
    """
    WITH due AS MATERIALIZED (
        SELECT order_reference, due_time FROM shop_order
        WHERE merchant_id = :merchant_id AND due_time IS NOT NULL AND ready_round IS NULL
          AND due_time >= :after AND due_time <= :until
        ORDER BY due_time LIMIT :batch_size
        FOR NO KEY UPDATE SKIP LOCKED
    ), promoted AS (
        UPDATE shop_order SET ready_round = :round
        WHERE merchant_id = :merchant_id
          AND order_reference = ANY(ARRAY(SELECT order_reference FROM due))
    )
    SELECT count(*) AS promoted_count, max(due_time) AS due_time FROM due
    """
)
_FIX = sql_file(__file__, "fix_orders.sql")
_LAST_READY = text(
    """
    SELECT order_time, order_reference FROM shop_order
    WHERE merchant_id = :merchant_id AND ready_round = :round
      AND (order_time, order_reference) > (:after_time, CAST(:after_reference AS text))
    ORDER BY order_time DESC, order_reference DESC
    LIMIT :batch_size OFFSET :skip
    """
)
_HAS_READY = text(
    """
    SELECT count(*) > 0 FROM (
        SELECT FROM shop_order WHERE merchant_id = :merchant_id AND ready_round = :round
        ORDER BY order_time, order_reference LIMIT 1
    ) AS first
    """
)
_LIST_FIXED = (
    text(
        f"""
        SELECT {PURCHASE_COLUMNS}
        FROM unnest(:order_references) AS asked (asked_reference) CROSS JOIN LATERAL (
            SELECT * FROM shop_order
            WHERE merchant_id = :merchant_id AND order_reference = asked_reference OFFSET 0
        ) AS known
        WHERE ready_round = :round AND fixed_generation = generation AND state = 'confirmed'
        ORDER BY order_time, order_reference
        """
    )
    .bindparams(bindparam("order_references", type_=ARRAY(Text)))
    .columns(items=JSONB)
)
_LET_GO = sql_file(__file__, "let_go.sql").bindparams(
    bindparam("order_references", type_=ARRAY(Text)),
    bindparam("generations", type_=ARRAY(Integer)),
    bindparam("due_times", type_=ARRAY(DateTime(timezone=True))),
    bindparam("needed_rates", type_=ARRAY(Text)),
    bindparam("is_decided", type_=ARRAY(Boolean)),
)


class LaneQueueRepository:
    async def promote(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        after: datetime | None,
        until: datetime,
        round_number: int,
        limit: int,
    ) -> tuple[int, datetime | None]:
        """Takes orders that are due into a round; how many, and the last due time of them."""
        row = (
            await tx.execute(
                _PROMOTE,
                {
                    "merchant_id": merchant_id,
                    "after": after or FIRST_TIME,
                    "until": until,
                    "round": round_number,
                    "batch_size": limit,
                },
            )
        ).one()
        return row.promoted_count, row.due_time

    async def fix(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        round_number: int,
        after: tuple[datetime, str] | None,
        until: datetime,
        put_off_time: datetime,
        limit: int,
    ) -> Sequence[FixedOrder]:
        """Fixes the next orders of a round, in the order of the lane.

        One that is fixed in an earlier life is due again at `put_off_time` instead.
        """
        after_time, after_reference = after or (FIRST_TIME, "")
        rows = await tx.execute(
            _FIX,
            {
                "merchant_id": merchant_id,
                "round": round_number,
                "after_time": after_time,
                "after_reference": after_reference,
                "until": until,
                "put_off_time": put_off_time,
                "batch_size": limit,
            },
        )
        return [
            FixedOrder(
                order_reference=row.order_reference,
                generation=row.generation,
                order_time=row.order_time,
                line_count=row.line_count,
                was_fixed=row.was_fixed,
            )
            for row in rows
        ]

    async def list_last_ready(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        round_number: int,
        after: tuple[datetime, str] | None,
        skip: int,
        limit: int,
    ) -> Sequence[tuple[datetime, str]]:
        """The places of orders at the end of a round, the last one first, without `skip` ones."""
        after_time, after_reference = after or (FIRST_TIME, "")
        rows = await tx.execute(
            _LAST_READY,
            {
                "merchant_id": merchant_id,
                "round": round_number,
                "after_time": after_time,
                "after_reference": after_reference,
                "skip": skip,
                "batch_size": limit,
            },
        )
        return [(row.order_time, row.order_reference) for row in rows]

    async def has_ready(
        self, tx: Transaction, merchant_id: MerchantId, *, round_number: int
    ) -> bool:
        """Whether a round has an order that was not let go of."""
        found = await tx.execute(_HAS_READY, {"merchant_id": merchant_id, "round": round_number})
        return bool(found.scalar_one())

    async def list_fixed(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        order_references: Sequence[str],
        *,
        round_number: int,
    ) -> Sequence[Purchase]:
        """Those of these orders that are fixed in this round and still paid, in lane order."""
        rows = await tx.execute(
            _LIST_FIXED,
            {
                "merchant_id": merchant_id,
                "order_references": order_references,
                "round": round_number,
            },
        )
        return [to_purchase(row) for row in rows]

    async def let_go(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        orders: Sequence[LetGo],
        *,
        round_number: int,
    ) -> None:
        """Takes orders out of a round: decided, or to be looked at again."""
        await tx.execute(
            _LET_GO,
            {
                "merchant_id": merchant_id,
                "order_references": [each.order_reference for each in orders],
                "generations": [each.generation for each in orders],
                "due_times": [each.due_time for each in orders],
                "needed_rates": [each.needed_rate for each in orders],
                "is_decided": [each.is_decided for each in orders],
                "round": round_number,
            },
        )
