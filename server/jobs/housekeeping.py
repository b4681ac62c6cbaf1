"""Forgets what was promised to be forgotten, and makes room for the months to come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from domains.purchases.service import PurchasesService
from domains.rewards.model.event import DECISIONS_KEPT
from infrastructure.database.partitions import keep_months
from infrastructure.database.repeated_call import forget_old
from infrastructure.database.transaction import Database

BATCH_SIZE = 1_000
BATCHES_MAX = 100


class Housekeeping:
    """Idempotent, so it does not matter how many workers run it."""

    def __init__(
        self,
        *,
        database: Database,
        purchases: PurchasesService,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._purchases = purchases
        self._clock = clock

    async def run(self) -> None:
        """Deletes in batches, so that no lock is held for long."""
        now = self._clock()
        async with self._database.transaction() as tx:
            await keep_months(tx, "decision", now=now, kept=DECISIONS_KEPT)
        for _ in range(BATCHES_MAX):
            async with self._database.transaction() as tx:
                forgotten = await forget_old(tx, now=now, batch_size=BATCH_SIZE)
                forgotten += await self._purchases.forget_old(tx, now=now, batch_size=BATCH_SIZE)
            if not forgotten:
                return
