"""What else a turn of a lane sends, and what jobs and repeatable calls send beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from domains.business.repository import MerchantRepository
from domains.campaign.repository import CampaignRepository, RateRepository
from domains.purchases.repository import CustomerRepository, DeliveryRepository
from domains.rewards.model import (
    Account,
    AccountKind,
    LanePhase,
    LaneWork,
    Obstacle,
    Place,
)
from domains.rewards.model.ledger import granting
from domains.rewards.repository import (
    DueEventRepository,
    EventRepository,
    LaneRepository,
    LedgerRepository,
)
from infrastructure.database.repeated_call import AlreadyAnsweredError, Repeat, answer_once
from infrastructure.database.transaction import Database, Transaction
from tests.support.deliveries import a_received_delivery
from tests.support.hot_statements import LIVES, NOW, SHOP, HotStatement
from tests.support.large_tables import BEGIN, ROUND, id_of
from vocabulary.amounts import Unit
from vocabulary.ids import (
    ExchangeRateId,
    InteractionId,
    RewardId,
    TransferId,
)

_LANES, _LEDGER, _RATES = LaneRepository(), LedgerRepository(), RateRepository()
_UNIT = Unit(key="unit 1", decimals=6)
_RATE = ExchangeRateId(id_of("rate", 77))
_REFERRAL = InteractionId(id_of("referral interaction", 2))
_LANE = LaneWork(
    merchant_id=SHOP,
    next_sequence=2,
    phase=LanePhase.WALKING,
    round_number=ROUND,
    round_time=NOW,
    promoted_time=BEGIN,
    order_place=Place(time=BEGIN, reference="order-1"),
    referral_place=None,
    failure_count=0,
)
_CAMPAIGNS = {
    "campaign": "ix_campaign_merchant",
    "campaign_rule_version": "pk_campaign_rule_version",
    "budget_item": "ix_budget_item_campaign",
}
_LANE_OF_SHOP = {"reward_lane": "pk_reward_lane"}


async def _read_earlier(tx: Transaction) -> None:
    campaigns = CampaignRepository()
    changed = [
        replace(each, rule_version=2, version_time=NOW)
        for each in await campaigns.list_paying(tx, SHOP)
    ]
    await campaigns.with_earlier(tx, changed, first_time=BEGIN)


async def _post(tx: Transaction) -> None:
    campaign, person = (
        Account(merchant_id=SHOP, kind=kind, owner=uuid4(), unit=_UNIT) for kind in AccountKind
    )
    posting = granting(
        transfer_id=TransferId(uuid4()),
        reward_id=RewardId(uuid4()),
        campaign=campaign,
        person=person,
        base_units=1,
    )
    await _LEDGER.post(tx, [posting], now=NOW)


async def _announce(tx: Transaction) -> None:
    await _RATES.claim_unannounced(tx, _RATE)
    await _RATES.set_announced(tx, _RATE, announced=True)


async def _call_again(tx: Transaction) -> None:
    call: Repeat[bytes] = Repeat(
        principal="caller 7",
        method="method",
        request_id=UUID(int=7),
        digest=b"digest",
        to_bytes=lambda answer: answer,
    )

    @asynccontextmanager
    async def here() -> AsyncIterator[AsyncConnection]:
        yield tx.connection

    async def work(_: Transaction) -> bytes:
        return b"answer"

    database = Database(begin=here, read=here, connect=here)
    for _ in range(2):
        with suppress(AlreadyAnsweredError):
            await answer_once(database, call, work)


TURNS: dict[str, HotStatement] = {
    "merchant": HotStatement(
        call=lambda tx: MerchantRepository().find(tx, SHOP), indexes={"merchant": "pk_merchant"}
    ),
    "ensured lane": HotStatement(call=lambda tx: _LANES.ensure(tx, SHOP), indexes={}),
    "lane that is waited for": HotStatement(
        call=lambda tx: _LANES.wait_for(tx, SHOP), indexes=_LANE_OF_SHOP
    ),
    "saved lane": HotStatement(call=lambda tx: _LANES.save(tx, _LANE), indexes=_LANE_OF_SHOP),
    "lane that is set back": HotStatement(
        call=lambda tx: _LANES.set_back(
            tx, SHOP, retry_time=NOW, obstacle=Obstacle.DECIDING_FAILED, size=1
        ),
        indexes=_LANE_OF_SHOP,
    ),
    "earlier versions": HotStatement(call=_read_earlier, indexes=_CAMPAIGNS),
    "units": HotStatement(call=lambda tx: _LEDGER.add_units(tx, SHOP, [_UNIT]), indexes={}),
    "balances": HotStatement(call=_post, indexes={"account": "pk_account"}),
    "decided lives": HotStatement(
        call=lambda tx: EventRepository().list_decided(tx, SHOP, LIVES),
        indexes={"interaction": "uq_interaction_purchase"},
    ),
    "failed interaction": HotStatement(
        call=lambda tx: DueEventRepository().fail(
            tx, _REFERRAL, retry_time=NOW, obstacle=Obstacle.DECIDING_FAILED
        ),
        indexes={"interaction": "pk_interaction"},
    ),
    "customer": HotStatement(
        call=lambda tx: CustomerRepository().find(tx, SHOP, "customer-1"),
        indexes={"shop_order": "ix_shop_order_customer"},
    ),
    "delivery that is kept": HotStatement(
        call=lambda tx: DeliveryRepository().keep(
            tx, a_received_delivery(SHOP, event_id="new", time=NOW), now=NOW, retry_time=NOW
        ),
        indexes={},
    ),
    "rate that is announced": HotStatement(
        call=_announce, indexes={"exchange_rate": "pk_exchange_rate, ix_exchange_rate_new"}
    ),
    "repeated call": HotStatement(call=_call_again, indexes={"repeated_call": "pk_repeated_call"}),
}
