"""Tells orders that wait for an exchange rate that it has come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from domains.campaign.service import RatesService
from domains.purchases.service import PurchasesService
from infrastructure.database.transaction import Database
from vocabulary.ids import ExchangeRateId

ANNOUNCED_MAX = 1_000
"""How many orders hear of a rate at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncementStep:
    """How many orders were released, and whether this was the rate's last step for now."""

    released_count: int
    is_last: bool


class RateAnnouncementOrchestrator:
    """Locks, downwards: the rate; orders, never waited for."""

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

    async def next_rate(self, after: ExchangeRateId | None) -> ExchangeRateId | None:
        """The rate after this one, by their ids, that is not announced; None: there is none."""
        async with self._database.single() as tx:
            return await self._rates.next_unannounced(tx, after)

    async def announce(self, exchange_rate_id: ExchangeRateId, *, limit: int) -> AnnouncementStep:
        """Makes up to `limit` orders due that wait for a rate.

        Orders that are being written are left for another time, and the rate stays unannounced
        until all were released. A rate that another worker announces is left to it.
        """
        async with self._database.transaction() as tx:
            rate = await self._rates.claim_unannounced(tx, exchange_rate_id)
            if rate is None:
                return AnnouncementStep(released_count=0, is_last=True)
            released = await self._purchases.release_for_rate(
                tx,
                pair=str(rate.pair),
                observe_time=rate.observe_time,
                age_max=self._rates.age_max,
                now=self._clock(),
                limit=limit,
            )
            if released.found_count < limit and released.count == released.found_count:
                await self._rates.set_announced(tx, rate)
            return AnnouncementStep(
                released_count=released.count,
                is_last=released.found_count < limit or not released.count,
            )
