"""Applies deliveries again whose first try failed."""

from __future__ import annotations

from orchestration.purchase_webhook.flow import PurchaseWebhookOrchestrator

BATCH_MAX = 100


class DeliveryRetries:
    """Tries up to a hundred due deliveries a run; another run follows within a second."""

    def __init__(self, *, flow: PurchaseWebhookOrchestrator) -> None:
        self._flow = flow

    async def run(self) -> None:
        for _ in range(BATCH_MAX):
            if not await self._flow.retry_failed():
                return
