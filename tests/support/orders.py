"""Orders as their rows stand, for tests of what reads and writes them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from sqlalchemy import insert, select

from domains.purchases.tables import shop_order
from infrastructure.database.transaction import Transaction
from vocabulary.ids import MerchantId

ORDERED = datetime(2025, 3, 1, 12, tzinfo=UTC)


async def add_order(
    tx: Transaction, merchant_id: MerchantId, order_reference: str, **columns: object
) -> None:
    """Stores a confirmed order with a buyer and an interaction, due when it was ordered.

    One that is decided or fixed has the buyer of its hint.
    """
    row: dict[str, object] = {
        "merchant_id": merchant_id,
        "order_reference": order_reference,
        "create_time": ORDERED,
        "purchase_id": uuid4(),
        "first_report_time": ORDERED,
        "state": "confirmed",
        "event_time": ORDERED,
        "body_hash": b"",
        "order_time": ORDERED,
        "total": Decimal(100),
        "currency": "EUR",
        "items": [],
        "hint_group_id": uuid4(),
        "hint_key": "1",
        "interaction_generation": 1,
        "due_time": ORDERED,
    }
    row |= columns
    if row.get("decided_generation") or row.get("fixed_generation"):
        fixed = {"fixed_group_id": row["hint_group_id"], "fixed_link": "client"}
        row = fixed | {"fixed_report_time": row["first_report_time"]} | row
    await tx.execute(insert(shop_order).values(row))


async def read_order(tx: Transaction, merchant_id: MerchantId, order_reference: str) -> Any:
    """An order's row."""
    found = await tx.execute(
        select(shop_order).where(
            shop_order.c.merchant_id == merchant_id,
            shop_order.c.order_reference == order_reference,
        )
    )
    return found.one()
