"""Campaigns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from google.protobuf.message import Message

from guerdon.campaign.v1 import campaign_pb2
from tests.contract.valid_calls.making import MERCHANT, Make, about
from tests.support.rpc_shop import BusyShop, a_campaign, open_shop


async def _create_campaign(busy: BusyShop) -> Message:
    return campaign_pb2.CreateCampaignRequest(
        merchant_id=busy.shop.merchant_id, campaign=a_campaign()
    )


async def _update_campaign(busy: BusyShop) -> Message:
    shop = await open_shop(busy.shop.mesh)
    return campaign_pb2.UpdateCampaignRequest(
        merchant_id=shop.merchant_id,
        campaign_id=await shop.create_campaign(),
        campaign=campaign_pb2.Campaign(name="bring two friends"),
    )


def _changing(request: Callable[..., Message], *before: str) -> Callable[..., Awaitable[Message]]:
    """A change of a campaign of a new shop that went through the changes `before`."""

    async def make(busy: BusyShop) -> Message:
        shop = await open_shop(busy.shop.mesh)
        campaign_id = await shop.create_campaign(published=False)
        for verb in before:
            await shop.change_campaign(verb, campaign_id)
        return request(merchant_id=shop.merchant_id, campaign_id=campaign_id)

    return make


REQUESTS: Mapping[str, Make] = {
    "guerdon.campaign.v1.CampaignService.CreateCampaign": _create_campaign,
    "guerdon.campaign.v1.CampaignService.GetCampaign": about(
        campaign_pb2.GetCampaignRequest, **MERCHANT, campaign_id="campaign_id"
    ),
    "guerdon.campaign.v1.CampaignService.ListCampaigns": about(
        campaign_pb2.ListCampaignsRequest, **MERCHANT
    ),
    "guerdon.campaign.v1.CampaignService.UpdateCampaign": _update_campaign,
    "guerdon.campaign.v1.CampaignService.DeleteCampaign": _changing(
        campaign_pb2.DeleteCampaignRequest
    ),
    "guerdon.campaign.v1.CampaignService.PublishCampaign": _changing(
        campaign_pb2.PublishCampaignRequest
    ),
    "guerdon.campaign.v1.CampaignService.PauseCampaign": _changing(
        campaign_pb2.PauseCampaignRequest, "Publish"
    ),
    "guerdon.campaign.v1.CampaignService.ResumeCampaign": _changing(
        campaign_pb2.ResumeCampaignRequest, "Publish", "Pause"
    ),
    "guerdon.campaign.v1.CampaignService.ArchiveCampaign": _changing(
        campaign_pb2.ArchiveCampaignRequest
    ),
    "guerdon.campaign.v1.CampaignService.ListBudgetWindows": about(
        campaign_pb2.ListBudgetWindowsRequest, **MERCHANT, campaign_id="campaign_id"
    ),
}
