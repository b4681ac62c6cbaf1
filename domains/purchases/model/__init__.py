"""Orders, what deliveries say of them, and how a delivery proves itself."""

from __future__ import annotations

from domains.purchases.model.delivery import Delivery, DeliveryState, PassedOver
from domains.purchases.model.evidence import Link
from domains.purchases.model.note import Note, NoteWord
from domains.purchases.model.order import (
    OrderEvent,
    OrderItem,
    OrderStanding,
    OrderState,
    Purchase,
    token_digest,
)

__all__ = [
    "Delivery",
    "DeliveryState",
    "Link",
    "Note",
    "NoteWord",
    "OrderEvent",
    "OrderItem",
    "OrderStanding",
    "OrderState",
    "PassedOver",
    "Purchase",
    "token_digest",
]
