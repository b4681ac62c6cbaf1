"""For each method, a call that succeeds. A new method is added here, or its tests fail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from google.api import httpbody_pb2
from google.protobuf import struct_pb2
from google.protobuf.message import Message
from sqlalchemy import text

from guerdon.attribution.v1 import attribution_pb2
from guerdon.business.v1 import business_pb2
from guerdon.campaign.v1 import campaign_pb2, rate_pb2
from guerdon.edge.v1 import edge_pb2
from guerdon.identity.v1 import identity_pb2
from guerdon.orchestration.v1 import (
    arrival_pb2,
    lane_pb2,
    purchase_linking_pb2,
    purchase_webhook_pb2,
)
from guerdon.purchases.v1 import purchases_pb2
from guerdon.referral.v1 import referral_pb2
from guerdon.rewards.v1 import rewards_pb2
from infrastructure.rpc.contract import Method
from infrastructure.rpc.translating import to_timestamp
from tests.support.mesh import Proof, proof_for
from tests.support.rpc_shop import (
    SIGNING_KEY,
    BusyShop,
    a_campaign,
    a_merchant,
    an_order,
    open_shop,
    sign,
)

PAST = datetime(2025, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidCall:
    """A request that the method answers, and the proof to show."""

    request: Message
    proof: Proof


async def a_valid_call(method: Method, busy: BusyShop) -> ValidCall:
    """A call of the method that succeeds. Each asks for something new, where it asks for more
    than a look.
    """
    make = _REQUESTS[method.descriptor.full_name]
    request = await make(busy)
    proof = proof_for(method)
    if isinstance(request, purchase_webhook_pb2.ReceiveCustomOrderRequest):
        proof = (*proof, ("x-hmac-sha256", sign(request.payload.data)))
    return ValidCall(request=request, proof=proof)


def _of(request: Callable[..., Message], **wanted: str) -> Callable[[BusyShop], Awaitable[Message]]:
    """A request about the busy shop: its merchant, and what else is named."""

    async def make(busy: BusyShop) -> Message:
        values: dict[str, Any] = {
            name: busy.shop.merchant_id if source == "merchant_id" else getattr(busy, source)
            for name, source in wanted.items()
        }
        return request(**values)

    return make


async def _nothing_health(_: BusyShop) -> Message:
    return edge_pb2.GetHealthRequest()


async def _nothing_readiness(_: BusyShop) -> Message:
    return edge_pb2.GetReadinessRequest()


async def _create_merchant(_: BusyShop) -> Message:
    return business_pb2.CreateMerchantRequest(merchant=a_merchant())


async def _update_merchant(busy: BusyShop) -> Message:
    shop = await open_shop(busy.shop.mesh)
    return business_pb2.UpdateMerchantRequest(
        merchant_id=shop.merchant_id, merchant=business_pb2.Merchant(name="Blue Shoes")
    )


async def _update_campaign(busy: BusyShop) -> Message:
    shop = await open_shop(busy.shop.mesh)
    return campaign_pb2.UpdateCampaignRequest(
        merchant_id=shop.merchant_id,
        campaign_id=await shop.create_campaign(),
        campaign=campaign_pb2.Campaign(name="bring two friends"),
    )


async def _update_webhook(busy: BusyShop) -> Message:
    shop = await open_shop(busy.shop.mesh)
    return business_pb2.UpdateWebhookRequest(
        merchant_id=shop.merchant_id,
        platform=business_pb2.PLATFORM_CUSTOM,
        signing_key=SIGNING_KEY,
    )


async def _resolve(busy: BusyShop) -> Message:
    return identity_pb2.ResolveIdentityGroupRequest(
        kind=identity_pb2.IdentityNode.KIND_CLIENT,
        value=busy.client_id,
        merchant_id=busy.shop.merchant_id,
    )


async def _connect_wallet(busy: BusyShop) -> Message:
    group = (await busy.shop.arrive(str(uuid4()))).identity_group_id
    return identity_pb2.ConnectWalletRequest(
        identity_group_id=group, wallet_address=f"0x{uuid4().hex}{'0' * 8}"
    )


async def _create_campaign(busy: BusyShop) -> Message:
    return campaign_pb2.CreateCampaignRequest(
        merchant_id=busy.shop.merchant_id, campaign=a_campaign()
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


async def _get_purchase(busy: BusyShop) -> Message:
    [purchase, *_] = await busy.shop.purchases()
    return purchases_pb2.GetPurchaseRequest(
        merchant_id=busy.shop.merchant_id, purchase_id=purchase.purchase_id
    )


async def _get_reward(busy: BusyShop) -> Message:
    [reward, *_] = await busy.shop.rewards()
    return rewards_pb2.GetRewardRequest(reward_id=reward.reward_id)


async def _explain(busy: BusyShop) -> Message:
    [reward, *_] = await busy.shop.rewards()
    return rewards_pb2.ExplainInteractionRequest(
        merchant_id=busy.shop.merchant_id, interaction_id=reward.interaction_id
    )


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


async def _claim(busy: BusyShop) -> purchase_linking_pb2.ClaimPurchaseRequest:
    order = str(uuid4())
    return purchase_linking_pb2.ClaimPurchaseRequest(
        customer_id=struct_pb2.Value(string_value="cust-77"),
        order_id=struct_pb2.Value(string_value=order),
        token=f"token-of-{order}",
        merchant_id=busy.shop.merchant_id,
    )


async def _import_claim(busy: BusyShop) -> Message:
    return purchase_linking_pb2.ImportClaimRequest(
        client_id=str(uuid4()), event_time=to_timestamp(PAST), claim=await _claim(busy)
    )


async def _receive_order(busy: BusyShop) -> Message:
    return purchase_webhook_pb2.ReceiveCustomOrderRequest(
        merchant_id=busy.shop.merchant_id,
        payload=httpbody_pb2.HttpBody(content_type="application/json", data=an_order(str(uuid4()))),
    )


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


async def _a_dead_interaction(busy: BusyShop) -> tuple[str, str]:
    """A merchant, and an interaction of it that is dead."""
    shop = await open_shop(busy.shop.mesh)
    await shop.order("A-1", client_id=str(uuid4()))
    async with busy.shop.mesh.application.database.transaction() as tx:
        dead = await tx.execute(
            text(
                "UPDATE interaction SET state = 'dead' WHERE merchant_id = :merchant_id"
                " RETURNING interaction_id"
            ),
            {"merchant_id": shop.merchant_id},
        )
        return shop.merchant_id, str(dead.scalar_one())


async def _retry_interaction(busy: BusyShop) -> Message:
    merchant_id, interaction_id = await _a_dead_interaction(busy)
    return lane_pb2.RetryInteractionRequest(merchant_id=merchant_id, interaction_id=interaction_id)


async def _retry_interactions(busy: BusyShop) -> Message:
    merchant_id, _ = await _a_dead_interaction(busy)
    return lane_pb2.RetryInteractionsRequest(merchant_id=merchant_id)


async def _a_dead_delivery(busy: BusyShop) -> tuple[str, str]:
    """A merchant, and a delivery of its shop that is dead."""
    shop = await open_shop(busy.shop.mesh)
    await shop.order("A-1")
    async with busy.shop.mesh.application.database.transaction() as tx:
        dead = await tx.execute(
            text(
                "UPDATE delivery SET state = 'dead' WHERE merchant_id = :merchant_id"
                " RETURNING delivery_id"
            ),
            {"merchant_id": shop.merchant_id},
        )
        return shop.merchant_id, str(dead.scalar_one())


async def _retry_delivery(busy: BusyShop) -> Message:
    merchant_id, delivery_id = await _a_dead_delivery(busy)
    return purchases_pb2.RetryDeliveryRequest(merchant_id=merchant_id, delivery_id=delivery_id)


async def _retry_deliveries(busy: BusyShop) -> Message:
    merchant_id, _ = await _a_dead_delivery(busy)
    return purchases_pb2.RetryDeliveriesRequest(merchant_id=merchant_id)


_MERCHANT = {"merchant_id": "merchant_id"}
_REQUESTS: Mapping[str, Callable[[BusyShop], Awaitable[Message]]] = {
    "guerdon.edge.v1.EdgeService.GetHealth": _nothing_health,
    "guerdon.edge.v1.EdgeService.GetReadiness": _nothing_readiness,
    "guerdon.business.v1.BusinessService.CreateMerchant": _create_merchant,
    "guerdon.business.v1.BusinessService.GetMerchant": _of(
        business_pb2.GetMerchantRequest, **_MERCHANT
    ),
    "guerdon.business.v1.BusinessService.GetWebhook": _of(
        business_pb2.GetWebhookRequest, **_MERCHANT
    ),
    "guerdon.business.v1.BusinessService.ListMerchants": _of(business_pb2.ListMerchantsRequest),
    "guerdon.business.v1.BusinessService.UpdateMerchant": _update_merchant,
    "guerdon.business.v1.BusinessService.UpdateWebhook": _update_webhook,
    "guerdon.identity.v1.IdentityService.GetIdentityGroup": _of(
        identity_pb2.GetIdentityGroupRequest, identity_group_id="identity_group_id"
    ),
    "guerdon.identity.v1.IdentityService.ResolveIdentityGroup": _resolve,
    "guerdon.identity.v1.IdentityService.ListIdentityNodes": _of(
        identity_pb2.ListIdentityNodesRequest, identity_group_id="identity_group_id"
    ),
    "guerdon.identity.v1.IdentityService.ConnectWallet": _connect_wallet,
    "guerdon.attribution.v1.AttributionService.ListTouchpoints": _of(
        attribution_pb2.ListTouchpointsRequest, **_MERCHANT
    ),
    "guerdon.referral.v1.ReferralService.GetReferralChain": _of(
        referral_pb2.GetReferralChainRequest, **_MERCHANT, identity_group_id="identity_group_id"
    ),
    "guerdon.referral.v1.ReferralService.ListReferralLinks": _of(
        referral_pb2.ListReferralLinksRequest,
        **_MERCHANT,
        referrer_identity_group_id="referrer_group_id",
    ),
    "guerdon.purchases.v1.PurchasesService.GetPurchase": _get_purchase,
    "guerdon.purchases.v1.PurchasesService.ListPurchases": _of(
        purchases_pb2.ListPurchasesRequest, **_MERCHANT
    ),
    "guerdon.purchases.v1.PurchasesService.ListDeliveries": _of(
        purchases_pb2.ListDeliveriesRequest, **_MERCHANT
    ),
    "guerdon.campaign.v1.CampaignService.CreateCampaign": _create_campaign,
    "guerdon.campaign.v1.CampaignService.GetCampaign": _of(
        campaign_pb2.GetCampaignRequest, **_MERCHANT, campaign_id="campaign_id"
    ),
    "guerdon.campaign.v1.CampaignService.ListCampaigns": _of(
        campaign_pb2.ListCampaignsRequest, **_MERCHANT
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
    "guerdon.campaign.v1.CampaignService.ListBudgetWindows": _of(
        campaign_pb2.ListBudgetWindowsRequest, **_MERCHANT, campaign_id="campaign_id"
    ),
    "guerdon.campaign.v1.RateService.SetRate": _set_rate,
    "guerdon.campaign.v1.RateService.ListRates": _list_rates,
    "guerdon.rewards.v1.RewardsService.GetReward": _get_reward,
    "guerdon.rewards.v1.RewardsService.ListBalances": _of(
        rewards_pb2.ListBalancesRequest, identity_group_id="identity_group_id"
    ),
    "guerdon.orchestration.v1.ArrivalService.TrackArrival": _track,
    "guerdon.orchestration.v1.ArrivalService.ImportArrival": _import_arrival,
    "guerdon.orchestration.v1.PurchaseLinkingService.ClaimPurchase": _claim,
    "guerdon.orchestration.v1.PurchaseLinkingService.ImportClaim": _import_claim,
    "guerdon.orchestration.v1.PurchaseWebhookService.ReceiveCustomOrder": _receive_order,
    "guerdon.rewards.v1.RewardsService.ListRewards": _of(
        rewards_pb2.ListRewardsRequest, **_MERCHANT
    ),
    "guerdon.rewards.v1.RewardsService.ListInteractions": _of(
        rewards_pb2.ListInteractionsRequest, **_MERCHANT
    ),
    "guerdon.rewards.v1.RewardsService.ExplainInteraction": _explain,
    "guerdon.orchestration.v1.LaneService.GetLane": _of(lane_pb2.GetLaneRequest, **_MERCHANT),
    "guerdon.orchestration.v1.LaneService.HoldLane": _of(lane_pb2.HoldLaneRequest, **_MERCHANT),
    "guerdon.orchestration.v1.LaneService.ReleaseLane": _of(
        lane_pb2.ReleaseLaneRequest, **_MERCHANT
    ),
    "guerdon.orchestration.v1.LaneService.RetryInteraction": _retry_interaction,
    "guerdon.orchestration.v1.LaneService.RetryInteractions": _retry_interactions,
    "guerdon.purchases.v1.PurchasesService.RetryDelivery": _retry_delivery,
    "guerdon.purchases.v1.PurchasesService.RetryDeliveries": _retry_deliveries,
}
