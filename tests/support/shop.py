"""A shop for tests of flows: a merchant with a webhook and campaigns, and what happens there."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from domains.attribution.model import Utm
from domains.business.model import AttributionModel, Merchant, Platform, RewardToken
from domains.campaign.model import Campaign
from domains.purchases.model import Delivery
from infrastructure.database.repeated_call import Repeat
from infrastructure.database.transaction import Database
from orchestration.arrival.flow import Arrival, ArrivalRecord
from orchestration.purchase_linking.flow import Claim
from orchestration.purchase_linking.statements import Claimed
from orchestration.purchase_webhook.flow import ReceivedDelivery
from orchestration.purchase_webhook.platforms import Message
from tests.support.deliveries import a_received_delivery
from tests.support.flows import NOON, Flows, flows_on
from tests.support.rules import CampaignPlan
from vocabulary.ids import CampaignId, MerchantId

OPENED = NOON - timedelta(days=60)
SIGNING_KEY = "whsec_YSBrZXkgb2YgdGhpcnR5LXR3byBieXRlcywgc2lnbnM="
TOKEN_ADDRESS = "0x1f9840a85d5af5bf1d1762f925bdaddc4201f984"
WORK_SECONDS_MAX = 30


def sign(body: bytes, key: str = SIGNING_KEY) -> str:
    """What a shop writes beside a body to prove that it sent it."""
    return base64.b64encode(hmac.digest(key.encode(), body, hashlib.sha256)).decode()


def sign_standard(
    body: bytes, *, event_id: str, sent: datetime, keys: Sequence[str] = (SIGNING_KEY,)
) -> dict[str, list[str]]:
    """What a shop that signs by Standard Webhooks sends beside a body, by each of its keys."""
    seconds = int(sent.timestamp())
    signed = f"{event_id}.{seconds}.".encode() + body
    signatures = [
        base64.b64encode(
            hmac.digest(base64.b64decode(key.removeprefix("whsec_")), signed, hashlib.sha256)
        ).decode()
        for key in keys
    ]
    return {
        "webhook-id": [event_id],
        "webhook-timestamp": [str(seconds)],
        "webhook-signature": [" ".join(f"v1,{each}" for each in signatures)],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A merchant's shop, its visitors and its reports, on the flows of one process."""

    flows: Flows
    merchant: Merchant
    campaign_ids: dict[str, CampaignId]

    @property
    def merchant_id(self) -> MerchantId:
        return self.merchant.merchant_id

    @property
    def database(self) -> Database:
        return self.flows.database

    def on(self, flows: Flows) -> Shop:
        """The same shop, served by another process."""
        return replace(self, flows=flows)

    async def arrive(
        self,
        client: str,
        *,
        referrer: str = "",
        wallet: str = "",
        utm: Utm | None = None,
        repeat: Repeat[ArrivalRecord] | None = None,
    ) -> ArrivalRecord:
        """A browser arrives, by the link of another browser or of a wallet if one is named."""
        return await self.flows.arrival.track(
            Arrival(
                merchant_id=self.merchant_id,
                client_id=client,
                referrer_wallet=wallet,
                referrer_client_id=referrer,
                referrer_merchant_id=None,
                landing_url="https://shop.example/",
                utm=utm or Utm(),
            ),
            repeat=repeat,
        )

    async def claim(
        self,
        client: str,
        order: str,
        *,
        token: str | None = None,
        repeat: Repeat[Claimed] | None = None,
    ) -> Claimed:
        """A browser shows the token of an order."""
        return await self.flows.purchase_linking.claim(
            Claim(
                merchant_id=self.merchant_id,
                client_id=client,
                order_reference=order,
                token=token_of(order) if token is None else token,
            ),
            repeat=repeat,
        )

    def order_body(
        self,
        order: str,
        status: str = "confirmed",
        *,
        ordered: datetime | None = None,
        updated: datetime | None = None,
        **said: Any,
    ) -> bytes:
        """What the shop says of an order: 100.00 euros, ordered and changed now, by a guest."""
        document = {
            "id": order,
            "status": status,
            "token": token_of(order),
            "currency": "EUR",
            "totalPrice": "100.00",
            "createdAt": (ordered or self.flows.clock.now).isoformat(),
            "updatedAt": (updated or self.flows.clock.now).isoformat(),
            **said,
        }
        return json.dumps(document).encode()

    async def report(
        self,
        order: str,
        status: str = "confirmed",
        *,
        ordered: datetime | None = None,
        updated: datetime | None = None,
        event_id: str = "",
        **said: Any,
    ) -> str:
        """The shop reports an order, correctly signed."""
        body = self.order_body(order, status, ordered=ordered, updated=updated, **said)
        return await self.deliver(body, event_id=event_id)

    async def deliver(
        self,
        body: bytes,
        *,
        event_id: str = "",
        signature: str | None = None,
        is_test: bool = False,
    ) -> str:
        """A body arrives at the shop's webhook, correctly signed unless told otherwise."""
        headers = {"x-hmac-sha256": [sign(body) if signature is None else signature]}
        if event_id:
            headers["x-webhook-id"] = [event_id]
        if is_test:
            headers["x-test"] = ["true"]
        return await self.send(body, headers)

    async def deliver_standard(
        self,
        body: bytes,
        *,
        event_id: str = "msg_1",
        sent: datetime | None = None,
        keys: Sequence[str] = (SIGNING_KEY,),
    ) -> str:
        """A body arrives at the shop's webhook, signed by Standard Webhooks, now unless told so."""
        time = self.flows.clock.now if sent is None else sent
        return await self.send(body, sign_standard(body, event_id=event_id, sent=time, keys=keys))

    async def send(self, body: bytes, headers: dict[str, list[str]]) -> str:
        """A body arrives at the shop's webhook with these headers."""
        return await self.flows.purchase_webhook.receive(
            ReceivedDelivery(
                platform="custom",
                merchant_id=self.merchant_id,
                product_id=None,
                message=Message(body=body, headers=headers),
            )
        )

    async def buy(
        self, client: str, order: str, *, ordered: datetime | None = None, **said: Any
    ) -> None:
        """A browser buys: the shop reports the order as confirmed, the browser claims it."""
        await self.report(order, ordered=ordered, **said)
        await self.claim(client, order)

    async def work(self) -> None:
        """Decides everything that is due, here and at other merchants."""
        flows = self.flows
        async with asyncio.timeout(WORK_SECONDS_MAX):
            while any(
                lane.due_time <= flows.clock.now
                for lane in await flows.reward.list_waiting_lanes(is_thorough=True)
            ):
                await self.look()

    async def look(self) -> None:
        """One look at every lane, as a worker does it, until what it began is done."""
        await self.flows.reward_work.run()
        await self.flows.reward_work.finish()

    async def change(self, campaign: str, change: Any) -> Campaign:
        """Publishes, pauses, resumes or archives a campaign, now."""
        async with self.database.transaction() as tx:
            return await self.flows.campaigns.change_state(
                tx,
                self.merchant_id,
                self.campaign_ids[campaign],
                change,
                now=self.flows.clock.now,
            )


