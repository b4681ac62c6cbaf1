"""Orders and deliveries in SQL. The two hot paths write orders by statements of their own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import Uuid

from domains.purchases.model import (
    Delivery,
    DeliveryState,
    Link,
    OrderItem,
    OrderState,
    Purchase,
)
from infrastructure.database.transaction import Transaction
from vocabulary.ids import DeliveryId, IdentityGroupId, MerchantId, PurchaseId

_PURCHASE = """
    SELECT merchant_id, order_reference, purchase_id, customer_reference, state, total, currency,
           items, identity_group_id, link, generation, order_time, event_time
    FROM shop_order
"""
_FIND = text(
    f"{_PURCHASE} WHERE merchant_id = :merchant_id AND purchase_id = :purchase_id"
).columns(items=JSONB)
_LIST_SOME = (
    text(f"{_PURCHASE} WHERE purchase_id = ANY(:purchase_ids)")
    .bindparams(bindparam("purchase_ids", type_=ARRAY(Uuid)))
    .columns(items=JSONB)
)
_LIST = text(
    f"""{_PURCHASE}
    WHERE merchant_id = :merchant_id AND purchase_id IS NOT NULL
      AND (CAST(:after AS uuid) IS NULL OR purchase_id < :after)
    ORDER BY purchase_id DESC
    LIMIT :limit
    """
).columns(items=JSONB)
_LIST_OF_ORDER = text(
    f"""{_PURCHASE}
    WHERE merchant_id = :merchant_id AND order_reference = :order_reference
      AND purchase_id IS NOT NULL
      AND (CAST(:after AS uuid) IS NULL OR purchase_id < :after)
    LIMIT :limit
    """
).columns(items=JSONB)
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
                                   body, state, failure, receive_time, retry_time)
    VALUES (:merchant_id, :delivery_id, :platform, :event_reference, :headers, :body, :state,
            :failure, :receive_time, :retry_time)
    ON CONFLICT (merchant_id, platform, event_reference) DO UPDATE
    SET headers = excluded.headers, body = excluded.body, state = excluded.state,
        failure = excluded.failure, retry_time = excluded.retry_time,
        receive_time = excluded.receive_time
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
_SET_TRIED = text(
    """
    UPDATE delivery
    SET state = :state, failure = :failure, retry_time = :retry_time, try_count = try_count + 1
    WHERE merchant_id = :merchant_id AND delivery_id = :delivery_id AND state = 'failed'
    """
)
_FORGET_DELIVERIES = text(
    """
    DELETE FROM delivery WHERE (merchant_id, delivery_id) IN (
        SELECT merchant_id, delivery_id FROM delivery WHERE receive_time < :before
        LIMIT :batch_size)
    """
)
_FORGET_CLAIMS = text(
    """
    DELETE FROM shop_order WHERE (merchant_id, order_reference) IN (
        SELECT merchant_id, order_reference FROM shop_order
        WHERE purchase_id IS NULL AND create_time < :before
          AND claim_times[cardinality(claim_times)] < :before
        LIMIT :batch_size
        FOR UPDATE SKIP LOCKED)
    """
)


class PurchaseRepository:
    async def find(
        self, tx: Transaction, merchant_id: MerchantId, purchase_id: PurchaseId
    ) -> Purchase | None:
        row = (
            await tx.execute(_FIND, {"merchant_id": merchant_id, "purchase_id": purchase_id})
        ).one_or_none()
        return None if row is None else _purchase(row)

    async def list_some(
        self, tx: Transaction, purchase_ids: Sequence[PurchaseId]
    ) -> Sequence[Purchase]:
        """These purchases, in no order."""
        rows = await tx.execute(_LIST_SOME, {"purchase_ids": purchase_ids})
        return [_purchase(row) for row in rows]

    async def list_of_merchant(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        order_reference: str,
        after: UUID | None,
        limit: int,
    ) -> Sequence[Purchase]:
        """A merchant's purchases, newest first; only one order's if it is named."""
        rows = await tx.execute(
            _LIST_OF_ORDER if order_reference else _LIST,
            {
                "merchant_id": merchant_id,
                "after": after,
                "limit": limit,
                **({"order_reference": order_reference} if order_reference else {}),
            },
        )
        return [_purchase(row) for row in rows]

    async def forget_waiting_claims(
        self, tx: Transaction, *, before: datetime, batch_size: int
    ) -> int:
        """Forgets claims that no order met; returns of how many orders."""
        result = await tx.execute(_FORGET_CLAIMS, {"before": before, "batch_size": batch_size})
        return result.rowcount


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
        state: DeliveryState,
        failure: str,
        retry_time: datetime | None,
    ) -> None:
        await tx.execute(
            _SET_TRIED,
            {
                "merchant_id": delivery.merchant_id,
                "delivery_id": delivery.delivery_id,
                "state": state,
                "failure": failure,
                "retry_time": retry_time,
            },
        )

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


def _purchase(row: Any) -> Purchase:
    return Purchase(
        purchase_id=PurchaseId(row.purchase_id),
        merchant_id=MerchantId(row.merchant_id),
        order_reference=row.order_reference,
        customer_reference=row.customer_reference,
        state=OrderState(row.state),
        total=row.total,
        currency=row.currency,
        items=tuple(OrderItem.from_document(document) for document in row.items),
        identity_group_id=None
        if row.identity_group_id is None
        else IdentityGroupId(row.identity_group_id),
        link=None if row.link is None else Link(row.link),
        generation=row.generation,
        order_time=row.order_time,
        event_time=row.event_time,
    )


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
        receive_time=row.receive_time,
    )
