"""Forgets what was promised to be forgotten, and makes room for the months to come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from domains.purchases.service import DeliveriesService, PurchasesService
from infrastructure.database.failures import is_timeout
from infrastructure.database.repeated_call import forget_old
from infrastructure.database.transaction import Database, Transaction
from server.causes import fault_of
from server.repeating import RETRY_AFTER

BATCH_SIZE = 1_000
BATCHES_MAX = 100
RUN_EVERY = timedelta(hours=1)
IN_USE_PAUSE = timedelta(hours=1)

_log = structlog.get_logger()


class Forget(Protocol):
    """Forgets up to so many of something that is old by now; returns how many."""

    async def __call__(self, tx: Transaction, *, now: datetime, batch_size: int) -> int: ...


class KeepMonths(Protocol):
    """Makes room for the months to come, and drops those that are too old."""

    async def __call__(self, tx: Transaction) -> None: ...


class Housekeeping:
    """Idempotent, so it does not matter how many workers run it."""

    def __init__(
        self,
        *,
        database: Database,
        purchases: PurchasesService,
        deliveries: DeliveriesService,
        keep_months: KeepMonths,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._purchases = purchases
        self._deliveries = deliveries
        self._keep_months = keep_months
        self._clock = clock
        # Since when partitions rest, because one of them was in use.
        self._in_use_time: datetime | None = None

    async def run(self) -> timedelta:
        """Deletes in batches, so that no lock is held for long; is soon run again if more is left.

        What fails keeps nothing else from being forgotten, and is raised in the end. That a
        partition is in use, by a backup for instance, is no failure: it is dropped an hour later.
        """
        now = self._clock()
        failures: list[Exception] = []
        is_more_left = False
        for forget in (forget_old, self._deliveries.forget_old, self._purchases.forget_claims):
            try:
                is_more_left = await self._forget(forget, now) or is_more_left
            except Exception as failure:  # noqa: BLE001 - it is raised below
                failures.append(failure)
        try:
            await self._keep_partitions(now)
        except Exception as failure:  # noqa: BLE001 - it is raised below
            failures.append(failure)
        if failures:
            raise failures[0]
        return RETRY_AFTER if is_more_left else RUN_EVERY

    async def _keep_partitions(self, now: datetime) -> None:
        in_use = self._in_use_time
        if in_use is not None and in_use <= now < in_use + IN_USE_PAUSE:
            # However often the job runs: whoever waits for a partition has everybody else wait.
            return
        try:
            async with self._database.transaction() as tx:
                await self._keep_months(tx)
            self._in_use_time = None
        except Exception as failure:
            if not is_timeout(failure):
                raise
            self._in_use_time = now
            _log.warning("partitions left as they are", **fault_of(failure))

    async def _forget(self, forget: Forget, now: datetime) -> bool:
        for _ in range(BATCHES_MAX):
            async with self._database.transaction() as tx:
                forgotten = await forget(tx, now=now, batch_size=BATCH_SIZE)
            if not forgotten:
                return False
        return True
