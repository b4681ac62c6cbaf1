"""Customers, moved with the orders by which they became known."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text, Uuid

from infrastructure.database.transaction import Transaction
from vocabulary.ids import MerchantId

# What was heard while an order was fixed is part of it once it is let go of, and no message comes
# any more that would say so. An account that another order made known stays with that one's buyer.
# Locks: nodes of customers, after the orders, whose writers take them in the same order.
_FOLLOW = text(
    """
    WITH known AS MATERIALIZED (
        SELECT order_reference, customer_reference, identity_group_id, new_node_id
        FROM unnest(:order_references, :new_node_ids) AS asked (asked_reference, new_node_id)
        CROSS JOIN LATERAL (
            SELECT order_reference, customer_reference, identity_group_id, link FROM shop_order
            WHERE merchant_id = :merchant_id AND order_reference = asked_reference OFFSET 0
        ) AS shop_order
        WHERE link IN ('claim', 'client')
    ), moved AS (
        UPDATE identity_node SET identity_group_id = other.identity_group_id
        FROM (
            SELECT identity_node_id, known.identity_group_id FROM known CROSS JOIN LATERAL (
                SELECT identity_node_id FROM identity_node
                WHERE merchant_id = :merchant_id
                  AND identity_node.order_reference = known.order_reference
                  AND identity_node.identity_group_id <> known.identity_group_id
                OFFSET 0
            ) AS node
        ) AS other
        WHERE identity_node.identity_node_id = other.identity_node_id
    )
    INSERT INTO identity_node
        (identity_node_id, identity_group_id, kind, value, merchant_id, order_reference,
         create_time)
    SELECT new_node_id, identity_group_id, 'customer', customer_reference, :merchant_id,
           order_reference, :now
    FROM known
    WHERE customer_reference IS NOT NULL AND NOT EXISTS (
        SELECT FROM identity_node
        WHERE kind = 'customer' AND merchant_id = :merchant_id AND value = customer_reference
        OFFSET 0)
    ORDER BY customer_reference, order_reference
    ON CONFLICT ON CONSTRAINT uq_identity_node_identifier DO NOTHING
    """
).bindparams(
    bindparam("order_references", type_=ARRAY(Text)), bindparam("new_node_ids", type_=ARRAY(Uuid))
)


async def follow_buyers(
    tx: Transaction,
    merchant_id: MerchantId,
    order_references: Sequence[str],
    *,
    new_ids: Sequence[UUID],
    now: datetime,
) -> None:
    """Gives the customers of orders that are open again to their buyers as they are now.

    `new_ids` has a fresh id for each of the orders.
    """
    if order_references:
        await tx.execute(
            _FOLLOW,
            {
                "merchant_id": merchant_id,
                "order_references": list(order_references),
                "new_node_ids": list(new_ids),
                "now": now,
            },
        )
