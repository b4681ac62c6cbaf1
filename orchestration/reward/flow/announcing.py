"""Tells orders that wait for an exchange rate that it has come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from domains.campaign.service import RatesService
from domains.purchases.service import PurchasesService
from infrastructure.database.transaction import Database

ANNOUNCED_MAX = 1_000
"""How many orders hear of a rate at once."""


class RateAnnouncementOrchestrator:
    """Locks, downwards: the rate; orders, in the order of their keys."""

    def __init__(
        self,
        *,
        database: Database,
        rates: RatesService,
        purchases: PurchasesService,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._rates = rates
        self._purchases = purchases
        self._clock = clock

    async def announce_next(self) -> bool:
        """Makes a part of the orders due that wait for the oldest new rate; False: there is none.

        A rate that was not announced to all of them is the oldest new one again.
        """
        async with self._database.transaction() as tx:
            rate = await self._rates.claim_unannounced(tx)
            if rate is None:
                return False
            released = await self._purchases.release_for_rate(
                tx,
                pair=str(rate.pair),
                observe_time=rate.observe_time,
                age_max=self._rates.age_max,
                now=self._clock(),
                limit=ANNOUNCED_MAX,
            )
            if released < ANNOUNCED_MAX:
                await self._rates.set_announced(tx, rate)
        return True
