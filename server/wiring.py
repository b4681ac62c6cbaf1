"""The one place that builds things."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Table
from uuid_utils.compat import uuid7

from domains.attribution.repository import TouchpointRepository
from domains.attribution.service import AttributionService
from domains.attribution.servicer import AttributionServicer
from domains.attribution.tables import touchpoint
from domains.business.repository import MerchantRepository
from domains.business.service import BusinessService
from domains.business.servicer import BusinessServicer
from domains.business.tables import merchant, merchant_webhook
from domains.campaign.repository import BudgetRepository, CampaignRepository, RateRepository
from domains.campaign.service import CampaignService, RatesService
from domains.campaign.servicer import CampaignServicer, RateServicer
from domains.campaign.tables import (
    budget_entry,
    budget_item,
    budget_window,
    campaign,
    campaign_rule_version,
    exchange_rate,
)
from domains.identity.repository import IdentityRepository
from domains.identity.service import IdentityService
from domains.identity.servicer import IdentityServicer
from domains.identity.tables import identity_group, identity_node
from domains.purchases.repository import (
    DeliveryRepository,
    DeliveryRetryRepository,
    LaneQueueRepository,
    PurchaseRepository,
    ReopeningRepository,
)
from domains.purchases.service import DeliveriesService, PurchasesService
from domains.purchases.servicer import PurchasesServicer
from domains.purchases.tables import delivery, order_claim, shop_order
from domains.referral.repository import ReferralRepository
from domains.referral.service import ReferralService
from domains.referral.servicer import ReferralServicer
from domains.referral.tables import referral_link
from domains.rewards.repository import (
    DecisionRepository,
    DueEventRepository,
    EventRepository,
    LaneRepository,
    LedgerRepository,
    ReversalRepository,
    RewardRepository,
)
from domains.rewards.service import LanesService, RewardsService
from domains.rewards.servicer import RewardsServicer
from domains.rewards.tables import (
    account,
    decision,
    interaction,
    ledger_unit,
    reversal,
    reward,
    reward_lane,
    transfer,
)
from infrastructure.database.clock import DatabaseClock
from infrastructure.database.engine import Limits, create_engine, database_of
from infrastructure.database.repeated_call import repeated_call
from infrastructure.database.schema import expected_revision
from infrastructure.database.transaction import Database
from infrastructure.keys.secret_box import SecretBox
from orchestration.arrival.flow import ArrivalOrchestrator
from orchestration.arrival.servicer import ArrivalServicer
from orchestration.cancellation.flow import CancellationOrchestrator
from orchestration.purchase_linking.flow import PurchaseLinkingOrchestrator
from orchestration.purchase_linking.servicer import PurchaseLinkingServicer
from orchestration.purchase_webhook.flow import PurchaseWebhookOrchestrator
from orchestration.purchase_webhook.servicer import PurchaseWebhookServicer
from orchestration.reward.flow import (
    LaneReadingOrchestrator,
    RateAnnouncementOrchestrator,
    RewardOrchestrator,
)
from orchestration.reward.flow.deciding import BatchDeciding
from orchestration.reward.flow.event_facts import EventFactsLoader
from orchestration.reward.flow.lane_orders import LaneOrders
from orchestration.reward.flow.parting import BatchParting
from orchestration.reward.flow.rehearsing import LaneRehearsals
from orchestration.reward.flow.reversing import LaneReversals
from orchestration.reward.flow.setbacks import LaneSetbacks
from orchestration.reward.flow.turns import LaneTurns
from orchestration.reward.servicer import RewardServicer
from server.merchant_units import MerchantUnits
from server.probes.servicer import EdgeServicer
from server.settings import Settings, Stage

REWARD_BATCH_SIZE = 200
"""Short enough that whoever waits for the lane does not wait long: see decision 0002."""

EVERY_TABLE: tuple[Table, ...] = (
    account,
    budget_entry,
    budget_item,
    budget_window,
    campaign,
    campaign_rule_version,
    decision,
    delivery,
    exchange_rate,
    identity_group,
    identity_node,
    interaction,
    ledger_unit,
    merchant,
    merchant_webhook,
    order_claim,
    referral_link,
    repeated_call,
    reversal,
    reward,
    reward_lane,
    shop_order,
    touchpoint,
    transfer,
)
"""Named here, so that a migration sees all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Servicers:
    """Every service of the contract."""

    edge: EdgeServicer
    business: BusinessServicer
    identity: IdentityServicer
    attribution: AttributionServicer
    referral: ReferralServicer
    purchases: PurchasesServicer
    campaign: CampaignServicer
    rate: RateServicer
    rewards: RewardsServicer
    arrival: ArrivalServicer
    purchase_linking: PurchaseLinkingServicer
    purchase_webhook: PurchaseWebhookServicer
    reward: RewardServicer


