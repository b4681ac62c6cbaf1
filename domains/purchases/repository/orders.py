"""Orders in SQL. The two hot paths write them by statements of their own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import Text, Uuid

from domains.purchases.model import Link, OrderItem, OrderState, Purchase
from infrastructure.database.transaction import Transaction
from vocabulary.ids import IdentityGroupId, MerchantId, PurchaseId

PURCHASE_COLUMNS = """merchant_id, order_reference, purchase_id, customer_reference, state, total,
    currency, items, identity_group_id, link, generation, order_time, event_time"""
_PURCHASE = f"SELECT {PURCHASE_COLUMNS} FROM shop_order"
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
_LIST_BY_REFERENCE = (
    text(
        f"""{_PURCHASE}
        WHERE merchant_id = :merchant_id AND order_reference = ANY(:order_references)
          AND purchase_id IS NOT NULL
        """
    )
    .bindparams(bindparam("order_references", type_=ARRAY(Text)))
    .columns(items=JSONB)
)
# Orders that were never reported, and of the others those that are not decided, with claims that
# waited long enough. Locked first: what is read next is as of then.
_LOCK_CLAIMED = text(
    """
    SELECT known.merchant_id, known.order_reference FROM shop_order AS known
    WHERE (known.merchant_id, known.order_reference) IN (
        SELECT merchant_id, order_reference FROM order_claim
        WHERE create_time < :before
        ORDER BY create_time LIMIT :batch_size)
    ORDER BY known.merchant_id, known.order_reference
    FOR UPDATE SKIP LOCKED
    """
)
_FORGET_CLAIMS = text(
    """
    DELETE FROM order_claim USING unnest(:merchant_ids, :order_references)
        AS locked (merchant_id, order_reference)
    WHERE order_claim.merchant_id = locked.merchant_id
      AND order_claim.order_reference = locked.order_reference
      AND order_claim.create_time < :before
    """
).bindparams(
    bindparam("merchant_ids", type_=ARRAY(Uuid)), bindparam("order_references", type_=ARRAY(Text))
)
_FORGET_UNREPORTED = text(
    """
    DELETE FROM shop_order AS known USING unnest(:merchant_ids, :order_references)
        AS locked (merchant_id, order_reference)
    WHERE known.merchant_id = locked.merchant_id
      AND known.order_reference = locked.order_reference AND known.purchase_id IS NULL
      AND NOT EXISTS (
          SELECT FROM order_claim
          WHERE order_claim.merchant_id = locked.merchant_id
            AND order_claim.order_reference = locked.order_reference)
    """
).bindparams(
    bindparam("merchant_ids", type_=ARRAY(Uuid)), bindparam("order_references", type_=ARRAY(Text))
)


class PurchaseRepository:
    async def find(
        self, tx: Transaction, merchant_id: MerchantId, purchase_id: PurchaseId
    ) -> Purchase | None:
        row = (
            await tx.execute(_FIND, {"merchant_id": merchant_id, "purchase_id": purchase_id})
        ).one_or_none()
        return None if row is None else to_purchase(row)

    async def list_some(
        self, tx: Transaction, purchase_ids: Sequence[PurchaseId]
    ) -> Sequence[Purchase]:
        """These purchases, in no order."""
        rows = await tx.execute(_LIST_SOME, {"purchase_ids": purchase_ids})
        return [to_purchase(row) for row in rows]

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
        return [to_purchase(row) for row in rows]

    async def list_by_reference(
        self, tx: Transaction, merchant_id: MerchantId, order_references: Sequence[str]
    ) -> Sequence[Purchase]:
        """The reported ones of a merchant's orders, in no order."""
        rows = await tx.execute(
            _LIST_BY_REFERENCE, {"merchant_id": merchant_id, "order_references": order_references}
        )
        return [to_purchase(row) for row in rows]

    async def forget_waiting_claims(
        self, tx: Transaction, *, before: datetime, batch_size: int
    ) -> int:
        """Forgets claims that no report met, and orders that are nothing else; says how many.

        Needs a transaction: its statements rely on the rows that the first one locks.
        """
        locked = (
            await tx.execute(_LOCK_CLAIMED, {"before": before, "batch_size": batch_size})
        ).all()
        if not locked:
            return 0
        orders = {
            "merchant_ids": [row.merchant_id for row in locked],
            "order_references": [row.order_reference for row in locked],
        }
        forgotten = await tx.execute(_FORGET_CLAIMS, {**orders, "before": before})
        await tx.execute(_FORGET_UNREPORTED, orders)
        return forgotten.rowcount


def to_purchase(row: Any) -> Purchase:
    """The order of a row that has `PURCHASE_COLUMNS`."""
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
