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
from infrastructure.database.sql_files import sql_file
from infrastructure.database.transaction import Transaction
from vocabulary.ids import DeliveryId, MerchantId
from vocabulary.recording import IdRange

DELIVERY = f"SELECT {columns_of(delivery)} FROM delivery"
_LIST_DELIVERIES = (
    sql_file(__file__, "list_deliveries.sql", columns=columns_of(delivery))
    .bindparams(bindparam("states", type_=ARRAY(Text)))
    .columns(headers=JSONB, notes=JSONB)
)
_KEEP = sql_file(__file__, "keep_delivery.sql").bindparams(bindparam("headers", type_=JSONB))
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
