"""The methods of CampaignService."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

from google.protobuf.message import Message

from domains.campaign.model import (
    Campaign,
    RewardUnits,
)
from domains.campaign.service import CampaignService, Change
from domains.campaign.servicer.messages import (
    campaign_to_proto,
    changes_from_proto,
    draft_from_proto,
    window_to_proto,
)
from guerdon.campaign.v1 import campaign_pb2, campaign_pb2_grpc
from infrastructure.database.repeated_call import answer_once
from infrastructure.database.transaction import Database, Transaction
from infrastructure.rpc.paging import page_of, page_start
from infrastructure.rpc.repeating import current_repeat
from infrastructure.rpc.updating import updated_fields
from vocabulary.ids import CampaignId, MerchantId
from vocabulary.problems import Problems

Response = TypeVar("Response", bound=Message)


class _CampaignNamed(Protocol):
    merchant_id: str
    campaign_id: str


class CampaignServicer(campaign_pb2_grpc.CampaignServiceServicer):
    def __init__(
        self,
        *,
        database: Database,
        campaigns: CampaignService,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
    ) -> None:
        self._database = database
        self._campaigns = campaigns
        self._clock = clock
        self._new_id = new_id

    async def CreateCampaign(
        self, request: campaign_pb2.CreateCampaignRequest, context: Any
    ) -> campaign_pb2.CreateCampaignResponse:
        merchant_id = MerchantId(UUID(request.merchant_id))
        now = self._clock()

        def make(units: RewardUnits, problems: Problems) -> Campaign:
            return draft_from_proto(
                request.campaign, merchant_id, units, problems, now=now, new_id=self._new_id
            )

        async def create(tx: Transaction) -> campaign_pb2.CreateCampaignResponse:
            campaign = await self._campaigns.create(
                tx,
                merchant_id,
                make,
                change=Campaign.publish if request.publish else None,
                validate_only=request.validate_only,
                now=now,
            )
            message = campaign_to_proto(campaign)
            if request.validate_only:
                # What was not created has no ids.
                message.ClearField("campaign_id")
                for item in message.budget.items:
                    item.ClearField("budget_item_id")
            return campaign_pb2.CreateCampaignResponse(campaign=message)

        return await answer_once(self._database, current_repeat(), create)

    async def GetCampaign(
        self, request: campaign_pb2.GetCampaignRequest, context: Any
    ) -> campaign_pb2.GetCampaignResponse:
        names = MerchantId(UUID(request.merchant_id)), CampaignId(UUID(request.campaign_id))
        if request.rule_version:
            async with self._database.reading() as tx:
                campaign = await self._campaigns.get_version(tx, *names, request.rule_version)
        else:
            async with self._database.single() as tx:
                campaign = await self._campaigns.get(tx, *names)
        return campaign_pb2.GetCampaignResponse(campaign=campaign_to_proto(campaign))

    async def ListCampaigns(
        self, request: campaign_pb2.ListCampaignsRequest, context: Any
    ) -> campaign_pb2.ListCampaignsResponse:
        start = page_start(request, int, UUID)
        async with self._database.single() as tx:
            campaigns = await self._campaigns.list_of_merchant(
                tx,
                MerchantId(UUID(request.merchant_id)),
                after=start.after,
                limit=start.limit,
            )
        return page_of(
            campaigns,
            start,
            key=lambda each: (each.priority, each.campaign_id),
            to_message=campaign_to_proto,
            response=campaign_pb2.ListCampaignsResponse,
        )

    async def UpdateCampaign(
        self, request: campaign_pb2.UpdateCampaignRequest, context: Any
    ) -> campaign_pb2.UpdateCampaignResponse:
        merchant_id = MerchantId(UUID(request.merchant_id))
        campaign_id = CampaignId(UUID(request.campaign_id))

        def changes_in(units: RewardUnits, problems: Problems) -> Mapping[str, Any]:
            return changes_from_proto(
                request.campaign,
                updated_fields(request),
                campaign_id,
                units,
                problems,
                new_id=self._new_id,
            )

        async def update(tx: Transaction) -> campaign_pb2.UpdateCampaignResponse:
            campaign = await self._campaigns.update(
                tx,
                merchant_id,
                campaign_id,
                changes_in,
                validate_only=request.validate_only,
                clock=self._clock,
            )
            return campaign_pb2.UpdateCampaignResponse(campaign=campaign_to_proto(campaign))

        return await answer_once(self._database, current_repeat(), update)

    async def DeleteCampaign(
        self, request: campaign_pb2.DeleteCampaignRequest, context: Any
    ) -> campaign_pb2.DeleteCampaignResponse:
        async def delete(tx: Transaction) -> campaign_pb2.DeleteCampaignResponse:
            await self._campaigns.delete(
                tx, MerchantId(UUID(request.merchant_id)), CampaignId(UUID(request.campaign_id))
            )
            return campaign_pb2.DeleteCampaignResponse()

        return await answer_once(self._database, current_repeat(), delete)

    async def PublishCampaign(
        self, request: campaign_pb2.PublishCampaignRequest, context: Any
    ) -> campaign_pb2.PublishCampaignResponse:
        async def publish(tx: Transaction) -> campaign_pb2.PublishCampaignResponse:
            campaign = await self._campaigns.publish(
                tx,
                MerchantId(UUID(request.merchant_id)),
                CampaignId(UUID(request.campaign_id)),
                clock=self._clock,
            )
            return campaign_pb2.PublishCampaignResponse(campaign=campaign_to_proto(campaign))

        return await answer_once(self._database, current_repeat(), publish)

    async def PauseCampaign(
        self, request: campaign_pb2.PauseCampaignRequest, context: Any
    ) -> campaign_pb2.PauseCampaignResponse:
        return await self._change(request, Campaign.pause, campaign_pb2.PauseCampaignResponse)

    async def ResumeCampaign(
        self, request: campaign_pb2.ResumeCampaignRequest, context: Any
    ) -> campaign_pb2.ResumeCampaignResponse:
        return await self._change(request, Campaign.resume, campaign_pb2.ResumeCampaignResponse)

    async def ArchiveCampaign(
        self, request: campaign_pb2.ArchiveCampaignRequest, context: Any
    ) -> campaign_pb2.ArchiveCampaignResponse:
        return await self._change(request, Campaign.archive, campaign_pb2.ArchiveCampaignResponse)

    async def _change(
        self, request: _CampaignNamed, change: Change, response: Callable[..., Response]
    ) -> Response:
        async def set_state(tx: Transaction) -> Response:
            campaign = await self._campaigns.change_state(
                tx,
                MerchantId(UUID(request.merchant_id)),
                CampaignId(UUID(request.campaign_id)),
                change,
                now=self._clock(),
            )
            return response(campaign=campaign_to_proto(campaign))

        return await answer_once(self._database, current_repeat(), set_state)

    async def ListBudgetWindows(
        self, request: campaign_pb2.ListBudgetWindowsRequest, context: Any
    ) -> campaign_pb2.ListBudgetWindowsResponse:
        start = page_start(request, datetime.fromisoformat, UUID)
        async with self._database.reading() as tx:
            windows = await self._campaigns.list_windows(
                tx,
                MerchantId(UUID(request.merchant_id)),
                CampaignId(UUID(request.campaign_id)),
                after=start.after,
                limit=start.limit,
            )
        return page_of(
            windows,
            start,
            key=lambda each: (each.start_time, each.item.budget_item_id),
            to_message=window_to_proto,
            response=campaign_pb2.ListBudgetWindowsResponse,
        )