@dataclass(frozen=True, slots=True, kw_only=True)
class Domains:
    """The use cases of each domain. None of them is given another one."""

    business: BusinessService
    identity: IdentityService
    attribution: AttributionService
    referral: ReferralService
    purchases: PurchasesService
    deliveries: DeliveriesService
    campaigns: CampaignService
    rates: RatesService
    lanes: LanesService
    rewards: RewardsService


@dataclass(frozen=True, slots=True, kw_only=True)
class Flows:
    """What crosses domains. Flows know the domains; the domains do not know them."""

    arrival: ArrivalOrchestrator
    purchase_linking: PurchaseLinkingOrchestrator
    purchase_webhook: PurchaseWebhookOrchestrator
    reward: RewardOrchestrator
    lane_reading: LaneReadingOrchestrator
    rate_announcement: RateAnnouncementOrchestrator


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What a process runs: services to answer with, flows to work with."""

    database: Database
    clock: DatabaseClock
    domains: Domains
    flows: Flows
    servicers: Servicers


def new_id() -> UUID:
    """A fresh id. Ids grow with time, so that new rows lie together in an index."""
    return uuid7()


@asynccontextmanager
async def application(
    settings: Settings, *, name: str, limits: Limits
) -> AsyncIterator[Application]:
    """Builds the application and takes it down again. Opens no connection by itself."""
    engine = create_engine(
        settings.database_url,
        pool_size=settings.database_pool_size,
        application_name=f"guerdon {name}",
        limits=limits,
    )
    try:
        yield build(database_of(engine), settings)
    finally:
        await engine.dispose()


def build(database: Database, settings: Settings) -> Application:
    """Builds the application on a database."""
    secrets = SecretBox(settings.secrets_keys)
    clock = DatabaseClock()
    domains = build_domains(secrets, rate_age_max=settings.rate_age_max)
    flows = build_flows(
        database,
        domains,
        secrets=secrets,
        clock=clock,
        accepts_tests=settings.stage is not Stage.PRODUCTION,
        reward_batch_size=REWARD_BATCH_SIZE,
    )
    return Application(
        database=database,
        clock=clock,
        domains=domains,
        flows=flows,
        servicers=build_servicers(database, domains, flows, clock=clock),
    )


def build_domains(secrets: SecretBox, *, rate_age_max: timedelta) -> Domains:
    """Builds the domains. They open no transactions, so they need no database."""
    business = BusinessService(merchants=MerchantRepository(), seal=secrets)
    events, due_events = EventRepository(), DueEventRepository()
    reversals = ReversalRepository()
    return Domains(
        business=business,
        identity=IdentityService(identities=IdentityRepository()),
        attribution=AttributionService(touchpoints=TouchpointRepository(), merchants=business),
        referral=ReferralService(referrals=ReferralRepository(), merchants=business),
        purchases=PurchasesService(
            purchases=PurchaseRepository(),
            queue=LaneQueueRepository(),
            reopening=ReopeningRepository(),
            merchants=business,
        ),
        deliveries=DeliveriesService(
            deliveries=DeliveryRepository(),
            retries=DeliveryRetryRepository(),
            merchants=business,
        ),
        campaigns=CampaignService(
            campaigns=CampaignRepository(),
            budgets=BudgetRepository(),
            units=MerchantUnits(business=business),
        ),
        rates=RatesService(rates=RateRepository(), age_max=rate_age_max),
        lanes=LanesService(
            lanes=LaneRepository(), events=events, due_events=due_events, reversals=reversals
        ),
        rewards=RewardsService(
            events=events,
            due_events=due_events,
            decisions=DecisionRepository(),
            reversals=reversals,
            rewards=RewardRepository(),
            ledger=LedgerRepository(),
        ),
    )


def build_flows(
    database: Database,
    domains: Domains,
    *,
    secrets: SecretBox,
    clock: Callable[[], datetime],
    accepts_tests: bool,
    reward_batch_size: int,
) -> Flows:
    """Builds the flows on a database and a clock."""
    steps = build_lane_steps(database, domains, clock=clock)
    return Flows(
        arrival=ArrivalOrchestrator(database=database, clock=clock, new_id=new_id),
        purchase_linking=PurchaseLinkingOrchestrator(database=database, clock=clock, new_id=new_id),
        purchase_webhook=PurchaseWebhookOrchestrator(
            database=database,
            deliveries=domains.deliveries,
            secrets=secrets,
            clock=clock,
            new_id=new_id,
            accepts_tests=accepts_tests,
        ),
        reward=RewardOrchestrator(
            database=database,
            turns=steps.turns,
            setbacks=steps.setbacks,
            parting=BatchParting(
                turns=steps.turns,
                setbacks=steps.setbacks,
                rehearsals=LaneRehearsals(
                    database=database,
                    turns=steps.turns,
                    lanes=domains.lanes,
                    purchases=domains.purchases,
                    clock=clock,
                ),
                clock=clock,
            ),
            reversals=LaneReversals(
                database=database,
                orders=steps.orders,
                lanes=domains.lanes,
                cancellation=CancellationOrchestrator(
                    rewards=domains.rewards, campaigns=domains.campaigns, new_id=new_id
                ),
                clock=clock,
            ),
            clock=clock,
            batch_size=reward_batch_size,
        ),
        lane_reading=LaneReadingOrchestrator(
            database=database,
            business=domains.business,
            purchases=domains.purchases,
            lanes=domains.lanes,
            rewards=domains.rewards,
            rates=domains.rates,
            clock=clock,
        ),
        rate_announcement=RateAnnouncementOrchestrator(
            database=database, rates=domains.rates, purchases=domains.purchases, clock=clock
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSteps:
    """The steps of reward work."""

    orders: LaneOrders
    turns: LaneTurns
    setbacks: LaneSetbacks


def build_lane_steps(
    database: Database, domains: Domains, *, clock: Callable[[], datetime]
) -> LaneSteps:
    """Builds the steps of reward work."""
    orders = LaneOrders(
        purchases=domains.purchases, lanes=domains.lanes, clock=clock, new_id=new_id
    )
    turns = LaneTurns(
        database=database,
        rates=domains.rates,
        purchases=domains.purchases,
        lanes=domains.lanes,
        deciding=BatchDeciding(
            business=domains.business,
            campaigns=domains.campaigns,
            purchases=domains.purchases,
            referral=domains.referral,
            lanes=domains.lanes,
            rewards=domains.rewards,
            facts=EventFactsLoader(
                referral=domains.referral,
                attribution=domains.attribution,
                identity=domains.identity,
                rates=domains.rates,
            ),
            clock=clock,
            new_id=new_id,
        ),
        orders=orders,
        clock=clock,
    )
    setbacks = LaneSetbacks(
        database=database, turns=turns, orders=orders, lanes=domains.lanes, clock=clock
    )
    return LaneSteps(orders=orders, turns=turns, setbacks=setbacks)


def build_servicers(
    database: Database, domains: Domains, flows: Flows, *, clock: Callable[[], datetime]
) -> Servicers:
    """Builds what the contract's services are answered by."""
    return Servicers(
        edge=EdgeServicer(database=database, expected_revision=expected_revision()),
        business=BusinessServicer(
            database=database, business=domains.business, clock=clock, new_id=new_id
        ),
        identity=IdentityServicer(
            database=database, identity=domains.identity, clock=clock, new_id=new_id
        ),
        attribution=AttributionServicer(database=database, attribution=domains.attribution),
        referral=ReferralServicer(database=database, referral=domains.referral, clock=clock),
        purchases=PurchasesServicer(
            database=database,
            purchases=domains.purchases,
            deliveries=domains.deliveries,
            clock=clock,
        ),
        campaign=CampaignServicer(
            database=database, campaigns=domains.campaigns, clock=clock, new_id=new_id
        ),
        rate=RateServicer(database=database, rates=domains.rates, clock=clock, new_id=new_id),
        rewards=RewardsServicer(database=database, rewards=domains.rewards),
        arrival=ArrivalServicer(flow=flows.arrival),
        purchase_linking=PurchaseLinkingServicer(flow=flows.purchase_linking),
        purchase_webhook=PurchaseWebhookServicer(flow=flows.purchase_webhook),
        reward=RewardServicer(flow=flows.lane_reading),
    )
