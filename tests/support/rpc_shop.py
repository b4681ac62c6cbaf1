"""A shop that is only known over gRPC: a merchant with a webhook, and what happens there."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from google.api import httpbody_pb2
from google.protobuf.duration_pb2 import Duration

from guerdon.business.v1 import business_pb2
from guerdon.campaign.v1 import campaign_pb2, rule_pb2
from guerdon.identity.v1 import identity_pb2
from guerdon.orchestration.v1 import (
    arrival_pb2,
    purchase_webhook_pb2,
)
from guerdon.purchases.v1 import purchases_pb2
from guerdon.rewards.v1 import rewards_pb2
from guerdon.type.v1 import money_pb2
from infrastructure.rpc.translating import to_timestamp
from server.jobs.reward_work import RewardWork
from tests.support.mesh import Mesh, visitor

DECIDED_SECONDS_MAX = 30
SIGNING_KEY = "signing-key-of-the-tests"
TOKEN_ADDRESS = "0x1f9840a85d5af5bf1d1762f925bdaddc4201f984"
BUSINESS = "guerdon.business.v1.BusinessService"
CAMPAIGN = "guerdon.campaign.v1.CampaignService"
IDENTITY = "guerdon.identity.v1.IdentityService"
ARRIVAL = "guerdon.orchestration.v1.ArrivalService"
LINKING = "guerdon.orchestration.v1.PurchaseLinkingService"
WEBHOOK = "guerdon.orchestration.v1.PurchaseWebhookService"
REWARDS = "guerdon.rewards.v1.RewardsService"


def a_merchant() -> business_pb2.Merchant:
    """A merchant whose rewards are decided at once."""
    return business_pb2.Merchant(
        name="Red Shoes",
        domain=f"{uuid4()}.example",
        reward_token=money_pb2.Token(
            chain_id=31337, token_address=TOKEN_ADDRESS, decimals=6, peg_currency="EUR"
        ),
        reward_delay_duration=Duration(seconds=0),
    )


def a_campaign(name: str = "bring a friend") -> campaign_pb2.Campaign:
    """Pays the buyer a fiftieth of the order in tokens, and a point."""
    user = rule_pb2.RECIPIENT_USER
    return campaign_pb2.Campaign(
        name=name,
        rule=rule_pb2.Rule(
            trigger=rule_pb2.TRIGGER_PURCHASE,
            rewards=[
                rule_pb2.Reward(recipient=user, percentage=rule_pb2.PercentageAmount(percent="2")),
                rule_pb2.Reward(
                    recipient=user,
                    asset=money_pb2.ASSET_POINTS,
                    fixed=rule_pb2.FixedAmount(amount="1"),
                ),
            ],
        ),
        budget=rule_pb2.Budget(
            items=[
                rule_pb2.BudgetItem(
                    label="hourly", amount="1000", window_duration=Duration(seconds=3600)
                )
            ],
            unlimited_assets=[money_pb2.ASSET_POINTS],
        ),
        start_time=to_timestamp(datetime.now(UTC) - timedelta(days=30)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcShop:
    """A merchant's shop."""

    mesh: Mesh
    merchant_id: str

    async def create_campaign(self, *, published: bool = True, name: str = "friends") -> str:
        """A campaign of the shop; returns its id."""
        created = await self.mesh.call(
            f"{CAMPAIGN}/CreateCampaign",
            campaign_pb2.CreateCampaignRequest(
                merchant_id=self.merchant_id, campaign=a_campaign(name)
            ),
        )
        campaign_id: str = created.campaign.campaign_id
        if published:
            await self.change_campaign("Publish", campaign_id)
        return campaign_id

    async def change_campaign(self, verb: str, campaign_id: str) -> None:
        """Publishes, pauses, resumes or archives a campaign."""
        request = getattr(campaign_pb2, f"{verb}CampaignRequest")
        await self.mesh.call(
            f"{CAMPAIGN}/{verb}Campaign",
            request(merchant_id=self.merchant_id, campaign_id=campaign_id),
        )

    async def arrive(
        self, client_id: str, *, referrer: str = ""
    ) -> arrival_pb2.TrackArrivalResponse:
        """A browser arrives, by the link of somebody with this share id if that is named."""
        answer: arrival_pb2.TrackArrivalResponse = await self.mesh.call(
            f"{ARRIVAL}/TrackArrival",
            arrival_pb2.TrackArrivalRequest(
                merchant_id=self.merchant_id, referrer_share_id=referrer
            ),
            proof=visitor(client_id),
        )
        return answer

    async def order(
        self, order: str, *, client_id: str = "", ago: timedelta = timedelta(), **said: Any
    ) -> None:
        """The shop reports a paid order of 59.80 euros."""
        body = an_order(order, client_id=client_id, ago=ago, **said)
        await self.mesh.call(
            f"{WEBHOOK}/ReceiveCustomOrder",
            purchase_webhook_pb2.ReceiveCustomOrderRequest(
                merchant_id=self.merchant_id, payload=httpbody_pb2.HttpBody(data=body)
            ),
            proof=(("x-hmac-sha256", sign(body)),),
        )

    async def purchases(self) -> list[purchases_pb2.Purchase]:
        """What the shop sold."""
        answer = await self.mesh.call(
            "guerdon.purchases.v1.PurchasesService/ListPurchases",
            purchases_pb2.ListPurchasesRequest(merchant_id=self.merchant_id),
        )
        return list(answer.purchases)

    async def rewards(self) -> list[rewards_pb2.Reward]:
        """What people earned there."""
        answer = await self.mesh.call(
            f"{REWARDS}/ListRewards", rewards_pb2.ListRewardsRequest(merchant_id=self.merchant_id)
        )
        return list(answer.rewards)

    async def work(self) -> None:
        """Decides what is due."""
        application = self.mesh.application
        work = RewardWork(flow=application.flows.reward, clock=application.clock)
        await work.run()
        await work.finish()


