"""The use cases of exchange rates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from domains.campaign.errors import RateInvalidError
from domains.campaign.model import ExchangeRate, Pair
from domains.campaign.repository import RateRepository
from infrastructure.database.transaction import Transaction
from vocabulary.ids import ExchangeRateId
from vocabulary.problems import Problems

_RATE = "exchange_rate"


class RatesService:
    """`age_max` is how old an observation may be at the time of what it is used for."""

    def __init__(self, *, rates: RateRepository, age_max: timedelta) -> None:
        self._rates = rates
        self.age_max = age_max

    async def add(self, tx: Transaction, rate: ExchangeRate) -> None:
        """Adds an observation. Those that are there stay; of one instant, the last one counts.

        Raises:
            RateInvalidError: it is of one currency, or of the future.
        """
        problems = Problems()
        if rate.pair.base == rate.pair.quote:
            problems.add(
                RateInvalidError(
                    f"{_RATE}.quote_currency", "must be another one than the base currency"
                )
            )
        if rate.observe_time > rate.create_time:
            problems.add(RateInvalidError(f"{_RATE}.observe_time", "must not lie in the future"))
        problems.refuse()
        await self._rates.add(tx, rate)

    async def as_of(
        self, tx: Transaction, asked: Sequence[tuple[Pair, datetime]]
    ) -> list[ExchangeRate | None]:
        """The newest rate of each pair at or before a time, unless that is too old by then.

        None where there is none. One statement.
        """
        if not asked:
            return []
        return await self._rates.as_of(tx, asked, age_max=self.age_max)

    async def announce_again(self, tx: Transaction, asked: Sequence[tuple[Pair, datetime]]) -> None:
        """Has rates announced once more that are there by now, for those who asked in between."""
        found = {rate.exchange_rate_id for rate in await self.as_of(tx, asked) if rate is not None}
        # By their ids: two lanes that ask for the same rates lock them in the same order.
        for exchange_rate_id in sorted(found):
            await self._rates.set_announced(tx, exchange_rate_id, announced=False)

    async def list_newest(
        self,
        tx: Transaction,
        *,
        base: str | None,
        quote: str | None,
        after: tuple[datetime, datetime, UUID] | None,
        limit: int,
    ) -> Sequence[ExchangeRate]:
        """Observations, the newest first; of a base or a quote, if one is named.

        `after` is when the last one of the page before was observed, when it was added, its id.
        """
        return await self._rates.list_newest(tx, base=base, quote=quote, after=after, limit=limit)

    async def next_unannounced(
        self, tx: Transaction, after: ExchangeRateId | None
    ) -> ExchangeRateId | None:
        """The next rate, by its id, that not all orders which wait for it have heard of."""
        return await self._rates.next_unannounced(tx, after)

    async def claim_unannounced(
        self, tx: Transaction, exchange_rate_id: ExchangeRateId
    ) -> ExchangeRate | None:
        """Locks a rate; None if it is announced by now, or another worker has it."""
        return await self._rates.claim_unannounced(tx, exchange_rate_id)

    async def set_announced(self, tx: Transaction, rate: ExchangeRate) -> None:
        """Notes that every order that waited for a rate has heard of it."""
        await self._rates.set_announced(tx, rate.exchange_rate_id, announced=True)
