"""A shop on a database of its own, and what happens there: the flows as a process builds them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from uuid import uuid4

from cryptography.fernet import Fernet
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.scale.loads import DUE_ORDERS
from domains.attribution.model import Utm
from domains.business.model import AttributionModel, Merchant, Platform, RewardToken
from domains.campaign.model import (
    Asset,
    Campaign,
    CampaignState,
    Chaining,
    ConditionGroup,
    PercentageAmount,
    PercentOf,
    Recipient,
    RewardDefinition,
    RewardUnits,
    Rule,
    Trigger,
)
from domains.rewards.model import WaitingLane
from infrastructure.database.engine import database_of
from infrastructure.database.transaction import Database
from infrastructure.keys.secret_box import SecretBox
from orchestration.arrival.flow import Arrival
from orchestration.lane.flow.prepared import PreparedBatch
from orchestration.lane.flow.turns import LaneTurns
from orchestration.purchase_linking.flow import Claim
from orchestration.purchase_linking.statements import Claimed
from orchestration.purchase_webhook.flow import ReceivedDelivery
from orchestration.purchase_webhook.platforms import Message
from server.wiring import (
    REWARD_BATCH_SIZE,
    Flows,
    TimedIds,
    build_domains,
    build_flows,
    build_lane_steps,
)
from vocabulary.ids import CampaignId, MerchantId

BUYER = "buyer"
FRIENDS = ("friend one", "friend two")
CLAIMED = "claimed by many"
_KEY = "scale-signing-key"
_RATE_AGE_MAX = timedelta(days=7)


def now() -> datetime:
    return datetime.now(UTC)


def token_of(order: str) -> str:
    return f"token of {order}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A shop whose one browser and one order get all the attention."""

    engine: AsyncEngine
    database: Database
    flows: Flows
    turns: LaneTurns
    merchant_id: MerchantId
    numbers: count[int] = field(default_factory=count)
    share_ids: dict[str, str] = field(default_factory=dict)

    async def arrive(self, client: str = BUYER, referrer: str = "") -> None:
        """A browser opens another page, by the link of a friend who arrived, if one is named."""
        record = await self.flows.arrival.track(
            Arrival(
                merchant_id=self.merchant_id,
                client_id=client,
                referrer_wallet="",
                referrer_client_id="",
                referrer_merchant_id=None,
                referrer_share_id=self.share_ids[referrer] if referrer else "",
                landing_url=f"https://shop.example/{next(self.numbers)}",
                utm=Utm(),
            ),
            repeat=None,
        )
        self.share_ids[client] = str(record.share_id)

    async def arrive_by_link(self) -> None:
        """The buyer arrives by one friend's link, then by the other's, and so on."""
        await self.arrive(referrer=FRIENDS[next(self.numbers) // 2 % 2])

    async def report(self, order: str) -> None:
        """The shop says once more that an order is paid."""
        time = now().isoformat()
        document = {
            "id": order,
            "status": "confirmed",
            "token": token_of(order),
            "currency": "EUR",
            "totalPrice": "100.00",
            "createdAt": time,
            "updatedAt": time,
        }
        body = json.dumps(document).encode()
        digest = hmac.digest(_KEY.encode(), body, hashlib.sha256)
        await self.flows.purchase_webhook.receive(
            ReceivedDelivery(
                platform="custom",
                merchant_id=self.merchant_id,
                product_id=None,
                message=Message(
                    body=body, headers={"x-hmac-sha256": [base64.b64encode(digest).decode()]}
                ),
            )
        )

    async def claim(self, order: str, client: str = BUYER, token: str = "") -> Claimed:
        """A browser shows an order's token."""
        return await self.flows.purchase_linking.claim(
            Claim(
                merchant_id=self.merchant_id,
                client_id=client,
                order_reference=order,
                token=token or token_of(order),
            ),
            repeat=None,
        )

    async def add_due_orders(self, *, orders: int = REWARD_BATCH_SIZE) -> None:
        """The buyer has orders that are due now."""
        await self.run(DUE_ORDERS, prefix=f"due-{next(self.numbers)}-", orders=orders)

    async def look(self) -> WaitingLane | None:
        """What a worker finds when it looks for work."""
        lanes = await self.flows.reward.list_waiting_lanes(is_thorough=False)
        return next((each for each in lanes if each.merchant_id == self.merchant_id), None)

    async def prepare(self, lane: WaitingLane) -> PreparedBatch | None:
        """Takes in what is due and fixes the next batch."""
        if not lane.exists:
            await self.turns.make(lane.merchant_id)
        return await self.turns.prepare(lane, limit=REWARD_BATCH_SIZE)

    async def decide(self, batch: PreparedBatch) -> None:
        """Decides a batch and lets go of it."""
        outcome = await self.turns.decide(batch)
        assert outcome is not None, "nobody else is at the lane"
        await self.turns.finish(batch, outcome.let_go, is_complete=True)

    async def run(self, statement: str, **parameters: object) -> None:
        """Writes many rows at once."""
        async with self.engine.begin() as connection:
            await connection.execute(text("SET LOCAL statement_timeout = 0"))
            values = {"merchant_id": self.merchant_id, "buyer": BUYER, **parameters}
            bound = text(statement)
            wanted = bound.compile().params.keys()
            await connection.execute(bound, {name: values[name] for name in wanted})


async def open_shop(engine: AsyncEngine) -> Shop:
    """A shop that credits the last link and pays along the chain."""
    database = database_of(engine)
    secrets = SecretBox([Fernet.generate_key().decode()])
    domains, new_id = build_domains(secrets, rate_age_max=_RATE_AGE_MAX), TimedIds(now)
    flows = build_flows(
        database,
        domains,
        secrets=secrets,
        clock=now,
        new_id=new_id,
        accepts_tests=True,
        accepts_referrer_client_ids=False,
        reward_batch_size=REWARD_BATCH_SIZE,
    )
    merchant = Merchant(
        merchant_id=MerchantId(uuid4()),
        name="Scale",
        domain="scale.example",
        reward_token=RewardToken(
            chain_id=1, address="0x" + "ab" * 20, decimals=6, peg_currency="EUR"
        ),
        look_back=timedelta(days=30),
        reward_delay=timedelta(hours=1),
        clock_tolerance=timedelta(minutes=5),
        attribution_model=AttributionModel.LAST_TOUCH,
        create_time=now(),
    )
    async with database.transaction() as tx:
        await domains.business.create(tx, merchant)
        await domains.business.set_webhook(
            tx, merchant.merchant_id, platform=Platform.CUSTOM, signing_key=_KEY, now=now()
        )
        await domains.campaigns.create(
            tx,
            merchant.merchant_id,
            lambda units, _: _campaign(merchant.merchant_id, units),
            change=Campaign.publish,
            validate_only=False,
            now=now(),
        )
    return Shop(
        engine=engine,
        database=database,
        flows=flows,
        turns=build_lane_steps(database, domains, clock=now, new_id=new_id).turns,
        merchant_id=merchant.merchant_id,
    )


def _campaign(merchant_id: MerchantId, units: RewardUnits) -> Campaign:
    rule = Rule(
        trigger=Trigger.REFERRAL_PURCHASE,
        conditions=ConditionGroup(),
        rewards=(
            RewardDefinition(
                recipient=Recipient.REFERRER,
                asset=Asset.TOKEN,
                amount=PercentageAmount(percent=Decimal(10), percent_of=PercentOf.PURCHASE_AMOUNT),
                chaining=Chaining(user_percent=Decimal(20), level_percent=Decimal(50), depth_max=3),
            ),
        ),
    )
    return Campaign(
        campaign_id=CampaignId(uuid4()),
        merchant_id=merchant_id,
        name="Scale",
        state=CampaignState.DRAFT,
        priority=1,
        rule=rule,
        rule_version=1,
        units=units,
        budget=(),
        unlimited=rule.assets,
        start_time=None,
        expire_time=None,
        publish_time=None,
        create_time=now(),
        update_time=now(),
        version_time=now(),
    )
