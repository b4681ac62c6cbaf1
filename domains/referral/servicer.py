"""ReferralService, translated."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from domains.referral.model import DEPTH_DEFAULT, ReferralLink
from domains.referral.service import ReferralService
from guerdon.referral.v1 import referral_pb2, referral_pb2_grpc
from infrastructure.database.transaction import Database
from infrastructure.rpc.paging import page_of, page_start
from infrastructure.rpc.translating import to_datetime, to_timestamp
from vocabulary.ids import IdentityGroupId, MerchantId


class ReferralServicer(referral_pb2_grpc.ReferralServiceServicer):
    def __init__(
        self, *, database: Database, referral: ReferralService, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._referral = referral
        self._clock = clock

    async def GetReferralChain(
        self, request: referral_pb2.GetReferralChainRequest, context: Any
    ) -> referral_pb2.GetReferralChainResponse:
        is_dated = request.HasField("read_time")
        time = to_datetime(request.read_time) if is_dated else self._clock()
        async with self._database.single() as tx:
            chain = await self._referral.chain_as_of(
                tx,
                MerchantId(UUID(request.merchant_id)),
                IdentityGroupId(UUID(request.identity_group_id)),
                time=time,
                depth_max=request.depth_max or DEPTH_DEFAULT,
            )
        return referral_pb2.GetReferralChainResponse(
            identity_group_ids=[str(each) for each in chain]
        )

    async def ListReferralLinks(
        self, request: referral_pb2.ListReferralLinksRequest, context: Any
    ) -> referral_pb2.ListReferralLinksResponse:
        start = page_start(request, UUID)
        async with self._database.single() as tx:
            links = await self._referral.list_links(
                tx,
                MerchantId(UUID(request.merchant_id)),
                IdentityGroupId(UUID(request.referrer_identity_group_id)),
                before=start.after,
                limit=start.limit,
            )
        return page_of(
            links,
            start,
            key=lambda each: each.referral_link_id,
            to_message=_to_proto,
            response=referral_pb2.ListReferralLinksResponse,
        )


def _to_proto(link: ReferralLink) -> referral_pb2.ReferralLink:
    return referral_pb2.ReferralLink(
        referral_link_id=str(link.referral_link_id),
        merchant_id=str(link.merchant_id),
        referrer_identity_group_id=str(link.referrer_group_id),
        referee_identity_group_id=str(link.referee_group_id),
        start_time=to_timestamp(link.start_time),
        end_time=to_timestamp(link.end_time),
    )
