"""Exchange rates in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, insert, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import DateTime, Text

from domains.campaign.model import ExchangeRate, Pair
from domains.campaign.tables import exchange_rate
from infrastructure.database.bounds import FIRST_ID
from infrastructure.database.transaction import Transaction
from vocabulary.ids import ExchangeRateId

_RATE = """exchange_rate_id, base_currency, quote_currency, rate, observe_time, source,
    create_time"""
_ADD = insert(exchange_rate)
# Each look-up is one step into the index: the newest observation of the pair before the time.
_AS_OF = text(
    """
    SELECT found.* FROM unnest(:bases, :quotes, :times)
        WITH ORDINALITY AS asked (base, quote, as_of, position)
    LEFT JOIN LATERAL (
        SELECT exchange_rate_id, base_currency, quote_currency, rate, observe_time, source,
               create_time
        FROM exchange_rate
        WHERE base_currency = asked.base AND quote_currency = asked.quote
          AND observe_time <= asked.as_of
          AND observe_time > asked.as_of - CAST(:age_max AS interval)
        ORDER BY observe_time DESC, create_time DESC, exchange_rate_id DESC LIMIT 1
    ) AS found ON true
    ORDER BY asked.position
    """
).bindparams(
    bindparam("bases", type_=ARRAY(Text)),
    bindparam("quotes", type_=ARRAY(Text)),
    bindparam("times", type_=ARRAY(DateTime(timezone=True))),
)
_LIST = text(
    f"""
    SELECT {_RATE} FROM exchange_rate
    WHERE (CAST(:base AS text) IS NULL OR base_currency = :base)
      AND (CAST(:quote AS text) IS NULL OR quote_currency = :quote)
      AND (CAST(:observe_time AS timestamptz) IS NULL
           OR (observe_time, create_time, exchange_rate_id)
              < (:observe_time, CAST(:create_time AS timestamptz), CAST(:rate_id AS uuid)))
    ORDER BY observe_time DESC, create_time DESC, exchange_rate_id DESC
    LIMIT :limit
    """
)
_NEXT_UNANNOUNCED = text(
    """
    SELECT exchange_rate_id FROM exchange_rate
    WHERE NOT announced AND exchange_rate_id > :after
    ORDER BY exchange_rate_id LIMIT 1
    """
)
_CLAIM_UNANNOUNCED = text(
    f"""
    SELECT {_RATE} FROM exchange_rate
    WHERE exchange_rate_id = :exchange_rate_id AND NOT announced
    FOR NO KEY UPDATE SKIP LOCKED
    """
)
_SET_ANNOUNCED = text(
    "UPDATE exchange_rate SET announced = :announced WHERE exchange_rate_id = :exchange_rate_id"
)


class RateRepository:
    async def add(self, tx: Transaction, rate: ExchangeRate) -> None:
        await tx.execute(
            _ADD,
            {
                "exchange_rate_id": rate.exchange_rate_id,
                "base_currency": rate.pair.base,
                "quote_currency": rate.pair.quote,
                "rate": rate.rate,
                "observe_time": rate.observe_time,
                "source": rate.source,
                "create_time": rate.create_time,
            },
        )

    async def as_of(
        self,
        tx: Transaction,
        asked: Sequence[tuple[Pair, datetime]],
        *,
        age_max: timedelta,
    ) -> list[ExchangeRate | None]:
        """The newest rate of each pair that was observed by a time, and is not too old for it."""
        rows = await tx.execute(
            _AS_OF,
            {
                "bases": [pair.base for pair, _ in asked],
                "quotes": [pair.quote for pair, _ in asked],
                "times": [time for _, time in asked],
                "age_max": age_max,
            },
        )
        return [None if row.exchange_rate_id is None else _rate(row) for row in rows]

    async def list_newest(
        self,
        tx: Transaction,
        *,
        base: str | None,
        quote: str | None,
        after: tuple[datetime, datetime, UUID] | None,
        limit: int,
    ) -> Sequence[ExchangeRate]:
        """Observations, the newest first; of a base or a quote, if one is named."""
        observe_time, create_time, rate_id = after or (None, None, None)
        rows = await tx.execute(
            _LIST,
            {
                "base": base,
                "quote": quote,
                "observe_time": observe_time,
                "create_time": create_time,
                "rate_id": rate_id,
                "limit": limit,
            },
        )
        return [_rate(row) for row in rows]

    async def next_unannounced(
        self, tx: Transaction, after: ExchangeRateId | None
    ) -> ExchangeRateId | None:
        """The next rate, by its id, that not all orders which wait for it have heard of."""
        found = await tx.execute(_NEXT_UNANNOUNCED, {"after": after or FIRST_ID})
        next_id = found.scalar_one_or_none()
        return None if next_id is None else ExchangeRateId(next_id)

    async def claim_unannounced(
        self, tx: Transaction, exchange_rate_id: ExchangeRateId
    ) -> ExchangeRate | None:
        """Locks a rate; None if it is announced by now, or another worker has it."""
        found = await tx.execute(_CLAIM_UNANNOUNCED, {"exchange_rate_id": exchange_rate_id})
        row = found.one_or_none()
        return None if row is None else _rate(row)

    async def set_announced(
        self, tx: Transaction, exchange_rate_id: ExchangeRateId, *, announced: bool
    ) -> None:
        await tx.execute(
            _SET_ANNOUNCED, {"exchange_rate_id": exchange_rate_id, "announced": announced}
        )


def _rate(row: Any) -> ExchangeRate:
    return ExchangeRate(
        exchange_rate_id=ExchangeRateId(row.exchange_rate_id),
        pair=Pair(base=row.base_currency, quote=row.quote_currency),
        rate=row.rate,
        observe_time=row.observe_time,
        source=row.source,
        create_time=row.create_time,
    )
