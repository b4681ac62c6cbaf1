"""AttributionService, translated."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from domains.attribution.model import Touchpoint, Utm
from domains.attribution.service import AttributionService
from guerdon.attribution.v1 import attribution_pb2, attribution_pb2_grpc
from infrastructure.database.transaction import Database
from infrastructure.rpc.paging import page_of, page_start
from infrastructure.rpc.translating import number_of, to_timestamp
from vocabulary.ids import IdentityGroupId, MerchantId


class AttributionServicer(attribution_pb2_grpc.AttributionServiceServicer):
    def __init__(self, *, database: Database, attribution: AttributionService) -> None:
        self._database = database
        self._attribution = attribution

    async def ListTouchpoints(
        self, request: attribution_pb2.ListTouchpointsRequest, context: Any
    ) -> attribution_pb2.ListTouchpointsResponse:
        start = page_start(request, UUID)
        person = request.identity_group_id
        async with self._database.single() as tx:
            touchpoints = await self._attribution.list_touchpoints(
                tx,
                MerchantId(UUID(request.merchant_id)),
                identity_group_id=IdentityGroupId(UUID(person)) if person else None,
                before=start.after,
                limit=start.limit,
            )
        return page_of(
            touchpoints,
            start,
            key=lambda each: each.touchpoint_id,
            to_message=_to_proto,
            response=attribution_pb2.ListTouchpointsResponse,
        )


def _to_proto(touchpoint: Touchpoint) -> attribution_pb2.Touchpoint:
    referrer = touchpoint.referrer_group_id
    return attribution_pb2.Touchpoint(
        touchpoint_id=str(touchpoint.touchpoint_id),
        merchant_id=str(touchpoint.merchant_id),
        identity_group_id=str(touchpoint.identity_group_id),
        source=number_of(touchpoint.source, attribution_pb2.Touchpoint.Source),
        referrer_identity_group_id=str(referrer) if referrer is not None else "",
        landing_url=touchpoint.landing_url,
        utm=_utm_to_proto(touchpoint.utm),
        arrival_time=to_timestamp(touchpoint.arrival_time),
    )


def _utm_to_proto(utm: Utm | None) -> attribution_pb2.Utm | None:
    if utm is None:
        return None
    return attribution_pb2.Utm(
        source=utm.source,
        medium=utm.medium,
        campaign=utm.campaign,
        term=utm.term,
        content=utm.content,
    )
