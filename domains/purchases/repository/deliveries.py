"""The inbox of deliveries in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from domains.purchases.model import Delivery, DeliveryState
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
# is; one that failed or is dead takes the newer body.
_KEEP = text(
    """
    INSERT INTO delivery AS known (merchant_id, delivery_id, platform, event_reference, headers,
                                   body, state, failure, failure_count, receive_time, try_time,
                                   retry_time)
    VALUES (:merchant_id, :delivery_id, :platform, :event_reference, :headers, :body, :state,
            :failure, 1, :receive_time, :receive_time, :retry_time)
    ON CONFLICT (merchant_id, platform, event_reference) DO UPDATE
    SET headers = excluded.headers, body = excluded.body, state = excluded.state,
        failure = excluded.failure, retry_time = excluded.retry_time,
        receive_time = excluded.receive_time, try_time = excluded.try_time
    WHERE known.state IN ('failed', 'dead')
    RETURNING delivery_id
    """
).bindparams(bindparam("headers", type_=JSONB))
_CLAIM_FAILED = text(
    f"""{_DELIVERY}
    WHERE state = 'failed' AND retry_time <= :now
    ORDER BY retry_time
    LIMIT 1
    FOR NO KEY UPDATE SKIP LOCKED
    """
).columns(headers=JSONB)
# A failure is charged as a try only if the shop's other deliveries were applied meanwhile.
_SET_TRIED = text(
    """
    UPDATE delivery AS tried
    SET state = CASE WHEN tries.charged >= :tries_max THEN 'dead' ELSE 'failed' END,
        retry_time = CASE WHEN tries.charged < :tries_max
                          THEN CAST(:now AS timestamptz) + CAST(:pause AS interval) END,
        failure = :failure, try_count = tries.charged, failure_count = failure_count + 1,
        try_time = :now
    FROM (
        SELECT known.merchant_id, known.delivery_id, known.try_count + CASE WHEN EXISTS (
                   SELECT FROM delivery AS other
                   WHERE other.merchant_id = known.merchant_id AND other.try_time > known.try_time
                     AND other.delivery_id > known.delivery_id
                     AND other.state IN ('applied', 'ignored')
               ) THEN 1 ELSE 0 END AS charged
        FROM delivery AS known
        WHERE known.merchant_id = :merchant_id AND known.delivery_id = :delivery_id
    ) AS tries
    WHERE tried.merchant_id = tries.merchant_id AND tried.delivery_id = tries.delivery_id
      AND tried.state = 'failed'
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
        self, tx: Transaction, delivery: Delivery, *, retry_time: datetime | None
    ) -> DeliveryId:
        """Keeps a delivery that was not applied; returns under which id."""
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
                "retry_time": retry_time,
            },
        )
        row = kept.first()
        return delivery.delivery_id if row is None else DeliveryId(row.delivery_id)

    async def claim_failed(self, tx: Transaction, *, now: datetime) -> Delivery | None:
        """Locks the failed delivery whose retry is due the longest."""
        row = (await tx.execute(_CLAIM_FAILED, {"now": now})).one_or_none()
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
    ) -> None:
        """Notes that a retry failed. Dead once that was charged `tries_max` times."""
        await tx.execute(
            _SET_TRIED,
            {
                "merchant_id": delivery.merchant_id,
                "delivery_id": delivery.delivery_id,
                "failure": failure,
                "now": now,
                "pause": pause,
                "tries_max": tries_max,
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
