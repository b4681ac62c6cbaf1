"""Orders in SQL. The two hot paths write them by statements of their own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import LargeBinary, Text, Uuid

from domains.purchases.model import Link, OrderItem, OrderState, Purchase
from infrastructure.database.sql_files import sql_file
from infrastructure.database.transaction import Transaction
from vocabulary.ids import IdentityGroupId, MerchantId, PurchaseId
from vocabulary.recording import IdRange

SUBTOTAL = """CASE WHEN COALESCE(items_currency, currency) IS NOT DISTINCT FROM currency
        THEN subtotal END AS subtotal"""
"""The lines may be of another report than the total, and in another currency."""

PURCHASE_COLUMNS = f"""merchant_id, order_reference, purchase_id, customer_reference, state, total,
    currency, items, {SUBTOTAL}, identity_group_id, link, generation, order_time, event_time,
    COALESCE(fixed_report_time, first_report_time) AS report_time"""
_PURCHASE = f"SELECT {PURCHASE_COLUMNS} FROM shop_order"
_FIND = text(
    f"{_PURCHASE} WHERE merchant_id = :merchant_id AND purchase_id = :purchase_id"
).columns(items=JSONB)
_LIST_SOME = (
    text(f"{_PURCHASE} WHERE purchase_id = ANY(:purchase_ids)")
    .bindparams(bindparam("purchase_ids", type_=ARRAY(Uuid)))
    .columns(items=JSONB)
)
_LIST = (
    sql_file(__file__, "list_purchases.sql", columns=PURCHASE_COLUMNS)
    .bindparams(bindparam("states", type_=ARRAY(Text)))
    .columns(items=JSONB)
)
_LIST_OF_ORDER = (
    text(
        f"""
        SELECT {PURCHASE_COLUMNS} FROM (
            SELECT * FROM shop_order
            WHERE merchant_id = :merchant_id AND order_reference = :order_reference OFFSET 0
        ) AS shop_order
        WHERE purchase_id >= :first_id AND purchase_id < :end_id AND state = ANY(:states)
        LIMIT :limit
        """
    )
    .bindparams(bindparam("states", type_=ARRAY(Text)))
    .columns(items=JSONB)
)
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
_LOCK_CLAIMED = sql_file(__file__, "lock_claimed_orders.sql")
_FORGET_CLAIMS = sql_file(__file__, "forget_claims.sql").bindparams(
    bindparam("merchant_ids", type_=ARRAY(Uuid)),
    bindparam("order_references", type_=ARRAY(Text)),
    bindparam("token_digests", type_=ARRAY(LargeBinary)),
    bindparam("identity_group_ids", type_=ARRAY(Uuid)),
)
_FORGET_UNREPORTED = sql_file(__file__, "forget_unreported.sql").bindparams(
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
        state: OrderState | None,
        within: IdRange,
        limit: int,
    ) -> Sequence[Purchase]:
        """A merchant's purchases with these ids, most recently recorded first.

        Only one order's if it is named.
        """
        rows = await tx.execute(
            _LIST_OF_ORDER if order_reference else _LIST,
            {
                "merchant_id": merchant_id,
                "states": list(OrderState) if state is None else [state],
                "first_id": within.first,
                "end_id": within.end,
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
        """Forgets up to `batch_size` claims that no report met; says how many.

        And with the last one an order that was never reported. Claims of orders that are being
        written are left for another time. Needs a transaction: its statements rely on the rows
        that the first one locks.
        """
        claims = (
            await tx.execute(_LOCK_CLAIMED, {"before": before, "batch_size": batch_size})
        ).all()
        if not claims:
            return 0
        forgotten = await tx.execute(
            _FORGET_CLAIMS,
            {
                "merchant_ids": [claim.merchant_id for claim in claims],
                "order_references": [claim.order_reference for claim in claims],
                "token_digests": [claim.token_digest for claim in claims],
                "identity_group_ids": [claim.identity_group_id for claim in claims],
                "before": before,
            },
        )
        orders = sorted({(claim.merchant_id, claim.order_reference) for claim in claims})
        await tx.execute(
            _FORGET_UNREPORTED,
            {
                "merchant_ids": [merchant_id for merchant_id, _ in orders],
                "order_references": [order_reference for _, order_reference in orders],
            },
        )
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
        subtotal=row.subtotal,
        identity_group_id=None
        if row.identity_group_id is None
        else IdentityGroupId(row.identity_group_id),
        link=None if row.link is None else Link(row.link),
        generation=row.generation,
        order_time=row.order_time,
        report_time=row.report_time,
        event_time=row.event_time,
    )
