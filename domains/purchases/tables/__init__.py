"""Orders, the claims that wait for them, and the inbox of deliveries."""

from __future__ import annotations

from domains.purchases.tables.claims import order_claim
from domains.purchases.tables.deliveries import delivery
from domains.purchases.tables.orders import shop_order

__all__ = ["delivery", "order_claim", "shop_order"]