def token_of(order: str) -> str:
    """The token that an order has unless a test says otherwise."""
    return f"token of {order}"


async def a_shop(
    database: Database | Flows,
    *campaigns: CampaignPlan,
    reward_delay: timedelta = timedelta(),
    clock_tolerance: timedelta = timedelta(),
    look_back: timedelta = timedelta(days=30),
    attribution_model: AttributionModel = AttributionModel.FIRST_TOUCH,
    decimals: int = 6,
    signing_key: str = SIGNING_KEY,
) -> Shop:
    """A shop that has been open for long, with published campaigns, in the order given.

    It pays in a token of 6 decimals worth a euro, and at once.
    """
    flows = database if isinstance(database, Flows) else flows_on(database)
    merchant_id = MerchantId(uuid4())
    async with flows.database.transaction() as tx:
        merchant = await flows.business.create(
            tx,
            Merchant(
                merchant_id=merchant_id,
                name="A shop",
                domain=f"shop-{merchant_id.hex[:12]}.example",
                reward_token=RewardToken(
                    chain_id=1, address=TOKEN_ADDRESS, decimals=decimals, peg_currency="EUR"
                ),
                look_back=look_back,
                reward_delay=reward_delay,
                clock_tolerance=clock_tolerance,
                attribution_model=attribution_model,
                create_time=OPENED,
            ),
        )
        await flows.business.set_webhook(
            tx, merchant_id, platform=Platform.CUSTOM, signing_key=signing_key, now=OPENED
        )
        campaign_ids = await _publish(flows, tx, merchant_id, campaigns)
    return Shop(flows=flows, merchant=merchant, campaign_ids=campaign_ids)


async def _publish(
    flows: Flows, tx: Any, merchant_id: MerchantId, plans: Sequence[CampaignPlan]
) -> dict[str, CampaignId]:
    ids: dict[str, CampaignId] = {}
    for position, plan in enumerate(plans):
        published = await flows.campaigns.create(
            tx,
            merchant_id,
            plan.maker(merchant_id, priority=len(plans) - position, now=OPENED),
            change=Campaign.publish,
            validate_only=False,
            now=OPENED,
        )
        ids[plan.name] = published.campaign_id
    return ids


def a_delivery(shop: Shop, body: bytes, *, event_id: str) -> Delivery:
    """A delivery as the inbox knows it, received now."""
    return a_received_delivery(
        shop.merchant_id, event_id=event_id, time=shop.flows.clock.now, body=body
    )
