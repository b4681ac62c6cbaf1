"""Forgets what was promised to be forgotten, and makes room for the months to come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from domains.purchases.service import DeliveriesService, PurchasesService
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
        deliveries: DeliveriesService,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._purchases = purchases
        self._deliveries = deliveries
        self._clock = clock

    async def run(self) -> bool:
        """Deletes in batches, so that no lock is held for long; says whether more is left.

        Forgetting comes first: it goes on when a partition cannot be made.
        """
        now = self._clock()
        is_more_left = await self._forget(now)
        async with self._database.transaction() as tx:
            await keep_months(tx, "decision", column="decide_time", now=now, kept=DECISIONS_KEPT)
        return is_more_left

    async def _forget(self, now: datetime) -> bool:
        for _ in range(BATCHES_MAX):
            async with self._database.transaction() as tx:
                forgotten = await forget_old(tx, now=now, batch_size=BATCH_SIZE)
                forgotten += await self._deliveries.forget_old(tx, now=now, batch_size=BATCH_SIZE)
                forgotten += await self._purchases.forget_claims(tx, now=now, batch_size=BATCH_SIZE)
            if not forgotten:
                return False
        return True
