"""Plays the demo's story on a mesh."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import grpc
from google.protobuf import duration_pb2, json_format, struct_pb2, timestamp_pb2

from guerdon.business.v1 import business_pb2, business_pb2_grpc
from guerdon.campaign.v1 import campaign_pb2, campaign_pb2_grpc
from guerdon.orchestration.v1 import (
    arrival_pb2,
    arrival_pb2_grpc,
    lane_pb2,
    lane_pb2_grpc,
    purchase_linking_pb2,
    purchase_linking_pb2_grpc,
)
from guerdon.type.v1 import money_pb2
from localmesh.demo.client import MeshClient
from localmesh.demo.plan import (
    Claiming,
    PlannedDay,
    PlannedOrder,
    PlannedReturn,
    body_of,
    client_id_of,
    order_bodies,
    request_id_of,
    token_of,
)
from vocabulary.exact import plain, scale

TOKEN_ADDRESS = "0x" + "c0ffee" * 6 + "cafe"
SIGNING_KEY = "demo-signing-key-of-one-shop"
REWARD_DELAY_SECONDS = 2
LOOK_BACK_DAYS = 90
CONCURRENCY = 16
EPILOGUE_ORDERS = 200
DRAIN_POLL_SECONDS = 0.01
HISTORY_BEGIN = datetime(1997, 1, 1, tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class Story:
    """One run: whose shop, which campaigns, and how much was sent.

    `share_ids` are what the links of customers carry, as their arrivals were answered.
    """

    seed: int
    merchant_id: str
    campaign_ids: list[str]
    order_count: int = 0
    delivery_count: int = 0
    arrival_count: int = 0
    claim_count: int = 0
    returned_count: int = 0
    epilogue_references: list[str] = field(default_factory=list)
    share_ids: dict[str, str] = field(default_factory=dict)

    @property
    def webhook_path(self) -> str:
        return f"/ext/merchant/{self.merchant_id}/webhook/custom"


class Teller:
    """Tells one story on one mesh."""

    def __init__(self, *, mesh: MeshClient, campaigns: Sequence[dict[str, object]]) -> None:
        self._mesh = mesh
        self._campaigns = campaigns
        channel = mesh.channel
        self._business = business_pb2_grpc.BusinessServiceStub(channel)
        self._campaign = campaign_pb2_grpc.CampaignServiceStub(channel)
        self._arrival = arrival_pb2_grpc.ArrivalServiceStub(channel)
        self._linking = purchase_linking_pb2_grpc.PurchaseLinkingServiceStub(channel)
        self._reward = lane_pb2_grpc.LaneServiceStub(channel)

    async def open_shop(self, seed: int) -> Story:
        """Creates the shop of this run, its campaigns included."""
        rpc = self._mesh.rpc
        run = uuid4().hex[:10]
        created: business_pb2.CreateMerchantResponse = await rpc(
            self._business.CreateMerchant,
            business_pb2.CreateMerchantRequest(
                request_id=str(uuid4()),
                merchant=business_pb2.Merchant(
                    name=f"Compact discs, told with seed {seed}",
                    domain=f"cds-{run}.example",
                    reward_token=money_pb2.Token(
                        chain_id=31337,
                        token_address=TOKEN_ADDRESS,
                        decimals=6,
                        peg_currency="USD",
                    ),
                    look_back_duration=duration_pb2.Duration(seconds=LOOK_BACK_DAYS * 86400),
                    reward_delay_duration=duration_pb2.Duration(seconds=REWARD_DELAY_SECONDS),
                ),
            ),
        )
        merchant_id = created.merchant.merchant_id
        await rpc(
            self._business.UpdateWebhook,
            business_pb2.UpdateWebhookRequest(
                merchant_id=merchant_id,
                platform=business_pb2.PLATFORM_CUSTOM,
                signing_key=SIGNING_KEY,
            ),
        )
        story = Story(seed=seed, merchant_id=merchant_id, campaign_ids=[])
        for document in self._campaigns:
            story.campaign_ids.append(await self._publish(merchant_id, document))
        return story

    async def _publish(self, merchant_id: str, document: dict[str, object]) -> str:
        request = campaign_pb2.CreateCampaignRequest(
            request_id=str(uuid4()), merchant_id=merchant_id
        )
        json_format.ParseDict(document, request.campaign)
        request.campaign.start_time.FromDatetime(HISTORY_BEGIN)
        created = await self._mesh.rpc(self._campaign.CreateCampaign, request)
        campaign_id: str = created.campaign.campaign_id
        await self._mesh.rpc(
            self._campaign.PublishCampaign,
            campaign_pb2.PublishCampaignRequest(
                request_id=str(uuid4()), merchant_id=merchant_id, campaign_id=campaign_id
            ),
        )
        return campaign_id

    async def tell_day(self, story: Story, day: PlannedDay) -> None:
        """Tells one day, and waits until its rewards are decided.

        The lane is held meanwhile: rewards are decided in the order of the events, and all of
        a day's are there before the first is.
        """
        rpc = self._mesh.rpc
        await rpc(self._reward.HoldLane, lane_pb2.HoldLaneRequest(merchant_id=story.merchant_id))
        limit = asyncio.Semaphore(CONCURRENCY)

        async def one(customer: Sequence[PlannedOrder]) -> None:
            for order in customer:
                async with limit:
                    await self._tell_order(story, order)

        by_customer: dict[str, list[PlannedOrder]] = {}
        for order in sorted(day.orders, key=lambda each: (each.time, each.number)):
            by_customer.setdefault(order.customer, []).append(order)
        await _together(one(orders) for orders in by_customer.values())
        # Taken back after what was ordered: an order may return on the day it was placed.
        await _together(self._tell_return(story, taken_back) for taken_back in day.returns)
        await rpc(
            self._reward.ReleaseLane, lane_pb2.ReleaseLaneRequest(merchant_id=story.merchant_id)
        )
        await self._drained(story)

    async def _tell_order(self, story: Story, order: PlannedOrder) -> None:
        await self._import_arrival(story, order)
        if order.claiming is Claiming.BEFORE:
            await self._import_claim(story, order)
        for body in order_bodies(order):
            await self._mesh.deliver(story.webhook_path, body, key=SIGNING_KEY)
            story.delivery_count += 1
        if order.claiming is Claiming.AFTER:
            await self._import_claim(story, order)
        story.order_count += 1

    async def _import_arrival(self, story: Story, order: PlannedOrder) -> None:
        arrival = arrival_pb2.TrackArrivalRequest(merchant_id=story.merchant_id)
        if order.referrer is not None:
            # Somebody of an earlier day, whose arrival was answered.
            arrival.referrer_share_id = story.share_ids[order.referrer]
        answer: arrival_pb2.ImportArrivalResponse = await self._mesh.rpc(
            self._arrival.ImportArrival,
            arrival_pb2.ImportArrivalRequest(
                request_id=request_id_of(story.seed, story.merchant_id, "arrival", order.number),
                client_id=client_id_of(order.customer, story.seed),
                event_time=_timestamp(order.time - timedelta(minutes=10)),
                arrival=arrival,
            ),
        )
        story.share_ids[order.customer] = answer.arrival.share_id
        story.arrival_count += 1

    async def _import_claim(self, story: Story, order: PlannedOrder) -> None:
        await self._mesh.rpc(
            self._linking.ImportClaim,
            purchase_linking_pb2.ImportClaimRequest(
                client_id=client_id_of(order.customer, story.seed),
                event_time=_timestamp(order.time + timedelta(minutes=2)),
                claim=purchase_linking_pb2.ClaimPurchaseRequest(
                    merchant_id=story.merchant_id,
                    order_id=struct_pb2.Value(string_value=order.reference),
                    customer_id=struct_pb2.Value(string_value=order.customer),
                    token=token_of(order),
                ),
            ),
        )
        story.claim_count += 1

    async def _tell_return(self, story: Story, taken_back: PlannedReturn) -> None:
        body = body_of(taken_back.order, status=taken_back.ending, updated=taken_back.time)
        await self._mesh.deliver(story.webhook_path, body, key=SIGNING_KEY)
        story.delivery_count += 1
        story.returned_count += 1

    async def tell_epilogue(
        self, story: Story, customers: Sequence[str], advance: Callable[[], None]
    ) -> None:
        """Orders of today, through the routes that browsers and shops use, and no others."""
        limit = asyncio.Semaphore(CONCURRENCY)

        async def one(number: int, customer: str) -> None:
            async with limit:
                await self._order_today(story, number, customer, customers)
                advance()

        await _together(
            one(number, customers[number * 7 % len(customers)])
            for number in range(1, EPILOGUE_ORDERS + 1)
        )
        await self._drained(story)

    async def _order_today(
        self, story: Story, number: int, customer: str, customers: Sequence[str]
    ) -> None:
        # Half of them are new, brought by somebody of the history; nobody is brought twice.
        is_new = number % 2 == 0
        client = str(UUID(request_id_of(story.seed, "today", number)))
        client_id = client if is_new else client_id_of(customer, story.seed)
        arrival = {"merchantId": story.merchant_id, "landingUrl": "https://cds.example/"}
        if is_new:
            referrer = customers[number * 13 % len(customers)]
            arrival["referrerShareId"] = story.share_ids[referrer]
        headers = {"x-client-id": client_id}
        await self._mesh.post("/user/track/arrival", arrival, headers)
        reference, token = f"TODAY-{number:03d}", f"today-{number}"
        claim = {
            "merchantId": story.merchant_id,
            "orderId": reference,
            "customerId": client_id,
            "token": token,
        }
        body = {
            "id": reference,
            "customerId": client_id,
            "status": "confirmed",
            "token": token,
            "currency": "USD",
            "totalPrice": plain(scale(Decimal(1_000 + 25 * number), -2)),
        }
        if number % 3 == 0:
            await self._mesh.post("/user/track/purchase", claim, headers)
            await self._mesh.deliver(story.webhook_path, body, key=SIGNING_KEY)
        else:
            await self._mesh.deliver(story.webhook_path, body, key=SIGNING_KEY)
            await self._mesh.post("/user/track/purchase", claim, headers)
        story.epilogue_references.append(reference)

    async def _drained(self, story: Story) -> None:
        """Waits until nothing is left to decide."""
        while True:
            answer: lane_pb2.GetLaneResponse = await self._mesh.rpc(
                self._reward.GetLane, lane_pb2.GetLaneRequest(merchant_id=story.merchant_id)
            )
            if answer.lane.due_count + answer.lane.waiting_count == 0:
                return
            await asyncio.sleep(DRAIN_POLL_SECONDS)


async def _together(deeds: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Does everything at once. The first failure ends the rest, and is the one to tell."""
    try:
        async with asyncio.TaskGroup() as tasks:
            for deed in deeds:
                tasks.create_task(deed)
    except ExceptionGroup as several:
        raise several.exceptions[0] from None


def open_channel(address: str) -> grpc.aio.Channel:
    """A channel to the mesh listener."""
    return grpc.aio.insecure_channel(address)


def _timestamp(instant: datetime) -> timestamp_pb2.Timestamp:
    timestamp = timestamp_pb2.Timestamp()
    timestamp.FromDatetime(instant)
    return timestamp
