"""Orders, what deliveries say of them, and how a delivery proves itself."""

from __future__ import annotations

from domains.purchases.model.delivery import (
    Delivery,
    DeliveryFailure,
    DeliveryState,
    FailureKind,
    PassedOver,
)
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
    "DeliveryFailure",
    "DeliveryState",
    "FailureKind",
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
