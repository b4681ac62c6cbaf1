"""Arrivals."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import uuid4

from google.protobuf.message import Message

from guerdon.orchestration.v1 import arrival_pb2
from infrastructure.rpc.translating import to_timestamp
from tests.contract.valid_calls.making import PAST, Make
from tests.support.rpc_shop import BusyShop


async def _track(busy: BusyShop) -> Message:
    return arrival_pb2.TrackArrivalRequest(
        merchant_id=busy.shop.merchant_id,
        referrer_share_id=str(uuid4()),
        landing_url="https://shop.example/",
    )


async def _import_arrival(busy: BusyShop) -> Message:
    return arrival_pb2.ImportArrivalRequest(
        client_id=str(uuid4()),
        event_time=to_timestamp(PAST),
        arrival=arrival_pb2.TrackArrivalRequest(merchant_id=busy.shop.merchant_id),
    )


REQUESTS: Mapping[str, Make] = {
    "guerdon.orchestration.v1.ArrivalService.TrackArrival": _track,
    "guerdon.orchestration.v1.ArrivalService.ImportArrival": _import_arrival,
}
