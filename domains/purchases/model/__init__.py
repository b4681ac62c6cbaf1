"""Orders, what deliveries say of them, and how a delivery proves itself."""

from __future__ import annotations

from domains.purchases.model.delivery import Delivery, DeliveryState
from domains.purchases.model.evidence import Link
from domains.purchases.model.order import (
    OrderEvent,
    OrderItem,
    OrderStanding,
    OrderState,
    Purchase,
    is_guest,
    token_digest,
)

__all__ = [
    "Delivery",
    "DeliveryState",
    "Link",
    "OrderEvent",
    "OrderItem",
    "OrderStanding",
    "OrderState",
    "Purchase",
    "is_guest",
    "token_digest",
]