@dataclass(frozen=True, slots=True, kw_only=True)
class BusyShop:
    """A shop where enough happened for every list to have several items."""

    shop: RpcShop
    client_id: str
    identity_group_id: str
    referrer_group_id: str
    campaign_id: str


def an_order(
    order: str, *, client_id: str = "", ago: timedelta = timedelta(), **said: Any
) -> bytes:
    """What a shop says of an order."""
    then = (datetime.now(UTC) - ago).isoformat()
    document = {
        "id": order,
        "status": "confirmed",
        "token": f"token-of-{order}",
        "currency": "EUR",
        "totalPrice": "59.80",
        "createdAt": then,
        "updatedAt": then,
        "clientId": client_id,
        **said,
    }
    return json.dumps(document).encode()


def sign(body: bytes, key: str = SIGNING_KEY) -> str:
    """What a shop writes beside a body."""
    return base64.b64encode(hmac.digest(key.encode(), body, hashlib.sha256)).decode()


async def open_shop(mesh: Mesh) -> RpcShop:
    """A new merchant with a webhook."""
    created = await mesh.call(
        f"{BUSINESS}/CreateMerchant", business_pb2.CreateMerchantRequest(merchant=a_merchant())
    )
    shop = RpcShop(mesh=mesh, merchant_id=created.merchant.merchant_id)
    await mesh.call(
        f"{BUSINESS}/UpdateWebhook",
        business_pb2.UpdateWebhookRequest(
            merchant_id=shop.merchant_id,
            platform=business_pb2.PLATFORM_CUSTOM,
            signing_key=SIGNING_KEY,
        ),
    )
    return shop


async def open_busy_shop(mesh: Mesh) -> BusyShop:
    """A merchant with campaigns, visitors who bring each other, orders, and rewards."""
    shop = await open_shop(mesh)
    campaigns = [await shop.create_campaign(name=f"campaign {index}") for index in range(3)]
    referrer, client = str(uuid4()), str(uuid4())
    brought_by = await shop.arrive(referrer)
    group = (await shop.arrive(client, referrer=brought_by.share_id)).identity_group_id
    await shop.arrive(str(uuid4()), referrer=brought_by.share_id)
    await mesh.call(
        f"{IDENTITY}/ConnectWallet",
        identity_pb2.ConnectWalletRequest(
            identity_group_id=group, wallet_address=f"0x{uuid4().hex}{'0' * 8}"
        ),
    )
    for index in range(3):
        ago = timedelta(hours=2 * index)
        await shop.order(f"A-{index}", client_id=client, ago=ago, customerId="cust-77")
    # The clock of a busy machine may be a moment behind the database's, by which they are due.
    async with asyncio.timeout(DECIDED_SECONDS_MAX):
        while not await shop.rewards():
            await shop.work()
    return BusyShop(
        shop=shop,
        client_id=client,
        identity_group_id=group,
        referrer_group_id=brought_by.identity_group_id,
        campaign_id=campaigns[0],
    )
