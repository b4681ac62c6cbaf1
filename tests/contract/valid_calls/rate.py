"""Exchange rates."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.message import Message

from guerdon.campaign.v1 import rate_pb2
from infrastructure.rpc.translating import to_timestamp
from tests.contract.valid_calls.making import PAST, Make
from tests.support.rpc_shop import BusyShop


async def _set_rate(_: BusyShop) -> Message:
    return rate_pb2.SetRateRequest(
        exchange_rate=rate_pb2.ExchangeRate(
            base_currency="USD", quote_currency="EUR", rate="0.925", observe_time=to_timestamp(PAST)
        )
    )


async def _list_rates(busy: BusyShop) -> Message:
    """Of a pair that nobody else asks for."""
    service, pair = "guerdon.campaign.v1.RateService", ("XTS", "XXX")
    wanted = rate_pb2.ListRatesRequest(base_currency=pair[0], quote_currency=pair[1])
    found = await busy.shop.mesh.call(f"{service}/ListRates", wanted)
    for number in range(3 - len(found.exchange_rates)):
        await busy.shop.mesh.call(
            f"{service}/SetRate",
            rate_pb2.SetRateRequest(
                exchange_rate=rate_pb2.ExchangeRate(
                    base_currency=pair[0], quote_currency=pair[1], rate=f"1.{number + 1}"
                )
            ),
        )
    return wanted


REQUESTS: Mapping[str, Make] = {
    "guerdon.campaign.v1.RateService.SetRate": _set_rate,
    "guerdon.campaign.v1.RateService.ListRates": _list_rates,
}
