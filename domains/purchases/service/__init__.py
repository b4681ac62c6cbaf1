"""The use cases of orders and of deliveries."""

from __future__ import annotations

from domains.purchases.service.deliveries import DeliveriesService
from domains.purchases.service.purchases import PurchasesService

__all__ = ["DeliveriesService", "PurchasesService"]
