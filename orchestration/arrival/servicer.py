"""ArrivalService, translated."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from domains.attribution.model import Utm
from guerdon.orchestration.v1 import arrival_pb2, arrival_pb2_grpc
from infrastructure.rpc.caller import current_caller
from infrastructure.rpc.repeating import current_repeat
from infrastructure.rpc.translating import to_datetime
from orchestration.arrival.flow import Arrival, ArrivalOrchestrator, ArrivalRecord
from vocabulary.ids import MerchantId
from vocabulary.refusals import require_client_id


class ArrivalServicer(arrival_pb2_grpc.ArrivalServiceServicer):
    """The gRPC face of `ArrivalOrchestrator`."""

    def __init__(self, *, flow: ArrivalOrchestrator) -> None:
        self._flow = flow

    async def TrackArrival(
        self, request: arrival_pb2.TrackArrivalRequest, context: Any
    ) -> arrival_pb2.TrackArrivalResponse:
        arrival = _to_arrival(request, client_id=current_caller().client_id)
        record = await self._flow.track(arrival, repeat=current_repeat(_tracked))
        return _tracked(record)

    async def ImportArrival(
        self, request: arrival_pb2.ImportArrivalRequest, context: Any
    ) -> arrival_pb2.ImportArrivalResponse:
        record = await self._flow.record_past(
            _to_arrival(request.arrival, client_id=require_client_id(request.client_id)),
            event_time=to_datetime(request.event_time),
            repeat=current_repeat(_imported),
        )
        return _imported(record)


def _to_arrival(message: arrival_pb2.TrackArrivalRequest, *, client_id: str) -> Arrival:
    referrer_merchant = message.referrer_merchant_id
    return Arrival(
        merchant_id=MerchantId(UUID(message.merchant_id)),
        client_id=client_id,
        referrer_wallet=message.referrer_wallet_address,
        referrer_client_id=message.referrer_client_id,
        referrer_share_id=message.referrer_share_id,
        referrer_merchant_id=MerchantId(UUID(referrer_merchant)) if referrer_merchant else None,
        landing_url=message.landing_url,
        utm=Utm(
            source=message.utm_source,
            medium=message.utm_medium,
            campaign=message.utm_campaign,
            term=message.utm_term,
            content=message.utm_content,
        ),
    )


def _tracked(record: ArrivalRecord) -> arrival_pb2.TrackArrivalResponse:
    return arrival_pb2.TrackArrivalResponse(
        success=True,
        identity_group_id=str(record.identity_group_id),
        touchpoint_id=str(record.touchpoint_id),
        share_id=str(record.share_id),
        referral_link_id=str(record.referral_link_id or ""),
    )


def _imported(record: ArrivalRecord) -> arrival_pb2.ImportArrivalResponse:
    return arrival_pb2.ImportArrivalResponse(arrival=_tracked(record))
