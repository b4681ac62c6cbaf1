"""Orders, deliveries and the queue of what is due, in SQL."""

from __future__ import annotations

from domains.purchases.repository.customers import CustomerRepository
from domains.purchases.repository.deliveries import DeliveryRepository
from domains.purchases.repository.delivery_retries import DeliveryRetryRepository
from domains.purchases.repository.lane_queue import LaneQueueRepository
from domains.purchases.repository.orders import PurchaseRepository
from domains.purchases.repository.reopening import ReopeningRepository

__all__ = [
    "CustomerRepository",
    "DeliveryRepository",
    "DeliveryRetryRepository",
    "LaneQueueRepository",
    "PurchaseRepository",
    "ReopeningRepository",
]
