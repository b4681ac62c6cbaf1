"""The inbox of deliveries in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import Text

from domains.purchases.model import Delivery, DeliveryFailure, DeliveryState, Note, PassedOver
from domains.purchases.tables import delivery
from infrastructure.database.metadata import columns_of
from infrastructure.database.newest import newest_of_states
from infrastructure.database.transaction import Transaction
from vocabulary.ids import DeliveryId, MerchantId
from vocabulary.recording import IdRange

DELIVERY = f"SELECT {columns_of(delivery)} FROM delivery"
_LIST_DELIVERIES = (
    text(
        f"""
        SELECT {columns_of(delivery)}
        FROM ({newest_of_states("delivery", "delivery_id")}) AS delivery
        ORDER BY delivery_id DESC LIMIT :limit
        """
    )
    .bindparams(bindparam("states", type_=ARRAY(Text)))
    .columns(headers=JSONB, notes=JSONB)
)
# A delivery that was not applied is kept. If it was applied before it stays as it is; if it failed
# or is dead it stays of when it first came.
_KEEP = text(
    """
    INSERT INTO delivery AS known (merchant_id, delivery_id, platform, signed_digest,
                                   event_reference, headers, body, state, failure,
                                   passed_over, failure_count, receive_time, body_time,
                                   try_time, retry_time)
    VALUES (:merchant_id, :delivery_id, :platform, :signed_digest, :event_reference, :headers,
            :body, :state, :failure, :passed_over,
            CASE WHEN CAST(:passed_over AS text) = '' THEN 1 ELSE 0 END,
            :receive_time, :body_time, :now, :retry_time)
    ON CONFLICT (merchant_id, platform, signed_digest) DO UPDATE
    SET state = excluded.state, failure = excluded.failure, passed_over = excluded.passed_over,
        retry_time = excluded.retry_time,
        receive_time = LEAST(known.receive_time, excluded.receive_time),
        body_time = LEAST(known.body_time, excluded.body_time),
        -- Whoever sends a dead one again wants it to be tried as often as a new one.
        try_count = CASE WHEN known.state = 'dead' AND excluded.state = 'failed' THEN 0
                         ELSE known.try_count END,
        try_time = excluded.try_time
    WHERE known.state IN ('failed', 'dead')
    RETURNING delivery_id
    """
).bindparams(bindparam("headers", type_=JSONB))
_STATE = text(
    "SELECT state FROM delivery WHERE merchant_id = :merchant_id AND delivery_id = :delivery_id"
)
_FORGET_DELIVERIES = text(
    """
    DELETE FROM delivery WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM delivery WHERE receive_time < :before
        ORDER BY receive_time LIMIT :batch_size))
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
                "signed_digest": delivery.signed_digest,
                "event_reference": delivery.event_reference,
                "headers": delivery.headers,
                "body": delivery.body,
                "state": delivery.state,
                "failure": "" if delivery.failure is None else delivery.failure.text,
                "passed_over": delivery.passed_over,
                "receive_time": delivery.receive_time,
                "body_time": delivery.body_time,
                "now": now,
                "retry_time": retry_time,
            },
        )
        row = kept.first()
        return delivery.delivery_id if row is None else DeliveryId(row.delivery_id)

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
        within: IdRange,
        limit: int,
    ) -> Sequence[Delivery]:
        """The deliveries of a merchant's shop with these ids, most recently recorded first."""
        rows = await tx.execute(
            _LIST_DELIVERIES,
            {
                "merchant_id": merchant_id,
                "states": list(DeliveryState) if state is None else [state],
                "first_id": within.first,
                "end_id": within.end,
                "limit": limit,
            },
        )
        return [to_delivery(row) for row in rows]

    async def forget_old(self, tx: Transaction, *, before: datetime, batch_size: int) -> int:
        """Forgets old deliveries; returns how many."""
        result = await tx.execute(_FORGET_DELIVERIES, {"before": before, "batch_size": batch_size})
        return result.rowcount


def to_delivery(row: Any) -> Delivery:
    """A row as it was read."""
    return Delivery(
        delivery_id=DeliveryId(row.delivery_id),
        merchant_id=MerchantId(row.merchant_id),
        platform=row.platform,
        signed_digest=row.signed_digest,
        event_reference=row.event_reference,
        headers=row.headers,
        body=row.body,
        state=DeliveryState(row.state),
        failure=DeliveryFailure.from_text(row.failure),
        passed_over=PassedOver(row.passed_over),
        notes=tuple(Note.from_document(document) for document in row.notes),
        try_count=row.try_count,
        failure_count=row.failure_count,
        receive_time=row.receive_time,
        body_time=row.body_time,
    )
