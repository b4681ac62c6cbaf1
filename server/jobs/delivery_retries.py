"""Applies deliveries again whose first try failed."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial

import structlog

from infrastructure.database.failures import is_away
from orchestration.purchase_webhook.flow import PurchaseWebhookOrchestrator
from server.causes import fault_of
from vocabulary.ids import MerchantId

BATCH_MAX = 100

MERCHANTS_MAX = 4
"""How many merchants' deliveries are tried side by side."""

RUN_EVERY = timedelta(seconds=1)

PAUSE_SECONDS = 1.0
"""How long a run waits for what takes long before it looks who else has become due."""

_log = structlog.get_logger()


class DeliveryRetries:
    """Tries a hundred due deliveries a run; another run follows within a second.

    As long as one of the hundred takes long, those of others go on.
    Merchants take turns, a few of them side by side and one delivery of each at a time. A merchant
    whose delivery failed as a whole or took too long has no other turn in the run, so that the run
    has an end.
    """

    def __init__(
        self, *, flow: PurchaseWebhookOrchestrator, merchants_max: int = MERCHANTS_MAX
    ) -> None:
        self._flow = flow
        self._merchants_max = merchants_max
        self._place: MerchantId | None = None
        self._running: dict[MerchantId, asyncio.Task[None]] = {}
        self._resting: set[MerchantId] = set()
        self._lost: Exception | None = None

    async def run(self) -> timedelta:
        """Raises what a lost connection said, after all others have had their turns."""
        self._resting.clear()
        self._lost = None
        left = BATCH_MAX
        hundred: set[asyncio.Task[None]] | None = None
        try:
            while True:
                if left <= 0 and hundred is None:
                    hundred = set(self._running.values())
                goes_on = left > 0 or any(not each.done() for each in hundred or ())
                free = self._merchants_max - len(self._running)
                if free > 0 and goes_on:
                    left -= await self._begin(free)
                if not self._running:
                    break
                await asyncio.wait(
                    self._running.values(),
                    timeout=PAUSE_SECONDS,
                    return_when=asyncio.FIRST_COMPLETED,
                )
        finally:
            await asyncio.gather(*self._running.values())
        if self._lost is not None:
            raise self._lost
        return RUN_EVERY

    async def _begin(self, free: int) -> int:
        """Begins with the next merchants; returns with how many."""
        passed_over = self._running.keys() | self._resting
        limit = free + len(passed_over)
        due = list(await self._flow.list_due_merchants(self._place, limit=limit))
        if len(due) < limit and self._place is not None:
            # The walk begins anew.
            due += await self._flow.list_due_merchants(None, limit=limit)
        begun = [each for each in dict.fromkeys(due) if each not in passed_over][:free]
        for merchant_id in begun:
            task = asyncio.create_task(self._retry(merchant_id))
            self._running[merchant_id] = task
            task.add_done_callback(partial(self._end, merchant_id))
            self._place = merchant_id
        return len(begun)

    def _end(self, merchant_id: MerchantId, _: asyncio.Task[None]) -> None:
        del self._running[merchant_id]

    async def _retry(self, merchant_id: MerchantId) -> None:
        goes_on = False
        try:
            goes_on = await self._flow.retry_failed(merchant_id)
        except Exception as raised:  # noqa: BLE001 - a merchant that fails ends no other's turn
            if is_away(raised):
                self._lost = raised
            else:
                _log.error("retry failed", merchant_id=str(merchant_id), **fault_of(raised))
        if not goes_on:
            self._resting.add(merchant_id)
