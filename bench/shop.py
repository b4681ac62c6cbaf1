"""The shop that the bench measures with."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

import grpc
from google.protobuf import duration_pb2, json_format

from guerdon.business.v1 import business_pb2, business_pb2_grpc
from guerdon.campaign.v1 import campaign_pb2, campaign_pb2_grpc
from guerdon.type.v1 import money_pb2
from server.running_stack import RunningStack

SIGNING_KEY = "bench-signing-key"
DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A merchant with five active campaigns, of which one matches and pays."""

    merchant_id: str


async def open_shop(stack: RunningStack, *, reward_delay_seconds: int) -> Shop:
    """Creates the merchant, its webhook and its campaigns."""
    proof = (("x-service-auth", stack.service_token),)
    async with grpc.aio.insecure_channel(stack.mesh_address) as channel:
        business = business_pb2_grpc.BusinessServiceStub(channel)
        created = await business.CreateMerchant(
            business_pb2.CreateMerchantRequest(
                merchant=business_pb2.Merchant(
                    name="Bench",
                    domain=f"bench-{uuid4().hex[:10]}.example",
                    reward_token=money_pb2.Token(
                        chain_id=31337,
                        token_address="0x" + "ab" * 20,
                        decimals=6,
                        peg_currency="USD",
                    ),
                    reward_delay_duration=duration_pb2.Duration(seconds=reward_delay_seconds),
                )
            ),
            metadata=proof,
        )
        merchant_id = created.merchant.merchant_id
        await business.UpdateWebhook(
            business_pb2.UpdateWebhookRequest(
                merchant_id=merchant_id,
                platform=business_pb2.PLATFORM_CUSTOM,
                signing_key=SIGNING_KEY,
            ),
            metadata=proof,
        )
        campaigns = campaign_pb2_grpc.CampaignServiceStub(channel)
        for number in range(5):
            request = campaign_pb2.CreateCampaignRequest(merchant_id=merchant_id)
            json_format.ParseDict(_campaign(number), request.campaign)
            campaign = (await campaigns.CreateCampaign(request, metadata=proof)).campaign
            await campaigns.PublishCampaign(
                campaign_pb2.PublishCampaignRequest(
                    merchant_id=merchant_id, campaign_id=campaign.campaign_id
                ),
                metadata=proof,
            )
    return Shop(merchant_id=merchant_id)


def _campaign(number: int) -> dict[str, object]:
    pays = number == 0
    return {
        "name": f"Campaign {number}",
        "startTime": "2020-01-01T00:00:00Z",
        "rule": {
            "trigger": "TRIGGER_REFERRAL_PURCHASE",
            "conditions": {
                "conditions": [
                    {
                        "condition": {
                            "field": "purchase.amount",
                            "operator": "OPERATOR_GTE",
                            "value": "10" if pays else "1000000",
                        }
                    }
                ]
            },
            "rewards": [
                {
                    "recipient": "RECIPIENT_REFERRER",
                    "percentage": {"percent": "10"},
                    "chaining": {
                        "userPercent": "20",
                        "deperditionPerLevel": "50",
                        "maxDepth": 3,
                    },
                }
            ],
        },
        "budgetConfig": {
            "items": [{"label": "monthly", "amount": "1000000000", "calendarMonth": {}}]
        },
    }
