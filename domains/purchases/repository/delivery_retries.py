"""Deliveries that failed or are dead, and are tried again, in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB

from domains.purchases.model import Delivery, DeliveryFailure
from domains.purchases.repository.deliveries import DELIVERY, to_delivery
from infrastructure.database.bounds import FIRST_ID
from infrastructure.database.sql_files import sql_file
from infrastructure.database.transaction import Transaction
from vocabulary.ids import DeliveryId, MerchantId

_LIST_DUE_MERCHANTS = sql_file(__file__, "list_due_merchants.sql")
_CLAIM_FAILED = text(
    f"""{DELIVERY}
    WHERE merchant_id = :merchant_id AND state = 'failed' AND retry_time <= :now
    ORDER BY retry_time
    LIMIT 1
    FOR NO KEY UPDATE SKIP LOCKED
    """
).columns(headers=JSONB, notes=JSONB)
_SET_TRIED = sql_file(__file__, "set_tried.sql")
_SET_DEAD = text(
    """
    UPDATE delivery SET state = 'dead', failure = :failure, retry_time = NULL,
        try_count = try_count + 1, failure_count = failure_count + 1, try_time = :now
    WHERE merchant_id = :merchant_id AND delivery_id = :delivery_id AND state = 'failed'
    """
)
_PUT_OFF = text(
    """
    UPDATE delivery SET retry_time = :retry_time, failure_count = failure_count + 1
    WHERE merchant_id = :merchant_id AND delivery_id = :delivery_id AND state = 'failed'
      AND failure_count = :failure_count
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


class DeliveryRetryRepository:
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
        return None if row is None else to_delivery(row)

    async def set_tried(
        self,
        tx: Transaction,
        delivery: Delivery,
        *,
        failure: DeliveryFailure,
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
                "failure": failure.text,
                "now": now,
                "pause": pause,
                "tries_max": tries_max,
                "orders_max": orders_max,
            },
        )

    async def put_off(self, tx: Transaction, delivery: Delivery, *, retry_time: datetime) -> None:
        """Has a failed delivery tried again at a time, unless somebody has tried it since."""
        await tx.execute(
            _PUT_OFF,
            {
                "merchant_id": delivery.merchant_id,
                "delivery_id": delivery.delivery_id,
                "failure_count": delivery.failure_count,
                "retry_time": retry_time,
            },
        )

    async def set_dead(
        self, tx: Transaction, delivery: Delivery, *, failure: DeliveryFailure, now: datetime
    ) -> None:
        """Notes that a failed delivery can never be applied."""
        await tx.execute(
            _SET_DEAD,
            {
                "merchant_id": delivery.merchant_id,
                "delivery_id": delivery.delivery_id,
                "failure": failure.text,
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
