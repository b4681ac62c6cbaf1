"""RateService, translated."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from domains.campaign.model import ExchangeRate, Pair
from domains.campaign.model.rate import MANUAL
from domains.campaign.service import RatesService
from guerdon.campaign.v1 import rate_pb2, rate_pb2_grpc
from infrastructure.database.repeated_call import answer_once
from infrastructure.database.transaction import Database, Transaction
from infrastructure.rpc.paging import page_of, page_start
from infrastructure.rpc.repeating import current_repeat
from infrastructure.rpc.translating import to_datetime, to_timestamp
from vocabulary.exact import plain
from vocabulary.ids import ExchangeRateId


class RateServicer(rate_pb2_grpc.RateServiceServicer):
    def __init__(
        self,
        *,
        database: Database,
        rates: RatesService,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
    ) -> None:
        self._database = database
        self._rates = rates
        self._clock = clock
        self._new_id = new_id

    async def SetRate(
        self, request: rate_pb2.SetRateRequest, context: Any
    ) -> rate_pb2.SetRateResponse:
        message, now = request.exchange_rate, self._clock()
        rate = ExchangeRate(
            exchange_rate_id=ExchangeRateId(self._new_id()),
            pair=Pair(base=message.base_currency, quote=message.quote_currency),
            rate=Decimal(message.rate),
            observe_time=to_datetime(message.observe_time)
            if message.HasField("observe_time")
            else now,
            source=message.source or MANUAL,
            create_time=now,
        )

        async def add(tx: Transaction) -> rate_pb2.SetRateResponse:
            await self._rates.add(tx, rate)
            return rate_pb2.SetRateResponse(exchange_rate=_to_proto(rate))

        return await answer_once(self._database, current_repeat(), add)

    async def ListRates(
        self, request: rate_pb2.ListRatesRequest, context: Any
    ) -> rate_pb2.ListRatesResponse:
        start = page_start(request, datetime.fromisoformat, datetime.fromisoformat, UUID)
        async with self._database.single() as tx:
            rates = await self._rates.list_newest(
                tx,
                base=request.base_currency or None,
                quote=request.quote_currency or None,
                after=start.after,
                limit=start.limit,
            )
        return page_of(
            rates,
            start,
            key=lambda each: (each.observe_time, each.create_time, each.exchange_rate_id),
            to_message=_to_proto,
            response=rate_pb2.ListRatesResponse,
        )


def _to_proto(rate: ExchangeRate) -> rate_pb2.ExchangeRate:
    return rate_pb2.ExchangeRate(
        exchange_rate_id=str(rate.exchange_rate_id),
        base_currency=rate.pair.base,
        quote_currency=rate.pair.quote,
        rate=plain(rate.rate),
        observe_time=to_timestamp(rate.observe_time),
        source=rate.source,
        create_time=to_timestamp(rate.create_time),
    )
