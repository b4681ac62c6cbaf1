"""A shop and its visitors, as strangers with an HTTP client see the mesh."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import grpc
import httpx
from google.protobuf import duration_pb2, json_format

from guerdon.business.v1 import business_pb2, business_pb2_grpc
from guerdon.campaign.v1 import campaign_pb2, campaign_pb2_grpc
from guerdon.type.v1 import money_pb2
from localmesh.stack import Stack

KEY = "a-signing-key-of-a-shop"
DELAY_SECONDS = 1
CAMPAIGN = {
    "name": "Bring a friend",
    "rule": {
        "trigger": "TRIGGER_REFERRAL_PURCHASE",
        "rewards": [
            {
                "recipient": "RECIPIENT_REFERRER",
                "percentage": {"percent": "10"},
                "chaining": {"userPercent": "20", "deperditionPerLevel": "50", "maxDepth": 3},
            }
        ],
    },
    "budgetConfig": {"items": [{"label": "monthly", "amount": "100000", "calendarMonth": {}}]},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A request, for whichever client sends it."""

    path: str
    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A merchant with one campaign, and the two listeners."""

    merchant_id: str
    public: httpx.AsyncClient
    mesh: httpx.AsyncClient

    async def arrive(self, client_id: str, **arrival: str) -> dict[str, Any]:
        answer = await self.public.post(
            "/user/track/arrival",
            json={"merchantId": self.merchant_id, **arrival},
            headers={"x-client-id": client_id},
        )
        return _object(answer)

    async def claim(self, client_id: str, order: str) -> dict[str, Any]:
        claim = self.a_claim(client_id, order)
        answer = await self.public.post(claim.path, content=claim.body, headers=claim.headers)
        return _object(answer)

    def a_claim(self, client_id: str, order: str) -> Post:
        """What the buyer's browser sends."""
        document = {
            "merchantId": self.merchant_id,
            "orderId": order,
            "customerId": client_id,
            "token": f"token-{order}",
        }
        return Post(
            path="/user/track/purchase",
            body=json.dumps(document).encode(),
            headers={"x-client-id": client_id, "content-type": "application/json"},
        )

    async def deliver(
        self, order: str, *, status: str = "confirmed", **more: str
    ) -> httpx.Response:
        """Sends a signed webhook."""
        delivery = self.a_delivery(order, status=status, **more)
        return await self.public.post(
            delivery.path, content=delivery.body, headers=delivery.headers
        )

    def a_delivery(self, order: str, *, status: str = "confirmed", **more: str) -> Post:
        """What the shop sends."""
        body = json.dumps(
            {
                "id": order,
                "status": status,
                "token": f"token-{order}",
                "currency": "USD",
                "totalPrice": "59.80",
                **more,
            }
        ).encode()
        signature = base64.b64encode(hmac.digest(KEY.encode(), body, hashlib.sha256)).decode()
        return Post(
            path=f"/ext/merchant/{self.merchant_id}/webhook/custom",
            body=body,
            headers={"x-hmac-sha256": signature},
        )

    async def rewards(self, **query: str) -> list[dict[str, Any]]:
        """Every reward of the merchant, read on the mesh listener."""
        answer = await self.mesh.get(
            f"/business/merchant/{self.merchant_id}/rewards", params={"pageSize": "500", **query}
        )
        assert answer.status_code == 200, answer.text
        rewards: list[dict[str, Any]] = answer.json()["rewards"]
        return rewards

    async def until_rewarded(self, count: int, *, within_seconds: float) -> list[dict[str, Any]]:
        """The rewards, once there are that many."""
        deadline = time.monotonic() + within_seconds
        while True:
            rewards = await self.rewards()
            if len(rewards) >= count:
                return rewards
            assert time.monotonic() < deadline, f"{len(rewards)} of {count} rewards in time"
            await asyncio.sleep(0.05)


async def open_shop(stack: Stack, public: httpx.AsyncClient, mesh: httpx.AsyncClient) -> Shop:
    """Creates a merchant, its webhook and its campaign over gRPC."""
    proof = (("x-service-auth", stack.service_token),)
    async with grpc.aio.insecure_channel(stack.mesh_address) as channel:
        business = business_pb2_grpc.BusinessServiceStub(channel)
        created = await business.CreateMerchant(a_merchant_request(), metadata=proof)
        merchant_id = created.merchant.merchant_id
        await business.UpdateWebhook(
            business_pb2.UpdateWebhookRequest(
                merchant_id=merchant_id, platform=business_pb2.PLATFORM_CUSTOM, signing_key=KEY
            ),
            metadata=proof,
        )
        campaigns = campaign_pb2_grpc.CampaignServiceStub(channel)
        request = campaign_pb2.CreateCampaignRequest(merchant_id=merchant_id)
        json_format.ParseDict(CAMPAIGN, request.campaign)
        campaign = (await campaigns.CreateCampaign(request, metadata=proof)).campaign
        await campaigns.PublishCampaign(
            campaign_pb2.PublishCampaignRequest(
                merchant_id=merchant_id, campaign_id=campaign.campaign_id
            ),
            metadata=proof,
        )
    return Shop(merchant_id=merchant_id, public=public, mesh=mesh)


def a_merchant_request() -> business_pb2.CreateMerchantRequest:
    """A merchant that nobody else has created."""
    return business_pb2.CreateMerchantRequest(
        request_id=str(uuid4()),
        merchant=business_pb2.Merchant(
            name="A shop",
            domain=f"shop-{uuid4().hex[:12]}.example",
            reward_token=money_pb2.Token(
                chain_id=31337, token_address="0x" + "ab" * 20, decimals=6, peg_currency="USD"
            ),
            reward_delay_duration=duration_pb2.Duration(seconds=DELAY_SECONDS),
        ),
    )


def _object(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document
