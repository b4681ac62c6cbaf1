"""The inbox of deliveries in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from domains.purchases.model import Delivery, DeliveryState
from infrastructure.database.bounds import FIRST_ID
from infrastructure.database.transaction import Transaction
from vocabulary.ids import DeliveryId, MerchantId

_DELIVERY = "SELECT * FROM delivery"
_LIST_DELIVERIES = text(
    f"""{_DELIVERY}
    WHERE merchant_id = :merchant_id
      AND (CAST(:state AS text) IS NULL OR state = :state)
      AND (CAST(:after AS uuid) IS NULL OR delivery_id < :after)
    ORDER BY delivery_id DESC
    LIMIT :limit
    """
).columns(headers=JSONB)
# A delivery that cannot be applied is kept. One of the same event that was applied stays as it
# is; one that failed or is dead takes the newer body, and stays of when it first came.
_KEEP = text(
    """
    INSERT INTO delivery AS known (merchant_id, delivery_id, platform, event_reference, headers,
                                   body, state, failure, failure_count, receive_time, try_time,
                                   retry_time)
    VALUES (:merchant_id, :delivery_id, :platform, :event_reference, :headers, :body, :state,
            :failure, 1, :receive_time, :now, :retry_time)
    ON CONFLICT (merchant_id, platform, event_reference) DO UPDATE
    SET headers = excluded.headers, body = excluded.body, state = excluded.state,
        failure = excluded.failure, retry_time = excluded.retry_time,
        receive_time = LEAST(known.receive_time, excluded.receive_time),
        try_time = excluded.try_time
    WHERE known.state IN ('failed', 'dead')
    RETURNING delivery_id
    """
).bindparams(bindparam("headers", type_=JSONB))
# From one merchant to the next, by one step into the index each.
_LIST_DUE_MERCHANTS = text(
    """
    WITH RECURSIVE failed AS (
        SELECT first.merchant_id, first.retry_time,
               CASE WHEN first.retry_time <= :now THEN 1 ELSE 0 END AS number
        FROM (
            SELECT merchant_id, retry_time FROM delivery
            WHERE state = 'failed' AND merchant_id > :after
            ORDER BY merchant_id, retry_time LIMIT 1
        ) AS first
        UNION ALL
        SELECT next.merchant_id, next.retry_time,
               failed.number + CASE WHEN next.retry_time <= :now THEN 1 ELSE 0 END
        FROM failed CROSS JOIN LATERAL (
            SELECT merchant_id, retry_time FROM delivery
            WHERE state = 'failed' AND merchant_id > failed.merchant_id
            ORDER BY merchant_id, retry_time LIMIT 1
        ) AS next
        WHERE failed.number < :batch_size
    )
    SELECT merchant_id FROM failed WHERE retry_time <= :now ORDER BY merchant_id
    """
)
_CLAIM_FAILED = text(
    f"""{_DELIVERY}
    WHERE merchant_id = :merchant_id AND state = 'failed' AND retry_time <= :now
    ORDER BY retry_time
    LIMIT 1
    FOR NO KEY UPDATE SKIP LOCKED
    """
).columns(headers=JSONB)
# A failure is charged as a try only if orders came since the last try, were applied, and earn: else
# what it fails of may be what all that earn fail of. An order that was claimed before its report is
# no evidence, nor is one of long ago. In doubt nothing is charged.
# Serves itself from ix_shop_order_purchase.
_SET_TRIED = text(
    """
    WITH known AS MATERIALIZED (
        SELECT ctid AS place, state, try_count, try_time FROM delivery
        WHERE merchant_id = :merchant_id AND delivery_id BETWEEN :delivery_id AND :delivery_id
        -- Found by the key, whatever PostgreSQL believes of the table.
        ORDER BY delivery_id LIMIT 1
    ), tries AS MATERIALIZED (
        SELECT known.place, known.try_count + CASE WHEN EXISTS (
                   SELECT FROM (
                       SELECT create_time, interaction_generation FROM shop_order
                       WHERE merchant_id = :merchant_id AND purchase_id IS NOT NULL
                       ORDER BY purchase_id DESC LIMIT :orders_max
                   ) AS newest
                   WHERE newest.create_time > known.try_time AND newest.interaction_generation > 0
               ) THEN 1 ELSE 0 END AS charged
        FROM known WHERE known.state = 'failed'
    )
    UPDATE delivery
    SET (state, retry_time, try_count) = (
            SELECT CASE WHEN charged >= :tries_max THEN 'dead' ELSE 'failed' END,
                   CASE WHEN charged < :tries_max
                        THEN CAST(:now AS timestamptz) + CAST(:pause AS interval) END,
                   charged
            FROM tries
        ),
        failure = :failure, failure_count = failure_count + 1, try_time = :now
    WHERE ctid = (SELECT place FROM tries)
    """
)
_SET_DEAD = text(
    """
    UPDATE delivery SET state = 'dead', failure = :failure, retry_time = NULL,
        try_count = try_count + 1, failure_count = failure_count + 1, try_time = :now
    WHERE merchant_id = :merchant_id AND delivery_id = :delivery_id AND state = 'failed'
    """
)
_REVIVE = text(
    """
    UPDATE delivery SET state = 'failed', try_count = 0, retry_time = :now
    WHERE merchant_id = :merchant_id AND state = 'dead' AND delivery_id = ANY(ARRAY(
        SELECT delivery_id FROM delivery
        WHERE merchant_id = :merchant_id AND state = 'dead'
          AND (CAST(:delivery_id AS uuid) IS NULL OR delivery_id = :delivery_id)
        ORDER BY delivery_id LIMIT :batch_size))
    RETURNING delivery_id
    """
)
_STATE = text(
    "SELECT state FROM delivery WHERE merchant_id = :merchant_id AND delivery_id = :delivery_id"
)
_FORGET_DELIVERIES = text(
    """
    DELETE FROM delivery WHERE (merchant_id, delivery_id) IN (
        SELECT merchant_id, delivery_id FROM delivery WHERE receive_time < :before
        LIMIT :batch_size)
    """
)


class DeliveryRepository:
    async def keep(
        self,
        tx: Transaction,
        delivery: Delivery,
        *,
        now: datetime,
        retry_time: datetime | None,
    ) -> DeliveryId:
        """Keeps a delivery that was not applied; returns under which id.

        One that was kept before stays of when it was first received.
        """
        kept = await tx.execute(
            _KEEP,
            {
                "merchant_id": delivery.merchant_id,
                "delivery_id": delivery.delivery_id,
                "platform": delivery.platform,
                "event_reference": delivery.event_reference,
                "headers": delivery.headers,
                "body": delivery.body,
                "state": delivery.state,
                "failure": delivery.failure,
                "receive_time": delivery.receive_time,
                "now": now,
                "retry_time": retry_time,
            },
        )
        row = kept.first()
        return delivery.delivery_id if row is None else DeliveryId(row.delivery_id)

    async def list_due_merchants(
        self, tx: Transaction, *, after: MerchantId | None, now: datetime, limit: int
    ) -> Sequence[MerchantId]:
        """The next merchants, by their ids, of whom a failed delivery is due to be tried again."""
        found = await tx.execute(
            _LIST_DUE_MERCHANTS, {"after": after or FIRST_ID, "now": now, "batch_size": limit}
        )
        return [MerchantId(merchant_id) for merchant_id in found.scalars()]

    async def claim_failed(
        self, tx: Transaction, merchant_id: MerchantId, *, now: datetime
    ) -> Delivery | None:
        """Locks the failed delivery of a merchant whose retry is due the longest."""
        found = await tx.execute(_CLAIM_FAILED, {"merchant_id": merchant_id, "now": now})
        row = found.one_or_none()
        return None if row is None else _delivery(row)

    async def set_tried(
        self,
        tx: Transaction,
        delivery: Delivery,
        *,
        failure: str,
        now: datetime,
        pause: timedelta,
        tries_max: int,
        orders_max: int,
    ) -> None:
        """Notes that a retry failed. Dead once that was charged `tries_max` times.

        The merchant's `orders_max` newest orders say whether it is charged.
        """
        await tx.execute(
            _SET_TRIED,
            {
                "merchant_id": delivery.merchant_id,
                "delivery_id": delivery.delivery_id,
                "failure": failure,
                "now": now,
                "pause": pause,
                "tries_max": tries_max,
                "orders_max": orders_max,
            },
        )

    async def set_dead(
        self, tx: Transaction, delivery: Delivery, *, failure: str, now: datetime
    ) -> None:
        """Notes that a failed delivery can never be applied."""
        await tx.execute(
            _SET_DEAD,
            {
                "merchant_id": delivery.merchant_id,
                "delivery_id": delivery.delivery_id,
                "failure": failure,
                "now": now,
            },
        )

    async def revive(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        delivery_id: DeliveryId | None,
        *,
        now: datetime,
        batch_size: int,
    ) -> int:
        """Has dead deliveries tried again, one or up to `batch_size`; returns how many."""
        revived = await tx.execute(
            _REVIVE,
            {
                "merchant_id": merchant_id,
                "delivery_id": delivery_id,
                "now": now,
                "batch_size": batch_size,
            },
        )
        return len(revived.all())

    async def find_state(
        self, tx: Transaction, merchant_id: MerchantId, delivery_id: DeliveryId
    ) -> DeliveryState | None:
        """Where a delivery stands; None if there is none with this id."""
        found = await tx.execute(_STATE, {"merchant_id": merchant_id, "delivery_id": delivery_id})
        state = found.scalar_one_or_none()
        return None if state is None else DeliveryState(state)

    async def list_of_merchant(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        state: DeliveryState | None,
        after: UUID | None,
        limit: int,
    ) -> Sequence[Delivery]:
        """The deliveries of a merchant's shop, newest first."""
        rows = await tx.execute(
            _LIST_DELIVERIES,
            {"merchant_id": merchant_id, "state": state, "after": after, "limit": limit},
        )
        return [_delivery(row) for row in rows]

    async def forget_old(self, tx: Transaction, *, before: datetime, batch_size: int) -> int:
        """Forgets old deliveries; returns how many."""
        result = await tx.execute(_FORGET_DELIVERIES, {"before": before, "batch_size": batch_size})
        return result.rowcount


def _delivery(row: Any) -> Delivery:
    return Delivery(
        delivery_id=DeliveryId(row.delivery_id),
        merchant_id=MerchantId(row.merchant_id),
        platform=row.platform,
        event_reference=row.event_reference,
        headers=row.headers,
        body=row.body,
        state=DeliveryState(row.state),
        failure=row.failure,
        try_count=row.try_count,
        failure_count=row.failure_count,
        receive_time=row.receive_time,
    )
